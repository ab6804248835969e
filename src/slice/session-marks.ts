// What a primary knows of every session: the highest generation it has seen, and which operations of that generation it
// has carried out, until the gateway acknowledges them.
//
// Invariants:
//   G1. A request or FENCE raises the generation seen; a request with a lower one is refused for ever.
//   G2. Of a session that is neither in the list last loaded nor newer than that list, requests are refused and FENCEs
//       ignored: it is retired, and nothing brings it back.
//   G3. What is known of a session's operations ends with their generation, never before they are acknowledged.
import { forgetUpTo } from '../base/forget-up-to.ts'
import {
  type Generation,
  NO_REVISION,
  type Revision,
  type SessionId,
  type SliceId,
} from '../base/ids.ts'

/** Mutations of one session, generation and slice, by number; `T` is an outcome, or what comes to one. */
export class OperationWindow<T> {
  /** Every operation up to this one was answered, and the gateway knows the answer. */
  acknowledged = 0
  readonly answers = new Map<number, T>()

  /** True if this is news. */
  acknowledge(upTo: number): boolean {
    if (upTo <= this.acknowledged) return false
    forgetUpTo(this.answers, this.acknowledged, upTo)
    this.acknowledged = upTo
    return true
  }

  /** Unless it was acknowledged, or its generation is over. */
  settle(number: number, answer: T): void {
    if (this.answers.has(number)) this.answers.set(number, answer)
  }
}

export class SessionMark<T> {
  gen: Generation
  /** Known from before this member's start: the store may remember operations that `windows` does not. */
  readonly isLoaded: boolean
  readonly windows = new Map<SliceId, OperationWindow<T>>()

  constructor(gen: Generation, isLoaded: boolean) {
    this.gen = gen
    this.isLoaded = isLoaded
  }

  window(slice: SliceId): OperationWindow<T> {
    let window = this.windows.get(slice)
    if (window === undefined) {
      window = new OperationWindow()
      this.windows.set(slice, window)
    }
    return window
  }
}

export class SessionMarks<T> {
  readonly #marks = new Map<SessionId, SessionMark<T>>()
  #loadedRev = NO_REVISION

  get size(): number {
    return this.#marks.size
  }

  sessions(): Iterable<SessionId> {
    return this.#marks.keys()
  }

  /**
   * Takes in the list of all sessions as it was at `rev`, unless a newer one is known. Those that are not in it are
   * retired (G2): what else is kept of them can go.
   */
  load(list: Iterable<readonly [SessionId, Generation]>, rev: Revision): void {
    if (rev <= this.#loadedRev) return
    const listed = new Set<SessionId>()
    for (const [session, gen] of list) {
      listed.add(session)
      const mark = this.#marks.get(session)
      if (mark === undefined) this.#marks.set(session, new SessionMark(gen, true))
      else raise(mark, gen)
    }
    this.#loadedRev = rev
    for (const session of this.#marks.keys()) {
      if (session <= rev && !listed.has(session)) this.#marks.delete(session)
    }
  }

  /** G2 */
  isRetired(session: SessionId): boolean {
    return session <= this.#loadedRev && !this.#marks.has(session)
  }

  /** The session's mark, raised to `gen`; null: the request is refused. */
  admit(session: SessionId, gen: Generation): SessionMark<T> | null {
    const mark = this.#marks.get(session)
    if (mark === undefined) return this.#first(session, gen)
    if (gen < mark.gen) return null
    raise(mark, gen)
    return mark
  }

  /** Its mutations were another member's to answer since. */
  forgetSlice(slice: SliceId): void {
    for (const mark of this.#marks.values()) mark.windows.delete(slice)
  }

  fence(session: SessionId, gen: Generation): void {
    const mark = this.#marks.get(session)
    if (mark === undefined) this.#first(session, gen)
    else raise(mark, gen)
  }

  #first(session: SessionId, gen: Generation): SessionMark<T> | null {
    if (this.isRetired(session)) return null
    const mark = new SessionMark<T>(gen, false)
    this.#marks.set(session, mark)
    return mark
  }
}

function raise(mark: SessionMark<unknown>, gen: Generation): void {
  if (gen <= mark.gen) return
  mark.gen = gen
  mark.windows.clear()
}
