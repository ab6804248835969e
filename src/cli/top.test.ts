import { stripVTControlCharacters } from 'node:util'
import { beforeEach, expect, test, vi } from 'vitest'
import { OperatorInMemory } from '../api/operator-in-memory.fixture.ts'
import { type RunningApi, startApi } from '../api/server.ts'
import type { Keyboard } from './context.ts'
import { run } from './program.ts'

const waitFor = (seen: () => void) => vi.waitFor(seen, 120_000)

let api: RunningApi

beforeEach(async () => {
  const settings = { host: '127.0.0.1', port: 0, version: '0.1.0', failed: () => {} }
  api = await startApi(new OperatorInMemory(), settings)
  return () => api.close()
})

/** `top` on a terminal of this width, and the keys that are pressed there. */
function onTerminal(line: string, columns: number) {
  const screen = { text: '', columns }
  let press = (_key: string) => {}
  const keyboard: Keyboard = {
    open: (pressed) => {
      press = pressed
      return () => {}
    },
    ask: async () => null,
  }
  const out = {
    isTTY: true,
    rows: 40,
    get columns() {
      return screen.columns
    },
    write: (text: string) => {
      screen.text += text
    },
  }
  const outside = { out, err: out, environment: { EVENKEEL_API: api.url }, keyboard }
  const ended = run(line.split(' '), outside, '0.1.0')
  /** The lines of what was drawn last. */
  const drawn = () =>
    stripVTControlCharacters(screen.text.split('\x1b[H').at(-1) ?? '').split('\r\n')
  return { ended, drawn, screen, press: (key: string) => press(key) }
}

test('top has a header, fits the terminal, and shows more when there is room', async () => {
  const { ended, drawn, screen, press } = onTerminal('top --interval 0.1', 80)
  await waitFor(() => expect(drawn()[0]).toMatch(/UTC {2}group g .* balance on {2}MEMBER_DOWN m2/))
  expect(drawn()[1]).toMatch(/q quit.*sort.*reverse.*help/)
  for (const line of drawn()) expect(line.length, line).toBeLessThan(81)
  expect(drawn().join('\n')).not.toContain('INITIATOR')
  screen.columns = 140
  await waitFor(() => expect(drawn().join('\n')).toMatch(/OTHERS.*INITIATOR/s))
  press('q')
  expect(await ended).toBe(0)
})

test('keys of top: sort by the next column, turn round, all columns, help, quit', async () => {
  const { ended, drawn, press } = onTerminal('top', 80)
  await waitFor(() => expect(drawn().join('\n')).toContain('CORES↓'))
  press('right')
  expect(drawn().join('\n')).toContain('IOPS↓')
  press('r')
  expect(drawn().join('\n')).toContain('IOPS↑')
  press('S')
  expect(drawn().join('\n')).toContain('CORES↑')
  press('w')
  expect(drawn().join('\n')).toContain('INITIATOR')
  press('h')
  expect(drawn().join('\n')).toMatch(/LOAD +CPU that its sessions and pages take/)
  press('ctrl-c')
  expect(await ended).toBe(0)
})

test('top explains each of its columns, and is cut down to a member or a volume', async () => {
  const help = onTerminal('top --help', 80)
  expect(await help.ended).toBe(0)
  const whole = onTerminal('top --once', 140)
  expect(await whole.ended).toBe(0)
  const heads =
    whole
      .drawn()
      .join('\n')
      .match(/\b[A-Z][A-Z/]+\b/g) ?? []
  const plain = ['UTC', 'MEMBER', 'SESSION', 'VOLUME', 'STATE', 'INITIATOR', 'DOWN']
  expect(heads.length).toBeGreaterThan(20)
  for (const head of heads) if (!plain.includes(head)) expect(help.screen.text).toContain(head)
  for (const line of help.screen.text.split('\n')) expect(line.length, line).toBeLessThan(81)
  const one = onTerminal('top --once --member m2', 80)
  expect(await one.ended).toBe(0)
  expect(one.screen.text).toContain('There are no sessions.')
  expect(one.screen.text).not.toMatch(/^m1/m)
  expect(await onTerminal('top --once --member m7', 80).ended).toBe(3)
  expect(await onTerminal('top --once --member m', 80).ended).toBe(2)
  const other = onTerminal('top --once --volume other', 80)
  expect(await other.ended).toBe(0)
  expect(other.screen.text).toContain('There are no sessions.')
})
