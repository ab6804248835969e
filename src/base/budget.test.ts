import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Budget } from './budget.ts'

const limits = { total: 1000, each: 300, least: 20 }

it('BU1 BU2 all hold at most the whole but for `least` each, and none more than its part, whatever is taken and given', () => {
  const step = fc.record({
    who: fc.integer({ min: 0, max: 11 }),
    bytes: fc.integer({ min: 1, max: 320 }),
    gives: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const budget = new Budget(limits)
      const shares = Array.from({ length: 12 }, () => budget.share())
      for (const { who, bytes, gives } of steps) {
        const share = shares[who]!
        if (gives) share.held = Math.max(0, share.held - bytes)
        else if (share.allows(bytes)) share.held += bytes
        expect(share.held).toBeLessThanOrEqual(limits.each)
        expect(budget.held).toBe(shares.reduce((sum, { held }) => sum + held, 0))
        expect(budget.held).toBeLessThanOrEqual(limits.total + shares.length * limits.least)
      }
    }),
  )
})

it('BU1 those that give nothing back leave something for others', () => {
  const budget = new Budget(limits)
  const greedy = Array.from({ length: 8 }, () => budget.share())
  for (let round = 0; round < 1000; round += 1) {
    for (const share of greedy) if (share.allows(1)) share.held += 1
  }
  const other = budget.share()
  expect(other.allows(limits.total / 20)).toBe(true)
})

it('BU3 one that holds nothing may take `least` though others hold everything', () => {
  const budget = new Budget(limits)
  budget.share().held = 5000
  const share = budget.share()
  expect([share.allows(20), share.allows(21)]).toEqual([true, false])
  share.held = 15
  expect([share.allows(5), share.allows(6)]).toEqual([true, false])
})
