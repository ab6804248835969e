// What an operator asks of the group as a whole: its state, its members, who works how much, and its policy of distribution.

import { refusal } from '../api/errors.ts'
import { answered, type Outcome } from '../api/refusals.ts'
import type {
  Balance,
  BalanceRequest,
  Member,
  MemberLoad,
  Move,
  Status,
  Top,
} from '../api/schema.ts'
import type { Balancer } from '../balance/balancer.ts'
import type { MemberId } from '../base/ids.ts'
import { parsePolicy } from '../distribution/policy.ts'
import type { Condition } from './condition.ts'
import { sliceCountsOf } from './copies.ts'
import { healthOf } from './health.ts'
import type { HealthWatch } from './health-watch.ts'
import { isUp } from './own-figures.ts'
import { hearNews, type ShownMember } from './shown-member.ts'
import { standInOf } from './stand-in.ts'
import type { Summary } from './summary.ts'

export interface GroupSources {
  readonly member: ShownMember
  readonly balancer: Balancer
  readonly health: HealthWatch
  readonly version: string
  readonly summaries: () => Promise<ReadonlyMap<MemberId, Summary>>
}

export class GroupDesk {
  readonly #sources: GroupSources

  constructor(sources: GroupSources) {
    this.#sources = sources
  }

  async members(): Promise<readonly Member[]> {
    return this.#members(await this.#sources.summaries())
  }

  /** `sessions`: with their load, by the same summaries. */
  async top(
    sessions: (summaries: ReadonlyMap<MemberId, Summary>) => Promise<Top['sessions']>,
  ): Promise<Top> {
    const { member } = this.#sources
    const summaries = await this.#sources.summaries()
    return {
      at: new Date(member.ports.clock.wallMs()).toISOString(),
      members: [...member.group.members.keys()].sort().map((id) => ({
        id,
        state: summaries.has(id) ? 'up' : 'silent',
        sessions: this.#sessionsOf(id),
        load: summaries.get(id)?.load ?? null,
      })),
      sessions: await sessions(summaries),
    }
  }

  async status(): Promise<Status> {
    const { member, balancer, health, version } = this.#sources
    const { group } = member
    const [summaries] = await Promise.all([this.#sources.summaries(), hearNews(member)])
    const members = this.#members(summaries)
    const coordination = isUp(health.condition()) ? 'up' : 'down'
    const problems = await health.look(conditionsIn(summaries))
    const { mode, placement } = balancer.describe()
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
      slices: sliceCountsOf(group.slices, (id) => !summaries.has(id)),
      volumes: {
        count: group.volumes.size,
        bytes: sum([...group.volumes.values()].map(({ bytes }) => bytes)),
        allocatedBytes: sum([...summaries.values()].map(({ usedBytes }) => usedBytes)),
      },
      sessions: [...group.sessions.values()].filter(({ record }) => record.state === 'live').length,
      moves: {
        underWay: moves.filter(({ outcome }) => outcome === undefined).length,
        done: moves.filter(({ outcome }) => outcome !== undefined).length,
      },
    }
  }

  balance(underWay: readonly Move[]): Balance {
    const { balancer, member } = this.#sources
    return {
      ...balancer.describe(),
      members: [...member.group.members.keys()].sort().map((id) => ({
        member: id,
        utilisation: balancer.utilisationOf(id),
        sessions: this.#sessionsOf(id),
      })),
      underWay: [...underWay],
    }
  }

  /** For the whole group. */
  async setPolicy({
    mode,
    placement,
    policy,
  }: BalanceRequest): Promise<Outcome<'setBalance', null>> {
    const { balancer } = this.#sources
    const parsed = parsePolicy(policy, balancer.policy.settings.policy)
    if (parsed.kind === 'wrong') return refusal('badRequest', parsed.reasons.join(' '))
    const set = await balancer.policy.write({
      policy,
      ...(mode === undefined ? {} : { mode }),
      ...(placement === undefined ? {} : { placement: placement === 'on' }),
    })
    return set ? answered(null) : refusal('coordinatorDown', 'the policy cannot be written now')
  }

  apis() {
    const { group } = this.#sources.member
    const members = [...group.members.values()].map(({ id, api }) => ({ id, api }))
    return { group: group.group.groupId, members }
  }

  #members(summaries: ReadonlyMap<MemberId, Summary>): readonly Member[] {
    const { group } = this.#sources.member
    const conditions = conditionsIn(summaries)
    return [...group.members.values()]
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map(({ id, portal, api, draining }) => {
        const summary = summaries.get(id)
        return {
          id,
          state: summary === undefined ? 'silent' : 'up',
          portal,
          standIn: standInOf(id, conditions),
          api,
          draining,
          drain: summary?.condition.drain ?? null,
          sessions: this.#sessionsOf(id),
          slices: group.slices.filter(({ primary }) => primary === id).length,
          copies: group.slices.filter(({ inSync }) => inSync.includes(id)).length,
          pid: summary?.pid ?? null,
          version: summary?.version ?? null,
          usedBytes: summary?.usedBytes ?? null,
          freeBytes: summary?.freeBytes ?? null,
          load: fullnessOf(summary?.load ?? null),
          cache: summary?.cache ?? null,
          tombstones: summary?.tombstones ?? null,
        }
      })
  }

  #sessionsOf(id: MemberId): number {
    let count = 0
    for (const { record } of this.#sources.member.group.sessions.values()) {
      if (record.owner === id && record.state === 'live') count += 1
    }
    return count
  }
}

function fullnessOf(load: MemberLoad | null): Member['load'] {
  if (load === null) return null
  const { utilisation, resource, networkBitsPerSecond } = load
  return { utilisation, resource, networkBitsPerSecond }
}

/** What the members said about themselves; a silent one is missing. */
function conditionsIn(summaries: ReadonlyMap<MemberId, Summary>): Map<MemberId, Condition> {
  return new Map([...summaries].map(([id, { condition }]) => [id, condition]))
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}
