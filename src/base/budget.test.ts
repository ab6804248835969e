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

it('BU4 one that holds nothing and needs much goes on when the others hold little enough, and they get no more until then', () => {
  const budget = new Budget(limits)
  let came = 0
  const others = [1, 2, 3].map(() => budget.share())
  const large = budget.share(() => {
    came += 1
  })
  for (const share of others) share.held = 290
  expect(large.allows(280)).toBe(false)
  large.wait()
  expect([others[0]!.othersWait, large.othersWait]).toEqual([true, false])
  others[0]!.held = 100
  expect([came, large.allows(280)]).toEqual([1, true])
  expect(others[0]!.allows(50)).toBe(false)
  others[1]!.held = 10
  expect(others[1]!.allows(10)).toBe(true)
  large.held = 280
  large.leaveLine()
  expect(others[0]!.allows(50)).toBe(true)
  large.wait() // it holds something: it waits for its own
  expect(others[0]!.othersWait).toBe(false)
})

it('BU4 they go on in the order in which they came, also when one of them gives up', () => {
  const budget = new Budget(limits)
  const came: number[] = []
  const holder = budget.share()
  holder.held = 990
  const [first, second] = [0, 1].map((who) => budget.share(() => came.push(who)))
  first!.wait()
  second!.wait()
  holder.held = 600
  expect([first!.allows(200), second!.allows(200)]).toEqual([true, false])
  first!.leaveLine()
  expect([came, second!.allows(200)]).toEqual([[0, 1], true])
})
