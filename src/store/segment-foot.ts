// Which segment a file is: its foot says so, and the checkpoint lists those that hold pages.
import { readU32, writeU32 } from '../base/bytes.ts'
import { crc32c } from '../base/crc32c.ts'
import { readU64, writeU64 } from './fields.ts'
import { SEGMENT, SEGMENT_ENTRY, SEGMENT_FOOT_BYTES, SEGMENT_MAGIC } from './layout.ts'

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

/** For a checkpoint. */
export function encodeSegments(segments: readonly SegmentEntry[]): Uint8Array {
  const bytes = new Uint8Array(segments.length * SEGMENT_ENTRY.end)
  for (const [i, { number, born }] of segments.entries()) {
    writeU32(bytes, i * SEGMENT_ENTRY.end + SEGMENT_ENTRY.number, number)
    writeU64(bytes, i * SEGMENT_ENTRY.end + SEGMENT_ENTRY.born, born)
  }
  return bytes
}

export function encodeFoot({ number, born }: SegmentEntry, seed: number): Uint8Array {
  const foot = new Uint8Array(SEGMENT_FOOT_BYTES)
  writeU32(foot, SEGMENT.magic, SEGMENT_MAGIC)
  writeU32(foot, SEGMENT.number, number)
  writeU64(foot, SEGMENT.born, born)
  writeU32(foot, SEGMENT.checksum, crc32c(foot.subarray(0, SEGMENT.checksum), seed))
  return foot
}

export function isFootOf(entry: SegmentEntry, foot: Uint8Array, seed: number): boolean {
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
