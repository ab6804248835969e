// Reading: from the overlay, else from the slot, every block checked against its header's checksum. What is believed to
// be in the page cache is read at once; the rest is first brought there off the event loop and then read in the same way,
// so that there is one path that copies bytes to a reader, and it never runs beside a change.
//
// Invariants:
//   RD1. No byte of a block that fails its checksum is returned as good.
//   RD2. What is not durable is not seen; what is durable is.
import { crc32c } from '../base/crc32c.ts'
import { hasBit, setBit } from './bitmap.ts'
import type { Homes } from './homes.ts'
import { BLOCK_BYTES, BLOCKS_PER_PAGE, MAP_WORDS, PAGE_BYTES, SLOT_HEADER_BYTES } from './layout.ts'
import { ABSENT, DAMAGED, type DirtyPage, type Overlay, UNTOUCHED } from './overlay.ts'
import { NO_ENTRY, NO_SLOT } from './page-table.ts'

export type ReadResult = 'done' | 'damaged'
type Attempt = ReadResult | 'cold'

/** Warming this often without success means that the cache is too small for the reader: then it reads at once. */
const WARM_ATTEMPTS = 3
const WARM_BYTES = 256 * 1024
const DAMAGES_LISTED = 1000

export interface DamagedPage {
  readonly volume: number
  readonly page: number
}

export class PageReader {
  readonly #homes: Homes
  readonly #overlay: Overlay
  readonly #block = new Uint8Array(BLOCK_BYTES)
  readonly #damaged = new Map<string, DamagedPage>()

  constructor(homes: Homes, overlay: Overlay) {
    this.#homes = homes
    this.#overlay = overlay
  }

  /** Pages of which a read found a block that has no good copy here; at most a thousand are listed. */
  get damaged(): readonly DamagedPage[] {
    return [...this.#damaged.values()]
  }

  read(volume: number, offset: number, into: Uint8Array): ReadResult | Promise<ReadResult> {
    const attempt = this.#attempt(volume, offset, into, false)
    return attempt === 'cold' ? this.#readCold(volume, offset, into) : attempt
  }

  async #readCold(volume: number, offset: number, into: Uint8Array): Promise<ReadResult> {
    for (let i = 0; i < WARM_ATTEMPTS; i += 1) {
      await this.#warm(volume, offset, into.length)
      const attempt = this.#attempt(volume, offset, into, false)
      if (attempt !== 'cold') return attempt
    }
    return this.#attempt(volume, offset, into, true) === 'done' ? 'done' : 'damaged'
  }

  #attempt(volume: number, offset: number, into: Uint8Array, now: boolean): Attempt {
    const { table } = this.#homes
    const end = offset + into.length
    let result: Attempt = 'done'
    for (let at = offset; at < end; ) {
      const page = Math.floor(at / PAGE_BYTES)
      const to = Math.min(end, (page + 1) * PAGE_BYTES)
      const piece = into.subarray(at - offset, to - offset)
      const entry = table.find(volume, page)
      const got =
        entry === NO_ENTRY
          ? zeros(piece)
          : this.#readPage(entry, at - page * PAGE_BYTES, piece, now)
      if (got === 'cold') return 'cold'
      if (got === 'damaged') {
        result = 'damaged'
        if (this.#damaged.size < DAMAGES_LISTED) {
          this.#damaged.set(`${volume}/${page}`, { volume, page })
        }
      }
      at = to
    }
    return result
  }

  #readPage(entry: number, offset: number, into: Uint8Array, now: boolean): Attempt {
    const dirty = this.#overlay.dirty(entry)
    const homing = this.#overlay.homing(entry)
    const end = offset + into.length
    if (dirty === undefined && homing === undefined) return this.#readHome(entry, offset, into, now)
    for (let at = offset; at < end; ) {
      const block = Math.floor(at / BLOCK_BYTES)
      const cell = newestCell(dirty, homing, block)
      let to = Math.min(end, (block + 1) * BLOCK_BYTES)
      if (cell === UNTOUCHED) {
        while (to < end && newestCell(dirty, homing, to / BLOCK_BYTES) === UNTOUCHED) {
          to = Math.min(end, to + BLOCK_BYTES)
        }
        const got = this.#readHome(entry, at, into.subarray(at - offset, to - offset), now)
        if (got !== 'done') return got
      } else if (cell === DAMAGED) return 'damaged'
      else if (cell === ABSENT) into.fill(0, at - offset, to - offset)
      else {
        const from = at - block * BLOCK_BYTES
        into.set(this.#overlay.cell(cell).subarray(from, from + to - at), at - offset)
      }
      at = to
    }
    return 'done'
  }

  #readHome(entry: number, offset: number, into: Uint8Array, now: boolean): Attempt {
    const { table, cache } = this.#homes
    const slot = table.slotOf(entry)
    if (slot === NO_SLOT) return zeros(into)
    let place = cache.find(entry)
    if (place < 0) {
      if (table.headerLost[entry] === 1) return 'damaged'
      if (!now) return 'cold'
      if (this.#homes.loadSync(entry) !== 'cached') return 'damaged'
      place = cache.find(entry)
    }
    const maps = place * MAP_WORDS
    const first = Math.floor(offset / BLOCK_BYTES)
    const last = Math.floor((offset + into.length - 1) / BLOCK_BYTES)
    const state = this.#stateOf(maps, first, last)
    if (state === 'damaged' || (state === 'cold' && !now)) return state
    for (let block = first; block <= last; ) {
      const present = hasBit(cache.present, maps, block)
      let next = block + 1
      while (next <= last && hasBit(cache.present, maps, next) === present) next += 1
      const from = Math.max(offset, block * BLOCK_BYTES)
      const to = Math.min(offset + into.length, next * BLOCK_BYTES)
      const piece = into.subarray(from - offset, to - offset)
      if (!present) piece.fill(0)
      else if (!this.#readBlocks(slot, place, from, piece)) return 'damaged'
      block = next
    }
    return 'done'
  }

  /** Of the present blocks among these. */
  #stateOf(maps: number, first: number, last: number): Attempt {
    const { cache } = this.#homes
    let state: Attempt = 'done'
    for (let block = first; block <= last; block += 1) {
      if (!hasBit(cache.present, maps, block)) continue
      if (hasBit(cache.damaged, maps, block)) return 'damaged'
      if (!hasBit(cache.hot, maps, block)) state = 'cold'
    }
    return state
  }

  /** Present blocks, side by side in one slot. A block that is wanted in part is read whole, for its checksum. */
  #readBlocks(slot: number, place: number, offset: number, into: Uint8Array): boolean {
    let at = 0
    const headOff = offset % BLOCK_BYTES
    if (headOff !== 0) {
      at = Math.min(into.length, BLOCK_BYTES - headOff)
      if (!this.#readPart(slot, place, offset, into.subarray(0, at))) return false
    }
    const whole = into.length - at - ((into.length - at) % BLOCK_BYTES)
    if (whole > 0) {
      const blocks = into.subarray(at, at + whole)
      if (!this.#readWhole(slot, place, offset + at, blocks)) return false
    }
    at += whole
    return at === into.length || this.#readPart(slot, place, offset + at, into.subarray(at))
  }

  #readPart(slot: number, place: number, offset: number, into: Uint8Array): boolean {
    const start = offset - (offset % BLOCK_BYTES)
    if (!this.#readWhole(slot, place, start, this.#block)) return false
    into.set(this.#block.subarray(offset - start, offset - start + into.length))
    return true
  }

  #readWhole(slot: number, place: number, offset: number, into: Uint8Array): boolean {
    const { segments, cache } = this.#homes
    const at = segments.offsetOf(slot) + SLOT_HEADER_BYTES + offset
    if (segments.fileOf(slot).readSync(into, at) < into.length) return false
    const sums = place * BLOCKS_PER_PAGE + offset / BLOCK_BYTES
    for (let block = 0; block * BLOCK_BYTES < into.length; block += 1) {
      const from = block * BLOCK_BYTES
      const bytes = into.length === BLOCK_BYTES ? into : into.subarray(from, from + BLOCK_BYTES)
      if (crc32c(bytes) !== cache.checksums[sums + block]) return false
    }
    return true
  }

  /** Brings the range's headers and blocks into the page cache, off the event loop. */
  async #warm(volume: number, offset: number, bytes: number): Promise<void> {
    const { table, cache, segments } = this.#homes
    const end = offset + bytes
    for (let at = offset; at < end; ) {
      const page = Math.floor(at / PAGE_BYTES)
      const to = Math.min(end, (page + 1) * PAGE_BYTES)
      const entry = table.find(volume, page)
      const slot = entry === NO_ENTRY ? NO_SLOT : table.slotOf(entry)
      if (slot !== NO_SLOT) {
        if (cache.find(entry) < 0) await this.#homes.load(entry)
        const first = Math.floor((at - page * PAGE_BYTES) / BLOCK_BYTES)
        const last = Math.floor((to - 1 - page * PAGE_BYTES) / BLOCK_BYTES)
        // The page may have moved or gone while its header was read; the next attempt sees.
        if (table.slotOf(entry) === slot) {
          await warmBlocks(segments.fileOf(slot), segments.offsetOf(slot), first, last)
          this.#believeHot(entry, slot, first, last)
        }
      }
      at = to
    }
  }

  #believeHot(entry: number, slot: number, first: number, last: number): void {
    const { table, cache } = this.#homes
    const place = table.slotOf(entry) === slot ? cache.find(entry) : -1
    if (place < 0) return
    for (let block = first; block <= last; block += 1) setBit(cache.hot, place * MAP_WORDS, block)
  }
}

async function warmBlocks(
  file: { read(into: Uint8Array, offset: number): Promise<number> },
  slotAt: number,
  first: number,
  last: number,
): Promise<void> {
  const end = slotAt + SLOT_HEADER_BYTES + (last + 1) * BLOCK_BYTES
  const scratch = new Uint8Array(Math.min(WARM_BYTES, (last + 1 - first) * BLOCK_BYTES))
  for (let at = slotAt + SLOT_HEADER_BYTES + first * BLOCK_BYTES; at < end; at += scratch.length) {
    await file.read(scratch.subarray(0, Math.min(scratch.length, end - at)), at)
  }
}

function newestCell(
  dirty: DirtyPage | undefined,
  homing: DirtyPage | undefined,
  block: number,
): number {
  const cell = dirty === undefined ? UNTOUCHED : (dirty.cells[block] ?? UNTOUCHED)
  if (cell !== UNTOUCHED || homing === undefined) return cell
  return homing.cells[block] ?? UNTOUCHED
}

function zeros(into: Uint8Array): 'done' {
  into.fill(0)
  return 'done'
}
