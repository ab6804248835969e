// What durable changes do to the pages in memory: the same for a batch that has just become durable and for replay.
//
// Invariants:
//   PG1. What an unmap costs grows with the pages that it takes, not with the length that it names.
//   PG2. Of a volume or a slice that is dropped nothing is found or named in a checkpoint any more, and its pages are taken
//        from the index some at a time.
//   PG3. A page that is vacated leaves a tombstone, its stamp. Runs that hold nothing else are bounded: beyond that the
//        oldest are folded into their slices (SI1 of slice-index.ts). A volume or a slice that is dropped leaves none.
//   PG4. A run is taken from the index once, by the drop that came first: not as one of tombstones, nor by a drop of its
//        slice beside that of its volume.
//   PG5. What is written to a dropped slice later is there; of what was dropped nothing comes back with it, neither a block
//        nor a stamp, and no operation of then is remembered.
//   PG6. Of a slice each page is told once that has had a change: its stamp, whatever of it is home, and whether it is vacated.
//   PG7. A page that is installed is exactly as it was given, with that stamp, whatever was here of it: also a higher stamp,
//        what was lost of it, and what is on its way home.

import type { Epoch, SliceId, VolumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES, RUN_BYTES } from '../base/sizes.ts'
import type { Ordered } from '../peer/operation.ts'
import { hasBit } from './bitmap.ts'
import type { CheckpointParts } from './checkpoints.ts'
import { ExpectedPages } from './expected.ts'
import type { Homes } from './homes.ts'
import { BLOCKS_PER_PAGE, MAP_WORDS, PAGES_PER_RUN } from './layout.ts'
import type { OperationMemory } from './operations.ts'
import { ABSENT, DAMAGED, type Overlay } from './overlay.ts'
import { NO_ENTRY, NO_SLOT } from './page-table.ts'
import { decodeEpochs, Promises } from './promises.ts'
import type { RecordList } from './record.ts'
import { Newest, type Stamp } from './stamp.ts'

/** Taken from the index in one turn of the event loop: 4096 pages, about a millisecond. */
const DROPPED_RUNS = 256

type Place = Pick<Ordered, 'volume' | 'offset' | 'slice'>
/** Where a change begins, and its stamp. */
export type Extent = Place & Pick<Ordered, 'epoch' | 'seq'>

/** Bytes of a volume, as far as they are on the slice. */
export type Range = Pick<Ordered, 'volume' | 'offset' | 'bytes' | 'slice'>

/** What a member has of a page, comparable with another member's. */
export interface PageVersion {
  readonly volume: VolumeId
  readonly page: number
  /** Of its newest change that is durable. */
  readonly stamp: Stamp
  readonly isTombstone: boolean
}

/** Pages that a range of bytes touches. */
export function pagesIn(offset: number, bytes: number): number {
  return Math.floor((offset + bytes - 1) / PAGE_BYTES) - Math.floor(offset / PAGE_BYTES) + 1
}

function isWhole(first: number, last: number): boolean {
  return last - first === BLOCKS_PER_PAGE - 1
}

/** The pages of the bytes [from, to), with the blocks of each. */
export function eachPage(
  from: number,
  to: number,
  visit: (page: number, first: number, last: number) => void,
): void {
  for (let at = from; at < to; ) {
    const page = Math.floor(at / PAGE_BYTES)
    const next = Math.min(to, (page + 1) * PAGE_BYTES)
    const before = page * BLOCKS_PER_PAGE
    visit(page, at / BLOCK_BYTES - before, next / BLOCK_BYTES - before - 1)
    at = next
  }
}

/** Of a range: those that it takes a part of only. An unmap leaves them with nothing but marks in the overlay, at worst. */
export function pagesInPart(offset: number, bytes: number): number {
  const end = offset + bytes
  if (pagesIn(offset, bytes) === 1) return Number(bytes < PAGE_BYTES)
  return Number(offset % PAGE_BYTES !== 0) + Number(end % PAGE_BYTES !== 0)
}

export class Pages {
  readonly homes: Homes
  readonly overlay: Overlay
  readonly operations: OperationMemory
  readonly promises = new Promises()
  readonly expected = new ExpectedPages()
  readonly #dropping: { readonly runs: readonly number[]; next: number }[] = []

  readonly #bareRunsMost: number

  /** `bareRunsMost`: so many runs may hold nothing but tombstones. */
  constructor(homes: Homes, overlay: Overlay, operations: OperationMemory, bareRunsMost: number) {
    this.#bareRunsMost = bareRunsMost
    this.homes = homes
    this.overlay = overlay
    this.operations = operations
  }

  /** Whole blocks; their checksums are those from index `firstSum` on. Blocks listed in `bad` are known to be damaged. */
  write(
    extent: Extent,
    data: Uint8Array,
    checksums: Uint32Array,
    firstSum: number,
    bad: readonly number[] = [],
  ): void {
    const { table } = this.homes
    table.slices.raise(extent.slice, extent)
    let before = NO_ENTRY
    for (let at = 0; at < data.length; at += BLOCK_BYTES) {
      const offset = extent.offset + at
      const page = Math.floor(offset / PAGE_BYTES)
      const entry = table.entryFor(extent.volume, page, extent.slice)
      if (entry !== before) {
        table.claim(entry)
        this.overlay.raise(entry, extent)
        before = entry
      }
      const block = Math.floor(offset / BLOCK_BYTES) % BLOCKS_PER_PAGE
      const index = at / BLOCK_BYTES
      if (bad.includes(index)) this.overlay.putMark(entry, block, DAMAGED)
      else {
        const bytes = data.length === BLOCK_BYTES ? data : data.subarray(at, at + BLOCK_BYTES)
        const isFresh = !this.isAtHome(entry, block)
        this.overlay.put(entry, block, bytes, checksums[firstSum + index] ?? 0, isFresh)
      }
    }
  }

  /** Blocks of one page that are durable in `slot`; their checksums are those from index `firstSum` on. */
  writeDirect(
    extent: Extent,
    { slot, blocks }: { readonly slot: number; readonly blocks: number },
    checksums: Uint32Array,
    firstSum: number,
  ): void {
    const { table } = this.homes
    table.slices.raise(extent.slice, extent)
    const page = Math.floor(extent.offset / PAGE_BYTES)
    const entry = table.entryFor(extent.volume, page, extent.slice)
    table.claim(entry)
    this.overlay.raise(entry, extent)
    const first = (extent.offset / BLOCK_BYTES) % BLOCKS_PER_PAGE
    for (let i = 0; i < blocks; i += 1) {
      const isFresh = !this.isAtHome(entry, first + i)
      this.overlay.putDirect(entry, first + i, slot, checksums[firstSum + i] ?? 0, isFresh)
    }
  }

  /** Blocks of one page of which nobody has the bytes. */
  damage(extent: Extent, blocks: number): void {
    const { table } = this.homes
    table.slices.raise(extent.slice, extent)
    const page = Math.floor(extent.offset / PAGE_BYTES)
    const entry = table.entryFor(extent.volume, page, extent.slice)
    table.claim(entry)
    this.overlay.raise(entry, extent)
    const first = (extent.offset / BLOCK_BYTES) % BLOCKS_PER_PAGE
    for (let i = 0; i < blocks; i += 1) this.overlay.putMark(entry, first + i, DAMAGED)
  }

  /** PG1. A page that is unmapped whole is gone at once; of the two at the ends, the blocks in the range. */
  unmap(extent: Extent, bytes: number): void {
    const { table, lost } = this.homes
    table.slices.raise(extent.slice, extent)
    this.#eachLost(extent, bytes, (page, first, last) => {
      const entry = table.entryFor(extent.volume, page, extent.slice)
      if (!isWhole(first, last)) this.#mark(entry, extent, first, last)
      else {
        lost.found(extent.volume, page)
        table.bury(entry, extent)
      }
    })
    const take = (entry: number, first: number, last: number) => {
      if (!isWhole(first, last)) this.#mark(entry, extent, first, last)
      else {
        lost.found(extent.volume, table.pageOf(entry))
        this.#vacate(entry)
        table.bury(entry, extent)
      }
    }
    this.#eachHeld(extent, bytes, take, (entry) => table.raise(entry, extent))
    this.foldTombstones()
  }

  /** PG7. Its blocks are written next. */
  clear(extent: Extent): void {
    const { table, lost, damaged } = this.homes
    table.slices.raise(extent.slice, extent)
    const page = Math.floor(extent.offset / PAGE_BYTES)
    lost.found(extent.volume, page)
    damaged.mended({ volume: extent.volume, page })
    const entry = table.entryFor(extent.volume, page, extent.slice)
    this.#vacate(entry)
    table.setStamp(entry, extent)
    table.bury(entry, null)
  }

  /** PG3. A run counts until it is looked at whether it has been written again. */
  get bareRuns(): { readonly runs: number; readonly atMost: number } {
    return { runs: this.homes.table.bareRuns.size, atMost: this.#bareRunsMost }
  }

  /** PG3 */
  foldTombstones(): void {
    const { table } = this.homes
    for (const run of table.bareRuns) {
      if (table.bareRuns.size <= this.#bareRunsMost) return
      table.bareRuns.delete(run)
      if (table.isBare(run) && !this.#isOnItsWay(run)) table.fold(run)
    }
  }

  #isOnItsWay(run: number): boolean {
    const first = run * PAGES_PER_RUN
    for (let entry = first; entry < first + PAGES_PER_RUN; entry += 1) {
      if (this.overlay.dirty(entry) !== undefined || this.overlay.homing(entry) !== undefined) {
        return true
      }
    }
    return false
  }

  /** What a record brings beside pages. */
  take({ kind, encoded, bytes }: Omit<RecordList, 'session'>): void {
    const list = encoded.subarray(0, bytes)
    if (kind === 'adopt') this.operations.decode(list)
    else this.promises.add(decodeEpochs(list))
  }

  /** How many pages of the range have something that an unmap would take: 0, and it has nothing to do. */
  heldIn(extent: Place, bytes: number): number {
    let pages = this.expected.within(extent.volume, extent.offset, bytes)
    const count = () => {
      pages += 1
    }
    this.#eachLost(extent, bytes, count)
    this.#eachHeld(extent, bytes, count)
    return pages
  }

  /** False: an unmap of the range has nothing to do, since also the pages that it takes in part have none of its blocks. */
  isHeld(extent: Place, bytes: number): boolean {
    let held = this.expected.within(extent.volume, extent.offset, bytes) > 0
    this.#eachLost(extent, bytes, () => {
      held = true
    })
    this.#eachHeld(extent, bytes, (entry, first, last) => {
      held ||= this.#mayHold(entry, first, last)
    })
    return held
  }

  #mark(entry: number, stamp: Stamp, first: number, last: number): void {
    this.overlay.raise(entry, stamp)
    for (let block = first; block <= last; block += 1) this.overlay.putMark(entry, block, ABSENT)
  }

  /** With the blocks of each that are in the range. Pages of other slices are in it, too. */
  #eachHeld(
    { volume, offset, slice }: Place,
    bytes: number,
    visit: (entry: number, first: number, last: number) => void,
    vacated: (entry: number) => void = () => {},
  ): void {
    const { table } = this.homes
    const end = offset + bytes
    const lastRun = Math.floor((end - 1) / RUN_BYTES)
    let run = table.nextRun(volume, Math.floor(offset / RUN_BYTES), lastRun)
    for (; run >= 0; run = table.nextRun(volume, run + 1, lastRun)) {
      const from = Math.max(offset, run * RUN_BYTES)
      const to = Math.min(end, (run + 1) * RUN_BYTES)
      eachPage(from, to, (page, first, last) => {
        const entry = table.find(volume, page)
        if (table.sliceOf(entry) !== slice) return
        if (this.#holdsAnything(entry)) visit(entry, first, last)
        else if (table.isTombstone(entry)) vacated(entry)
      })
    }
  }

  /** Lost pages of which nothing is held. Nobody knows the slice of a run that is lost, but the range begins and ends in runs of its own: what is lost between them stays lost, which is never wrong (LP1); whoever knows the lanes unmaps run by run. */
  #eachLost(
    { volume, offset }: Place,
    bytes: number,
    visit: (page: number, first: number, last: number) => void,
  ): void {
    const { table, lost } = this.homes
    if (bytes === 0 || !lost.isOf(volume)) return
    const end = offset + bytes
    const firstEnd = Math.min(end, (Math.floor(offset / RUN_BYTES) + 1) * RUN_BYTES)
    const lastFrom = Math.max(firstEnd, Math.floor((end - 1) / RUN_BYTES) * RUN_BYTES)
    const look = (page: number, first: number, last: number) => {
      const entry = table.find(volume, page)
      if (entry !== NO_ENTRY && this.#holdsAnything(entry)) return
      if (lost.has(volume, page)) visit(page, first, last)
    }
    eachPage(offset, firstEnd, look)
    eachPage(lastFrom, end, look)
  }

  drop(volume: VolumeId): void {
    const { table, lost } = this.homes
    this.#dropping.push({ runs: table.forget(volume), next: 0 })
    lost.drop(volume)
    this.dropMore()
  }

  /** PG5. `under`: the epoch that stays (SI2). What is lost stays lost: which of it was the slice's, nobody knows here. */
  dropSlice(slice: SliceId, under: Epoch): void {
    const { table } = this.homes
    this.#dropping.push({ runs: table.forgetSlice(slice), next: 0 })
    table.slices.drop(slice, under)
    this.operations.forgetSlice(slice)
    this.dropMore()
  }

  /** PG2. False: nothing is left to do. */
  dropMore(): boolean {
    const { table } = this.homes
    let left = DROPPED_RUNS
    for (
      let first = this.#dropping[0];
      first !== undefined && left > 0;
      first = this.#dropping[0]
    ) {
      const end = Math.min(first.runs.length, first.next + left)
      left -= end - first.next
      for (; first.next < end; first.next += 1) {
        const run = first.runs[first.next] ?? 0
        for (let i = 0; i < PAGES_PER_RUN; i += 1) this.#vacate(run * PAGES_PER_RUN + i)
        table.retire(run)
      }
      if (end === first.runs.length) this.#dropping.shift()
    }
    return this.#dropping.length > 0
  }

  isTombstone(volume: VolumeId, page: number): boolean {
    const { table } = this.homes
    const entry = table.find(volume, page)
    return entry !== NO_ENTRY && table.isTombstone(entry) && !this.#holdsAnything(entry)
  }

  /** Of the page's last change that is durable; null: nobody knows of one. */
  stampOf(volume: VolumeId, page: number): Stamp | null {
    const entry = this.homes.table.find(volume, page)
    return entry === NO_ENTRY ? null : this.#newestOf(entry)
  }

  /** PG6. Nothing is copied: what changes while one looks is told as it is then, a page that is dropped and written again meanwhile once more. */
  *versions(slice: SliceId): Generator<PageVersion> {
    const { table } = this.homes
    for (const entry of table.entriesOf(slice)) {
      const stamp = this.#newestOf(entry)
      if (stamp === null) continue
      const isTombstone = !this.#holdsAnything(entry)
      yield { volume: table.volumeOf(entry), page: table.pageOf(entry), stamp, isTombstone }
    }
  }

  /** Pages of the slice that hold something, at home or on its way there. */
  pagesOf(slice: SliceId): number {
    let pages = 0
    for (const entry of this.homes.table.entriesOf(slice))
      if (this.#holdsAnything(entry)) pages += 1
    return pages
  }

  #newestOf(entry: number): Stamp | null {
    const newest = new Newest()
    newest.raise(this.homes.table.stampOf(entry))
    newest.raise(this.overlay.homing(entry) ?? newest)
    newest.raise(this.overlay.dirty(entry) ?? newest)
    return newest.epoch === 0 ? null : newest
  }

  /** Beside the pages, for a checkpoint. */
  checkpointParts(): CheckpointParts {
    this.foldTombstones()
    const { segments, lost } = this.homes
    return {
      segments: segments.encode(),
      segmentsMade: segments.made,
      operations: this.operations.encode(),
      promises: this.promises.encode(),
      lost: lost.encode(),
    }
  }

  #vacate(entry: number): void {
    const { table, cache } = this.homes
    this.overlay.drop(entry)
    const slot = table.slotOf(entry)
    const isWhole = this.homes.isWhole(entry)
    cache.evict(entry)
    if (slot !== NO_SLOT) this.homes.release(slot, table.takenOf(entry), isWhole)
    table.vacate(entry)
  }

  /** As far as the cache knows: a page whose header is not there may have the block. */
  isAtHome(entry: number, block: number): boolean {
    const { table, cache } = this.homes
    if (table.present[entry] === BLOCKS_PER_PAGE) return true
    const place = table.cached[entry] ?? -1
    return place >= 0 && hasBit(cache.present, place * MAP_WORDS, block)
  }

  #mayHold(entry: number, first: number, last: number): boolean {
    const { cache } = this.homes
    if (this.overlay.dirty(entry) !== undefined || this.overlay.homing(entry) !== undefined) {
      return true
    }
    const place = cache.find(entry)
    if (place < 0) return true
    for (let block = first; block <= last; block += 1) {
      if (hasBit(cache.present, place * MAP_WORDS, block)) return true
    }
    return false
  }

  #holdsAnything(entry: number): boolean {
    if (this.homes.table.slotOf(entry) !== NO_SLOT) return true
    return this.overlay.dirty(entry) !== undefined || this.overlay.homing(entry) !== undefined
  }
}
