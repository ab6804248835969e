// Reading: from the overlay, else from the blocks in memory, else from the slot, every block of which is checked against
// its header's checksum. What is believed to be in the page cache is read at once; the rest is first brought there off the
// event loop and then read in the same way, so that there is one path that copies bytes to a reader, and it never runs
// beside a change.
//
// Invariants:
//   RD1. No byte of a block that fails its checksum is returned as good.
//   RD2. What is not durable is not seen; what is durable is.
//   RD3. A block that the medium does not give is damaged for the read that wanted it, and for no other block.
//   RD4. A page that goes while it is brought into the page cache ends that, and not the store: its file may be closed.
//   RD5. Blocks that are read many at a time are not kept in memory: one pread gives them all, and a copy of each costs more
//        than what it may save (measured: 256 KiB reads took 1.6 times the CPU).
//   RD6. The event loop stands still for the medium twice, not as often as something was wrongly believed to be in the page
//        cache: what is no longer believed (HC1) is brought there off the event loop.
import { crc32c, crc32cOfBlocks } from '../base/crc32c.ts'
import { DiskError, type DiskFile } from '../base/disk.ts'
import type { VolumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../base/sizes.ts'
import { hasBit } from './bitmap.ts'
import { ColdReads } from './cold-reads.ts'
import type { Homes } from './homes.ts'
import { BLOCKS_PER_PAGE, MAP_WORDS, SLOT_HEADER_BYTES } from './layout.ts'
import { ABSENT, DAMAGED, DIRECT, type DirtyPage, type Overlay, UNTOUCHED } from './overlay.ts'
import { NO_ENTRY, NO_SLOT } from './page-table.ts'

export type ReadResult = 'done' | 'damaged'
type Attempt = ReadResult | 'cold'
/** Places (`placeOf`) that the medium did not give just now; every other one is read at once. Null: only what is believed hot is read. */
type Unreadable = ReadonlySet<number> | null
const NONE: Unreadable = new Set<number>()

/** Warming this often without success means that the cache is too small for the reader: then it reads at once. */
const WARM_ATTEMPTS = 3
const WARM_BYTES = 256 * 1024
/** RD5 */
const KEPT_BYTES = 32 * 1024
/** Where `placeOf` has the header: after the blocks. */
const HEADER_PLACE = BLOCKS_PER_PAGE

type BlocksRead = ReadResult | 'unreadable'

export class PageReader {
  readonly #homes: Homes
  readonly #overlay: Overlay
  readonly #block = new Uint8Array(BLOCK_BYTES)
  readonly coldReads = new ColdReads()
  /** Of the attempt under way, which nothing interrupts. */
  #unreadable: Unreadable = null

  constructor(homes: Homes, overlay: Overlay) {
    this.#homes = homes
    this.#overlay = overlay
  }

  read(volume: VolumeId, offset: number, into: Uint8Array): ReadResult | Promise<ReadResult> {
    const now = this.readNow(volume, offset, into)
    return now === 'later' ? this.#readCold(volume, offset, into) : now
  }

  /** 'later': the medium has to be waited for; nothing is under way, and what `into` holds means nothing. */
  readNow(volume: VolumeId, offset: number, into: Uint8Array): ReadResult | 'later' {
    const attempt = this.#attempt(volume, offset, into, null)
    return attempt === 'cold' ? 'later' : attempt
  }

  async #readCold(volume: VolumeId, offset: number, into: Uint8Array): Promise<ReadResult> {
    for (let i = 0; i < WARM_ATTEMPTS; i += 1) {
      const unreadable = await this.#bringIn(volume, offset, into.length)
      let attempt = this.#attempt(volume, offset, into, null)
      if (attempt === 'cold' && unreadable.size > 0) {
        attempt = this.#attempt(volume, offset, into, unreadable)
      }
      if (attempt !== 'cold') return attempt
    }
    return this.#attempt(volume, offset, into, NONE) === 'done' ? 'done' : 'damaged'
  }

  /** All of a page; `look` is called in the turn in which it was read, with those of its blocks that are damaged. */
  async readPage<T>(
    volume: VolumeId,
    page: number,
    into: Uint8Array,
    look: (lost: readonly number[]) => T,
  ): Promise<T> {
    const offset = page * PAGE_BYTES
    for (let i = 0; ; i += 1) {
      const unreadable = await this.#bringIn(volume, offset, into.length)
      let attempt = this.#attempt(volume, offset, into, null)
      if (attempt === 'cold' && (unreadable.size > 0 || i >= WARM_ATTEMPTS)) {
        attempt = this.#attempt(volume, offset, into, unreadable)
      }
      if (attempt === 'done') return look([])
      if (attempt === 'damaged') return look(this.#lostOf(volume, offset, into, unreadable))
    }
  }

  /** Of a page that was read just now: those of its blocks that are damaged; the others are in `into`. */
  #lostOf(
    volume: VolumeId,
    offset: number,
    into: Uint8Array,
    unreadable: ReadonlySet<number>,
  ): readonly number[] {
    const lost: number[] = []
    for (let block = 0; block < BLOCKS_PER_PAGE; block += 1) {
      const at = block * BLOCK_BYTES
      const piece = into.subarray(at, at + BLOCK_BYTES)
      if (this.#attempt(volume, offset + at, piece, unreadable) !== 'done') lost.push(block)
    }
    return lost
  }

  /** When it is its turn. */
  async #bringIn(volume: VolumeId, offset: number, bytes: number): Promise<ReadonlySet<number>> {
    await this.coldReads.begun(volume)
    try {
      return await this.#warm(volume, offset, bytes)
    } finally {
      this.coldReads.ended()
    }
  }

  #attempt(volume: VolumeId, offset: number, into: Uint8Array, unreadable: Unreadable): Attempt {
    this.#unreadable = unreadable
    const { table } = this.#homes
    const end = offset + into.length
    let result: Attempt = 'done'
    for (let at = offset; at < end; ) {
      const page = Math.floor(at / PAGE_BYTES)
      const to = Math.min(end, (page + 1) * PAGE_BYTES)
      const piece = to - at === into.length ? into : into.subarray(at - offset, to - offset)
      const entry = table.find(volume, page)
      const got =
        entry === NO_ENTRY
          ? this.#readAbsent(volume, page, piece)
          : this.#readPage(entry, at - page * PAGE_BYTES, piece)
      if (got === 'cold') return 'cold'
      if (got === 'damaged') {
        result = 'damaged'
        this.#homes.damaged.found(volume, page)
      }
      at = to
    }
    return result
  }

  /** LP1: of a page that is not at home. */
  #readAbsent(volume: VolumeId, page: number, into: Uint8Array): ReadResult {
    return this.#homes.lost.has(volume, page) ? 'damaged' : zeros(into)
  }

  #readPage(entry: number, offset: number, into: Uint8Array): Attempt {
    const dirty = this.#overlay.dirty(entry)
    const homing = this.#overlay.homing(entry)
    const end = offset + into.length
    if (dirty === undefined && homing === undefined) return this.#readHome(entry, offset, into)
    for (let at = offset; at < end; ) {
      const block = Math.floor(at / BLOCK_BYTES)
      const page = newestPage(dirty, homing, block)
      const cell = page?.cells[block] ?? UNTOUCHED
      let to = Math.min(end, (block + 1) * BLOCK_BYTES)
      if (cell === UNTOUCHED || cell === DIRECT) {
        while (to < end && isLike(page, cell, newestPage(dirty, homing, to / BLOCK_BYTES), to)) {
          to = Math.min(end, to + BLOCK_BYTES)
        }
      }
      const piece = to - at === into.length ? into : into.subarray(at - offset, to - offset)
      const got =
        page === undefined
          ? this.#readHome(entry, at, piece)
          : this.#readOverlay(page, cell, at, piece)
      if (got !== 'done') return got
      at = to
    }
    return 'done'
  }

  /** A block, or DIRECT ones side by side. */
  #readOverlay(page: DirtyPage, cell: number, offset: number, into: Uint8Array): ReadResult {
    if (cell === DAMAGED) return 'damaged'
    if (cell === DIRECT) return this.#readDirect(page, offset, into) ? 'done' : 'damaged'
    if (cell === ABSENT) return zeros(into)
    const from = offset % BLOCK_BYTES
    into.set(this.#overlay.cell(cell).subarray(from, from + into.length))
    return 'done'
  }

  /** DIRECT blocks: they were written just now, so they are read at once. False: one of them is damaged. */
  #readDirect(page: DirtyPage, offset: number, into: Uint8Array): boolean {
    const { segments } = this.#homes
    const at = segments.offsetOf(page.direct) + SLOT_HEADER_BYTES
    const file = segments.fileOf(page.direct)
    const end = offset + into.length
    try {
      for (let from = offset; from < end; ) {
        const block = Math.floor(from / BLOCK_BYTES)
        const start = block * BLOCK_BYTES
        const isWhole = from === start && end - from >= BLOCK_BYTES
        const to = isWhole ? end - (end % BLOCK_BYTES) : Math.min(end, start + BLOCK_BYTES)
        const bytes = isWhole ? into.subarray(from - offset, to - offset) : this.#block
        if (file.readSync(bytes, at + start) < bytes.length) return false
        const sum = crc32cOfBlocks(page.checksums, block, bytes.length / BLOCK_BYTES)
        if (crc32c(bytes) !== sum) return false // RD1
        if (!isWhole) into.set(bytes.subarray(from - start, to - start), from - offset)
        from = to
      }
    } catch (error) {
      if (error instanceof DiskError) return false
      throw error
    }
    return true
  }

  #readHome(entry: number, offset: number, into: Uint8Array): Attempt {
    const { table, cache, blocks } = this.#homes
    const slot = table.slotOf(entry)
    if (slot === NO_SLOT) return this.#readAbsent(table.volumeOf(entry), table.pageOf(entry), into)
    // All of it or nothing: a range of which a part is there costs as many reads as one of which nothing is.
    if (blocks.read(slot, offset, into)) return 'done'
    if (cache.find(entry) < 0) {
      const header = this.#headerOf(entry, slot)
      if (header !== 'done') return header
    }
    const place = cache.find(entry)
    const maps = place * MAP_WORDS
    const first = Math.floor(offset / BLOCK_BYTES)
    const last = Math.floor((offset + into.length - 1) / BLOCK_BYTES)
    cache.use(place)
    const state = this.#stateOf(slot, place, first, last)
    if (state !== 'done') return state
    for (let block = first; block <= last; ) {
      const present = hasBit(cache.present, maps, block)
      let next = block + 1
      while (next <= last && hasBit(cache.present, maps, next) === present) next += 1
      const from = Math.max(offset, block * BLOCK_BYTES)
      const to = Math.min(offset + into.length, next * BLOCK_BYTES)
      const piece = into.subarray(from - offset, to - offset)
      const got = present ? this.#readBlocks(slot, place, from, piece) : zeros(piece)
      if (got === 'unreadable') return this.#notHot(place, block, next)
      if (got === 'damaged') return 'damaged'
      block = next
    }
    return 'done'
  }

  /** Of a page that is not in the cache; 'done': now it is. */
  #headerOf(entry: number, slot: number): Attempt {
    if (this.#homes.table.headerLost[entry] === 1) return 'damaged'
    if (this.#unreadable === null) return 'cold'
    if (this.#unreadable.has(placeOf(slot, HEADER_PLACE))) return 'damaged'
    return this.#homes.loadSync(entry) === 'cached' ? 'done' : 'damaged'
  }

  /** Of the present blocks among these. */
  #stateOf(slot: number, place: number, first: number, last: number): Attempt {
    const { cache } = this.#homes
    const maps = place * MAP_WORDS
    const unreadable = this.#unreadable
    let state: Attempt = 'done'
    for (let block = first; block <= last; block += 1) {
      if (!hasBit(cache.present, maps, block)) continue
      if (hasBit(cache.damaged, maps, block)) return 'damaged'
      if (unreadable !== null) {
        if (unreadable.has(placeOf(slot, block))) return 'damaged'
      } else if (!cache.isHot(place, block)) state = 'cold'
    }
    return state
  }

  /** The medium does not give what was believed hot. Which block it is, is found out off the event loop, unless it was tried there. */
  #notHot(place: number, block: number, end: number): Attempt {
    for (let lost = block; lost < end; lost += 1) this.#homes.cache.disbelieve(place, lost)
    return this.#unreadable === null ? 'cold' : 'damaged'
  }

  /** Present blocks, side by side in one slot. A block that is wanted in part is read whole, for its checksum. */
  #readBlocks(slot: number, place: number, offset: number, into: Uint8Array): BlocksRead {
    let at = 0
    const headOff = offset % BLOCK_BYTES
    if (headOff !== 0) {
      at = Math.min(into.length, BLOCK_BYTES - headOff)
      const got = this.#readPart(slot, place, offset, into.subarray(0, at))
      if (got !== 'done') return got
    }
    const whole = into.length - at - ((into.length - at) % BLOCK_BYTES)
    if (whole > 0) {
      const got = this.#readWhole(slot, place, offset + at, into.subarray(at, at + whole))
      if (got !== 'done') return got
    }
    at += whole
    if (at === into.length) return 'done'
    return this.#readPart(slot, place, offset + at, into.subarray(at))
  }

  #readPart(slot: number, place: number, offset: number, into: Uint8Array): BlocksRead {
    const start = offset - (offset % BLOCK_BYTES)
    const got = this.#readWhole(slot, place, start, this.#block)
    if (got === 'done') into.set(this.#block.subarray(offset - start, offset - start + into.length))
    return got
  }

  #readWhole(slot: number, place: number, offset: number, into: Uint8Array): BlocksRead {
    const { segments, cache, blocks } = this.#homes
    const at = segments.offsetOf(slot) + SLOT_HEADER_BYTES + offset
    const file = segments.fileOf(slot)
    try {
      if (file.readSync(into, at) < into.length) {
        blocks.dropSlot(slot) // HO3
        return 'damaged'
      }
    } catch (error) {
      if (error instanceof DiskError) return 'unreadable'
      throw error
    }
    const first = offset / BLOCK_BYTES
    if (file.waited) {
      // HC1: of what is read at once because it was not given in time nothing had been believed.
      if (this.#unreadable === null) cache.doubt(place) // RD6
      cache.believe(place, first, first + into.length / BLOCK_BYTES - 1)
    }
    const sums = place * BLOCKS_PER_PAGE + first
    const count = into.length / BLOCK_BYTES
    if (crc32c(into) !== crc32cOfBlocks(cache.checksums, sums, count)) {
      this.#dropDamaged(slot, place, first, into)
      return 'damaged'
    }
    if (into.length > KEPT_BYTES) {
      blocks.missed(count)
      return 'done'
    }
    for (let block = 0; block < count; block += 1) {
      const from = block * BLOCK_BYTES
      const bytes = count === 1 ? into : into.subarray(from, from + BLOCK_BYTES)
      blocks.checked(slot, first + block, bytes)
    }
    return 'done'
  }

  /** HO3. Those of the blocks that fail their checksums. */
  #dropDamaged(slot: number, place: number, first: number, bytes: Uint8Array): void {
    const { cache, blocks } = this.#homes
    const sums = place * BLOCKS_PER_PAGE + first
    for (let block = 0; block * BLOCK_BYTES < bytes.length; block += 1) {
      const one = bytes.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)
      if (crc32c(one) !== cache.checksums[sums + block]) blocks.drop(slot, first + block)
    }
  }

  /** Brings the range's headers and blocks into the page cache, off the event loop; returns the places that cannot be read. */
  async #warm(volume: VolumeId, offset: number, bytes: number): Promise<ReadonlySet<number>> {
    const { table, cache, segments } = this.#homes
    const unreadable = new Set<number>()
    const end = offset + bytes
    for (let at = offset; at < end; ) {
      const page = Math.floor(at / PAGE_BYTES)
      const to = Math.min(end, (page + 1) * PAGE_BYTES)
      const entry = table.find(volume, page)
      const slot = entry === NO_ENTRY ? NO_SLOT : table.slotOf(entry)
      if (slot !== NO_SLOT && !segments.isLost(slot)) {
        const header = cache.find(entry) < 0 ? await this.#homes.load(entry) : 'cached'
        if (header === 'unreadable') unreadable.add(placeOf(slot, HEADER_PLACE))
        const first = Math.floor((at - page * PAGE_BYTES) / BLOCK_BYTES)
        const last = Math.floor((to - 1 - page * PAGE_BYTES) / BLOCK_BYTES)
        // The page may have moved or gone while its header was read; the next attempt sees.
        if (table.slotOf(entry) === slot) {
          const firstAt = segments.offsetOf(slot) + SLOT_HEADER_BYTES + first * BLOCK_BYTES
          const file = segments.fileOf(slot)
          const isThere = () => table.slotOf(entry) === slot && segments.fileOf(slot) === file
          const lost = await warmBlocks(file, firstAt, last + 1 - first, isThere)
          for (const index of lost) unreadable.add(placeOf(slot, first + index))
          this.#believeHot(entry, slot, { first, last, but: lost })
        }
      }
      at = to
    }
    return unreadable
  }

  #believeHot(
    entry: number,
    slot: number,
    { first, last, but }: { first: number; last: number; but: readonly number[] },
  ): void {
    const { table, cache } = this.#homes
    const place = table.slotOf(entry) === slot ? cache.find(entry) : -1
    if (place < 0) return
    cache.use(place)
    for (let block = first; block <= last; block += 1) {
      if (!but.includes(block - first)) cache.believe(place, block, block)
    }
  }
}

/** The number of a place that is read as a whole: a block of a slot, or its header. */
function placeOf(slot: number, block: number): number {
  return slot * (BLOCKS_PER_PAGE + 1) + block
}

/** Reads the blocks from `firstAt` on and forgets them, as long as they are there (RD4); returns, by index, those that the medium does not give. */
async function warmBlocks(
  file: DiskFile,
  firstAt: number,
  blocks: number,
  isThere: () => boolean,
): Promise<number[]> {
  const scratch = new Uint8Array(Math.min(WARM_BYTES, blocks * BLOCK_BYTES))
  const step = scratch.length / BLOCK_BYTES
  const lost: number[] = []
  for (let index = 0; index < blocks && isThere(); index += step) {
    const count = Math.min(step, blocks - index)
    const at = firstAt + index * BLOCK_BYTES
    if (await isReadable(file, scratch.subarray(0, count * BLOCK_BYTES), at)) continue
    for (let one = 0; one < count && isThere(); one += 1) {
      const block = scratch.subarray(0, BLOCK_BYTES)
      if (!(await isReadable(file, block, at + one * BLOCK_BYTES))) lost.push(index + one)
    }
  }
  return lost
}

async function isReadable(file: DiskFile, into: Uint8Array, offset: number): Promise<boolean> {
  try {
    await file.read(into, offset)
    return true
  } catch (error) {
    if (error instanceof DiskError) return false
    throw error
  }
}

/** The page that says where the block is; undefined: its home does. */
function newestPage(
  dirty: DirtyPage | undefined,
  homing: DirtyPage | undefined,
  block: number,
): DirtyPage | undefined {
  if (dirty !== undefined && dirty.cells[block] !== UNTOUCHED) return dirty
  return homing !== undefined && homing.cells[block] !== UNTOUCHED ? homing : undefined
}

/** The block at `offset`, of which `next` says where it is, lies beside those of `page`. */
function isLike(
  page: DirtyPage | undefined,
  cell: number,
  next: DirtyPage | undefined,
  offset: number,
): boolean {
  return next === page && (page === undefined || page.cells[offset / BLOCK_BYTES] === cell)
}

function zeros(into: Uint8Array): 'done' {
  into.fill(0)
  return 'done'
}
