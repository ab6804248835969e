// One decision round of one member: what staying has cost each of its sessions (regret), and which of them it proposes
// to move. Pure: the same own state, view, time and seed give the same debts, proposals and reasons. Ties go to the
// lower session id.
//
// D1. A session is proposed only if it may be moved, is rested and old enough, its gain pays its price within the
//     horizon, and its debt has reached what is owed.
// D2. Debt grows once a round, and not where a session is judged again after an answer.
// D3. Stale reports only decide whom to ask: what is proposed is judged anew by the receiver.
// D4. What has risen by far more than comes and goes is a rise, and is judged by what it has come to (the fast averages)
//     before it saturates anybody.
// D5. Regret is evidence: the clearer the gap on slow and long averages, the less of κ it must reach. The gain must pay all
//     of it.
import type { MemberId, SessionId } from '../base/ids.ts'
import { Prng } from '../base/prng.ts'
import { RESOURCES, type Resource } from '../load/load-table.ts'
import type { Code } from './code.ts'
import { judge, utilisation, utilisationOf, type Verdict } from './judge.ts'
import type { Policy } from './policy.ts'
import type { End, Own, SessionView, View } from './view.ts'

/** What the source tells the receiver. Everything the receiver needs and cannot know. */
export interface Proposal {
  readonly session: SessionView
  readonly source: End
  readonly to: MemberId
  readonly gain: number
  readonly debt: number
  readonly price: number
  readonly topmost: boolean
  readonly urgent: boolean
  readonly verdict: Verdict
  /** The other destinations that would have done, best first. */
  readonly alternatives: readonly { readonly to: MemberId; readonly gain: number }[]
}

/** Why one session was or was not proposed this round. */
export interface Reason {
  readonly session: SessionId
  readonly code: Code
  /** The best destination, or the one that the code speaks of; null if there was none. */
  readonly to: MemberId | null
  readonly gain: number
  readonly debt: number
  readonly price: number
  /** What debt must reach (D5). */
  readonly owed: number
  readonly gap: number
  readonly need: number
  /** Of which these are. */
  readonly resource: Resource
  /** Until when the session rests or grows up, by the deciding member's clock; 0: says nothing. */
  readonly untilMs: number
}

export interface Round {
  readonly debts: ReadonlyMap<SessionId, number>
  /** Best first. */
  readonly proposals: readonly Proposal[]
  readonly reasons: readonly Reason[]
  readonly candidates: readonly MemberId[]
}

export interface Moment {
  readonly nowMs: number
  readonly seed: number
}

export function decide(own: Own, view: View, moment: Moment, policy: Policy): Round {
  const fade = Math.exp(-policy.intervalSeconds / policy.horizonSeconds)
  const grown = (debt: number, gain: number) => debt * fade + policy.intervalSeconds * gain
  return judgeAll(situationOf(own, view, moment, policy, null), grown)
}

/** D2. What a round would find with debts as they are; `among`: candidates that are not to be drawn. */
export function asItStands(
  own: Own,
  view: View,
  moment: Moment,
  policy: Policy,
  among: readonly MemberId[] | null,
): Round {
  return judgeAll(situationOf(own, view, moment, policy, among), (debt) => debt)
}

function judgeAll(situation: Situation, debtOf: (debt: number, gain: number) => number): Round {
  const debts = new Map<SessionId, number>()
  const proposals: Proposal[] = []
  const reasons: Reason[] = []
  for (const session of situation.own.sessions) {
    const found = bestMove(session, situation)
    const debt = debtOf(session.debt, found.best?.gain ?? 0)
    debts.set(session.id, debt)
    const reason = reasonFor(session, found, debt, situation)
    if (reason.code === 'MOVED' && found.best !== null) {
      proposals.push(propose(session, found, debt, situation))
    } else reasons.push(reason)
  }
  proposals.sort((a, b) => before(a, b, situation.policy))
  return { debts, proposals, reasons, candidates: situation.candidates }
}

/** Who comes first: what is worth more. */
export function before(a: Proposal, b: Proposal, policy: Policy): number {
  const worth = (p: Proposal) => p.gain - p.price / policy.horizonSeconds
  return worth(b) - worth(a) || a.session.id - b.session.id
}

/** D2. One session later in the round, by what is known then; its debt is what the round has made of it. null: it stays. */
export function proposeAgain(session: SessionView, situation: Situation): Proposal | null {
  const found = bestMove(session, situation)
  const { code } = reasonFor(session, found, session.debt, situation)
  return code === 'MOVED' ? propose(session, found, session.debt, situation) : null
}

export function situationOf(
  own: Own,
  view: View,
  moment: Moment,
  policy: Policy,
  among: readonly MemberId[] | null,
): Situation {
  const mean = meanUtilisation(own, view, policy)
  return {
    own,
    view,
    policy,
    mean,
    candidates: among ?? draw(view, mean, moment.seed, policy),
    nowMs: moment.nowMs,
    topmost: isTopmost(own, view, policy),
  }
}

/** By which all sessions of a member are judged. */
export interface Situation {
  readonly own: Own
  readonly view: View
  readonly policy: Policy
  readonly mean: readonly number[]
  readonly candidates: readonly MemberId[]
  readonly nowMs: number
  readonly topmost: boolean
}

interface Found {
  readonly best: { readonly to: MemberId; readonly gain: number; readonly verdict: Verdict } | null
  /** What kept the destinations that broke a rule, the first of them. */
  readonly rule: {
    readonly code: Code
    readonly to: MemberId
    readonly verdict: Verdict | null
  } | null
  readonly others: readonly { readonly to: MemberId; readonly gain: number }[]
}

function bestMove(session: SessionView, situation: Situation): Found {
  let best: Found['best'] = null
  let rule: Found['rule'] = null
  const fit: { to: MemberId; gain: number }[] = []
  if (session.held !== null) return { best, rule, others: fit }
  for (const to of destinations(session, situation)) {
    const barred = session.barred.get(to)
    const verdict = barred === undefined ? verdictAt(session, to, situation) : null
    const code = barred ?? verdict?.rule ?? null
    if (code !== null || verdict === null) {
      if (code !== null) rule ??= { code, to, verdict }
      continue
    }
    fit.push({ to, gain: verdict.gain })
    if (best === null || verdict.gain > best.gain) best = { to, gain: verdict.gain, verdict }
  }
  const chosen = best?.to
  const others = fit
    .filter(({ to }) => to !== chosen)
    .sort((a, b) => b.gain - a.gain || (a.to < b.to ? -1 : 1))
    .slice(0, 3)
  return { best, rule, others }
}

function verdictAt(session: SessionView, to: MemberId, situation: Situation): Verdict | null {
  const target = situation.view.members.get(to)
  if (target === undefined) return null
  const { own, mean, topmost, nowMs, policy } = situation
  const candidate = {
    session,
    source: own,
    target,
    mean,
    topmost,
    urgent: own.urgent,
    receiving: false,
    nowMs,
  }
  return judge(candidate, policy)
}

/** The candidates of the round, and the primary of most of the session's pages. */
function destinations(session: SessionView, { own, view, candidates }: Situation): MemberId[] {
  const list = [...candidates]
  for (const [owner] of session.load.owners) {
    if (owner === own.member) break
    if (!view.members.has(owner)) continue
    if (!list.includes(owner)) list.push(owner)
    break
  }
  return list
}

function reasonFor(
  session: SessionView,
  { best, rule }: Found,
  debt: number,
  { policy, nowMs, view }: Situation,
): Reason {
  const { price } = session
  const gain = best?.gain ?? 0
  const verdict = best?.verdict ?? rule?.verdict ?? null
  const owed = owedFor(price, verdict, policy)
  const reason = (code: Code, untilMs = 0): Reason => ({
    session: session.id,
    code,
    to: best?.to ?? rule?.to ?? null,
    gain,
    debt,
    price,
    owed,
    gap: verdict?.gap ?? 0,
    need: verdict?.need ?? 0,
    resource: verdict?.resource ?? 'cpu',
    untilMs,
  })
  if (session.held !== null) return reason(session.held)
  if (best === null) {
    if (view.members.size === 0) {
      return reason(
        [...view.absent.values()].includes('suspect') ? 'SUSPECT_VIEW' : 'NO_DESTINATION',
      )
    }
    return reason(rule?.code ?? 'NO_GAIN')
  }
  const youngMs = (policy.minAgeSeconds - session.ageSeconds) * 1000
  if (youngMs > 0) return reason('TOO_YOUNG', nowMs + youngMs)
  if (nowMs < session.restUntilMs) return reason('COOLDOWN', session.restUntilMs)
  if (gain * policy.horizonSeconds < price) return reason('NO_PAYBACK')
  if (debt < owed) return reason('DEBT_BUILDING', nowMs + ((owed - debt) / gain) * 1000)
  return reason('MOVED')
}

/** D5. */
function owedFor(price: number, verdict: Verdict | null, policy: Policy): number {
  if (verdict === null || !(verdict.lasting > verdict.need)) return price
  const share = Math.max(policy.leastRegret, verdict.need / verdict.lasting)
  return price - Math.min(price, policy.kappa) * (1 - share)
}

function propose(
  session: SessionView,
  { best, others }: Found,
  debt: number,
  { own, topmost }: Situation,
): Proposal {
  if (best === null) throw new RangeError('a proposal needs a destination')
  const { member, capacity, load, sigma } = own
  return {
    session,
    source: { member, capacity, load, sigma },
    to: best.to,
    gain: best.gain,
    debt,
    price: session.price,
    topmost,
    urgent: own.urgent,
    verdict: best.verdict,
    alternatives: others,
  }
}

/** Mean utilisation by resource of those that have it, as the view shows them, with this member's own fresh load. */
export function meanUtilisation(own: End, view: View, policy: Policy): number[] {
  return RESOURCES.map((_, r) => {
    let load = 0
    let capacity = 0
    const add = (end: End) => {
      const its = end.capacity[r] ?? 0
      load += utilisationOf(end, r, policy.burstMargin) * its
      capacity += its
    }
    add(own)
    for (const member of view.members.values()) add(member)
    return capacity > 0 ? load / capacity : 0
  })
}

export function isTopmost(own: Own, view: View, policy: Policy): boolean {
  const mine = utilisation(own, policy.burstMargin)
  for (const member of view.members.values()) {
    if (utilisation(member, policy.burstMargin) > mine) return false
  }
  return true
}

/**
 * Destinations to consider, drawn without replacement in proportion to the room that they report below the mean of the resource
 * that is fullest: what is nearly idle everywhere is nobody's hindrance.
 */
function draw(view: View, mean: readonly number[], seed: number, policy: Policy): MemberId[] {
  const room: { member: MemberId; weight: number }[] = []
  let sum = 0
  const level = Math.max(...mean)
  for (const member of view.members.values()) {
    let weight = Number.POSITIVE_INFINITY
    for (let r = 0; r < member.capacity.length; r++) {
      const below = level - utilisationOf(member, r, policy.burstMargin)
      weight = Math.min(weight, below * (member.capacity[r] ?? 0))
    }
    if (!(weight > 0)) continue
    room.push({ member: member.member, weight })
    sum += weight
  }
  const random = new Prng(seed)
  const drawn: MemberId[] = []
  while (drawn.length < policy.candidates && room.length > 0 && sum > 1e-12) {
    let x = random.unit() * sum
    let index = room.findIndex(({ weight }) => {
      x -= weight
      return x <= 0
    })
    if (index < 0) index = room.length - 1
    const [taken] = room.splice(index, 1)
    if (taken === undefined) break
    drawn.push(taken.member)
    sum -= taken.weight
  }
  return drawn
}

/** Rounds in a row in which the fast averages were urgent (D4): input and output of one round. */
export function urgentRounds(before: number, own: End, policy: Policy): number {
  const { urgentUtilisation, riseUtilisation, riseSigmas, riseStep } = policy
  const hot = own.capacity.some((capacity, r) => {
    const fast = (own.load.fast[r] ?? 0) / capacity
    const rise = fast - (own.load.slow[r] ?? 0) / capacity
    const risen = rise > Math.max(riseSigmas * (own.sigma[r] ?? 0), riseStep)
    return fast >= urgentUtilisation || (risen && fast >= riseUtilisation)
  })
  return hot ? before + 1 : 0
}
