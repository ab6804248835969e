// What is durable in the journal and not yet home. Two generations: `dirty` takes what becomes durable now, `homing` is
// being written home and does not change. A read looks at dirty, then homing, then the home.
//
// Invariants:
//   OV1. A block of `homing` stays readable here until the slot that holds it is synced and the table says so.
//   OV2. Neither cells in use nor pages without a cell, of which only marks are kept, exceed their bounds; so pages do
//        not exceed the sum of both. A change that finds no room waits.
import { assert } from '../base/assert.ts'
import { sharedBytes } from '../base/disk.ts'
import type { Epoch } from '../base/ids.ts'
import { BLOCK_BYTES } from '../base/sizes.ts'
import { clearBit, hasBit, setBit } from './bitmap.ts'
import { BLOCKS_PER_PAGE, MAP_WORDS, PAGES_PER_RUN } from './layout.ts'
import { Newest, type Stamp } from './stamp.ts'

/** What `DirtyPage.cells` says of a block, if not the cell that holds it. */
export const UNTOUCHED = -1
/** Unmapped: reads as zeros. */
export const ABSENT = -2
/** Its bytes in the journal failed their checksum. */
export const DAMAGED = -3
/** Its bytes are in the page's direct slot, durable. */
export const DIRECT = -4

/** The block's bytes are here, or in the page's direct slot. */
export function hasBytes(cell: number): boolean {
  return cell >= 0 || cell === DIRECT
}

/** A page takes about as much memory as a cell, 3.9 KiB: those without one add at most a quarter to the cells'. */
const CELLS_PER_BARE_PAGE = 4
const CELLS_PER_CHUNK = 256
const POOLED_PAGES = 512

export class DirtyPage implements Stamp {
  /** Of the changes in it. */
  readonly newest = new Newest()
  entry = 0
  /** The page was unmapped whole, or its volume dropped, while it was on its way home. */
  dropped = false
  /** Cells that it has. */
  held = 0
  /** Blocks that are not at home yet, as far as is known: they will take room there. */
  readonly fresh = new Uint32Array(MAP_WORDS)
  freshBlocks = 0
  readonly cells = new Int32Array(BLOCKS_PER_PAGE).fill(UNTOUCHED)
  readonly checksums = new Uint32Array(BLOCKS_PER_PAGE)
  /** Where its DIRECT blocks are, −1 if it never had any. */
  direct = -1
  // From here on: the header that home writing prepares. The checksums of untouched blocks are filled in beside the others.
  readonly present = new Uint32Array(MAP_WORDS)
  readonly damaged = new Uint32Array(MAP_WORDS)
  slot = -1
  /** The slot was taken for it in this round. */
  isNew = false
  /** What is at home of it is lost: blocks that are not touched are damaged. */
  isLost = false
  /** Some of its blocks are, or were, damaged: they may have no place in its slot. */
  isHoled = false
  /** It moves into its direct slot in this round. */
  isMoving = false
  copy: 0 | 1 = 0
  version = 0
  blocks = 0
  /** Of those that are written: such as the home did not have. */
  added = 0

  get epoch(): Epoch {
    return this.newest.epoch
  }

  get seq(): number {
    return this.newest.seq
  }
}

export class Overlay {
  /** In cells. */
  readonly capacity: number
  /** Enough for any one change: it stays inside a run. */
  readonly #barePagesMost: number
  readonly #chunks: Uint8Array[] = []
  readonly #free: number[] = []
  #made = 0
  #used = 0
  #fresh = 0
  /** Pages that have a cell. */
  #holding = 0
  #dirty = new Map<number, DirtyPage>()
  #homing = new Map<number, DirtyPage>()
  readonly #pool: DirtyPage[] = []

  constructor(bytes: number) {
    this.capacity = Math.floor(bytes / BLOCK_BYTES)
    this.#barePagesMost = Math.max(PAGES_PER_RUN, Math.floor(this.capacity / CELLS_PER_BARE_PAGE))
  }

  get usedCells(): number {
    return this.#used
  }

  get freeCells(): number {
    return this.capacity - this.#used
  }

  get dirtyPages(): number {
    return this.#dirty.size
  }

  /** Dirty and homing. */
  get pages(): number {
    return this.#dirty.size + this.#homing.size
  }

  /** How many more pages may have nothing but marks. */
  get freeBarePages(): number {
    return this.#barePagesMost - (this.pages - this.#holding)
  }

  get isHalfFull(): boolean {
    return this.#used * 2 > this.capacity || this.freeBarePages * 2 < this.#barePagesMost
  }

  dirty(entry: number): DirtyPage | undefined {
    return this.#dirty.get(entry)
  }

  /** Nothing of a page that was dropped meanwhile. */
  homing(entry: number): DirtyPage | undefined {
    const page = this.#homing.get(entry)
    return page?.dropped === true ? undefined : page
  }

  /** Blocks that will take room at home (RO1 of room.ts). */
  get freshBlocks(): number {
    return this.#fresh
  }

  /** Pages that will take room at home, and how many blocks of each do. */
  *fresh(): Generator<readonly [entry: number, blocks: number]> {
    for (const pages of [this.#dirty, this.#homing]) {
      for (const { entry, dropped, freshBlocks } of pages.values())
        if (freshBlocks > 0 && !dropped) yield [entry, freshBlocks]
    }
  }

  /** A block's bytes are here. */
  holds(entry: number, block: number): boolean {
    if (hasBytes(this.#dirty.get(entry)?.cells[block] ?? UNTOUCHED)) return true
    return hasBytes(this.homing(entry)?.cells[block] ?? UNTOUCHED)
  }

  /** A change of the page, whose blocks are put in next. */
  raise(entry: number, stamp: Stamp): void {
    this.#open(entry).newest.raise(stamp)
  }

  /** Copies the block in. `isFresh`: the home does not have it, as far as is known. */
  put(entry: number, block: number, bytes: Uint8Array, checksum: number, isFresh: boolean): void {
    const page = this.#open(entry)
    if (isFresh) this.#noteFresh(page, block)
    let cell = page.cells[block] ?? UNTOUCHED
    if (cell < 0) {
      cell = this.#takeCell()
      page.cells[block] = cell
      this.#hold(page, 1)
    }
    page.checksums[block] = checksum
    this.cell(cell).set(bytes)
  }

  /** The block's bytes are in `slot`, durable. */
  putDirect(entry: number, block: number, slot: number, checksum: number, isFresh: boolean): void {
    const page = this.#open(entry)
    assert(page.direct < 0 || page.direct === slot, 'DW4: a page has one direct slot at a time')
    page.direct = slot
    if (isFresh) this.#noteFresh(page, block)
    const cell = page.cells[block] ?? UNTOUCHED
    if (cell >= 0) {
      this.#freeCell(cell)
      this.#hold(page, -1)
    }
    page.cells[block] = DIRECT
    page.checksums[block] = checksum
    assert(this.freeBarePages >= 0, 'OV2: pages without a cell are bounded')
  }

  /** ABSENT or DAMAGED. */
  putMark(entry: number, block: number, mark: typeof ABSENT | typeof DAMAGED): void {
    const page = this.#open(entry)
    const cell = page.cells[block] ?? UNTOUCHED
    page.cells[block] = mark
    this.#clearFresh(page, block)
    if (cell >= 0) {
      this.#freeCell(cell)
      this.#hold(page, -1)
    }
    assert(this.freeBarePages >= 0, 'OV2: pages without a cell are bounded')
  }

  cell(cell: number): Uint8Array {
    const chunk = this.#chunks[Math.floor(cell / CELLS_PER_CHUNK)]
    assert(chunk !== undefined, 'a cell in use has memory')
    const at = (cell % CELLS_PER_CHUNK) * BLOCK_BYTES
    return chunk.subarray(at, at + BLOCK_BYTES)
  }

  /** The block's bytes, and those of the blocks behind it that lie behind them in memory. */
  cellsFrom({ cells }: DirtyPage, block: number): Uint8Array {
    const first = cells[block] ?? UNTOUCHED
    const at = first % CELLS_PER_CHUNK
    const chunk = this.#chunks[Math.floor(first / CELLS_PER_CHUNK)]
    assert(chunk !== undefined, 'a cell in use has memory')
    let count = 1
    while (at + count < CELLS_PER_CHUNK && cells[block + count] === first + count) count += 1
    return chunk.subarray(at * BLOCK_BYTES, (at + count) * BLOCK_BYTES)
  }

  /** Everything dirty is now on its way home. */
  beginRound(): DirtyPage[] {
    assert(this.#homing.size === 0, 'one round at a time')
    const emptied = this.#homing
    this.#homing = this.#dirty
    this.#dirty = emptied
    return [...this.#homing.values()]
  }

  /** It found no room at home: it is dirty again, under what has become dirty since. */
  putBack(page: DirtyPage): void {
    this.#homing.delete(page.entry)
    const newer = this.#dirty.get(page.entry)
    page.slot = -1
    page.isNew = false
    page.isMoving = false
    if (newer === undefined) {
      this.#dirty.set(page.entry, page)
      return
    }
    newer.newest.raise(page)
    assert(page.direct < 0 || newer.direct < 0, 'DW4: a page has one direct slot at a time')
    newer.direct = Math.max(newer.direct, page.direct)
    for (const [block, cell] of page.cells.entries()) {
      const isKept = newer.cells[block] === UNTOUCHED || hasBytes(newer.cells[block] ?? 0)
      if (isKept && hasBit(page.fresh, 0, block)) this.#setFresh(newer, block)
      if (cell === UNTOUCHED || newer.cells[block] !== UNTOUCHED) continue
      newer.checksums[block] = page.checksums[block] ?? 0
      newer.cells[block] = cell
      page.cells[block] = UNTOUCHED
      if (cell < 0) continue
      this.#hold(newer, 1)
      this.#hold(page, -1)
    }
    this.#recycle(page)
  }

  endRound(): void {
    for (const page of this.#homing.values()) this.#recycle(page)
    this.#homing.clear()
  }

  /** Forgets what is dirty of a page that is gone; what is homing is only marked, its writes are under way. */
  drop(entry: number): void {
    const page = this.#dirty.get(entry)
    if (page !== undefined) {
      this.#dirty.delete(entry)
      this.#recycle(page)
    }
    const homing = this.#homing.get(entry)
    if (homing !== undefined) homing.dropped = true
  }

  #open(entry: number): DirtyPage {
    let page = this.#dirty.get(entry)
    if (page === undefined) {
      page = this.#pool.pop() ?? new DirtyPage()
      page.entry = entry
      this.#dirty.set(entry, page)
    }
    return page
  }

  /** Unless it is on its way home already. */
  #noteFresh(page: DirtyPage, block: number): void {
    if (!hasBytes(this.homing(page.entry)?.cells[block] ?? UNTOUCHED)) this.#setFresh(page, block)
  }

  #setFresh(page: DirtyPage, block: number): void {
    if (hasBit(page.fresh, 0, block)) return
    setBit(page.fresh, 0, block)
    page.freshBlocks += 1
    this.#fresh += 1
  }

  #clearFresh(page: DirtyPage, block: number): void {
    if (!hasBit(page.fresh, 0, block)) return
    clearBit(page.fresh, 0, block)
    page.freshBlocks -= 1
    this.#fresh -= 1
  }

  #hold(page: DirtyPage, cells: number): void {
    const before = page.held
    page.held += cells
    if (before === 0) this.#holding += 1
    else if (page.held === 0) this.#holding -= 1
  }

  #recycle(page: DirtyPage): void {
    // The last first, so that they are taken again side by side.
    for (let block = BLOCKS_PER_PAGE - 1; block >= 0; block -= 1) {
      const cell = page.cells[block] ?? UNTOUCHED
      if (cell >= 0) this.#freeCell(cell)
    }
    if (page.held > 0) this.#hold(page, -page.held)
    page.cells.fill(UNTOUCHED)
    this.#fresh -= page.freshBlocks
    page.freshBlocks = 0
    page.fresh.fill(0)
    page.dropped = false
    page.newest.clear()
    page.slot = -1
    page.isNew = false
    page.isMoving = false
    page.direct = -1
    if (this.#pool.length < POOLED_PAGES) this.#pool.push(page)
  }

  #takeCell(): number {
    assert(this.#used < this.capacity, 'OV2: the overlay is bounded')
    this.#used += 1
    const free = this.#free.pop()
    if (free !== undefined) return free
    const cell = this.#made
    this.#made += 1
    if (cell % CELLS_PER_CHUNK === 0) {
      this.#chunks.push(sharedBytes(CELLS_PER_CHUNK * BLOCK_BYTES))
    }
    return cell
  }

  #freeCell(cell: number): void {
    this.#used -= 1
    this.#free.push(cell)
  }
}
