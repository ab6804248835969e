// What copies cost is load that no move changes: a group with copies makes the moves that it makes without them, and what each
// brings is what was predicted.
import { expect, test } from 'vitest'
import { SCENARIOS } from '../../src/simulate/recorded.ts'
import type { Params } from '../../src/simulate/scenario.ts'
import { simulate } from '../../src/simulate/simulate.ts'

const SEEDS = [1]
const TWO = { of: 2, writes: 0.4 }
const THREE = { of: 3, writes: 0.2 }

const moves = (params: Params, how: Parameters<typeof simulate>[1]) => {
  const { log, judged, figures } = simulate(params, how)
  return { made: log.map(({ from, to }) => [from, to]), judged, figures }
}

test.each([
  ['fig5', TWO],
  ['fig5', THREE],
  ['fig5light', TWO],
  ['balanced3', TWO],
  ['pages3', TWO],
] as const)(
  '%s with copies, %o: the moves that there are without, and what was predicted',
  (name, copies) => {
    for (const seed of SEEDS) {
      const how = { seed, attribution: 0, machine: 0.02 }
      const without = moves(SCENARIOS[name], how)
      const found = moves({ ...SCENARIOS[name], copies }, how)
      expect(found.made, `seed ${seed}`).toEqual(without.made)
      const late = (found.figures.timeToRebalance ?? 0) - (without.figures.timeToRebalance ?? 0)
      expect(late, `seed ${seed}`).toBeLessThanOrEqual(5)
      for (const { predicted, observed } of found.judged) {
        expect(observed / predicted, `seed ${seed}`).toBeGreaterThan(0.5)
        expect(observed / predicted, `seed ${seed}`).toBeLessThan(2)
      }
    }
  },
)

test.each([0.33, 3])(
  'fig5 with copies and costs wrong by %f: exactly one move, a right one, within 35 s',
  (priced) => {
    for (const seed of SEEDS) {
      const { made, figures } = moves({ ...SCENARIOS.fig5, copies: TWO }, { seed, priced })
      expect(made, `seed ${seed}`).toEqual([[0, 1]])
      expect(figures.timeToRebalance).toBeLessThanOrEqual(35)
    }
  },
)
