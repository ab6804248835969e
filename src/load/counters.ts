// Client load of one session as it is counted on the data path: plain fields, written by target/ and volume/, read by the
// load monitor. Nothing here computes; rates are the monitor's.

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
  readonly piecesByPrimary = new Float64Array(64)
  readonly bytesByPrimary = new Float64Array(64)
  /** Commands received and not yet answered, now and at most since it was last read by the monitor. */
  outstanding = 0
  deepest = 0
  /** Sum and count of command latencies in ms, from the first byte of the command to its response, and a histogram of them: bucket i counts latencies < 2^i / 64 ms. */
  latencySumMs = 0
  latencyCount = 0
  readonly latencyBuckets = new Uint32Array(24)

  answered(latencyMs: number): void {
    this.latencySumMs += latencyMs
    this.latencyCount += 1
    const bucket = latencyMs <= 0 ? 0 : Math.max(0, Math.ceil(Math.log2(latencyMs * 64)))
    const index = Math.min(bucket, 23)
    this.latencyBuckets[index] = (this.latencyBuckets[index] ?? 0) + 1
  }
}
