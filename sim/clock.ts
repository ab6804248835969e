// Virtual time: one heap of (time, order of scheduling). Between two events all microtasks settle, so code that awaits
// only ports runs as it is, and the same seed gives the same run.
import type { Clock, Timer } from '../src/base/clock.ts'

interface Event {
  readonly atMs: number
  readonly order: number
  run: (() => void) | null
}

/** 2026-01-01T00:00:00Z: where the simulated wall clock begins. */
const WALL_START_MS = 1_767_225_600_000

export class SimClock implements Clock {
  readonly #heap: Event[] = []
  #nowMs = 0
  #order = 0
  events = 0

  nowMs(): number {
    return this.#nowMs
  }

  wallMs(): number {
    return WALL_START_MS + Math.floor(this.#nowMs)
  }

  after(delayMs: number, f: () => void): Timer {
    const event: Event = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, run: f }
    this.#push(event)
    return {
      cancel: () => {
        event.run = null
      },
    }
  }

  soon(f: () => void): void {
    this.after(0, f)
  }

  /** Runs events until `limitMs` of virtual time or until `done()`; returns whether `done` held. */
  async run(limitMs: number, done: () => boolean = () => false): Promise<boolean> {
    await settled()
    for (;;) {
      if (done()) return true
      const next = this.#heap[0]
      if (next === undefined || next.atMs > limitMs) break
      this.#pop()
      this.#nowMs = next.atMs
      if (next.run === null) continue
      const run = next.run
      next.run = null
      this.events += 1
      run()
      await settled()
    }
    this.#nowMs = Math.max(this.#nowMs, limitMs)
    return done()
  }

  #push(event: Event): void {
    const heap = this.#heap
    heap.push(event)
    let i = heap.length - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      const above = heap[parent] as Event
      if (before(above, event)) break
      heap[i] = above
      i = parent
    }
    heap[i] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event)) child += 1
      if (before(last, heap[child] as Event)) break
      heap[i] = heap[child] as Event
      i = child
    }
    heap[i] = last
  }
}

/** All promise reactions that are due have run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function before(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
