// What is durable in the journal and not yet home. Two generations: `dirty` takes what becomes durable now, `homing` is
// being written home and does not change. A read looks at dirty, then homing, then the home.
//
// Invariants:
//   OV1. A block of `homing` stays readable here until the slot that holds it is synced and the table says so.
//   OV2. Cells in use never exceed the bound: a write that finds no cell waits.
import { assert } from '../base/assert.ts'
import { BLOCK_BYTES, BLOCKS_PER_PAGE, MAP_WORDS } from './layout.ts'

/** What `DirtyPage.cells` says of a block, if not the cell that holds it. */
export const UNTOUCHED = -1
/** Unmapped: reads as zeros. */
export const ABSENT = -2
/** Its bytes in the journal failed their checksum. */
export const DAMAGED = -3

const CELLS_PER_CHUNK = 256
const POOLED_PAGES = 512

export class DirtyPage {
  entry = 0
  /** The volume was dropped while the page was on its way home. */
  dropped = false
  /** Blocks that are not UNTOUCHED. */
  touched = 0
  readonly cells = new Int32Array(BLOCKS_PER_PAGE).fill(UNTOUCHED)
  readonly checksums = new Uint32Array(BLOCKS_PER_PAGE)
  // From here on: the header that home writing prepares. The checksums of untouched blocks are filled in beside the others.
  readonly present = new Uint32Array(MAP_WORDS)
  readonly damaged = new Uint32Array(MAP_WORDS)
  slot = -1
  /** The slot was taken for it in this round. */
  isNew = false
  copy: 0 | 1 = 0
  version = 0
  blocks = 0
}

export class Overlay {
  readonly capacity: number
  readonly #chunks: Uint8Array[] = []
  readonly #free: number[] = []
  #made = 0
  #used = 0
  #dirty = new Map<number, DirtyPage>()
  #homing = new Map<number, DirtyPage>()
  readonly #pool: DirtyPage[] = []

  constructor(bytes: number) {
    this.capacity = Math.floor(bytes / BLOCK_BYTES)
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

  get homingPages(): number {
    return this.#homing.size
  }

  get isEmpty(): boolean {
    return this.#dirty.size === 0 && this.#homing.size === 0
  }

  dirty(entry: number): DirtyPage | undefined {
    return this.#dirty.get(entry)
  }

  homing(entry: number): DirtyPage | undefined {
    return this.#homing.get(entry)
  }

  /** Copies the block in. */
  put(entry: number, block: number, bytes: Uint8Array, checksum: number): void {
    const page = this.#open(entry)
    let cell = page.cells[block] ?? UNTOUCHED
    if (cell < 0) {
      cell = this.#takeCell()
      this.#mark(page, block, cell)
    }
    page.checksums[block] = checksum
    this.cell(cell).set(bytes)
  }

  /** ABSENT or DAMAGED. */
  putMark(entry: number, block: number, mark: typeof ABSENT | typeof DAMAGED): void {
    const page = this.#open(entry)
    const cell = page.cells[block] ?? UNTOUCHED
    if (cell >= 0) this.#freeCell(cell)
    this.#mark(page, block, mark)
  }

  cell(cell: number): Uint8Array {
    const chunk = this.#chunks[Math.floor(cell / CELLS_PER_CHUNK)]
    assert(chunk !== undefined, 'a cell in use has memory')
    const at = (cell % CELLS_PER_CHUNK) * BLOCK_BYTES
    return chunk.subarray(at, at + BLOCK_BYTES)
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
    if (newer === undefined) {
      this.#dirty.set(page.entry, page)
      return
    }
    for (const [block, cell] of page.cells.entries()) {
      if (cell === UNTOUCHED || newer.cells[block] !== UNTOUCHED) continue
      newer.checksums[block] = page.checksums[block] ?? 0
      this.#mark(newer, block, cell)
      page.cells[block] = UNTOUCHED
    }
    this.#recycle(page)
  }

  endRound(): void {
    for (const page of this.#homing.values()) this.#recycle(page)
    this.#homing.clear()
  }

  /** Forgets what is dirty of a page whose volume is gone; what is homing is only marked, its writes are under way. */
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

  #mark(page: DirtyPage, block: number, value: number): void {
    if (page.cells[block] === UNTOUCHED) page.touched += 1
    page.cells[block] = value
  }

  #recycle(page: DirtyPage): void {
    for (const cell of page.cells) if (cell >= 0) this.#freeCell(cell)
    page.cells.fill(UNTOUCHED)
    page.touched = 0
    page.dropped = false
    page.slot = -1
    page.isNew = false
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
      this.#chunks.push(new Uint8Array(CELLS_PER_CHUNK * BLOCK_BYTES))
    }
    return cell
  }

  #freeCell(cell: number): void {
    this.#used -= 1
    this.#free.push(cell)
  }
}
