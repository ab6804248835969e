// The operator's commands at one member, for the whole group: what is common is read from the group record, what others
// know is asked from them when it is needed.

import { refusal } from '../api/errors.ts'
import { type Answered, answered, type Operator } from '../api/operator.ts'
import type { Readings } from '../api/readings.ts'
import type {
  Balance,
  BalanceRequest,
  Health,
  HealthProblem,
  Member as MemberView,
  Move,
  MoveRequest,
  Session,
  SessionDetail,
  Status,
  Top,
  Volume,
  VolumeChange,
  VolumeDetail,
  VolumeRequest,
} from '../api/schema.ts'
import type { Balancer } from '../balance/balancer.ts'
import { within } from '../base/clock.ts'
import { parsePolicy } from '../distribution/policy.ts'
import type { MemberId } from '../group/record.ts'
import type { Traffic } from '../io/net.ts'
import type { Json } from '../peer/message.ts'
import type { Condition } from './condition.ts'
import { healthOf } from './health.ts'
import type { HealthWatch } from './health-watch.ts'
import { Rates } from './rates.ts'
import { type Order, SessionDesk } from './session-desk.ts'
import type { ShownMember } from './shown-member.ts'
import { askAll, type SessionSummary, SUMMARY_FORMAT, type Summary } from './summary.ts'
import type { Tally } from './tally.ts'
import { VolumeDesk } from './volume-desk.ts'

/** Of `status`, for the coordinator. */
const REFRESH_MS = 500

export interface OperatorDeps {
  readonly member: ShownMember
  readonly balancer: Balancer
  readonly health: HealthWatch
  readonly tally: Tally
  readonly traffic: Readonly<Traffic>
  readonly version: string
  readonly pid: number
}

export class MemberOperator implements Operator {
  readonly #deps: OperatorDeps
  readonly #rates: Rates
  readonly #volumes: VolumeDesk
  readonly #sessions: SessionDesk
  readonly #startedMs: number

  constructor(deps: OperatorDeps) {
    const { member } = deps
    this.#deps = deps
    this.#startedMs = member.ports.clock.nowMs()
    const own = member.gateway.primaryIndex(member.id)
    this.#rates = new Rates(member.ports.clock, () => member.target.registry.all(), own)
    const summaries = () => this.#summaries()
    this.#volumes = new VolumeDesk(member, summaries)
    this.#sessions = new SessionDesk(member, deps.balancer, summaries)
  }

  async volumes(): Promise<readonly Volume[]> {
    return this.#volumes.list()
  }

  createVolume(request: VolumeRequest): Promise<Answered<VolumeDetail>> {
    return this.#volumes.create(request)
  }

  volume(name: string): Promise<Answered<VolumeDetail>> {
    return this.#volumes.show(name)
  }

  changeVolume(name: string, change: VolumeChange): Promise<Answered<VolumeDetail>> {
    return this.#volumes.change(name, change)
  }

  deleteVolume(name: string): Promise<Answered<Volume>> {
    return this.#volumes.delete(name)
  }

  sessions(): Promise<readonly Session[]> {
    return this.#sessions.list()
  }

  session(id: string): Promise<Answered<SessionDetail>> {
    return this.#sessions.show(id)
  }

  moveSession(id: string, request: MoveRequest): Promise<Answered<Move>> {
    return this.#sessions.move(id, request)
  }

  async moves(limit: number): Promise<readonly Move[]> {
    return this.#sessions.moves(limit)
  }

  async balance(): Promise<Balance> {
    const { balancer, member } = this.#deps
    const underWay = this.#sessions.moves(50).filter(({ outcome }) => outcome === null)
    return {
      ...balancer.describe(),
      members: [...member.group.members.keys()].sort().map((id) => ({
        member: id,
        utilisation: balancer.utilisationOf(id),
        sessions: this.#sessionsOf(id),
      })),
      underWay,
    }
  }

  async setBalance({ mode, policy }: BalanceRequest): Promise<Answered<Balance>> {
    const { balancer } = this.#deps
    const parsed = parsePolicy(policy, balancer.policy.settings.policy)
    if (parsed.kind === 'wrong') return refusal('badRequest', parsed.reasons.join(' '))
    const set = await balancer.policy.write({ mode, policy })
    if (!set) return refusal('coordinatorDown', 'the policy cannot be written now')
    return answered(await this.balance())
  }

  async members(): Promise<readonly MemberView[]> {
    return this.#members(await this.#summaries())
  }

  async top(): Promise<Top> {
    const { member } = this.#deps
    const summaries = await this.#summaries()
    return {
      at: this.#now(),
      members: [...member.group.members.keys()].sort().map((id) => ({
        id,
        state: summaries.has(id) ? 'up' : 'silent',
        sessions: this.#sessionsOf(id),
        load: summaries.get(id)?.load ?? null,
      })),
      sessions: await this.#sessions.loads(summaries),
    }
  }

  async status(): Promise<Status> {
    const { member, balancer, health, version } = this.#deps
    const { group } = member
    // What has just been changed is in it, if the coordinator answers soon; else it is as it was.
    const refreshed = within(member.ports.clock, REFRESH_MS, group.refresh(), false)
    const [summaries] = await Promise.all([this.#summaries(), refreshed])
    const members = this.#members(summaries)
    const coordination = isUp(health.condition()) ? 'up' : 'down'
    const problems = await health.look(conditionsIn(summaries))
    const { mode, placement } = balancer.describe()
    let bytes = 0
    for (const volume of group.volumes.values()) bytes += volume.bytes
    let allocatedBytes = 0
    for (const { usedBytes } of summaries.values()) allocatedBytes += usedBytes
    const moves = [...group.moves.values()]
    return {
      group: group.group.name,
      member: member.id,
      version,
      health: healthOf(problems),
      problems: [...problems],
      coordination,
      balance: mode,
      placement,
      members: [...members],
      volumes: { count: group.volumes.size, bytes, allocatedBytes },
      sessions: [...group.sessions.values()].filter(({ record }) => record.state === 'live').length,
      moves: {
        underWay: moves.filter(({ outcome }) => outcome === undefined).length,
        done: moves.filter(({ outcome }) => outcome !== undefined).length,
      },
    }
  }

  problems(): readonly HealthProblem[] {
    return this.#deps.health.problems
  }

  apis() {
    const { group } = this.#deps.member
    const members = [...group.members.values()].map(({ id, api }) => ({ id, api }))
    return { group: group.group.groupId, members }
  }

  health(): Health {
    const { member, balancer, health, version } = this.#deps
    const problems = health.own()
    return {
      ok: member.store.failure() === null,
      health: healthOf(problems),
      member: member.id,
      version,
      uptimeSeconds: (member.ports.clock.nowMs() - this.#startedMs) / 1_000,
      problems: [...problems],
      sessions: member.target.registry.size,
      load: balancer.memberLoad(),
    }
  }

  readings(): Readings {
    const { member, tally, traffic, version, balancer, health } = this.#deps
    const { commitWork } = member.store
    const usage = member.store.usage()
    const load = balancer.memberLoad()
    return {
      member: member.id,
      version,
      coordinationUp: isUp(health.condition()),
      problems: health.problems,
      members: [...member.group.members.keys()].map((id) => ({
        id,
        up: id === member.id || balancer.isHeard(id),
      })),
      loadRatio: balancer.loadRatios(),
      sessions: member.target.registry.size,
      ...tally.readings(member),
      pages: usage.pages,
      usedBytes: usage.takenBytes,
      freeBytes: member.freeBytes,
      damagedPages: member.store.damagedPages().length,
      commits: commitWork.commits,
      commitSeconds: commitWork.commitMs / 1_000,
      diskQueue: load?.diskQueue ?? 0,
      networkBytes: { received: traffic.receivedBytes, sent: traffic.sentBytes },
      hostCpu: load?.hostCpu ?? 0,
      eventLoopDelaySeconds: (load?.eventLoopDelayMs ?? 0) / 1_000,
      eventLoopUtilisation: load?.eventLoop ?? 0,
    }
  }

  condition(): Condition {
    return this.#deps.health.condition()
  }

  /** A move that another member was asked for by a person: this one serves the session. */
  moveHere(order: Order): Promise<Json> {
    return this.#sessions.moveHere(order)
  }

  stop(): void {
    this.#rates.stop()
  }

  #summaries(): Promise<Map<MemberId, Summary>> {
    const { member, balancer } = this.#deps
    return askAll(
      member,
      () => this.summary(),
      (id) => balancer.isHeard(id),
    )
  }

  /** What other members are told of this one when they are asked by a person. */
  summary(): Summary {
    const { member, balancer, health, version, pid } = this.#deps
    const usage = member.store.usage()
    return {
      format: SUMMARY_FORMAT,
      member: member.id,
      pid,
      version,
      usedBytes: usage.takenBytes,
      freeBytes: member.freeBytes,
      volumes: [...member.group.volumes.keys()].map((id) => ({
        id,
        ...member.store.volumeUsage(id),
      })),
      sessions: [...member.target.registry.all()].flatMap((session): SessionSummary[] => {
        const { id, phase } = session
        if (phase.kind === 'ended') return []
        const { load, placed, decided } = balancer.session(session)
        return [{ id, state: phase.kind, load, placed, decided, ...this.#rates.of(session) }]
      }),
      load: balancer.memberLoad(),
      condition: health.condition(),
    }
  }

  #members(summaries: ReadonlyMap<MemberId, Summary>): readonly MemberView[] {
    const { group } = this.#deps.member
    return [...group.members.values()]
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map(({ id, portal, api, draining }) => {
        const summary = summaries.get(id)
        return {
          id,
          state: summary === undefined ? 'silent' : 'up',
          portal,
          api,
          draining,
          sessions: this.#sessionsOf(id),
          slices: group.slices.filter(({ primary }) => primary === id).length,
          pid: summary?.pid ?? null,
          version: summary?.version ?? null,
          usedBytes: summary?.usedBytes ?? null,
          freeBytes: summary?.freeBytes ?? null,
        }
      })
  }

  #sessionsOf(id: MemberId): number {
    let count = 0
    for (const { record } of this.#deps.member.group.sessions.values()) {
      if (record.owner === id && record.state === 'live') count += 1
    }
    return count
  }

  #now(): string {
    return new Date(this.#deps.member.ports.clock.wallMs()).toISOString()
  }
}

function isUp({ coordinator, recordLost }: Condition): boolean {
  return coordinator === null && recordLost === null
}

/** What the members said about themselves; a silent one is missing. */
function conditionsIn(summaries: ReadonlyMap<MemberId, Summary>): Map<MemberId, Condition> {
  const conditions = new Map<MemberId, Condition>()
  for (const [id, { condition }] of summaries) conditions.set(id, condition)
  return conditions
}
