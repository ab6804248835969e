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
import {
  type Disk,
  DiskError,
  type DiskFile,
  type FailedJob,
  isFull,
  sharedBytes,
  type WriteJob,
} from '../base/disk.ts'
import { paths, SEGMENT_FOOT_BYTES, SLOT_BYTES } from './layout.ts'
import type { SlotPlace } from './record.ts'
import type { LostSegment, SegmentEntry } from './segment-foot.ts'
import { encodeFoot, encodeSegments, isFootOf } from './segment-foot.ts'

const FREE = 0
const USED = 1
const LIMBO = 2
/** Free, and being written or given back to the file system. */
const HELD = 3
const SPARES = 1

interface Segment extends SegmentEntry {
  readonly file: DiskFile | null
  /** Why it has no file. */
  readonly reason: LostSegment['reason'] | null
  readonly states: Uint8Array
  /** Free slots whose bytes may still take space. */
  readonly unpunched: Uint8Array
  free: number
  /** Its name is durable. */
  isMade: boolean
}

export class Segments {
  readonly #disk: Disk
  readonly #slots: number
  readonly #seed: number
  readonly #segments = new Map<number, Segment>()
  /** No segment with a lower number has a free slot. */
  #lowest = 0
  #limbo: number[] = []
  /** Taken by `takeDirect`, and no page's home yet. */
  readonly #direct = new Set<number>()
  /** DW7: free slots that have their place on disk whole. */
  readonly #warm = new Set<number>()
  readonly #limboBlocks = new Map<number, number>()
  readonly #whole = new Set<number>()
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

  /** Taken by `takeDirect`: as long as nobody counts their blocks otherwise, all of them count. */
  get directSlots(): number {
    return this.#direct.size
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
    return encodeSegments(holding)
  }

  /** Of those that there are, in order. */
  readonly numbers = () => [...this.#segments.keys()].sort((a, b) => a - b)

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
    this.#use(segment, slot % this.#slots)
  }

  /** Null: all are taken, and the disk has no room for another segment. */
  async take(): Promise<number | null> {
    const slot = this.#takeFree()
    if (slot !== null) return slot
    await this.#tryCreate(this.#unusedNumber())
    return this.#takeFree()
  }

  /** For `takeDirect`. */
  get warmSlots(): number {
    return this.#warm.size
  }

  /** For blocks that go straight there, in any turn of the event loop. Null: none is prepared. */
  takeDirect(): SlotPlace | null {
    const [slot] = this.#warm
    if (slot === undefined) return null
    const segment = this.#segmentOf(slot)
    this.#use(segment, slot % this.#slots)
    this.#direct.add(slot)
    return { slot, born: segment.born }
  }

  /** The direct slot is the home of a page now, whose blocks count. */
  settled(slot: number): void {
    this.#direct.delete(slot)
  }

  bornOf(slot: number): number {
    return this.#segmentOf(slot).born
  }

  /** At recovery: a record tells of this slot. False: its segment is not the one that it was. */
  async adopt({ slot, born }: SlotPlace): Promise<boolean> {
    const number = Math.floor(slot / this.#slots)
    if (!this.#segments.has(number)) {
      const file = await this.#openListed({ number, born })
      if (typeof file === 'string') return false
      this.#add({ number, born }, file).unpunched.fill(1)
    }
    const segment = this.#segmentOf(slot)
    if (segment.born !== born || segment.file === null) return false
    assert(segment.states[slot % this.#slots] === FREE, 'DW5: no record after the tail tells of it')
    this.#use(segment, slot % this.#slots)
    return true
  }

  /** DW7. Some free slots get their place on disk, until there are `most` beside the pages' homes; fewer if the disk has no room. */
  async prepare(some: number, most: number): Promise<void> {
    const zeros = sharedBytes(SLOT_BYTES)
    for (let i = 0; i < some; i += 1) {
      if (this.#warm.size + this.#direct.size + this.#limbo.length >= most) return
      if (this.#coldSlot() === null) await this.#tryCreate(this.#unusedNumber())
      const slot = this.#coldSlot()
      if (slot === null) return
      const segment = this.#segmentOf(slot)
      const at = slot % this.#slots
      this.#hold(segment, at, at + 1)
      const job = { file: this.fileOf(slot), parts: [zeros], offset: this.offsetOf(slot) }
      const [failed] = await this.#disk.writeMany([job])
      if (failed === undefined) await job.file.sync()
      this.#letGo(segment, at, at + 1)
      segment.unpunched[at] = 1
      if (failed === undefined) this.#warm.add(slot)
      else if (isFull(failed.error)) return
      else throw failed.error
    }
  }

  #coldSlot(): number | null {
    for (const segment of this.#segments.values()) {
      if (segment.free === 0 || segment.file === null || !segment.isMade) continue
      for (let at = 0; at < this.#slots; at += 1) {
        const slot = segment.number * this.#slots + at
        if (segment.states[at] === FREE && !this.#warm.has(slot)) return slot
      }
    }
    return null
  }

  /** Slots are taken in any turn of the event loop, but not these until they are let go. */
  #hold(segment: Segment, from: number, end: number): void {
    segment.states.fill(HELD, from, end)
    segment.free -= end - from
    for (let at = from; at < end; at += 1) this.#warm.delete(segment.number * this.#slots + at)
  }

  #letGo(segment: Segment, from: number, end: number): void {
    segment.states.fill(FREE, from, end)
    segment.free += end - from
    this.#lowest = Math.min(this.#lowest, segment.number)
  }

  #takeFree(): number | null {
    const segment = this.#withFree()
    if (segment === null) return null
    const first = segment.number * this.#slots
    // What is prepared for direct writes last: a page of few blocks takes all of the room there.
    const isFree = (state: number, at: number) => state === FREE && !this.#warm.has(first + at)
    const cold = segment.states.findIndex(isFree)
    const at = cold >= 0 ? cold : segment.states.indexOf(FREE)
    this.#use(segment, at)
    return first + at
  }

  #use(segment: Segment, at: number): void {
    this.#warm.delete(segment.number * this.#slots + at)
    segment.states[at] = USED
    segment.unpunched[at] = 0
    segment.free -= 1
    this.#used += 1
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

  /** `blocks`: how many of it have a place on disk, beside its header, at most; `isWhole`: all of them have one for certain. */
  release(slot: number, blocks: number, isWhole: boolean): void {
    const segment = this.#segmentOf(slot)
    assert(segment.states[slot % this.#slots] === USED, 'a slot is released once')
    segment.states[slot % this.#slots] = LIMBO
    this.#limbo.push(slot)
    this.#direct.delete(slot)
    this.#limboBlocks.set(slot, 1 + blocks)
    if (isWhole) this.#whole.add(slot)
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
      const isWhole = this.#whole.delete(slot)
      if (isWhole && segment.file !== null) this.#warm.add(slot) // SL4
      assert(segment.states[at] === LIMBO, 'SL1: only released slots become free')
      this.limboBlocks -= this.#limboBlocks.get(slot) ?? 0
      this.#limboBlocks.delete(slot)
      segment.states[at] = FREE
      segment.unpunched[at] = 1
      segment.free += 1
      this.#lowest = Math.min(this.#lowest, segment.number)
    }
  }

  /** Unlinks empty segments beyond the spare, and beyond so many slots as are kept for `takeDirect`, highest first. */
  async unlinkEmpty(kept: number): Promise<void> {
    this.#forgetLost()
    const empty = [...this.#segments.values()].filter((segment) => segment.free === this.#slots)
    empty.sort((a, b) => b.number - a.number)
    const excess = empty.slice(
      0,
      Math.max(0, empty.length - SPARES - Math.ceil(kept / this.#slots)),
    )
    for (const segment of excess) {
      if (segment.free < this.#slots) continue
      this.#hold(segment, 0, this.#slots)
      this.#segments.delete(segment.number)
      await this.#disk.remove(paths.segment(segment.number))
      if (segment.file !== null) this.#closeInTime(segment.file)
    }
    if (excess.length > 0) await this.#disk.syncFolder(paths.segments)
  }

  /** Gives free slots' space back, at most `limit` ranges at a time, but for so many slots as are kept for `takeDirect`. */
  async punch(limit: number, kept: number): Promise<void> {
    let left = limit
    let stay = kept
    for (const segment of this.#segments.values()) {
      if (stay > 0) {
        for (const isUnpunched of segment.unpunched) stay -= isUnpunched
        continue
      }
      while (left > 0) {
        const from = segment.unpunched.indexOf(1)
        if (from < 0) break
        let end = from
        while (end < this.#slots && segment.unpunched[end] === 1) end += 1
        segment.unpunched.fill(0, from, end)
        if (segment.file === null) continue
        left -= 1
        this.#hold(segment, from, end)
        await segment.file.punch(from * SLOT_BYTES, (end - from) * SLOT_BYTES)
        this.#letGo(segment, from, end)
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
      if (segment.free === 0 || segment.number < this.#lowest) continue
      if (segment.file === null || !segment.isMade) continue
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

  /** Not if the disk has no room. */
  async #tryCreate(number: number): Promise<void> {
    const lowest = this.#lowest
    try {
      await this.#create(number)
    } catch (error) {
      if (!isFull(error)) throw error
      this.#lowest = lowest
      await this.#discard(number)
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

  async #create(number: number): Promise<void> {
    const file = await this.#disk.open(paths.segment(number), 'create')
    this.#made += 1
    const segment = this.#add({ number, born: this.#made }, file)
    segment.isMade = false
    // A stray from before a crash may be there.
    if (file.sizeBytes() > 0) await file.truncate(0)
    await file.truncate(this.#footAt + SEGMENT_FOOT_BYTES)
    await file.write([encodeFoot(segment, this.#seed)], this.#footAt)
    await file.sync()
    await this.#disk.syncFolder(paths.segments)
    segment.isMade = true
    this.#lowest = Math.min(this.#lowest, number)
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
      isMade: true,
    }
    this.#segments.set(number, segment)
    this.#lowest = Math.min(this.#lowest, number)
    return segment
  }
}
