// Group commit: changes wait here in order, are placed in the journal together, become durable in one write, take effect
// in memory, and are answered. While one batch is under way the next gathers, and follows when it is half as many.
//
//   waiting ──place──▶ under way ──durable──▶ applied ──▶ settled
//
// Invariants:
//   GC1. A change takes effect in memory, and is answered, only when it is durable.
//   GC2. Changes take effect in the order in which they were handed in.
//   GC3. A change that finds no room in the ring or the overlay waits; it never fails for that, but on a disk that has no
//        room to write home what takes it: then a write is answered 'full', and nothing of it has happened.
//   GC4. What a batch does in one turn of the event loop is bounded, also if it is of unmaps that name terabytes.
//   GC6. What is answered 'full' takes with it all of its slice that waits behind it, also what would give room back: of a slice
//        there is what came before, and its pages' stamps say what they hold. Whoever is answered so hands in nothing behind it.
//   GC5. What is under way in one batch takes its part of the overlay from the next: what was placed always has its cells.
import type { Clock } from '../base/clock.ts'
import { type DurationCounts, Durations } from '../base/durations.ts'
import type { SliceId } from '../base/ids.ts'
import { BLOCK_BYTES } from '../base/sizes.ts'
import type { DirectPiece, DirectWrites } from './direct-writes.ts'
import { blocksIn } from './installed.ts'
import { type Change, type DurableBatch, type Journal, OPEN_BATCHES } from './journal.ts'
import { type Pages, pagesIn, pagesInPart } from './pages.ts'
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
  /** Pages that it may unmap, or runs that it drops: those cost the same. */
  readonly unmapped: number
  /** Told to the owner when the change has taken effect or was refused. */
  readonly reserved: number
  readonly resolve: (result: WriteResult) => void
  readonly reject: (error: Error) => void
}

/** Changes that were handed to the disk together. */
interface OpenBatch {
  readonly changes: readonly Waiting[]
  readonly atMs: number
  /** What they may need of the overlay. */
  readonly blocks: number
  readonly barePages: number
  /** Called when it has taken effect, or never will. */
  readonly ended: (() => void)[]
}

/** What the disk was asked for since the store was opened; only grows. */
export interface CommitWork {
  readonly commits: number
  /** From handing a batch to the disk until it was durable. */
  readonly commitMs: number
  /** The same, each. */
  readonly durations: DurationCounts
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
  readonly #direct: DirectWrites
  readonly #pages: Pages
  readonly #clock: Clock
  readonly #owner: QueueOwner
  #waiting: Waiting[] = []
  /** Handed to the disk, in order. */
  #open: OpenBatch[] = []
  /** It will be looked at in this turn of the event loop. */
  #soon = false
  /** When the waiting were last counted, and how many they were. */
  #counted = { atMs: 0, waiting: 0 }
  /** Journal position up to which changes have taken effect in memory. */
  applied: number
  readonly work = { commits: 0, commitMs: 0, durations: new Durations(), waitedMs: 0 }
  /** The first change in the queue waits for room. */
  stalled = false
  /** Set once: nothing is taken or settled otherwise any more. */
  #refusal: Error | null = null
  #idle: (() => void)[] = []

  constructor(
    { journal, direct }: { readonly journal: Journal; readonly direct: DirectWrites },
    pages: Pages,
    clock: Clock,
    owner: QueueOwner,
  ) {
    this.#journal = journal
    this.#direct = direct
    this.#pages = pages
    this.#clock = clock
    this.#owner = owner
    this.applied = journal.durable
  }

  /** How long the disk has taken over the first batch under way; null: there is none. */
  get underWayMs(): number | null {
    const [first] = this.#open
    return first === undefined ? null : this.#clock.nowMs() - first.atMs
  }

  /** The largest write, in blocks. */
  get blocksMost(): number {
    return this.#pages.overlay.capacity - KEPT_CELLS
  }

  write(write: StoreWrite, reserved = 0): Promise<WriteResult> {
    const isSuited = this.#direct.isSuited(write)
    return this.add({ kind: 'write', write, firstSum: 0, isSuited, direct: null }, reserved)
  }

  /** Resolves when the change is durable and visible. `reserved`: blocks, for room.ts. */
  add(change: Change, reserved = 0): Promise<WriteResult> {
    return new Promise((resolve, reject) => {
      if (this.#refusal !== null) {
        reject(this.#refusal)
        return
      }
      for (const write of writesOf(change)) this.#pages.expected.add(write)
      this.#waiting.push({ change, ...this.#needOf(change), reserved, resolve, reject })
      if (this.#soon || this.#open.length === OPEN_BATCHES) return
      this.#soon = true
      this.#clock.soon(() => {
        this.#soon = false
        this.#fill()
      })
    })
  }

  /** There may be room again. */
  wake(): void {
    this.stalled = false
    if (!this.#isAtWork && this.#waiting.length > 0) this.#fill()
  }

  /** GC3: what waits for room will not get it; what gives room back may, unless it is all that waits. Returns the writes of data that were answered 'full'. */
  refuseStalled(): readonly StoreWrite[] {
    if (!this.stalled || this.#isAtWork) return []
    const hopeless = hopelessOf(this.#waiting)
    this.#waiting = this.#waiting.filter((waiting) => !hopeless.has(waiting))
    for (const { change, reserved, resolve } of hopeless) {
      for (const write of writesOf(change)) this.#pages.expected.remove(write)
      this.#owner.released(reserved)
      resolve('full')
    }
    if (this.#waiting.length === 0) this.#settleIdle()
    this.wake()
    return [...hopeless].flatMap(({ change }) =>
      change.kind === 'write' && !givesBack(change) ? [change.write] : [],
    )
  }

  /** Resolves when the batches that are under way have taken effect, or never will. */
  openApplied(): Promise<void> {
    const last = this.#open.at(-1)
    if (last === undefined) return Promise.resolve()
    return new Promise((resolve) => {
      last.ended.push(resolve)
    })
  }

  /** Resolves when nothing waits and nothing is under way, or everything is refused. */
  idle(): Promise<void> {
    if (this.#refusal !== null) return Promise.resolve()
    if (!this.#isAtWork && this.#waiting.length === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#idle.push(resolve)
    })
  }

  refuse(error: Error): void {
    if (this.#refusal !== null) return
    this.#refusal = error
    const open = this.#open.flatMap(({ changes }) => changes)
    for (const batch of this.#open) endOf(batch)
    for (const waiting of [...open, ...this.#waiting]) waiting.reject(error)
    this.#open = []
    this.#waiting = []
    this.#settleIdle()
  }

  get #isAtWork(): boolean {
    return this.#soon || this.#open.length > 0
  }

  /** Hands to the disk what may be. */
  #fill(): void {
    if (this.#refusal !== null) return
    while (this.#open.length < OPEN_BATCHES && this.#isWorthABatch()) {
      if (!this.#place()) break
      const [newest] = this.#open.slice(-1)
      if (newest === undefined) break
      this.#commit(newest).catch((error: unknown) => this.refuse(this.#owner.failed(error)))
    }
    if (this.#open.length > 0) return
    if (this.#waiting.length === 0) this.#settleIdle()
    else this.#owner.upkeep()
  }

  /** Many small batches cost more than what they gain: a second one is as good as half of the first. */
  #isWorthABatch(): boolean {
    const [first] = this.#open
    return first === undefined || this.#waiting.length * 2 >= first.changes.length
  }

  async #commit(batch: OpenBatch): Promise<void> {
    const pieces = batch.changes.flatMap(({ change }) => piecesOf(change) ?? [])
    const writeDirect = pieces.length === 0 ? null : () => this.#direct.write(pieces)
    const durable = await this.#journal.commit(writeDirect)
    if (this.#refusal !== null) return
    this.#countWaiting()
    this.#open.shift()
    this.#apply(batch, durable)
    this.#journal.giveBack(durable)
    endOf(batch)
    this.#owner.upkeep()
    this.#fill()
  }

  /** Once a batch, not once a change: those that came meanwhile have waited for half of the time. */
  #countWaiting(): void {
    const now = this.#clock.nowMs()
    const before = this.#counted
    if (this.#open.length > 0) {
      const mean = (before.waiting + this.#waiting.length) / 2
      this.work.waitedMs += (now - before.atMs) * mean
    }
    this.#counted = { atMs: now, waiting: this.#waiting.length }
  }

  /** Fills the next batch; false if there is nothing to commit. */
  #place(): boolean {
    const { overlay } = this.#pages
    let cells = overlay.freeCells - sumOf(this.#open, 'blocks') // GC5
    let barePages = overlay.freeBarePages - sumOf(this.#open, 'barePages')
    const free = { cells, barePages }
    let unmapped = 0
    let count = 0
    for (const waiting of this.#waiting) {
      const kept = givesBack(waiting.change) ? 0 : KEPT_CELLS
      const need = this.#goDirect(waiting, barePages) ?? waiting
      if (need === waiting && this.#isHeldUp(waiting.change)) break
      const fits =
        need.blocks + kept <= cells &&
        need.barePages <= barePages &&
        (count === 0 || unmapped + waiting.unmapped <= BATCH_UNMAPPED_PAGES)
      if (!fits || this.#journal.place(waiting.change) !== 'placed') {
        this.#undoDirect(waiting.change)
        break
      }
      cells -= need.blocks
      barePages -= need.barePages
      unmapped += waiting.unmapped
      count += 1
    }
    this.#countWaiting()
    const changes = this.#waiting.splice(0, count)
    this.#counted.waiting = this.#waiting.length
    if (this.#journal.isEmptyBatch) {
      // What waits behind a batch may find room after it.
      this.stalled = this.#open.length === 0 && this.#waiting.length > 0
      return false
    }
    this.stalled = false
    const blocks = free.cells - cells
    const { atMs } = this.#counted
    const bare = free.barePages - barePages
    this.#open.push({ changes, atMs, blocks, barePages: bare, ended: [] })
    return true
  }

  /** What it needs of the overlay if its blocks go straight into slots; null: they do not. */
  #goDirect(
    { change }: Waiting,
    freeBarePages: number,
  ): Pick<Waiting, 'blocks' | 'barePages'> | null {
    if (change.kind !== 'write' || !change.isSuited) return null
    const { offset, bytes } = change.write
    const pages = pagesIn(offset, bytes)
    if (pages > freeBarePages) return null
    change.direct = this.#direct.place(change.write)
    return change.direct === null ? null : { blocks: 0, barePages: pages }
  }

  #undoDirect(change: Change): void {
    const pieces = piecesOf(change)
    if (pieces === null || change.kind !== 'write') return
    this.#direct.undo(pieces)
    change.direct = null
  }

  #isHeldUp(change: Change): boolean {
    return writesOf(change).some((write) => this.#direct.isHeldUp(write))
  }

  #apply({ changes, atMs }: OpenBatch, durable: DurableBatch): void {
    const ms = this.#clock.nowMs() - atMs
    this.work.commits += 1
    this.work.commitMs += ms
    this.work.durations.add(ms)
    this.work.waitedMs += ms * changes.length
    const { operations } = this.#pages
    for (const { change, reserved } of changes) {
      if (reserved > 0) this.#owner.released(reserved)
      if (change.kind === 'write') {
        this.#applyData(change, durable.checksums)
        operations.applied(change.write)
      } else if (change.kind === 'install') this.#applyInstall(change, durable.checksums)
      else if (change.kind === 'drop') this.#pages.drop(change.volume)
      else if (change.kind === 'dropSlice') this.#pages.dropSlice(change.slice, change.under)
      else this.#pages.take(change)
    }
    // Not what is durable: that may be of the next batch, which has not taken effect yet.
    this.applied = durable.end
    for (const waiting of changes) waiting.resolve('done')
  }

  #applyData(change: Extract<Change, { readonly kind: 'write' }>, checksums: Uint32Array): void {
    const { write, firstSum, direct } = change
    if (direct === null) this.#applyWrite(write, checksums, firstSum)
    else this.#applyDirect(write, direct, checksums, firstSum)
  }

  #applyWrite(write: StoreWrite, checksums: Uint32Array, firstSum: number): void {
    this.#pages.expected.remove(write)
    if (write.data !== null) {
      this.#pages.write(write, write.data, checksums, firstSum)
      return
    }
    let sum = firstSum
    for (const part of partsOf(write)) {
      if (part.data === null) this.#pages.unmap(part, part.bytes)
      else this.#pages.write(part, part.data, checksums, sum++)
    }
  }

  #applyInstall(
    { parts, firstSum }: Extract<Change, { readonly kind: 'install' }>,
    checksums: Uint32Array,
  ): void {
    this.#pages.clear(parts.clear)
    let sum = firstSum
    for (const write of parts.writes) {
      this.#applyWrite(write, checksums, sum)
      sum += write.bytes / BLOCK_BYTES
    }
    this.#pages.foldTombstones()
  }

  #applyDirect(
    write: StoreWrite,
    pieces: readonly DirectPiece[],
    checksums: Uint32Array,
    firstSum: number,
  ): void {
    const { volume, slice, epoch, seq } = write
    this.#pages.expected.remove(write)
    for (const { slot, first, blocks } of pieces) {
      const extent = { volume, slice, epoch, seq, offset: write.offset + first * BLOCK_BYTES }
      const part = { slot: slot.at.slot, blocks }
      this.#pages.writeDirect(extent, part, checksums, firstSum + first)
    }
    this.#direct.applied(pieces)
  }

  /** At most, whatever of it is in the overlay already. */
  #needOf(change: Change): Pick<Waiting, 'blocks' | 'barePages' | 'unmapped'> {
    if (change.kind === 'dropSlice') {
      const runs = this.#pages.homes.table.runCountOf(change.slice)
      return { blocks: 0, barePages: 0, unmapped: runs }
    }
    if (change.kind === 'install')
      return { blocks: blocksIn(change.parts), barePages: 0, unmapped: 1 }
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

/** GC3 GC6 */
function hopelessOf(waiting: readonly Waiting[]): ReadonlySet<Waiting> {
  if (waiting.every(({ change }) => givesBack(change))) return new Set(waiting)
  const hopeless = new Set<Waiting>()
  const slices = new Set<SliceId>()
  for (const one of waiting) {
    const { change } = one
    const slice = sliceOf(change)
    const isBehind = slice !== null && slices.has(slice)
    if (givesBack(change) && !isBehind) continue
    hopeless.add(one)
    if (slice !== null) slices.add(slice)
  }
  return hopeless
}

/** What it writes, or unmaps; of an installed page its blocks. */
function writesOf(change: Change): readonly StoreWrite[] {
  if (change.kind === 'write') return [change.write]
  return change.kind === 'install' ? change.parts.writes : []
}

function sliceOf(change: Change): SliceId | null {
  if (change.kind === 'write') return change.write.slice
  return change.kind === 'install' ? change.parts.clear.slice : null
}

function endOf({ ended }: OpenBatch): void {
  for (const resolve of ended) resolve()
}

function piecesOf(change: Change): readonly DirectPiece[] | null {
  return change.kind === 'write' ? change.direct : null
}

function sumOf(open: readonly OpenBatch[], need: 'blocks' | 'barePages'): number {
  let sum = 0
  for (const batch of open) sum += batch[need]
  return sum
}

function givesBack(change: Change): boolean {
  if (change.kind === 'write') return change.write.data === null
  if (change.kind === 'install') return change.parts.writes.length === 0
  return change.kind === 'drop' || change.kind === 'dropSlice'
}
