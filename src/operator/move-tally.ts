// Moves that this member's sessions have made since it started, counted from their records for the metrics.
//
// Invariants:
//   MT1. Each is counted once, with its last outcome, and what was counted stays so when its record is forgotten.
//   MT2. Those from before this start are not counted: a counter begins at nothing.
import type { MoveCount } from '../api/readings.ts'
import { Durations } from '../base/durations.ts'
import type { MemberId } from '../base/ids.ts'
import type { MoveRecord } from '../group/record.ts'

/** Who says that a move was lost may have spoken too early: its session may have come back after all. */
const SURE_MS = 60_000

interface Counted {
  readonly outcome: boolean
  readonly drain: boolean
  readonly pause: boolean
}

export class MoveTally {
  readonly drain = new Durations()
  readonly pause = new Durations()
  readonly #self: MemberId
  readonly #sinceMs: number
  readonly #counts = new Map<string, { readonly move: MoveRecord; count: number }>()
  /** Of the moves on record. */
  #counted: ReadonlyMap<string, Counted> = new Map()

  /** `sinceMs`: its start, in ms since 1970. */
  constructor(self: MemberId, sinceMs: number) {
    this.#self = self
    this.#sinceMs = sinceMs
  }

  /** To be called more often than records are forgotten. */
  look(moves: Iterable<MoveRecord>, nowMs: number): void {
    const counted = new Map<string, Counted>()
    for (const move of moves) {
      const atMs = Date.parse(move.at)
      if (move.from !== this.#self || atMs < this.#sinceMs) continue // MT2
      counted.set(move.id, this.#count(move, this.#counted.get(move.id), nowMs - atMs))
    }
    this.#counted = counted
  }

  get moves(): readonly MoveCount[] {
    return [...this.#counts.values()].map(
      ({ move: { from, to, by, outcome = 'lost' }, count }) => ({
        ...{ from, to, by, outcome, count },
      }),
    )
  }

  /** MT1. */
  #count(move: MoveRecord, before: Counted | undefined, ageMs: number): Counted {
    const { to, by, outcome, drainMs, pauseMs } = move
    const isSure = outcome !== 'lost' && outcome !== 'expired'
    const isOver = outcome !== undefined && (isSure || ageMs > SURE_MS)
    if (isOver && before?.outcome !== true) {
      const key = `${to} ${by} ${outcome}`
      const known = this.#counts.get(key)
      if (known === undefined) this.#counts.set(key, { move, count: 1 })
      else known.count += 1
    }
    if (drainMs !== undefined && before?.drain !== true) this.drain.add(drainMs)
    if (pauseMs !== undefined && before?.pause !== true) this.pause.add(pauseMs)
    return {
      outcome: isOver || before?.outcome === true,
      drain: drainMs !== undefined,
      pause: pauseMs !== undefined,
    }
  }
}
