// One TCP connection of an initiator is carried from its first byte to its close: PDUs become logins, sessions, discovery.
//
//   login ──full feature──▶ session | discovery ──▶ leaving ──▶ closed
//
//   session    serving.ts
//   leaving    half-closed by us; what arrives is read and discarded, since closing on unread input would reset the
//              connection and could destroy the Asynchronous Message that was sent (DESIGN.md, ask)
//
// Invariants:
//   C2. All responses of one turn leave together.
//   C3. A connection that does not finish its login in time, or breaks the protocol, is closed, after what was to be
//       told; others go on.

import { unreachable } from '../base/assert.ts'
import type { Timer } from '../base/clock.ts'
import type { MemberId } from '../base/ids.ts'
import type { Stream, StreamOwner } from '../base/net.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import { Framer, type Pdu } from '../iscsi/framer.ts'
import type { Portal } from '../iscsi/names.ts'
import { isSentAgain } from '../iscsi/requests.ts'
import { Session } from '../iscsi/session.ts'
import type { Waiting } from './doorway.ts'
import { Incoming } from './incoming.ts'
import { type LoginHost, LoginPhase, type LoginPhaseDeps, type Settled } from './login-phase.ts'
import type { LoginAttempt } from './login-routes.ts'
import type { Taken } from './logins.ts'
import type { Budgets } from './memory-bounds.ts'
import { Outgoing } from './outgoing.ts'
import { Serving, type ServingDeps, type ServingHost } from './serving.ts'

const LOGIN_MS = 15_000
const LEAVING_MS = 2_000
const limits = { maxDataBytes: 262_144, maxAhsBytes: 1_024 }

/** What a connection needs of the member, handed in by target/target.ts. */
export interface ConnectionDeps extends LoginPhaseDeps, ServingDeps, Budgets {
  /** The answer to SendTargets for an initiator that came to this address; `own`: its session's target, null in a discovery session. */
  readonly discover: (wanted: string, at: Portal, own: string | null) => Uint8Array
  /** The session's final Login Response is about to leave. */
  readonly began: (taken: Taken & { readonly kind: 'taken' }, connection: Connection) => void
  readonly rejected: (initiator: string, reason: string, source: string) => void
  readonly redirected: (attempt: LoginAttempt, to: MemberId, why: string) => void
  readonly gone: (connection: Connection) => void
}

interface Leaving {
  readonly kind: 'leaving'
  readonly timer: Timer
  readonly left: PromiseWithResolvers<number>
  /** Commands that have come and are discarded: their initiator sends them again. */
  discarded: number
}

type Phase =
  | { readonly kind: 'login'; readonly login: LoginPhase; readonly timer: Timer }
  | { readonly kind: 'session'; readonly serving: Serving }
  | { readonly kind: 'discovery'; readonly iscsi: Session }
  | Leaving
  | { readonly kind: 'closed' }

export class Connection implements StreamOwner, ServingHost, LoginHost, Waiting {
  readonly #deps: ConnectionDeps
  readonly #stream: Stream
  readonly #framer = new Framer(limits)
  readonly outgoing: Outgoing
  readonly incoming: Incoming
  #phase: Phase
  #flushScheduled = false
  lastArrivalMs: number

  constructor(deps: ConnectionDeps, stream: Stream) {
    this.#deps = deps
    this.#stream = stream
    this.incoming = new Incoming(stream, deps.receiving, () => this.flushSoon())
    this.outgoing = new Outgoing(stream, this.incoming.valve, deps.buffers, deps.sending)
    this.lastArrivalMs = deps.clock.nowMs()
    const came = { source: stream.remoteHost, atMs: this.lastArrivalMs }
    const login = new LoginPhase(deps, this, this.outgoing.outbox, came)
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

  get serving(): Serving | null {
    return this.#phase.kind === 'session' ? this.#phase.serving : null
  }

  // The stream

  received(bytes: Uint8Array): void {
    if (this.#phase.kind === 'closed') return
    this.lastArrivalMs = this.#deps.clock.nowMs()
    try {
      this.#framer.push(bytes)
      for (let pdu = this.#framer.next(); pdu !== null; pdu = this.#framer.next()) {
        this.#receive(pdu)
        if (this.outgoing.isBeyondBounds) return this.close('asks for more than it reads') // C6
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      return this.close(error.message) // C3
    }
    this.flush()
  }

  ended(): void {
    this.close('the initiator closed the connection')
  }

  written(): void {
    this.outgoing.written(this.#deps.clock.nowMs())
    this.serving?.written()
  }

  closed(reason: string): void {
    this.#finish(reason)
    this.outgoing.gone()
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
        return phase.serving.receive(pdu)
      case 'discovery':
        phase.iscsi.receive(pdu, this.lastArrivalMs)
        return this.#actDiscovery(phase.iscsi)
      case 'leaving':
        if (isSentAgain(pdu)) phase.discarded += 1
        return
      case 'closed':
        return
      default:
        unreachable(phase)
    }
  }

  // The login

  wrote(): void {
    this.flushSoon()
  }

  discovery(settled: Settled): void {
    this.#phase = { kind: 'discovery', iscsi: this.#fullFeature(settled) }
  }

  session(settled: Settled, taken: Taken & { readonly kind: 'taken' }): void {
    const serving = new Serving(this.#deps, this, taken, this.#fullFeature(settled))
    taken.session.phase = { kind: 'live', carrier: serving }
    this.#phase = { kind: 'session', serving }
    this.#deps.began(taken, this)
  }

  turnedAway(): void {
    this.#cancelLoginTimer()
    this.flush()
    void this.leave()
  }

  redirected(attempt: LoginAttempt, to: MemberId, why: string): void {
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
    this.flushSoon()
    const { buffers } = this.#deps
    const { outbox } = this.outgoing
    return new Session({ parameters, ...counts, outbox, buffers, room: this.incoming.room })
  }

  #cancelLoginTimer(): void {
    if (this.#phase.kind === 'login') this.#phase.timer.cancel()
  }

  // Discovery

  #actDiscovery(iscsi: Session): void {
    for (const action of [...iscsi.actions]) {
      if (action.kind === 'text') {
        iscsi.respondToKeys(action.request, (wanted) => this.discover(wanted, null))
      } else if (action.kind === 'logout' || action.kind === 'close') {
        if (action.kind === 'logout' && !iscsi.respondToLogout(action.request)) continue
        this.flush()
        void this.leave()
        return
      } else {
        return this.close('a discovery session knows only Text, NOP and Logout')
      }
    }
    iscsi.clearActions()
  }

  discover(wanted: string, own: string | null): Uint8Array {
    const { localHost: host, localPort: port } = this.#stream
    return this.#deps.discover(wanted, { host, port }, own)
  }

  // What leaves

  /** C2: what is written outside of `received` leaves at the end of the turn. */
  flushSoon(): void {
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    this.#deps.clock.soon(() => {
      this.#flushScheduled = false
      this.flush()
    })
  }

  flush(): void {
    const { serving } = this
    serving?.flushing()
    if (this.outgoing.flush()) serving?.flushed()
  }

  // The end

  leave(): Promise<number> {
    this.#stream.end()
    this.outgoing.readOn()
    const giveUp = () => this.close('the initiator did not close')
    const timer = this.#deps.clock.after(LEAVING_MS, giveUp)
    const left = Promise.withResolvers<number>()
    this.#phase = { kind: 'leaving', timer, left, discarded: 0 }
    return left.promise
  }

  /** The member stops. */
  stop(): void {
    if (this.#phase.kind === 'session') this.#phase.serving.stop()
    else this.close('the member stops')
  }

  #finish(reason: string): void {
    const phase = this.#phase
    this.#phase = { kind: 'closed' }
    switch (phase.kind) {
      case 'login':
        phase.timer.cancel()
        phase.login.abandon()
        if (phase.login.initiator !== '') this.rejected(phase.login.initiator, reason)
        return
      case 'session':
        return phase.serving.over('closed')
      case 'leaving':
        phase.timer.cancel()
        return phase.left.resolve(phase.discarded)
      case 'discovery':
      case 'closed':
        return
      default:
        unreachable(phase)
    }
  }
}
