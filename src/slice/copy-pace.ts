// How the copying of pages gives way to writes: while writes wait at this member, of whatever slice, pages for one other member are
// copied one at a time, and after each nothing is copied for as long as it took. Otherwise as many at once as copies are made.
import { type Clock, sleep } from '../base/clock.ts'
import type { MemberId } from '../base/ids.ts'
import type { CopyWork } from './copy-work.ts'

export class CopyPace {
  readonly #clock: Clock
  readonly #work: Pick<CopyWork, 'waiting'>
  /** By member: the last page that was begun for it, and the rest behind it. */
  readonly #last = new Map<MemberId, Promise<void>>()

  constructor(clock: Clock, work: Pick<CopyWork, 'waiting'>) {
    this.#clock = clock
    this.#work = work
  }

  /** Settles after the page and the rest behind it. */
  async page(to: MemberId, copy: () => Promise<void>): Promise<void> {
    const before = this.#last.get(to)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#last.set(to, promise)
    if (this.#work.waiting > 0) await before
    try {
      const sinceMs = this.#clock.nowMs()
      await copy()
      if (this.#work.waiting > 0) await sleep(this.#clock, this.#clock.nowMs() - sinceMs)
    } finally {
      resolve()
    }
  }
}
