// Scrubbing: every slot is read against its header and its checksums once in a while, so that rot is found while another copy
// or a backup still has the bytes. A pass goes through the segments in their order; where it stands is kept in a file of the folder, so
// a restart goes on with the segment in which it was.
//
// Invariants:
//   SC1. A pass looks at every page that is at home when it comes to its segment, and stays there: header against the index, each
//        block that is present against its checksum, read from the disk and not from memory.
//   SC2. What is written home meanwhile is no damage: only what the table still names after the read is judged, and only
//        blocks that nothing newer covers.
//   SC3. One read of at most 256 KiB is under way, in the turn of cold reads (CR1); after a page it rests at least as long as the
//        reads took, and nine times as long while foreground I/O is at work.
//   SC4. What is kept of a pass never says more than what was read: it is written when a segment is done; torn or lost, the pass
//        begins anew.
//   SC5. Pages that are known to be damaged are so after a restart, too, as far as there is room for them here.
import { readU32, writeU32 } from '../base/bytes.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { crc32c } from '../base/crc32c.ts'
import { type Disk, DiskError, type DiskFile, isFull } from '../base/disk.ts'
import { volumeId } from '../base/ids.ts'
import { BLOCK_BYTES } from '../base/sizes.ts'
import { hasBit } from './bitmap.ts'
import { readU64, writeU64 } from './fields.ts'
import {
  BLOCKS_PER_PAGE,
  MAP_WORDS,
  paths,
  SCRUB,
  SCRUB_DAMAGED,
  SCRUB_DAMAGED_BYTES,
  SCRUB_MAGIC,
  SLOT_HEADER_BYTES,
} from './layout.ts'
import { UNTOUCHED } from './overlay.ts'
import type { PageReader } from './page-reader.ts'
import { NO_SLOT } from './page-table.ts'
import type { Pages } from './pages.ts'
import { chooseCopy, readContent } from './slot-header.ts'

const PIECE_BLOCKS = 64
/** Of the index, looked at in one turn of the event loop. */
const ENTRIES_A_TURN = 65_536
/** A page that is written home all the time is left to the next pass. */
const ATTEMPTS = 3
const REST = 1
const REST_BUSY = 9
/** Of the time for a pass: the rest is for pages that wait longer because of SC3. */
const PACE = 0.8
/** Of it, between two passes. */
const PAUSE = 0.01

export interface ScrubProgress {
  /** Of the pass under way, or that which will be, by the wall clock; null: none was begun. */
  readonly begunMs: number | null
  /** Every page has been read since then, by the wall clock; null: no pass has come to its end. */
  readonly allReadSinceMs: number | null
  /** Of the segments, 0 … 1. */
  readonly done: number
  /** Of this pass: 4 KiB each. */
  readonly blocks: number
  /** Of this pass: pages with a block that fits no checksum, or is known to be lost. */
  readonly badPages: number
}

export interface ScrubParts {
  readonly disk: Disk
  readonly clock: Clock
  readonly pages: Pages
  readonly reader: PageReader
  readonly seed: number
  readonly slotsPerSegment: number
  /** 0: never, unless it is asked for. */
  readonly everyMs: number
  readonly isBusy: () => boolean
  readonly failed: (error: unknown) => void
}

type Verdict = 'good' | 'bad' | 'changed'

export class Scrub {
  readonly #parts: ScrubParts
  readonly #piece = new Uint8Array(PIECE_BLOCKS * BLOCK_BYTES)
  readonly #maps = {
    present: new Uint32Array(MAP_WORDS),
    damaged: new Uint32Array(MAP_WORDS),
    checksums: new Uint32Array(BLOCKS_PER_PAGE),
  }
  #file: DiskFile | null = null
  #begunMs = 0
  #allReadSinceMs = 0
  /** The segment that is next, or under way. */
  #segment = 0
  #blocks = 0
  #badPages = 0
  /** Without the pace, to the end of the pass. */
  #isHurried = false
  /** A pass was asked for before the file was read. */
  #isWanted = false
  #isRunning = false
  #isStopped = false
  #rest: { readonly timer: Timer; readonly end: () => void } | null = null

  constructor(parts: ScrubParts) {
    this.#parts = parts
  }

  start(): void {
    this.#isRunning = true
    this.#run().catch((error: unknown) => {
      if (!this.#isStopped) this.#parts.failed(error)
    })
  }

  /** Nothing is begun any more; a read that is under way is not waited for (SL5). */
  stop(): void {
    this.#isStopped = true
    this.#endRest()
  }

  async close(): Promise<void> {
    this.stop()
    await this.#file?.close()
  }

  /** A pass from the beginning, as fast as SC3 lets it. */
  now(): void {
    this.#isHurried = true
    if (this.#file !== null) this.#begin()
    else this.#isWanted = true
    if (!this.#isRunning) this.start()
    this.#endRest()
  }

  get progress(): ScrubProgress {
    const numbers = this.#parts.pages.homes.segments.numbers()
    const done = numbers.filter((number) => number < this.#segment).length
    return {
      begunMs: this.#begunMs || null,
      allReadSinceMs: this.#allReadSinceMs || null,
      done: numbers.length === 0 ? 1 : done / numbers.length,
      blocks: this.#blocks,
      badPages: this.#badPages,
    }
  }

  async #run(): Promise<void> {
    if (this.#file === null) await this.#load()
    if (this.#begunMs === 0 || this.#isWanted) this.#begin()
    while (!this.#isStopped) {
      const number = this.#parts.pages.homes.segments.numbers().find((at) => at >= this.#segment)
      if (number === undefined) await this.#endPass()
      else {
        const pass = this.#begunMs
        this.#segment = number
        await this.#lookAtSegment(number)
        if (this.#isStopped) return
        if (pass === this.#begunMs) this.#segment = number + 1
        await this.#save()
      }
      if (number === undefined && this.#parts.everyMs === 0) break
    }
    this.#isRunning = false
  }

  #begin(): void {
    // So that it differs from the one before, whatever the wall clock does.
    this.#begunMs = Math.max(this.#begunMs + 1, Math.floor(this.#parts.clock.wallMs()))
    this.#isWanted = false
    this.#segment = 0
    this.#blocks = 0
    this.#badPages = 0
  }

  async #endPass(): Promise<void> {
    this.#allReadSinceMs = this.#begunMs
    this.#isHurried = false
    await this.#save()
    const { everyMs } = this.#parts
    if (everyMs === 0) return
    const pass = this.#begunMs
    // The next follows at once, so that what is written now need not wait for two; where there is nothing, not all the time.
    await this.#resting(everyMs * PAUSE)
    if (!this.#isStopped && pass === this.#begunMs) this.#begin()
  }

  async #lookAtSegment(number: number): Promise<void> {
    const { table } = this.#parts.pages.homes
    const pass = this.#begunMs
    for (const entry of await this.#entriesIn(number)) {
      if (this.#isStopped || pass !== this.#begunMs) return
      if (table.slotOf(entry) === NO_SLOT || table.isGone(entry)) continue
      const startMs = this.#parts.clock.nowMs()
      await this.#lookAtPage(entry)
      await this.#resting(this.#gapAfter(this.#parts.clock.nowMs() - startMs))
    }
  }

  /** By their slots. */
  async #entriesIn(number: number): Promise<readonly number[]> {
    const { clock, pages, slotsPerSegment } = this.#parts
    const { table } = pages.homes
    const entries: number[] = []
    for (let from = 0; from < table.entryCount; from += ENTRIES_A_TURN) {
      const end = Math.min(table.entryCount, from + ENTRIES_A_TURN)
      for (let entry = from; entry < end; entry += 1) {
        const slot = table.slotOf(entry)
        if (slot !== NO_SLOT && Math.floor(slot / slotsPerSegment) === number) entries.push(entry)
      }
      if (end < table.entryCount) {
        await new Promise<void>((resolve) => {
          clock.soon(resolve)
        })
      }
    }
    return entries.sort((a, b) => table.slotOf(a) - table.slotOf(b))
  }

  /** SC3 */
  #gapAfter(tookMs: number): number {
    const { pages, everyMs, isBusy } = this.#parts
    const rest = tookMs * (isBusy() ? REST_BUSY : REST)
    if (this.#isHurried || everyMs === 0) return rest
    return Math.max(rest, (everyMs * PACE) / Math.max(1, pages.homes.table.homePages))
  }

  #resting(ms: number): Promise<void> {
    if (this.#isStopped) return Promise.resolve()
    return new Promise((resolve) => {
      const end = () => {
        this.#rest = null
        resolve()
      }
      this.#rest = { timer: this.#parts.clock.after(ms, end), end }
    })
  }

  #endRest(): void {
    this.#rest?.timer.cancel()
    this.#rest?.end()
  }

  async #lookAtPage(entry: number): Promise<void> {
    const { pages } = this.#parts
    const { table, segments } = pages.homes
    for (let i = 0; i < ATTEMPTS && !this.#isStopped; i += 1) {
      const slot = table.slotOf(entry)
      // What is lost with its segment is told by the store itself.
      if (slot === NO_SLOT || table.isGone(entry) || segments.isLost(slot)) return
      const verdict = await this.#judge(entry, slot)
      if (verdict === 'changed') continue
      if (verdict === 'bad') {
        this.#badPages += 1
        pages.homes.damaged.found(table.volumeOf(entry), table.pageOf(entry))
        await this.#save()
      }
      return
    }
  }

  async #judge(entry: number, slot: number): Promise<Verdict> {
    const { pages, seed } = this.#parts
    const { table, segments, cache } = pages.homes
    const version = table.versionOf(entry)
    const file = segments.fileOf(slot)
    const at = segments.offsetOf(slot)
    const isSame = () =>
      table.slotOf(entry) === slot && table.versionOf(entry) === version && !table.isGone(entry)
    const header = new Uint8Array(SLOT_HEADER_BYTES)
    const isRead = await this.#read(entry, file, header, at)
    if (!isSame()) return 'changed'
    const identity = {
      volume: table.volumeOf(entry),
      page: table.pageOf(entry),
      slice: table.sliceOf(entry),
    }
    const chosen = isRead ? chooseCopy(header, identity, { version, exact: true }, seed) : null
    if (chosen === null) {
      // As long as it is in memory it can be written again, with the next round.
      if (isRead && cache.find(entry) >= 0 && pages.overlay.freeBarePages > 0) {
        pages.overlay.raise(entry, table.stampOf(entry))
      }
      return 'bad'
    }
    readContent(header, chosen.copy, this.#maps, 0)
    let verdict: Verdict = 'good'
    for (let first = 0; first < BLOCKS_PER_PAGE; first += PIECE_BLOCKS) {
      if (!this.#hasAny(first)) continue
      const isThere = await this.#read(
        entry,
        file,
        this.#piece,
        at + SLOT_HEADER_BYTES + first * BLOCK_BYTES,
      )
      if (!isSame()) return 'changed'
      if (!this.#isGood(entry, slot, first, isThere)) verdict = 'bad'
    }
    return verdict
  }

  #hasAny(first: number): boolean {
    for (let block = first; block < first + PIECE_BLOCKS; block += 1)
      if (hasBit(this.#maps.present, 0, block)) return true
    return false
  }

  /** False: the medium does not give it. */
  async #read(entry: number, file: DiskFile, into: Uint8Array, at: number): Promise<boolean> {
    const { pages, reader } = this.#parts
    await reader.coldReads.begun(pages.homes.table.volumeOf(entry))
    try {
      return (await file.read(into, at)) === into.length
    } catch (error) {
      if (error instanceof DiskError) return false
      throw error
    } finally {
      reader.coldReads.ended()
    }
  }

  /** In the turn in which they were read. */
  #isGood(entry: number, slot: number, first: number, isThere: boolean): boolean {
    const { overlay, homes } = this.#parts.pages
    const { present, damaged, checksums } = this.#maps
    const newer = [overlay.dirty(entry), overlay.homing(entry)]
    let isGood = true
    for (let i = 0; i < PIECE_BLOCKS; i += 1) {
      const block = first + i
      if (!hasBit(present, 0, block)) continue
      this.#blocks += 1
      if (newer.some((page) => (page?.cells[block] ?? UNTOUCHED) !== UNTOUCHED)) continue // SC2
      const bytes = this.#piece.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES)
      const isLost = hasBit(damaged, 0, block)
      if (isThere && !isLost && crc32c(bytes) === checksums[block]) continue
      homes.blocks.drop(slot, block) // HO3
      isGood = false
    }
    return isGood
  }

  async #load(): Promise<void> {
    const { disk, seed, pages } = this.#parts
    const file = await disk.open(paths.scrub, 'create')
    const bytes = new Uint8Array(SCRUB.end)
    await file.read(bytes, 0)
    this.#file = file
    const sum = crc32c(bytes.subarray(0, SCRUB.checksum), seed)
    if (readU32(bytes, SCRUB.magic) !== SCRUB_MAGIC || readU32(bytes, SCRUB.checksum) !== sum)
      return
    this.#segment = readU32(bytes, SCRUB.segment)
    this.#begunMs = readU64(bytes, SCRUB.begunMs)
    this.#allReadSinceMs = readU64(bytes, SCRUB.allReadSinceMs)
    this.#blocks = readU64(bytes, SCRUB.blocks)
    this.#badPages = readU64(bytes, SCRUB.badPages)
    const end = SCRUB.damaged + readU32(bytes, SCRUB.count) * SCRUB_DAMAGED_BYTES
    for (let at: number = SCRUB.damaged; at < end; at += SCRUB_DAMAGED_BYTES)
      pages.homes.damaged.found(volumeId(readU64(bytes, at)), readU64(bytes, at + 8)) // SC5
  }

  /** SC4 */
  async #save(): Promise<void> {
    const bytes = new Uint8Array(SCRUB.end)
    writeU32(bytes, SCRUB.magic, SCRUB_MAGIC)
    writeU32(bytes, SCRUB.segment, this.#segment)
    writeU64(bytes, SCRUB.begunMs, this.#begunMs)
    writeU64(bytes, SCRUB.allReadSinceMs, this.#allReadSinceMs)
    writeU64(bytes, SCRUB.blocks, this.#blocks)
    writeU64(bytes, SCRUB.badPages, this.#badPages)
    const damaged = this.#parts.pages.homes.damaged.list().slice(0, SCRUB_DAMAGED)
    writeU32(bytes, SCRUB.count, damaged.length)
    for (const [i, { volume, page }] of damaged.entries()) {
      writeU64(bytes, SCRUB.damaged + i * SCRUB_DAMAGED_BYTES, volume)
      writeU64(bytes, SCRUB.damaged + i * SCRUB_DAMAGED_BYTES + 8, page)
    }
    writeU32(bytes, SCRUB.checksum, crc32c(bytes.subarray(0, SCRUB.checksum), this.#parts.seed))
    try {
      await this.#file?.write([bytes], 0)
    } catch (error) {
      if (!isFull(error)) throw error
    }
  }
}
