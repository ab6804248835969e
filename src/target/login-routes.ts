// Where a login belongs: here, at another member to which it is sent, or nowhere now. Reads the records and may ask other
// members; changes nothing but marks.
//
// Invariants:
//   L4. A login is redirected to the last owner of its record once a generation; a repeat after a second is taken here.
//   L10. A member that is drained takes a login only if no other member takes it, also one whose session it had, unless that
//        is pinned there.
//   L9. Of a session that is pinned, it is redirected to the member that it is pinned to instead, as often.
//   L8. A new login that was routed here stays here while it is taken, unless a record of it appears elsewhere.

import { type Clock, sleep } from '../base/clock.ts'
import type { MemberId } from '../base/ids.ts'
import { isRandomIsid } from '../base/isid.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import { type GroupView, type StoredSession, storedSession } from '../coordination/group-view.ts'
import { matchLogin } from '../group/login.ts'
import { keys, type VolumeRecord } from '../group/record.ts'
import { ExpiringMap } from './expiring-map.ts'
import { loginKey, type RedirectQuestion, type RedirectQuestions } from './redirect-questions.ts'

/** Initiators give up a login after 5 s at the earliest (ESXi); a reject costs them 1–60 s, so we hold as long as we may. */
export const HOLD_MS = 4_000
export const AGAIN_MS = 20
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
      readonly why: TakeReason
    }
  | {
      readonly kind: 'redirect'
      readonly to: MemberId
      readonly portal: string
      readonly why: RedirectReason
    }
  | Rejection

const takeNew: Route = { kind: 'take', stored: null, why: 'new' }

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

/** Chooses a member for a new session, by load; null: it may stay where it came. */
export interface Placement {
  choose(attempt: LoginAttempt): Promise<MemberId | null>
  /** A new login is expected here, or not any more; `key` of redirect-questions.ts. */
  expect(key: string): void
  unexpect(key: string): void
  /** The initiator was sent to the member and came back without having arrived: nothing moves it there for a while. */
  markBadPath(initiator: string, member: MemberId): void
}

export interface LoginRoutesDeps {
  readonly self: MemberId
  readonly clock: Clock
  readonly coordinator: Coordinator
  readonly group: GroupView
  readonly questions: RedirectQuestions
  readonly placement: Placement
  /** This member gives its sessions away, and takes those only that nobody else takes. */
  readonly isDraining: () => boolean
  /** false before the member has loaded the records, and when it stops. */
  readonly isServing: () => boolean
}

export class LoginRoutes {
  readonly #deps: LoginRoutesDeps
  /** By move or by record and generation: when this member first redirected it. */
  readonly #redirected = new ExpiringMap<true>(120_000, MARKS_MAX)
  /** New logins that were redirected from here: what comes back stays. */
  readonly #stays = new ExpiringMap<true>(STAY_MS, MARKS_MAX)
  /** New logins that another member sends here. */
  readonly #reserved = new ExpiringMap<true>(RESERVED_MS, MARKS_MAX)

  constructor(deps: LoginRoutesDeps) {
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

  /** L5 of logins.ts: it waits for the coordinator, but not longer than that. `before`: it was routed so, and is not taken yet. */
  async of(attempt: LoginAttempt, before: Route | null = null): Promise<Route> {
    const { clock, questions } = this.#deps
    questions.arrived(keyOf(attempt))
    for (;;) {
      if (attempt.isGone()) return { kind: 'reject', why: 'gone' }
      if (clock.nowMs() - attempt.startedMs > HOLD_MS) return { kind: 'reject', why: 'busy' }
      const records = this.#deps.isServing()
        ? await recordsOf(this.#deps.coordinator, attempt)
        : null
      if (records !== null) return this.#routeBy(attempt, records, before)
      await sleep(clock, AGAIN_MS)
    }
  }

  async #routeBy(
    attempt: LoginAttempt,
    records: readonly StoredSession[],
    before: Route | null,
  ): Promise<Route> {
    const { self, clock } = this.#deps
    const now = clock.nowMs()
    const stored = matchLogin(
      records,
      attempt,
      (moveId) => this.#redirected.get(moveId, now) !== undefined,
    )
    if (stored === null) return before === null ? this.#routeNew(attempt) : takeNew // L8
    const move = stored.record.move
    if (move?.open === true) {
      if (move.to === self) return { kind: 'take', stored, why: 'returned' }
      return this.#followMove(attempt, stored, move)
    }
    const why = stored.record.state === 'dead' ? 'revived' : 'reinstated'
    if (homeOf(stored) === self) {
      const take: Route = { kind: 'take', stored, why }
      if (!this.#deps.isDraining() || stored.record.pinned === self) return take
      return (await this.#place(attempt)) ?? take // L10
    }
    return this.#toItsHome(attempt, stored, why)
  }

  /** The session was moved to another member: send it there, or take it back if it cannot get there. */
  async #followMove(
    attempt: LoginAttempt,
    stored: StoredSession,
    move: { readonly id: string; readonly to: MemberId },
  ): Promise<Route> {
    const reclaim: Route = { kind: 'take', stored, why: 'reclaimed' }
    const now = this.#deps.clock.nowMs()
    const mark = this.#redirected.get(move.id, now)
    if (mark !== undefined && now - mark.atMs >= REPEAT_MS) {
      this.#deps.placement.markBadPath(attempt.initiator, move.to)
      return reclaim
    }
    return (await this.#redirect(attempt, move.to, move.id, 'move')) ?? reclaim
  }

  /** L4, L9. Linux comes to its original portal after every loss: its session is better served where it was. */
  async #toItsHome(
    attempt: LoginAttempt,
    stored: StoredSession,
    why: 'revived' | 'reinstated',
  ): Promise<Route> {
    const { gen } = stored.record
    const take: Route = { kind: 'take', stored, why }
    const once = `${stored.id}:${gen}`
    const now = this.#deps.clock.nowMs()
    const mark = this.#redirected.get(once, now)
    if (mark !== undefined && now - mark.atMs >= REPEAT_MS) return take
    return (await this.#redirect(attempt, homeOf(stored), once, 'owner')) ?? take
  }

  async #routeNew(attempt: LoginAttempt): Promise<Route> {
    const { clock } = this.#deps
    const key = keyOf(attempt)
    const now = clock.nowMs()
    if (this.#reserved.get(key, now) !== undefined) {
      this.#reserved.delete(key)
      return takeNew
    }
    return (await this.#place(attempt)) ?? takeNew
  }

  /** null: it stays here; so does one that was sent away from here within the last minute and is back. */
  async #place(attempt: LoginAttempt): Promise<Route | null> {
    const { self, clock, placement } = this.#deps
    const key = keyOf(attempt)
    if (this.#stays.get(key, clock.nowMs()) !== undefined) return null
    const to = await placement.choose(attempt)
    if (to === null || to === self) return null
    const redirect = await this.#redirect(attempt, to, null, 'placement')
    if (redirect !== null) this.#stays.set(key, true, clock.nowMs())
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
}

/** The records of its volume and initiator name; null: the coordinator does not answer. */
export async function recordsOf(
  coordinator: Coordinator,
  { volume, initiator }: LoginAttempt,
): Promise<readonly StoredSession[] | null> {
  const listed = await coordinator.list(keys.pair(volume.id, initiator))
  return listed.kind === 'done' ? listed.items.map(storedSession) : null
}

/** L9. */
function homeOf({ record }: StoredSession): MemberId {
  return record.pinned ?? record.owner
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
