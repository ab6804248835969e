// What an operator is told while something is wrong with a group: by `evenkeel status`, its exit code and the API.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kill } from 'node:process'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestGroup } from '../kit/group.ts'
import { launcher } from './running-group.ts'

let group: TestGroup
/** Where the CLI remembers the members' APIs. */
let state: string

beforeAll(async () => {
  group = await TestGroup.start('--copies', '1')
  state = await mkdtemp(join(tmpdir(), 'evenkeel-state-'))
})
afterAll(async () => {
  await group.stop()
  await rm(state, { recursive: true })
})

const told = { interval: 500 }

async function pidOf(member: string): Promise<number> {
  const pid = await group.pidOf(member)
  if (pid === null) throw new Error(`${member} is not up`)
  return pid
}

/** The CLI as a user runs it, who has called the first member's API before. */
async function evenkeel(...args: string[]) {
  const environment = { ...process.env, XDG_STATE_HOME: state, EVENKEEL_API: group.apiOf('m1') }
  const child = spawn(launcher, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text) => {
    said.out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said.err += text
  })
  const [code] = await once(child, 'close')
  return { code, ...said }
}

test('with the first member stopped, another one answers what is asked and does what is ordered', async () => {
  await expect.poll(async () => (await evenkeel('status')).code, told).not.toBe(5)
  const pid = await pidOf('m1')
  kill(pid, 'SIGSTOP')
  try {
    const begunMs = performance.now()
    const status = await evenkeel('status')
    console.log(`status with m1 stopped: ${Math.round(performance.now() - begunMs)} ms`)
    expect(status.err).toMatch(
      /^evenkeel: m1's API at \S+ has not answered within a second; m[23]'s/,
    )
    // A member that has just started looks for the first time after some seconds.
    await expect.poll(async () => (await evenkeel('status')).out, told).toMatch(/ MEMBER_DOWN m1, /)
    expect((await evenkeel('status')).code).toBe(20)
    const down = async () => JSON.parse((await evenkeel('status', '-o', 'json')).out).problems
    await expect.poll(down, told).toMatchObject([{ code: 'MEMBER_DOWN', subject: 'm1' }])
    const made = await evenkeel('volume', 'create', 'beside', '--size', '16M')
    expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^Created beside/) })
    expect((await evenkeel('volume', 'delete', 'beside', '--yes')).code).toBe(0)
  } finally {
    kill(pid, 'SIGCONT')
  }
  await expect.poll(async () => (await evenkeel('status')).err, told).toBe('')
}, 180_000)

test('a coordination file that somebody has locked is told, while I/O goes on', async () => {
  const file = new DatabaseSync(join(group.dataFolder, 'coordination.sqlite'), { timeout: 10_000 })
  const down = { code: 20, problems: ['COORDINATOR_DOWN coordination'] }
  try {
    file.exec('BEGIN IMMEDIATE')
    await expect.poll(() => group.health('m2'), told).toEqual(down)
    const coordination = async () => (await group.status()).coordination
    await expect.poll(coordination, told).toBe('down')
  } finally {
    file.exec('ROLLBACK')
    file.close()
  }
  await expect.poll(() => group.health('m2'), told).toEqual({ code: 0, problems: [] })
}, 120_000)

// A member that was started again is told for a minute, so nothing that looks at all problems comes behind it.
test('a member that ends again and again is told with its last error, and as a warning once it serves', async () => {
  await expect.poll(() => group.health(), told).toEqual({ code: 0, problems: [] })
  const pid = await pidOf('m3')
  const configuration = join(group.dataFolder, 'm3.json')
  await rename(configuration, `${configuration}.away`)
  kill(pid, 'SIGKILL')
  const problemsOf = async () => (await group.status()).problems
  await expect
    .poll(problemsOf, told)
    .toMatchObject([{ code: 'MEMBER_RESTARTING', severity: 'error', subject: 'm3' }])
  await expect
    .poll(async () => (await problemsOf())[0]?.sentence, told)
    .toMatch(/m3 has ended (?:[3-9]|\d\d+) times and does not serve now\. Last, .*m3\.json/)
  const [first] = await problemsOf()
  expect((await group.status('m2')).problems[0]?.since).toBe(first?.since)
  const looping = { code: 20, problems: ['MEMBER_RESTARTING m3'] }
  await expect.poll(() => group.health(), told).toEqual(looping)

  await rename(`${configuration}.away`, configuration)
  await expect
    .poll(() => group.health(), told)
    .toEqual({ code: 10, problems: ['MEMBER_RESTARTING m3'] })
  expect((await problemsOf())[0]?.since).toBe(first?.since)
}, 180_000)

test('SIGHUP makes the launcher and its members go on in new logs, which tell what has happened', async () => {
  const paths = ['launcher.log', 'm1/member.log'].map((name) => join(group.dataFolder, name))
  const pids = await Promise.all(group.members.map(pidOf))
  for (const path of paths) await rename(path, `${path}.1`)
  group.process.kill('SIGHUP')
  for (const path of paths) await expect.poll(() => existsSync(path), told).toBe(true)
  expect(await Promise.all(group.members.map(pidOf))).toEqual(pids)
  const { code, out } = await evenkeel('log', '--data', group.dataFolder, '--since', '1h')
  expect(code).toBe(0)
  for (const line of [
    /launcher info +start +starts 3 members/,
    /launcher error ended +m3 ended \(SIGKILL\)/,
    /launcher error ended +m3 ended \(exit code 1\): .*m3\.json/,
    /launcher info +serves +m3 serves/,
    /m[12] +warn +link +m3 is lost/,
    /m[12] +info +link +m3 is reached/,
    /m[23] +error problem +MEMBER_DOWN m1: m1 does not answer/,
    /m[23] +info +problem +over: MEMBER_DOWN m1/,
    /m[23] +info +api +127\.0\.0\.1 \(evenkeel\S*.*\) asked DELETE \/api\/v1\/volumes\/beside: 200/,
    /m[123] +error problem +COORDINATOR_DOWN coordination/,
    /m1 +info +reopened/,
  ]) {
    expect(out).toMatch(line)
  }
}, 120_000)
