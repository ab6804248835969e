// The journal: a ring of sectors in one preallocated file, where every change becomes durable before it is answered.
// Positions count sectors since the folder was made; position p is at sector p mod ring. A batch is one durable write.
//
//        tail ≤ durable ≤ head ≤ tail + ring
//   ─ ─ ─ ┬───────────┬──────────┬─ ─ ─
//    home │ overlay   │ under way│ free
//
// Invariants:
//   J1. `durable` moves only when the disk has said that everything before it is on stable media.
//   J2. `tail` moves only when a checkpoint that needs nothing before it is durable.
//   J3. A write is never split by the end of the ring, and all its records are in one batch.
//   J4. Data leaves room for what gives room back: when no more of it fits, unmaps and drops still do.
import { assert } from '../base/assert.ts'
import type { DiskFile } from '../base/disk.ts'
import type { Epoch, SliceId, VolumeId } from '../base/ids.ts'
import { BLOCK_BYTES, RUN_BYTES } from '../base/sizes.ts'
import { RECORD_BLOCKS, RECORD_BYTES, SECTOR_BYTES } from './layout.ts'
import {
  BLOCK_SECTORS,
  encodeDrop,
  encodePad,
  encodePromise,
  encodeWrite,
  LARGEST_UNMAP_SECTORS,
  partsOf,
  type StoreWrite,
  sizeOf,
} from './record.ts'

/** Parts of one vectored write: the kernel takes 1024 at a time. */
const BATCH_PARTS = 1000
/** Past this a batch waits longer for the disk than its members gain. */
const BATCH_BLOCKS = 1024
const BATCH_SECTORS = BATCH_BLOCKS * BLOCK_SECTORS
/** J4: two unmaps with both their edges, or 38 unmaps of whole blocks and drops. */
const KEPT_SECTORS = 2 * LARGEST_UNMAP_SECTORS

export interface JournalPositions {
  readonly head: number
  readonly checkpoint: number
}

/** What becomes durable together, in this order. */
export type Change =
  | {
      readonly kind: 'write'
      readonly write: StoreWrite
      /** Where the checksums of its blocks were put, once it is placed. */
      firstSum: number
    }
  | { readonly kind: 'drop'; readonly volume: VolumeId }
  | {
      readonly kind: 'promise'
      readonly epochs: ReadonlyMap<SliceId, Epoch>
      /** The same as bytes, filled up to whole blocks, of which `bytes` count. */
      readonly encoded: Uint8Array
      readonly bytes: number
    }

export type Room = 'placed' | 'nextBatch' | 'noRoom'

export class Journal {
  readonly ring: number
  readonly #file: DiskFile
  readonly #seed: number
  #head: number
  #durable: number
  #tail: number
  /** The newest durable checkpoint, told in every record. */
  #checkpoint: number
  // The batch that is being placed, or is under way.
  #start: number
  #sealed = false
  #underWay = false
  readonly #parts: Uint8Array[] = []
  readonly #headers: Uint8Array[] = []
  #headersUsed = 0
  /** Of the blocks of the batch: as many as a batch takes, and one write more. */
  readonly checksums = new Uint32Array(BATCH_BLOCKS + RUN_BYTES / BLOCK_BYTES)
  #sumsUsed = 0

  constructor(file: DiskFile, ring: number, seed: number, at: JournalPositions) {
    this.#file = file
    this.ring = ring
    this.#seed = seed
    this.#head = at.head
    this.#durable = at.head
    this.#tail = at.head
    this.#start = at.head
    this.#checkpoint = at.checkpoint
  }

  get durable(): number {
    return this.#durable
  }

  get tail(): number {
    return this.#tail
  }

  /** Sectors that only a checkpoint can free. */
  get used(): number {
    return this.#head - this.#tail
  }

  /** The largest write, in sectors: it and the filler before it always fit into an empty ring. */
  get largest(): number {
    return Math.floor((this.ring - KEPT_SECTORS) / 2)
  }

  get isEmptyBatch(): boolean {
    return this.#parts.length === 0
  }

  /** Adds the change to the batch. 'nextBatch': this one is full. 'noRoom': the ring is, until the tail moves. */
  place(change: Change): Room {
    assert(!this.#underWay, 'a batch under way does not change')
    const { records, sectors } = sizeOfChange(change)
    assert(sectors <= this.largest, 'a write is at most half of the journal')
    if (this.#sealed) return 'nextBatch'
    const full =
      this.#parts.length + 2 * records > BATCH_PARTS ||
      this.#head - this.#start + sectors > BATCH_SECTORS
    if (full && !this.isEmptyBatch) return 'nextBatch'
    const toEnd = this.ring - (this.#head % this.ring)
    const filler = sectors > toEnd ? toEnd : 0
    const kept = change.kind === 'write' && change.write.data !== null ? KEPT_SECTORS : 0
    if (this.used + filler + sectors + kept > this.ring) return 'noRoom'
    if (filler > 0) {
      encodePad(this.#nextHeader(), this.#place(), this.#seed)
      this.#head += filler
      this.#sealed = true
      return 'nextBatch'
    }
    if (change.kind === 'write') {
      change.firstSum = this.#sumsUsed
      this.#placeWrite(change.write, records)
    } else {
      const header = this.#nextHeader()
      if (change.kind === 'drop') encodeDrop(header, this.#place(), change.volume, this.#seed)
      else {
        encodePromise(header, this.#place(), change.encoded, change.bytes, this.#seed)
        this.#parts.push(change.encoded)
      }
      this.#head += sectors
    }
    // A batch is one write, and the file does not go on beyond the end of the ring.
    if (this.#head % this.ring === 0) this.#sealed = true
    return 'placed'
  }

  /** Writes the batch; when it resolves, the batch and everything before it is durable. */
  async commit(): Promise<void> {
    assert(!this.#underWay, 'one batch at a time')
    this.#underWay = true
    await this.#file.writeDurable(this.#parts, (this.#start % this.ring) * SECTOR_BYTES)
    this.#durable = this.#head
    this.#start = this.#head
    this.#sealed = false
    this.#underWay = false
    this.#parts.length = 0
    this.#headersUsed = 0
    this.#sumsUsed = 0
  }

  /** Checkpoint `checkpoint` is durable and needs nothing before `tail`. */
  release(tail: number, checkpoint: number): void {
    assert(tail >= this.#tail && tail <= this.#durable, 'J2: tail ≤ durable, and never back')
    this.#tail = tail
    this.#checkpoint = checkpoint
  }

  #placeWrite(write: StoreWrite, records: number): void {
    const { data } = write
    if (data === null) this.#placeUnmap(write, records)
    else this.#placeData(write, records)
  }

  #placeUnmap(write: StoreWrite, parts: number): void {
    for (const [part, one] of partsOf(write).entries()) {
      const blocks = one.data === null ? 0 : 1
      const sums = { seed: this.#seed, blocks: this.checksums, first: this.#sumsUsed }
      const header = this.#nextHeader()
      const payload = encodeWrite(
        header,
        this.#place(),
        one,
        { part, parts, first: 0, blocks },
        sums,
      )
      if (payload !== null) this.#parts.push(payload)
      this.#head += 1 + blocks * BLOCK_SECTORS
      this.#sumsUsed += blocks
    }
  }

  #placeData(write: StoreWrite, records: number): void {
    const blocks = write.bytes / BLOCK_BYTES
    const sums = { seed: this.#seed, blocks: this.checksums, first: this.#sumsUsed }
    for (let part = 0; part < records; part += 1) {
      const first = part * RECORD_BLOCKS
      const count = Math.min(RECORD_BLOCKS, blocks - first)
      const piece = { part, parts: records, first, blocks: count }
      const header = this.#nextHeader()
      const payload = encodeWrite(header, this.#place(), write, piece, sums)
      if (payload !== null) this.#parts.push(payload)
      this.#head += 1 + count * BLOCK_SECTORS
    }
    this.#sumsUsed += blocks
  }

  #place() {
    return { jseq: this.#head, syncedUpTo: this.#durable, checkpoint: this.#checkpoint }
  }

  /** A buffer of its own for each record of the batch, used again by the next batch. */
  #nextHeader(): Uint8Array {
    let header = this.#headers[this.#headersUsed]
    if (header === undefined) {
      header = new Uint8Array(RECORD_BYTES)
      this.#headers.push(header)
    }
    this.#headersUsed += 1
    this.#parts.push(header)
    return header
  }
}

function sizeOfChange(change: Change): { readonly records: number; readonly sectors: number } {
  switch (change.kind) {
    case 'write':
      return sizeOf(change.write)
    case 'drop':
      return { records: 1, sectors: 1 }
    case 'promise':
      return { records: 1, sectors: 1 + change.encoded.length / SECTOR_BYTES }
  }
}
