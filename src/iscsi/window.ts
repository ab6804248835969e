// The command window of a session (RFC 7143 §4.2.2.1): which CmdSN may come, and how far the initiator may go.
//
// MaxCmdSN is credit: what is under way counts against it, so that at most `width` commands are ever accepted and
// unanswered. An initiator stops only when its credit is used up, so the width is kept near the depth in use: a session
// that is to be moved then drains in the time of a few commands (target/DESIGN.md, quiesce).
//
// The depth in use is the initiator's: commands it has sent and not seen answered. Many are answered here in the turn
// in which they came, so that the target never sees more than one under way; but each command tells by its ExpStatSN
// which responses its initiator had seen. Nothing but the width depends on it: an initiator that sends nonsense gets a
// wide window.
//
// Invariants:
//   S3. MaxCmdSN is never lowered.
//   V1. At most `mostWindow` commands are accepted and unanswered.
//   V2. While frozen, MaxCmdSN does not change.
//   V3. While narrowed, no more credit is given than the depth seen since then needs. What was given before is not taken
//       back, but used up by an initiator that goes on: little is left when the window is frozen.
import { assert } from '../base/assert.ts'
import { after, ahead } from './serial.ts'

/** Deep enough for any initiator to begin with; it doubles within a round trip when that is too little. */
export const leastWindow = 8
/** Linux' default queue depth is 128; deeper queues only lengthen latency. */
export const mostWindow = 128
/** The depth in use is the deepest of the present and of the last such period: 5 to 10 s. */
const periodMs = 5000

export type Place = 'next' | 'early' | 'outside'

export class CommandWindow {
  expCmdSn: number
  maxCmdSn: number
  /** Commands accepted and not settled. */
  #depth = 0
  /** ExpStatSN of an initiator that has seen all responses to what was accepted so far. */
  #lastStatSn: number
  #width = leastWindow
  #frozen = false
  /** The depth in use since the window was narrowed, at least 1; null: it is not. */
  #narrowed: number | null = null
  #deepest = 0
  #deepestBefore = 0
  #periodEndMs = Number.NEGATIVE_INFINITY

  constructor(expCmdSn: number, statSn: number) {
    this.expCmdSn = expCmdSn
    this.#lastStatSn = statSn
    // As the login responses have told it.
    this.maxCmdSn = after(expCmdSn, leastWindow - 1)
  }

  get width(): number {
    return this.#width
  }

  get frozen(): boolean {
    return this.#frozen
  }

  /** The initiator may send nothing more: ExpCmdSN > MaxCmdSN. */
  get usedUp(): boolean {
    return ahead(this.maxCmdSn, this.expCmdSn) > 0
  }

  place(cmdSn: number): Place {
    if (cmdSn === this.expCmdSn) return this.usedUp ? 'outside' : 'next'
    const inside = ahead(this.expCmdSn, cmdSn) > 0 && ahead(cmdSn, this.maxCmdSn) >= 0
    return inside ? 'early' : 'outside'
  }

  /** ExpCmdSN was received, and is no command. */
  counted(): void {
    this.expCmdSn = after(this.expCmdSn)
  }

  /** ExpCmdSN was received: a command, which takes credit until it is settled. */
  accepted(expStatSn: number): void {
    this.expCmdSn = after(this.expCmdSn)
    this.#depth += 1
    this.#lastStatSn = after(this.#lastStatSn)
    const unseen = ahead(expStatSn, this.#lastStatSn)
    const depth = Math.min(Math.max(unseen, this.#depth), mostWindow)
    if (depth > this.#deepest) this.#deepest = depth
    if (this.#narrowed !== null && depth > this.#narrowed) this.#narrowed = depth
    if (depth >= this.#width) this.#width = Math.min(mostWindow, this.#width * 2)
  }

  /** A command is about to be answered. */
  answered(): void {
    this.#depth -= 1
    assert(this.#depth >= 0, 'a command is settled once')
  }

  /** A command never will be. */
  forgotten(): void {
    this.answered()
    this.#lastStatSn = after(this.#lastStatSn, -1)
  }

  /** A StatSN was given to something else than the response to an accepted command. */
  otherStatus(): void {
    this.#lastStatSn = after(this.#lastStatSn)
  }

  /** Gives credit as far as the width allows. Called before each PDU that tells MaxCmdSN. */
  advance(): void {
    if (this.#frozen) return
    const width = this.#narrowed ?? this.#width
    const credit = after(this.expCmdSn, Math.max(width - this.#depth, 0) - 1)
    if (ahead(this.maxCmdSn, credit) > 0) this.maxCmdSn = credit
  }

  tick(nowMs: number): void {
    if (nowMs < this.#periodEndMs) return
    const deepest = Math.max(this.#deepest, this.#deepestBefore)
    const wanted = Math.max(leastWindow, 2 * deepest)
    if (wanted < this.#width) this.#width = wanted
    this.#deepestBefore = this.#deepest
    this.#deepest = 0
    this.#periodEndMs = nowMs + periodMs
  }

  freeze(): void {
    this.#frozen = true
  }

  /** Until `reopen`. */
  narrow(): void {
    this.#narrowed ??= Math.max(this.#depth, 1)
  }

  /** Nothing is left of the credit that was given before it was narrowed. */
  get isNarrow(): boolean {
    return this.#narrowed !== null && ahead(this.expCmdSn, this.maxCmdSn) < this.#narrowed
  }

  reopen(): void {
    this.#frozen = false
    this.#narrowed = null
  }
}
