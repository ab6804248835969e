// How far predictions can be trusted: the gains that the last moves were predicted to have, beside those that they had by
// the same formula (`gainOf` of judge.ts, some time later).
//
// TR1. Predictions that are off by more than the policy allows make all members slower alike: until moves tell otherwise,
//      or are an hour old, each move costs so many times its price.
import type { Policy } from './policy.ts'

/** Of fewer moves nothing follows. */
export const JUDGED_LEAST = 5
/** The last ones are judged. */
const JUDGED_MOST = 20
const HOUR_MS = 3_600_000
/** Never slower than by so much, or no move would ever show that the predictions are right again. */
export const MOST_CAUTION = 10

export interface JudgedMove {
  readonly atWallMs: number
  readonly predicted: number
  readonly observed: number
}

export interface Trust {
  readonly moves: number
  /** What moves have brought, as a multiple of what was predicted: that of the middle one. 1: nothing is known. */
  readonly brought: number
  /** TR1: by which prices are multiplied. */
  readonly caution: number
}

export function trustOf(moves: Iterable<JudgedMove>, nowWallMs: number, policy: Policy): Trust {
  const last = [...moves]
    .filter(({ atWallMs, predicted }) => predicted > 0 && nowWallMs - atWallMs < HOUR_MS)
    .sort((a, b) => b.atWallMs - a.atWallMs)
    .slice(0, JUDGED_MOST)
  if (last.length < JUDGED_LEAST) return { moves: last.length, brought: 1, caution: 1 }
  const ratios = last.map(({ predicted, observed }) => observed / predicted).sort((a, b) => a - b)
  const brought = ratios[ratios.length >> 1] ?? 1
  const off = Math.min(MOST_CAUTION, Math.max(1 / Math.max(brought, 1e-9), brought))
  return { moves: last.length, brought, caution: off > policy.mostOff ? off : 1 }
}
