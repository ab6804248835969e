import { afterEach, expect, test, vi } from 'vitest'
import { Child } from './child.ts'

/** Serves, and says so when it is told to stop, but goes on. */
const deaf = `
  process.on('SIGTERM', () => process.stderr.write('heard\\n'))
  process.stdin.resume().on('end', () => process.exit(0))
  const line = { ready: true, id: 'm1', portal: 'p', api: 'a', pid: process.pid }
  process.stdout.write(JSON.stringify(line) + '\\n')`

afterEach(() => {
  vi.useRealTimers()
})

test('U3 a child that has not stopped 12 s after it was asked is killed', async () => {
  const heard = Promise.withResolvers<string>()
  const child = new Child({
    id: 'm1',
    command: [process.execPath, '-e', deaf],
    say: heard.resolve,
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
