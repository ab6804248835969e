// Which blocks of a range a store has: for GET LBA STATUS. Whether a block is there is known from the overlay and from the
// page's header; what is not known, or lost, is told as if it were there, which may always be said.
//
// Invariants:
//   HE1. A block that was answered as written is told, whatever is under way at the moment.
//   HE2. One question looks at so many pages, reads so many headers and tells so many extents, and says how far it came.

import type { SliceId, VolumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES, RUN_BYTES } from '../base/sizes.ts'
import { hasBit } from './bitmap.ts'
import { BLOCKS_PER_PAGE, MAP_WORDS } from './layout.ts'
import { ABSENT, UNTOUCHED } from './overlay.ts'
import { NO_SLOT } from './page-table.ts'
import { eachPage, type Pages } from './pages.ts'

const PAGES_MOST = 4096
const LOADS_MOST = 64

export interface HeldQuestion {
  readonly volume: VolumeId
  /** Only pages of these are looked at. */
  readonly slices: ReadonlySet<SliceId>
  /** Bytes [from, to), whole blocks. */
  readonly from: number
  readonly to: number
  /** So many extents. */
  readonly most: number
}

export interface HeldAnswer {
  /** Nothing is said about what is behind it. */
  readonly upTo: number
  /** Bytes [from, to), in order, apart from each other. */
  readonly extents: readonly (readonly [from: number, to: number])[]
}

export async function heldExtents(pages: Pages, question: HeldQuestion): Promise<HeldAnswer> {
  const { volume, from, to } = question
  if (pages.homes.lost.isOf(volume)) return { upTo: to, extents: [[from, to]] }
  return new Walk(pages, question).go()
}

class Walk {
  readonly #pages: Pages
  readonly #question: HeldQuestion
  readonly #extents: [number, number][] = []
  #looked = 0
  #loads = 0

  constructor(pages: Pages, question: HeldQuestion) {
    this.#pages = pages
    this.#question = question
  }

  async go(): Promise<HeldAnswer> {
    const { volume, slices, from, to, most } = this.#question
    const { table } = this.#pages.homes
    const lastRun = Math.floor((to - 1) / RUN_BYTES)
    let run = table.nextRun(volume, Math.floor(from / RUN_BYTES), lastRun)
    for (; run >= 0; run = table.nextRun(volume, run + 1, lastRun)) {
      const start = Math.max(from, run * RUN_BYTES)
      if (this.#looked >= PAGES_MOST) return this.#upTo(start)
      const entry = table.find(volume, Math.floor(start / PAGE_BYTES))
      if (!slices.has(table.sliceOf(entry))) continue
      await this.#lookAt(start, Math.min(to, (run + 1) * RUN_BYTES))
      const beyond = this.#extents[most]
      if (beyond !== undefined) return this.#upTo(beyond[0])
    }
    return this.#upTo(to)
  }

  /** HE2 */
  #upTo(upTo: number): HeldAnswer {
    const { most } = this.#question
    return { upTo, extents: this.#extents.slice(0, most) }
  }

  /** Some pages of one run. */
  async #lookAt(from: number, to: number): Promise<void> {
    const { homes } = this.#pages
    const { table, cache, segments } = homes
    const parts: [page: number, first: number, last: number][] = []
    eachPage(from, to, (...part) => parts.push(part))
    for (const [page, first, last] of parts) {
      this.#looked += 1
      const entry = table.find(this.#question.volume, page)
      const slot = table.slotOf(entry)
      const isCold =
        slot !== NO_SLOT &&
        table.present[entry] !== BLOCKS_PER_PAGE &&
        cache.find(entry) < 0 &&
        !segments.isLost(slot)
      if (isCold && this.#loads < LOADS_MOST) {
        this.#loads += 1
        await homes.load(entry)
      }
      this.#tell(entry, page, first, last)
    }
  }

  #tell(entry: number, page: number, first: number, last: number): void {
    const at = page * PAGE_BYTES
    for (let block = first; block <= last; block += 1) {
      if (!this.#mayHold(entry, block)) continue
      const from = at + block * BLOCK_BYTES
      const before = this.#extents.at(-1)
      if (before !== undefined && before[1] === from) before[1] = from + BLOCK_BYTES
      else this.#extents.push([from, from + BLOCK_BYTES])
    }
  }

  #mayHold(entry: number, block: number): boolean {
    const { overlay, homes } = this.#pages
    const newest = overlay.dirty(entry)?.cells[block] ?? UNTOUCHED
    const cell = newest !== UNTOUCHED ? newest : (overlay.homing(entry)?.cells[block] ?? UNTOUCHED)
    if (cell !== UNTOUCHED) return cell !== ABSENT
    if (homes.table.slotOf(entry) === NO_SLOT) return false
    if (homes.table.present[entry] === BLOCKS_PER_PAGE) return true
    const place = homes.table.cached[entry] ?? -1
    return place < 0 || hasBit(homes.cache.present, place * MAP_WORDS, block)
  }
}
