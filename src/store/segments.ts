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
import { assert } from '../base/assert.ts'
import { type Disk, type DiskFile, isFull } from '../base/disk.ts'
import { paths, SLOT_BYTES } from './layout.ts'

const FREE = 0
const USED = 1
const LIMBO = 2
const SPARES = 1

interface Segment {
  readonly number: number
  readonly file: DiskFile
  readonly states: Uint8Array
  /** Free slots whose bytes may still take space. */
  readonly unpunched: Uint8Array
  free: number
  touched: boolean
}

export class Segments {
  readonly #disk: Disk
  readonly #slots: number
  readonly #segments = new Map<number, Segment>()
  /** No segment with a lower number has a free slot. */
  #lowest = 0
  #limbo: number[] = []
  #used = 0

  constructor(disk: Disk, slotsPerSegment: number) {
    this.#disk = disk
    this.#slots = slotsPerSegment
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

  /** Opens what is there. */
  async open(): Promise<void> {
    for (const name of await this.#disk.list(paths.segments)) {
      if (!/^\d{6,}$/.test(name)) continue
      const segment = await this.#openSegment(Number(name), 'existing')
      // What was punched before the restart is not known; punching again does no harm.
      segment.unpunched.fill(1)
    }
  }

  /** At recovery: the checkpoint names this slot. A segment that is missing is made anew, empty: its pages are damaged. */
  async markUsed(slot: number): Promise<void> {
    const number = Math.floor(slot / this.#slots)
    const segment = this.#segments.get(number) ?? (await this.#create(number))
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

  release(slot: number): void {
    const segment = this.#segmentOf(slot)
    assert(segment.states[slot % this.#slots] === USED, 'a slot is released once')
    segment.states[slot % this.#slots] = LIMBO
    this.#limbo.push(slot)
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
    this.#limbo.push(...slots)
  }

  /** That checkpoint is durable. */
  free(slots: readonly number[]): void {
    for (const slot of slots) {
      const segment = this.#segmentOf(slot)
      const at = slot % this.#slots
      assert(segment.states[at] === LIMBO, 'SL1: only released slots become free')
      segment.states[at] = FREE
      segment.unpunched[at] = 1
      segment.free += 1
      this.#lowest = Math.min(this.#lowest, segment.number)
    }
  }

  /** Unlinks empty segments beyond the spare, highest first. */
  async unlinkEmpty(): Promise<void> {
    const empty = [...this.#segments.values()].filter((segment) => segment.free === this.#slots)
    empty.sort((a, b) => b.number - a.number)
    const excess = empty.slice(0, Math.max(0, empty.length - SPARES))
    for (const segment of excess) {
      this.#segments.delete(segment.number)
      await segment.file.close()
      await this.#disk.remove(paths.segment(segment.number))
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
        left -= 1
        await segment.file.punch(from * SLOT_BYTES, (end - from) * SLOT_BYTES)
      }
    }
  }

  /** For writing: the file will be part of the next `syncTouched`. */
  touch(slot: number): DiskFile {
    const segment = this.#segmentOf(slot)
    segment.touched = true
    return segment.file
  }

  fileOf(slot: number): DiskFile {
    return this.#segmentOf(slot).file
  }

  /** Where the slot begins in its file. */
  offsetOf(slot: number): number {
    return (slot % this.#slots) * SLOT_BYTES
  }

  /** One after the other: side by side they take all of libuv's threads, and the journal waits for one. */
  async syncTouched(): Promise<void> {
    const touched = [...this.#segments.values()].filter((segment) => segment.touched)
    for (const segment of touched) {
      segment.touched = false
      await segment.file.sync()
    }
  }

  async close(): Promise<void> {
    for (const segment of this.#segments.values()) await segment.file.close()
    this.#segments.clear()
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
    await segment.file.close()
    await this.#disk.remove(paths.segment(number))
  }

  async #create(number: number): Promise<Segment> {
    const segment = await this.#openSegment(number, 'create')
    await segment.file.truncate(this.#slots * SLOT_BYTES)
    await segment.file.sync()
    await this.#disk.syncFolder(paths.segments)
    return segment
  }

  async #openSegment(number: number, mode: 'existing' | 'create'): Promise<Segment> {
    const file = await this.#disk.open(paths.segment(number), mode)
    const segment: Segment = {
      number,
      file,
      states: new Uint8Array(this.#slots),
      unpunched: new Uint8Array(this.#slots),
      free: this.#slots,
      touched: false,
    }
    this.#segments.set(number, segment)
    this.#lowest = Math.min(this.#lowest, number)
    return segment
  }
}
