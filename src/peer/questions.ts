// What this member asks another one and tells it besides operations, from the asking to the answer: at most once (P3 of
// link.ts).
import { afterTurns, type Clock, type Timer } from '../base/clock.ts'
import type { Json } from './message.ts'

const WAITING_MAX = 256

/** A question or message, as its link sends it. */
export interface Control {
  readonly kind: number
  readonly request: number
  readonly payload: Uint8Array
}

interface Asking {
  readonly settle: (reply: Json | null) => void
  readonly timer: Timer
}

export class Questions {
  readonly #clock: Clock
  readonly #asking = new Map<number, Asking>()
  /** They wait for the stream that is being opened. */
  #waiting: Control[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get isEmpty(): boolean {
    return this.#asking.size === 0
  }

  has(number: number): boolean {
    return this.#asking.has(number)
  }

  /** The answer; null: the time is up (P11), or `settle` or `lost` said so. */
  ask(number: number, timeoutMs: number): Promise<Json | null> {
    return new Promise((settle) => {
      const timer = afterTurns(this.#clock, timeoutMs, () => this.settle(number, null))
      this.#asking.set(number, { settle, timer })
    })
  }

  settle(number: number, reply: Json | null): void {
    const asking = this.#asking.get(number)
    if (asking === undefined) return
    this.#asking.delete(number)
    asking.timer.cancel()
    asking.settle(reply)
    if (this.#waiting.length === 0) return
    this.#waiting = this.#waiting.filter(({ request }) => request !== number)
  }

  /** Until there is a stream; of too many, the oldest one goes. */
  wait(control: Control): void {
    this.#waiting.push(control)
    if (this.#waiting.length > WAITING_MAX) this.#waiting.shift()
  }

  /** There is a stream: what has waited for it. */
  takeWaiting(): readonly Control[] {
    const waiting = this.#waiting
    this.#waiting = []
    return waiting
  }

  /** The stream is gone, and the answers with it. */
  lost(): void {
    const unsent = new Set(this.#waiting.map(({ request }) => request))
    for (const number of [...this.#asking.keys()])
      if (!unsent.has(number)) this.settle(number, null)
  }

  close(): void {
    for (const number of [...this.#asking.keys()]) this.settle(number, null)
  }
}
