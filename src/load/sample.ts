// What the monitor reads each second: the process as a whole (taken by io/) and each session, as differences of its
// counters.
import type { MemberId, SessionId } from '../base/ids.ts'
import { grown, type SessionCounters } from './counters.ts'

/** What a member sent to copies as a primary, and what it kept as a copy of other members' slices. */
export interface CopyAmounts {
  readonly copiedPieces: number
  readonly copiedBytes: number
  readonly keptPieces: number
  readonly keptBytes: number
}

/** System load over the last `seconds`. Rates are derived here and nowhere else. */
export interface SystemSample extends CopyAmounts {
  readonly seconds: number
  /** User and system CPU of the process in these seconds, workers included. */
  readonly cpuSeconds: number
  /** CPU seconds a second that this process could have at most: its event loop and what runs beside it. */
  readonly capacityCpu: number
  /** 0 … 1 of the whole host. */
  readonly hostCpu: number
  /** Share of the time in which the event loop was not idle. Counts waiting for a core, so it only signals saturation. */
  readonly loopUtilisation: number
  readonly rssBytes: number
  /** Bytes by the interface that initiators reach, and what that takes in a second each way; 0: others use it too, or it is not known. */
  readonly receivedBytes: number
  readonly sentBytes: number
  readonly interfaceBytes: number
  /** Of the journal's commits; null: there were none. */
  readonly diskLatencyMs: number | null
  readonly diskQueue: number
  /** Work done as a primary, for this member's sessions and for other members' (`handled` is the latter alone). */
  readonly storedPieces: number
  readonly storedBytes: number
  readonly handledPieces: number
  readonly handledBytes: number
}

/** Kinds of work that a session's gateway can count; all but the last two are done at the gateway wherever the pages are. */
export const WORK = {
  read: 0,
  write: 1,
  other: 2,
  readByte: 3,
  writtenByte: 4,
  piece: 5,
  pieceByte: 6,
} as const
export const WORK_KINDS = 7

export interface PrimaryWork {
  readonly member: MemberId
  readonly pieces: number
  readonly bytes: number
}

/** Client load: one session over the last `seconds`. */
export interface SessionSample {
  readonly session: SessionId
  readonly seconds: number
  /** Amounts by `WORK`. */
  readonly work: readonly number[]
  /** Pieces by primary; those of `work` that are not listed count as spread over all members. */
  readonly byPrimary: readonly PrimaryWork[]
  readonly outstanding: number
  readonly deepest: number
  readonly latencySumMs: number
  readonly latencyCount: number
}

/** What the counters stood at when they were last read. */
export interface CounterMark {
  readonly work: Float64Array
  pieces: Float64Array<ArrayBuffer>
  bytes: Float64Array<ArrayBuffer>
  latencySumMs: number
  latencyCount: number
}

export function counterMark(): CounterMark {
  return {
    work: new Float64Array(WORK_KINDS),
    pieces: new Float64Array(0),
    bytes: new Float64Array(0),
    latencySumMs: 0,
    latencyCount: 0,
  }
}

/**
 * Differences since `mark`, which is brought up to date; `deepest` starts anew at the present depth. `primaries[i]` is the member with number i;
 * a number without a member is counted, but not listed.
 */
export function readCounters(
  session: SessionId,
  counters: SessionCounters,
  mark: CounterMark,
  primaries: readonly (MemberId | undefined)[],
  seconds: number,
): SessionSample {
  const byPrimary: PrimaryWork[] = []
  const places = counters.piecesByPrimary.length
  if (mark.pieces.length < places) {
    mark.pieces = grown(mark.pieces, places - 1)
    mark.bytes = grown(mark.bytes, places - 1)
  }
  let pieces = 0
  let pieceBytes = 0
  for (let i = 0; i < mark.pieces.length; i++) {
    const more = taken(mark.pieces, i, counters.piecesByPrimary[i] ?? 0)
    const moreBytes = taken(mark.bytes, i, counters.bytesByPrimary[i] ?? 0)
    if (more === 0 && moreBytes === 0) continue
    pieces += more
    pieceBytes += moreBytes
    const member = primaries[i]
    if (member !== undefined) byPrimary.push({ member, pieces: more, bytes: moreBytes })
  }
  const work = [
    taken(mark.work, WORK.read, counters.reads),
    taken(mark.work, WORK.write, counters.writes),
    taken(mark.work, WORK.other, counters.others),
    taken(mark.work, WORK.readByte, counters.readBytes),
    taken(mark.work, WORK.writtenByte, counters.writtenBytes),
    pieces,
    pieceBytes,
  ]
  const latencySumMs = counters.latencySumMs - mark.latencySumMs
  const latencyCount = counters.latencyCount - mark.latencyCount
  mark.latencySumMs = counters.latencySumMs
  mark.latencyCount = counters.latencyCount
  const deepest = counters.deepest
  counters.deepest = counters.outstanding
  return {
    session,
    seconds,
    work,
    byPrimary,
    outstanding: counters.outstanding,
    deepest,
    latencySumMs,
    latencyCount,
  }
}

/** A counter that went back (a session that was made anew) starts again from zero. */
function taken(mark: Float64Array, index: number, now: number): number {
  const before = mark[index] ?? 0
  mark[index] = now
  return now >= before ? now - before : now
}
