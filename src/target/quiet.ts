// Waits until an initiator whose command window is frozen has fallen silent (DESIGN.md, quiesce).
//
//   idle ──wait──▶ waiting ──nothing pending, and the window used up or a gap of silence──▶ quiet
//                     ├──limit──▶ busy
//                     └──over──▶ gone
//
// Invariants:
//   K1. The silence counts from the later of the last arrival and the moment in which nothing was pending any more: an
//       initiator sends on what it was answered.
//   K2. Two that wait share one wait, with the later one's limit: a stop may come upon a move.
import type { Clock, Timer } from '../base/clock.ts'

export type QuietEnd = 'quiet' | 'busy' | 'gone'

/** What is to be seen of the session now. */
export interface Sight {
  /** Something accepted is not answered, or a barrier waits for the initiator. */
  readonly pending: boolean
  readonly windowUsedUp: boolean
  readonly lastArrivalMs: number
}

/** An initiator that has sent nothing for so long after its window closed sends nothing more. */
const GAP_MS = 100
const RECHECK_MS = 10

interface Waiting {
  readonly settle: (end: QuietEnd) => void
  readonly timer: Timer
  recheck: Timer | null
  idleSinceMs: number | null
}

export class Quiet {
  readonly #clock: Clock
  readonly #see: () => Sight
  #waiting: Waiting | null = null

  constructor(clock: Clock, see: () => Sight) {
    this.#clock = clock
    this.#see = see
  }

  wait(limitMs: number): Promise<QuietEnd> {
    const before = this.#waiting
    before?.timer.cancel()
    before?.recheck?.cancel()
    const quiet = new Promise<QuietEnd>((settle) => {
      const timer = this.#clock.after(limitMs, () => this.over('busy'))
      this.#waiting = { settle, timer, recheck: null, idleSinceMs: null }
      this.look()
    })
    if (before !== null) void quiet.then(before.settle) // K2
    return quiet
  }

  /** Something was answered, or what was pending is not any more. */
  look(): void {
    const waiting = this.#waiting
    if (waiting === null) return
    waiting.recheck?.cancel()
    const { pending, windowUsedUp, lastArrivalMs } = this.#see()
    if (pending) {
      waiting.idleSinceMs = null
      return
    }
    const nowMs = this.#clock.nowMs()
    waiting.idleSinceMs ??= nowMs
    const silentMs = nowMs - Math.max(waiting.idleSinceMs, lastArrivalMs) // K1
    if (windowUsedUp || silentMs >= GAP_MS) return this.over('quiet')
    waiting.recheck = this.#clock.after(RECHECK_MS, () => this.look())
  }

  over(end: QuietEnd): void {
    const waiting = this.#waiting
    if (waiting === null) return
    this.#waiting = null
    waiting.timer.cancel()
    waiting.recheck?.cancel()
    waiting.settle(end)
  }
}
