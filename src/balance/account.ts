// What this member says of its decisions when it is asked: what one that was made had seen, why a session stays where it is,
// and what would be moved next. Asking changes nothing.
//
// Invariants:
//   AC1. What a decision saw is kept as it was then, of the last 200 moves. It is in memory, and gone with the member.
import type {
  EndSeen,
  MoveOption,
  MoveWhy,
  PlannedMove,
  StayReason,
} from '../api/balance-schema.ts'
import { isoAt } from '../base/clock.ts'
import { type SessionId, sessionId } from '../base/ids.ts'
import type { Moment, Proposal, Reason } from '../distribution/decide.ts'
import { whyMoved, whyNot, whyNotThere } from '../distribution/explain.ts'
import { foresee, optionsOf, whyItStays } from '../distribution/foresight.ts'
import { effective, resourceOf } from '../distribution/judge.ts'
import type { Policy } from '../distribution/policy.ts'
import type { End, Own, View } from '../distribution/view.ts'
import { type AverageKind, shareAt, weightAt } from '../load/load-table.ts'
import { Body } from '../peer/controls.ts'
import type { Json } from '../peer/message.ts'
import type { Decider } from './decider.ts'
import type { Shared } from './shared-parts.ts'

const KEPT = 200
/** Of a large group: those that would do best. */
const OPTIONS_MAX = 16

export const readMoveName = (json: Json): string => new Body(json).text('move')
export const readSessionName = (json: Json): SessionId => sessionId(new Body(json).whole('session'))

/** By which it is decided. */
interface State {
  readonly own: Own
  readonly view: View
  readonly moment: Moment
}

export class Account {
  readonly #shared: Shared
  readonly #decider: () => Decider
  readonly #moves = new Map<string, MoveWhy>()
  /** Of the move that is under way: made only if it is asked for, or the move is made. */
  #underWay: { readonly move: string; readonly why: () => MoveWhy } | null = null

  constructor(shared: Shared, decider: () => Decider) {
    this.#shared = shared
    this.#decider = decider
  }

  /** A move begins. `own` and `view`: by which it was decided. */
  begins(move: string, proposal: Proposal, own: Own, view: View): void {
    const { policy } = this.#shared.policy.settings
    const state = { own, view, moment: this.#moment() }
    const why = () => this.#whyOf(move, proposal, state, policy)
    this.#underWay = { move, why }
  }

  /** AC1. It was not denied. In a large group that is most of what a move takes to decide, and most are denied. */
  keep(): void {
    if (this.#underWay === null) return
    const { move, why } = this.#underWay
    this.#underWay = null
    this.#moves.set(move, why())
    for (const oldest of this.#moves.keys()) {
      if (this.#moves.size <= KEPT) break
      this.#moves.delete(oldest)
    }
  }

  /** null: it is not kept, or was decided elsewhere. */
  why(move: string): MoveWhy | null {
    if (this.#underWay?.move === move) return this.#underWay.why()
    return this.#moves.get(move) ?? null
  }

  #whyOf(move: string, proposal: Proposal, { own, view, moment }: State, policy: Policy): MoveWhy {
    const { session, to, gain, price, debt, urgent, verdict } = proposal
    const target = view.members.get(to)
    const { top: r, topThere } = verdict.effect
    const kind = urgent ? 'fast' : 'slow'
    const here = shareAt(session.load, own.member)
    const there = shareAt(session.load, to)
    return {
      move,
      session: String(session.id),
      at: this.#wall(moment.nowMs),
      from: seen(own, r, 0, policy),
      to: target === undefined ? null : seen(target, topThere, target.ageMs, policy),
      weight: {
        here: weightAt(session.load[kind], here, r),
        there: weightAt(session.load[kind], there, r),
      },
      share: { here, there },
      resource: resourceOf(r),
      ...{ urgent, gain, price, regret: debt, gap: verdict.gap, need: verdict.need },
      sentence: whyMoved(proposal, `session ${session.id}`, policy),
      options: this.#options(session.id, { own, view, moment }, policy),
    }
  }

  /** null: this member does not serve it, or has not measured it yet. */
  whyNot(id: SessionId): StayReason | null {
    const { policy, mode } = this.#shared.policy.settings
    const { own, view, moment } = this.#state(policy)
    const session = own.sessions.find((one) => one.id === id)
    if (session === undefined) return null
    const found = whyItStays(session, own, view, moment, policy)
    const { member } = this.#shared
    const names = { session: `session ${id}`, self: member.id, nowMs: moment.nowMs }
    const told = {
      session: String(id),
      member: member.id,
      options: this.#options(id, { own, view, moment }, policy),
    }
    if ('code' in found) {
      return {
        ...told,
        ...figuresOf(found),
        ...this.#until(found),
        sentence: whyNot(found, names, policy),
      }
    }
    const reason = reasonOf(found, this.#decider().heldBack() ?? 'MOVED')
    const sentence =
      reason.code === 'MOVED'
        ? whyMoved(found, names.session, policy)
        : whyNot(reason, names, { ...policy, mode })
    return { ...told, ...figuresOf(reason), ...this.#until(reason), sentence }
  }

  plan(): PlannedMove[] {
    const { policy } = this.#shared.policy.settings
    const { own, view, moment } = this.#state(policy)
    const { now, later } = foresee(own, view, moment, policy)
    const self = own.member
    const at = this.#wall(moment.nowMs)
    const due = now.map((proposal) => {
      const sentence = whyMoved(proposal, `session ${proposal.session.id}`, policy)
      const { session, ...figures } = figuresOf(reasonOf(proposal, 'MOVED'))
      return { ...figures, session, member: self, at, sentence }
    })
    const expected = later.map((reason) => {
      const names = { session: `session ${reason.session}`, self, nowMs: moment.nowMs }
      const sentence = whyNot(reason, names, policy)
      return { ...figuresOf(reason), member: self, at: this.#wall(reason.untilMs), sentence }
    })
    return [...due, ...expected]
  }

  #state(policy: Policy): State {
    const view = this.#shared.others.view()
    return { own: this.#decider().own(policy, view), view, moment: this.#moment() }
  }

  #options(id: SessionId, { own, view, moment }: State, policy: Policy): MoveOption[] {
    const session = own.sessions.find((one) => one.id === id)
    if (session === undefined) return []
    return optionsOf(session, own, view, moment, policy)
      .slice(0, OPTIONS_MAX)
      .map((option) => {
        const { to, code, gain } = option
        return { to, code, gain, sentence: whyNotThere(option, own.member, policy) }
      })
  }

  #until({ untilMs }: Reason): { until: string | null } {
    return { until: untilMs > 0 ? this.#wall(untilMs) : null }
  }

  #moment(): Moment {
    return { nowMs: this.#shared.member.ports.clock.nowMs(), seed: 0 }
  }

  #wall(atMs: number): string {
    return isoAt(this.#shared.member.ports.clock, atMs)
  }
}

function reasonOf(
  { session, to, gain, debt, price, verdict }: Proposal,
  code: Reason['code'],
): Reason {
  const { gap, need, resource } = verdict
  const figures = { gain, debt, price, owed: debt, gap, need, resource, untilMs: 0 }
  return { session: session.id, code, to, ...figures }
}

function figuresOf({ session, code, to, gain, debt, price, owed, gap, need, resource }: Reason) {
  const figures = { gain, regret: debt, price, owed, gap, need, resource }
  return { session: String(session), code, to, ...figures }
}

function seen(end: End, r: number, ageMs: number, policy: Policy): EndSeen {
  const capacity = end.capacity[r] ?? 1
  const of = (kind: AverageKind) =>
    effective(end.load[kind][r] ?? 0, end.load.variance[r] ?? 0, policy.burstMargin) / capacity
  return {
    member: end.member,
    reportAgeMs: ageMs,
    resource: resourceOf(r),
    capacity,
    ...{ slow: of('slow'), long: of('long'), fast: of('fast'), sigma: end.sigma[r] ?? 0 },
  }
}
