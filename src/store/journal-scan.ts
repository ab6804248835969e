// Reading the journal after a stop: which records are whole, and whether what ends the log is a torn tail or damage.
//
// The first record that is not whole ends the log, if nothing proves that it once was durable: every record tells up to
// where the journal was durable when it was written, and so does the checkpoint. Before that point a record that is not
// whole is damage: acknowledged bytes are lost, and that is said. A promise, or a list of operations, is whole or lost; of a write single blocks may be.
import { crc32c } from '../base/crc32c.ts'
import type { DiskFile } from '../base/disk.ts'
import { BLOCK_BYTES } from '../base/sizes.ts'
import type { Folder } from './folder.ts'
import { RECORD_BYTES, recordKind, SECTOR_BYTES } from './layout.ts'
import { BLOCK_SECTORS, decodeRecord, payloadBlocks, type RecordHeader } from './record.ts'

const CHUNK_SECTORS = 2048

export interface Survey {
  /** By position: every record header in the ring that stands where its number says, from the tail on. */
  readonly records: ReadonlyMap<number, RecordHeader>
  /** Everything before this position was durable. */
  readonly syncedUpTo: number
  /** The newest checkpoint that any of them knows. */
  readonly checkpoint: number
}

export interface Replayed {
  readonly header: RecordHeader
  readonly payload: Uint8Array
  /** By block of the payload: its bytes fail their checksum. Only in damaged journals. */
  readonly bad: readonly number[]
}

export interface LogEnd {
  readonly position: number
  /** Positions from which records are lost, though they were durable. */
  readonly gaps: readonly number[]
  readonly badBlocks: number
}

/** All headers of this lap of the ring. */
export async function survey(
  file: DiskFile,
  ring: number,
  seed: number,
  from: { readonly tail: number; readonly syncedUpTo: number; readonly checkpoint: number },
): Promise<Survey> {
  const records = new Map<number, RecordHeader>()
  let { syncedUpTo, checkpoint } = from
  for (let first = 0; first < ring; first += CHUNK_SECTORS) {
    const sectors = Math.min(CHUNK_SECTORS, ring - first)
    // A chunk of its own: the headers that are found keep views of it.
    const chunk = new Uint8Array(sectors * SECTOR_BYTES)
    await file.read(chunk, first * SECTOR_BYTES)
    for (let i = 0; i < sectors; i += 1) {
      const header = decodeRecord(chunk.subarray(i * SECTOR_BYTES, (i + 1) * SECTOR_BYTES), seed)
      if (header === null || header.jseq % ring !== first + i) continue
      // A record of an earlier lap proves nothing about this one, but it knows checkpoints.
      checkpoint = Math.max(checkpoint, header.checkpoint)
      if (header.jseq < from.tail || header.jseq >= from.tail + ring) continue
      records.set(header.jseq, header)
      syncedUpTo = Math.max(syncedUpTo, header.syncedUpTo)
    }
  }
  return { records, syncedUpTo, checkpoint }
}

/** What is to be replayed. */
export interface Log {
  readonly tail: number
  readonly found: Survey
  /** The bytes that a direct record tells of are in their slot. */
  readonly isThere: (header: RecordHeader) => Promise<boolean>
}

/** Hands every whole write to `apply`, all records of it at once, in order; returns where the log ends. */
export async function replay(
  { journal, ring }: Pick<Folder, 'journal' | 'ring'>,
  { tail, found, isThere }: Log,
  apply: (records: readonly Replayed[]) => void | Promise<void>,
): Promise<LogEnd> {
  const gaps: number[] = []
  let badBlocks = 0
  let position = tail
  /** The log ends after the last whole write: records of a write whose rest is missing are as good as never written. */
  let end = tail
  let parts: Replayed[] = []
  for (;;) {
    const header = found.records.get(position)
    const proven = position < found.syncedUpTo
    // DW1
    const isTorn = !proven && header?.kind === recordKind.direct && !(await isThere(header))
    const next = header === undefined ? null : await readPayload(journal, ring, header)
    if (next === null || isTorn || (next.bad.length > 0 && !(proven && isInBlocks(next)))) {
      if (!proven) return { position: end, gaps, badBlocks }
      gaps.push(position)
      parts = []
      position = nextKnown(found, position)
      end = position
      continue
    }
    badBlocks += next.bad.length
    if (next.header.part !== parts.length) parts = []
    parts.push(next)
    position = after(next.header, ring)
    if (parts.length < next.header.parts) continue
    if (next.header.kind !== recordKind.pad) await apply(parts)
    parts = []
    end = position
  }
}

function isInBlocks({ header }: Replayed): boolean {
  return header.kind !== recordKind.promise && header.kind !== recordKind.adopt
}

function after(header: RecordHeader, ring: number): number {
  if (header.kind === recordKind.pad) return header.jseq + ring - (header.jseq % ring)
  return header.jseq + 1 + payloadBlocks(header) * BLOCK_SECTORS
}

/** After a gap: the next header that is known, or the end of what is proven. */
function nextKnown(found: Survey, position: number): number {
  let best = found.syncedUpTo
  for (const jseq of found.records.keys()) if (jseq > position && jseq < best) best = jseq
  return best
}

export async function readPayload(
  file: DiskFile,
  ring: number,
  header: RecordHeader,
): Promise<Replayed> {
  const payload = new Uint8Array(payloadBlocks(header) * BLOCK_BYTES)
  if (payload.length > 0)
    await file.read(payload, (header.jseq % ring) * SECTOR_BYTES + RECORD_BYTES)
  return { header, payload, bad: badBlocks(payload, header) }
}

/** By index: the blocks that do not fit the record. */
export function badBlocks(bytes: Uint8Array, header: RecordHeader): number[] {
  const bad: number[] = []
  for (let block = 0; block * BLOCK_BYTES < bytes.length; block += 1) {
    const at = block * BLOCK_BYTES
    if (crc32c(bytes.subarray(at, at + BLOCK_BYTES)) !== header.checksum(block)) bad.push(block)
  }
  return bad
}
