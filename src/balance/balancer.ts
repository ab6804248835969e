// The client distribution process of a member: on the monitor's estimates it decides which of its sessions to move,
// asks the destination, and has the target carry the move out; and it answers the same question of others. Decisions
// are pure (distribution/); here they meet the group. Level-triggered: every round reads the state as it is.
import type { Balance, MemberLoad } from '../api/schema.ts'
import { seedOf } from '../base/prng.ts'
import { BadPaths, barredFrom, barredMembers, heldBy } from '../distribution/bounds.ts'
import { type Begun, heldBack, withBegun } from '../distribution/budget.ts'
import type { Code } from '../distribution/code.ts'
import { type Proposal, urgentRounds } from '../distribution/decide.ts'
import { DecisionLog, predictionOf, whyDenied, whyMoved, whyNot } from '../distribution/explain.ts'
import { grant, grantForced, type Receiver } from '../distribution/grant.ts'
import {
  leftMembers,
  type MoveHistory,
  NO_HISTORY,
  rememberHistory,
  restUntilMs,
  wentBadly,
  withMove,
} from '../distribution/history.ts'
import { observedGain } from '../distribution/imbalance.ts'
import { utilisation } from '../distribution/judge.ts'
import { Negotiation } from '../distribution/negotiation.ts'
import { meanSession, membersToAsk, placeLogin } from '../distribution/place.ts'
import type { Policy } from '../distribution/policy.ts'
import { Reservations } from '../distribution/reservations.ts'
import type { End, Own, SessionView, View } from '../distribution/view.ts'
import { packAsk, unpackAsk, unpackEnd } from '../distribution/wire.ts'
import { isRandomKind } from '../group/login.ts'
import type { MemberId, SessionId } from '../group/record.ts'
import type { SystemProbe } from '../io/system-probe.ts'
import { asTable, type SessionLoad, shareAt } from '../load/load-table.ts'
import type { Report } from '../load/report.ts'
import type { Json } from '../peer/message.ts'
import type { GrantRequest, Grants } from '../target/grants.ts'
import type { LiveSession } from '../target/live-session.ts'
import type { LoginAttempt, Placement } from '../target/login.ts'
import { loginKey } from '../target/questions.ts'
import { Arrivals } from './arrivals.ts'
import type { MemberParts } from './member-parts.ts'
import { Monitor } from './monitor.ts'
import { type DistributionSettings, PolicyRecord } from './policy-record.ts'
import { Repeated } from './repeated.ts'
import { factsOf, factsOfNewcomer, factsOfRecord } from './session-facts.ts'

const ASK_MS = 500
/** When the averages have taken a move in, its observed gain is written down. */
const OBSERVE_MS = 30_000
const DECISIONS_SHOWN = 50
export class Balancer implements Grants, Placement {
  readonly #member: MemberParts
  /** Of its name, whatever that is: members decide at other moments, and draw otherwise. */
  readonly #number: number
  readonly #reservations = new Reservations()
  readonly #monitor: Monitor
  readonly #log = new DecisionLog()
  readonly #badPaths = new BadPaths()
  readonly #histories = new Map<SessionId, MoveHistory>()
  readonly #arrivals = new Arrivals()
  #debts: ReadonlyMap<SessionId, number> = new Map()
  #begun: Begun = { atMs: [], thisRound: 0 }
  #grantedThisRound = 0
  #urgent = 0
  #round = 0
  #busy = false
  readonly #rounds: Repeated
  readonly policy: PolicyRecord

  constructor(member: MemberParts, probe: SystemProbe, initial: DistributionSettings) {
    this.#member = member
    this.#number = seedOf(member.id)
    this.policy = new PolicyRecord(member.ports, member.group, initial)
    this.#monitor = new Monitor(
      member,
      probe,
      this.#reservations,
      () => this.policy.settings.policy,
    )
    const repetition = {
      clock: member.ports.clock,
      everyMs: () => this.policy.settings.policy.intervalSeconds * 1_000,
      work: () => this.#tick(),
      failed: (error: unknown) => {
        throw error
      },
    }
    // Members decide one after the other, not all at once on the same reports.
    this.#rounds = new Repeated(repetition, repetition.everyMs() * (1 + this.#number / 2 ** 32))
  }

  stop(): void {
    this.#rounds.stop()
    this.#monitor.stop()
  }

  // What other members say and ask

  hear(report: Report): void {
    this.#monitor.hear(report)
  }

  /** This member as it is now, with what it has promised. */
  end(): End {
    return this.#monitor.end()
  }

  // For people

  memberLoad(): MemberLoad | null {
    return this.#monitor.memberLoad(this.utilisationOf(this.#member.id) ?? 0)
  }

  loadRatios(): { resource: string; ratio: number }[] {
    const ratio = this.utilisationOf(this.#member.id)
    return ratio === null ? [] : [{ resource: 'cpu', ratio }]
  }

  /** Sessions that were granted to this member and have not arrived. */
  get awaited(): number {
    return this.#arrivals.size
  }

  isHeard(member: MemberId): boolean {
    return this.#monitor.isHeard(member)
  }

  heardMsAgo(member: MemberId): number | null {
    return this.#monitor.heardMsAgo(member)
  }

  get diskLatencyMs(): number | null {
    return this.#monitor.diskLatencyMs
  }

  get mode(): Balance['mode'] {
    return this.policy.settings.mode
  }

  utilisationOf(member: MemberId): number | null {
    const margin = this.policy.settings.policy.burstMargin
    if (member === this.#member.id) return utilisation(this.#monitor.end(), margin)
    const end = this.#monitor.view().members.get(member)
    return end === undefined ? null : utilisation(end, margin)
  }

  session({ id, record }: LiveSession) {
    const { volume, initiator, isid, source } = record
    const key = loginKey({ volume, initiator, isid, source, randomKind: isRandomKind(isid) })
    const load = this.#monitor.estimate.load(id)
    const last = this.#log.last(id)
    return {
      load: load === null ? null : weightOf(load, this.#member.id),
      placed: this.#arrivals.wasPlaced(key),
      decided:
        last === null
          ? null
          : { at: this.#wall(last.atMs), code: last.code, sentence: last.sentence },
    }
  }

  describe(): Omit<Balance, 'members' | 'underWay'> {
    const { mode, placement, policy } = this.policy.settings
    const all = [...this.#member.group.members.keys()].map((id) => this.utilisationOf(id))
    const known = all.filter((one) => one !== null)
    const mean = known.reduce((sum, one) => sum + one, 0) / Math.max(1, known.length)
    const { blackouts: _, mode: __, ...numbers } = policy
    return {
      mode,
      placement: placement ? 'on' : 'off',
      imbalance: known.length === all.length && mean > 0 ? Math.max(...known) / mean : null,
      decisions: this.#log.records
        .slice(-DECISIONS_SHOWN)
        .reverse()
        .map(({ atMs, session, to, code, sentence }) => ({
          at: this.#wall(atMs),
          member: this.#member.id,
          session: String(session),
          to,
          code,
          sentence,
        })),
      policy: numbers,
    }
  }

  // Deciding

  async #tick(): Promise<void> {
    const { policy, mode } = this.policy.settings
    this.#round += 1
    this.#grantedThisRound = 0
    this.#begun = { ...this.#begun, thisRound: 0 }
    this.#forget()
    if (mode !== 'off') await this.#decideRound(policy)
  }

  async #decideRound(policy: Policy): Promise<void> {
    const { clock } = this.#member.ports
    const nowMs = clock.nowMs()
    const view = this.#monitor.view()
    this.#urgent = urgentRounds(this.#urgent, this.#monitor.end(), policy)
    const own = this.#own(view, nowMs, policy)
    const negotiation = new Negotiation(own, view, { nowMs, seed: this.#seed() }, policy)
    const { debts, reasons } = negotiation.round
    this.#debts = debts
    const names = { self: this.#member.id, nowMs }
    for (const reason of reasons) {
      const sentence = whyNot(reason, { ...names, session: `session ${reason.session}` }, policy)
      const { session, code, to, gain, debt, price } = reason
      this.#log.add({ atMs: nowMs, session, code, to, sentence, gain, debt, price })
    }
    await this.#negotiate(negotiation, policy)
  }

  /** One proposal at a time: each answer changes the loads by which the next is judged. */
  async #negotiate(negotiation: Negotiation, policy: Policy): Promise<void> {
    const { clock } = this.#member.ports
    for (;;) {
      const proposal = negotiation.next()
      if (proposal === null) return
      const nowMs = clock.nowMs()
      const now = { ...policy, mode: this.policy.settings.mode }
      const back = heldBack(now, this.#begun, nowMs, clock.wallMs())
      this.#noteProposal(proposal, back, nowMs)
      if (back !== null) continue
      this.#busy = true
      const granted = await this.#move(proposal, nowMs)
      this.#busy = false
      const fresh = unpackEnd(await this.#member.peers.ask(proposal.to, 'end', null, ASK_MS))
      const own = this.#own(this.#monitor.view(), clock.nowMs(), policy)
      negotiation.answered(proposal, granted, own, 'refused' in fresh ? null : fresh)
    }
  }

  async #move(proposal: Proposal, nowMs: number): Promise<boolean> {
    const { target, ports } = this.#member
    const { id } = proposal.session
    const { policy } = this.policy.settings
    const move = ports.newId()
    const end = await target.move(id, {
      id: move,
      to: proposal.to,
      by: 'balance',
      code: 'MOVED',
      reason: whyMoved(proposal, `session ${id}`, policy),
      predicted: predictionOf(proposal),
      proposal: packAsk(proposal, nowMs),
      estimate: this.handOver(id),
    })
    if (end.kind === 'denied') {
      const why = whyDenied(end.reason, proposal, this.#member.id, policy)
      this.#note(proposal, 'DENIED', ports.clock.nowMs(), why)
      return false
    }
    this.#begun = withBegun(this.#begun, ports.clock.nowMs())
    if (end.kind !== 'committed') {
      const history = this.#histories.get(id) ?? NO_HISTORY
      this.#histories.set(id, wentBadly(history, ports.clock.nowMs()))
      return true
    }
    this.#monitor.estimate.leave(id)
    this.#histories.delete(id)
    this.#log.forget(id)
    this.#observeLater(move, proposal)
    return true
  }

  /** The gain of a move by the formula by which it was predicted, on what both ends have come to. */
  #observeLater(move: string, proposal: Proposal): void {
    this.#member.ports.clock.after(OBSERVE_MS, () => {
      const from = this.utilisationOf(this.#member.id)
      const to = this.utilisationOf(proposal.to)
      if (from === null || to === null) return
      const before = predictionOf(proposal)
      const capacity = proposal.source.capacity[0] ?? 1
      const gain = observedGain(
        { capacity, before: before.from.before, after: from },
        { capacity, before: before.to.before, after: to },
      )
      this.#member.target.log.observed(move, gain)
    })
  }

  /** `back`: why it may not be made now; null: it is tried. */
  #noteProposal(proposal: Proposal, back: Code | null, atMs: number): void {
    const { policy, mode } = this.policy.settings
    const told = whyMoved(proposal, `session ${proposal.session.id}`, policy)
    if (back === null) this.#note(proposal, 'MOVED', atMs, told)
    else {
      const isAdvice = mode === 'advise'
      const how = isAdvice ? 'Advised, not done' : 'Put off, as moves are limited now'
      this.#note(proposal, back, atMs, `${how}: ${told}`)
    }
  }

  #note(proposal: Proposal, code: Code, atMs: number, sentence: string): void {
    const { session, to, gain, debt, price } = proposal
    this.#log.add({ atMs, session: session.id, code, to, sentence, gain, debt, price })
  }

  /** This member as it is now. */
  #own(view: View, nowMs: number, policy: Policy): Own {
    const urgent = this.#urgent >= policy.urgentRounds
    const sessions = this.#sessionViews(view, nowMs, policy)
    return { ...this.#monitor.end(), urgent, sessions }
  }

  #sessionViews(view: View, nowMs: number, policy: Policy): SessionView[] {
    const views: SessionView[] = []
    for (const session of this.#member.target.registry.all()) {
      const load = this.#monitor.estimate.load(session.id)
      const estimate = this.#monitor.estimate.session(session.id)
      if (load === null || estimate === null || session.phase !== 'live') continue
      const history = this.#histories.get(session.id) ?? NO_HISTORY
      const facts = factsOf(this.#member, session, history, nowMs, policy)
      const pause = pauseSeconds(policy, facts.stableIsid)
      views.push({
        id: session.id,
        load,
        ageSeconds: estimate.ageSeconds,
        price: policy.kappa + estimate.depth * pause,
        debt: this.#debts.get(session.id) ?? 0,
        restUntilMs: restUntilMs(history, policy),
        left: leftMembers(history),
        held: heldBy(facts, view, nowMs, null),
        barred: barredMembers(facts, this.#member.group.members.keys(), this.#badPaths, nowMs),
      })
    }
    return views
  }

  /** Why an operator may not have it moved; null: safety allows it. Rates and rests do not count. */
  heldByHand(session: LiveSession): Code | null {
    const { policy } = this.policy.settings
    const nowMs = this.#member.ports.clock.nowMs()
    const history = this.#histories.get(session.id) ?? NO_HISTORY
    const facts = factsOf(this.#member, session, history, nowMs, policy)
    return heldBy(facts, this.#monitor.view(), nowMs, 'operator')
  }

  // Grants: the other end of a move

  grant(from: MemberId, { move, session, proposal, estimate }: GrantRequest): string | null {
    const { clock } = this.#member.ports
    const { policy } = this.policy.settings
    const nowMs = clock.nowMs()
    const receiver: Receiver = {
      end: this.#monitor.end(),
      view: this.#monitor.view(),
      busy: this.#busy,
      draining: !this.#member.target.takesSessions,
      grantedThisRound: this.#grantedThisRound,
      barred: this.#barredHere(session, nowMs),
    }
    const asked = proposal === null ? null : unpackAsk(proposal, nowMs)
    if (asked !== null && 'refused' in asked) return `a malformed proposal: ${asked.refused}`
    const load = asked?.session.load ?? this.#meanLoad()
    const answer =
      asked === null
        ? grantForced(receiver, { load }, policy)
        : grant(receiver, asked, nowMs, policy)
    if (answer.kind === 'denied') return answer.reason
    this.#grantedThisRound += 1
    const room = asTable(load, shareAt(load, this.#member.id), 1).slow
    this.#reservations.promise(move, room, nowMs, policy)
    this.#arrivals.expect(move, from, estimate, nowMs)
    return null
  }

  /** Why this member must not serve the session, by what it knows itself. */
  #barredHere(session: SessionId, nowMs: number): Code | null {
    const stored = this.#member.group.sessions.get(session)
    if (stored === undefined) return null
    const facts = factsOfRecord(this.#member, stored)
    return barredFrom(facts, this.#member.id, this.#badPaths, nowMs)
  }

  renew(move: string): void {
    const nowMs = this.#member.ports.clock.nowMs()
    this.#reservations.renew(move, nowMs, this.policy.settings.policy)
    this.#arrivals.renew(move, nowMs)
  }

  release(move: string): void {
    this.#reservations.release(move)
    this.#arrivals.take(move)
  }

  arrived(move: string, session: LiveSession): void {
    const coming = this.#arrivals.take(move)
    const nowMs = this.#member.ports.clock.nowMs()
    this.#reservations.arrived(move, coming?.memory != null, nowMs)
    if (coming === null) return
    this.#monitor.estimate.admit(session.id, coming.memory)
    const stable = !isRandomKind(session.record.isid)
    const pauseMs = 1_000 * pauseSeconds(this.policy.settings.policy, stable)
    this.#histories.set(
      session.id,
      withMove(coming.history, { left: coming.from, atMs: nowMs, pauseMs }),
    )
  }

  /** What is kept for sessions that will not come, and of those that have no record any more. */
  #forget(): void {
    const { group, ports, target } = this.#member
    const nowMs = ports.clock.nowMs()
    this.#arrivals.forget(nowMs)
    for (const id of this.#histories.keys()) {
      if (!group.sessions.has(id) && !target.registry.get(id)) this.#histories.delete(id)
    }
    this.#badPaths.forget(nowMs)
  }

  // Placement

  async choose(attempt: LoginAttempt): Promise<MemberId | null> {
    const { placement, policy } = this.policy.settings
    const here = this.#monitor.end()
    const draining = !this.#member.target.takesSessions
    if (!placement && !draining) return null
    const view = this.#monitor.view()
    const facts = factsOfNewcomer(this.#member, attempt)
    const nowMs = this.#member.ports.clock.nowMs()
    const barred = barredMembers(facts, this.#member.group.members.keys(), this.#badPaths, nowMs)
    const asked = membersToAsk(view, barred, this.#seed(), policy)
    const fresh = await Promise.all(
      asked.map((id) => this.#member.peers.ask(id, 'end', null, ASK_MS)),
    )
    const ends = fresh
      .map(unpackEnd)
      .filter((end, at): end is End => !('refused' in end) && end.member === asked[at])
    const load = this.#meanLoad()
    const placed = placeLogin({ load, barred }, { ...here, draining, stays: false }, ends, {
      ...policy,
      mode: 'on',
    })
    return placed?.to ?? null
  }

  /** A new session is expected here: its room is promised until it has been measured. */
  expect(key: string): void {
    this.#arrivals.place(key)
    const load = this.#meanLoad()
    const room = asTable(load, shareAt(load, this.#member.id), 1).slow
    this.#reservations.promise(
      key,
      room,
      this.#member.ports.clock.nowMs(),
      this.policy.settings.policy,
    )
  }

  unexpect(key: string): void {
    this.#arrivals.unplace(key)
    this.#reservations.release(key)
  }

  markBadPath(initiator: string, member: MemberId): void {
    const { clock } = this.#member.ports
    const untilMs = clock.nowMs() + this.policy.settings.policy.badPathSeconds * 1_000
    this.#badPaths.mark(initiator, member, untilMs)
  }

  #meanLoad(): SessionLoad {
    const loads = [...this.#member.target.registry.all()]
      .map(({ id }) => this.#monitor.estimate.load(id))
      .filter((load) => load !== null)
    return meanSession(loads, this.#member.group.members.size)
  }

  /** What goes with a session that is moved: its estimator and its history. */
  handOver(session: SessionId): Json {
    const memory = this.#monitor.estimate.session(session)?.handOver() ?? null
    const history = this.#histories.get(session) ?? NO_HISTORY
    const now = this.#member.ports.clock.nowMs()
    return { memory, history: rememberHistory(history, now) }
  }

  #seed(): number {
    return this.#number * 65_537 + this.#round
  }

  /** ISO time of a moment on this member's clock. */
  #wall(atMs: number): string {
    const { clock } = this.#member.ports
    return new Date(clock.wallMs() - (clock.nowMs() - atMs)).toISOString()
  }
}

function weightOf(load: SessionLoad, member: MemberId): number {
  return asTable(load, shareAt(load, member), 1).slow[0] ?? 0
}

function pauseSeconds(policy: Policy, stableIsid: boolean): number {
  return stableIsid ? policy.pauseStableSeconds : policy.pauseRandomSeconds
}
