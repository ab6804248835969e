// Checkpoints of the index: two files written in turn, so that a cut while one is written leaves the other.
// A checkpoint says where each page is at home and in which segments, from where the journal must be replayed over that,
// which operations of gateways are remembered, which epochs were promised and which pages are lost.
//
// Invariants:
//   CK1. The newest durable checkpoint is never overwritten.
//   CK2. Everything that it names as home was synced before it was begun.
//   CK3. One for which the disk has no room is not the newest: the one before it holds.
import { readU16, readU32, writeU16, writeU32 } from '../base/bytes.ts'
import { crc32c } from '../base/crc32c.ts'
import { type Disk, type DiskFile, isFull } from '../base/disk.ts'
import { epoch, type SliceId, sliceId, type VolumeId, volumeId } from '../base/ids.ts'
import { readU64, writeU64 } from './fields.ts'
import { judgeLayer, refuse } from './identity.ts'
import {
  BASE_LAYER,
  CHECKPOINT,
  CHECKPOINT_HEAD_BYTES,
  CHECKPOINT_MAGIC,
  FORMAT,
  PAGE_ENTRY,
  PROMISE,
  paths,
  SEGMENT_ENTRY,
  SLICE_ENTRY,
  TOMBSTONE_SLOT,
} from './layout.ts'
import { NO_SLOT, type PageTable } from './page-table.ts'
import type { PageAge } from './slot-header.ts'

/** Pages encoded in one go; between two the event loop runs. */
const PAGES_PER_PART = 4096

export interface CheckpointHead {
  readonly sequence: number
  /** Journal position from which replay starts. */
  readonly tail: number
  /** Journal position up to which records were durable. */
  readonly syncedUpTo: number
}

/** Or its tombstone. */
export interface PageHome extends PageAge {
  readonly volume: VolumeId
  readonly page: number
  readonly slot: number
  readonly present: number
  readonly slice: SliceId
}

/** Beside the pages: each as its room encodes it. */
export interface CheckpointParts {
  readonly segments: Uint8Array
  readonly segmentsMade: number
  readonly operations: Uint8Array
  readonly promises: Uint8Array
  readonly lost: Uint8Array
}

export interface LoadedCheckpoint extends CheckpointParts {
  readonly head: CheckpointHead
  readonly pages: Iterable<PageHome>
  readonly slices: Uint8Array
}

export class Checkpoints {
  readonly #files: readonly DiskFile[]
  readonly #seed: number
  #sequence = 0

  private constructor(files: readonly DiskFile[], seed: number) {
    this.#files = files
    this.#seed = seed
  }

  static async open(disk: Disk, mode: 'existing' | 'create', seed: number): Promise<Checkpoints> {
    const files: DiskFile[] = []
    for (const path of paths.checkpoints) files.push(await disk.open(path, mode))
    return new Checkpoints(files, seed)
  }

  /** Of the newest durable checkpoint. */
  get sequence(): number {
    return this.#sequence
  }

  /** The newest whole checkpoint. */
  async load(memberId: string): Promise<LoadedCheckpoint> {
    let newest: LoadedCheckpoint | null = null
    for (const file of this.#files) {
      const loaded = await this.#read(file)
      if (loaded === null) continue
      if (newest === null || loaded.head.sequence > newest.head.sequence) newest = loaded
    }
    if (newest === null) {
      const sentence =
        'Both checkpoints of the index are damaged, so nobody knows which page is where.'
      throw refuse(memberId, sentence, 'loss')
    }
    this.#sequence = newest.head.sequence
    return newest
  }

  /** Durable when it resolves with 'done'. The table may lose volumes meanwhile (their drop is in the journal after `tail`), nothing else. */
  async write(
    head: Omit<CheckpointHead, 'sequence'>,
    table: PageTable,
    parts: CheckpointParts,
  ): Promise<'done' | 'full'> {
    const sequence = this.#sequence + 1
    const file = this.#files[sequence % 2]
    if (file === undefined) throw new RangeError('there are two checkpoint files')
    try {
      await this.#write(file, { ...head, sequence }, table, parts)
    } catch (error) {
      if (!isFull(error)) throw error
      return 'full' // CK3
    }
    await file.sync()
    this.#sequence = sequence
    return 'done'
  }

  async #write(
    file: DiskFile,
    head: CheckpointHead,
    table: PageTable,
    parts: CheckpointParts,
  ): Promise<void> {
    const { segments, segmentsMade, operations, promises, lost } = parts
    let at = CHECKPOINT_HEAD_BYTES
    let pages = 0
    let sum = this.#seed
    for (let from = 0; from < table.entryCount; from += PAGES_PER_PART) {
      const part = encodePages(table, from, Math.min(table.entryCount, from + PAGES_PER_PART))
      if (part.length === 0) continue
      sum = crc32c(part, sum)
      await file.write([part], at)
      at += part.length
      pages += part.length / PAGE_ENTRY.end
    }
    // SI1: after the pages, so that a tombstone that is folded meanwhile is in one or the other.
    const slices = table.slices.encode()
    for (const part of [slices, segments, operations, promises, lost]) {
      if (part.length === 0) continue
      sum = crc32c(part, sum)
      await file.write([part], at)
      at += part.length
    }
    const bytes = new Uint8Array(CHECKPOINT_HEAD_BYTES)
    writeU32(bytes, CHECKPOINT.magic, CHECKPOINT_MAGIC)
    writeU32(bytes, CHECKPOINT.format, FORMAT)
    writeU64(bytes, CHECKPOINT.sequence, head.sequence)
    writeU64(bytes, CHECKPOINT.tail, head.tail)
    writeU64(bytes, CHECKPOINT.syncedUpTo, head.syncedUpTo)
    writeU64(bytes, CHECKPOINT.pages, pages)
    writeU64(bytes, CHECKPOINT.slices, slices.length / SLICE_ENTRY.end)
    writeU64(bytes, CHECKPOINT.segments, segments.length / SEGMENT_ENTRY.end)
    writeU64(bytes, CHECKPOINT.segmentsMade, segmentsMade)
    writeU64(bytes, CHECKPOINT.operationBytes, operations.length)
    writeU64(bytes, CHECKPOINT.promises, promises.length / PROMISE.end)
    writeU64(bytes, CHECKPOINT.lostBytes, lost.length)
    writeU32(bytes, CHECKPOINT.bodyChecksum, sum)
    const checksum = crc32c(bytes.subarray(0, CHECKPOINT.checksum), this.#seed)
    writeU32(bytes, CHECKPOINT.checksum, checksum)
    await file.write([bytes], 0)
  }

  async close(): Promise<void> {
    for (const file of this.#files) await file.close()
  }

  /** Null if it is torn or damaged. */
  async #read(file: DiskFile): Promise<LoadedCheckpoint | null> {
    const head = new Uint8Array(CHECKPOINT_HEAD_BYTES)
    const got = await file.read(head, 0)
    if (got < head.length || readU32(head, CHECKPOINT.magic) !== CHECKPOINT_MAGIC) return null
    const sum = crc32c(head.subarray(0, CHECKPOINT.checksum), this.#seed)
    if (sum !== readU32(head, CHECKPOINT.checksum)) return null
    const lengths = [
      readU64(head, CHECKPOINT.pages) * PAGE_ENTRY.end,
      readU64(head, CHECKPOINT.slices) * SLICE_ENTRY.end,
      readU64(head, CHECKPOINT.segments) * SEGMENT_ENTRY.end,
      readU64(head, CHECKPOINT.operationBytes),
      readU64(head, CHECKPOINT.promises) * PROMISE.end,
      readU64(head, CHECKPOINT.lostBytes),
    ]
    const body = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0))
    const read = await file.read(body, CHECKPOINT_HEAD_BYTES)
    if (read < body.length) return null
    if (crc32c(body, this.#seed) !== readU32(head, CHECKPOINT.bodyChecksum)) return null
    let at = 0
    const next = (part: number) => {
      const from = at
      at += lengths[part] ?? 0
      return body.subarray(from, at)
    }
    return {
      head: {
        sequence: readU64(head, CHECKPOINT.sequence),
        tail: readU64(head, CHECKPOINT.tail),
        syncedUpTo: readU64(head, CHECKPOINT.syncedUpTo),
      },
      pages: decodePages(next(0)),
      slices: next(1),
      segments: next(2),
      segmentsMade: readU64(head, CHECKPOINT.segmentsMade),
      operations: next(3),
      promises: next(4),
      lost: next(5),
    }
  }
}

/** At home, or vacated. */
function isNamed(table: PageTable, entry: number): boolean {
  return table.homeOf(entry) !== NO_SLOT || table.isTombstone(entry)
}

function encodePages(table: PageTable, from: number, to: number): Uint8Array {
  let pages = 0
  for (let entry = from; entry < to; entry += 1) {
    if (isNamed(table, entry)) pages += 1
  }
  const part = new Uint8Array(pages * PAGE_ENTRY.end)
  let at = 0
  for (let entry = from; entry < to; entry += 1) {
    if (!isNamed(table, entry)) continue
    const slot = table.homeOf(entry)
    const stamp = table.stampOf(entry)
    writeU64(part, at + PAGE_ENTRY.volume, table.volumeOf(entry))
    writeU32(part, at + PAGE_ENTRY.layer, BASE_LAYER)
    writeU64(part, at + PAGE_ENTRY.page, table.pageOf(entry))
    writeU64(part, at + PAGE_ENTRY.version, table.versionOf(entry))
    writeU64(part, at + PAGE_ENTRY.epoch, stamp.epoch)
    writeU64(part, at + PAGE_ENTRY.seq, stamp.seq)
    writeU32(part, at + PAGE_ENTRY.slot, slot === NO_SLOT ? TOMBSTONE_SLOT : slot)
    writeU16(part, at + PAGE_ENTRY.present, table.present[entry] ?? 0)
    writeU16(part, at + PAGE_ENTRY.slice, table.sliceOf(entry))
    at += PAGE_ENTRY.end
  }
  return part
}

function* decodePages(bytes: Uint8Array): Generator<PageHome> {
  for (let at = 0; at < bytes.length; at += PAGE_ENTRY.end) {
    const volume = volumeId(readU64(bytes, at + PAGE_ENTRY.volume))
    judgeLayer(readU32(bytes, at + PAGE_ENTRY.layer), volume)
    yield {
      volume,
      page: readU64(bytes, at + PAGE_ENTRY.page),
      version: readU64(bytes, at + PAGE_ENTRY.version),
      epoch: epoch(readU64(bytes, at + PAGE_ENTRY.epoch)),
      seq: readU64(bytes, at + PAGE_ENTRY.seq),
      slot: readU32(bytes, at + PAGE_ENTRY.slot),
      present: readU16(bytes, at + PAGE_ENTRY.present),
      slice: sliceId(readU16(bytes, at + PAGE_ENTRY.slice)),
    }
  }
}
