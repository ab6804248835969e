// The distribution of one member: the drivers, wired; its rounds; and what people are told about it. Decisions are pure
// (distribution/); here they meet the group.
import type { Balance, MemberLoad } from '../api/schema.ts'
import { isoAt } from '../base/clock.ts'
import type { MemberId, SessionId } from '../base/ids.ts'
import { seedOf } from '../base/prng.ts'
import type { SystemProbe } from '../base/system-probe.ts'
import { BadPaths } from '../distribution/bounds.ts'
import type { Code } from '../distribution/code.ts'
import { meanUtilisation } from '../distribution/decide.ts'
import { predictionOf } from '../distribution/explain.ts'
import { judge, resourceOf, utilisation, utilisationOf } from '../distribution/judge.ts'
import { Reservations } from '../distribution/reservations.ts'
import type { Trust } from '../distribution/trust.ts'
import type { End } from '../distribution/view.ts'
import { type Became, unpackEnd } from '../distribution/wire.ts'
import type { MovePrediction } from '../group/record.ts'
import { asTable, type Resource, type SessionLoad, shareAt } from '../load/load-table.ts'
import type { Report } from '../load/report.ts'
import type { Json } from '../peer/message.ts'
import type { LiveSession } from '../target/live-session.ts'
import { returnKey } from '../target/redirect-questions.ts'
import { Account } from './account.ts'
import { Arrivals } from './arrivals.ts'
import { Decider } from './decider.ts'
import { DRAIN_EVERY_MS, Drainer } from './drainer.ts'
import { HeardReports } from './heard.ts'
import type { MemberParts } from './member-parts.ts'
import { EVERY_MS, Monitor } from './monitor.ts'
import { type MovedAgo, OwnSessions } from './own-sessions.ts'
import { Placer } from './placer.ts'
import { type DistributionSettings, PolicyRecord } from './policy-record.ts'
import { Receiver } from './receiver.ts'
import { RECORD_SECONDS, Recorder } from './recorder.ts'
import { Repeated } from './repeated.ts'
import type { Shared } from './shared-parts.ts'

const DECISIONS_SHOWN = 50

export class Balancer {
  readonly policy: PolicyRecord
  readonly recorder: Recorder
  readonly account: Account
  readonly receiver: Receiver
  readonly placer: Placer
  readonly drainer: Drainer
  readonly #shared: Shared
  readonly #decider: Decider
  /** Of its name, whatever that is: members decide at other moments, and draw otherwise. */
  readonly #number: number
  readonly #rounds: Repeated
  readonly #records: Repeated
  readonly #drains: Repeated
  #round = 0

  constructor(member: MemberParts, probe: SystemProbe, initial: DistributionSettings) {
    const { clock } = member.ports
    this.#number = seedOf(member.id)
    this.recorder = new Recorder(member.id)
    this.policy = new PolicyRecord(member.ports, member.group, initial)
    const reservations = new Reservations()
    const badPaths = new BadPaths()
    const inForce = () => this.policy.settings.policy
    const others = new HeardReports(member, inForce, clock, 2 * EVERY_MS)
    const monitor = new Monitor(member, probe, reservations, others)
    const shared: Shared = {
      ...{ member, policy: this.policy, monitor, others, reservations, badPaths },
      sessions: new OwnSessions(member, monitor.estimate, badPaths),
      arrivals: new Arrivals(),
    }
    this.#shared = shared
    this.account = new Account(shared, () => this.#decider)
    const decider = new Decider(shared, this.account)
    this.#decider = decider
    this.receiver = new Receiver(shared, () => decider.isMoving)
    this.placer = new Placer(shared, () => this.#seed())
    this.drainer = new Drainer(shared, () => this.#seed())
    const failed = (error: unknown) => {
      throw error
    }
    const repetition = {
      clock,
      everyMs: () => inForce().intervalSeconds * 1_000,
      work: () => this.#tick(),
      failed,
    }
    this.#records = new Repeated({
      clock,
      everyMs: () => RECORD_SECONDS * 1_000,
      work: async () => this.#record(),
      failed,
    })
    this.#drains = new Repeated({
      clock,
      everyMs: () => DRAIN_EVERY_MS,
      work: () => this.drainer.round(),
      failed,
    })
    // Members decide one after the other, not all at once on the same reports.
    this.#rounds = new Repeated(repetition, repetition.everyMs() * (1 + this.#number / 2 ** 32))
  }

  stop(): void {
    this.#rounds.stop()
    this.#records.stop()
    this.#drains.stop()
    this.drainer.stop()
    this.#shared.monitor.stop()
  }

  async #tick(): Promise<void> {
    this.#round += 1
    this.receiver.newRound()
    this.#forget()
    await this.#decider.round(this.#seed())
  }

  /** What is kept for sessions that will not come, and of those that have no record any more. */
  #forget(): void {
    const { member, arrivals, sessions, badPaths } = this.#shared
    const nowMs = member.ports.clock.nowMs()
    arrivals.forget(nowMs, member.group.moves)
    sessions.forget()
    badPaths.forget(nowMs)
  }

  #record(): void {
    const { member, monitor } = this.#shared
    const { estimate } = monitor
    if (estimate.capacity.length === 0) return
    const sessions = [...member.target.registry.all()].flatMap(({ id }) => {
      const load = estimate.load(id)
      return load === null ? [] : [[id, load] as const]
    })
    this.recorder.note({ atMs: member.ports.clock.wallMs(), end: monitor.end(), sessions })
  }

  #seed(): number {
    return this.#number * 65_537 + this.#round
  }

  // What other members say and ask

  hear(report: Report): void {
    this.#shared.others.hear(report)
  }

  /** This member as it is now, with what it has promised. */
  end(): End {
    return this.#shared.monitor.end()
  }

  /** What has become of a session that was moved here. */
  became({ session, agoMs }: MovedAgo): Became {
    const { monitor, sessions, member } = this.#shared
    return sessions.became(session, monitor.end(), member.ports.clock.nowMs() - agoMs)
  }

  // For moves by hand

  /** Why an operator may not have it moved there; null: safety allows it, and no pin forbids it. */
  heldByHand(session: LiveSession, to: MemberId): Code | null {
    const { sessions, others } = this.#shared
    return sessions.heldByHand(session, to, others.view(), this.policy.settings.policy)
  }

  /** What goes with a session that is moved. */
  handOver(session: SessionId): Json {
    return this.#shared.sessions.handOver(session)
  }

  /**
   * What a move of a session of this member would bring, by the formula of the decisions; `there`: the destination's end as
   * it told it. null: too little is known of one of them yet.
   */
  foretell(id: SessionId, there: Json): MovePrediction | null {
    const { member, monitor, others, sessions } = this.#shared
    const { policy } = this.policy.settings
    const target = unpackEnd(there)
    const view = others.view()
    const { pauses } = this.#decider
    const how = { view, policy, debts: new Map(), caution: this.trust.caution, pauses }
    const session = sessions.view(id, how)
    if (session === null || 'refused' in target) return null
    const source = monitor.end()
    const mean = meanUtilisation(source, view, policy)
    const nowMs = member.ports.clock.nowMs()
    const circumstances = { mean, topmost: false, urgent: false, receiving: true, nowMs }
    const verdict = judge({ session, source, target, ...circumstances }, policy)
    return predictionOf({ verdict, gain: verdict.effect.gain, price: session.price })
  }

  /** It was moved away. */
  left(session: SessionId): void {
    this.#shared.sessions.left(session)
  }

  // For people

  /** How far predictions can be trusted. */
  get trust(): Trust {
    return this.#decider.trust
  }

  memberLoad(): MemberLoad | null {
    return this.#shared.monitor.memberLoad(this.policy.settings.policy.burstMargin)
  }

  /** Load over capacity of all that is its own. */
  loadRatios(): { resource: Resource; ratio: number }[] {
    const end = this.#shared.monitor.end()
    const margin = this.policy.settings.policy.burstMargin
    return end.capacity.map((_, r) => {
      return { resource: resourceOf(r), ratio: utilisationOf(end, r, margin) }
    })
  }

  /** Sessions that were granted to this member and have not arrived. */
  get awaited(): number {
    return this.#shared.arrivals.size
  }

  isHeard(member: MemberId): boolean {
    return this.#shared.others.isHeard(member)
  }

  heardMsAgo(member: MemberId): number | null {
    return this.#shared.others.msAgo(member)
  }

  get diskLatencyMs(): number | null {
    return this.#shared.monitor.diskLatencyMs
  }

  get mode(): Balance['mode'] {
    return this.policy.settings.mode
  }

  utilisationOf(id: MemberId): number | null {
    const { member, monitor, others } = this.#shared
    const margin = this.policy.settings.policy.burstMargin
    if (id === member.id) return utilisation(monitor.end(), margin)
    const end = others.viewOf(id)
    return end === null ? null : utilisation(end, margin)
  }

  session({ id, record }: LiveSession) {
    const { member, monitor, arrivals } = this.#shared
    const load = monitor.estimate.load(id)
    const last = this.#decider.log.last(id)
    return {
      load: load === null ? null : weightOf(load, member.id),
      placed: arrivals.wasPlaced(returnKey(record)),
      decided:
        last === null
          ? null
          : { at: this.#wall(last.atMs), code: last.code, sentence: last.sentence },
    }
  }

  describe(): Omit<Balance, 'members' | 'underWay'> {
    const { member } = this.#shared
    const { mode, placement, policy } = this.policy.settings
    const all = [...member.group.members.keys()].map((id) => this.utilisationOf(id))
    const known = all.filter((one) => one !== null)
    const mean = known.reduce((sum, one) => sum + one, 0) / Math.max(1, known.length)
    const { blackouts: _, mode: __, ...numbers } = policy
    return {
      mode,
      placement: placement ? 'on' : 'off',
      imbalance: known.length === all.length && mean > 0 ? Math.max(...known) / mean : null,
      decisions: this.#decider.log.records
        .slice(-DECISIONS_SHOWN)
        .reverse()
        .map(({ atMs, session, to, code, sentence }) => ({
          at: this.#wall(atMs),
          member: member.id,
          session: String(session),
          to,
          code,
          sentence,
        })),
      policy: numbers,
    }
  }

  #wall(atMs: number): string {
    return isoAt(this.#shared.member.ports.clock, atMs)
  }
}

function weightOf(load: SessionLoad, member: MemberId): number {
  return asTable(load, shareAt(load, member)).slow[0] ?? 0
}
