import fc from 'fast-check'
import { expect, it } from 'vitest'
import { sharesOf } from './shares.ts'

const claims = (weights: readonly number[], now: readonly number[] = []) =>
  weights.map((weight, i) => ({ weight, now: now[i] ?? 0 }))

it('PL1 shares add up, and are parts by weight rounded up or down', () => {
  const weights = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 12 })
  fc.assert(
    fc.property(weights, fc.integer({ min: 0, max: 500 }), (some, total) => {
      const shares = sharesOf(total, claims(some), total)
      const sum = some.reduce((a, b) => a + b, 0)
      expect(shares.reduce((a, b) => a + b, 0)).toBe(total)
      for (const [i, share] of shares.entries())
        expect(Math.abs(share - (total * (some[i] ?? 0)) / sum)).toBeLessThan(1)
    }),
  )
})

it('PL1 nobody is above its bound, and what is over goes to the others', () => {
  expect(sharesOf(20, claims([10, 1, 1]), 10)).toEqual([10, 5, 5])
  expect(sharesOf(30, claims([10, 1, 1]), 10)).toEqual([10, 10, 10])
  expect(sharesOf(2, claims([1, 0, 1]), 1)).toEqual([1, 0, 1])
})

it('PL1 of equal claims to the last one, who has more now goes first', () => {
  expect(sharesOf(4, claims([1, 1, 1], [1, 2, 1]), 4)).toEqual([1, 2, 1])
  expect(sharesOf(5, claims([1, 1, 1], [1, 2, 2]), 5)).toEqual([1, 2, 2])
})
