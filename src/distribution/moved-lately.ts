// Sessions that came to a member and went from it by moves within the last minute, with what they weigh. A member as it
// would be without them is what the prediction of a move was made of: so what the move brought can be judged by the same
// formula, others that followed it aside.
import type { SessionId } from '../base/ids.ts'
import { addTables, type LoadTable } from '../load/load-table.ts'
import type { End } from './view.ts'

const KEPT_MS = 60_000
/** More than a member may give away and take in within `KEPT_MS`; the oldest are forgotten. */
const KEPT_MAX = 4_096

interface Passed {
  readonly session: SessionId
  /** 1: it came; −1: it left. */
  readonly sign: 1 | -1
  readonly table: LoadTable
  readonly atMs: number
}

export class MovedLately {
  readonly #passed: Passed[] = []

  note(session: SessionId, sign: 1 | -1, table: LoadTable, nowMs: number): void {
    this.#passed.push({ session, sign, table, atMs: nowMs })
    while (this.#passed.length > KEPT_MAX || (this.#passed[0]?.atMs ?? nowMs) < nowMs - KEPT_MS) {
      this.#passed.shift()
    }
  }

  /** The member without what has passed since then. `weighs`: what a session weighs here now; null: it is taken as it was when it passed. */
  without(end: End, sinceMs: number, weighs: (session: SessionId) => LoadTable | null): End {
    let load = end.load
    for (const { session, sign, table, atMs } of this.#passed) {
      if (atMs < sinceMs) continue
      load = addTables(load, weighs(session) ?? table, sign === 1 ? -1 : 1)
    }
    return { ...end, load }
  }
}
