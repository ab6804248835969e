// How often the page asks, and what it keeps of moves that it is told of. Pure.
import type { Move } from '../../src/api/schema.ts'

const SHARE = 20
const MOST_MS = 30_000

/** L1 of live.ts: how long to wait after an answer that took `tookMs`. */
export function paceMs(tookMs: number, leastMs: number): number {
  return Math.max(leastMs, Math.min(MOST_MS, tookMs * SHARE))
}

/** The newest first, each once. */
export function withMove(moves: readonly Move[], move: Move, most: number): readonly Move[] {
  const isKnown = moves.some(({ id }) => id === move.id)
  if (isKnown) return moves.map((one) => (one.id === move.id ? move : one))
  return [move, ...moves].sort((a, b) => (a.at < b.at ? 1 : -1)).slice(0, most)
}
