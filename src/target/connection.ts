// One TCP connection of an initiator, from its first byte to its close: the turning point where PDUs become logins,
// tasks and answers.
//
//   login ──full feature──▶ session | discovery ──▶ leaving ──▶ closed
//
//   login      text negotiation; `deciding` while the group is asked where the login belongs
//   session    commands are executed through target/task
//   leaving    half-closed by us; what arrives is read and discarded, since closing on unread input would reset the
//              connection and could destroy the Asynchronous Message that was sent (iSCSI reference §2.2)
//
// Invariants:
//   C1. Nothing is executed or answered for a session that is guarded or ended.
//   C2. All answers of one turn leave in one write.
//   C3. A connection that does not finish its login in time, or breaks the protocol, is closed; others go on.
import { assert, unreachable } from '../base/assert.ts'
import type { Timer } from '../base/clock.ts'
import type { Stream, StreamOwner } from '../base/net.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import { Framer, type Pdu } from '../iscsi/framer.ts'
import { LoginNegotiation, type LoginRequest, type LoginStep } from '../iscsi/login.ts'
import { Outbox } from '../iscsi/outbox.ts'
import { loginStatus } from '../iscsi/pdu.ts'
import { Session, type SessionAction } from '../iscsi/session.ts'
import type { VolumeRecord } from '../group/record.ts'
import type { Carrier, EndReason, LiveSession } from './live-session.ts'
import type { LoginAttempt, Logins, RejectReason, Taken } from './login.ts'
import type { MovingCarrier } from './move.ts'
import type { TaskRunner } from './task.ts'

const LOGIN_MS = 15_000
const LEAVING_MS = 2_000
/** An initiator that has sent nothing for so long after its window closed sends nothing more (DESIGN §5.3). */
const GAP_MS = 100
const RECHECK_MS = 10
const MAX_AHS_BYTES = 1_024
const MAX_DATA_BYTES = 262_144

/** What a connection needs of the member, handed in by target/target.ts. */
export interface ConnectionDeps {
  readonly clock: import('../base/clock.ts').Clock
  readonly logins: Logins
  readonly volumeByIqn: (iqn: string) => VolumeRecord | undefined
  /** TargetName and TargetAddress pairs for SendTargets, for an initiator that came to this address. */
  readonly discover: (host: string, port: number, name: string | null) => Uint8Array
  readonly runner: (session: LiveSession, iscsi: Session, volume: VolumeRecord) => TaskRunner
  readonly nextTsih: () => number
  /** The session's final Login Response is about to be sent. */
  readonly began: (session: LiveSession, taken: Taken & { kind: 'taken' }, connection: Connection) => void
  readonly ended: (session: LiveSession, reason: EndReason) => void
  readonly firstAnswer: (session: LiveSession) => void
  readonly rejected: (attempt: { initiator: string; reason: string }) => void
  readonly redirected: (attempt: LoginAttempt, to: string, why: string) => void
  readonly gone: (connection: Connection) => void
}

type Phase =
  | { readonly kind: 'login'; readonly negotiation: LoginNegotiation; readonly timer: Timer; request: LoginRequest | null; deciding: boolean }
  | { readonly kind: 'session'; readonly live: LiveSession; readonly iscsi: Session; readonly runner: TaskRunner; answered: boolean }
  | { readonly kind: 'discovery'; readonly iscsi: Session }
  | { readonly kind: 'leaving'; readonly timer: Timer }
  | { readonly kind: 'closed' }

export class Connection implements StreamOwner, Carrier, MovingCarrier {
  readonly #deps: ConnectionDeps
  readonly #stream: Stream
  readonly #framer = new Framer({ maxDataBytes: MAX_DATA_BYTES, maxAhsBytes: MAX_AHS_BYTES })
  readonly #outbox = new Outbox()
  /** Chunks given to the stream and not yet written, in order. */
  readonly #unwritten: Uint8Array[] = []
  #phase: Phase
  #flushScheduled = false
  #startedMs: number
  #lastArrivalMs = 0
  #attempt: LoginAttempt | null = null
  #routed: import('./login.ts').Route | null = null
  #quiescing: { readonly settle: (end: 'quiet' | 'busy' | 'gone') => void; readonly timer: Timer } | null = null
  discarded = 0
  lastAnswerWallMs = 0

  constructor(deps: ConnectionDeps, stream: Stream) {
    this.#deps = deps
    this.#stream = stream
    this.#startedMs = deps.clock.nowMs()
    const timer = deps.clock.after(LOGIN_MS, () => this.close('login timed out'))
    this.#phase = { kind: 'login', negotiation: new LoginNegotiation(), timer, request: null, deciding: false }
    stream.own(this)
  }

  get live(): LiveSession | null {
    return this.#phase.kind === 'session' ? this.#phase.live : null
  }

  get remoteHost(): string {
    return this.#stream.remoteHost
  }

  // The stream's calls

  received(bytes: Uint8Array): void {
    const phase = this.#phase
    if (phase.kind === 'closed') return
    this.#lastArrivalMs = this.#deps.clock.nowMs()
    try {
      this.#framer.push(bytes)
      for (let pdu = this.#framer.next(); pdu !== null; pdu = this.#framer.next()) this.#receive(pdu)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.close(error.message) // C3
      return
    }
    this.#flush()
  }

  ended(): void {
    this.close('the initiator closed the connection')
  }

  written(): void {
    const chunk = this.#unwritten.shift()
    if (chunk !== undefined) this.#outbox.released(chunk)
  }

  closed(reason: string): void {
    this.#finish(reason, 'closed')
    this.#deps.gone(this)
  }

  // Carrier

  probe(transferTag: number): void {
    if (this.#phase.kind !== 'session') return
    this.#phase.iscsi.probe(transferTag)
    this.#scheduleFlush()
  }

  close(reason: string): void {
    if (this.#phase.kind === 'closed') return
    this.#finish(reason, 'closed')
    this.#stream.destroy()
  }

  // MovingCarrier

  quiesce(limitMs: number): Promise<'quiet' | 'busy' | 'gone'> {
    const phase = this.#phase
    if (phase.kind !== 'session') return Promise.resolve('gone')
    phase.iscsi.freeze()
    return new Promise((resolve) => {
      const timer = this.#deps.clock.after(limitMs, () => this.#quiesced('busy'))
      this.#quiescing = { settle: resolve, timer }
      this.#checkQuiet()
    })
  }

  #checkQuiet(): void {
    const phase = this.#phase
    if (this.#quiescing === null || phase.kind !== 'session') return
    if (phase.iscsi.outstanding > 0) return // looked at again with the answer that ends it
    const silentMs = this.#deps.clock.nowMs() - this.#lastArrivalMs
    if (phase.iscsi.windowUsedUp || silentMs >= GAP_MS) return this.#quiesced('quiet')
    this.#deps.clock.after(RECHECK_MS, () => this.#checkQuiet())
  }

  #quiesced(end: 'quiet' | 'busy' | 'gone'): void {
    const quiescing = this.#quiescing
    if (quiescing === null) return
    this.#quiescing = null
    quiescing.timer.cancel()
    quiescing.settle(end)
  }

  reopen(): void {
    if (this.#phase.kind !== 'session') return
    this.#phase.iscsi.reopen()
    this.#scheduleFlush()
  }

  hold(): void {
    if (this.#phase.kind === 'session') this.#phase.iscsi.hold()
  }

  release(): void {
    if (this.#phase.kind !== 'session') return
    this.#phase.iscsi.releaseHeld()
    this.#act(this.#phase)
    this.#scheduleFlush()
  }

  sendAway(): number {
    const phase = this.#phase
    if (phase.kind !== 'session') return 0
    const held = phase.iscsi.discardHeld()
    phase.iscsi.asyncMessage(3, 0, 0, 0)
    phase.iscsi.silence() // C1
    this.#flush()
    this.#leave()
    return held
  }

  #leave(): void {
    this.#stream.end()
    const timer = this.#deps.clock.after(LEAVING_MS, () => this.close('left'))
    this.#phase = { kind: 'leaving', timer }
  }

  // PDUs

  #receive(pdu: Pdu): void {
    const phase = this.#phase
    switch (phase.kind) {
      case 'login':
        if (phase.deciding) throw new ProtocolError('a Login Request before the last was answered', '§6.3')
        if (pdu.digestError) throw new ProtocolError('digest error during login', '§6.7')
        return this.#step(phase.negotiation.receive(pdu))
      case 'session':
        phase.iscsi.receive(pdu, this.#lastArrivalMs)
        return this.#act(phase)
      case 'discovery':
        phase.iscsi.receive(pdu, this.#lastArrivalMs)
        return this.#actDiscovery(phase.iscsi)
      case 'leaving':
        this.discarded += 1
        return
      case 'closed':
        return
      default:
        unreachable(phase)
    }
  }

  #act(phase: Phase & { kind: 'session' }): void {
    const { iscsi, runner, live } = phase
    const { actions } = iscsi
    for (let i = 0; i < actions.length && this.#phase === phase; i += 1) {
      const action = actions[i]
      if (action === undefined || live.guarded) break // C1
      this.#carryOut(phase, action)
    }
    void runner
    iscsi.clearActions()
  }

  #carryOut(phase: Phase & { kind: 'session' }, action: SessionAction): void {
    const { iscsi, runner, live } = phase
    switch (action.kind) {
      case 'command':
        runner.start(action.task)
        return
      case 'data':
        runner.dataArrived(action.task)
        return
      case 'taskManagement':
        runner.manage(action.request)
        return
      case 'logout':
        iscsi.answerLogout(action.request)
        return this.#loggedOut(phase)
      case 'nopAnswered': {
        const settle = live.probes.get(action.transferTag)
        live.probes.delete(action.transferTag)
        settle?.('alive')
        return
      }
      case 'text':
        iscsi.answerText(action.request, this.#targets(action.request.name, live.record.volume))
        return
      case 'close':
        return this.close(action.reason)
      default:
        unreachable(action)
    }
  }

  #actDiscovery(iscsi: Session): void {
    for (const action of iscsi.actions) {
      if (action.kind === 'text') {
        const { localHost, localPort } = this.#stream
        iscsi.answerText(action.request, this.#deps.discover(localHost, localPort, action.request.name))
      } else if (action.kind === 'logout') {
        iscsi.answerLogout(action.request)
        this.#flush()
        this.#leave()
      } else if (action.kind === 'close') {
        this.close(action.reason)
      } else if (action.kind === 'command') {
        this.close('a SCSI command in a discovery session')
      }
      if (this.#phase.kind !== 'discovery') break
    }
    iscsi.clearActions()
  }

  #targets(name: string | null, _volume: number): Uint8Array {
    return this.#deps.discover(this.#stream.localHost, this.#stream.localPort, name)
  }

  #loggedOut(phase: Phase & { kind: 'session' }): void {
    this.#flush()
    this.#endSession(phase, 'logout')
    this.#leave()
  }

  // Login

  #step(step: LoginStep): void {
    const phase = this.#phase
    assert(phase.kind === 'login', 'login steps come only during login')
    switch (step.kind) {
      case 'more':
      case 'respond':
        phase.negotiation.respond(this.#outbox, 0)
        return this.#scheduleFlush()
      case 'ask':
        phase.request = step.request
        phase.deciding = true
        void this.#route(phase, step.request)
        return
      case 'ready':
        phase.deciding = true
        void this.#finalResponse(phase)
        return
      case 'reject':
        return this.#reject(phase, step.status, 'the Login Request is not acceptable')
      default:
        unreachable(step)
    }
  }

  /** The first Login Request says who comes and to what: the only moment in which every initiator follows a redirect. */
  async #route(phase: Phase & { kind: 'login' }, request: LoginRequest): Promise<void> {
    if (request.sessionType === 'normal') {
      const attempt = this.#attemptOf(phase, request)
      if (attempt === null) return
      this.#attempt = attempt
      const route = await this.#deps.logins.route(attempt)
      if (this.#phase !== phase) return
      if (route.kind !== 'take') return this.#turnAway(phase, attempt, route)
      this.#routed = route
    }
    phase.deciding = false
    this.#step(phase.negotiation.admit())
    this.#flush()
  }

  #attemptOf(phase: Phase & { kind: 'login' }, request: LoginRequest): LoginAttempt | null {
    const volume = this.#deps.volumeByIqn(request.targetName ?? '')
    if (volume === undefined) {
      this.#reject(phase, loginStatus.targetNotFound, `no target ${request.targetName ?? '(none)'}`)
      return null
    }
    if (request.tsih !== 0) {
      this.#reject(phase, loginStatus.sessionDoesNotExist, 'one connection a session')
      return null
    }
    return {
      volume,
      initiator: request.initiatorName,
      isid: request.isid,
      source: this.#stream.remoteHost,
      carrier: this,
      isGone: () => this.#phase !== phase,
      startedMs: this.#startedMs,
    }
  }

  async #finalResponse(phase: Phase & { kind: 'login' }): Promise<void> {
    const { negotiation, request } = phase
    assert(request !== null, 'a login is ready only after its first request')
    if (request.sessionType === 'discovery') {
      const iscsi = this.#enter(phase, this.#deps.nextTsih())
      this.#phase = { kind: 'discovery', iscsi }
      return this.#flush()
    }
    const attempt = this.#attempt
    const route = this.#routed
    assert(attempt !== null && route?.kind === 'take', 'a login is ready only when routed')
    const taken = await this.#deps.logins.take(attempt, route)
    if (taken.kind !== 'taken') {
      if (this.#phase === phase) this.#turnAway(phase, attempt, taken)
      return
    }
    const live = taken.session
    if (this.#phase !== phase) return this.#deps.ended(live, 'closed')
    void negotiation
    const iscsi = this.#enter(phase, this.#deps.nextTsih())
    const runner = this.#deps.runner(live, iscsi, attempt.volume)
    live.phase = 'live'
    this.#phase = { kind: 'session', live, iscsi, runner, answered: false }
    this.#deps.began(live, taken, this)
    this.#flush()
  }

  /** Writes the final Login Response and turns to full feature phase. */
  #enter(phase: Phase & { kind: 'login' }, tsih: number): Session {
    phase.timer.cancel()
    const { negotiation } = phase
    negotiation.respond(this.#outbox, tsih)
    const parameters = negotiation.parameters
    this.#framer.headerDigest = parameters.headerDigest
    this.#framer.dataDigest = parameters.dataDigest
    return new Session(parameters, negotiation.expCmdSn, negotiation.statSn, this.#outbox)
  }

  #turnAway(
    phase: Phase & { kind: 'login' },
    attempt: LoginAttempt,
    route: Exclude<Taken, { kind: 'taken' }>,
  ): void {
    if (route.kind === 'reject') {
      return this.#reject(phase, rejectStatus[route.why], `rejected: ${route.why}`)
    }
    this.#deps.redirected(attempt, route.to, route.why)
    phase.negotiation.redirect(route.portal, this.#outbox)
    this.#turnedAway(phase)
  }

  #reject(phase: Phase & { kind: 'login' }, status: number, reason: string): void {
    this.#deps.rejected({ initiator: phase.request?.initiatorName ?? '', reason })
    phase.negotiation.reject(status, this.#outbox)
    this.#turnedAway(phase)
  }

  #turnedAway(phase: Phase & { kind: 'login' }): void {
    phase.timer.cancel()
    this.#flush()
    this.#leave()
  }

  // Answers

  /** An answer was written outside of `received`: it leaves at the end of this turn (C2). */
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
    const chunks = this.#outbox.take()
    if (chunks.length === 0) return
    for (const chunk of chunks) {
      this.#unwritten.push(chunk)
      this.#stream.write(chunk)
    }
    const phase = this.#phase
    if (phase.kind !== 'session') return
    this.lastAnswerWallMs = this.#deps.clock.wallMs()
    if (!phase.answered && phase.live.counters.latencyCount > 0) {
      phase.answered = true
      this.#deps.firstAnswer(phase.live)
    }
    if (this.#quiescing !== null) this.#checkQuiet()
  }

  // The end

  /** The session of this connection was ended by somebody else at this member. */
  endedFor(reason: EndReason): void {
    if (reason !== 'moved') this.close(reason)
  }

  /** The member stops: event 3, half-close (the initiator returns to the group at once). */
  stop(): void {
    const phase = this.#phase
    if (phase.kind !== 'session') return this.close('the member stops')
    phase.iscsi.asyncMessage(3, 0, 0, 0)
    this.#flush()
    this.#endSession(phase, 'stopped')
    this.#leave()
  }

  #endSession(phase: Phase & { kind: 'session' }, reason: EndReason): void {
    phase.iscsi.silence()
    phase.runner.stop()
    this.#deps.ended(phase.live, reason)
  }

  #finish(reason: string, end: EndReason): void {
    const phase = this.#phase
    if (phase.kind === 'closed') return
    this.#phase = { kind: 'closed' }
    this.#quiesced('gone')
    if (phase.kind === 'login') {
      phase.timer.cancel()
      if (phase.request !== null) {
        this.#deps.rejected({ initiator: phase.request.initiatorName, reason })
      }
    }
    if (phase.kind === 'leaving') phase.timer.cancel()
    if (phase.kind === 'session') this.#endSession(phase, end)
  }
}

const rejectStatus: Record<RejectReason, number> = {
  busy: loginStatus.serviceUnavailable,
  'in use': loginStatus.authorizationFailure,
  gone: loginStatus.serviceUnavailable,
}
