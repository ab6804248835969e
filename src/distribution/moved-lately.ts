// Sessions that came to a member and went from it by moves within the last minute, with what they weigh. A member as it
// would be without them is what the prediction of a move was made of: so what the move brought can be judged by the same
// formula, others that followed it aside.
import type { MemberId, SessionId } from '../base/ids.ts'
import {
  addTables,
  asTable,
  type LoadTable,
  type SessionLoad,
  shareAt,
} from '../load/load-table.ts'
import type { End } from './view.ts'

/** When the averages have taken a move in, what it brought is judged. */
export const OBSERVED_AFTER_SECONDS = 30
const KEPT_MS = 2_000 * OBSERVED_AFTER_SECONDS
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
  readonly #self: MemberId
  readonly #loadOf: (session: SessionId) => SessionLoad | null

  /** `loadOf`: of a session that is here. */
  constructor(self: MemberId, loadOf: (session: SessionId) => SessionLoad | null) {
    this.#self = self
    this.#loadOf = loadOf
  }

  /** It is here. */
  came(session: SessionId, nowMs: number): void {
    this.#note(session, 1, nowMs)
  }

  /** It is still here. */
  leaves(session: SessionId, nowMs: number): void {
    this.#note(session, -1, nowMs)
  }

  #note(session: SessionId, sign: 1 | -1, nowMs: number): void {
    const table = this.#weighs(this.#loadOf(session))
    if (table === null) return
    this.#passed.push({ session, sign, table, atMs: nowMs })
    while (this.#passed.length > KEPT_MAX || (this.#passed[0]?.atMs ?? nowMs) < nowMs - KEPT_MS) {
      this.#passed.shift()
    }
  }

  #weighs(load: SessionLoad | null): LoadTable | null {
    return load === null ? null : asTable(load, shareAt(load, this.#self))
  }

  /**
   * This member (`end`) without what has passed since then, by what that weighs now; what is neither here nor `elsewhere` is
   * taken as it was when it passed.
   */
  without(
    end: End,
    sinceMs: number,
    elsewhere: { readonly session: SessionId; readonly load: SessionLoad } | null = null,
  ): End {
    let { load } = end
    for (const { session, sign, table, atMs } of this.#passed) {
      if (atMs < sinceMs) continue
      const now = session === elsewhere?.session ? elsewhere.load : this.#loadOf(session)
      load = addTables(load, this.#weighs(now) ?? table, sign === 1 ? -1 : 1)
    }
    return { ...end, load }
  }
}
