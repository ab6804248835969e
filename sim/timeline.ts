// Virtual time: one heap of (time, sequence) that every simulated clock and network schedules on.
//
// Invariants:
//   T1. Events run in the order of (time, sequence); time never goes back.
//   T2. All microtasks that an event caused have run before the next event begins.
//   T3. The same program runs the same events in the same order, whatever the machine does.

export interface SimEvent {
  cancel(): void
}

interface Entry {
  readonly atMs: number
  readonly sequence: number
  run: (() => void) | null
}

const settleMicrotasks = () => new Promise<void>((resolve) => setImmediate(resolve))

function before(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence)
}

export class Timeline {
  /** Milliseconds since the simulation began. */
  nowMs = 0
  /** Events that have run. */
  events = 0
  readonly #heap: Entry[] = []
  #sequence = 0
  #live = 0
  #running = false

  /** Runs `f` once, `delayMs` from now. */
  after(delayMs: number, f: () => void): SimEvent {
    return this.at(this.nowMs + Math.max(delayMs, 0), f)
  }

  /** Runs `f` at that time, which is not over: behind whatever was asked for the same time before, as no delay that was computed from it would be. */
  at(atMs: number, f: () => void): SimEvent {
    if (!(atMs >= this.nowMs)) throw new Error(`${atMs} ms is no time to come`)
    const entry: Entry = { atMs, sequence: this.#sequence++, run: f }
    this.#push(entry)
    this.#live++
    return {
      cancel: () => {
        if (entry.run === null) return
        entry.run = null
        this.#live--
      },
    }
  }

  /** Events that are still to come. */
  get pending(): number {
    return this.#live
  }

  /** Runs what happens up to and including `untilMs`, and leaves the time there. */
  async run(untilMs: number): Promise<void> {
    await this.#drive(untilMs, () => false)
    if (this.nowMs < untilMs) this.nowMs = untilMs
  }

  /** Runs until the condition holds; throws if it does not within `limitMs` of virtual time. */
  async until(condition: () => boolean, limitMs = 60_000, what = 'the condition'): Promise<void> {
    const startMs = this.nowMs
    if (await this.#drive(startMs + limitMs, condition)) return
    throw new Error(`${what} did not come about between ${startMs} and ${this.nowMs} ms`)
  }

  /** Runs until the promise settles, and is its outcome. */
  async finish<T>(promise: Promise<T>, limitMs = 60_000): Promise<T> {
    let settled = false
    const mark = () => {
      settled = true
    }
    promise.then(mark, mark)
    await this.until(() => settled, limitMs, 'the promise')
    return promise
  }

  async #drive(untilMs: number, stop: () => boolean): Promise<boolean> {
    if (this.#running) throw new Error('the timeline is running already')
    this.#running = true
    try {
      await settleMicrotasks()
      for (;;) {
        if (stop()) return true
        const entry = this.#next(untilMs)
        if (entry === null) return false
        this.nowMs = entry.atMs
        const run = entry.run
        entry.run = null
        if (run === null) continue
        this.#live--
        this.events++
        run()
        await settleMicrotasks()
      }
    } finally {
      this.#running = false
    }
  }

  #next(untilMs: number): Entry | null {
    const heap = this.#heap
    const first = heap[0]
    if (first === undefined || first.atMs > untilMs) return null
    const last = heap.pop()
    if (heap.length > 0 && last !== undefined) this.#sink(last)
    return first
  }

  #push(entry: Entry): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(entry)
    while (at > 0) {
      const up = (at - 1) >> 1
      const parent = heap[up]
      if (parent === undefined || !before(entry, parent)) break
      heap[at] = parent
      at = up
    }
    heap[at] = entry
  }

  #sink(entry: Entry): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      let down = 2 * at + 1
      let child = heap[down]
      if (child === undefined) break
      const right = heap[down + 1]
      if (right !== undefined && before(right, child)) {
        child = right
        down++
      }
      if (!before(child, entry)) break
      heap[at] = child
      at = down
    }
    heap[at] = entry
  }
}
