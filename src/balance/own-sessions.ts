// The sessions that this member serves, as the distribution sees them: their load, what holds them, and what they have been
// through, which goes with them when they are moved.

import { type MemberId, type SessionId, sessionId } from '../base/ids.ts'
import { isRandomIsid } from '../base/isid.ts'
import { type BadPaths, barredBy, heldBy } from '../distribution/bounds.ts'
import type { Code } from '../distribution/code.ts'
import {
  leftMembers,
  type MoveHistory,
  NO_HISTORY,
  rememberHistory,
  restUntilMs,
  wentBadly,
  withMove,
} from '../distribution/history.ts'
import { MovedLately } from '../distribution/moved-lately.ts'
import type { LearntPauses } from '../distribution/pauses.ts'
import { meanSession } from '../distribution/place.ts'
import type { Policy } from '../distribution/policy.ts'
import type { End, SessionView, View } from '../distribution/view.ts'
import type { Became } from '../distribution/wire.ts'
import type { MemberEstimate } from '../load/estimate.ts'
import type { SessionLoad } from '../load/load-table.ts'
import { Body } from '../peer/controls.ts'
import type { Json } from '../peer/message.ts'
import { carrierOf, type LiveSession } from '../target/live-session.ts'
import type { Coming } from './arrivals.ts'
import type { MemberParts } from './member-parts.ts'
import { factsOf } from './session-facts.ts'

/** A session that has come by a move that was decided so long ago. */
export interface MovedAgo {
  readonly session: SessionId
  readonly agoMs: number
}

/** By which the sessions here are seen. */
export interface Circumstances {
  readonly view: View
  readonly policy: Policy
  /** What each has saved up by staying where it is not best. */
  readonly debts: ReadonlyMap<SessionId, number>
  /** By which moves are dearer now (distribution/trust.ts). */
  readonly caution: number
  readonly pauses: LearntPauses
}

export type Leaving = Pick<SessionView, 'id' | 'load' | 'held' | 'barred'>

export function readMovedAgo(json: Json): MovedAgo {
  const body = new Body(json)
  return { session: sessionId(body.whole('session')), agoMs: body.whole('agoMs') }
}

export class OwnSessions {
  readonly #member: MemberParts
  readonly #estimate: MemberEstimate
  readonly #badPaths: BadPaths
  readonly #histories = new Map<SessionId, MoveHistory>()
  readonly #lately: MovedLately

  constructor(member: MemberParts, estimate: MemberEstimate, badPaths: BadPaths) {
    this.#member = member
    this.#estimate = estimate
    this.#badPaths = badPaths
    this.#lately = new MovedLately(member.id, (id) => estimate.load(id))
  }

  /** Those that are carried now. */
  views(circumstances: Circumstances): SessionView[] {
    const views: SessionView[] = []
    for (const session of this.#member.target.registry.all()) {
      const view = this.#viewOf(session, circumstances)
      if (view !== null) views.push(view)
    }
    return views
  }

  /** null: it is not carried here now. */
  view(id: SessionId, circumstances: Circumstances): SessionView | null {
    const session = this.#member.target.registry.get(id)
    return session === undefined ? null : this.#viewOf(session, circumstances)
  }

  #viewOf(
    session: LiveSession,
    { view, policy, debts, caution, pauses }: Circumstances,
  ): SessionView | null {
    const nowMs = this.#nowMs()
    const load = this.#estimate.load(session.id)
    const estimate = this.#estimate.session(session.id)
    if (load === null || estimate === null || carrierOf(session) === null) return null
    const history = this.#history(session.id)
    const facts = factsOf(this.#member, session, history, nowMs, policy)
    const pause = pauses.seconds(facts.initiator, pauseSeconds(policy, facts.stableIsid))
    return {
      id: session.id,
      load,
      ageSeconds: estimate.ageSeconds,
      price: caution * (policy.kappa + estimate.depth * pause),
      debt: debts.get(session.id) ?? 0,
      restUntilMs: restUntilMs(history, policy),
      left: leftMembers(history),
      held: heldBy(facts, view, nowMs, null),
      barred: barredBy(facts, this.#badPaths, nowMs),
    }
  }

  /**
   * Why it may not be moved to `to` though an operator wants it; null: safety allows it, and no pin forbids it. Rates and rests do
   * not count.
   */
  heldByHand(session: LiveSession, to: MemberId, view: View, policy: Policy): Code | null {
    return this.leavingFor(session, to, view, policy).held
  }

  /** The sessions here as a drain sees them: those also that are too new to be measured. */
  leaving(view: View, policy: Policy): Leaving[] {
    return [...this.#member.target.registry.all()]
      .filter((session) => carrierOf(session) !== null)
      .map((session) => this.leavingFor(session, null, view, policy))
  }

  /** `to`: where it is to go by an operator's word; null: wherever there is room, for a drain. */
  leavingFor(session: LiveSession, to: MemberId | null, view: View, policy: Policy): Leaving {
    const { id, record } = session
    const nowMs = this.#nowMs()
    const facts = factsOf(this.#member, session, this.#history(id), nowMs, policy)
    const pinned =
      facts.pinned && (to === null ? !this.#member.target.isLeaving : record.pinned !== to)
    return {
      id,
      load: this.#estimate.load(id) ?? this.meanLoad(),
      held: heldBy({ ...facts, pinned }, view, nowMs, to === null ? 'drain' : 'operator'),
      barred: barredBy(facts, this.#badPaths, nowMs),
    }
  }

  /** What one of the sessions here, or a new one, is like. */
  meanLoad(): SessionLoad {
    const loads = [...this.#member.target.registry.all()]
      .map(({ id }) => this.#estimate.load(id))
      .filter((load) => load !== null)
    return meanSession(loads, this.#member.group.members.size)
  }

  /** What goes with a session that is moved: its estimator and its history. */
  handOver(session: SessionId): Json {
    const memory = this.#estimate.session(session)?.handOver() ?? null
    return { memory, history: rememberHistory(this.#history(session), this.#nowMs()) }
  }

  /** One that was granted is here, with what its old member said of it. */
  came({ id, record }: LiveSession, coming: Coming, policy: Policy): void {
    this.#estimate.admit(id, coming.memory)
    const pauseMs = 1_000 * pauseSeconds(policy, !isRandomIsid(record.isid))
    const move = { left: coming.from, atMs: this.#nowMs(), pauseMs }
    this.#histories.set(id, withMove(coming.history, move))
    this.#lately.came(id, this.#nowMs())
  }

  /** It was moved away. */
  left(id: SessionId): void {
    this.#lately.leaves(id, this.#nowMs())
    this.#estimate.leave(id)
    this.#histories.delete(id)
  }

  // What moves brought

  /** Of one that came here after `sinceMs`; `end`: this member as it is. */
  became(id: SessionId, end: End, sinceMs: number): Became {
    const isHere = this.#member.target.registry.get(id) !== undefined
    return {
      end: this.#lately.without(end, sinceMs),
      load: isHere ? this.#estimate.load(id) : null,
    }
  }

  /** This member (`end`: as it is) with a session that left after `sinceMs`, by what it weighs now, and without what has come and gone since. */
  withAgain(id: SessionId, load: SessionLoad, end: End, sinceMs: number): End {
    return this.#lately.without(end, sinceMs, { session: id, load })
  }

  /** It was to be moved, and has stayed, or was lost. */
  moveFailed(id: SessionId): void {
    this.#histories.set(id, wentBadly(this.#history(id), this.#nowMs()))
  }

  /** What is kept of those that have no record any more. */
  forget(): void {
    const { group, target } = this.#member
    for (const id of this.#histories.keys()) {
      if (!group.sessions.has(id) && !target.registry.get(id)) this.#histories.delete(id)
    }
  }

  #history(id: SessionId): MoveHistory {
    return this.#histories.get(id) ?? NO_HISTORY
  }

  #nowMs(): number {
    return this.#member.ports.clock.nowMs()
  }
}

function pauseSeconds(policy: Policy, stableIsid: boolean): number {
  return stableIsid ? policy.pauseStableSeconds : policy.pauseRandomSeconds
}
