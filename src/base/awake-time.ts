// A member's time without what it stood still itself (its host asleep, its event loop held up), for whoever judges others
// by how long nothing came of them: it may lie unread.
//
// Invariants:
//   AW1. It never goes back, and never runs faster than the clock.
//   AW2. What passes between two ticks counts up to `mostMs`, and what came meanwhile has been read a tick later.
import type { Clock } from './clock.ts'

export class AwakeTime {
  readonly #clock: Clock
  readonly #mostMs: number
  #passedMs = 0
  #tickedMs: number

  /** `mostMs`: longer than from one tick to the next of a loop that runs. */
  constructor(clock: Clock, mostMs: number) {
    this.#clock = clock
    this.#mostMs = mostMs
    this.#tickedMs = clock.nowMs()
  }

  tick(): void {
    this.#passedMs = this.nowMs()
    this.#tickedMs = this.#clock.nowMs()
  }

  nowMs(): number {
    return this.#passedMs + Math.min(this.#clock.nowMs() - this.#tickedMs, this.#mostMs)
  }
}
