// Large writes that follow one another over pages that are at home: their blocks go straight into a slot of their own, and
// the journal gets a record that names it, both at once. So each byte is written once. The page moves there with the next
// round of home writing if most of it is there then; else those blocks are copied to its home.
//
//   placed ──record to the journal, bytes to the slot──▶ both durable ──▶ applied (DIRECT in the overlay) ──round──▶ home
//
// Invariants:
//   DW1. A direct write is durable when its record and its bytes are. A record that nothing proves counts only if the bytes
//        that it tells of are there.
//   DW2. A block of a direct slot is written once by this: what is in it already, or on its way, goes into the journal.
//   DW3. What may take the place of those bytes at home has a record that proves theirs: it is placed when they are applied.
//        So bytes that do not fit a record that is proven have been written over, and are not missed.
//   DW4. A page has one direct slot at a time, and none is begun while another one is on its way home. When a round begins
//        nothing is on its way to any slot, so that the round alone writes there.
//   DW5. A page moves only in a round that leaves nothing behind: no checkpoint names a slot as a home of which records after
//        its tail tell.
//   DW6. A slot of which records tell, and that no page moved into, is released when a round that was begun after them has
//        left nothing behind. So the checkpoint that frees it has its tail behind them.
//   DW7. Direct slots have been written whole before: as in the journal, a write there needs no room that others may have
//        taken, and changes nothing of the file but its bytes.
//   DW8. A direct slot counts whole from the moment in which it is taken, and none is taken without room for all that there may be.
//   DW9. Of a batch so many writes to slots are under way at most: they share libuv's eight threads with the journal, with
//        syncs and with cold reads (CR1). A write that cannot go straight there as a whole takes no slot.
import { assert } from '../base/assert.ts'
import type { VolumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES, RUN_BYTES } from '../base/sizes.ts'
import { clearBit, hasBit, setBit } from './bitmap.ts'
import type { Homes } from './homes.ts'
import { BLOCKS_PER_PAGE, MAP_WORDS, SLOT_HEADER_BYTES } from './layout.ts'
import type { Overlay } from './overlay.ts'
import { NO_ENTRY, NO_SLOT } from './page-table.ts'
import { eachPage } from './pages.ts'
import { partsOf, type SlotPlace, type StoreWrite } from './record.ts'
import type { StoreSettings } from './settings.ts'

/** Streams that are followed at the same time. */
const STREAMS = 16
/** Writes of one stream may arrive so far out of order. */
const STREAM_REACH = PAGE_BYTES / 2
/** DW9: of one batch. */
const ROWS_AT_ONCE = 3
/** Prepared after one checkpoint: each slot costs what a large write does. */
const PREPARED_SLOTS = 16

/** A page's, until the next round. */
interface DirectSlot {
  readonly at: SlotPlace
  /** One bit a block: DW2. */
  readonly used: Uint32Array
  /** Writes that are neither applied nor undone. */
  underWay: number
}

/** The blocks of a write that are in one page. */
export interface DirectPiece {
  readonly slot: DirectSlot
  /** In the write, in blocks. */
  readonly first: number
  /** In the page. */
  readonly block: number
  readonly blocks: number
  readonly data: Uint8Array
}

type DirectSettings = Pick<
  StoreSettings,
  'directPages' | 'directBytes' | 'directAfterBytes' | 'directLeastBlocks'
>

export class DirectWrites {
  readonly #homes: Homes
  readonly #overlay: Overlay
  readonly #settings: DirectSettings
  readonly #streams = new Streams()
  readonly #slots = new Map<string, DirectSlot>()
  readonly #givenUp: number[] = []
  #hasRoomFor: (slots: number) => boolean = () => false
  #isHalted = false
  #placedSince = 0
  #underWay = 0
  /** Of the slots, those that the last round has left: their pages wait for what it waits for (HW4, HW5). */
  #takenBack = 0
  /** A slot was wanted and there was none. */
  #lacks = false

  constructor(homes: Homes, overlay: Overlay, settings: DirectSettings) {
    this.#homes = homes
    this.#overlay = overlay
    this.#settings = settings
  }

  /** From now on writes are placed. */
  serve(hasRoomFor: (slots: number) => boolean): void {
    this.#hasRoomFor = hasRoomFor
  }

  /** Neither applied nor undone. */
  get underWay(): number {
    return this.#underWay
  }

  /** So many pages wait for a round that one is due. */
  get isPressing(): boolean {
    return (this.#slots.size - this.#takenBack) * 2 > this.#settings.directPages
  }

  /** Released slots that wait for a checkpoint are about to be needed, or some are to be prepared. */
  get wantsSlots(): boolean {
    const { segments } = this.#homes
    return this.#lacks || segments.limboSlots * 2 > this.#settings.directPages
  }

  /** The write is one that may go straight into a slot, or tells of a stream. Once for each write. */
  isSuited(write: StoreWrite): boolean {
    const { volume, offset, bytes, data } = write
    const { directPages, directBytes, directAfterBytes } = this.#settings
    if (directPages === 0 || data === null || bytes < directBytes) return false
    return this.#streams.follow(volume, offset, bytes) >= directAfterBytes || bytes >= PAGE_BYTES
  }

  /** Where its blocks go; null: it is an ordinary write now. It is written, or undone, in this turn of the event loop. */
  place(write: StoreWrite): readonly DirectPiece[] | null {
    const { volume, offset, bytes, data } = write
    if (this.#isHalted || data === null) return null
    if (!this.#takeSlots(write)) return null
    const pieces: DirectPiece[] = []
    eachPage(offset, offset + bytes, (page, first, last) => {
      const slot = this.#slots.get(keyOf(volume, page))
      if (slot === undefined) return
      slot.underWay += 1
      for (let block = first; block <= last; block += 1) setBit(slot.used, 0, block)
      const from = page * PAGE_BYTES + first * BLOCK_BYTES - offset
      const blocks = last + 1 - first
      const piece = data.subarray(from, from + blocks * BLOCK_BYTES)
      pieces.push({ slot, first: from / BLOCK_BYTES, block: first, blocks, data: piece })
    })
    this.#underWay += 1
    this.#placedSince += 1
    return pieces
  }

  /** It was not handed to the disk after all. */
  undo(pieces: readonly DirectPiece[]): void {
    for (const { slot, block, blocks } of pieces) {
      for (let i = 0; i < blocks; i += 1) clearBit(slot.used, 0, block + i)
    }
    this.applied(pieces)
  }

  applied(pieces: readonly DirectPiece[]): void {
    for (const { slot } of pieces) slot.underWay -= 1
    this.#underWay -= 1
  }

  /** DW3: it has to wait until what is under way has been applied. */
  isHeldUp(write: StoreWrite): boolean {
    if (this.#underWay === 0) return false
    let isHeldUp = false
    for (const { volume, offset, bytes, data } of partsOf(write)) {
      if (data === null) continue
      eachPage(offset, offset + bytes, (page, first, last) => {
        const slot = this.#slots.get(keyOf(volume, page))
        if (slot === undefined || slot.underWay === 0) return
        isHeldUp ||= isUsed(slot, first, last)
      })
    }
    return isHeldUp
  }

  /** Resolves when the bytes are durable. */
  async write(pieces: readonly DirectPiece[]): Promise<void> {
    const rows: (readonly DirectPiece[])[] = []
    for (let i = 0; i < pieces.length; i += rows.at(-1)?.length ?? 1) rows.push(rowFrom(pieces, i))
    const left = rows.values()
    const work = async () => {
      for (const row of left) await this.#writeRow(row)
    }
    await Promise.all(Array.from({ length: Math.min(ROWS_AT_ONCE, rows.length) }, work)) // DW9
  }

  /** DW4: nothing is placed before the next round has begun. */
  halt(): void {
    this.#isHalted = true
  }

  /** Those in use are the round's business now, and the others are given up. */
  beginRound(inUse: ReadonlySet<number>): void {
    assert(this.#underWay === 0, 'DW4: when a round begins nothing is on its way to a slot')
    for (const { at } of this.#slots.values()) if (!inUse.has(at.slot)) this.giveUp(at.slot)
    this.#slots.clear()
    this.#takenBack = 0
    this.#isHalted = false
  }

  /** No page moves into the slot. */
  giveUp(slot: number): void {
    this.#givenUp.push(slot)
  }

  /** DW6. The round has left nothing behind. */
  roundComplete(): void {
    for (const slot of this.#givenUp) this.#homes.release(slot, BLOCKS_PER_PAGE, true)
    this.#givenUp.length = 0
  }

  /** The round has left the page with its direct slot as it was. Nothing more is written there. */
  takeBack(volume: VolumeId, page: number, slot: number): void {
    const at = { slot, born: this.#homes.segments.bornOf(slot) }
    const used = new Uint32Array(MAP_WORDS).fill(0xffffffff)
    this.#slots.set(keyOf(volume, page), { at, used, underWay: 0 })
    this.#takenBack += 1
  }

  /** DW7. After a checkpoint: returns how many free slots are kept for what comes; others are given back. */
  async prepareSlots(): Promise<number> {
    const isBusy = this.#placedSince > 0 || this.#lacks
    const isWanted = this.#lacks
    this.#placedSince = 0
    this.#lacks = false
    const most = 2 * this.#settings.directPages
    if (!isBusy || !this.#hasRoomFor(most)) return 0
    if (isWanted) await this.#homes.segments.prepare(PREPARED_SLOTS, most)
    return most
  }

  /** False: not each of its pages can have a slot for these blocks now. */
  #takeSlots({ volume, offset, bytes }: StoreWrite): boolean {
    const { segments, table } = this.#homes
    const wanting: string[] = []
    let isFree = true
    eachPage(offset, offset + bytes, (page, first, last) => {
      const key = keyOf(volume, page)
      const known = this.#slots.get(key)
      const entry = table.find(volume, page)
      if (known !== undefined)
        isFree &&= !isUsed(known, first, last) // DW2
      else if (entry === NO_ENTRY || !this.#canMove(entry)) isFree = false
      else wanting.push(key)
    })
    if (!isFree) return false
    if (wanting.length === 0) return true
    const { directPages } = this.#settings
    if (this.#slots.size + wanting.length > directPages) return false
    if (!this.#hasRoomFor(directPages)) return false // DW8
    this.#lacks ||= segments.warmSlots < wanting.length
    if (segments.warmSlots < wanting.length) return false
    for (const key of wanting) {
      const at = segments.takeDirect()
      assert(at !== null, 'there are so many')
      this.#slots.set(key, { at, used: new Uint32Array(MAP_WORDS), underWay: 0 })
    }
    return true
  }

  #canMove(entry: number): boolean {
    const { table, segments } = this.#homes
    const slot = table.slotOf(entry)
    if (slot === NO_SLOT || segments.isLost(slot) || table.headerLost[entry] === 1) return false
    if ((table.present[entry] ?? 0) < this.#settings.directLeastBlocks) return false
    return (this.#overlay.homing(entry)?.direct ?? NO_SLOT) === NO_SLOT // DW4
  }

  #writeRow(row: readonly DirectPiece[]): Promise<void> {
    const { segments } = this.#homes
    const [first] = row
    if (first === undefined) return Promise.resolve()
    const { slot } = first.slot.at
    const at = segments.offsetOf(slot) + SLOT_HEADER_BYTES + first.block * BLOCK_BYTES
    const parts = row.map(({ data }) => data)
    return segments.fileOf(slot).writeDurable(parts, at)
  }
}

/** The piece, and those behind it that lie behind it in its slot. */
function rowFrom(pieces: readonly DirectPiece[], from: number): readonly DirectPiece[] {
  let end = from + 1
  for (; end < pieces.length; end += 1) {
    const before = pieces[end - 1]
    const next = pieces[end]
    if (before === undefined || next === undefined || next.slot !== before.slot) break
    if (next.block !== before.block + before.blocks) break
  }
  return pieces.slice(from, end)
}

function isUsed({ used }: DirectSlot, first: number, last: number): boolean {
  for (let block = first; block <= last; block += 1) if (hasBit(used, 0, block)) return true
  return false
}

/** Which large writes follow one another. */
class Streams {
  readonly #streams: { volume: VolumeId; end: number; bytes: number }[] = []
  #oldest = 0

  /** Returns how many bytes have followed one another with these. */
  follow(volume: VolumeId, offset: number, bytes: number): number {
    const end = offset + bytes
    for (const stream of this.#streams) {
      if (stream.volume !== volume || !isNext(stream.end, offset)) continue
      stream.end = Math.max(stream.end, end)
      stream.bytes += bytes
      return stream.bytes
    }
    this.#streams[this.#oldest] = { volume, end, bytes }
    this.#oldest = (this.#oldest + 1) % STREAMS
    return bytes
  }
}

/** Of a volume that is spread over members, each has runs with gaps between them. */
function isNext(end: number, offset: number): boolean {
  if (Math.abs(offset - end) <= STREAM_REACH) return true
  return offset > end && offset % RUN_BYTES === 0 && end % RUN_BYTES === 0
}

function keyOf(volume: VolumeId, page: number): string {
  return `${volume}/${page}`
}
