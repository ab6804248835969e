// The network of a member where that is its own: what is full of it is levelled as CPU is, and where it is shared it decides nothing.
import { expect, test } from 'vitest'
import { SCENARIOS } from '../../src/simulate/recorded.ts'
import type { Params } from '../../src/simulate/scenario.ts'
import { simulate } from '../../src/simulate/simulate.ts'

const SEEDS = [1, 2, 3]

test('slowLink: what fills the slow interface goes elsewhere at once, and nothing else moves', () => {
  for (const seed of SEEDS) {
    const { log, figures } = simulate(SCENARIOS.slowLink, { seed })
    const moves = log.map(({ from, to }) => [from, to]).sort()
    expect(moves, `seed ${seed}`).toEqual([
      [0, 1],
      [0, 2],
    ])
    expect(figures.timeToRebalance).toBeLessThanOrEqual(35)
    expect(figures.gap).toBeLessThan(0.02)
    expect(figures.wasted).toBe(0)
  }
})

test('slowLink with a network that all share: nothing moves', () => {
  const { net, ...rest } = SCENARIOS.slowLink
  const shared: Params = { ...rest, net: { ...net, links: [null, null, null] } }
  for (const seed of SEEDS) {
    expect(simulate(shared, { seed }).figures.moves, `seed ${seed}`).toBe(0)
  }
})
