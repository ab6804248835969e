// Sessions that were granted to this member and have not come: what their old members said of them.
//
// Invariants:
//   G1. What is kept for a session that does not come is forgotten, whether its move was denied by a lost answer, taken
//       back elsewhere or expired.
//   G2. Once the record of the move says how it ended, nothing comes by it any more, and what is kept is forgotten at the
//       next round. One that is lost may have been committed after all: it waits as long as G1 lets it.
import type { MemberId } from '../base/ids.ts'
import { type MoveHistory, recallHistory } from '../distribution/history.ts'
import type { MoveOutcome } from '../group/record.ts'
import { parseSessionMemory, type SessionMemory } from '../load/session-load.ts'
import { fieldsOf, type Json } from '../peer/message.ts'

/** A move is renewed each second until its commit, and expires 10 s after it. */
export const COMES_MS = 20_000

/** The oldest are forgotten. */
const PLACED_KEPT = 1_000

export interface Coming {
  readonly from: MemberId
  /** When its old member last spoke of it. */
  heardMs: number
  readonly memory: SessionMemory | null
  readonly history: MoveHistory
}

export class Arrivals {
  readonly #coming = new Map<string, Coming>()
  /** Logins that placement sent here, by their key: for people, who ask why a session is here. */
  readonly #placed = new Set<string>()

  get size(): number {
    return this.#coming.size
  }

  expect(move: string, from: MemberId, estimate: Json, nowMs: number): void {
    const { memory, history } = carriedOf(estimate)
    this.#coming.set(move, {
      from,
      heardMs: nowMs,
      memory: parseSessionMemory(memory),
      history: recallHistory(history, nowMs),
    })
  }

  renew(move: string, nowMs: number): void {
    const coming = this.#coming.get(move)
    if (coming !== undefined) coming.heardMs = nowMs
  }

  /** It has come, or will not. */
  take(move: string): Coming | null {
    const coming = this.#coming.get(move) ?? null
    this.#coming.delete(move)
    return coming
  }

  place(key: string): void {
    this.#placed.add(key)
    for (const oldest of this.#placed) {
      if (this.#placed.size <= PLACED_KEPT) break
      this.#placed.delete(oldest)
    }
  }

  unplace(key: string): void {
    this.#placed.delete(key)
  }

  wasPlaced(key: string): boolean {
    return this.#placed.has(key)
  }

  /** G1, G2. `moves`: the records of moves, as far as this member knows them. */
  forget(nowMs: number, moves: ReadonlyMap<string, { readonly outcome?: MoveOutcome }>): void {
    for (const [move, { heardMs }] of this.#coming) {
      const { outcome = 'lost' } = moves.get(move) ?? {}
      if (outcome !== 'lost' || nowMs - heardMs > COMES_MS) this.#coming.delete(move)
    }
  }
}

function carriedOf(estimate: Json): { readonly memory: Json; readonly history: Json } {
  const { memory = null, history = null } = fieldsOf(estimate) ?? {}
  return { memory, history }
}
