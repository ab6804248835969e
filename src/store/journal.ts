// The journal: a ring of sectors in one preallocated file, where every change becomes durable before it is answered.
// Positions count sectors since the folder was made; position p is at sector p mod ring. A batch is one durable write;
// while one is under way, the next may be, too.
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
//   J5. Batches become durable in their order: one that the disk has before an earlier one is not, and no record says so,
//        until the earlier one is.
import { assert } from '../base/assert.ts'
import type { DiskFile } from '../base/disk.ts'
import type { Epoch, SliceId, VolumeId } from '../base/ids.ts'
import { BLOCK_BYTES, RUN_BYTES } from '../base/sizes.ts'
import type { DirectPiece } from './direct-writes.ts'
import { blocksIn, type InstallParts, sizeOfInstall } from './installed.ts'
import { RECORD_BLOCKS, RECORD_BYTES, SECTOR_BYTES } from './layout.ts'
import {
  BLOCK_SECTORS,
  encodeDrop,
  encodeInstall,
  encodeList,
  encodePad,
  encodeSliceDrop,
  encodeWrite,
  LARGEST_UNMAP_SECTORS,
  partsOf,
  type RecordList,
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

/** Under way at once: with one, half of the commands wait for the other half's answers. */
export const OPEN_BATCHES = 2

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
      /** Its blocks may go straight into slots. */
      readonly isSuited: boolean
      /** Where its blocks go; null: into the journal. */
      direct: readonly DirectPiece[] | null
    }
  | {
      readonly kind: 'install'
      readonly parts: InstallParts
      /** As of a write. */
      firstSum: number
    }
  | { readonly kind: 'drop'; readonly volume: VolumeId }
  | { readonly kind: 'dropSlice'; readonly slice: SliceId; readonly under: Epoch }
  | RecordList

export type Room = 'placed' | 'nextBatch' | 'noRoom'

/** Changes that become durable in one write. */
class Batch {
  readonly parts: Uint8Array[] = []
  readonly #headers: Uint8Array[] = []
  #headersUsed = 0
  /** Of its blocks: as many as a batch takes, and one write more. */
  readonly checksums = new Uint32Array(BATCH_BLOCKS + RUN_BYTES / BLOCK_BYTES)
  sumsUsed = 0
  /** Positions. */
  start = 0
  end = 0
  /** Nothing goes in any more. */
  sealed = false

  /** A buffer of its own for each record, used again when the batch is. */
  nextHeader(): Uint8Array {
    let header = this.#headers[this.#headersUsed]
    if (header === undefined) {
      header = new Uint8Array(RECORD_BYTES)
      this.#headers.push(header)
    }
    this.#headersUsed += 1
    this.parts.push(header)
    return header
  }

  begin(at: number): void {
    this.start = at
    this.end = at
    this.sealed = false
    this.parts.length = 0
    this.#headersUsed = 0
    this.sumsUsed = 0
  }
}

/** What has become durable, until it is given back. */
export type DurableBatch = Pick<Batch, 'checksums' | 'end'>

export class Journal {
  readonly ring: number
  readonly #file: DiskFile
  readonly #seed: number
  #head: number
  #durable: number
  #tail: number
  /** The newest durable checkpoint, told in every record. */
  #checkpoint: number
  /** What is being placed; null while as many as may be are under way. */
  #placing: Batch | null
  readonly #idle: Batch[]
  /** J5: settles with the newest batch under way. */
  #newest: Promise<unknown> = Promise.resolve()

  constructor(file: DiskFile, ring: number, seed: number, at: JournalPositions) {
    this.#file = file
    this.ring = ring
    this.#seed = seed
    this.#head = at.head
    this.#durable = at.head
    this.#tail = at.head
    this.#idle = Array.from({ length: OPEN_BATCHES }, () => new Batch())
    this.#placing = null
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
    return this.#placing === null || this.#placing.parts.length === 0
  }

  /** Adds the change to the batch. 'nextBatch': this one is full. 'noRoom': the ring is, until the tail moves. */
  place(change: Change): Room {
    const batch = this.#batch()
    const { records, sectors } = sizeOfChange(change)
    assert(sectors <= this.largest, 'a write is at most half of the journal')
    if (batch.sealed) return 'nextBatch'
    const full =
      batch.parts.length + 2 * records > BATCH_PARTS ||
      this.#head - batch.start + sectors > BATCH_SECTORS ||
      batch.sumsUsed + blocksOf(change) > BATCH_BLOCKS
    if (full && !this.isEmptyBatch) return 'nextBatch'
    const toEnd = this.ring - (this.#head % this.ring)
    const filler = sectors > toEnd ? toEnd : 0
    const kept = blocksOf(change) > 0 ? KEPT_SECTORS : 0 // J4
    if (this.used + filler + sectors + kept > this.ring) return 'noRoom'
    if (filler > 0) {
      encodePad(batch.nextHeader(), this.#place(), this.#seed)
      this.#head += filler
      batch.sealed = true
      return 'nextBatch'
    }
    if (change.kind === 'write') {
      change.firstSum = batch.sumsUsed
      this.#placeWrite(batch, change, records)
    } else if (change.kind === 'install') {
      change.firstSum = batch.sumsUsed
      this.#placeInstall(batch, change.parts, records)
    } else {
      this.#placeOther(batch, change)
      this.#head += sectors
    }
    // A batch is one write, and the file does not go on beyond the end of the ring.
    if (this.#head % this.ring === 0) batch.sealed = true
    return 'placed'
  }

  /** Writes the batch; when it resolves, the batch, what its records tell of elsewhere (`writeDirect`, begun behind it), and everything before it is durable. */
  commit(writeDirect: (() => Promise<void>) | null = null): Promise<DurableBatch> {
    const batch = this.#batch()
    this.#placing = null
    batch.end = this.#head
    const at = (batch.start % this.ring) * SECTOR_BYTES
    const record = this.#file.writeDurable(batch.parts, at)
    const write = writeDirect === null ? record : Promise.all([record, writeDirect()])
    const durable = this.#inOrder(batch, this.#newest, write)
    this.#newest = durable
    return durable
  }

  /** The batch has taken effect, and its checksums are not wanted any more. */
  giveBack(batch: DurableBatch): void {
    assert(batch instanceof Batch, 'one of its own')
    this.#idle.push(batch)
  }

  /** J5 */
  async #inOrder(batch: Batch, before: Promise<unknown>, write: Promise<unknown>): Promise<Batch> {
    await Promise.all([before, write])
    this.#durable = batch.end
    return batch
  }

  #batch(): Batch {
    if (this.#placing !== null) return this.#placing
    const batch = this.#idle.pop()
    assert(batch !== undefined, 'a batch under way does not change')
    batch.begin(this.#head)
    this.#placing = batch
    return batch
  }

  /** Checkpoint `checkpoint` is durable and needs nothing before `tail`. */
  release(tail: number, checkpoint: number): void {
    assert(tail >= this.#tail && tail <= this.#durable, 'J2: tail ≤ durable, and never back')
    this.#tail = tail
    this.#checkpoint = checkpoint
  }

  #placeWrite(batch: Batch, { write, direct }: WriteChange, records: number): void {
    if (write.data === null) this.#placeUnmap(batch, write, records)
    else if (direct === null) this.#placeData(batch, write, records)
    else this.#placeDirect(batch, write, direct, records)
  }

  #placeUnmap(batch: Batch, write: StoreWrite, parts: number): void {
    for (const [part, one] of partsOf(write).entries()) {
      const blocks = one.data === null ? 0 : 1
      const sums = { seed: this.#seed, blocks: batch.checksums, first: batch.sumsUsed }
      const header = batch.nextHeader()
      const payload = encodeWrite(
        header,
        this.#place(),
        one,
        { part, parts, first: 0, blocks, at: null },
        sums,
      )
      if (payload !== null) batch.parts.push(payload)
      this.#head += 1 + blocks * BLOCK_SECTORS
      batch.sumsUsed += blocks
    }
  }

  #placeData(batch: Batch, write: StoreWrite, records: number): void {
    const blocks = write.bytes / BLOCK_BYTES
    const sums = { seed: this.#seed, blocks: batch.checksums, first: batch.sumsUsed }
    for (let part = 0; part < records; part += 1) {
      const first = part * RECORD_BLOCKS
      const count = Math.min(RECORD_BLOCKS, blocks - first)
      const piece = { part, parts: records, first, blocks: count, at: null }
      const header = batch.nextHeader()
      const payload = encodeWrite(header, this.#place(), write, piece, sums)
      if (payload !== null) batch.parts.push(payload)
      this.#head += 1 + count * BLOCK_SECTORS
    }
    batch.sumsUsed += blocks
  }

  #placeInstall(batch: Batch, { clear, writes }: InstallParts, parts: number): void {
    encodeInstall(batch.nextHeader(), this.#place(), clear, parts, this.#seed)
    this.#head += 1
    for (const [i, write] of writes.entries()) {
      const blocks = write.bytes / BLOCK_BYTES
      const sums = { seed: this.#seed, blocks: batch.checksums, first: batch.sumsUsed }
      const piece = { part: i + 1, parts, first: 0, blocks, at: null }
      const header = batch.nextHeader()
      const payload = encodeWrite(header, this.#place(), write, piece, sums)
      if (payload !== null) batch.parts.push(payload)
      this.#head += 1 + blocks * BLOCK_SECTORS
      batch.sumsUsed += blocks
    }
  }

  #placeOther(batch: Batch, change: Exclude<Change, { readonly kind: 'write' | 'install' }>): void {
    const header = batch.nextHeader()
    switch (change.kind) {
      case 'drop':
        encodeDrop(header, this.#place(), change.volume, this.#seed)
        return
      case 'dropSlice':
        encodeSliceDrop(header, this.#place(), change.slice, change.under, this.#seed)
        return
      case 'promise':
      case 'adopt':
        encodeList(header, this.#place(), change, this.#seed)
        batch.parts.push(change.encoded)
    }
  }

  #placeDirect(
    batch: Batch,
    write: StoreWrite,
    pieces: readonly DirectPiece[],
    parts: number,
  ): void {
    const sums = { seed: this.#seed, blocks: batch.checksums, first: batch.sumsUsed }
    let part = 0
    for (const { slot, first, blocks } of pieces) {
      for (let from = 0; from < blocks; from += RECORD_BLOCKS) {
        const count = Math.min(RECORD_BLOCKS, blocks - from)
        const piece = { part, parts, first: first + from, blocks: count, at: slot.at }
        encodeWrite(batch.nextHeader(), this.#place(), write, piece, sums)
        this.#head += 1
        part += 1
      }
    }
    batch.sumsUsed += write.bytes / BLOCK_BYTES
  }

  #place() {
    return { jseq: this.#head, syncedUpTo: this.#durable, checkpoint: this.#checkpoint }
  }
}

type WriteChange = Extract<Change, { readonly kind: 'write' }>

function blocksOf(change: Change): number {
  if (change.kind === 'install') return blocksIn(change.parts)
  return change.kind === 'write' && change.write.data !== null
    ? change.write.bytes / BLOCK_BYTES
    : 0
}

function sizeOfDirect(pieces: readonly DirectPiece[]): { records: number; sectors: number } {
  let records = 0
  for (const { blocks } of pieces) records += Math.ceil(blocks / RECORD_BLOCKS)
  return { records, sectors: records }
}

function sizeOfChange(change: Change): { readonly records: number; readonly sectors: number } {
  switch (change.kind) {
    case 'write':
      return change.direct === null ? sizeOf(change.write) : sizeOfDirect(change.direct)
    case 'install':
      return sizeOfInstall(change.parts)
    case 'drop':
    case 'dropSlice':
      return { records: 1, sectors: 1 }
    case 'promise':
    case 'adopt':
      return { records: 1, sectors: 1 + change.encoded.length / SECTOR_BYTES }
  }
}
