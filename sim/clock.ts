// A simulated host's clock, and its CPU: what the host runs, runs through it, so that the host can be paused (SIGSTOP, a
// stopped virtual machine) and killed. Its rate may differ from true time, within the bound that the product assumes.
//
//   running ──pause──▶ paused ──resume──▶ running        running, paused ──kill──▶ dead
//
// Invariants:
//   K1. A timer fires once, not before its delay has passed on this clock, and never after `cancel` or `kill`.
//   K2. While paused nothing of the host runs; what came due runs at `resume`: first its timers, then what came from
//       outside, as Node's event loop does, each in the order in which it came due.
//   K3. `soon` runs at the same time, after the event that asked for it.
import type { Clock, Timer } from '../src/base/clock.ts'
import type { Timeline } from './timeline.ts'

/** 2026-11-01T00:00:00Z: wall time at the beginning of each simulation. */
const WALL_START_MS = 1_793_491_200_000

export class SimClock implements Clock {
  readonly timeline: Timeline
  /** Added to wall time alone. */
  wallOffsetMs = 0
  readonly #rate: number
  readonly #startMs: number
  #state: 'running' | 'paused' | 'dead' = 'running'
  #dueTimers: (() => void)[] = []
  #due: (() => void)[] = []

  constructor(timeline: Timeline, rate = 1) {
    this.timeline = timeline
    this.#rate = rate
    // Starts differ between hosts by up to half a second, so that nobody compares the clocks of two of them, and rounds of
    // two members (untilBeat) do not always come at one instant.
    this.#startMs = 1000 + (((rate - 1) * 500_000) % 500)
  }

  nowMs(): number {
    return this.#startMs + this.timeline.nowMs * this.#rate
  }

  wallMs(): number {
    return Math.floor(WALL_START_MS + this.timeline.nowMs + this.wallOffsetMs)
  }

  after(delayMs: number, f: () => void): Timer {
    let cancelled = false
    const event = this.timeline.after(delayMs / this.#rate, () => {
      this.#run(this.#dueTimers, () => {
        if (!cancelled) f()
      })
    })
    return {
      cancel() {
        cancelled = true
        event.cancel()
      },
    }
  }

  soon(f: () => void): void {
    this.timeline.after(0, () => this.deliver(f))
  }

  /** Runs `f` on this host: now, after what came due before it, or never. */
  deliver(f: () => void): void {
    this.#run(this.#due, f)
  }

  #run(due: (() => void)[], f: () => void): void {
    if (this.#state === 'dead') return
    if (this.#state === 'paused' || this.#isBehind) due.push(f)
    else f()
  }

  get #isBehind(): boolean {
    return this.#dueTimers.length > 0 || this.#due.length > 0
  }

  get alive(): boolean {
    return this.#state !== 'dead'
  }

  get paused(): boolean {
    return this.#state === 'paused'
  }

  pause(): void {
    if (this.#state === 'running') this.#state = 'paused'
  }

  resume(): void {
    if (this.#state !== 'paused') return
    this.#state = 'running'
    this.#catchUp()
  }

  /** Each in an event of its own: what it causes settles before the next, and it may pause the host again. */
  #catchUp(): void {
    if (!this.#isBehind) return
    this.timeline.after(0, () => {
      if (this.#state !== 'running') return
      const f = this.#dueTimers.shift() ?? this.#due.shift()
      f?.()
      this.#catchUp()
    })
  }

  kill(): void {
    this.#state = 'dead'
    this.#dueTimers = []
    this.#due = []
  }
}
