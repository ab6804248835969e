import { expect, test } from 'vitest'
import { Prng } from '../base/prng.ts'
import { groupScale, MOST_SCALE, ScaleMeasure, type ScaleSums } from './cost-scale.ts'

interface Member {
  readonly measure: ScaleMeasure
  scale: number
}

const members = (count: number): Member[] =>
  Array.from({ length: count }, () => ({ measure: new ScaleMeasure(), scale: 1 }))

/** Seconds in which member i does work priced at `priced[i]`, that costs `times` as much, beside `beside[i]`. */
function run(
  group: readonly Member[],
  seconds: number,
  priced: readonly number[],
  times: number,
  beside: readonly number[] = [],
): void {
  const random = new Prng(1)
  for (let t = 0; t < seconds; t++) {
    group.forEach(({ measure }, i) => {
      const work = (priced[i] ?? 0) * (0.9 + 0.2 * random.unit())
      const noise = 0.95 + 0.1 * random.unit()
      measure.observe(1, (work * times + 0.01 + (beside[i] ?? 0)) * noise, work)
    })
    learn(group)
  }
}

function learn(group: readonly Member[]): void {
  const sums = group.map(({ measure, scale }) => measure.sums(scale))
  for (const member of group) member.scale = groupScale(sums, 1)
}

const FIG5 = [0.5, 0, 0.33]

test.each([0.33, 0.5, 1, 2, 3])('the scale of unequal members is found in 20 s: %f', (times) => {
  const group = members(3)
  run(
    group,
    20,
    FIG5.map((x) => x / times),
    times,
  )
  expect((group[0]?.scale ?? 0) / times).toBeGreaterThan(0.75)
  expect((group[0]?.scale ?? 0) / times).toBeLessThan(1.3)
})

test('S1 all use the same scale, also who hears late, and who has just started takes that of the group', () => {
  const group = members(3)
  // The last member learns of what the others found 5 s ago.
  const past: ScaleSums[][] = []
  for (let t = 0; t < 40; t++) {
    run(group, 1, FIG5, 2)
    past.push(group.map(({ measure, scale }) => measure.sums(scale)))
    const late = past.at(-6) ?? past[0] ?? []
    const [last] = group.slice(-1)
    if (last) last.scale = groupScale([...late.slice(0, 2), last.measure.sums(last.scale)], 1)
  }
  const scales = group.map(({ scale }) => scale)
  expect(Math.max(...scales) / Math.min(...scales)).toBeLessThan(1.02)
  const sums = group.map(({ measure, scale }) => measure.sums(scale))
  const started = groupScale([...sums, new ScaleMeasure().sums(1)], 1)
  expect(started / (scales[0] ?? 1)).toBeCloseTo(1, 2)
})

test.each([
  ['level', [0.3, 0.3, 0.3]],
  ['idle', [0, 0, 0]],
])('S2 a day of members that are %s leaves the scale as it was', (_, priced) => {
  const group = members(3)
  run(group, 60, FIG5, 2)
  const before = group[0]?.scale ?? 0
  expect(before).toBeGreaterThan(1.8)
  run(group, 86_400, priced, 2)
  expect((group[0]?.scale ?? 0) / before).toBeCloseTo(1, 1)
})

test.each([0.33, 3])(
  'S2 level members learn it too, in minutes, from what each shows alone: %f',
  (times) => {
    const group = members(3)
    run(
      group,
      60,
      [0.4, 0.4, 0.4].map((x) => x / times),
      times,
    )
    const learn = (own: readonly number[]) => {
      const sums = group.map(({ measure, scale }, i) => measure.sums(scale, own[i]))
      for (const member of group) member.scale = groupScale(sums, 1)
    }
    const before = group[0]?.scale ?? 0
    for (let t = 0; t < 60; t++) learn([0, times, 0])
    expect(group[0]?.scale).toBeCloseTo(before, 9)
    for (let t = 0; t < 60; t++) learn([0, times, times * 1.1])
    expect((group[0]?.scale ?? 0) / times).toBeGreaterThan(0.7)
    expect((group[0]?.scale ?? 0) / times).toBeLessThan(1.4)
  },
)

test('S3 the work of the group is never priced at more than its processes use, even while all are level', () => {
  const group = members(3)
  run(group, 5, [0.6, 0.6, 0.6], 1 / 3)
  expect(group[0]?.scale).toBeLessThan(0.5)
  expect(group[0]?.scale).toBeGreaterThan(0.3)
})

test('S4 what one of many uses beside its work does not make the scale', () => {
  const group = members(10)
  const priced = group.map((_, i) => 0.3 + 0.02 * i)
  run(group, 120, priced, 1, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0.4])
  expect(group[0]?.scale).toBeGreaterThan(0.8)
  expect(group[0]?.scale).toBeLessThan(1.3)
})

test('the scale is bounded, whatever is published', () => {
  const wild = { seconds: 60, cpu: 1e3, priced: 1e-3, square: 0, product: 1e6, scale: 0, own: 0 }
  const other = { ...wild, cpu: 0, priced: 1e3, product: 0, scale: 1e3 }
  const scale = groupScale([wild, other], 1)
  expect(Number.isFinite(scale)).toBe(true)
  expect(scale).toBeLessThanOrEqual(MOST_SCALE)
  expect(groupScale([], 1)).toBe(1)
})
