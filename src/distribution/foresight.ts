// What a member would decide now, asked by people and done by nobody: which of its sessions it would move next, why one stays, and
// what every other member would be to it. By the same arithmetic as a round (decide.ts), on the same state; nothing is
// remembered of it.
//
// FO1. What is foretold as due now is what a round would propose that asked all members, one after the other, each with the
//      earlier ones done.
import type { MemberId } from '../base/ids.ts'
import { addTables, asTable, type Resource, shareAt } from '../load/load-table.ts'
import type { Code } from './code.ts'
import {
  asItStands,
  isTopmost,
  type Moment,
  meanUtilisation,
  type Proposal,
  type Reason,
} from './decide.ts'
import { judge } from './judge.ts'
import type { Policy } from './policy.ts'
import type { Absence, Own, SessionView, View } from './view.ts'

/** Beyond that the members to ask are drawn, as in a round. */
const ASKED_MAX = 64
const LATER_MAX = 20

/** What a destination would be to one session. */
export interface Option {
  readonly to: MemberId
  /** The rule that it breaks, or why it is no destination; null: it would do. */
  readonly code: Code | Absence | null
  /** null: it is no destination. */
  readonly gain: number | null
  readonly gap: number
  readonly need: number
  readonly resource: Resource
}

/** Of every member that is known, those that would do first, by what they would bring. */
export function optionsOf(
  session: SessionView,
  own: Own,
  view: View,
  moment: Moment,
  policy: Policy,
): Option[] {
  const circumstances = {
    mean: meanUtilisation(own, view, policy),
    topmost: isTopmost(own, view, policy),
    urgent: own.urgent,
    receiving: false,
    nowMs: moment.nowMs,
  }
  const options: Option[] = []
  for (const [to, target] of view.members) {
    const { rule, gain, gap, need, resource } = judge(
      { session, source: own, target, ...circumstances },
      policy,
    )
    options.push({ to, code: session.barred.get(to) ?? rule, gain, gap, need, resource })
  }
  for (const [to, code] of view.absent) {
    options.push({ to, code, gain: null, gap: 0, need: 0, resource: 'cpu' })
  }
  const rank = ({ code, gain }: Option) =>
    code === null ? Number.MAX_VALUE : (gain ?? -Number.MAX_VALUE)
  return options.sort((a, b) => rank(b) - rank(a) || (b.gain ?? 0) - (a.gain ?? 0))
}

/** Why one session stays; a proposal: it would be moved now. */
export function whyItStays(
  session: SessionView,
  own: Own,
  view: View,
  moment: Moment,
  policy: Policy,
): Reason | Proposal {
  const alone = { ...own, sessions: [session] }
  const { proposals, reasons } = asItStands(alone, view, moment, policy, asked(view))
  const found = proposals[0] ?? reasons[0]
  if (found === undefined) throw new RangeError('a round judges each of its sessions')
  return found
}

export interface Foreseen {
  readonly now: readonly Proposal[]
  /** Those that only time holds back, and that then pay, the soonest first. */
  readonly later: readonly Reason[]
}

export function foresee(own: Own, view: View, moment: Moment, policy: Policy): Foreseen {
  const now: Proposal[] = []
  let state = { own, view }
  for (;;) {
    const round = asItStands(state.own, state.view, moment, policy, asked(view))
    const [best] = round.proposals
    if (best === undefined || now.length >= policy.movesPerRound) {
      const later = round.reasons
        .filter(({ untilMs }) => untilMs > moment.nowMs)
        .filter(({ gain, price }) => gain * policy.horizonSeconds >= price)
        .sort((a, b) => a.untilMs - b.untilMs)
      return { now, later: later.slice(0, LATER_MAX) }
    }
    now.push(best)
    state = done(best, state)
  }
}

function asked(view: View): readonly MemberId[] | null {
  return view.members.size > ASKED_MAX ? null : [...view.members.keys()]
}

/** Both ends with the session where it would be. */
function done(
  { session, to }: Proposal,
  { own, view }: { readonly own: Own; readonly view: View },
): { own: Own; view: View } {
  const weightAt = (member: MemberId) => asTable(session.load, shareAt(session.load, member))
  const members = new Map(view.members)
  const target = members.get(to)
  if (target !== undefined) {
    members.set(to, { ...target, load: addTables(target.load, weightAt(to), 1) })
  }
  const sessions = own.sessions.filter(({ id }) => id !== session.id)
  const load = addTables(own.load, weightAt(own.member), -1)
  return { own: { ...own, load, sessions }, view: { ...view, members } }
}
