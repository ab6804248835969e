// Client load of one session as it is counted on the data path: plain fields, written by target/ and volume/, read by the
// load monitor. Nothing here computes; rates are the monitor's.
//
// CN1. What is counted by primary has a place for every member of a group, however many there are; a session pays for as many as
//      it has met.

/** Of a group of that size nothing has to grow. */
const PLACES = 64
/** As many as members get numbers (volume/primary-numbers.ts). */
export const PRIMARIES_MAX = 4096

export class SessionCounters {
  reads = 0
  writes = 0
  /** Everything else that was executed: sync, unmap, inquiry. */
  others = 0
  readBytes = 0
  writtenBytes = 0
  /** Commands that ended with CHECK CONDITION: no room (7/27/07), MEDIUM ERROR, everything else. */
  noSpace = 0
  mediumErrors = 0
  otherErrors = 0
  /** Pieces and bytes of them by the member that held the page; index is the member's number in `PrimaryNumbers`. */
  piecesByPrimary = new Float64Array(PLACES)
  bytesByPrimary = new Float64Array(PLACES)
  /** Commands received and not yet answered, now and at most since it was last read by the monitor. */
  outstanding = 0
  deepest = 0
  /** Sum and count of command latencies in ms, from the first byte of the command to its response, and a histogram of them: bucket i counts latencies < 2^i / 64 ms. */
  latencySumMs = 0
  latencyCount = 0
  readonly latencyBuckets = new Uint32Array(24)

  /** A piece of so many bytes, for the member with this number. */
  piece(primary: number, bytes: number): void {
    if (primary >= this.piecesByPrimary.length) {
      this.piecesByPrimary = grown(this.piecesByPrimary, primary)
      this.bytesByPrimary = grown(this.bytesByPrimary, primary)
    }
    this.piecesByPrimary[primary] = (this.piecesByPrimary[primary] ?? 0) + 1
    this.bytesByPrimary[primary] = (this.bytesByPrimary[primary] ?? 0) + bytes
  }

  answered(latencyMs: number): void {
    this.latencySumMs += latencyMs
    this.latencyCount += 1
    const bucket = latencyMs <= 0 ? 0 : Math.max(0, Math.ceil(Math.log2(latencyMs * 64)))
    const index = Math.min(bucket, 23)
    this.latencyBuckets[index] = (this.latencyBuckets[index] ?? 0) + 1
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
