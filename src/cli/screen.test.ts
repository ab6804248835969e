import { expect, test } from 'vitest'
import type { Session } from '../api/schema.ts'
import { tableOf } from './columns.ts'
import { type OutputForm, Screen } from './screen.ts'
import { SESSION_COLUMNS } from './session-columns.ts'

function screen(columns: number | null, form: OutputForm = 'table') {
  const out = { write: () => {}, isTTY: columns !== null, columns: columns ?? undefined }
  return new Screen(out, out, form, false)
}

/** As long as each field can be; ids of a group that was recovered are long. */
const longest: Session = {
  id: '4294967338',
  initiator: `iqn.1993-08.org.debian:01:${'0123456789abcdef'.repeat(8)}`,
  isid: '00023d000001',
  volume: 'a-name-of-sixty-three-characters-that-an-orchestrator-made-1234',
  member: 'm32',
  source: '2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff',
  state: 'moving',
  pinned: 'm32',
  since: '2020-01-01T00:00:00.000Z',
  iops: 123_456,
  bytesPerSecond: 1023 * 2 ** 20,
  forwardedShare: 1,
}

test('S2 the widest list fits 80 columns at its longest; long names keep both ends', () => {
  const [head = '', row = ''] = tableOf(screen(80), SESSION_COLUMNS, [longest]).split('\n')
  expect(head.length).toBeLessThan(81)
  expect(row.length).toBeLessThan(81)
  expect(row).toMatch(/ {2}a…\d{4} {2}m32 .* 2\w*…ffff {2}i\w*…cdef$/)
})

test('S1 S2 in a pipe every name is whole, and every field is one word', () => {
  const [head = '', row = ''] = tableOf(screen(null), SESSION_COLUMNS, [longest]).split('\n')
  for (const name of [longest.volume, longest.source, longest.initiator])
    expect(row).toContain(name)
  expect(row.split(/ +/)).toHaveLength(head.split(/ +/).length)
  expect(
    screen(null).table(
      ['A', 'B>'],
      [
        ['10 GiB', '1.1 MiB/s'],
        ['4 %', '0.3 ms'],
      ],
    ),
  ).toBe('A             B\n10GiB  1.1MiB/s\n4%        0.3ms')
})

test('what takes two columns, and colours that take none, stay aligned', () => {
  const cell = '\x1b[31mrot\x1b[39m'
  const table = screen(80).table(
    ['NAME', 'X'],
    [
      ['日本', '1'],
      [cell, '2'],
    ],
  )
  expect(table).toBe(`NAME  X\n日本  1\n${cell}   2`)
})

test('facts go on below themselves when the terminal is narrow', () => {
  const facts = screen(20).facts([['why', 'it is where it was put']])
  expect(facts).toBe('why  it is where it\n     was put')
})

test('what is no terminal is not coloured, also where it does not say that it is none', () => {
  // As Node has it: a pipe has no `isTTY`.
  const pipe = { write: () => {}, isTTY: undefined as unknown as boolean }
  const { colours } = new Screen(pipe, pipe, 'table', undefined)
  expect(colours.red('ERROR')).toBe('ERROR')
})
