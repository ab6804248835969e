// The login of one connection: negotiation in step with the group's decision where the login belongs. It ends in a
// session, a discovery session, or a last response behind which the connection is left.
//
//   negotiating ◀──▶ deciding (route) ──▶ … ──▶ deciding (take) ──▶ over
//
// Invariants:
//   P1. What fails while the group decides about a login ends its connection, and nothing else.
//   P2. No session is admitted that has ended.
//   P3. That there is no such target is said only by the group's record as it is now: a member hears of a volume a moment
//       after it was made through another one. Discovery, too, tells of what was there when its initiator logged in, if the
//       coordinator answers soon.

import { assert, BrokenInvariant, unreachable } from '../base/assert.ts'
import { type Clock, sleep, within } from '../base/clock.ts'
import type { MemberId } from '../base/ids.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import type { VolumeRecord } from '../group/record.ts'
import type { Pdu } from '../iscsi/framer.ts'
import { LoginNegotiation, type LoginRequest, type LoginStep } from '../iscsi/login-negotiation.ts'
import { type Negotiated, targetSettings } from '../iscsi/negotiate.ts'
import type { Outbox } from '../iscsi/outbox.ts'
import { loginStatus } from '../iscsi/pdu.ts'
import { PORTAL_GROUP_TAG } from '../scsi/logical-unit.ts'
import {
  AGAIN_MS,
  HOLD_MS,
  type LoginAttempt,
  type RejectReason,
  type Route,
} from './login-routes.ts'
import type { Logins, Taken } from './logins.ts'
import type { SessionHandles } from './session-handles.ts'

/** Of discovery, for the coordinator. */
const REFRESH_MS = 500

/** What the login leads to; carried out by the connection. */
export interface LoginHost {
  /** Something was written: it leaves at the end of the turn. */
  wrote(): void
  /** The last response is written: the full feature phase begins. */
  discovery(settled: Settled): void
  session(settled: Settled, taken: Taken & { readonly kind: 'taken' }): void
  /** The last response is written, and it is not an admission. */
  turnedAway(): void
  close(reason: string): void
  redirected(attempt: LoginAttempt, to: MemberId, why: string): void
  rejected(initiator: string, reason: string): void
}

export interface Settled {
  readonly parameters: Negotiated
  readonly cid: number
  readonly expCmdSn: number
  readonly statSn: number
}

export interface LoginPhaseDeps {
  readonly clock: Clock
  readonly logins: Logins
  readonly volumeByIqn: (iqn: string) => VolumeRecord | undefined
  /** Brings what `volumeByIqn` gives up to what was committed before the call; false: the coordinator does not answer. */
  readonly refresh: () => Promise<boolean>
  readonly handles: SessionHandles
  /** There is room only for sessions that come back. */
  readonly isFull: () => boolean
}

export class LoginPhase {
  readonly #deps: LoginPhaseDeps
  readonly #host: LoginHost
  readonly #negotiation: LoginNegotiation
  readonly #source: string
  readonly #startedMs: number
  #state: 'negotiating' | 'deciding' | 'over' = 'negotiating'
  #request: LoginRequest | null = null
  #attempt: LoginAttempt | null = null
  #route: (Route & { readonly kind: 'take' }) | null = null

  constructor(
    deps: LoginPhaseDeps,
    host: LoginHost,
    outbox: Outbox,
    came: { readonly source: string; readonly atMs: number },
  ) {
    this.#deps = deps
    this.#host = host
    this.#source = came.source
    this.#startedMs = came.atMs
    this.#negotiation = new LoginNegotiation(
      { targetPortalGroupTag: PORTAL_GROUP_TAG, keys: targetSettings },
      outbox,
    )
  }

  /** It is the initiator's turn. */
  get isAwaited(): boolean {
    return this.#state === 'negotiating'
  }

  get initiator(): string {
    return this.#request?.initiatorName ?? ''
  }

  receive(pdu: Pdu): void {
    if (this.#state !== 'negotiating') {
      throw new ProtocolError('a request before the last was answered', 'RFC 7143 §6.3')
    }
    this.#step(this.#negotiation.receive(pdu))
  }

  /** The connection is gone or the time is up: what is under way finds out by itself. */
  abandon(): void {
    this.#state = 'over'
  }

  #step(step: LoginStep): void {
    switch (step.kind) {
      case 'more':
      case 'respond':
        this.#negotiation.respond(0)
        this.#state = 'negotiating'
        return this.#host.wrote()
      case 'ask':
        this.#request = step.request
        this.#state = 'deciding'
        return this.#alone(this.#decide(step.request))
      case 'ready':
        this.#state = 'deciding'
        return this.#alone(this.#enter(step.parameters))
      case 'reject':
        this.#host.rejected(this.initiator, step.reason)
        this.#negotiation.respond(0)
        return this.#over()
      default:
        unreachable(step)
    }
  }

  /** P1. Bugs are another matter: they end the member, as everywhere. */
  #alone(work: Promise<void>): void {
    void work.catch((error: unknown) => {
      if (error instanceof BrokenInvariant) throw error
      const reason = `the login failed: ${error instanceof Error ? error.message : String(error)}`
      if (this.#state === 'over') this.#host.rejected(this.initiator, reason)
      this.#host.close(reason)
    })
  }

  /** The first request says who comes and to what: the only moment in which every initiator follows a redirect. */
  async #decide(request: LoginRequest): Promise<void> {
    if (request.sessionType === 'discovery') {
      const { clock, refresh } = this.#deps
      await within(clock, REFRESH_MS, refresh(), false) // P3
      if (this.#state === 'over') return
    } else {
      const attempt = await this.#attemptOf(request)
      if (attempt === null) return
      this.#attempt = attempt
      const route = await this.#deps.logins.routes.of(attempt)
      if (this.#state === 'over') return
      if (route.kind !== 'take') return this.#turnAway(attempt, route)
      if (route.why === 'new' && this.#deps.isFull()) {
        return this.#reject(
          loginStatus.outOfResources,
          'this member has as many sessions as it may',
        )
      }
      this.#route = route
    }
    this.#step(this.#negotiation.admit())
  }

  /** Null: it is refused, or its connection is gone. */
  async #attemptOf(request: LoginRequest): Promise<LoginAttempt | null> {
    const name = request.targetName ?? ''
    const volume = this.#deps.volumeByIqn(name) ?? (await this.#newsOf(name))
    if (this.#state === 'over') return null
    if (volume === 'none') {
      this.#reject(loginStatus.notFound, `there is no target ${name}`)
      return null
    }
    if (volume === 'unknown') {
      this.#reject(rejectStatus.busy, rejectSentence.busy)
      return null
    }
    if (request.tsih !== 0) {
      const { tsih, cid, initiatorName: initiator, isid } = request
      const named = { tsih, cid, initiator, isid, volume: volume.id }
      const { status, sentence } = this.#deps.handles.refusal(named)
      this.#reject(status, sentence)
      return null
    }
    return {
      volume,
      initiator: request.initiatorName,
      isid: request.isid,
      source: this.#source,
      isGone: () => this.#state === 'over',
      startedMs: this.#startedMs,
    }
  }

  /** P3, of a volume that this member has not heard of; 'unknown': the coordinator does not answer. */
  async #newsOf(iqn: string): Promise<VolumeRecord | 'none' | 'unknown'> {
    const { clock, refresh, volumeByIqn } = this.#deps
    while (this.#state !== 'over' && clock.nowMs() - this.#startedMs <= HOLD_MS) {
      if (await refresh()) return volumeByIqn(iqn) ?? 'none'
      await sleep(clock, AGAIN_MS)
    }
    return 'unknown'
  }

  async #enter(parameters: Negotiated): Promise<void> {
    const negotiation = this.#negotiation
    if (this.#request?.sessionType === 'discovery') {
      negotiation.respond(this.#deps.handles.next())
      this.#state = 'over'
      return this.#host.discovery(settled(negotiation, parameters))
    }
    const attempt = this.#attempt
    const route = this.#route
    assert(attempt !== null && route !== null, 'a login is ready only when it is routed')
    const taken = await this.#deps.logins.take(attempt, route)
    if (taken.kind !== 'taken') {
      if (this.#state !== 'over') this.#turnAway(attempt, taken)
      return
    }
    if (taken.session.phase.kind === 'ended') {
      return this.#reject(loginStatus.serviceUnavailable, 'a later login took its session') // P2
    }
    // Nothing has been awaited since `take` found the connection whole.
    const tsih = this.#deps.handles.next()
    this.#deps.handles.began(tsih, taken.session, negotiation.cid)
    negotiation.respond(tsih)
    this.#state = 'over'
    this.#host.session(settled(negotiation, parameters), taken)
  }

  #turnAway(attempt: LoginAttempt, route: Exclude<Taken, { readonly kind: 'taken' }>): void {
    if (route.kind === 'reject') {
      return this.#reject(rejectStatus[route.why], route.sentence ?? rejectSentence[route.why])
    }
    this.#host.redirected(attempt, route.to, route.why)
    // After the first response not every initiator follows a redirect; it then tries again, and is redirected in time.
    if (this.#negotiation.isAsking) this.#negotiation.redirect(route.portal)
    else this.#negotiation.reject(loginStatus.serviceUnavailable)
    this.#over()
  }

  #reject(status: number, reason: string): void {
    this.#host.rejected(this.initiator, reason)
    this.#negotiation.reject(status)
    this.#over()
  }

  #over(): void {
    this.#state = 'over'
    this.#host.turnedAway()
  }
}

function settled(negotiation: LoginNegotiation, parameters: Negotiated): Settled {
  const { cid, expCmdSn, statSn } = negotiation
  return { parameters, cid, expCmdSn, statSn }
}

const rejectStatus: Record<RejectReason, number> = {
  busy: loginStatus.serviceUnavailable,
  'in use': loginStatus.authorizationFailure,
  'in doubt': loginStatus.serviceUnavailable,
  gone: loginStatus.serviceUnavailable,
}

const rejectSentence: Record<RejectReason, string> = {
  busy: 'the group could not settle the login within 4 s',
  'in use': 'another host has the volume, which is not shared',
  'in doubt': 'another host may have the volume, which is not shared',
  gone: 'the initiator closed the connection during its login',
}
