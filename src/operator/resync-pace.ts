// How fast copies of slices are made again, by member: from how many were missing at each look. Pure but for what it remembers.
//
// Invariants:
//   RP1. A pace is of one stretch in which copies only came back: when more are missing than before, it begins anew.
import type { MemberId } from '../base/ids.ts'

/** Sooner, a pace would be chance. */
const TELLS_AFTER_MS = 10_000

interface Stretch {
  readonly sinceMs: number
  readonly missing: number
  /** At the last look. */
  last: number
}

export class ResyncPace {
  readonly #stretches = new Map<MemberId, Stretch>()

  /** Of each member that is up: how many of its copies are missing. Looked at every few seconds. */
  look(missing: ReadonlyMap<MemberId, number>, nowMs: number): void {
    for (const id of this.#stretches.keys()) {
      if ((missing.get(id) ?? 0) === 0) this.#stretches.delete(id)
    }
    for (const [id, count] of missing) {
      const stretch = this.#stretches.get(id)
      if (count === 0) continue
      if (stretch === undefined || count > stretch.last)
        this.#stretches.set(id, { sinceMs: nowMs, missing: count, last: count })
      else stretch.last = count
    }
  }

  /** How long it takes until all are there, if it goes on so; null: nothing can be said. */
  msLeft(id: MemberId, nowMs: number): number | null {
    const stretch = this.#stretches.get(id)
    if (stretch === undefined) return null
    const elapsed = nowMs - stretch.sinceMs
    const made = stretch.missing - stretch.last
    return elapsed < TELLS_AFTER_MS || made === 0 ? null : (elapsed * stretch.last) / made
  }
}
