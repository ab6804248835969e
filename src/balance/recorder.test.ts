import { expect, test } from 'vitest'
import { memberId } from '../base/ids.ts'
import type { SessionLoad } from '../load/load-table.ts'
import { type Recordable, Recorder } from './recorder.ts'

const load: SessionLoad = {
  slow: { remote: [0.3], local: [0.1] },
  long: { remote: [0.3], local: [0.1] },
  fast: { remote: [0.123456], local: [0.1] },
  variance: 0,
  owners: [[memberId('m1'), 0.5]],
  elsewhere: 0.25,
}

function moment(sessions: number, atMs = 0): Recordable {
  const all = { slow: [0.4], long: [0.4], fast: [0.5], variance: [0] }
  const end = { member: memberId('m1'), capacity: [1], load: all, sigma: [0.01] }
  return { atMs, end, sessions: Array.from({ length: sessions }, (_, id) => [id, load] as const) }
}

test('an entry has what is reported, what each session asks for, and what no move changes', () => {
  const recorder = new Recorder(memberId('m1'))
  recorder.note(moment(2, 7))
  const { entries, next } = recorder.page(0)
  expect(next).toBeNull()
  expect(entries).toEqual([
    {
      ...{ n: 1, atMs: 7, capacity: [1], slow: [0.4], fast: [0.5], sigma: [0.01] },
      base: [expect.closeTo(0.5 - 2 * (0.123456 - 0.05), 4)],
      sessions: [0, 1].map((id) => [id, [0.123456], [0.1], 0.25, [['m1', 0.5]]]),
    },
  ])
})

test('RC1 the oldest goes first, and what is kept has a bound', () => {
  const recorder = new Recorder(memberId('m1'))
  for (let k = 0; k < 60; k++) recorder.note(moment(2_000))
  const kept = [...allOf(recorder)]
  expect(JSON.stringify(kept).length).toBeLessThan(4.1 * 1024 * 1024)
  expect(kept.length).toBeGreaterThan(30)
  expect(kept.at(-1)?.n).toBe(60)
  expect(kept[0]?.n).toBe(61 - kept.length)
})

test.each([
  [10, 11],
  [100, 1],
])('RC1 of %i sessions in a group of three %i hours are kept', (count, hours) => {
  const recorder = new Recorder(memberId('m1'))
  const owners = [1, 2, 3].map((i) => [memberId(`m${i}`), 0.123456] as const)
  for (let k = 0; k < 360 * hours; k++) {
    const { sessions, ...rest } = moment(count, 1.7e12)
    const spread = [...sessions].map(([id, load]) => [100 + id, { ...load, owners }] as const)
    recorder.note({ ...rest, sessions: spread })
  }
  expect([...allOf(recorder)][0]?.n).toBe(1)
})

test('RC2 what does not fit into a page is in the next ones, each entry once', () => {
  const recorder = new Recorder(memberId('m1'))
  for (let k = 0; k < 20; k++) recorder.note(moment(1_500))
  expect(recorder.page(0).next).not.toBeNull()
  expect(JSON.stringify(recorder.page(0)).length).toBeLessThan(300 * 1024)
  expect([...allOf(recorder)].map(({ n }) => n)).toEqual(
    Array.from({ length: 20 }, (_, i) => i + 1),
  )
})

function* allOf(recorder: Recorder) {
  for (let after: number | null = 0; after !== null; ) {
    const page = recorder.page(after)
    yield* page.entries
    after = page.next
  }
}
