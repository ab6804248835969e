// A login, in order (DESIGN.md): where it belongs, and taking it. Discovery sessions never come here.
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
//   L3. Only the member that takes a login runs its barrier, never one that redirects.
//   L4. A login is redirected to the last owner of its record once a generation; a repeat after a second is taken here.
//   L5. What is not settled within 4 s is rejected as "service unavailable"; the initiator tries again.
//   L6. A volume that is not shared is taken only when no other host has it, and with its claim (unshared.ts, G11).
import { type Clock, sleep } from '../base/clock.ts'
import {
  type Generation,
  generation,
  type Revision,
  type SessionId,
  sessionId,
  type VolumeId,
} from '../base/ids.ts'
import { isRandomIsid } from '../base/isid.ts'
import type { Coordinator, TransactionResult } from '../coordination/coordinator.ts'
import {
  type GroupView,
  type StoredSession,
  storedSession,
  usable,
} from '../coordination/group-view.ts'
import { withClaim } from '../group/claims.ts'
import { matchLogin } from '../group/login.ts'
import { parseVolume } from '../group/parse.ts'
import { keys, type MemberId, type SessionRecord, type VolumeRecord } from '../group/record.ts'
import { createSession, takeSession } from '../group/sessions.ts'
import { SessionCounters } from '../load/counters.ts'
import { Body } from '../peer/controls.ts'
import type { PeerLinks } from '../peer/links.ts'
import type { Json } from '../peer/message.ts'
import type { Barrier } from './barrier.ts'
import { ExpiringMap } from './expiring-map.ts'
import type { EndReason, LiveSession } from './live-session.ts'
import { loginKey, type RedirectQuestion, type RedirectQuestions } from './redirect-questions.ts'
import type { Registry } from './registry.ts'
import { mayTake } from './unshared.ts'

/** Initiators give up a login after 5 s at the earliest (ESXi); a reject costs them 1–60 s, so we hold as long as we may. */
const HOLD_MS = 4_000
const AGAIN_MS = 20
const REPEAT_MS = 1_000
const STAY_MS = 60_000
const RESERVED_MS = 5_000
const MARKS_MAX = 4_096

export interface LoginAttempt {
  readonly volume: VolumeRecord
  readonly initiator: string
  readonly isid: string
  /** The initiator's address without port. */
  readonly source: string
  /** Its connection is gone: whatever is under way for it may stop. */
  readonly isGone: () => boolean
  readonly startedMs: number
}

export type Route =
  | {
      readonly kind: 'take'
      readonly stored: StoredSession | null
      readonly byIsid: boolean
      readonly why: TakeReason
    }
  | {
      readonly kind: 'redirect'
      readonly to: MemberId
      readonly portal: string
      readonly why: RedirectReason
    }
  | Rejection

export interface Rejection {
  readonly kind: 'reject'
  readonly why: RejectReason
  /** What `why` alone does not say. */
  readonly sentence?: string
}

export type TakeReason = 'new' | 'returned' | 'reclaimed' | 'reinstated' | 'revived'
export type RedirectReason = 'move' | 'owner' | 'placement'
/**
 * `busy`: 0301. The volume is not shared, and another host has it: `in use`, 0202, or may have it: `in doubt`, 0301.
 * `gone`: the connection is.
 */
export type RejectReason = 'busy' | 'in use' | 'in doubt' | 'gone'

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

/** Chooses a member for a new session, by load; null: it may stay where it came. */
export interface Placement {
  choose(attempt: LoginAttempt): Promise<MemberId | null>
  /** A new login is expected here, or not any more; `key` of redirect-questions.ts. */
  expect(key: string): void
  unexpect(key: string): void
  /** The initiator was sent to the member and came back without having arrived: nothing moves it there for a while. */
  markBadPath(initiator: string, member: MemberId): void
}

export interface LoginsDeps {
  readonly self: MemberId
  readonly clock: Clock
  readonly coordinator: Coordinator
  readonly group: GroupView
  readonly peers: Pick<PeerLinks, 'tell'>
  readonly questions: RedirectQuestions
  readonly barrier: Barrier
  readonly registry: Registry
  readonly placement: Placement
  readonly end: (session: LiveSession, reason: EndReason) => void
  /** false before the member has loaded the records, and when it stops. */
  readonly isServing: () => boolean
  readonly newToken: () => string
}

export class Logins {
  readonly #deps: LoginsDeps
  /** By move or by record and generation: when this member first redirected it. */
  readonly #redirected = new ExpiringMap<true>(120_000, MARKS_MAX)
  /** New logins that were redirected from here: what comes back stays. */
  readonly #stays = new ExpiringMap<true>(STAY_MS, MARKS_MAX)
  /** New logins that another member sends here. */
  readonly #reserved = new ExpiringMap<true>(RESERVED_MS, MARKS_MAX)

  constructor(deps: LoginsDeps) {
    this.#deps = deps
  }

  /** Another member will send this new login here. */
  reserve(question: RedirectQuestion): void {
    this.#reserved.set(question.key, true, this.#deps.clock.nowMs())
    this.#deps.placement.expect(question.key)
  }

  unreserve(question: RedirectQuestion): void {
    this.#reserved.delete(question.key)
    this.#deps.placement.unexpect(question.key)
  }

  /** Where the login belongs. Reads the records and may ask other members; changes nothing but marks. */
  async route(attempt: LoginAttempt): Promise<Route> {
    const { clock, questions } = this.#deps
    questions.arrived(keyOf(attempt))
    for (;;) {
      if (attempt.isGone()) return { kind: 'reject', why: 'gone' }
      if (clock.nowMs() - attempt.startedMs > HOLD_MS) return { kind: 'reject', why: 'busy' }
      const records = this.#deps.isServing() ? await this.#pair(attempt) : null
      if (records !== null) return this.#routeBy(attempt, records)
      await sleep(clock, AGAIN_MS)
    }
  }

  async #routeBy(attempt: LoginAttempt, records: readonly StoredSession[]): Promise<Route> {
    const { self, clock } = this.#deps
    const now = clock.nowMs()
    const found = matchLogin(
      records,
      attempt,
      (moveId) => this.#redirected.get(moveId, now) !== undefined,
    )
    if (found === null) return this.#routeNew(attempt)
    const { stored, byIsid } = found
    const move = stored.record.move
    if (move?.open === true) {
      if (move.to === self) return { kind: 'take', stored, byIsid, why: 'returned' }
      return this.#followMove(attempt, stored, byIsid, move)
    }
    const why = stored.record.state === 'dead' ? 'revived' : 'reinstated'
    if (stored.record.owner === self) return { kind: 'take', stored, byIsid, why }
    return this.#toLastOwner(attempt, stored, why)
  }

  /** The session was moved to another member: send it there, or take it back if it cannot get there. */
  async #followMove(
    attempt: LoginAttempt,
    stored: StoredSession,
    byIsid: boolean,
    move: { readonly id: string; readonly to: MemberId },
  ): Promise<Route> {
    const reclaim: Route = { kind: 'take', stored, byIsid, why: 'reclaimed' }
    const now = this.#deps.clock.nowMs()
    const mark = this.#redirected.get(move.id, now)
    if (mark !== undefined && now - mark.atMs >= REPEAT_MS) {
      this.#deps.placement.markBadPath(attempt.initiator, move.to)
      return reclaim
    }
    return (await this.#redirect(attempt, move.to, move.id, 'move')) ?? reclaim
  }

  /** L4. Linux comes to its original portal after every loss: its session is better served where it was. */
  async #toLastOwner(
    attempt: LoginAttempt,
    stored: StoredSession,
    why: 'revived' | 'reinstated',
  ): Promise<Route> {
    const { owner, gen } = stored.record
    const take: Route = { kind: 'take', stored, byIsid: true, why }
    const once = `${stored.id}:${gen}`
    const now = this.#deps.clock.nowMs()
    const mark = this.#redirected.get(once, now)
    if (mark !== undefined && now - mark.atMs >= REPEAT_MS) return take
    return (await this.#redirect(attempt, owner, once, 'owner')) ?? take
  }

  async #routeNew(attempt: LoginAttempt): Promise<Route> {
    const { self, clock, placement } = this.#deps
    const take: Route = { kind: 'take', stored: null, byIsid: false, why: 'new' }
    const key = keyOf(attempt)
    const now = clock.nowMs()
    if (this.#reserved.get(key, now) !== undefined) {
      this.#reserved.delete(key)
      return take
    }
    if (this.#stays.get(key, now) !== undefined) return take
    const to = await placement.choose(attempt)
    if (to === null || to === self) return take
    const redirect = await this.#redirect(attempt, to, null, 'placement')
    if (redirect === null) return take
    this.#stays.set(key, true, clock.nowMs())
    return redirect
  }

  /** Asks the destination and redirects if it agrees; null: it does not. */
  async #redirect(
    attempt: LoginAttempt,
    to: MemberId,
    mark: string | null,
    why: RedirectReason,
  ): Promise<Route | null> {
    const { self, clock, group, questions } = this.#deps
    const question = questions.question(self, keyOf(attempt), why === 'placement')
    const answer = await questions.ask(to, question)
    const portal = group.members.get(to)?.portal
    if (answer === 'yes' && portal !== undefined && !attempt.isGone()) {
      const now = clock.nowMs()
      if (mark !== null && this.#redirected.get(mark, now) === undefined) {
        this.#redirected.set(mark, true, now)
      }
      return { kind: 'redirect', to, portal, why }
    }
    questions.takeBack(to, question)
    return attempt.isGone() ? { kind: 'reject', why: 'gone' } : null
  }

  /** L1, L2: takes the login here, as routed; starts again when the record has changed since. */
  async take(attempt: LoginAttempt, routed: Route & { readonly kind: 'take' }): Promise<Taken> {
    const { clock, registry, newToken } = this.#deps
    let route: Route = routed
    while (route.kind === 'take') {
      const loginToken = newToken()
      registry.begin(loginToken)
      try {
        const got = await this.#write(attempt, route, loginToken)
        if (got === 'failed') return { kind: 'reject', why: 'busy' }
        if (got !== 'again' && 'why' in got) return got
        if (got !== 'again') {
          const session = this.#register(got.mine, route.stored)
          registry.finish(loginToken)
          return await this.#finish(attempt, route, session, got)
        }
      } finally {
        registry.finish(loginToken)
      }
      if (clock.nowMs() - attempt.startedMs > HOLD_MS) return { kind: 'reject', why: 'busy' }
      await sleep(clock, 1)
      route = await this.route(attempt)
    }
    return route
  }

  async #write(
    attempt: LoginAttempt,
    route: Route & { readonly kind: 'take' },
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

  /** The outcome of the take is unknown: the token in a living record settles it. If it takes effect later, the sweep closes it. */
  async #settle(attempt: LoginAttempt, loginToken: string): Promise<Got | 'failed'> {
    const { clock } = this.#deps
    while (clock.nowMs() - attempt.startedMs <= 2 * HOLD_MS) {
      const records = await this.#pair(attempt)
      if (records !== null) {
        const mine = records.find((one) => one.record.loginToken === loginToken)
        if (mine === undefined || !isOurs(mine.record, this.#deps.self)) return 'failed'
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
    const { registry, end, peers, self } = this.#deps
    const before = registry.get(mine.id)
    if (before !== undefined && before.gen < mine.record.gen) end(before, 'reinstated')
    const session: LiveSession = {
      id: mine.id,
      key: mine.key,
      gen: mine.record.gen,
      loginToken: mine.record.loginToken,
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
    route: Route & { readonly kind: 'take' },
    session: LiveSession,
    { others, volume }: Got,
  ): Promise<Taken> {
    const ended = () => attempt.isGone() || session.phase.kind === 'ended'
    try {
      if (!route.byIsid) await this.#deps.barrier.run(others, ended) // L3
    } catch (error) {
      this.#deps.end(session, 'closed')
      throw error
    }
    if (ended()) {
      this.#deps.end(session, 'closed')
      return { kind: 'reject', why: 'gone' }
    }
    return { kind: 'taken', session, volume, why: route.why, from: route.stored }
  }

  async #pair(attempt: LoginAttempt): Promise<readonly StoredSession[] | null> {
    const listed = await this.#deps.coordinator.list(
      keys.pair(attempt.volume.id, attempt.initiator),
    )
    return listed.kind === 'done' ? listed.items.map(storedSession) : null
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

function keyOf(attempt: LoginAttempt): string {
  return loginKey({
    volume: attempt.volume.id,
    initiator: attempt.initiator,
    isid: attempt.isid,
    source: attempt.source,
    randomKind: isRandomIsid(attempt.isid),
  })
}
