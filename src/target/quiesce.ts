// A quiesce finds out when an initiator whose command window is frozen sends nothing more (DESIGN.md; decision 0008).
//
//   idle ──wait──▶ waiting ──nothing pending──▶ rounds ──window used up | still rounds | silence──▶ quiet
//                     ├──limit──▶ busy          │    ▲
//                     └──over──▶ gone           └────┘ a command came: they begin anew
//
// A round is a NOP-In of ours and its answer. One ordered connection carries both, so an initiator that answers has seen
// every response that left before, and all that it sent before is here. What it may still send then is what it has come to
// want since: two rounds in a row, a turn apart, show that it wants nothing upon what it was answered.
//
// Invariants:
//   K1. A round is still if its NOP-In left when nothing was pending, nothing has come since, and the CmdSN of its answer
//       tells of nothing that is still to come: an initiator may send what is immediate ahead of commands it has numbered.
//   K2. Quiet is: nothing pending, and the window used up or two still rounds in a row. Only the answer to the last
//       NOP-In counts. Of an initiator that was at work (K7), rounds are believed after 100 ms of silence: what it works
//       for may stand still while it answers.
//   K3. Where rounds fail, silence decides: 100 ms of an initiator that has never answered a NOP-In; 2 s of one that has,
//       since it is starved, or its application does not serve the connection now.
//   K4. Silence is counted in turns of our own loop, in each of which the connection was read, and not in time: a member
//       that stood still itself has read nothing.
//   K5. Two that wait share one wait, with the later one's limit: a stop may come upon a move.
//   K6. It is decided when all that one read of the connection brought has been worked off: a command may lie right behind
//       the answer.
//   K7. Before it is frozen the window is narrowed, until an initiator that is at work has used up what it was given
//       before, or it has been idle for 100 ms; a second at most. Frozen then, it is used up by the next few commands.
import { type Clock, sleep, type Timer } from '../base/clock.ts'
import { ahead } from '../iscsi/serial.ts'

export type QuiesceEnd = 'quiet' | 'busy' | 'gone'

/** What is to be seen of the session now. */
export interface Sight {
  /** Something accepted is not answered, or a barrier waits for the initiator. */
  readonly pending: boolean
  /** Something of ours was not yet taken from us by the connection. */
  readonly unwritten: boolean
  readonly windowUsedUp: boolean
  /** Narrowed, and what was given before is used up. */
  readonly windowNarrow: boolean
  /** The CmdSN that is to come next. */
  readonly expCmdSn: number
  /** Responses to commands so far: immediate ones have no CmdSN of their own. */
  readonly responses: number
}

const STILL_ROUNDS = 2
/** Rounds are a turn apart: at most 1,000 NOP-Ins in a wait of 4 s. */
const TURN_MS = 4
const SILENT_TURNS = 100 / TURN_MS
const NARROWING_TURNS = 1_000 / TURN_MS
const SILENT_TURNS_IF_KNOWN = 2_000 / TURN_MS
/** Rounds have the upper half of the tags: barriers count from 1, and the last one is reserved. */
const FIRST_TAG = 0x8000_0000
const TAGS = 0x7fff_ffff

interface Waiting {
  readonly settle: (end: QuiesceEnd) => void
  readonly limit: Timer
  turn: Timer | null
  /** As they were when the rounds and the silence began. */
  expCmdSn: number
  responses: number
  /** The NOP-In that is not answered. */
  asked: number | null
  stillRounds: number
  silentTurns: number
}

export class Quiesce {
  readonly #clock: Clock
  readonly #see: () => Sight
  readonly #ask: (transferTag: number) => void
  #waiting: Waiting | null = null
  #asks = 0
  /** The initiator has answered a NOP-In. */
  #answersNops = false
  /** It was at work when its window was narrowed. */
  #atWork = false

  /** `ask` sends a NOP-In; its answer is to be given to `answered`. */
  constructor(clock: Clock, see: () => Sight, ask: (transferTag: number) => void) {
    this.#clock = clock
    this.#see = see
    this.#ask = ask
  }

  /** Asks for an answer, so that it is known before the first wait whether this initiator gives any (K3). */
  acquaint(): void {
    this.#ask(this.#nextTag())
  }

  /** K7. The window is narrow now. */
  async narrowed(): Promise<void> {
    let { expCmdSn } = this.#see()
    let idleTurns = 0
    for (let turn = 0; turn < NARROWING_TURNS && idleTurns < SILENT_TURNS; turn += 1) {
      await sleep(this.#clock, TURN_MS)
      const sight = this.#see()
      if (sight.windowNarrow) break
      idleTurns = sight.expCmdSn === expCmdSn && !sight.pending ? idleTurns + 1 : 0
      expCmdSn = sight.expCmdSn
    }
    this.#atWork = idleTurns < SILENT_TURNS
  }

  wait(limitMs: number): Promise<QuiesceEnd> {
    const before = this.#waiting
    before?.limit.cancel()
    before?.turn?.cancel()
    const quiet = new Promise<QuiesceEnd>((settle) => {
      const limit = this.#clock.after(limitMs, () => this.over('busy'))
      const { expCmdSn, responses } = this.#see()
      const counts = { expCmdSn, responses, asked: null, stillRounds: 0, silentTurns: 0 }
      this.#waiting = { settle, limit, turn: null, ...counts }
      this.look()
    })
    if (before !== null) void quiet.then(before.settle) // K5
    return quiet
  }

  /** Something was answered or written, or what was pending is not any more. */
  look(): void {
    const waiting = this.#waiting
    if (waiting === null) return
    const sight = this.#see()
    const { expCmdSn, responses } = sight
    if (hasCome(waiting, sight)) {
      Object.assign(waiting, { expCmdSn, responses, asked: null, stillRounds: 0, silentTurns: 0 })
    }
    if (this.#isQuiet(waiting))
      this.#clock.soon(() => this.#conclude(waiting)) // K6
    else if (!sight.pending && !sight.windowUsedUp) this.#goOn(waiting)
  }

  #isQuiet({ stillRounds, silentTurns }: Waiting): boolean {
    const { pending, unwritten, windowUsedUp } = this.#see()
    if (pending) return false
    if (windowUsedUp) return !unwritten
    const turnsWanted = this.#answersNops ? SILENT_TURNS_IF_KNOWN : SILENT_TURNS // K3
    if (silentTurns >= turnsWanted) return true
    return stillRounds >= STILL_ROUNDS && (!this.#atWork || silentTurns >= SILENT_TURNS) // K2
  }

  #conclude(waiting: Waiting): void {
    if (this.#waiting !== waiting) return
    if (hasCome(waiting, this.#see())) this.look()
    else if (this.#isQuiet(waiting)) this.over('quiet')
  }

  /** The next round, once a turn. */
  #goOn(waiting: Waiting): void {
    if (waiting.turn !== null) return
    if (waiting.asked === null) {
      waiting.asked = this.#nextTag()
      this.#ask(waiting.asked)
    }
    waiting.turn = this.#clock.after(TURN_MS, () => {
      waiting.turn = null
      if (!this.#see().pending) waiting.silentTurns += 1
      this.look()
    })
  }

  /** The initiator has answered the NOP-In with this tag; `cmdSn` is what it will send next. */
  answered(transferTag: number, cmdSn: number): void {
    this.#answersNops = true
    const waiting = this.#waiting
    if (waiting === null || transferTag !== waiting.asked) return
    waiting.asked = null
    const sight = this.#see()
    if (sight.pending || ahead(sight.expCmdSn, cmdSn) > 0) return // K1
    waiting.stillRounds += 1
    if (waiting.stillRounds >= STILL_ROUNDS) this.look()
  }

  over(end: QuiesceEnd): void {
    const waiting = this.#waiting
    if (waiting === null) return
    this.#waiting = null
    waiting.limit.cancel()
    waiting.turn?.cancel()
    waiting.settle(end)
  }

  #nextTag(): number {
    this.#asks = (this.#asks + 1) % TAGS
    return FIRST_TAG + this.#asks
  }
}

/** A command has come, or was answered, since the rounds and the silence began. */
function hasCome(waiting: Waiting, { expCmdSn, responses }: Sight): boolean {
  return expCmdSn !== waiting.expCmdSn || responses !== waiting.responses
}
