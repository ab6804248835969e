// Where an initiator has been: counters and the last gaps in its service, for demos, benches and checkers.

/** From one session to the next. */
export interface Gap {
  /** Whether the target asked to leave (Asynchronous Message) before the connection ended. */
  readonly cause: 'move' | 'loss'
  readonly reason: string
  readonly from: string
  readonly to: string
  /** From the end of the connection to the next session. */
  readonly awayMs: number
  /** From the last answer before to the first after; includes time in which nothing was asked. */
  readonly pauseMs: number
  /** Commands that were unanswered when the connection ended, and were sent again. */
  readonly resent: number
  readonly redirects: number
}

const gapsMax = 1024

export class Travels {
  logins = 0
  /** Logins that came after the target had asked to leave. */
  movesFollowed = 0
  /** Logins that came after a loss. */
  reconnects = 0
  redirects = 0
  loginFailures = 0
  asyncMessages = 0
  /** Transmissions of commands that had been sent before on another connection. */
  resent = 0
  answers = 0
  busyRetries = 0
  unitAttentions = 0
  /** What the target did first that the protocol does not allow. */
  breach: string | null = null
  /** Why the last connection or login attempt ended. */
  lastLoss = ''
  /** The last ones, oldest first. */
  readonly gaps: Gap[] = []
  #lastAnswerMs: number
  #open: Omit<Gap, 'pauseMs'> | null = null
  #lost: { readonly atMs: number; readonly moved: boolean; readonly from: string } | null = null
  #resent = 0

  constructor(nowMs: number) {
    this.#lastAnswerMs = nowMs
  }

  lost(atMs: number, moved: boolean, from: string, reason: string, unanswered: number): void {
    this.lastLoss = reason
    this.#lost = { atMs, moved, from }
    this.#resent = unanswered
    this.#open = null
  }

  arrived(nowMs: number, to: string, redirects: number): void {
    this.logins += 1
    this.redirects += redirects
    const lost = this.#lost
    this.#lost = null
    if (lost === null) return
    if (lost.moved) this.movesFollowed += 1
    else this.reconnects += 1
    this.#open = {
      cause: lost.moved ? 'move' : 'loss',
      reason: this.lastLoss,
      from: lost.from,
      to,
      awayMs: nowMs - lost.atMs,
      resent: this.#resent,
      redirects,
    }
  }

  answered(nowMs: number): void {
    this.answers += 1
    const open = this.#open
    if (open !== null) {
      this.#open = null
      this.gaps.push({ ...open, pauseMs: nowMs - this.#lastAnswerMs })
      if (this.gaps.length > gapsMax) this.gaps.shift()
    }
    this.#lastAnswerMs = nowMs
  }
}
