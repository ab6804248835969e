import { expect, test } from 'vitest'
import { DEFAULT_POLICY as P } from './policy.ts'
import { JUDGED_LEAST, type JudgedMove, MOST_CAUTION, trustOf } from './trust.ts'

const NOW = 1e12
const moves = (ratios: readonly number[], agoMs = 60_000): JudgedMove[] =>
  ratios.map((ratio, i) => ({ atWallMs: NOW - agoMs - i, predicted: 2, observed: 2 * ratio }))
const cautionOf = (ratios: readonly number[], agoMs?: number) =>
  trustOf(moves(ratios, agoMs), NOW, P).caution

test.each<[string, number[], number]>([
  ['right ones', [0.8, 0.9, 1, 1.1, 1.3], 1],
  ['some that came to nothing, or did harm', [0, -3, 1, 1.1, 0.9, 1.2], 1],
  ['off by no more than allowed', [0.34, 0.4, 0.34, 0.5, 0.34], 1],
  ['four times too much', [0.25, 0.2, 0.25, 0.3, 0.25], 4],
  ['four times too little', [4, 4, 3.9, 5, 4], 4],
  ['all of them harmful', [-1, -2, -1, -0.5, -1], MOST_CAUTION],
])(
  'TR1 moves are dearer only if predictions are off by more than allowed: %s',
  (_, ratios, caution) => {
    expect(ratios.length).toBeGreaterThanOrEqual(JUDGED_LEAST)
    expect(cautionOf(ratios)).toBeCloseTo(caution, 9)
  },
)

test('TR1 of few moves, and of old ones, nothing follows; the last ones count', () => {
  expect(cautionOf(new Array(JUDGED_LEAST - 1).fill(0.1))).toBe(1)
  expect(cautionOf(new Array(30).fill(0.1), 3_600_000)).toBe(1)
  const wrongBefore = [...moves(new Array(20).fill(1)), ...moves(new Array(40).fill(0.1), 600_000)]
  expect(trustOf(wrongBefore, NOW, P)).toEqual({ moves: 20, brought: 1, caution: 1 })
})
