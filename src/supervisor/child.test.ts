import { afterEach, expect, test, vi } from 'vitest'
import { Child } from './child.ts'

/** Serves, and says so when it is told to stop, but goes on. */
const deaf = `
  process.on('SIGTERM', () => process.stderr.write('heard\\n'))
  process.stdin.resume().on('end', () => process.exit(0))
  const line = { ready: true, id: 'm1', portal: 'p', api: 'a', pid: process.pid, boot: 'b' + process.pid }
  process.stdout.write(JSON.stringify(line) + '\\n')`

afterEach(() => {
  vi.useRealTimers()
})

/** Serves, and ends when it is told to, with a sentence. */
const loud = `
  process.on('SIGTERM', () => {
    process.stderr.write('a line before\\nevenkeel: The disk is gone.\\nand one after\\n')
    process.exitCode = 1
    process.stdin.destroy()
  })
  process.stdin.resume()
  const line = { ready: true, id: 'm1', portal: 'p', api: 'a', pid: process.pid, boot: 'b' + process.pid }
  process.stdout.write(JSON.stringify(line) + '\\n')`

test('U4 why a member ended is known, and how often', async () => {
  let changes = 0
  const child = new Child({
    id: 'm1',
    command: [process.execPath, '-e', loud],
    say: () => {},
    changed: () => {
      changes += 1
    },
  })
  try {
    const { pid } = await child.start()
    expect(child.launched).toBeNull()
    process.kill(pid, 'SIGTERM')
    await expect.poll(() => child.launched?.serves).toBe(true)
    expect(child.launched).toMatchObject({ endings: 1, lastError: 'The disk is gone.' })
    expect(changes).toBe(2)
    process.kill(child.ready?.pid ?? 0, 'SIGKILL')
    await expect.poll(() => child.launched?.endings).toBe(2)
    expect(child.launched).toMatchObject({ lastError: 'it ended with SIGKILL' })
  } finally {
    await child.stop()
  }
})

test('U4 a minute after it serves again what was before is forgotten', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const settings = { id: 'm1', command: [process.execPath, '-e', loud], say: () => {} }
  const child = new Child({ ...settings, changed: () => {} })
  try {
    const { pid } = await child.start()
    process.kill(pid, 'SIGKILL')
    // `expect.poll` would move the clock.
    const becomes = async (serves: boolean) => {
      while (child.launched?.serves !== serves) await new Promise(setImmediate)
    }
    await becomes(false)
    vi.advanceTimersByTime(250)
    await becomes(true)
    vi.advanceTimersByTime(59_999)
    expect(child.launched).toMatchObject({ endings: 1 })
    vi.advanceTimersByTime(1)
    expect(child.launched).toBeNull()
  } finally {
    vi.useRealTimers()
    await child.stop()
  }
})

test('U1 a member that ends again and again waits twice as long each time, and never longer than it was told', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const said: string[] = []
  const child = new Child({
    ...{ id: 'm1', command: [process.execPath, '-e', loud], changed: () => {} },
    restartWithinMs: 700,
    say: (line: string) => said.push(line),
  })
  try {
    await child.start()
    // `expect.poll` would move the clock.
    const becomes = async (isReady: boolean) => {
      while ((child.ready !== null) !== isReady) await new Promise(setImmediate)
    }
    for (const waitMs of [250, 500, 700, 700]) {
      process.kill(child.ready?.pid ?? 0, 'SIGKILL')
      await becomes(false)
      expect(said.at(-1)).toBe(`ended (SIGKILL); starts again in ${waitMs / 1000} s`)
      vi.advanceTimersByTime(waitMs)
      await becomes(true)
    }
  } finally {
    vi.useRealTimers()
    await child.stop()
  }
})

test('U3 a child that has not stopped 12 s after it was asked is killed', async () => {
  const heard = Promise.withResolvers<string>()
  const child = new Child({
    id: 'm1',
    command: [process.execPath, '-e', deaf],
    say: heard.resolve,
    changed: () => {},
  })
  try {
    const { pid } = await child.start()
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    const stopped = child.stop()
    expect(await heard.promise).toBe('heard')
    vi.advanceTimersByTime(11_999)
    expect(vi.getTimerCount()).toBe(1)
    vi.advanceTimersByTime(1)
    await stopped
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/)
  } finally {
    child.kill()
  }
})

/** Says what it reads from its launcher, and ends with it. */
const echo = `
  process.stdin.on('data', (text) => process.stderr.write('heard ' + text)).on('end', () => process.exit(0))
  process.on('SIGTERM', () => setTimeout(() => process.exit(0), 50))
  const line = { ready: true, id: 'm1', portal: 'p', api: 'a', pid: process.pid, boot: 'b' + process.pid }
  process.stdout.write(JSON.stringify(line) + '\\n')`

test('U7 who is told to stop is told that all are', async () => {
  const said: string[] = []
  const child = new Child({
    ...{ id: 'm1', command: [process.execPath, '-e', echo], changed: () => {} },
    say: (line: string) => said.push(line),
  })
  await child.start()
  await child.stop()
  expect(said).toContain('heard {"word":"all stop"}')
})

test('U8 that a member is dead is told when its process has ended, by the boot that it had named', async () => {
  const died: string[] = []
  let heard = 0
  const child = new Child({
    ...{ id: 'm1', command: [process.execPath, '-e', deaf], changed: () => {} },
    say: (line) => {
      if (line === 'heard') heard += 1
    },
    died: ({ member, boot }) => died.push(`${member} ${boot}`),
  })
  try {
    const { pid, boot } = await child.start()
    process.kill(pid, 'SIGTERM')
    await expect.poll(() => heard).toBe(1)
    process.kill(pid, 'SIGSTOP')
    process.kill(pid, 'SIGCONT')
    process.kill(pid, 'SIGTERM')
    await expect.poll(() => heard).toBe(2)
    expect(died).toEqual([])
    process.kill(pid, 'SIGKILL')
    await expect.poll(() => child.ready === null).toBe(true)
    expect(died).toEqual([`m1 ${boot}`])
    await expect.poll(() => child.ready?.pid ?? pid).not.toBe(pid)
    expect(child.ready?.boot).not.toBe(boot)
  } finally {
    child.kill()
  }
})

/** Serves when it is told so, and else as well; says what it was told, and dies. */
const brief = `
  process.stderr.write('words ' + JSON.stringify(process.argv.slice(1)) + '\\n')
  const line = { ready: true, id: 'm1', portal: 'p', api: 'a', pid: process.pid, boot: 'b' + process.pid }
  process.stdout.write(JSON.stringify(line) + '\\n', () => setTimeout(() => process.exit(1), 50))`

test('U5 what is said for one start is not said again when the member is restarted', async () => {
  const second = Promise.withResolvers<string>()
  const child = new Child({
    id: 'm1',
    command: [process.execPath, '-e', brief, '--', 'always'],
    firstWords: ['once'],
    say: (line) => {
      if (line.endsWith('["always"]')) second.resolve(line)
    },
    changed: () => {},
  })
  try {
    await child.start()
    expect(await second.promise).toBe('words ["always"]')
  } finally {
    await child.stop()
  }
})

/** Prints, and ends at once. */
const broken = `
  process.stderr.write('evenkeel: first\\na line\\nevenkeel: The disk is gone.\\nand one after\\n')
  process.exitCode = 1`

test('U6 each line is told once: the sentence that it ends with is told with its end', async () => {
  const told: string[] = []
  const child = new Child({
    id: 'm1',
    command: [process.execPath, '-e', broken],
    say: () => {},
    changed: () => {},
    told: (event) => {
      if (event.kind === 'said') told.push(event.line)
      if (event.kind === 'ended') told.push(`ended: ${event.words}`)
    },
  })
  await expect(child.start()).rejects.toThrow('The disk is gone.')
  expect(told).toEqual(['a line', 'evenkeel: first', 'and one after', 'ended: The disk is gone.'])
})
