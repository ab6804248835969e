// How much room the pages take, and whether there is enough for a write. What is counted is what is taken: blocks that are
// at home, 4 KiB for the headers of each slot and for the foot of each segment, and what was answered and still has to go
// home. A block that is unmapped inside a page that lives on keeps its place on disk, and is counted until the page is gone.
//
// Invariants:
//   RO1. What was answered has room to go home, as far as nobody else takes it: its new blocks and headers are counted from
//        its admission on.
//   RO2. A write over blocks that are there needs no room, and is admitted however full it is.
//   RO3. Whether blocks of a page are there is known if its header is in the cache. If it is not, they are taken to be there,
//        in what is kept between `fullAt` and the whole budget; beyond that the header is read.
//   RO4. Who was refused can wait until what was unmapped or dropped is given back, and try once more.
//   RO5. Room that was promised before a write is handed in is kept for it until it is, and counted once.
//   RO6. A page that is installed needs all of its room anew, since what was here gives its own back later. If it is at home
//        here, that may come out of what is kept between `fullAt` and the whole budget.
import type { Disk } from '../base/disk.ts'
import type { VolumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../base/sizes.ts'
import { BLOCKS_PER_PAGE, SLOT_BYTES } from './layout.ts'
import { NO_ENTRY, NO_SLOT } from './page-table.ts'
import { eachPage, type Pages } from './pages.ts'
import type { StoreWrite } from './record.ts'
import type { StoreSettings } from './settings.ts'

/** Blocks that a write needs beside those that are there. */
interface Need {
  /** For headers of pages that have none yet. */
  headers: number
  fresh: number
  /** Of pages whose header is not in the cache. */
  unknown: number
}

/** What is known of a write before it has its number. */
export type Admitted = Pick<StoreWrite, 'volume' | 'slice' | 'offset' | 'bytes' | 'data'>

/** Room for one write. */
export interface Reservation {
  /** Beside those that are there; 0 for an unmap, which needs none. */
  readonly blocks: number
  readonly write: Admitted
}

/** The reservation was made for this write, whatever its number is now. */
export function isFor({ write }: Reservation, { volume, offset, bytes, data }: Admitted): boolean {
  const isSame = write.volume === volume && write.offset === offset && write.bytes === bytes
  return isSame && (write.data === null) === (data === null)
}

export class Room {
  readonly #pages: Pages
  readonly #disk: Disk
  readonly #settings: Pick<StoreSettings, 'budgetBytes' | 'fullAt'>
  /** In blocks: from where on new ones are refused, and what there is in all. */
  #atMost = 0
  #inAll = 0
  /** Blocks of writes that were admitted and have not taken effect. */
  #reserved = 0
  #measuring = false

  constructor(pages: Pages, disk: Disk, settings: Pick<StoreSettings, 'budgetBytes' | 'fullAt'>) {
    this.#pages = pages
    this.#disk = disk
    this.#settings = settings
  }

  get takenBytes(): number {
    return this.#taken * BLOCK_BYTES
  }

  /** From where on new blocks are refused. */
  get atMostBytes(): number {
    return this.#atMost * BLOCK_BYTES
  }

  /** There is none for one more page. */
  get isShort(): boolean {
    return this.#atMost - this.#taken < PAGE_BYTES / BLOCK_BYTES + 1
  }

  /** There is some for so many whole slots. */
  hasRoomFor(slots: number): boolean {
    return this.#atMost - this.#taken >= (slots * SLOT_BYTES) / BLOCK_BYTES
  }

  /** Promises room to the write; null: there is not enough. */
  admit(write: Admitted): Reservation | null {
    const blocks = write.data === null ? 0 : this.#admitBlocks(write)
    return blocks === null ? null : { blocks, write }
  }

  #admitBlocks(write: Admitted): number | null {
    const { volume, offset, bytes, slice } = write
    const { table } = this.#pages.homes
    const blocks = bytes / BLOCK_BYTES
    const first = Math.floor(offset / PAGE_BYTES)
    const last = Math.floor((offset + bytes - 1) / PAGE_BYTES)
    let headers = 0
    for (let page = first; page <= last; page += 1) {
      if (!this.#isPromised(table.find(volume, page))) headers += 1
    }
    const taken = this.#taken
    let reserved = blocks
    if (taken + blocks + headers > this.#atMost) {
      const exact = this.#exact(write, taken)
      if (exact === null) return null
      reserved = exact
    }
    for (let page = first; headers > 0 && page <= last; page += 1) {
      table.claim(table.entryFor(volume, page, slice))
    }
    this.#reserved += reserved
    return reserved
  }

  /** RO6. Returns how many blocks are reserved; null: there is not enough. */
  admitPage(volume: VolumeId, page: number, blocks: number): number | null {
    const { table } = this.#pages.homes
    if (blocks === 0) return 0
    const entry = table.find(volume, page)
    const isHome = entry !== NO_ENTRY && table.slotOf(entry) !== NO_SLOT
    const reserved = blocks + 1
    if (this.#taken + reserved > (isHome ? this.#inAll : this.#atMost)) return null
    this.#reserved += reserved
    return reserved
  }

  /** The write has taken effect, or was refused after all. */
  release(reserved: number): void {
    this.#reserved -= reserved
  }

  /** The budget counts only as far as the disk, of which others may take too, has the room. */
  async measure(): Promise<void> {
    const { budgetBytes, fullAt } = this.#settings
    const there = (await this.#disk.freeBytes()) + this.#onDisk * BLOCK_BYTES
    const budget = Math.min(budgetBytes ?? there, there)
    this.#inAll = Math.floor(budget / BLOCK_BYTES)
    this.#atMost = Math.floor((budget * fullAt) / BLOCK_BYTES)
  }

  /** Others may have given room back since. */
  async measureAgain(): Promise<void> {
    if (this.#measuring) return
    this.#measuring = true
    await this.measure().finally(() => {
      this.#measuring = false
    })
  }

  /** Pages that these writes were to begin need no slot now. */
  refused(writes: readonly StoreWrite[]): void {
    const { homes, overlay } = this.#pages
    for (const { volume, offset, bytes } of writes) {
      eachPage(offset, offset + bytes, (page) => {
        const entry = homes.table.find(volume, page)
        if (entry === NO_ENTRY || overlay.dirty(entry) || overlay.homing(entry)) return
        homes.table.unclaim(entry)
      })
    }
  }

  get #onDisk(): number {
    const { table, segments } = this.#pages.homes
    const direct = segments.directSlots * BLOCKS_PER_PAGE
    return table.takenBlocks + direct + segments.usedSlots + segments.limboBlocks + segments.count
  }

  /** RO1 */
  get #taken(): number {
    const { homes, overlay } = this.#pages
    return this.#onDisk + homes.table.claims + overlay.freshBlocks + this.#reserved
  }

  /** It has a slot, or is promised one. */
  #isPromised(entry: number): boolean {
    const { table } = this.#pages.homes
    if (entry === NO_ENTRY) return false
    return table.slotOf(entry) !== NO_SLOT || table.claimed[entry] === 1
  }

  /** RO2 RO3 */
  #exact(write: Admitted, taken: number): number | null {
    const before = this.#needOf(write, false)
    const certain = before.fresh + before.headers
    if (certain > 0 && taken + certain > this.#atMost) return null
    if (before.unknown === 0) return before.fresh
    if (taken + certain + before.unknown <= this.#inAll) return before.fresh + before.unknown
    const { fresh, headers } = this.#needOf(write, true)
    return fresh + headers > 0 && taken + fresh + headers > this.#atMost ? null : fresh
  }

  /** With `load`, nothing is unknown: headers that are not in the cache are read at once, which is seldom. */
  #needOf({ volume, offset, bytes }: Admitted, load: boolean): Need {
    const need = { headers: 0, fresh: 0, unknown: 0 }
    eachPage(offset, offset + bytes, (page, first, last) => {
      const entry = this.#pages.homes.table.find(volume, page)
      if (!this.#isPromised(entry)) need.headers += 1
      const absent = entry === NO_ENTRY ? last - first + 1 : this.#absent(entry, first, last)
      if (absent === 0) return
      if (this.#isKnown(entry)) need.fresh += absent
      else if (!load) need.unknown += absent
      else if (this.#pages.homes.loadSync(entry) === 'cached')
        need.fresh += this.#absent(entry, first, last)
      // What cannot be read now is taken to be there: its page goes home when it can.
    })
    return need
  }

  #absent(entry: number, first: number, last: number): number {
    let absent = 0
    for (let block = first; block <= last; block += 1) if (!this.#isThere(entry, block)) absent += 1
    return absent
  }

  /** What the page has at home is in the cache, or it has no home. */
  #isKnown(entry: number): boolean {
    const { table, cache, segments } = this.#pages.homes
    if (entry === NO_ENTRY) return true
    const slot = table.slotOf(entry)
    return slot === NO_SLOT || segments.isLost(slot) || cache.find(entry) >= 0
  }

  #isThere(entry: number, block: number): boolean {
    return this.#pages.overlay.holds(entry, block) || this.#pages.isAtHome(entry, block)
  }
}
