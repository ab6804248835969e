// Every command in the README's shell blocks is run, in order, on a group of its own: only ports, folders and ids differ.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { onFreePorts } from '../../src/supervisor/free-ports.ts'
import { checkout, run, stopGroup } from './running-group.ts'

const readme = await readFile(join(checkout, 'README.md'), 'utf8')
const commands = [...readme.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block = '']) =>
  block.trim().split('\n'),
)
const IQN = 'iqn.2026-11.dev.evenkeel:group-1'

let folder: string
let basePort: number
let group: ChildProcess
let printed = ''
const inUse: ChildProcess[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-readme-'))
  basePort = await onFreePorts('127.0.0.1', 6, npmStart)
})
afterAll(async () => {
  for (const child of inUse) child.kill('SIGKILL')
  await stopGroup({ process: group })
  await rm(folder, { recursive: true, force: true })
})

/** Settles with its base port when the group is ready. */
async function npmStart(port: number): Promise<number> {
  const args = ['start', '--', '--data', join(folder, 'data'), '--base-port', String(port)]
  group = spawn('npm', args, { cwd: checkout })
  printed = ''
  const isReady = Promise.withResolvers<void>()
  for (const stream of [group.stdout, group.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      printed += text
      if (printed.includes('Ctrl-C stops everything.')) isReady.resolve()
    })
  }
  const ended = once(group, 'close').then(([code]) => {
    throw new Error(`npm start ended with exit code ${code}: ${printed}`)
  })
  ended.catch(() => {})
  await Promise.race([isReady.promise, ended])
  return port
}

/** The command with the ports of this group, and the ID that `session list` shows. */
async function asRunHere(command: string): Promise<string> {
  const moved = command.replaceAll(
    /127\.0\.0\.1:326(\d)/g,
    (_, n: string) => `127.0.0.1:${basePort + 1 + Number(n)}`,
  )
  if (!/\bID\b/.test(moved)) return moved
  const { id, member } = await liveSession()
  // Placement may have put the session where the README would move it: then it is moved elsewhere.
  const free = member === 'm3' ? moved.replace('move ID m3', 'move ID m2') : moved
  return free.replaceAll(/\bID\b/g, id)
}

/** The one that the README keeps busy. */
async function liveSession(): Promise<{ id: string; member: string }> {
  let found: { id: string; member: string } | undefined
  const look = async () => {
    const response = await fetch(`http://127.0.0.1:${basePort}/api/v1/sessions`)
    const { items } = (await response.json()) as {
      items: { id: string; member: string; state: string; iops: number }[]
    }
    found = items.find(({ state, iops }) => state === 'live' && iops > 0)
    return found
  }
  await expect.poll(look).toBeDefined()
  return found ?? { id: '', member: '' }
}

test('npm start prints portals, volume, how to connect with iscsiadm and qemu, and the API', () => {
  for (const n of [1, 2, 3]) expect(printed).toContain(`m${n}  portal 127.0.0.1:${basePort + n}`)
  expect(printed).toContain(`iscsi://127.0.0.1:${basePort + 1}/${IQN}/0`)
  expect(printed).toContain(`iscsiadm -m node -T ${IQN} -p 127.0.0.1:${basePort + 1} --login`)
  expect(printed).toMatch(/qemu-img info iscsi:/)
  // Nothing that a terminal would take along stands behind it.
  expect(printed).toMatch(new RegExp(`: http://127\\.0\\.0\\.1:${basePort}$`, 'm'))
})

test('there are commands to run', () => {
  expect(commands[0]).toBe('npm start')
  expect(commands.length).toBeGreaterThan(8)
})

test.each(commands.filter((command) => command !== 'npm start'))('%s', async (command) => {
  const env = { ...process.env, EVENKEEL_API: `http://127.0.0.1:${basePort}` }
  if (command === 'kill %1') {
    const job = inUse.pop()
    expect(job?.exitCode, 'it still works when it is stopped').toBeNull()
    job?.kill()
    return
  }
  const words = await asRunHere(command)
  if (words.endsWith(' &')) {
    inUse.push(spawn('sh', ['-c', `exec ${words.slice(0, -2)}`], { env, stdio: 'ignore' }))
    await liveSession()
    return
  }
  const { stdout } = await run('sh', ['-c', words], { cwd: checkout, env })
  expect(stdout).not.toBe('')
  expect(stdout).not.toContain('verification failed')
  expect(stdout).not.toMatch(/There are no (sessions|moves)/)
})

// Where links lead is checked in test/guides.test.ts.
test('scripts that the README and docs name exist', async () => {
  const { scripts } = JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>
  }
  const pages = ['README.md', 'docs/ARCHITECTURE.md', 'docs/OPERATING.md', 'docs/TESTING.md']
  for (const page of pages) {
    const text = await readFile(join(checkout, page), 'utf8')
    for (const [, name = ''] of text.matchAll(/`npm (?:run )?([a-z:]+)[` ]/g)) {
      if (name !== 'install' && name !== 'ci')
        expect(Object.keys(scripts), `${page}: npm run ${name}`).toContain(name)
    }
  }
})
