// Writing home: a round takes everything that is dirty, writes it to the slots, syncs them, and only then tells the
// table. One round at a time; a few pages of it at once. Reads meanwhile find the blocks in the overlay (OV1).
//
// Invariants:
//   HW1. A round takes only what the journal has made durable.
//   HW2. The table and the overlay change only after every touched segment is synced.
//   HW3. A header copy that the index names is not overwritten: the other copy is (SH1). A slot that is new for its page
//        gets both, the second empty, so that nothing of an earlier owner can be taken for it.
//   HW4. A page for which the disk has no room stays in the overlay, and its old home counts as before.
//   HW5. So does a page whose header the disk does not give, while the round is patient; then the blocks under that
//        header are damaged.
//   HW6. A page whose home is lost (lost-pages.ts, SL4) gets a slot of its own, in which all but what was touched is damaged.
import { type DiskFile, isFull } from '../base/disk.ts'
import { BLOCK_BYTES } from '../base/sizes.ts'
import { clearBit, countBits, hasBit, setBit } from './bitmap.ts'
import type { Homes } from './homes.ts'
import { BLOCKS_PER_PAGE, HEADER_COPY_BYTES, MAP_WORDS, SLOT_HEADER_BYTES } from './layout.ts'
import { ABSENT, DAMAGED, type DirtyPage, type Overlay, UNTOUCHED } from './overlay.ts'
import { NO_SLOT } from './page-table.ts'
import { encodeHeader } from './slot-header.ts'

/** Pages written at once: enough to overlap the system calls, few enough to leave libuv's threads to the journal. */
const LANES = 2

/** What a page's new header starts from. */
type Base = 'none' | 'lost' | 'cached'
/** What became of a page: no room, or no header. */
type Written = 'home' | 'full' | 'headless'

interface Round {
  /** Of this lane, to encode into. */
  readonly header: Uint8Array
  readonly position: number
  readonly isPatient: boolean
}

export class HomeWriter {
  readonly #homes: Homes
  readonly #overlay: Overlay
  /** The highest version given so far. */
  version = 0
  /** Pages that the last round left to the next because of HW5. */
  headless = 0

  constructor(homes: Homes, overlay: Overlay) {
    this.#homes = homes
    this.#overlay = overlay
  }

  /** Everything that was dirty at the call is home when it resolves, but for as many pages as it returns, for which the disk had no room, and for the `headless`. `position`: everything before it in the journal was dirty or home then. */
  async round(position: number, isPatient = false): Promise<number> {
    const { table, segments } = this.#homes
    table.reuseRetired()
    const pages = this.#overlay.beginRound()
    const homeless = new Set<DirtyPage>()
    const headless = new Set<DirtyPage>()
    for (const page of pages) {
      if (page.dropped) continue
      page.isLost = this.#homes.isLost(page.entry)
      page.slot = page.isLost ? NO_SLOT : table.slotOf(page.entry)
      page.isNew = page.slot === NO_SLOT
      if (!page.isNew || !holdsBlocks(page)) continue
      const slot = await segments.take()
      if (slot === null) homeless.add(page)
      else page.slot = slot
    }
    pages.sort((a, b) => a.slot - b.slot)
    let next = 0
    const lane = async () => {
      const header = new Uint8Array(SLOT_HEADER_BYTES)
      for (let page = pages[next++]; page !== undefined; page = pages[next++]) {
        if (page.slot === NO_SLOT || page.dropped) continue
        const written = await this.#writePage(page, { header, position, isPatient })
        if (written === 'full') homeless.add(page)
        if (written === 'headless') headless.add(page)
      }
    }
    await Promise.all(Array.from({ length: LANES }, lane))
    await segments.syncTouched()
    for (const page of pages) {
      if ((homeless.has(page) || headless.has(page)) && !page.dropped) this.#putBack(page)
      else this.#settle(page)
    }
    this.#overlay.endRound()
    this.headless = headless.size
    return homeless.size
  }

  /** HW4 HW5 */
  #putBack(page: DirtyPage): void {
    if (page.isNew && page.slot !== NO_SLOT) this.#homes.segments.giveBack(page.slot)
    this.#overlay.putBack(page)
  }

  async #writePage(page: DirtyPage, round: Round): Promise<Written> {
    const { entry } = page
    let base: Base = page.isNew ? 'none' : 'cached'
    if (page.isLost) base = 'lost'
    // The cache may give the place away between a load and this turn, so it is looked up again in the turn that merges.
    while (base === 'cached' && this.#homes.cache.find(entry) < 0) {
      const loaded = await this.#homes.load(entry)
      if (page.dropped) return 'home'
      if (loaded === 'unreadable' && round.isPatient) return 'headless'
      if (loaded === 'lost' || loaded === 'unreadable') base = 'lost'
    }
    this.#merge(page, base)
    try {
      await this.#writeMerged(page, base, round)
      return 'home'
    } catch (error) {
      if (!isFull(error)) throw error
      return 'full'
    }
  }

  async #writeMerged(page: DirtyPage, base: Base, { header, position }: Round): Promise<void> {
    const { table, segments, seed } = this.#homes
    const { entry } = page
    const wholeHeader = base !== 'cached'
    page.version = Math.max(position, page.isNew ? 0 : table.versionOf(entry) + 1)
    this.version = Math.max(this.version, page.version)
    if (page.blocks === 0) return
    const file = segments.touch(page.slot)
    const at = segments.offsetOf(page.slot)
    await this.#writeBlocks(page, file, at + SLOT_HEADER_BYTES)
    if (page.dropped) return
    const identity = {
      volume: table.volumeOf(entry),
      page: table.pageOf(entry),
      slice: table.sliceOf(entry),
    }
    if (wholeHeader) header.fill(0)
    const content = { present: page.present, damaged: page.damaged, checksums: page.checksums }
    encodeHeader(header, identity, page.version, content, seed)
    if (wholeHeader) await file.write([header], at)
    else {
      const copyAt = at + page.copy * HEADER_COPY_BYTES
      await file.write([header.subarray(0, HEADER_COPY_BYTES)], copyAt)
    }
  }

  /** The header as it will be: what is touched here over what is at home. Blocks under a lost header are damaged. */
  #merge(page: DirtyPage, base: Base): void {
    const { cache } = this.#homes
    const place = base === 'cached' ? cache.find(page.entry) : -1
    if (place >= 0) {
      const maps = place * MAP_WORDS
      page.present.set(cache.present.subarray(maps, maps + MAP_WORDS))
      page.damaged.set(cache.damaged.subarray(maps, maps + MAP_WORDS))
    } else {
      page.present.fill(base === 'lost' ? 0xffffffff : 0)
      page.damaged.fill(base === 'lost' ? 0xffffffff : 0)
    }
    page.copy = place >= 0 && cache.copy[place] === 0 ? 1 : 0
    const sums = place * BLOCKS_PER_PAGE
    page.added = 0
    for (let block = 0; block < BLOCKS_PER_PAGE; block += 1) {
      if (isAdded(page, block)) page.added += 1
      if (page.cells[block] !== UNTOUCHED) mergeTouched(page, block)
      else page.checksums[block] = place >= 0 ? (cache.checksums[sums + block] ?? 0) : 0
    }
    page.blocks = countBits(page.present)
  }

  async #writeBlocks(page: DirtyPage, file: DiskFile, at: number): Promise<void> {
    let parts: Uint8Array[] = []
    for (let block = 0; block <= BLOCKS_PER_PAGE; block += 1) {
      const cell = block < BLOCKS_PER_PAGE ? (page.cells[block] ?? UNTOUCHED) : UNTOUCHED
      if (cell >= 0) {
        parts.push(this.#overlay.cell(cell))
        continue
      }
      if (parts.length === 0) continue
      await file.write(parts, at + (block - parts.length) * BLOCK_BYTES)
      parts = []
    }
  }

  #settle(page: DirtyPage): void {
    const { table, segments, cache, lost } = this.#homes
    const { entry } = page
    if (page.dropped) {
      // Its old slot was released by the drop; one that was taken for it here was not.
      if (page.isNew && page.slot !== NO_SLOT) segments.release(page.slot, page.held)
      return
    }
    if (page.isLost) {
      lost.found(table.volumeOf(entry), table.pageOf(entry))
      const before = table.slotOf(entry)
      if (before !== NO_SLOT) segments.release(before, table.takenOf(entry))
      table.vacate(entry)
    }
    if (page.slot === NO_SLOT || page.blocks === 0) {
      if (page.slot !== NO_SLOT) segments.release(page.slot, table.takenOf(entry))
      cache.evict(entry)
      table.vacate(entry)
      return
    }
    table.settle(entry, page.slot, page.version, page)
    table.headerLost[entry] = 0
    const place = cache.put(entry, page, page.copy)
    for (let block = 0; block < BLOCKS_PER_PAGE; block += 1) {
      const cell = page.cells[block] ?? UNTOUCHED
      if (cell >= 0 && hasBit(page.present, 0, block)) {
        setBit(cache.hot, place * MAP_WORDS, block)
      }
    }
  }
}

/** Before the block is merged: its bytes are written where the home has none. */
function isAdded(page: DirtyPage, block: number): boolean {
  if ((page.cells[block] ?? UNTOUCHED) < 0) return false
  return page.isNew || !hasBit(page.present, 0, block)
}

function mergeTouched(page: DirtyPage, block: number): void {
  const cell = page.cells[block] ?? UNTOUCHED
  if (cell === ABSENT) clearBit(page.present, 0, block)
  else setBit(page.present, 0, block)
  if (cell === DAMAGED) setBit(page.damaged, 0, block)
  else clearBit(page.damaged, 0, block)
}

function holdsBlocks(page: DirtyPage): boolean {
  if (page.isLost) return page.cells.some((cell) => cell !== ABSENT)
  for (const cell of page.cells) if (cell >= 0 || cell === DAMAGED) return true
  return false
}
