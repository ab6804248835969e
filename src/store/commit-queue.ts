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
//   GC4. What a batch does in one turn of the event loop is bounded, also if it is of unmaps that name terabytes.
import type { Clock } from '../base/clock.ts'
import { BLOCK_BYTES } from '../base/sizes.ts'
import type { Change, Journal } from './journal.ts'
import { type Pages, pagesInPart } from './pages.ts'
import { edgesOf, partsOf, type StoreWrite } from './record.ts'

export type WriteResult =
  | 'done'
  /** Nothing was written: there is no room. */
  | 'full'

/** GC4: past so many pages that are unmapped a batch ends: to take them from the index stands the event loop still for about a millisecond. */
const BATCH_UNMAPPED_PAGES = 2048
/** GC3: that many cells of the overlay are left to what gives room back. */
const KEPT_CELLS = 4

interface Waiting {
  readonly change: Change
  /** Cells of the overlay that it may need. */
  readonly blocks: number
  /** Pages of the overlay that it may leave without a cell. */
  readonly barePages: number
  /** Pages that it may unmap. */
  readonly unmapped: number
  /** Told to the owner when the change has taken effect or was refused. */
  readonly reserved: number
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
  /** What was reserved for a change need not be any more: it has taken effect, or was refused. */
  released(reserved: number): void
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

  /** The largest write, in blocks. */
  get blocksMost(): number {
    return this.#pages.overlay.capacity - KEPT_CELLS
  }

  /** Resolves when the change is durable and visible. `reserved`: blocks, for room.ts. */
  add(change: Change, reserved = 0): Promise<WriteResult> {
    return new Promise((resolve, reject) => {
      if (this.#refusal !== null) {
        reject(this.#refusal)
        return
      }
      if (change.kind === 'write') this.#pages.expected.add(change.write)
      this.#waiting.push({ change, ...this.#needOf(change), reserved, resolve, reject })
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
    const data = this.#waiting.filter(({ change }) => !givesBack(change))
    const hopeless = data.length > 0 ? data : this.#waiting
    this.#waiting = data.length > 0 ? this.#waiting.filter(({ change }) => givesBack(change)) : []
    for (const { change, reserved, resolve } of hopeless) {
      if (change.kind === 'write') this.#pages.expected.remove(change.write)
      this.#owner.released(reserved)
      resolve('full')
    }
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
    let unmapped = 0
    let count = 0
    for (const waiting of this.#waiting) {
      const kept = givesBack(waiting.change) ? 0 : KEPT_CELLS
      if (waiting.blocks + kept > cells || waiting.barePages > barePages) break
      if (count > 0 && unmapped + waiting.unmapped > BATCH_UNMAPPED_PAGES) break
      const room = this.#journal.place(waiting.change)
      if (room !== 'placed') break
      cells -= waiting.blocks
      barePages -= waiting.barePages
      unmapped += waiting.unmapped
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
    for (const { change, reserved } of batch) {
      if (reserved > 0) this.#owner.released(reserved)
      if (change.kind === 'drop') {
        this.#pages.drop(change.volume)
        continue
      }
      if (change.kind === 'promise') {
        this.#pages.promises.add(change.epochs)
        continue
      }
      const { write } = change
      this.#applyWrite(write, change.firstSum)
      if (write.number > 0) {
        operations.remember(write.session, write.gen, write.slice, write.number)
      }
    }
    this.applied = this.#journal.durable
    for (const waiting of batch) waiting.resolve('done')
  }

  #applyWrite(write: StoreWrite, firstSum: number): void {
    this.#pages.expected.remove(write)
    if (write.data !== null) {
      this.#pages.write(write, write.data, this.#journal.checksums, firstSum)
      return
    }
    let sum = firstSum
    for (const part of partsOf(write)) {
      if (part.data === null) this.#pages.unmap(part, part.bytes)
      else this.#pages.write(part, part.data, this.#journal.checksums, sum++)
    }
  }

  /** At most, whatever of it is in the overlay already. */
  #needOf(change: Change): Pick<Waiting, 'blocks' | 'barePages' | 'unmapped'> {
    if (change.kind !== 'write') return { blocks: 0, barePages: 0, unmapped: 0 }
    const { write } = change
    const { data, offset, bytes } = write
    if (data !== null) return { blocks: data.length / BLOCK_BYTES, barePages: 0, unmapped: 0 }
    const unmapped = this.#pages.heldIn(write, bytes)
    return { blocks: edgesOf(write), barePages: pagesInPart(offset, bytes), unmapped }
  }

  #settleIdle(): void {
    const idle = this.#idle
    this.#idle = []
    for (const resolve of idle) resolve()
  }
}

function givesBack(change: Change): boolean {
  return change.kind === 'drop' || (change.kind === 'write' && change.write.data === null)
}
