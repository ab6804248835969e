// How often the page asks, and what it keeps of moves that it is told of. Pure.
import type { Move } from '../../src/api/schema.ts'

/** 20 times what a session costs the members in an answer (measured: 2 µs to write it, and less to tell it to another one). */
const EACH_MS = 0.2

/** L1 of live.ts: how long to wait after an answer that took `tookMs`, in a group of so many sessions. */
export function paceMs(tookMs: number, leastMs: number, sessions: number): number {
  return Math.max(leastMs, tookMs, sessions * EACH_MS)
}

/** The newest first, each once. */
export function withMove(moves: readonly Move[], move: Move, most: number): readonly Move[] {
  const isKnown = moves.some(({ id }) => id === move.id)
  if (isKnown) return moves.map((one) => (one.id === move.id ? move : one))
  return [move, ...moves].sort((a, b) => (a.at < b.at ? 1 : -1)).slice(0, most)
}
