import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { lockFolder } from '../io/folder-lock.ts'
import { LOG_NAME } from '../io/log-file.ts'
import { lineFor } from './launcher-pipe.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-member-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const main = new URL('main.ts', import.meta.url).href

/** A process that runs a member whose start is `start`, the source of an async function of (config, log). */
function member(start: string, lifeline = true, drainWithinMs = 0) {
  const config = { memberId: 'm1', dataFolder: join(folder, 'm1') }
  const script = `
    const { runMember } = await import(${JSON.stringify(main)})
    setInterval(() => {}, 1000)
    await runMember({
      config: ${JSON.stringify(config)}, start: ${start}, lifeline: ${lifeline ? 'process.stdin' : 'null'},
      drainWithinMs: ${drainWithinMs},
      ready: (line) => console.log(JSON.stringify(line)),
    }).catch((error) => { console.error(error.message); process.exit(1) })
    console.log('stopped')
    process.exit(0)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'pipe' })
  const text = { out: '', err: '' }
  child.stdout.on('data', (more) => {
    text.out += more
  })
  child.stderr.on('data', (more) => {
    text.err += more
  })
  const ready = async () => expect.poll(() => text.out).toContain('"ready":true')
  return { child, text, ready, closed: once(child, 'close') }
}

const running = (stop: string, failed = 'new Promise(() => {})') =>
  `async () => ({ boot: 'b-1', portal: '127.0.0.1:1', api: 'http://127.0.0.1:2', failed: ${failed}, stop: ${stop} })`
const stops = running(
  "async () => { await new Promise((r) => setTimeout(r, 100)); console.log('stopping') }",
)

const events = async () =>
  (await readFile(join(folder, 'm1', LOG_NAME), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

describe('the process of a member', () => {
  test('M2 stops when it is told, once, however often; its log says so', async () => {
    const { child, text, ready, closed } = member(stops)
    await ready()
    expect(JSON.parse(text.out)).toEqual({
      ready: true,
      id: 'm1',
      portal: '127.0.0.1:1',
      api: 'http://127.0.0.1:2',
      pid: child.pid,
      boot: 'b-1',
    })
    child.kill('SIGTERM')
    child.kill('SIGINT')
    child.kill('SIGTERM')
    expect(await closed).toEqual([0, null])
    expect(text.out.match(/stopping/g)).toHaveLength(1)
    expect((await events()).map(({ event }) => event)).toEqual(['start', 'stop', 'stopped'])
  })

  test('M2 moves its sessions away before it stops, if it was started so, and is not waited for beyond that', async () => {
    const drains = (how: string) => `async () => ({ ...(await (${stops})()), drain: ${how} })`
    const after = "async (ms) => console.log('drains for ' + ms)"
    const calm = member(drains(after), false, 5_000)
    await calm.ready()
    calm.child.kill('SIGTERM')
    expect(await calm.closed).toEqual([0, null])
    expect(calm.text.out).toMatch(/drains for 5000\nstopping/)
  })

  test('M2 stops when its supervisor is gone', async () => {
    const { child, ready, closed } = member(stops)
    await ready()
    child.stdin.end()
    expect(await closed).toEqual([0, null])
    expect((await events())[1]).toMatchObject({
      event: 'stop',
      why: 'supervisor gone',
      member: 'm1',
    })
  })

  test('M2 hears whether other members go on: not when the launcher says that all stop, nor when it is gone', async () => {
    const tells = running("async (othersGoOn) => console.log('others go on: ' + othersGoOn())")
    const alone = member(tells)
    await alone.ready()
    alone.child.stdin.write('{"word":"of a later version"}\nnot JSON\n')
    alone.child.kill('SIGTERM')
    await alone.closed
    expect(alone.text.out).toContain('others go on: true')
    const withAll = member(
      running(
        "async (othersGoOn) => { while (othersGoOn()) await new Promise((r) => setTimeout(r, 5)); console.log('all stop') }",
      ),
    )
    await withAll.ready()
    withAll.child.kill('SIGTERM')
    withAll.child.stdin.write(lineFor({ word: 'all stop' }))
    await withAll.closed
    expect(withAll.text.out).toContain('all stop')
    const left = member(tells)
    await left.ready()
    left.child.stdin.end()
    await left.closed
    expect(left.text.out).toContain('others go on: false')
  })

  test('M5 hears of processes that died, also of those before it served', async () => {
    const hears = `async () => {
      await new Promise((resolve) => setTimeout(resolve, 50))
      const died = ({ member, boot }) => console.log('died: ' + member + ' ' + boot)
      return { ...(await (${stops})()), died }
    }`
    const { child, text, ready, closed } = member(hears)
    child.stdin.write(lineFor({ word: 'died', member: 'm2', boot: 'b-2' }))
    await ready()
    child.stdin.write(lineFor({ word: 'died', member: 'm3', boot: 'b-3' }))
    await expect.poll(() => text.out).toContain('died: m3 b-3')
    expect(text.out).toMatch(/died: m2 b-2\n.*died: m3 b-3\n/s)
    child.stdin.end()
    await closed
  })

  test('M2 without a supervisor a second signal ends it at once', async () => {
    const { child, text, ready, closed } = member(
      running("async () => { console.log('stopping'); await new Promise(() => {}) }"),
      false,
    )
    await ready()
    child.kill('SIGINT')
    await expect.poll(() => text.out).toContain('stopping')
    child.kill('SIGINT')
    expect(await closed).toEqual([1, null])
  })

  test('M4 SIGHUP ends nobody, and the log goes on in the file at its path', async () => {
    const { child, ready, closed } = member(stops)
    await ready()
    const path = join(folder, 'm1', LOG_NAME)
    await rename(path, `${path}.old`)
    child.kill('SIGHUP')
    await expect
      .poll(() => readFile(path, 'utf8').catch(() => ''))
      .toMatch(/"event":"reopened".*SIGHUP/)
    child.stdin.end()
    expect(await closed).toEqual([0, null])
    expect((await events()).map(({ event }) => event)).toEqual(['reopened', 'stop', 'stopped'])
    expect(await readFile(`${path}.old`, 'utf8')).toMatch(/"event":"start".*"msg":"serves: portal/)
  })

  test('M1 a folder that another process uses is refused, and not touched', async () => {
    await mkdir(join(folder, 'm1'))
    const lock = lockFolder(join(folder, 'm1'))
    const { text, closed } = member(stops)
    expect(await closed).toEqual([1, null])
    expect(text.err).toContain(`is in use by process ${process.pid}`)
    await expect(events()).rejects.toThrow('ENOENT')
    lock.release()
  })

  test('M3 what ends it is logged: a failed start, a failed disk, a broken invariant', async () => {
    const causes = [
      ["async () => { throw new Error('the port is taken') }", 'failed', 'the port is taken'],
      [
        running('async () => {}', "Promise.resolve('the disk failed')"),
        'failed',
        'the disk failed',
      ],
      [
        "async () => { setTimeout(() => { throw new Error('BrokenInvariant: S1') }); return await new Promise(() => {}) }",
        'fatal',
        'BrokenInvariant: S1',
      ],
    ] as const
    for (const [start, event, message] of causes) {
      const { closed } = member(start)
      expect(await closed, message).toEqual([1, null])
      expect((await events()).at(-1), message).toMatchObject({ event, err: { message } })
    }
  })
})
