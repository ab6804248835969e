// One TCP connection of an initiator, from its first byte to its close: where PDUs become logins, tasks and answers.
//
//   login ──full feature──▶ session | discovery ──▶ leaving ──▶ closed
//
//   leaving    half-closed by us; what arrives is read and discarded, since closing on unread input would reset the
//              connection and could destroy the Asynchronous Message that was sent (DESIGN.md, ask)
//
// Invariants:
//   C1. Nothing is executed or answered for a session that is guarded or ended.
//   C2. All answers of one turn leave together.
//   C3. A connection that does not finish its login in time, or breaks the protocol, is closed, after what was to be
//       told; others go on.
//   C4. What arrives while a barrier waits for this initiator, or a commit is under way, is kept: executed in order once
//       neither is the case any more, or never. A session with a barrier that waits does not become quiet.
//   C5. An initiator that is silent for too long (silence.ts) loses its session; not while it is being moved.
//   C7. It is quiet when it has shown so (quiet.ts): what it had sent, on however slow a line, was answered here.
import { unreachable } from '../base/assert.ts'
import type { BufferPool } from '../base/buffer-pool.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { Stream, StreamOwner } from '../base/net.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import type { VolumeRecord } from '../group/record.ts'
import { Framer, type Pdu } from '../iscsi/framer.ts'
import type { Portal } from '../iscsi/names.ts'
import { asyncEvent } from '../iscsi/pdu.ts'
import { isSentAgain, type TextRequest } from '../iscsi/requests.ts'
import { Session, type SessionAction } from '../iscsi/session.ts'
import { holdsState } from '../scsi/nexus-state.ts'
import type { Budgets } from './bounds.ts'
import type { Waiting } from './doorway.ts'
import { Incoming } from './incoming.ts'
import type { Carrier, EndReason, LiveSession } from './live-session.ts'
import type { LoginAttempt, Taken } from './login.ts'
import { type LoginHost, LoginPhase, type LoginPhaseDeps, type Settled } from './login-phase.ts'
import type { MovingCarrier } from './move.ts'
import { Outgoing } from './outgoing.ts'
import { Quiet, type QuietEnd, sightOf } from './quiet.ts'
import type { ReadRoom } from './reads.ts'
import { SIGN_OF_LIFE_TAG, Silence } from './silence.ts'
import type { TaskRunner } from './task.ts'

const LOGIN_MS = 15_000
const LEAVING_MS = 2_000
const TICK_MS = 1_000
const limits = { maxDataBytes: 262_144, maxAhsBytes: 1_024 }

/** What a connection needs of the member, handed in by target/target.ts. */
export interface ConnectionDeps extends LoginPhaseDeps, Budgets {
  readonly clock: Clock
  readonly buffers: BufferPool
  /** The answer to SendTargets for an initiator that came to this address; `own`: its session's target, null in a discovery session. */
  readonly discover: (wanted: string, at: Portal, own: string | null) => Uint8Array
  readonly runner: (
    session: LiveSession,
    iscsi: Session,
    volume: VolumeRecord,
    room: ReadRoom,
  ) => TaskRunner
  /** The session's final Login Response is about to leave. */
  readonly began: (taken: Taken & { readonly kind: 'taken' }, connection: Connection) => void
  readonly ended: (session: LiveSession, reason: EndReason) => void
  readonly firstAnswer: (session: LiveSession) => void
  readonly rejected: (initiator: string, reason: string, source: string) => void
  readonly redirected: (attempt: LoginAttempt, to: string, why: string) => void
  readonly gone: (connection: Connection) => void
}

interface Serving {
  readonly kind: 'session'
  readonly live: LiveSession
  /** Tags of barriers that were not told yet that it is held: the others are not told again. */
  readonly untold: number[]
  readonly iqn: string
  readonly iscsi: Session
  readonly runner: TaskRunner
  readonly silence: Silence
  ticking: Timer
  committing: boolean
  /** Commands whose answers were sent. */
  answered: number
}

type Phase =
  | { readonly kind: 'login'; readonly login: LoginPhase; readonly timer: Timer }
  | Serving
  | { readonly kind: 'discovery'; readonly iscsi: Session }
  | { readonly kind: 'leaving'; readonly timer: Timer }
  | { readonly kind: 'closed' }

export class Connection implements StreamOwner, Carrier, MovingCarrier, LoginHost, Waiting {
  readonly #deps: ConnectionDeps
  readonly #stream: Stream
  readonly #framer = new Framer(limits)
  readonly #outgoing: Outgoing
  readonly #incoming: Incoming
  #phase: Phase
  #flushScheduled = false
  #lastArrivalMs: number
  readonly #quiet: Quiet
  discarded = 0
  pausedSinceWallMs = 0
  readonly #left = Promise.withResolvers<void>()

  constructor(deps: ConnectionDeps, stream: Stream) {
    this.#deps = deps
    this.#stream = stream
    this.#incoming = new Incoming(stream, deps.receiving, () => this.#scheduleFlush())
    this.#outgoing = new Outgoing(stream, this.#incoming.valve, deps.buffers, deps.sending)
    this.#lastArrivalMs = deps.clock.nowMs()
    const see = () => sightOf(this.#phase.kind === 'session' ? this.#phase : null, this.#outgoing)
    this.#quiet = new Quiet(deps.clock, see, (transferTag) => this.#ping(transferTag))
    const came = { source: stream.remoteHost, atMs: this.#lastArrivalMs }
    const login = new LoginPhase(deps, this, this.#outgoing.outbox, came)
    const timer = deps.clock.after(LOGIN_MS, () => this.close('the login took too long')) // C3
    this.#phase = { kind: 'login', login, timer }
    stream.own(this)
  }

  get source(): string {
    return this.#stream.remoteHost
  }

  get isAwaited(): boolean {
    return this.#phase.kind === 'login' ? this.#phase.login.isAwaited : true
  }

  get live(): LiveSession | null {
    return this.#phase.kind === 'session' ? this.#phase.live : null
  }

  get left(): Promise<void> {
    return this.#left.promise
  }

  get holdsState(): boolean {
    return this.#phase.kind === 'session' && holdsState(this.#phase.runner.nexus)
  }

  get toldBytes(): number {
    return this.#phase.kind === 'session' ? this.#phase.runner.toldBytes : 0
  }

  // The stream

  received(bytes: Uint8Array): void {
    if (this.#phase.kind === 'closed') return
    this.#lastArrivalMs = this.#deps.clock.nowMs()
    try {
      this.#framer.push(bytes)
      for (let pdu = this.#framer.next(); pdu !== null; pdu = this.#framer.next()) {
        this.#receive(pdu)
        if (this.#outgoing.isBeyondBounds) return this.close('asks for more than it reads') // C6
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      return this.close(error.message) // C3
    }
    this.#flush()
  }

  ended(): void {
    this.close('the initiator closed the connection')
  }

  written(): void {
    this.#outgoing.written(this.#deps.clock.nowMs())
    if (this.#phase.kind === 'session') this.#phase.runner.roomCame()
    if (this.#outgoing.isWritten) this.#quiet.look()
  }

  closed(reason: string): void {
    this.#finish(reason)
    this.#outgoing.gone()
    this.#deps.gone(this)
  }

  close(reason: string): void {
    if (this.#phase.kind === 'closed') return
    this.#finish(reason)
    this.#stream.destroy()
  }

  #receive(pdu: Pdu): void {
    const phase = this.#phase
    switch (phase.kind) {
      case 'login':
        return phase.login.receive(pdu)
      case 'session':
        phase.iscsi.receive(pdu, this.#lastArrivalMs)
        return this.#act(phase)
      case 'discovery':
        phase.iscsi.receive(pdu, this.#lastArrivalMs)
        return this.#actDiscovery(phase.iscsi)
      case 'leaving':
        if (isSentAgain(pdu)) this.discarded += 1
        return
      case 'closed':
        return
      default:
        unreachable(phase)
    }
  }

  // A normal session

  #act(phase: Serving): void {
    const { actions } = phase.iscsi
    for (let i = 0; i < actions.length; i += 1) {
      const action = actions[i]
      if (action === undefined || this.#phase !== phase || phase.live.guarded) break // C1
      this.#carryOut(phase, action)
    }
    phase.iscsi.clearActions()
  }

  #carryOut(phase: Serving, action: SessionAction): void {
    switch (action.kind) {
      case 'command':
        return phase.runner.start(action.task)
      case 'data':
        return phase.runner.dataArrived(action.task)
      case 'taskManagement':
        return phase.runner.manage(action.request)
      case 'logout':
        if (phase.iscsi.answerLogout(action.request)) this.#leaveAfter(phase, 'logout')
        return
      case 'nopAnswered': {
        const settle = phase.live.probes.get(action.transferTag)
        phase.live.probes.delete(action.transferTag)
        settle?.('alive')
        this.#quiet.answered(action.transferTag, action.cmdSn)
        return this.#releaseHeld(phase)
      }
      case 'text':
        return this.#answerText(phase.iscsi, action.request, phase.iqn)
      case 'close':
        return this.#leaveAfter(phase, 'closed') // C3
      default:
        unreachable(action)
    }
  }

  /** The window forgets depths that are long past; a silent initiator is asked, and given up (C5). */
  #tick(): void {
    const phase = this.#phase
    if (phase.kind !== 'session') return
    phase.iscsi.tick(this.#deps.clock.nowMs())
    this.#incoming.tick()
    if (!phase.live.moving) {
      const [owed = null] = phase.live.probes.keys()
      const heardMs = Math.max(this.#lastArrivalMs, this.#outgoing.aliveMs)
      const next = phase.silence.tick(heardMs, owed, this.#incoming.owes(phase.iscsi))
      if (next === 'over') return this.#deps.ended(phase.live, 'silent')
      if (next === 'stalled') return this.#deps.ended(phase.live, 'stalled')
      if (next === 'ask') this.#ping(SIGN_OF_LIFE_TAG)
    }
    phase.ticking = this.#deps.clock.after(TICK_MS, () => this.#tick())
  }

  #answerText(iscsi: Session, request: TextRequest, own: string | null): void {
    const { localHost: host, localPort: port } = this.#stream
    iscsi.answerKeys(request, (wanted) => this.#deps.discover(wanted, { host, port }, own))
  }

  #actDiscovery(iscsi: Session): void {
    for (const action of [...iscsi.actions]) {
      if (action.kind === 'text') {
        this.#answerText(iscsi, action.request, null)
      } else if (action.kind === 'logout' || action.kind === 'close') {
        if (action.kind === 'logout' && !iscsi.answerLogout(action.request)) continue
        this.#flush()
        return this.#leave()
      } else {
        return this.close('a discovery session knows only Text, NOP and Logout')
      }
    }
    iscsi.clearActions()
  }

  /** Half-closes after what was written; the session is over. */
  #leaveAfter(phase: Serving, reason: EndReason): void {
    this.#flush()
    this.#leave()
    this.#endSession(phase, reason)
  }

  #leave(): void {
    this.#stream.end()
    this.#outgoing.readOn()
    const giveUp = () => this.close('the initiator did not close')
    const timer = this.#deps.clock.after(LEAVING_MS, giveUp)
    this.#phase = { kind: 'leaving', timer }
  }

  // LoginHost

  wrote(): void {
    this.#scheduleFlush()
  }

  discovery(settled: Settled): void {
    this.#phase = { kind: 'discovery', iscsi: this.#fullFeature(settled) }
  }

  session(settled: Settled, taken: Taken & { readonly kind: 'taken' }, volume: VolumeRecord): void {
    const live = taken.session
    const iscsi = this.#fullFeature(settled)
    const runner = this.#deps.runner(live, iscsi, volume, this.#outgoing)
    live.phase = 'live'
    const ticking = this.#deps.clock.after(TICK_MS, () => this.#tick())
    const silence = new Silence()
    const state = { iqn: volume.iqn, ticking, committing: false, answered: 0, untold: [] }
    this.#phase = { kind: 'session', live, iscsi, runner, silence, ...state }
    this.#deps.began(taken, this)
  }

  turnedAway(): void {
    this.#cancelLoginTimer()
    this.#flush()
    this.#leave()
  }

  redirected(attempt: LoginAttempt, to: string, why: string): void {
    this.#deps.redirected(attempt, to, why)
  }

  rejected(initiator: string, reason: string): void {
    this.#deps.rejected(initiator, reason, this.#stream.remoteHost)
  }

  /** Digests hold from the first PDU behind the final Login Response, which leaves at the end of this turn. */
  #fullFeature({ parameters, ...counts }: Settled): Session {
    this.#cancelLoginTimer()
    this.#framer.headerDigest = parameters.headerDigest
    this.#framer.dataDigest = parameters.dataDigest
    this.#scheduleFlush()
    const { buffers } = this.#deps
    const { outbox } = this.#outgoing
    return new Session({ parameters, ...counts, outbox, buffers, room: this.#incoming.room })
  }

  #cancelLoginTimer(): void {
    if (this.#phase.kind === 'login') this.#phase.timer.cancel()
  }

  // Carrier and MovingCarrier

  probe(transferTag: number): void {
    const phase = this.#phase
    if (phase.kind !== 'session') return
    phase.iscsi.hold() // C4
    phase.untold.push(transferTag)
    this.#ping(transferTag)
    this.#tellHeld(phase)
  }

  #ping(transferTag: number): void {
    if (this.#phase.kind !== 'session') return
    this.#phase.iscsi.probe(transferTag)
    this.#scheduleFlush()
  }

  /** Nothing that was accepted is outstanding: what this connection has brought is harmless to those that ask. */
  #tellHeld({ live, iscsi, untold }: Serving): void {
    if (untold.length === 0 || iscsi.outstanding > 0) return
    for (const tag of untold.splice(0)) live.probes.get(tag)?.('held')
  }

  /** What was kept becomes actions, unless there is still a reason to keep it (C4). */
  #releaseHeld(phase: Serving): void {
    if (phase.live.probes.size > 0 || phase.committing) return
    phase.iscsi.releaseHeld()
    this.#quiet.look()
  }

  narrow(): Promise<void> {
    if (this.#phase.kind === 'session') this.#phase.iscsi.window.narrow()
    return this.#quiet.narrowed()
  }

  quiesce(limitMs: number): Promise<QuietEnd> {
    if (this.#phase.kind !== 'session') return Promise.resolve('gone')
    this.#phase.iscsi.window.freeze()
    this.pausedSinceWallMs = this.#deps.clock.wallMs()
    return this.#quiet.wait(limitMs)
  }

  reopen(): void {
    if (this.#phase.kind !== 'session') return
    this.#phase.iscsi.reopen()
    this.#scheduleFlush()
  }

  hold(): void {
    if (this.#phase.kind !== 'session') return
    this.#phase.committing = true
    this.#phase.iscsi.hold()
  }

  release(): void {
    if (this.#phase.kind !== 'session') return
    this.#phase.committing = false
    this.#releaseHeld(this.#phase)
    this.#act(this.#phase)
    this.#scheduleFlush()
  }

  sendAway(): number {
    const phase = this.#phase
    if (phase.kind !== 'session') return 0
    const held = phase.iscsi.discardHeld()
    phase.iscsi.asyncMessage(asyncEvent.sessionDrops, 0, 0, 0)
    phase.iscsi.silence() // C1
    phase.ticking.cancel()
    this.#flush()
    this.#leave()
    phase.runner.stop()
    phase.iscsi.close()
    return held
  }

  /** The member stops: event 3 with Time2Wait 0, then half-close, so that the initiator comes back to the group at once. */
  stop(): void {
    const phase = this.#phase
    if (phase.kind !== 'session') return this.close('the member stops')
    phase.iscsi.asyncMessage(asyncEvent.sessionDrops, 0, 0, 0)
    this.#leaveAfter(phase, 'stopped')
  }

  // Answers

  /** An answer was written outside of `received` (C2). */
  answered(): void {
    this.#scheduleFlush()
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    this.#deps.clock.soon(() => {
      this.#flushScheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    const phase = this.#phase
    if (phase.kind === 'session') this.#incoming.look(phase.iscsi)
    const isSent = this.#outgoing.flush()
    if (phase.kind !== 'session' || !isSent) return
    const { latencyCount } = phase.live.counters
    if (latencyCount > phase.answered) {
      this.pausedSinceWallMs = this.#deps.clock.wallMs()
      if (phase.answered === 0) {
        this.#deps.firstAnswer(phase.live)
        // Not before: with digests, an initiator may not yet read what comes right behind the final Login Response.
        this.#quiet.acquaint()
      }
      phase.answered = latencyCount
    }
    this.#tellHeld(phase)
    this.#quiet.look()
  }

  // The end

  #endSession(phase: Serving, reason: EndReason): void {
    phase.ticking.cancel()
    phase.iscsi.silence()
    phase.runner.stop()
    phase.iscsi.close()
    this.#deps.ended(phase.live, reason)
  }

  #finish(reason: string): void {
    const phase = this.#phase
    if (phase.kind === 'closed') return
    this.#phase = { kind: 'closed' }
    this.#left.resolve()
    this.#quiet.over('gone')
    switch (phase.kind) {
      case 'login':
        phase.timer.cancel()
        phase.login.abandon()
        if (phase.login.initiator !== '') this.rejected(phase.login.initiator, reason)
        return
      case 'leaving':
        return phase.timer.cancel()
      case 'session':
        return this.#endSession(phase, 'closed')
      case 'discovery':
        return
      default:
        unreachable(phase)
    }
  }
}
