// What is remembered of a session's moves: which members it left, how long it rests, and what pauses it was given. It
// goes with the session, as ages, for two members' clocks have nothing in common.
//
// H1. Rest after the nth move of an hour is base · 2^n, so a session is moved at most five times in any hour.
import { type MemberId, memberId } from '../base/ids.ts'
import type { Policy } from './policy.ts'

const HOUR_MS = 3_600_000

export interface PastMove {
  readonly left: MemberId
  readonly atMs: number
  readonly pauseMs: number
}

export interface MoveHistory {
  readonly moves: readonly PastMove[]
  /** The last move went badly: no planned move before this. */
  readonly suspectUntilMs: number
}

export type HistoryMemory = {
  readonly moves: readonly (readonly [left: MemberId, agoMs: number, pauseMs: number])[]
  readonly suspectMs: number
}

export const NO_HISTORY: MoveHistory = { moves: [], suspectUntilMs: 0 }

export function withMove(history: MoveHistory, move: PastMove): MoveHistory {
  const kept = history.moves.filter((m) => move.atMs - m.atMs < HOUR_MS)
  return { ...history, moves: [...kept, move] }
}

/** The session came back to where it was, or lost its connection: it is left alone for an hour. */
export function wentBadly(history: MoveHistory, nowMs: number): MoveHistory {
  return { ...history, suspectUntilMs: nowMs + HOUR_MS }
}

export function restUntilMs(history: MoveHistory, policy: Policy): number {
  const last = history.moves.at(-1)
  if (last === undefined) return 0
  const recent = history.moves.filter((m) => last.atMs - m.atMs < HOUR_MS).length
  return last.atMs + policy.restSeconds * 1000 * 2 ** Math.min(recent, policy.restDoublings)
}

export function pausedMsLately(history: MoveHistory, nowMs: number): number {
  return history.moves.reduce((sum, m) => sum + (nowMs - m.atMs < HOUR_MS ? m.pauseMs : 0), 0)
}

export function leftMembers(history: MoveHistory): { member: MemberId; atMs: number }[] {
  return history.moves.map(({ left, atMs }) => ({ member: left, atMs }))
}

export function rememberHistory(history: MoveHistory, nowMs: number): HistoryMemory {
  return {
    moves: history.moves.map((m) => [m.left, Math.max(0, nowMs - m.atMs), m.pauseMs]),
    suspectMs: Math.max(0, history.suspectUntilMs - nowMs),
  }
}

/** A memory that is none (another version, damage) is no history: better one move too many than a session that none can serve. */
export function recallHistory(value: unknown, nowMs: number): MoveHistory {
  if (typeof value !== 'object' || value === null) return NO_HISTORY
  const { moves, suspectMs } = value as Partial<Record<keyof HistoryMemory, unknown>>
  if (!Array.isArray(moves)) return NO_HISTORY
  const amount = (x: unknown): x is number => typeof x === 'number' && Number.isFinite(x) && x >= 0
  const recalled: PastMove[] = []
  for (const row of moves.slice(-16)) {
    const [left, agoMs, pauseMs] = Array.isArray(row) ? row : []
    if (typeof left !== 'string' || !amount(agoMs) || !amount(pauseMs)) return NO_HISTORY
    recalled.push({ left: memberId(left), atMs: nowMs - agoMs, pauseMs })
  }
  const suspectUntilMs = amount(suspectMs) && suspectMs > 0 ? nowMs + suspectMs : 0
  return { moves: recalled, suspectUntilMs }
}
