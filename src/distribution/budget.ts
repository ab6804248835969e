// How many moves a member may begin: by mode, blackout windows, the round and the hour. Drains and moves by hand are
// not asked.
import type { Code } from './code.ts'
import { inBlackout, type Policy } from './policy.ts'

const HOUR_MS = 3_600_000

export interface Begun {
  /** When this member's planned moves of the last hour began, by its clock. */
  readonly atMs: readonly number[]
  readonly thisRound: number
}

/** Why no (further) move may begin now; null if one may. Advice is given all the same. */
export function heldBack(policy: Policy, begun: Begun, nowMs: number, wallMs: number): Code | null {
  if (policy.mode !== 'on' || inBlackout(policy, wallMs)) return 'PAUSED'
  if (begun.thisRound >= policy.movesPerRound) return 'RATE_LIMIT'
  const lately = begun.atMs.filter((at) => nowMs - at < HOUR_MS).length
  return lately >= policy.movesPerHour ? 'RATE_LIMIT' : null
}

export function withBegun(begun: Begun, nowMs: number): Begun {
  const atMs = [...begun.atMs.filter((at) => nowMs - at < HOUR_MS), nowMs]
  return { atMs, thisRound: begun.thisRound + 1 }
}
