// The index in memory: where each page of each volume is at home. Typed arrays by entry; a run of 16 pages has 16
// consecutive entries, since a run belongs to one slice and so to one member. About 42 bytes a page.
//
// It says what is *home* (written to its slot, synced). What is durable in the journal alone is the overlay's. It changes
// when a round of home writing has finished and when whole pages are unmapped or dropped, nowhere else.
import { assert } from '../base/assert.ts'
import { epoch, type SliceId, sliceId, type VolumeId } from '../base/ids.ts'
import { BLOCKS_PER_PAGE, PAGES_PER_RUN } from './layout.ts'
import { SliceIndex } from './slice-index.ts'
import type { PageAge } from './slot-header.ts'
import { isAfter, type Stamp } from './stamp.ts'

export const NO_ENTRY = -1
export const NO_SLOT = -1
const NOT_CACHED = -1
const RUNS_PER_CHUNK = 4096

interface VolumeTable {
  readonly volume: VolumeId
  /** Chunk c, run r: index of the run's entries / 16, plus one; 0: none. Sparse. */
  readonly chunks: (Int32Array | undefined)[]
  readonly runs: Set<number>
  /** Pages that have a slot or are promised one. */
  pages: number
  /** Blocks at home. */
  blocks: number
  /** Blocks that have a place on disk. */
  taken: number
  /** Its pages are being taken from the index. */
  isForgotten: boolean
}

export class PageTable {
  /** By entry: the slot, NO_SLOT if the page is not at home. */
  slot = new Int32Array(0)
  /** By entry: the version that the slot's header must have. */
  version = new Float64Array(0)
  /** By entry: epoch and seq of the last change that is home. */
  #epoch = new Float64Array(0)
  #seq = new Float64Array(0)
  /** By entry: blocks at home. */
  present = new Uint16Array(0)
  /** By entry: blocks that have a place in its slot, at least those at home. */
  taken = new Uint16Array(0)
  /** By entry: place in the cache of headers, or −1. */
  cached = new Int32Array(0)
  /** By entry: 1 if a slot is promised to the page, which has none yet. */
  claimed = new Uint8Array(0)
  /** By entry: 1 if the slot's header is lost. */
  headerLost = new Uint8Array(0)
  /** By run: its first page, its slice, and 1 if it was of a slice that was dropped. */
  #firstPage = new Float64Array(0)
  #slice = new Uint16Array(0)
  #gone = new Uint8Array(0)
  readonly slices = new SliceIndex()
  /** By slice: its runs. Those of a volume that was forgotten stay until they are retired. */
  readonly #runsOf = new Map<SliceId, Set<number>>()
  /** Runs that had no page at home, and none promised, when a page of them was vacated last; the oldest first. */
  readonly bareRuns = new Set<number>()
  #owner: (VolumeTable | undefined)[] = []
  readonly #volumes = new Map<VolumeId, VolumeTable>()
  readonly #freeRuns: number[] = []
  #retiredRuns: number[] = []
  #runs = 0
  /** Slots promised to pages that have none yet. */
  claims = 0
  homePages = 0
  homeBlocks = 0
  takenBlocks = 0

  find(volume: VolumeId, page: number): number {
    const table = this.#volumes.get(volume)
    if (table === undefined) return NO_ENTRY
    const run = Math.floor(page / PAGES_PER_RUN)
    const chunk = table.chunks[Math.floor(run / RUNS_PER_CHUNK)]
    const index = chunk === undefined ? 0 : (chunk[run % RUNS_PER_CHUNK] ?? 0)
    return index === 0 ? NO_ENTRY : (index - 1) * PAGES_PER_RUN + (page % PAGES_PER_RUN)
  }

  /** The first run from `run` to `last` that has entries: its number, or −1. Costs one look for every 4,096 runs that have none. */
  nextRun(volume: VolumeId, run: number, last: number): number {
    const chunks = this.#volumes.get(volume)?.chunks
    if (chunks === undefined) return -1
    for (let at = run; at <= last; ) {
      const chunk = chunks[Math.floor(at / RUNS_PER_CHUNK)]
      const end = (Math.floor(at / RUNS_PER_CHUNK) + 1) * RUNS_PER_CHUNK
      if (chunk === undefined) at = end
      else {
        for (; at <= last && at < end; at += 1) if (chunk[at % RUNS_PER_CHUNK] !== 0) return at
      }
    }
    return -1
  }

  /** Makes the page's entry if there is none. */
  entryFor(volume: VolumeId, page: number, slice: SliceId): number {
    const found = this.find(volume, page)
    if (found !== NO_ENTRY) return found
    let table = this.#volumes.get(volume)
    if (table === undefined) {
      table = {
        volume,
        chunks: [],
        runs: new Set(),
        pages: 0,
        blocks: 0,
        taken: 0,
        isForgotten: false,
      }
      this.#volumes.set(volume, table)
    }
    const run = Math.floor(page / PAGES_PER_RUN)
    const number = Math.floor(run / RUNS_PER_CHUNK)
    let chunk = table.chunks[number]
    if (chunk === undefined) {
      chunk = new Int32Array(RUNS_PER_CHUNK)
      table.chunks[number] = chunk
    }
    const index = this.#takeRun()
    chunk[run % RUNS_PER_CHUNK] = index + 1
    table.runs.add(index)
    this.#owner[index] = table
    this.#firstPage[index] = run * PAGES_PER_RUN
    this.#slice[index] = slice
    const ofSlice = this.#runsOf.get(slice)
    if (ofSlice === undefined) this.#runsOf.set(slice, new Set([index]))
    else ofSlice.add(index)
    return index * PAGES_PER_RUN + (page % PAGES_PER_RUN)
  }

  slotOf(entry: number): number {
    return this.slot[entry] ?? NO_SLOT
  }

  versionOf(entry: number): number {
    return this.version[entry] ?? 0
  }

  /** Of the newest change that is home. */
  stampOf(entry: number): Stamp {
    return { epoch: epoch(this.#epoch[entry] ?? 0), seq: this.#seq[entry] ?? 0 }
  }

  /** The page has had this change, and perhaps a newer one. */
  raise(entry: number, stamp: Stamp): void {
    if (!isAfter(stamp, this.stampOf(entry))) return
    this.setStamp(entry, stamp)
  }

  /** PG7: whatever it was. */
  setStamp(entry: number, stamp: Stamp): void {
    this.#epoch[entry] = stamp.epoch
    this.#seq[entry] = stamp.seq
  }

  pageOf(entry: number): number {
    const first = this.#firstPage[Math.floor(entry / PAGES_PER_RUN)] ?? 0
    return first + (entry % PAGES_PER_RUN)
  }

  sliceOf(entry: number): SliceId {
    return sliceId(this.#slice[Math.floor(entry / PAGES_PER_RUN)] ?? 0)
  }

  volumeOf(entry: number): VolumeId {
    return this.#tableOf(entry).volume
  }

  /** The page will need a slot. */
  claim(entry: number): void {
    if (this.slot[entry] !== NO_SLOT || this.claimed[entry] === 1) return
    this.claimed[entry] = 1
    this.claims += 1
    this.#tableOf(entry).pages += 1
  }

  unclaim(entry: number): void {
    if (this.claimed[entry] !== 1) return
    this.claimed[entry] = 0
    this.claims -= 1
    this.#tableOf(entry).pages -= 1
  }

  takenOf(entry: number): number {
    return this.taken[entry] ?? 0
  }

  /** The page is at home in `slot`, synced, with so many blocks, of which it did not have `added` before. */
  settle(
    entry: number,
    slot: number,
    age: PageAge,
    { blocks, added }: { readonly blocks: number; readonly added: number },
  ): void {
    const table = this.#tableOf(entry)
    if (this.slot[entry] === NO_SLOT) {
      this.unclaim(entry)
      table.pages += 1
      this.homePages += 1
      this.slot[entry] = slot
    }
    assert(this.slot[entry] === slot, 'a page at home keeps its slot')
    const more = blocks - (this.present[entry] ?? 0)
    table.blocks += more
    this.homeBlocks += more
    const taken = Math.max(blocks, Math.min(BLOCKS_PER_PAGE, this.takenOf(entry) + added))
    this.#take(entry, taken - this.takenOf(entry))
    this.version[entry] = age.version
    this.raise(entry, age)
    this.present[entry] = blocks
  }

  /** The page at home has moved to another slot, which takes its place on disk whole; the old one is the caller's to release. */
  move(entry: number, slot: number): void {
    this.slot[entry] = slot
    this.#take(entry, BLOCKS_PER_PAGE - this.takenOf(entry))
  }

  /** The page has no blocks left; its slot is the caller's to release. */
  vacate(entry: number): void {
    const table = this.#tableOf(entry)
    this.unclaim(entry)
    if (this.slot[entry] === NO_SLOT) return
    const blocks = this.present[entry] ?? 0
    table.blocks -= blocks
    this.homeBlocks -= blocks
    this.#take(entry, -this.takenOf(entry))
    table.pages -= 1
    this.homePages -= 1
    this.slot[entry] = NO_SLOT
    this.present[entry] = 0
    this.headerLost[entry] = 0
    this.bury(entry, null)
  }

  /** Leaves a tombstone, if there is a stamp, of a page that has no home. */
  bury(entry: number, stamp: Stamp | null): void {
    if (stamp !== null) this.raise(entry, stamp)
    const run = Math.floor(entry / PAGES_PER_RUN)
    if (this.isBare(run)) this.bareRuns.add(run)
  }

  /** The page has no home, and its last change is known. */
  isTombstone(entry: number): boolean {
    if (this.slotOf(entry) !== NO_SLOT || (this.#epoch[entry] ?? 0) === 0) return false
    return !this.isGone(entry)
  }

  /** Its volume or its slice was dropped: nothing of it is found, and the drop takes it. */
  isGone(entry: number): boolean {
    return this.#gone[Math.floor(entry / PAGES_PER_RUN)] === 1 || this.#tableOf(entry).isForgotten
  }

  isBare(run: number): boolean {
    const first = run * PAGES_PER_RUN
    if (this.isGone(first)) return false // PG4
    for (let entry = first; entry < first + PAGES_PER_RUN; entry += 1) {
      if (this.slotOf(entry) !== NO_SLOT || this.claimed[entry] === 1) return false
    }
    return true
  }

  /** SI1. Of a run that is bare and of which nothing is on its way. */
  fold(run: number): void {
    const first = run * PAGES_PER_RUN
    for (let entry = first; entry < first + PAGES_PER_RUN; entry += 1) {
      if (this.isTombstone(entry)) this.slices.fold(this.sliceOf(entry), this.stampOf(entry))
    }
    this.#unlink(run)
    this.retire(run)
  }

  /** The slot, if a checkpoint is to name it: not of what was dropped. */
  homeOf(entry: number): number {
    const slot = this.slotOf(entry)
    return slot !== NO_SLOT && this.isGone(entry) ? NO_SLOT : slot
  }

  /** All entries of the slice's runs. The table may change meanwhile: what is gone then is passed over. */
  *entriesOf(slice: SliceId): Generator<number> {
    const runs = this.#runsOf.get(slice) ?? new Set()
    for (const run of runs) {
      const first = run * PAGES_PER_RUN
      for (let entry = first; entry < first + PAGES_PER_RUN; entry += 1) {
        if (!runs.has(run) || this.isGone(first)) break
        yield entry
      }
    }
  }

  runCountOf(slice: SliceId): number {
    return this.#runsOf.get(slice)?.size ?? 0
  }

  /** From now on nothing of the volume is found. Returns its runs: the caller vacates their pages, and retires them. */
  forget(volume: VolumeId): readonly number[] {
    const table = this.#volumes.get(volume)
    if (table === undefined) return []
    this.#volumes.delete(volume)
    table.isForgotten = true
    return [...table.runs]
  }

  /** The same for a slice, but for runs of which that is so already (PG4). */
  forgetSlice(slice: SliceId): readonly number[] {
    const runs = [...(this.#runsOf.get(slice) ?? [])].filter(
      (run) => !this.isGone(run * PAGES_PER_RUN),
    )
    for (const run of runs) this.#unlink(run)
    return runs
  }

  /** The run is not found any more. */
  #unlink(run: number): void {
    const first = run * PAGES_PER_RUN
    const { chunks, runs } = this.#tableOf(first)
    const number = this.pageOf(first) / PAGES_PER_RUN
    const chunk = chunks[Math.floor(number / RUNS_PER_CHUNK)]
    if (chunk !== undefined) chunk[number % RUNS_PER_CHUNK] = 0
    runs.delete(run)
    this.#runsOf.get(this.sliceOf(first))?.delete(run)
    this.#gone[run] = 1
  }

  /** All pages of the run were vacated. Its entries are not used again before `reuseRetired`. */
  retire(run: number): void {
    const first = run * PAGES_PER_RUN
    this.#runsOf.get(this.sliceOf(first))?.delete(run)
    this.#epoch.fill(0, first, first + PAGES_PER_RUN)
    this.bareRuns.delete(run)
    this.#retiredRuns.push(run)
  }

  /** Nobody refers to entries of what was dropped any more. */
  reuseRetired(): void {
    for (const run of this.#retiredRuns) {
      this.#owner[run] = undefined
      this.#freeRuns.push(run)
    }
    this.#retiredRuns = []
  }

  /** What the volume has at home, and pages that are promised a slot. */
  countsOf(volume: VolumeId): Pick<VolumeTable, 'pages' | 'blocks' | 'taken'> {
    return this.#volumes.get(volume) ?? { pages: 0, blocks: 0, taken: 0 }
  }

  volumes(): VolumeId[] {
    return [...this.#volumes.keys()]
  }

  /** Entries are 0 … count − 1; those without a slot are not pages at home. */
  get entryCount(): number {
    return this.#runs * PAGES_PER_RUN
  }

  #take(entry: number, more: number): void {
    this.taken[entry] = this.takenOf(entry) + more
    this.#tableOf(entry).taken += more
    this.takenBlocks += more
  }

  #tableOf(entry: number): VolumeTable {
    const table = this.#owner[Math.floor(entry / PAGES_PER_RUN)]
    assert(table !== undefined, 'an entry in use belongs to a volume')
    return table
  }

  #takeRun(): number {
    const free = this.#freeRuns.pop()
    const run = free ?? this.#runs
    if (free === undefined) this.#runs += 1
    if (this.entryCount > this.slot.length) this.#grow()
    const first = run * PAGES_PER_RUN
    const end = first + PAGES_PER_RUN
    this.#gone[run] = 0
    this.slot.fill(NO_SLOT, first, end)
    this.cached.fill(NOT_CACHED, first, end)
    this.#epoch.fill(0, first, end)
    this.#seq.fill(0, first, end)
    this.present.fill(0, first, end)
    this.taken.fill(0, first, end)
    this.claimed.fill(0, first, end)
    this.headerLost.fill(0, first, end)
    return run
  }

  #grow(): void {
    const entries = Math.max(1024, this.slot.length * 2)
    this.slot = grown(new Int32Array(entries), this.slot)
    this.version = grown(new Float64Array(entries), this.version)
    this.present = grown(new Uint16Array(entries), this.present)
    this.taken = grown(new Uint16Array(entries), this.taken)
    this.cached = grown(new Int32Array(entries), this.cached)
    this.claimed = grown(new Uint8Array(entries), this.claimed)
    this.headerLost = grown(new Uint8Array(entries), this.headerLost)
    this.#epoch = grown(new Float64Array(entries), this.#epoch)
    this.#seq = grown(new Float64Array(entries), this.#seq)
    const runs = entries / PAGES_PER_RUN
    this.#firstPage = grown(new Float64Array(runs), this.#firstPage)
    this.#slice = grown(new Uint16Array(runs), this.#slice)
    this.#gone = grown(new Uint8Array(runs), this.#gone)
  }
}

function grown<T extends { set(from: T): void }>(into: T, from: T): T {
  into.set(from)
  return into
}
