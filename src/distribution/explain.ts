// What people are told: why a session moved, and why another stays. A sentence names the two members, what staying costs
// and what the move costs, all in request-seconds: one request waiting for one second.
import { formatAmount, formatPercent } from '../base/figures.ts'
import type { MemberId, SessionId } from '../base/ids.ts'
import type { MovePrediction } from '../group/record.ts'
import { type Resource, shareAt } from '../load/load-table.ts'
import { CODES, type Code } from './code.ts'
import type { Proposal, Reason } from './decide.ts'
import type { Option } from './foresight.ts'
import type { Policy } from './policy.ts'
import type { Absence } from './view.ts'

export function predictionOf(
  proposal: Pick<Proposal, 'verdict' | 'gain' | 'price'>,
): MovePrediction {
  const { effect } = proposal.verdict
  const ends = (list: typeof effect.source, r: number) => {
    const { before, after } = list[r] ?? { before: 0, after: 0 }
    return { before, after }
  }
  return {
    gain: proposal.gain,
    price: proposal.price,
    from: ends(effect.source, effect.top),
    to: ends(effect.target, effect.topThere),
  }
}

/** Why this session, why there: the reason in a move's record. */
export function whyMoved(proposal: Proposal, name: string, policy: Policy): string {
  const { from, to } = predictionOf(proposal)
  const { source, debt, gain, price } = proposal
  const { top, topThere } = proposal.verdict.effect
  const of = (r: number) => (top === 0 ? '' : ` of its ${r === 0 ? 'CPU' : 'network'}`)
  const ends = `${source.member} ${formatPercent(from.before)} → ${formatPercent(from.after)}${of(top)}, ${proposal.to} ${formatPercent(to.before)} → ${formatPercent(to.after)}${of(topThere)}`
  const payback = gain > 0 ? price / gain : 0
  return (
    `${name} moves ${source.member} → ${proposal.to}: staying has cost ${formatAmount(debt)} request-seconds, ` +
    `a move costs ${formatAmount(price)} and saves ${formatAmount(gain)} each second, so it pays back in ${span(payback)}. ` +
    `Expected ${ends}. ${evidenceOf(proposal, policy)}.`
  )
}

/** What makes the difference between the two members more than noise: the condition of R1 that let the proposal pass. */
function evidenceOf({ source, session, to, urgent, verdict }: Proposal, policy: Policy): string {
  if (urgent) {
    const { before } = verdict.effect.source[verdict.effect.top] ?? { before: 0 }
    return before >= policy.urgentUtilisation
      ? `${verdict.resource === 'network' ? 'The network of ' : ''}${source.member} is saturated`
      : `The load of ${fullOf(source.member, verdict)} has just risen by far more than comes and goes`
  }
  const { gap, need } = verdict
  if (gap >= need)
    return `The difference of ${formatPercent(gap)}${inOf(verdict)} is more than comes and goes (${formatPercent(need)})`
  const [here, there] = [shareAt(session.load, source.member), shareAt(session.load, to)]
  if (there - here > policy.localityStep)
    return `${formatPercent(there)} of its load is for pages at ${to}, ${formatPercent(here)} for pages at ${source.member}`
  return `The difference of ${formatPercent(gap)}${inOf(verdict)} comes and goes, but the long-term averages show it too`
}

// CPU is what is meant where nothing is said.
type Of = { readonly resource: Resource }
const fullOf = (member: string, { resource }: Of) =>
  resource === 'network' ? `the network of ${member}` : member
const inOf = ({ resource }: Of) => (resource === 'network' ? ' in network' : '')

interface Names {
  readonly session: string
  readonly self: MemberId
  readonly nowMs: number
}

/** Why a session was not moved in the last round. */
export function whyNot(reason: Reason, names: Names, policy: Policy): string {
  const text = SENTENCES[reason.code]
  return `${names.session} stays at ${names.self}: ${text(reason, names, policy)}.`
}

/** What the destination answered: one of its codes, or a sentence where it was not asked or did not answer. */
export function whyDenied(
  answer: string,
  proposal: Proposal,
  self: MemberId,
  policy: Policy,
): string {
  const { session, to, gain, debt, price, verdict } = proposal
  const { gap, need, resource } = verdict
  const why = inWords(
    answer,
    { to, gain, debt, price, owed: price, gap, need, resource, untilMs: 0 },
    self,
    policy,
  )
  return `session ${session.id} stays at ${self}: ${to} denied it, for ${why}.`
}

/** Why a session is not moved that an operator wants moved: a code, or a sentence of the target's. */
export function whyNotByHand(
  answer: string,
  { self, to }: { readonly self: MemberId; readonly to: MemberId | null },
  policy: Policy,
): string {
  return inWords(answer, { ...NO_FIGURES, to }, self, policy)
}

/** What a destination would be to a session that this member serves: what it would bring, or why it is none. */
export function whyNotThere(option: Option, self: MemberId, policy: Policy): string {
  const { to, code, gain, gap, need, resource } = option
  if (code === null)
    return `it would save ${formatAmount(gain ?? 0)} request-seconds each second at ${to}`
  if (code in ABSENCES) return `${to} ${ABSENCES[code as Absence]}`
  return inWords(code, { ...NO_FIGURES, to, gain: gain ?? 0, gap, need, resource }, self, policy)
}

const NO_FIGURES = {
  ...{ gain: 0, debt: 0, price: 0, owed: 0, gap: 0, need: 0, untilMs: 0 },
  resource: 'cpu',
} as const

const ABSENCES: Readonly<Record<Absence, string>> = {
  silent: 'is silent',
  suspect: 'was silent, and its reports are not trusted yet',
  draining: 'is being emptied',
  unheard: 'has not reported yet',
}

function inWords(answer: string, figures: Figures, self: MemberId, policy: Policy): string {
  const code = CODES.find((one) => one === answer)
  return code === undefined ? answer : SENTENCES[code](figures, { self, nowMs: 0 }, policy)
}

/** What sentences say of a session. */
type Figures = Omit<Reason, 'session' | 'code'>
type Text = (reason: Figures, names: Omit<Names, 'session'>, policy: Policy) => string

const there = ({ to }: Figures) => to ?? 'another member'

const SENTENCES: Readonly<Record<Code, Text>> = {
  MOVED: (r) => `it is being moved to ${there(r)}`,
  NO_GAIN: (r) =>
    r.to === null
      ? 'no member has room below the mean'
      : `requests would not wait less if it were at ${r.to}`,
  NO_PAYBACK: (r, _, policy) =>
    `at ${there(r)} it would save ${formatAmount(r.gain)} request-seconds each second, too little to earn the price of ${formatAmount(r.price)} within ${span(policy.horizonSeconds)}`,
  DEBT_BUILDING: (r, { nowMs }) =>
    `staying has cost ${formatAmount(r.debt)} of the ${formatAmount(r.owed)} request-seconds that justify a move to ${there(r)}; expected in ${span((r.untilMs - nowMs) / 1000)}`,
  NOISE: (r) =>
    `the difference to ${there(r)} is ${formatPercent(r.gap)}${inOf(r)}, less than comes and goes (${formatPercent(r.need)})`,
  UNDERSHOOT: (r, { self }) =>
    `without it ${self} would fall below the mean, and the fuller of ${self} and ${there(r)} would not become clearly less full`,
  DEST_CAP: (r) => `${fullOf(there(r), r)} would become too full`,
  RETURN_BAN: (r, _, policy) =>
    `it left ${there(r)} less than ${span(policy.returnBanSeconds)} ago and does not return so soon`,
  COOLDOWN: (r, { nowMs }) =>
    `it was moved lately and rests for another ${span((r.untilMs - nowMs) / 1000)}`,
  TOO_YOUNG: (r, { nowMs }) =>
    `it is too new to be judged, for another ${span((r.untilMs - nowMs) / 1000)}`,
  PINNED: () => 'it is pinned by the operator',
  MULTIPATH: (r) => `${there(r)} already serves another path of the same initiator to this volume`,
  DENIED: (r) => `${there(r)} denied it`,
  BUSY: (r) => `${there(r)} was negotiating a move of its own; it is asked again`,
  RATE_LIMIT: () => 'enough sessions were moved for now',
  PAUSE_BUDGET: (_, __, policy) =>
    `moves have paused it for ${Math.round(policy.pauseMsPerHour)} ms within the hour, which is its limit`,
  HOLDS_STATE: () =>
    'its initiator has changed mode pages, or has not yet been told of a reset, and neither would go with it',
  LAST_MOVE_FAILED: () => 'its last move went badly, so it is left alone for an hour',
  SIBLING_SILENT: () =>
    'a member with another session of the same initiator is silent, and its login would have to wait for it',
  NOT_PARTITIONED: (r) => `the volume has no pages at ${there(r)}`,
  BAD_PATH: (r) => `its initiator did not reach ${there(r)} lately`,
  ALREADY_MOVING: () => 'it is being moved already',
  NO_DESTINATION: () => 'no other member is known to take sessions',
  SUSPECT_VIEW: () => 'reports of the other members were interrupted and are not trusted yet',
  PAUSED: (_, __, policy) =>
    policy.mode === 'on' ? 'moves are paused in this window of time' : `balance is ${policy.mode}`,
  DRAIN: (r) => `${there(r)} is being emptied`,
  BY_HAND: () => 'an operator moves it',
  FAILED: (r) => `its move to ${there(r)} failed`,
}

/** The last decision records of a member, newest last. */
export class DecisionLog {
  readonly #records: DecisionRecord[] = []
  readonly #last = new Map<SessionId, DecisionRecord>()
  readonly #limit: number

  constructor(limit = 500) {
    this.#limit = limit
  }

  add(record: DecisionRecord): void {
    this.#last.set(record.session, record)
    this.#records.push(record)
    if (this.#records.length > this.#limit) this.#records.shift()
  }

  /** What was last decided of a session: answers "why is it here?". */
  last(session: SessionId): DecisionRecord | null {
    return this.#last.get(session) ?? null
  }

  forget(session: SessionId): void {
    this.#last.delete(session)
  }

  get records(): readonly DecisionRecord[] {
    return this.#records
  }
}

export interface DecisionRecord {
  readonly atMs: number
  readonly session: SessionId
  readonly code: Code
  readonly to: MemberId | null
  readonly sentence: string
  readonly gain: number
  readonly debt: number
  readonly price: number
}

export function span(seconds: number): string {
  const s = Math.max(0, seconds)
  if (s < 90) return `${Math.round(s)} s`
  return s < 5400 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`
}
