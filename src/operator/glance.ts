// What events are told of, as the group record has it and as it was heard here: nobody is asked, and whether anything may
// have changed is known without looking at it.
import type { MemberBrief } from '../api/event-schema.ts'
import type { HealthProblem } from '../api/health-schema.ts'
import type { Glance } from '../api/operator.ts'
import type { DistributionSettings } from '../balance/policy-record.ts'
import type { MemberId } from '../base/ids.ts'
import type { ShownMember } from './shown-member.ts'

export interface GlanceSources {
  readonly member: Pick<ShownMember, 'id' | 'group'>
  readonly balancer: {
    isHeard(id: MemberId): boolean
    readonly policy: { readonly settings: DistributionSettings }
  }
  readonly health: {
    readonly problems: readonly HealthProblem[]
    standInOf(id: MemberId): MemberId | null
  }
}

export class Glances {
  readonly #sources: GlanceSources
  #problems: readonly HealthProblem[] = []
  #looks = 0

  constructor(sources: GlanceSources) {
    this.#sources = sources
  }

  mark(): string {
    const { member, health, balancer } = this.#sources
    const { group } = member
    if (health.problems !== this.#problems) {
      this.#problems = health.problems
      this.#looks += 1
    }
    const heard = [...group.members.keys()].filter((id) => balancer.isHeard(id))
    const standIns = [...group.members.keys()].map((id) => health.standInOf(id))
    return `${group.rev} ${this.#looks} ${heard.join()} ${standIns.join()}`
  }

  glance(): Glance {
    const { member, balancer, health } = this.#sources
    const { group } = member
    const { mode, placement, policy } = balancer.policy.settings
    const live = [...group.sessions.values()].filter(({ record }) => record.state === 'live')
    return {
      members: [...group.members.values()].map((one) => ({
        ...{ id: one.id, state: stateOf(this.#sources, one), start: one.bootId },
        standIn: health.standInOf(one.id),
      })),
      sessions: live.map(({ id, record }) => {
        const { initiator, source, owner: member, pinned = null } = record
        const volume = group.volumes.get(record.volume)?.name ?? String(record.volume)
        return { id: String(id), initiator, source, volume, member, pinned }
      }),
      balance: { mode, placement: placement ? 'on' : 'off', policy: { ...policy } },
    }
  }
}

export function stateOf(
  {
    member,
    balancer,
  }: Pick<GlanceSources, 'balancer'> & { readonly member: { readonly id: MemberId } },
  { id, draining }: { readonly id: MemberId; readonly draining: boolean },
): MemberBrief['state'] {
  if (id !== member.id && !balancer.isHeard(id)) return 'silent'
  return draining ? 'draining' : 'up'
}
