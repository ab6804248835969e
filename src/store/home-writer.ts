// Writing home: a round takes everything that is dirty, writes it to the slots, syncs them, and only then tells the
// table. One round at a time; some pages of it are handed to the disk together, since an operation of the disk costs more
// than what it writes, and synced before the next ones. Reads meanwhile find the blocks in the overlay (OV1).
//
// Invariants:
//   HW1. A round takes only what the journal has made durable.
//   HW2. The table and the overlay change only after everything that was written is synced.
//   HW3. A header copy that the index names is not overwritten: the other copy is (SH1). A slot that is new for its page
//        gets both, the second empty, so that nothing of an earlier owner can be taken for it.
//   HW4. A page for which the disk has no room stays in the overlay, and its old home counts as before.
//   HW5. So does a page whose header, or blocks in its direct slot, the disk does not give, while the round is patient; then
//        the blocks under that header, or those, are damaged.
//   HW6. A page whose home is lost (lost-pages.ts, SL4) gets a slot of its own, in which all but what was touched is damaged.
//   HW7. Bytes that were handed over stay as they are until the disk is done with all of them: blocks in cells of the
//        round, headers each in a place of its own.
//   HW8. What a round has written and not synced is bounded: a batch of the journal waits for the disk behind all of it.
//   HW9. At recovery blocks are taken out of direct slots, and none is written to: records that are still to be replayed may
//        tell of what is in it.
//   HW10. Acknowledged blocks that become damaged here are told: only those that the disk does not give, one by one.
import { DiskError, type DiskFile, isFull, sharedBytes, type WriteJob } from '../base/disk.ts'
import type { SliceId } from '../base/ids.ts'
import { BLOCK_BYTES } from '../base/sizes.ts'
import { clearBit, countBits, hasBit, isEmpty, setBit } from './bitmap.ts'
import type { DirectWrites } from './direct-writes.ts'
import type { Homes } from './homes.ts'
import { BLOCKS_PER_PAGE, HEADER_COPY_BYTES, MAP_WORDS, SLOT_HEADER_BYTES } from './layout.ts'
import {
  ABSENT,
  DAMAGED,
  DIRECT,
  type DirtyPage,
  hasBytes,
  type Overlay,
  UNTOUCHED,
} from './overlay.ts'
import { NO_SLOT } from './page-table.ts'
import { encodeHeader } from './slot-header.ts'

/** While what one of them has gathered is being written, the other gathers. */
const LANES = 2
/** Gathered in one turn of the event loop, half a millisecond at worst, and written at the price of one operation. */
const LANE_PAGES = 64
/** HW8: with more it is handed over after the page that brought it. */
const LANE_BYTES = 1024 * 1024

/** Blocks side by side, to be written where their page will be. */
interface Copy {
  readonly block: number
  readonly bytes: Uint8Array
}

/** What a page's new header starts from. */
type Base = 'none' | 'lost' | 'cached'

interface Round {
  readonly position: number
  readonly isPatient: boolean
  /** Pages that found no room. */
  readonly homeless: Set<DirtyPage>
  /** Pages of which the disk does not give the header, or blocks in the direct slot. */
  readonly headless: Set<DirtyPage>
}

/** Pages that are written home together. */
class Lane {
  readonly jobs: WriteJob[] = []
  /** Whose each job is. */
  readonly owners: DirtyPage[] = []
  readonly #headers = sharedBytes(LANE_PAGES * SLOT_HEADER_BYTES)
  #pages = 0
  #bytes = 0

  get isFull(): boolean {
    return this.#pages === LANE_PAGES || this.#bytes >= LANE_BYTES
  }

  /** To encode the next page's into. */
  nextHeader(): Uint8Array {
    const at = this.#pages * SLOT_HEADER_BYTES
    this.#pages += 1
    return this.#headers.subarray(at, at + SLOT_HEADER_BYTES)
  }

  add(page: DirtyPage, job: WriteJob): void {
    this.jobs.push(job)
    this.owners.push(page)
    for (const { length } of job.parts) this.#bytes += length
  }

  clear(): void {
    this.jobs.length = 0
    this.owners.length = 0
    this.#pages = 0
    this.#bytes = 0
  }
}

export class HomeWriter {
  readonly #homes: Homes
  readonly #overlay: Overlay
  readonly #direct: DirectWrites
  readonly #lanes = Array.from({ length: LANES }, () => new Lane())
  /** The highest version given so far. */
  version = 0
  /** HW10: blocks so far, and of recovery those that the report tells of. */
  blocksLost = 0
  readonly slicesLost = new Set<SliceId>()
  /** Pages that the last round left to the next because of HW5. */
  headless = 0

  constructor(homes: Homes, overlay: Overlay, direct: DirectWrites) {
    this.#homes = homes
    this.#overlay = overlay
    this.#direct = direct
  }

  /** Everything that was dirty at the call is home when it resolves, but for as many pages as it returns, for which the disk had no room, and for the `headless`. `position`: everything before it in the journal was dirty or home then. */
  async round(position: number, isPatient = false): Promise<number> {
    this.#homes.table.reuseRetired()
    const pages = this.#overlay.beginRound()
    this.#direct.beginRound(directSlotsOf(pages))
    const round = { position, isPatient, homeless: new Set(), headless: new Set() } satisfies Round
    for (const page of pages) if (!page.dropped) await this.#chooseSlot(page, round)
    pages.sort((a, b) => a.slot - b.slot)
    const left = pages.values()
    await Promise.all(this.#lanes.map((lane) => this.#writePages(lane, left, round)))
    const isComplete = round.homeless.size + round.headless.size === 0
    for (const page of pages) {
      const isLeft = round.homeless.has(page) || round.headless.has(page)
      const stays = page.isMoving && !isComplete // DW5
      if ((isLeft || stays) && !page.dropped) this.#putBack(page)
      else this.#settle(page)
    }
    this.#overlay.endRound()
    if (isComplete) this.#direct.roundComplete()
    this.headless = round.headless.size
    return round.homeless.size
  }

  /** Its home, or the one that it will have. */
  async #chooseSlot(page: DirtyPage, { homeless }: Round): Promise<void> {
    const { table, segments, recovering } = this.#homes
    page.isLost = this.#homes.isLost(page.entry)
    page.slot = page.isLost ? NO_SLOT : table.slotOf(page.entry)
    page.isNew = page.slot === NO_SLOT
    if (!page.isNew || !holdsBlocks(page)) return
    page.isMoving = page.direct !== NO_SLOT && !recovering // HW9
    const slot = page.isMoving ? page.direct : await segments.take()
    if (slot === null) homeless.add(page)
    else page.slot = slot
  }

  /** HW4 HW5 */
  #putBack(page: DirtyPage): void {
    const { table, segments } = this.#homes
    if (page.isNew && !page.isMoving && page.slot !== NO_SLOT) segments.giveBack(page.slot)
    if (page.direct !== NO_SLOT) {
      this.#direct.takeBack(table.volumeOf(page.entry), table.pageOf(page.entry), page.direct)
    }
    this.#overlay.putBack(page)
  }

  /** One after the other of those that nobody has begun. */
  async #writePages(lane: Lane, left: Iterator<DirtyPage>, round: Round): Promise<void> {
    lane.clear()
    for (let next = left.next(); next.done !== true; next = left.next()) {
      const page = next.value
      if (page.slot === NO_SLOT || page.dropped) continue
      const base = this.#knownBase(page)
      if (base !== null && page.direct === NO_SLOT) this.#gather(page, base, lane, round)
      else await this.#gatherSlowly(page, lane, round)
      if (lane.isFull) await this.#writeGathered(lane, round)
    }
    await this.#writeGathered(lane, round)
  }

  /** What it starts from is to be read first. */
  async #gatherSlowly(page: DirtyPage, lane: Lane, round: Round): Promise<void> {
    let copies: readonly Copy[] | null = page.direct === NO_SLOT ? [] : null
    // The cache may give the place away between a load and the turn that merges, so it is looked up again in that turn.
    while (!page.dropped) {
      const base = this.#knownBase(page) ?? (await this.#load(page, round)) ?? this.#knownBase(page)
      if (base === null) continue
      if (page.dropped) return
      if (base !== 'headless' && copies !== null) {
        this.#gather(page, base, lane, round, copies)
        return
      }
      copies = base === 'headless' ? null : await this.#copiesOf(page, base, round)
      if (copies === null) {
        round.headless.add(page)
        return
      }
    }
  }

  /** Null: its header is to be read first. */
  #knownBase(page: DirtyPage): Base | null {
    if (page.isLost) return 'lost'
    if (page.isNew) return 'none'
    return this.#homes.cache.find(page.entry) >= 0 ? 'cached' : null
  }

  /** Null: it may be in the cache now. */
  async #load(page: DirtyPage, { isPatient }: Round): Promise<'lost' | 'headless' | null> {
    const loaded = await this.#homes.load(page.entry)
    if (loaded === 'unreadable' && isPatient) return 'headless'
    if (loaded !== 'lost' && loaded !== 'unreadable') return null
    this.#tellDamaged(page) // HW10
    return 'lost'
  }

  /** Decides whether a page moves into its direct slot, and reads what is missing there or, if it stays, at its home. Null: the disk does not give it. */
  async #copiesOf(page: DirtyPage, base: Base, round: Round): Promise<readonly Copy[] | null> {
    if (page.isMoving) return []
    const { segments, recovering } = this.#homes
    const there = blocksWhere((block) => page.cells[block] === DIRECT)
    const rest = base === 'cached' ? this.#restOf(page) : []
    if (base === 'cached' && !recovering && rest.length <= there.length) {
      const copies = await this.#read(page.slot, rest)
      if (copies !== null) {
        page.isMoving = true
        page.slot = page.direct
        return copies
      }
    }
    const copies = segments.isLost(page.direct) ? null : await this.#read(page.direct, there)
    if (copies !== null || round.isPatient) return copies
    return this.#readable(page, there)
  }

  /** HW10. What cannot be read is damaged from now on. */
  async #readable(page: DirtyPage, there: readonly number[]): Promise<readonly Copy[]> {
    const { segments } = this.#homes
    const readable: Copy[] = []
    for (const block of there) {
      const copies = segments.isLost(page.direct) ? null : await this.#read(page.direct, [block])
      if (copies !== null) readable.push(...copies)
      else {
        page.cells[block] = DAMAGED
        this.blocksLost += 1
        this.slicesLost.add(this.#homes.table.sliceOf(page.entry))
      }
    }
    if (readable.length < there.length) this.#tellDamaged(page)
    return readable
  }

  #tellDamaged({ entry }: DirtyPage): void {
    const { table, damaged } = this.#homes
    damaged.found(table.volumeOf(entry), table.pageOf(entry))
  }

  /** Blocks at its home that stay as they are. */
  #restOf(page: DirtyPage): readonly number[] {
    const { cache } = this.#homes
    const maps = cache.find(page.entry) * MAP_WORDS
    return blocksWhere((block) => {
      if (page.cells[block] !== UNTOUCHED || !hasBit(cache.present, maps, block)) return false
      return !hasBit(cache.damaged, maps, block)
    })
  }

  /** Their checksums go with them, so they are not checked. Null: the medium does not give all of them. */
  async #read(slot: number, blocks: readonly number[]): Promise<readonly Copy[] | null> {
    const { segments } = this.#homes
    const file = segments.fileOf(slot)
    const at = segments.offsetOf(slot) + SLOT_HEADER_BYTES
    const copies: Copy[] = []
    try {
      for (let i = 0; i < blocks.length; ) {
        const block = blocks[i] ?? 0
        let count = 1
        while (blocks[i + count] === block + count) count += 1
        const bytes = sharedBytes(count * BLOCK_BYTES)
        if ((await file.read(bytes, at + block * BLOCK_BYTES)) < bytes.length) return null
        copies.push({ block, bytes })
        i += count
      }
    } catch (error) {
      if (error instanceof DiskError) return null
      throw error
    }
    return copies
  }

  /** What is to be written of the page; nothing of it is read or changed by others before the round has ended. */
  #gather(
    page: DirtyPage,
    base: Base,
    lane: Lane,
    { position }: Round,
    copies: readonly Copy[] = [],
  ): void {
    const { table, segments, seed } = this.#homes
    const { entry } = page
    this.#merge(page, base)
    page.newest.raise(table.stampOf(entry))
    page.version = Math.max(position, page.isNew ? 0 : table.versionOf(entry) + 1)
    this.version = Math.max(this.version, page.version)
    if (page.blocks === 0) return
    const file = segments.fileOf(page.slot)
    const at = segments.offsetOf(page.slot)
    this.#gatherBlocks(page, lane, file, at + SLOT_HEADER_BYTES)
    for (const { block, bytes } of copies) {
      const offset = at + SLOT_HEADER_BYTES + block * BLOCK_BYTES
      lane.add(page, { file, parts: [bytes], offset })
    }
    const identity = {
      volume: table.volumeOf(entry),
      page: table.pageOf(entry),
      slice: table.sliceOf(entry),
    }
    const header = lane.nextHeader()
    const content = { present: page.present, damaged: page.damaged, checksums: page.checksums }
    const isKept = base === 'cached' && !page.isMoving
    if (!isKept) header.fill(0, HEADER_COPY_BYTES)
    encodeHeader(header, identity, page, content, seed)
    const whole = { file, parts: [header], offset: at }
    const copy = {
      file,
      parts: [header.subarray(0, HEADER_COPY_BYTES)],
      offset: at + page.copy * HEADER_COPY_BYTES,
    }
    lane.add(page, isKept ? copy : whole)
  }

  #gatherBlocks(page: DirtyPage, lane: Lane, file: DiskFile, at: number): void {
    for (let block = 0; block < BLOCKS_PER_PAGE; ) {
      const first = block
      const parts: Uint8Array[] = []
      while (block < BLOCKS_PER_PAGE && (page.cells[block] ?? UNTOUCHED) >= 0) {
        const part = this.#overlay.cellsFrom(page, block)
        parts.push(part)
        block += part.length / BLOCK_BYTES
      }
      if (parts.length > 0) lane.add(page, { file, parts, offset: at + first * BLOCK_BYTES })
      else block += 1
    }
  }

  async #writeGathered(lane: Lane, { homeless }: Round): Promise<void> {
    if (lane.jobs.length === 0) return
    const failed = await this.#homes.segments.writeMany(lane.jobs)
    for (const { job, error } of failed) {
      const page = lane.owners[job]
      if (!isFull(error) || page === undefined) throw error
      homeless.add(page)
    }
    lane.clear()
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
    page.isHoled = !isEmpty(page.damaged)
    page.copy = place >= 0 && !page.isMoving && cache.copy[place] === 0 ? 1 : 0
    const sums = place * BLOCKS_PER_PAGE
    page.added = 0
    for (let block = 0; block < BLOCKS_PER_PAGE; block += 1) {
      if (isAdded(page, block)) page.added += 1
      if (page.cells[block] !== UNTOUCHED) mergeTouched(page, block)
      else page.checksums[block] = place >= 0 ? (cache.checksums[sums + block] ?? 0) : 0
    }
    page.blocks = countBits(page.present)
    page.isHoled ||= !isEmpty(page.damaged)
    if (page.isMoving) page.added = BLOCKS_PER_PAGE
  }

  /** At recovery its records may be replayed again, and recovery gives up all of them in the end. */
  #giveUp(page: DirtyPage): void {
    if (page.direct !== NO_SLOT && !this.#homes.recovering) this.#direct.giveUp(page.direct)
  }

  #move({ entry, slot }: DirtyPage): void {
    const { table, segments } = this.#homes
    segments.settled(slot)
    const before = table.slotOf(entry)
    if (before === NO_SLOT) return
    this.#homes.release(before, table.takenOf(entry), this.#homes.isWhole(entry))
    table.move(entry, slot)
  }

  #settle(page: DirtyPage): void {
    const { table, cache, lost } = this.#homes
    const { entry } = page
    if (page.dropped) {
      // Its old slot was released by the drop; one that was taken for it here was not.
      if (page.isNew && !page.isMoving && page.slot !== NO_SLOT) {
        this.#homes.release(page.slot, page.held, false)
      }
      this.#giveUp(page)
      return
    }
    if (page.isLost) {
      lost.found(table.volumeOf(entry), table.pageOf(entry))
      const before = table.slotOf(entry)
      if (before !== NO_SLOT) this.#homes.release(before, table.takenOf(entry), false)
      table.vacate(entry)
    }
    if (!page.isMoving) this.#giveUp(page)
    if (page.slot === NO_SLOT || page.blocks === 0) {
      if (page.slot !== NO_SLOT) this.#homes.release(page.slot, table.takenOf(entry), false)
      cache.evict(entry)
      table.vacate(entry)
      table.bury(entry, page)
      return
    }
    if (page.isMoving) this.#move(page)
    else if (page.isHoled) this.#homes.holed(page.slot)
    table.settle(entry, page.slot, page, page)
    table.headerLost[entry] = 0
    const place = cache.put(entry, page, page.copy)
    cache.use(place)
    this.#settleBlocks(page, place)
  }

  /** What is in memory of the page, and what is believed to be in the page cache. */
  #settleBlocks(page: DirtyPage, place: number): void {
    const { cache, blocks } = this.#homes
    for (let block = 0; block < BLOCKS_PER_PAGE; block += 1) {
      const cell = page.cells[block] ?? UNTOUCHED
      const isGone = cell === ABSENT || hasBit(page.damaged, 0, block)
      if (isGone || cell === DIRECT)
        blocks.drop(page.slot, block) // HO1 HO3
      else if (cell >= 0) blocks.renew(page.slot, block, this.#overlay.cell(cell)) // HO1
      const isHere = hasBytes(cell) || page.isMoving
      if (isHere && hasBit(page.present, 0, block)) cache.believe(place, block, block)
    }
  }
}

/** Those that have blocks in them. */
function directSlotsOf(pages: readonly DirtyPage[]): ReadonlySet<number> {
  const slots = new Set<number>()
  for (const page of pages) {
    if (page.direct === NO_SLOT) continue
    if (page.cells.includes(DIRECT)) slots.add(page.direct)
    else page.direct = NO_SLOT
  }
  return slots
}

function blocksWhere(isWanted: (block: number) => boolean): readonly number[] {
  const blocks: number[] = []
  for (let block = 0; block < BLOCKS_PER_PAGE; block += 1) if (isWanted(block)) blocks.push(block)
  return blocks
}

/** Before the block is merged: its bytes are written where the home has none. */
function isAdded(page: DirtyPage, block: number): boolean {
  if (!hasBytes(page.cells[block] ?? UNTOUCHED)) return false
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
  for (const cell of page.cells) if (hasBytes(cell) || cell === DAMAGED) return true
  return false
}
