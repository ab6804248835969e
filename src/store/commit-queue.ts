// Group commit: changes wait here in order, are placed in the journal together, become durable in one write, take effect
// in memory, and are answered. While one batch is under way the next gathers.
//
//   waiting ──place──▶ under way ──durable──▶ applied ──▶ settled
//
// Invariants:
//   GC1. A change takes effect in memory, and is answered, only when it is durable.
//   GC2. Changes take effect in the order in which they were handed in.
//   GC3. A change that finds no room in the ring or the overlay waits; it never fails for that, but on a disk that has no
//        room to write home what takes it: then a write is answered 'full', and nothing of it has happened.
import type { Clock } from '../base/clock.ts'
import type { Change, Journal } from './journal.ts'
import { BLOCK_BYTES } from './layout.ts'
import { type Pages, pagesIn } from './pages.ts'
import type { StoreWrite } from './record.ts'

export type WriteResult =
  | 'done'
  /** Nothing was written: there is no room. */
  | 'full'

interface Waiting {
  readonly change: Change
  /** Cells of the overlay that it may need. */
  readonly blocks: number
  /** Pages of the overlay that it may leave without a cell. */
  readonly barePages: number
  readonly resolve: (result: WriteResult) => void
  readonly reject: (error: Error) => void
}

/** What the disk was asked for since the store was opened; only grows. */
export interface CommitWork {
  readonly commits: number
  /** From handing a batch to the disk until it was durable. */
  readonly commitMs: number
  /** Changes that waited, times how long: over a time, its mean is the depth of the queue. */
  readonly waitedMs: number
}

/** What the queue tells its store. */
export interface QueueOwner {
  /** A batch has taken effect, or the queue found no room: is there something to write home? */
  upkeep(): void
  failed(error: unknown): Error
}

export class CommitQueue {
  readonly #journal: Journal
  readonly #pages: Pages
  readonly #clock: Clock
  readonly #owner: QueueOwner
  #waiting: Waiting[] = []
  #batch: Waiting[] = []
  #running = false
  /** When the batch was handed to the disk, and how many waited behind it. */
  #placed = { atMs: 0, behind: 0 }
  /** Journal position up to which changes have taken effect in memory. */
  applied: number
  readonly work = { commits: 0, commitMs: 0, waitedMs: 0 }
  /** The first change in the queue waits for room. */
  stalled = false
  /** Set once: nothing is taken or settled otherwise any more. */
  #refusal: Error | null = null
  #idle: (() => void)[] = []

  constructor(journal: Journal, pages: Pages, clock: Clock, owner: QueueOwner) {
    this.#journal = journal
    this.#pages = pages
    this.#clock = clock
    this.#owner = owner
    this.applied = journal.durable
  }

  /** How long the disk has taken over the batch under way; null: there is none. */
  get underWayMs(): number | null {
    return this.#batch.length === 0 ? null : this.#clock.nowMs() - this.#placed.atMs
  }

  /** Resolves when the change is durable and visible. */
  add(change: Change): Promise<WriteResult> {
    return new Promise((resolve, reject) => {
      if (this.#refusal !== null) {
        reject(this.#refusal)
        return
      }
      this.#waiting.push({ change, ...needOf(change), resolve, reject })
      if (this.#running) return
      this.#running = true
      this.#clock.soon(() => this.#start())
    })
  }

  /** There may be room again. */
  wake(): void {
    this.stalled = false
    if (this.#running || this.#waiting.length === 0) return
    this.#running = true
    this.#start()
  }

  /** GC3: what waits for room will not get it; what gives room back may, unless it is all that waits. Returns the writes that were answered 'full'. */
  refuseStalled(): readonly StoreWrite[] {
    if (!this.stalled || this.#running) return []
    const data = this.#waiting.filter((waiting) => waiting.blocks > 0)
    const hopeless = data.length > 0 ? data : this.#waiting
    this.#waiting = data.length > 0 ? this.#waiting.filter(({ blocks }) => blocks === 0) : []
    for (const waiting of hopeless) waiting.resolve('full')
    if (this.#waiting.length === 0) this.#settleIdle()
    this.wake()
    return hopeless.flatMap(({ change }) => (change.kind === 'write' ? [change.write] : []))
  }

  /** Resolves when nothing waits and nothing is under way, or everything is refused. */
  idle(): Promise<void> {
    if (this.#refusal !== null) return Promise.resolve()
    if (!this.#running && this.#waiting.length === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#idle.push(resolve)
    })
  }

  refuse(error: Error): void {
    if (this.#refusal !== null) return
    this.#refusal = error
    for (const waiting of this.#batch) waiting.reject(error)
    for (const waiting of this.#waiting) waiting.reject(error)
    this.#batch = []
    this.#waiting = []
    this.#settleIdle()
  }

  #start(): void {
    this.#run().catch((error: unknown) => this.refuse(this.#owner.failed(error)))
  }

  async #run(): Promise<void> {
    while (this.#refusal === null && this.#place()) {
      await this.#journal.commit()
      if (this.#refusal !== null) return
      this.#apply()
      this.#owner.upkeep()
    }
    this.#running = false
    if (this.#waiting.length === 0) this.#settleIdle()
    else this.#owner.upkeep()
  }

  /** Once a batch, not once a change: those that came meanwhile have waited for half of it. */
  #count(): void {
    const ms = this.#clock.nowMs() - this.#placed.atMs
    const before = this.#placed.behind
    this.work.commits += 1
    this.work.commitMs += ms
    this.work.waitedMs += ms * (this.#batch.length + (before + this.#waiting.length) / 2)
  }

  /** Fills the next batch; false if there is nothing to commit. */
  #place(): boolean {
    const { overlay } = this.#pages
    let cells = overlay.freeCells
    let barePages = overlay.freeBarePages
    let count = 0
    for (const waiting of this.#waiting) {
      if (waiting.blocks > cells || waiting.barePages > barePages) break
      const room = this.#journal.place(waiting.change)
      if (room !== 'placed') break
      cells -= waiting.blocks
      barePages -= waiting.barePages
      count += 1
    }
    this.#batch = this.#waiting.splice(0, count)
    this.stalled = this.#journal.isEmptyBatch && this.#waiting.length > 0
    this.#placed = { atMs: this.#clock.nowMs(), behind: this.#waiting.length }
    return !this.#journal.isEmptyBatch
  }

  #apply(): void {
    this.#count()
    const { operations } = this.#pages
    const batch = this.#batch
    this.#batch = []
    for (const { change } of batch) {
      if (change.kind === 'drop') {
        this.#pages.drop(change.volume)
        continue
      }
      if (change.kind === 'promise') {
        this.#pages.promises.add(change.epochs)
        continue
      }
      const { write } = change
      if (write.data === null) this.#pages.unmap(write, write.bytes)
      else this.#pages.write(write, write.data, this.#journal.checksums, change.firstSum)
      if (write.operation > 0) {
        operations.remember(write.sessionId, write.gen, write.slice, write.operation)
      }
    }
    this.applied = this.#journal.durable
    for (const waiting of batch) waiting.resolve('done')
  }

  #settleIdle(): void {
    const idle = this.#idle
    this.#idle = []
    for (const resolve of idle) resolve()
  }
}

/** At most, whatever of it is in the overlay already. */
function needOf(change: Change): Pick<Waiting, 'blocks' | 'barePages'> {
  if (change.kind !== 'write') return { blocks: 0, barePages: 0 }
  const { data, offset, bytes } = change.write
  if (data === null) return { blocks: 0, barePages: pagesIn(offset, bytes) }
  return { blocks: data.length / BLOCK_BYTES, barePages: 0 }
}
