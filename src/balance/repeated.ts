// Work that is done again and again until it is stopped, each time a while after it has ended.
//
// Invariants:
//   RE1. Work that fails is told of, and done again at its next time.
//   RE2. After `stop` it is not begun any more.
import type { Clock, Timer } from '../base/clock.ts'

export interface Repetition {
  readonly clock: Clock
  readonly everyMs: () => number
  readonly work: () => Promise<void>
  /** Who throws here ends the repetition, as an unhandled error. */
  readonly failed: (error: unknown) => void
}

export class Repeated {
  readonly #repetition: Repetition
  #timer: Timer
  #isStopped = false

  constructor(repetition: Repetition, firstMs = repetition.everyMs()) {
    this.#repetition = repetition
    this.#timer = this.#after(firstMs)
  }

  stop(): void {
    this.#isStopped = true
    this.#timer.cancel()
  }

  #after(ms: number): Timer {
    return this.#repetition.clock.after(ms, () => void this.#run())
  }

  async #run(): Promise<void> {
    const { work, failed, everyMs } = this.#repetition
    try {
      await work()
    } catch (error) {
      failed(error)
    }
    if (!this.#isStopped) this.#timer = this.#after(everyMs())
  }
}
