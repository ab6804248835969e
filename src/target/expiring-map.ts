// Things remembered for a while under a key, in a bounded map: which login was redirected, asked for, let stay.
import { assert } from '../base/assert.ts'

export class ExpiringMap<T> {
  readonly #marks = new Map<string, { readonly atMs: number; readonly value: T }>()
  readonly #keepMs: number
  readonly #max: number

  /** A mark older than `keepMs` does not exist; past `max` marks the oldest goes. */
  constructor(keepMs: number, max: number) {
    assert(keepMs > 0 && max > 0, 'marks are kept for a time and up to a number')
    this.#keepMs = keepMs
    this.#max = max
  }

  get(key: string, nowMs: number): { readonly atMs: number; readonly value: T } | undefined {
    const mark = this.#marks.get(key)
    if (mark === undefined || nowMs - mark.atMs < this.#keepMs) return mark
    this.#marks.delete(key)
    return undefined
  }

  set(key: string, value: T, nowMs: number): void {
    this.#marks.delete(key)
    this.#marks.set(key, { atMs: nowMs, value })
    for (const [oldest, mark] of this.#marks) {
      if (this.#marks.size <= this.#max && nowMs - mark.atMs < this.#keepMs) break
      this.#marks.delete(oldest)
    }
  }

  delete(key: string): void {
    this.#marks.delete(key)
  }
}
