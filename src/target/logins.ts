// Logins are taken here, in order (DESIGN.md), once it is known where they belong (login-routes.ts). Discovery sessions never
// come here.
//
//   route ──▶ redirect | reject
//     │ ▲
//     ▼ └─ the record changed meanwhile
//   take ──▶ barrier ──▶ taken
//
// Invariants:
//   L1. A session's record is taken by one transaction compared with what was read; at most one record exists for
//       (volume, initiator, ISID).
//   L2. An open move is consumed before the final Login Response.
//   L3. Only the member that takes a login runs its barrier, never one that redirects. It does if the record that it has
//       taken says that one is due (G29), whoever owed it, and is done when the record says so no more.
//   L5. What is not settled within 4 s is rejected as "service unavailable"; the initiator tries again.
//   L6. A volume that is not shared is taken only when no other host has it, and with its claim (unshared.ts, G11).
//   L7. A take of which it is learnt late that it was done is this login's own: it goes on as it was routed before, with its
//       barrier, and is no other login by the same ISID.
import { sleep } from '../base/clock.ts'
import {
  type Generation,
  generation,
  type MemberId,
  type Revision,
  type SessionId,
  sessionId,
  type VolumeId,
} from '../base/ids.ts'
import type { TransactionResult } from '../coordination/coordinator.ts'
import { type StoredSession, storedSession, usable } from '../coordination/group-view.ts'
import { withClaim } from '../group/claims.ts'
import { parseVolume } from '../group/parse.ts'
import { keys, type SessionRecord, type VolumeRecord } from '../group/record.ts'
import { completeBarrier, createSession, takeSession } from '../group/sessions.ts'
import { SessionCounters } from '../load/counters.ts'
import { Body } from '../peer/controls.ts'
import type { PeerLinks } from '../peer/links.ts'
import type { Json } from '../peer/message.ts'
import type { Barrier } from './barrier.ts'
import type { EndReason, LiveSession } from './live-session.ts'
import {
  AGAIN_MS,
  HOLD_MS,
  type LoginAttempt,
  LoginRoutes,
  type LoginRoutesDeps,
  type Rejection,
  type Route,
  recordsOf,
  type TakeReason,
} from './login-routes.ts'
import type { Registry } from './registry.ts'
import { mayTake } from './unshared.ts'

export type Taken =
  | {
      readonly kind: 'taken'
      readonly session: LiveSession
      /** As it was when the session was taken: no growth that an earlier owner has told is missing here. */
      readonly volume: VolumeRecord
      readonly why: TakeReason
      readonly from: StoredSession | null
    }
  | Exclude<Route, { kind: 'take' }>

type Take = Route & { readonly kind: 'take' }

export interface LoginsDeps extends LoginRoutesDeps {
  readonly peers: Pick<PeerLinks, 'tell'>
  readonly barrier: Barrier
  readonly registry: Registry
  readonly end: (session: LiveSession, reason: EndReason) => void
  readonly newToken: () => string
}

export class Logins {
  readonly routes: LoginRoutes
  readonly #deps: LoginsDeps

  constructor(deps: LoginsDeps) {
    this.routes = new LoginRoutes(deps)
    this.#deps = deps
  }

  /** L1, L2: takes the login here, as routed; starts again when the record has changed since. */
  async take(attempt: LoginAttempt, routed: Take): Promise<Taken> {
    const { registry, newToken } = this.#deps
    // One for all tries: whichever of them was done, no other one can be.
    const loginToken = newToken()
    registry.begin(loginToken)
    try {
      return await this.#take(attempt, routed, loginToken)
    } finally {
      registry.finish(loginToken)
    }
  }

  async #take(attempt: LoginAttempt, routed: Take, loginToken: string): Promise<Taken> {
    const { clock, registry } = this.#deps
    let route = routed
    let isDone = false
    for (;;) {
      const got = isDone
        ? await this.#settle(attempt, loginToken)
        : await this.#write(attempt, route, loginToken)
      if (got === 'failed') return { kind: 'reject', why: 'busy' }
      if (got !== 'again' && 'why' in got) return got
      if (got !== 'again') {
        const session = this.#register(got.mine, route.stored)
        registry.finish(loginToken)
        return await this.#finish(attempt, route, session, got)
      }
      if (clock.nowMs() - attempt.startedMs > HOLD_MS) return { kind: 'reject', why: 'busy' }
      await sleep(clock, 1)
      const next = await this.routes.of(attempt, route)
      if (next.kind !== 'take') return next
      isDone = next.stored?.record.loginToken === loginToken // L7
      if (!isDone) route = next
    }
  }

  async #write(
    attempt: LoginAttempt,
    route: Take,
    loginToken: string,
  ): Promise<Got | 'again' | Rejection | 'failed'> {
    const { self, clock, coordinator } = this.#deps
    const may = await mayTake(this.#deps, attempt, route.stored?.id ?? null) // L6
    if (may.kind === 'again') return 'again'
    if (may.kind !== 'free') return { kind: 'reject', why: may.kind, sentence: may.sentence }
    const who = {
      owner: self,
      isid: attempt.isid,
      source: attempt.source,
      loginToken,
      at: new Date(clock.wallMs()).toISOString(),
    }
    const change =
      route.stored === null
        ? createSession({
            ...who,
            volume: attempt.volume.id,
            ...this.#asSeen(attempt.volume.id),
            initiator: attempt.initiator,
          })
        : takeSession(route.stored, who)
    const { id } = attempt.volume
    const read = [keys.pair(id, attempt.initiator), keys.volume(id)]
    const result = await coordinator.txn({ ...withClaim(change, may.claim, loginToken), read })
    if (result.kind === 'lost') return 'again'
    if (result.kind === 'done') return this.#split(attempt, result, loginToken) ?? 'failed'
    return this.#settle(attempt, loginToken)
  }

  /** No session begins on a volume that changes under it. */
  #asSeen(volume: VolumeId): { readonly volumeRev?: Revision; readonly bytes?: number } {
    const { volumes, volumeRevs } = this.#deps.group
    const volumeRev = volumeRevs.get(volume)
    const bytes = volumes.get(volume)?.bytes
    return volumeRev === undefined || bytes === undefined ? {} : { volumeRev, bytes }
  }

  /**
   * The outcome of the take is unknown: the token in a living record settles it. Without one it is tried again, as it was not
   * done if somebody has the record locked. If it takes effect later, that try fails by its comparison, and finds this one (L7);
   * or the sweep closes what this one has made, as it does if nothing can be read in time (L5).
   */
  async #settle(attempt: LoginAttempt, loginToken: string): Promise<Got | 'again' | 'failed'> {
    const { clock } = this.#deps
    while (clock.nowMs() - attempt.startedMs <= HOLD_MS) {
      const records = await recordsOf(this.#deps.coordinator, attempt)
      if (records !== null) {
        const mine = records.find((one) => one.record.loginToken === loginToken)
        if (mine === undefined) {
          await sleep(clock, AGAIN_MS)
          return 'again'
        }
        if (!isOurs(mine.record, this.#deps.self)) return 'failed'
        const { volumes } = this.#deps.group
        const volume = volumes.get(attempt.volume.id) ?? attempt.volume
        return { mine, others: records.filter((one) => one !== mine), volume }
      }
      await sleep(clock, AGAIN_MS)
    }
    return 'failed'
  }

  #split(
    attempt: LoginAttempt,
    { read: [pair = [], volumes = []] }: TransactionResult & { kind: 'done' },
    loginToken: string,
  ): Got | null {
    const records = pair.map(storedSession)
    const mine = records.find((one) => one.record.loginToken === loginToken)
    if (mine === undefined) return null
    const [item] = volumes
    const volume = item === undefined ? attempt.volume : usable(item.key, parseVolume(item.value))
    return { mine, others: records.filter((one) => one !== mine), volume }
  }

  #register(mine: StoredSession, from: StoredSession | null): LiveSession {
    const { registry, end, peers, self, clock } = this.#deps
    const before = registry.get(mine.id)
    if (before !== undefined && before.gen < mine.record.gen) end(before, 'reinstated')
    const session: LiveSession = {
      id: mine.id,
      key: mine.key,
      gen: mine.record.gen,
      loginToken: mine.record.loginToken,
      beganMs: clock.nowMs(),
      record: mine.record,
      rev: mine.rev,
      counters: new SessionCounters(),
      phase: { kind: 'login' },
    }
    registry.add(session)
    const lastOwner = from?.record.owner
    // Only saves time: an older session of this id anywhere else is refused by the primaries in any case.
    if (lastOwner !== undefined && lastOwner !== self) {
      peers.tell(lastOwner, 'taken', { id: session.id, gen: session.gen })
    }
    return session
  }

  async #finish(
    attempt: LoginAttempt,
    route: Take,
    session: LiveSession,
    { others, volume }: Got,
  ): Promise<Taken> {
    const ended = () => attempt.isGone() || session.phase.kind === 'ended'
    let isPassed = true
    try {
      if (session.record.barrierDue === true) {
        await this.#deps.barrier.run(others, ended) // L3
        isPassed = ended() || (await this.#passed(attempt, session))
      }
    } catch (error) {
      this.#deps.end(session, 'closed')
      throw error
    }
    if (ended() || !isPassed) {
      this.#deps.end(session, 'closed')
      return { kind: 'reject', why: isPassed ? 'gone' : 'busy' }
    }
    return { kind: 'taken', session, volume, why: route.why, from: route.stored }
  }

  /** L3: the record says no more that a barrier is due. False: it could not be written in time, or is another login's now. */
  async #passed(attempt: LoginAttempt, session: LiveSession): Promise<boolean> {
    const { clock, coordinator } = this.#deps
    do {
      const result = await coordinator.txn(completeBarrier(session))
      if (result.kind === 'done') {
        const { barrierDue: _, ...record } = session.record
        session.record = record
        session.rev = result.rev
        return true
      }
      // An earlier try whose outcome was unknown may have been done.
      const records = result.kind === 'lost' ? await recordsOf(coordinator, attempt) : null
      if (records !== null) {
        const mine = records.find(({ record }) => record.loginToken === session.loginToken)
        if (mine === undefined || !isOurs(mine.record, this.#deps.self)) return false
        session.record = mine.record
        session.rev = mine.rev
        if (mine.record.barrierDue !== true) return true
      }
      await sleep(clock, AGAIN_MS)
    } while (clock.nowMs() - attempt.startedMs <= HOLD_MS)
    return false
  }
}

/** What a take has written, and read in the same transaction. */
interface Got {
  readonly mine: StoredSession
  readonly others: readonly StoredSession[]
  readonly volume: VolumeRecord
}

/** What its last owner is told of a session that was taken here. */
export interface TakenSession {
  readonly id: SessionId
  readonly gen: Generation
}

export function readTaken(json: Json): TakenSession {
  const body = new Body(json)
  return { id: sessionId(body.whole('id')), gen: generation(body.whole('gen')) }
}

function isOurs(record: SessionRecord, self: MemberId): boolean {
  return record.owner === self && record.state === 'live' && record.move === undefined
}
