// Rates of a member's sessions for people: what `top`, `session list` and `status` show. Decisions use the load monitor's
// estimates instead (load/), which average over longer times.
import { type Clock, type Timer, untilBeat } from '../base/clock.ts'
import type { LiveSession } from '../target/live-session.ts'

const EVERY_MS = 1_000
/** A rate of less time is none. */
const LEAST_SECONDS = 0.1
/** One of less time is chance: what comes after it takes its place. */
const TELLING_SECONDS = 0.5
/** Weight of the newest second: about the mean of the last four. */
const NEWEST = 0.3

export type SessionRates = {
  readonly iops: number
  readonly bytesPerSecond: number
  /** Share of pieces that another member held, 0 … 1. */
  readonly forwardedShare: number
  readonly queueDepth: number
  /** Mean of the last seconds; null: nothing was answered. */
  readonly latencyMs: number | null
}

interface Marked {
  /** Of what time its newest rate is. */
  seconds: number
  iops: number
  bytesPerSecond: number
  pieces: number
  forwarded: number
  queueDepth: number
  latencyMs: number | null
  commands: number
  bytes: number
  allPieces: number
  ownPieces: number
  latencySumMs: number
  latencyCount: number
}

export class Rates {
  readonly #clock: Clock
  readonly #sessions: () => Iterable<LiveSession>
  readonly #ownNumber: number
  #marks = new WeakMap<LiveSession, Marked>()
  #timer: Timer
  #lastMs: number

  /** `ownNumber`: this member's place in the counters by primary. */
  constructor(clock: Clock, sessions: () => Iterable<LiveSession>, ownNumber: number) {
    this.#clock = clock
    this.#sessions = sessions
    this.#ownNumber = ownNumber
    this.#lastMs = clock.nowMs()
    this.#timer = this.#tickLater()
  }

  of(session: LiveSession): SessionRates {
    // One that has just come, by a move perhaps, is told by what it has done since.
    const marked =
      this.#marks.get(session) ?? this.#reading(session, this.#lastMs, this.#clock.nowMs())
    const { iops, bytesPerSecond, pieces, forwarded, queueDepth, latencyMs } = marked
    const forwardedShare = pieces > 0 ? forwarded / pieces : 0
    return { iops, bytesPerSecond, forwardedShare, queueDepth, latencyMs }
  }

  stop(): void {
    this.#timer.cancel()
  }

  #tickLater(): Timer {
    return this.#clock.after(untilBeat(this.#clock, EVERY_MS), () => this.#tick())
  }

  #tick(): void {
    const now = this.#clock.nowMs()
    const before = this.#lastMs
    this.#lastMs = now
    if (now > before)
      for (const session of this.#sessions())
        this.#marks.set(session, this.#reading(session, before, now))
    this.#timer = this.#tickLater()
  }

  /** Of the time from `fromMs` on, or since the session was there. */
  #reading(session: LiveSession, fromMs: number, nowMs: number): Marked {
    const { counters, beganMs } = session
    const seconds = Math.max(LEAST_SECONDS, (nowMs - Math.max(fromMs, beganMs)) / 1_000)
    const before = this.#marks.get(session) ?? blank()
    const newest = before.seconds < TELLING_SECONDS ? 1 : NEWEST
    const blend = (old: number, now: number) => old + (now - old) * newest
    const commands = counters.reads + counters.writes + counters.others
    const bytes = counters.readBytes + counters.writtenBytes
    let allPieces = 0
    for (const pieces of counters.piecesByPrimary) allPieces += pieces
    const ownPieces = counters.piecesByPrimary[this.#ownNumber] ?? 0
    const answered = counters.latencyCount - before.latencyCount
    const pieces = allPieces - before.allPieces
    return {
      seconds,
      iops: blend(before.iops, (commands - before.commands) / seconds),
      bytesPerSecond: blend(before.bytesPerSecond, (bytes - before.bytes) / seconds),
      pieces: blend(before.pieces, pieces),
      forwarded: blend(before.forwarded, pieces - (ownPieces - before.ownPieces)),
      queueDepth: blend(before.queueDepth, counters.outstanding),
      latencyMs: answered > 0 ? (counters.latencySumMs - before.latencySumMs) / answered : null,
      commands,
      bytes,
      allPieces,
      ownPieces,
      latencySumMs: counters.latencySumMs,
      latencyCount: counters.latencyCount,
    }
  }
}

function blank(): Marked {
  return {
    seconds: 0,
    iops: 0,
    bytesPerSecond: 0,
    pieces: 0,
    forwarded: 0,
    queueDepth: 0,
    latencyMs: null,
    commands: 0,
    bytes: 0,
    allPieces: 0,
    ownPieces: 0,
    latencySumMs: 0,
    latencyCount: 0,
  }
}
