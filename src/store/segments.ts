// The files that hold slots, and which slots are free. A segment is made when the last free slot is taken, one empty
// segment is kept as a spare, other empty ones are unlinked. All of this happens in the one background loop.
//
//   free ──take──▶ used ──release──▶ limbo ──a checkpoint without it is durable──▶ free
//     ▲─────giveBack──┘ in the same round
//
// Invariants:
//   SL1. A slot that any checkpoint on disk may name is not given to another page.
//   SL2. A segment is unlinked only when all its slots are free.
//   SL3. A segment for which the disk has no room leaves nothing behind.
//   SL4. A segment that the checkpoint lists and that is missing, short or not its own is lost: nothing is made in its
//        place while a page is named in it, and nothing is written to it.
//   SL5. Nobody waits for what is still being read of a segment that is unlinked: a medium that does not answer one read
//        must not stop the round, and with it the journal.
import { assert } from '../base/assert.ts'
import { readU32, writeU32 } from '../base/bytes.ts'
import { crc32c } from '../base/crc32c.ts'
import {
  type Disk,
  DiskError,
  type DiskFile,
  type FailedJob,
  isFull,
  type WriteJob,
} from '../base/disk.ts'
import { readU64, writeU64 } from './fields.ts'
import {
  paths,
  SEGMENT,
  SEGMENT_ENTRY,
  SEGMENT_FOOT_BYTES,
  SEGMENT_MAGIC,
  SLOT_BYTES,
} from './layout.ts'

const FREE = 0
const USED = 1
const LIMBO = 2
const SPARES = 1

/** Which segment a file must be: files of other folders, under other numbers or from earlier times are not. */
export interface SegmentEntry {
  readonly number: number
  /** Counts the segments of the folder as they are made. */
  readonly born: number
}

/** A segment that is lost, with the pages that were in it. */
export interface LostSegment {
  readonly path: string
  readonly reason: 'missing' | 'short' | 'not its own' | 'unreadable'
  readonly pages: number
}

interface Segment extends SegmentEntry {
  readonly file: DiskFile | null
  /** Why it has no file. */
  readonly reason: LostSegment['reason'] | null
  readonly states: Uint8Array
  /** Free slots whose bytes may still take space. */
  readonly unpunched: Uint8Array
  free: number
}

export class Segments {
  readonly #disk: Disk
  readonly #slots: number
  readonly #seed: number
  readonly #segments = new Map<number, Segment>()
  /** No segment with a lower number has a free slot. */
  #lowest = 0
  #limbo: number[] = []
  readonly #limboBlocks = new Map<number, number>()
  /** Blocks that slots in limbo take, with their headers. */
  limboBlocks = 0
  #used = 0
  #made = 0
  /** Of segments that are unlinked. */
  readonly #closing = new Set<Promise<void>>()

  constructor(disk: Disk, slotsPerSegment: number, seed: number) {
    this.#disk = disk
    this.#slots = slotsPerSegment
    this.#seed = seed
  }

  get usedSlots(): number {
    return this.#used
  }

  get limboSlots(): number {
    return this.#limbo.length
  }

  get count(): number {
    return this.#segments.size
  }

  /** Segments made so far. */
  get made(): number {
    return this.#made
  }

  /** Opens those that the checkpoint lists. */
  async open(listed: Iterable<SegmentEntry>, made: number): Promise<void> {
    this.#made = made
    for (const entry of listed) {
      const file = await this.#openListed(entry)
      const segment =
        typeof file === 'string' ? this.#add(entry, null, file) : this.#add(entry, file)
      // What was punched before the restart is not known; punching again does no harm.
      segment.unpunched.fill(1)
    }
  }

  /** The segments that hold pages, for a checkpoint. */
  encode(): Uint8Array {
    const holding = [...this.#segments.values()].filter(({ states }) => states.includes(USED))
    const bytes = new Uint8Array(holding.length * SEGMENT_ENTRY.end)
    for (const [i, { number, born }] of holding.entries()) {
      writeU32(bytes, i * SEGMENT_ENTRY.end + SEGMENT_ENTRY.number, number)
      writeU64(bytes, i * SEGMENT_ENTRY.end + SEGMENT_ENTRY.born, born)
    }
    return bytes
  }

  isLost(slot: number): boolean {
    return this.#segmentOf(slot).file === null
  }

  /** SL4: what the disk no longer has, as far as pages are named in it. */
  lost(): readonly LostSegment[] {
    return [...this.#segments.values()].flatMap(({ number, reason, states }) => {
      const pages = states.filter((state) => state === USED).length
      return reason === null || pages === 0 ? [] : [{ path: paths.segment(number), reason, pages }]
    })
  }

  /** After recovery's checkpoint: files that it does not name, begun shortly before the store ended. */
  async removeStrays(): Promise<void> {
    const names = await this.#disk.list(paths.segments)
    const strays = names.filter(
      (name) => /^\d{6,}$/.test(name) && !this.#segments.has(Number(name)),
    )
    for (const name of strays) await this.#disk.remove(paths.segment(Number(name)))
    if (strays.length > 0) await this.#disk.syncFolder(paths.segments)
  }

  /** At recovery: the checkpoint names this slot. */
  markUsed(slot: number): void {
    const segment = this.#segmentOf(slot)
    assert(segment.states[slot % this.#slots] === FREE, 'SL1: one slot, one page')
    segment.states[slot % this.#slots] = USED
    segment.unpunched[slot % this.#slots] = 0
    segment.free -= 1
    this.#used += 1
  }

  /** Null: all are taken, and the disk has no room for another segment. */
  async take(): Promise<number | null> {
    const segment = this.#withFree() ?? (await this.#tryCreate(this.#unusedNumber()))
    if (segment === null) return null
    const at = segment.states.indexOf(FREE)
    segment.states[at] = USED
    segment.unpunched[at] = 0
    segment.free -= 1
    this.#used += 1
    return segment.number * this.#slots + at
  }

  /** Taken since the last checkpoint was written, so none names it. */
  giveBack(slot: number): void {
    const segment = this.#segmentOf(slot)
    const at = slot % this.#slots
    assert(segment.states[at] === USED, 'only a slot in use is given back')
    segment.states[at] = FREE
    segment.unpunched[at] = 1
    segment.free += 1
    this.#used -= 1
    this.#lowest = Math.min(this.#lowest, segment.number)
  }

  /** `blocks`: how many of it have a place on disk, beside its header. */
  release(slot: number, blocks: number): void {
    const segment = this.#segmentOf(slot)
    assert(segment.states[slot % this.#slots] === USED, 'a slot is released once')
    segment.states[slot % this.#slots] = LIMBO
    this.#limbo.push(slot)
    this.#limboBlocks.set(slot, 1 + blocks)
    this.limboBlocks += 1 + blocks
    this.#used -= 1
  }

  /** Slots that the checkpoint about to be encoded no longer names. */
  takeLimbo(): readonly number[] {
    const limbo = this.#limbo
    this.#limbo = []
    return limbo
  }

  /** That checkpoint was not written: they wait for the next. */
  returnLimbo(slots: readonly number[]): void {
    for (const slot of slots) this.#limbo.push(slot)
  }

  /** That checkpoint is durable. */
  free(slots: readonly number[]): void {
    for (const slot of slots) {
      const segment = this.#segmentOf(slot)
      const at = slot % this.#slots
      assert(segment.states[at] === LIMBO, 'SL1: only released slots become free')
      this.limboBlocks -= this.#limboBlocks.get(slot) ?? 0
      this.#limboBlocks.delete(slot)
      segment.states[at] = FREE
      segment.unpunched[at] = 1
      segment.free += 1
      this.#lowest = Math.min(this.#lowest, segment.number)
    }
  }

  /** Unlinks empty segments beyond the spare, highest first. */
  async unlinkEmpty(): Promise<void> {
    this.#forgetLost()
    const empty = [...this.#segments.values()].filter((segment) => segment.free === this.#slots)
    empty.sort((a, b) => b.number - a.number)
    const excess = empty.slice(0, Math.max(0, empty.length - SPARES))
    for (const segment of excess) {
      this.#segments.delete(segment.number)
      await this.#disk.remove(paths.segment(segment.number))
      if (segment.file !== null) this.#closeInTime(segment.file)
    }
    if (excess.length > 0) await this.#disk.syncFolder(paths.segments)
  }

  /** Gives free slots' space back, at most `limit` ranges at a time. */
  async punch(limit: number): Promise<void> {
    let left = limit
    for (const segment of this.#segments.values()) {
      while (left > 0) {
        const from = segment.unpunched.indexOf(1)
        if (from < 0) break
        let end = from
        while (end < this.#slots && segment.unpunched[end] === 1) end += 1
        segment.unpunched.fill(0, from, end)
        if (segment.file === null) continue
        left -= 1
        await segment.file.punch(from * SLOT_BYTES, (end - from) * SLOT_BYTES)
      }
    }
  }

  /** What was written is on stable media when it resolves. */
  async writeMany(jobs: readonly WriteJob[]): Promise<readonly FailedJob[]> {
    const failed = await this.#disk.writeMany(jobs)
    // One after the other: side by side they take all of libuv's threads, and the journal waits for one.
    for (const file of new Set(jobs.map((job) => job.file))) await file.sync()
    return failed
  }

  fileOf(slot: number): DiskFile {
    const { file } = this.#segmentOf(slot)
    assert(file !== null, 'SL4: nobody reads or writes a lost segment')
    return file
  }

  /** Where the slot begins in its file. */
  offsetOf(slot: number): number {
    return (slot % this.#slots) * SLOT_BYTES
  }

  async close(): Promise<void> {
    for (const segment of this.#segments.values()) await segment.file?.close()
    this.#segments.clear()
    await Promise.all(this.#closing)
  }

  /** SL5 */
  #closeInTime(file: DiskFile): void {
    const closing = file.close().catch((error: unknown) => {
      // It has no name any more, and nothing in it is wanted.
      if (!(error instanceof DiskError)) throw error
    })
    this.#closing.add(closing)
    void closing.finally(() => this.#closing.delete(closing))
  }

  /** Lost segments in which nothing is named any more. */
  #forgetLost(): void {
    for (const { number, file, free } of this.#segments.values()) {
      if (file === null && free === this.#slots) this.#segments.delete(number)
    }
  }

  #segmentOf(slot: number): Segment {
    const segment = this.#segments.get(Math.floor(slot / this.#slots))
    assert(segment !== undefined, 'a slot in use has a segment')
    return segment
  }

  #withFree(): Segment | null {
    let best: Segment | null = null
    for (const segment of this.#segments.values()) {
      if (segment.free === 0 || segment.number < this.#lowest || segment.file === null) continue
      if (best === null || segment.number < best.number) best = segment
      if (best.number === this.#lowest) break
    }
    if (best !== null) this.#lowest = best.number
    return best
  }

  #unusedNumber(): number {
    let number = 0
    while (this.#segments.has(number)) number += 1
    return number
  }

  async #tryCreate(number: number): Promise<Segment | null> {
    const lowest = this.#lowest
    try {
      return await this.#create(number)
    } catch (error) {
      if (!isFull(error)) throw error
      this.#lowest = lowest
      await this.#discard(number)
      return null
    }
  }

  /** SL3 */
  async #discard(number: number): Promise<void> {
    const segment = this.#segments.get(number)
    if (segment === undefined) return
    this.#segments.delete(number)
    await segment.file?.close()
    await this.#disk.remove(paths.segment(number))
  }

  get #footAt(): number {
    return this.#slots * SLOT_BYTES
  }

  async #create(number: number): Promise<Segment> {
    const file = await this.#disk.open(paths.segment(number), 'create')
    this.#made += 1
    const segment = this.#add({ number, born: this.#made }, file)
    // A stray from before a crash may be there.
    if (file.sizeBytes() > 0) await file.truncate(0)
    await file.truncate(this.#footAt + SEGMENT_FOOT_BYTES)
    await file.write([encodeFoot(segment, this.#seed)], this.#footAt)
    await file.sync()
    await this.#disk.syncFolder(paths.segments)
    return segment
  }

  /** SL4 */
  async #openListed(entry: SegmentEntry): Promise<DiskFile | LostSegment['reason']> {
    let file: DiskFile | null = null
    try {
      file = await this.#disk.open(paths.segment(entry.number), 'existing')
      const foot = new Uint8Array(SEGMENT_FOOT_BYTES)
      const got = await file.read(foot, this.#footAt)
      if (got === foot.length && isFootOf(entry, foot, this.#seed)) return file
      await file.close()
      return got < foot.length ? 'short' : 'not its own'
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      await file?.close()
      return error.code === 'NOT_FOUND' ? 'missing' : 'unreadable'
    }
  }

  #add(
    { number, born }: SegmentEntry,
    file: DiskFile | null,
    reason: LostSegment['reason'] | null = null,
  ): Segment {
    const segment: Segment = {
      number,
      born,
      file,
      reason,
      states: new Uint8Array(this.#slots),
      unpunched: new Uint8Array(this.#slots),
      free: this.#slots,
    }
    this.#segments.set(number, segment)
    this.#lowest = Math.min(this.#lowest, number)
    return segment
  }
}

function encodeFoot({ number, born }: SegmentEntry, seed: number): Uint8Array {
  const foot = new Uint8Array(SEGMENT_FOOT_BYTES)
  writeU32(foot, SEGMENT.magic, SEGMENT_MAGIC)
  writeU32(foot, SEGMENT.number, number)
  writeU64(foot, SEGMENT.born, born)
  writeU32(foot, SEGMENT.checksum, crc32c(foot.subarray(0, SEGMENT.checksum), seed))
  return foot
}

function isFootOf(entry: SegmentEntry, foot: Uint8Array, seed: number): boolean {
  return (
    readU32(foot, SEGMENT.magic) === SEGMENT_MAGIC &&
    readU32(foot, SEGMENT.checksum) === crc32c(foot.subarray(0, SEGMENT.checksum), seed) &&
    readU32(foot, SEGMENT.number) === entry.number &&
    readU64(foot, SEGMENT.born) === entry.born
  )
}

export function* decodeSegments(bytes: Uint8Array): Generator<SegmentEntry> {
  for (let at = 0; at < bytes.length; at += SEGMENT_ENTRY.end) {
    yield {
      number: readU32(bytes, at + SEGMENT_ENTRY.number),
      born: readU64(bytes, at + SEGMENT_ENTRY.born),
    }
  }
}
