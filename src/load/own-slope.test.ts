import { expect, test } from 'vitest'
import { Prng } from '../base/prng.ts'
import { OwnSlope, slownessOf, usualSlope } from './own-slope.ts'

/** Work that swings by a tenth, at so many CPU seconds each, beside what else the process does. */
function learnt(
  slope: number,
  seconds: number,
  how: { swing?: number; noise?: number; mean?: number } = {},
) {
  const { swing = 0.1, noise = 0.01, mean = 0.3 } = how
  const own = new OwnSlope()
  const random = new Prng(1)
  const around = (by: number) => 1 + by * (2 * random.unit() - 1)
  for (let t = 0; t < seconds; t++) {
    const work = mean * around(swing)
    own.observe(1, (work * slope + 0.05) * around(noise), work)
  }
  return own.value
}

const known = (...slopes: number[]) => slopes.map((own) => ({ own }))

test('S5 the own slope is what CPU follows work by, whatever else the process does', () => {
  expect(learnt(1, 300)).toBeCloseTo(1, 1)
  expect(learnt(2, 300) / 2).toBeCloseTo(1, 1)
})

test('S5 it is not known at the start, of an idle loop, of work that does not change, nor beside more noise than it shows', () => {
  expect(learnt(2, 100)).toBe(0)
  expect(learnt(2, 300, { mean: 0.05, noise: 0 })).toBe(0)
  expect(learnt(2, 300, { swing: 0 })).toBe(0)
  expect(learnt(2, 300, { noise: 0.5 })).toBe(0)
})

test('S5 usual is the slope in the middle, once most members know theirs', () => {
  expect(usualSlope(known(1, 1.1, 2))?.slope).toBe(1.1)
  expect(usualSlope(known(0, 1.1, 2))?.slope).toBe(1.1)
  expect(usualSlope(known(0, 0, 2))).toBeNull()
  expect(usualSlope([])).toBeNull()
})

test.each([
  ['one of half the speed', 2, 1, known(1, 1, 2), 2],
  ['one of twice the speed', 1, 2, known(1, 2, 2), 0.5],
  ['one like most', 1.2, 1, known(1, 1.1, 1.2), 1],
  ['one that does not know', 0, 1, known(1, 1, 0), 1],
  ['one of few that know', 2, 1, known(0, 0, 2), 1],
  ['all, while the scale is still on its way', 3, 1, known(3, 3, 3), 1],
  ['one that is out of all proportion', 40, 1, known(1, 1, 40), 4],
])('S5 slower than the group is %s', (_, own, scale, all, slowness) => {
  expect(slownessOf(own, scale, all)).toBeCloseTo(slowness, 9)
})
