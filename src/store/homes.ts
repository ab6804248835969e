// The pages at home: their headers, from the cache or from disk, and blocks of theirs that were read and checked.
//
// Invariants:
//   HO1. A block that is found in memory is what its home holds: it was read from the page's slot in the turn in which it
//        was checked, or was written there by a round that is over; and it went, or was renewed, at the latest in the turn
//        in which the table told of another one.
//   HO2. Nothing is found in memory of a slot that is no page's.
//   HO3. Nothing is found in memory that is known to be damaged at home.
//   HO4. A header that comes from the disk when its page has gone home or away meanwhile says nothing: it is read again.
import { DiskError } from '../base/disk.ts'
import { isEmpty } from './bitmap.ts'
import type { BlockCache } from './block-cache.ts'
import { DamagedPages } from './damaged-pages.ts'
import type { HeaderCache } from './header-cache.ts'
import { BLOCKS_PER_PAGE, MAP_WORDS, SLOT_HEADER_BYTES } from './layout.ts'
import { LostPages } from './lost-pages.ts'
import { NO_SLOT, type PageTable } from './page-table.ts'
import type { Segments } from './segments.ts'
import { chooseCopy } from './slot-header.ts'

export type HeaderLoad =
  | 'cached'
  /** No copy is the one that the index names: the header is damaged, or a write was lost or went elsewhere. */
  | 'lost'
  /** The medium does not give it now; a later try may. */
  | 'unreadable'
  /** The page was written home or dropped meanwhile: look again. */
  | 'changed'

export class Homes {
  readonly table: PageTable
  readonly cache: HeaderCache
  readonly segments: Segments
  readonly blocks: BlockCache
  readonly lost = new LostPages()
  readonly damaged = new DamagedPages()
  readonly seed: number
  /** During recovery a header may be newer than the checkpoint that names it (SH2). */
  recovering = true
  readonly #header = new Uint8Array(SLOT_HEADER_BYTES)
  readonly #holed = new Set<number>()

  constructor(parts: Pick<Homes, 'table' | 'cache' | 'segments' | 'blocks'>, seed: number) {
    this.table = parts.table
    this.cache = parts.cache
    this.segments = parts.segments
    this.blocks = parts.blocks
    this.seed = seed
  }

  /** The page's slot is gone, with its segment or with the folder that was given up. */
  isLost(entry: number): boolean {
    const { table, segments, lost } = this
    const slot = table.slotOf(entry)
    if (slot !== NO_SLOT) return segments.isLost(slot)
    return lost.has(table.volumeOf(entry), table.pageOf(entry))
  }

  /** HO2. The page has left the slot. `taken`: how many of its blocks have a place on disk, at most; `isWhole`: all have, for certain. */
  release(slot: number, taken: number, isWhole: boolean): void {
    this.blocks.dropSlot(slot)
    this.#holed.delete(slot)
    this.segments.release(slot, taken, isWhole)
  }

  /** DW7: each block of the page's slot has been written, for certain. Damaged blocks are counted as taken, and may have no place on disk. */
  isWhole(entry: number): boolean {
    const { table, cache } = this
    if (table.takenOf(entry) !== BLOCKS_PER_PAGE || this.#holed.has(table.slotOf(entry))) {
      return false
    }
    if (table.present[entry] !== BLOCKS_PER_PAGE) return true // it has moved there, or had all of them in this life
    const place = table.cached[entry] ?? -1
    const first = place * MAP_WORDS
    return place >= 0 && isEmpty(cache.damaged.subarray(first, first + MAP_WORDS))
  }

  /** The page has, or had, damaged blocks in this slot. */
  holed(slot: number): void {
    this.#holed.add(slot)
  }

  loadSync(entry: number): HeaderLoad {
    if (this.table.headerLost[entry] === 1) return 'lost'
    const slot = this.table.slotOf(entry)
    this.#header.fill(0)
    try {
      this.segments.fileOf(slot).readSync(this.#header, this.segments.offsetOf(slot))
    } catch (error) {
      return unreadable(error)
    }
    return this.#take(entry, this.#header)
  }

  async load(entry: number): Promise<HeaderLoad> {
    const { table } = this
    if (table.headerLost[entry] === 1) return 'lost'
    const slot = table.slotOf(entry)
    const version = table.versionOf(entry)
    const bytes = new Uint8Array(SLOT_HEADER_BYTES)
    try {
      await this.segments.fileOf(slot).read(bytes, this.segments.offsetOf(slot))
    } catch (error) {
      return unreadable(error)
    }
    if (table.slotOf(entry) !== slot || table.versionOf(entry) !== version) return 'changed' // HO4
    if (this.cache.find(entry) >= 0) return 'cached'
    return this.#take(entry, bytes)
  }

  #take(entry: number, bytes: Uint8Array): HeaderLoad {
    const { table } = this
    const identity = {
      volume: table.volumeOf(entry),
      page: table.pageOf(entry),
      slice: table.sliceOf(entry),
    }
    const want = { version: table.versionOf(entry), exact: !this.recovering }
    const chosen = chooseCopy(bytes, identity, want, this.seed)
    if (chosen === null) {
      table.headerLost[entry] = 1
      this.blocks.dropSlot(table.slotOf(entry)) // HO3
      return 'lost'
    }
    table.version[entry] = chosen.version
    table.raise(entry, chosen)
    this.cache.load(entry, bytes, chosen.copy)
    return 'cached'
  }
}

/** A read that fails is the medium's: anything else is ours. */
function unreadable(error: unknown): 'unreadable' {
  if (error instanceof DiskError) return 'unreadable'
  throw error
}
