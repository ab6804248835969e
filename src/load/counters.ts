// Client load of one session as it is counted on the data path: plain fields, written by target/ and volume/, read by the
// load monitor. Nothing here computes; rates are the monitor's.
//
// CN1. What is counted by primary has a place for every member of a group, however many there are; a session pays for as many as
//      it has met.

// CN2. Failures are counted by kind, and the kinds are fixed (target/failures.ts): a session that fails in every way holds as
//      many counts, and one that never fails holds none.
import { DURATION_BUCKETS, durationBucket } from '../base/durations.ts'

/** Of a group of that size nothing has to grow. */
const PLACES = 64
/** As many as members get numbers (volume/primary-numbers.ts). */
export const PRIMARIES_MAX = 4096

/** What a command turned out to be, for its duration; `failed`: it was answered otherwise than with GOOD. */
export const OPS = ['read', 'write', 'other', 'failed'] as const
export const READ = 0
export const WRITE = 1
export const OTHER = 2
export const FAILED = 3
export type Op = typeof READ | typeof WRITE | typeof OTHER | typeof FAILED

/** How a command failed: its SCSI status, and its sense as key/ASC/ASCQ. */
export interface FailureKind {
  readonly status: string
  readonly sense: string
}

export class SessionCounters {
  reads = 0
  writes = 0
  /** Everything else that was executed: sync, unmap, inquiry. */
  others = 0
  readBytes = 0
  writtenBytes = 0
  /** CN2; null: none has failed. A unit attention is news, and no failure. */
  failures: Map<FailureKind, number> | null = null
  /** Pieces and bytes of them by the member that held the page; index is the member's number in `PrimaryNumbers`. */
  piecesByPrimary = new Float64Array(PLACES)
  bytesByPrimary = new Float64Array(PLACES)
  /** Commands received and not yet answered, now and at most since it was last read by the monitor. */
  outstanding = 0
  deepest = 0
  /** Sum and count of command latencies in ms, from the first byte of the command to its response. */
  latencySumMs = 0
  latencyCount = 0
  /** The same by what they turned out to be: sums, and for each its buckets one after the other (base/durations.ts). */
  readonly opSumMs = new Float64Array(OPS.length)
  readonly opBuckets = new Uint32Array(OPS.length * DURATION_BUCKETS)

  /** A piece of so many bytes, for the member with this number. */
  piece(primary: number, bytes: number): void {
    if (primary >= this.piecesByPrimary.length) {
      this.piecesByPrimary = grown(this.piecesByPrimary, primary)
      this.bytesByPrimary = grown(this.bytesByPrimary, primary)
    }
    this.piecesByPrimary[primary] = (this.piecesByPrimary[primary] ?? 0) + 1
    this.bytesByPrimary[primary] = (this.bytesByPrimary[primary] ?? 0) + bytes
  }

  answered(op: Op, latencyMs: number): void {
    this.latencySumMs += latencyMs
    this.latencyCount += 1
    this.opSumMs[op] = (this.opSumMs[op] ?? 0) + latencyMs
    const at = op * DURATION_BUCKETS + durationBucket(latencyMs)
    this.opBuckets[at] = (this.opBuckets[at] ?? 0) + 1
  }

  failed(kind: FailureKind): void {
    this.failures ??= new Map()
    this.failures.set(kind, (this.failures.get(kind) ?? 0) + 1)
  }
}

/** With a place for that number, and with what was counted. */
export function grown(
  counts: Float64Array<ArrayBuffer>,
  number: number,
): Float64Array<ArrayBuffer> {
  const places = new Float64Array(Math.max(number + 1, 2 * counts.length))
  places.set(counts)
  return places
}
