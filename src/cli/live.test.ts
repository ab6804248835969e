import { afterEach, expect, test, vi } from 'vitest'
import { ApiUnreachable } from '../api/caller.ts'
import type { Keyboard } from './context.ts'
import { live } from './live.ts'

const waitFor = (seen: () => void) => vi.waitFor(seen, 120_000)

afterEach(() => vi.restoreAllMocks())

function terminal(rows: number) {
  const screen = { text: '', resized: () => {} }
  let press = (_key: string) => {}
  const closed = vi.fn()
  const keyboard: Keyboard = {
    open: (pressed) => {
      press = pressed
      return closed
    },
    ask: async () => null,
  }
  const out = {
    isTTY: true,
    rows,
    write: (text: string) => {
      screen.text += text
    },
    onResize: (resized: () => void) => {
      screen.resized = resized
      return closed
    },
  }
  const outside = { out, err: out, environment: {}, keyboard }
  return { out, outside, screen, closed, press: (key: string) => press(key) }
}

const LEFT = '\x1b[?7h\x1b[?25h\x1b[?1049l'

test('L1 the terminal is left as it was: after q, after Ctrl-C, after a signal, after an error', async () => {
  for (const how of ['q', 'ctrl-c', 'SIGINT', 'error'] as const) {
    const { outside, screen, closed, press } = terminal(24)
    const end = () => {
      if (how === 'SIGINT') process.emit('SIGINT')
      else press(how)
    }
    const view = {
      everyMs: 10,
      look: async () => {
        if (how === 'error') throw new Error('a fault')
        setImmediate(end)
        return 'all of it'
      },
      draw: (text: string) => text,
    }
    if (how === 'error') await expect(live(outside, view)).rejects.toThrow('a fault')
    else await live(outside, view)
    expect(screen.text.endsWith(LEFT), how).toBe(true)
    expect(closed, how).toHaveBeenCalledTimes(2)
    expect(process.listenerCount('SIGINT'), how).toBe(0)
  }
})

test('L2 what does not fit is cut at the bottom, by the size that the terminal has now', async () => {
  const { out, outside, screen, press } = terminal(3)
  const lines = ['a', 'b', 'c', 'd', 'e']
  const drawn = vi.fn(() => lines.join('\n'))
  const ended = live(outside, { everyMs: 60_000, look: async () => lines, draw: drawn })
  await waitFor(() => expect(screen.text).toContain('\x1b[Kb\r\n\x1b[J… 3 more lines'))
  out.rows = 5
  screen.resized()
  expect(screen.text.endsWith('\x1b[Kc\r\n\x1b[Kd\r\n\x1b[Je')).toBe(true)
  press('q')
  await ended
})

test('what one member does not answer is said above what another one answered', async () => {
  const { outside, screen, press } = terminal(24)
  const ended = live(outside, {
    everyMs: 60_000,
    look: async () => 'the table',
    above: () => "m1's API does not answer, for 3s",
    draw: (text) => text,
  })
  await waitFor(() => expect(screen.text).toContain('the table'))
  expect(screen.text).toMatch(/for 3s\r\n.*\r\n.*the table/)
  press('q')
  await ended
})

test('it goes on while the API does not answer, shows what was known, and redraws at a key', async () => {
  const { outside, screen, press } = terminal(24)
  let looks = 0
  const pressed = vi.fn()
  const ended = live(outside, {
    everyMs: 5,
    look: async () => {
      looks += 1
      if (looks > 1) throw new ApiUnreachable('the API at X does not answer in time')
      return 'the table'
    },
    draw: (text) => text,
    pressed,
  })
  await waitFor(() => expect(screen.text).toMatch(/No answer for \d+ s: the API at X/))
  expect(screen.text.split('No answer').at(-1)).toContain('the table')
  press('s')
  expect(pressed).toHaveBeenCalledWith('s')
  press('q')
  await ended
})
