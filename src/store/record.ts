// The header of a journal record: one sector that says what the record changes and whose it is, with a checksum for each
// block of its payload. `jseq` is the position in sectors since the folder was made, so a record that is found at a place
// of the ring belongs there only if its number says so.
import { assert } from '../base/assert.ts'
import { readU16, readU32, writeU16, writeU32 } from '../base/bytes.ts'
import { crc32c } from '../base/crc32c.ts'
import {
  type Epoch,
  epoch,
  generation,
  type SessionId,
  type SliceId,
  sessionId,
  sliceId,
  type VolumeId,
  volumeId,
} from '../base/ids.ts'
import { BLOCK_BYTES, RUN_BYTES } from '../base/sizes.ts'
import type { Ordered, UnmapEdges } from '../peer/operation.ts'
import { readU64, writeU64 } from './fields.ts'
import {
  BASE_LAYER,
  RECORD,
  RECORD_BLOCKS,
  RECORD_BYTES,
  RECORD_CHECKSUM,
  RECORD_MAGIC,
  recordKind,
  SECTOR_BYTES,
} from './layout.ts'

export const BLOCK_SECTORS = BLOCK_BYTES / SECTOR_BYTES
/** An unmap with both edges. */
export const LARGEST_UNMAP_SECTORS = 1 + 2 * (1 + BLOCK_SECTORS)

/** A mutation as the store takes it: `offset` and `bytes` are multiples of 4096. It is remembered until it is acknowledged, unless its number is 0. */
export interface StoreWrite extends Ordered {
  /** null: what the slice has of the range reads as zeros afterwards. Must not change until it has settled. */
  readonly data: Uint8Array | null
  /** Of its blocks, or of its edges, if they came with them (F3 of peer/frames.ts); null: they are made when it goes into the journal. */
  readonly checksums?: Uint32Array | null
  /** Of an unmap, whose range may be empty then: written with it, all or nothing. */
  readonly edges: UnmapEdges | null
}

export function judgeWrite(write: StoreWrite): void {
  const { offset, bytes, data } = write
  assert(offset % BLOCK_BYTES === 0 && bytes % BLOCK_BYTES === 0, 'a write is of whole blocks')
  assert(data === null || insideRun(offset, bytes), 'a write stays inside one run')
  assert(bytes > 0 || edgesOf(write) > 0, 'an unmap names something')
  assert(data === null || data.length === bytes, 'a write brings all its bytes')
}

export function insideRun(offset: number, bytes: number): boolean {
  if (bytes === 0 || offset < 0) return false
  return Math.floor(offset / RUN_BYTES) === Math.floor((offset + bytes - 1) / RUN_BYTES)
}

/** Where a record stands and what it proves about those before it. */
export interface RecordPlace {
  readonly jseq: number
  /** Everything before this position was durable when the record was written. */
  readonly syncedUpTo: number
  /** The newest checkpoint that was durable when the record was written. */
  readonly checkpoint: number
}

/** The part of a write that one record carries: `blocks` blocks from block `first` of it. */
export interface RecordPart {
  readonly part: number
  readonly parts: number
  readonly first: number
  readonly blocks: number
  /** Where the blocks are; null: they follow the record. */
  readonly at: SlotPlace | null
}

/** A slot, and its segment as it was made: a number is used again. */
export interface SlotPlace {
  readonly slot: number
  readonly born: number
}

export type RecordKind = (typeof recordKind)[keyof typeof recordKind]

export interface RecordHeader extends RecordPlace, Ordered, SlotPlace {
  readonly kind: RecordKind
  readonly layer: number
  readonly part: number
  readonly parts: number
  /** Blocks that it tells of: its payload, unless they are in a slot. */
  readonly blocks: number
  /** One a block, valid while the bytes that it was decoded from are. */
  checksum(block: number): number
}

/** Records and sectors that a write takes in the journal. */
export function sizeOf(write: StoreWrite): { records: number; sectors: number } {
  if (write.data === null) {
    const edges = edgesOf(write)
    return { records: 1 + edges, sectors: 1 + edges * (1 + BLOCK_SECTORS) }
  }
  const blocks = write.bytes / BLOCK_BYTES
  const records = Math.ceil(blocks / RECORD_BLOCKS)
  return { records, sectors: records + blocks * BLOCK_SECTORS }
}

const NO_EDGES: UnmapEdges = { head: null, tail: null }

/** How many blocks an unmap writes. */
export function edgesOf({ edges }: StoreWrite): number {
  const { head, tail } = edges ?? NO_EDGES
  return Number(head !== null) + Number(tail !== null)
}

/** The writes of one block and the unmap of whole blocks that an unmap consists of, in the order of their records. */
export function partsOf(write: StoreWrite): readonly StoreWrite[] {
  const { offset, bytes } = write
  const { head, tail } = write.edges ?? NO_EDGES
  if (head === null && tail === null) return [write]
  const block = { ...write, bytes: BLOCK_BYTES, edges: null }
  const first = write.checksums?.subarray(0, 1) ?? null
  const last = write.checksums?.subarray(-1) ?? null
  const before = { ...block, offset: offset - BLOCK_BYTES, data: head, checksums: first }
  const behind = { ...block, offset: offset + bytes, data: tail, checksums: last }
  return [
    ...(head === null ? [] : [before]),
    { ...write, edges: null, checksums: null },
    ...(tail === null ? [] : [behind]),
  ]
}

/** Fills the header for one part of a write and returns its payload, null if none follows. `sums.blocks` gets the checksums of the write's blocks from index `sums.first` on. */
export function encodeWrite(
  header: Uint8Array,
  place: RecordPlace,
  write: StoreWrite,
  part: RecordPart,
  sums: { readonly seed: number; readonly blocks: Uint32Array; readonly first: number },
): Uint8Array | null {
  const { data } = write
  begin(header, kindOf(write, part), place)
  putWrite(header, write, part)
  writeU64(header, RECORD.offset, write.offset + part.first * BLOCK_BYTES)
  if (data === null) {
    writeU64(header, RECORD.bytes, write.bytes)
    finish(header, sums.seed)
    return null
  }
  const from = part.first * BLOCK_BYTES
  const payload = data.subarray(from, from + part.blocks * BLOCK_BYTES)
  writeU16(header, RECORD.blocks, part.blocks)
  writeU64(header, RECORD.bytes, payload.length)
  for (let block = 0; block < part.blocks; block += 1) {
    const at = block * BLOCK_BYTES
    const sum =
      write.checksums?.[part.first + block] ?? crc32c(payload.subarray(at, at + BLOCK_BYTES))
    sums.blocks[sums.first + part.first + block] = sum
    writeU32(header, RECORD.checksums + block * 4, sum)
  }
  if (part.at !== null) {
    writeU32(header, RECORD.slot, part.at.slot)
    writeU64(header, RECORD.born, part.at.born)
  }
  finish(header, sums.seed)
  return part.at === null ? payload : null
}

/** The first of `parts` records: what was here of the page is gone. */
export function encodeInstall(
  header: Uint8Array,
  place: RecordPlace,
  clear: StoreWrite,
  parts: number,
  seed: number,
): void {
  begin(header, recordKind.install, place)
  putWrite(header, clear, { part: 0, parts })
  writeU64(header, RECORD.offset, clear.offset)
  writeU64(header, RECORD.bytes, clear.bytes)
  finish(header, seed)
}

/** Whose it is, and where it stands. */
function putWrite(
  header: Uint8Array,
  write: StoreWrite,
  { part, parts }: Pick<RecordPart, 'part' | 'parts'>,
): void {
  writeU16(header, RECORD.part, part)
  writeU16(header, RECORD.parts, parts)
  writeU32(header, RECORD.slice, write.slice)
  writeU64(header, RECORD.epoch, write.epoch)
  writeU64(header, RECORD.seq, write.seq)
  writeU64(header, RECORD.session, write.session)
  writeU64(header, RECORD.gen, write.gen)
  writeU64(header, RECORD.number, write.number)
  writeU64(header, RECORD.acknowledged, write.acknowledged)
  writeU64(header, RECORD.volume, write.volume)
  writeU32(header, RECORD.layer, BASE_LAYER)
}

function kindOf({ data }: StoreWrite, { at }: RecordPart): RecordKind {
  if (data === null) return recordKind.unmap
  return at === null ? recordKind.write : recordKind.direct
}

/** Blocks that follow the record. */
export function payloadBlocks({ kind, blocks }: Pick<RecordHeader, 'kind' | 'blocks'>): number {
  return kind === recordKind.direct ? 0 : blocks
}

export function encodeDrop(
  header: Uint8Array,
  place: RecordPlace,
  volume: VolumeId,
  seed: number,
): void {
  begin(header, recordKind.dropVolume, place)
  writeU16(header, RECORD.parts, 1)
  writeU64(header, RECORD.volume, volume)
  finish(header, seed)
}

export function encodeSliceDrop(
  header: Uint8Array,
  place: RecordPlace,
  slice: SliceId,
  under: Epoch,
  seed: number,
): void {
  begin(header, recordKind.dropSlice, place)
  writeU16(header, RECORD.parts, 1)
  writeU32(header, RECORD.slice, slice)
  writeU64(header, RECORD.epoch, under)
  finish(header, seed)
}

/** What a record of promises or of adopted operations brings. */
export interface RecordList {
  readonly kind: 'promise' | 'adopt'
  /** Filled up to whole blocks. */
  readonly encoded: Uint8Array
  /** So many of them count. */
  readonly bytes: number
  /** The highest that it names, so that whoever looks at the journal knows of it; 0: none. */
  readonly session: SessionId
}

export function encodeList(
  header: Uint8Array,
  place: RecordPlace,
  { kind, encoded, bytes, session }: RecordList,
  seed: number,
): void {
  begin(header, recordKind[kind], place)
  writeU16(header, RECORD.parts, 1)
  writeU16(header, RECORD.blocks, encoded.length / BLOCK_BYTES)
  writeU64(header, RECORD.session, session)
  writeU64(header, RECORD.bytes, bytes)
  for (let block = 0; block * BLOCK_BYTES < encoded.length; block += 1) {
    const at = block * BLOCK_BYTES
    writeU32(header, RECORD.checksums + block * 4, crc32c(encoded.subarray(at, at + BLOCK_BYTES)))
  }
  finish(header, seed)
}

/** Filled up to whole blocks. */
export function listOf(
  kind: RecordList['kind'],
  list: Uint8Array,
  session: SessionId = sessionId(0),
): RecordList {
  const encoded = new Uint8Array(Math.ceil(list.length / BLOCK_BYTES) * BLOCK_BYTES)
  encoded.set(list)
  return { kind, encoded, bytes: list.length, session }
}

export function encodePad(header: Uint8Array, place: RecordPlace, seed: number): void {
  begin(header, recordKind.pad, place)
  writeU16(header, RECORD.parts, 1)
  finish(header, seed)
}

/** Null unless `bytes` begins with a whole header of this folder. Whether it stands where its `jseq` says is the caller's to check. */
export function decodeRecord(bytes: Uint8Array, seed: number): RecordHeader | null {
  if (readU32(bytes, 0) !== RECORD_MAGIC) return null
  const sum = crc32c(bytes.subarray(0, RECORD_CHECKSUM), seed)
  if (sum !== readU32(bytes, RECORD_CHECKSUM)) return null
  return {
    kind: (bytes[RECORD.kind] ?? 0) as RecordKind,
    part: readU16(bytes, RECORD.part),
    parts: readU16(bytes, RECORD.parts),
    blocks: readU16(bytes, RECORD.blocks),
    jseq: readU64(bytes, RECORD.jseq),
    syncedUpTo: readU64(bytes, RECORD.syncedUpTo),
    checkpoint: readU64(bytes, RECORD.checkpoint),
    slice: sliceId(readU32(bytes, RECORD.slice)),
    epoch: epoch(readU64(bytes, RECORD.epoch)),
    seq: readU64(bytes, RECORD.seq),
    session: sessionId(readU64(bytes, RECORD.session)),
    gen: generation(readU64(bytes, RECORD.gen)),
    number: readU64(bytes, RECORD.number),
    acknowledged: readU64(bytes, RECORD.acknowledged),
    volume: volumeId(readU64(bytes, RECORD.volume)),
    layer: readU32(bytes, RECORD.layer),
    offset: readU64(bytes, RECORD.offset),
    bytes: readU64(bytes, RECORD.bytes),
    slot: readU32(bytes, RECORD.slot),
    born: readU64(bytes, RECORD.born),
    checksum: (block) => readU32(bytes, RECORD.checksums + block * 4),
  }
}

function begin(header: Uint8Array, kind: RecordKind, place: RecordPlace): void {
  header.fill(0, 0, RECORD_BYTES)
  writeU32(header, RECORD.magic, RECORD_MAGIC)
  header[RECORD.kind] = kind
  writeU64(header, RECORD.jseq, place.jseq)
  writeU64(header, RECORD.syncedUpTo, place.syncedUpTo)
  writeU64(header, RECORD.checkpoint, place.checkpoint)
}

function finish(header: Uint8Array, seed: number): void {
  writeU32(header, RECORD_CHECKSUM, crc32c(header.subarray(0, RECORD_CHECKSUM), seed))
}
