// The group's policy of distribution: one record for all members. While there is none, a member goes by what it was
// started with.
import type { Clock } from '../base/clock.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import type { GroupView } from '../coordination/group-view.ts'
import { retry } from '../coordination/retry.ts'
import { DEFAULT_POLICY, type Mode, type Policy, parsePolicy } from '../distribution/policy.ts'
import { writePolicy } from '../group/change.ts'
import { fieldsOf, type Json } from '../peer/message.ts'

export interface DistributionSettings {
  readonly mode: Mode
  readonly placement: boolean
  readonly policy: Policy
}

/** What is not named stays as it is. */
export interface PolicyChange {
  readonly mode?: Mode
  readonly placement?: boolean
  readonly policy?: Readonly<Record<string, unknown>>
}

export interface PolicyPorts {
  readonly clock: Clock
  readonly coordinator: Coordinator
}

/** A caller waits for 10 s. */
const PACE = { tries: 20, everyMs: 25, forMs: 4_000 }

export class PolicyRecord {
  readonly #ports: PolicyPorts
  readonly #group: Pick<GroupView, 'policy' | 'policyRev' | 'refresh'>
  readonly #initial: DistributionSettings
  #parsed: { readonly text: string | null; readonly settings: DistributionSettings } | null = null

  constructor(
    ports: PolicyPorts,
    group: Pick<GroupView, 'policy' | 'policyRev' | 'refresh'>,
    initial: DistributionSettings,
  ) {
    this.#ports = ports
    this.#group = group
    this.#initial = initial
  }

  /** The policy in force. */
  get settings(): DistributionSettings {
    const text = this.#group.policy
    if (this.#parsed?.text === text) return this.#parsed.settings
    const settings = text === null ? this.#initial : readSettings(text, this.#initial)
    this.#parsed = { text, settings }
    return settings
  }

  /** For the whole group; false: the coordinator does not answer. */
  async write(change: PolicyChange): Promise<boolean> {
    const { clock, coordinator } = this.#ports
    const written = await retry(clock, PACE, async () => {
      const now = this.settings
      const { mode = now.mode, placement = now.placement, policy = {} } = change
      const value = JSON.stringify({ placement, policy: { ...now.policy, ...policy, mode } })
      const result = await coordinator.txn(writePolicy(this.#group.policyRev, value))
      await this.#group.refresh()
      return result.kind === 'done' ? true : null
    })
    return written ?? false
  }
}

/** What the record does not say, or says wrongly, is as this member was started. */
function readSettings(text: string, initial: DistributionSettings): DistributionSettings {
  const record = fieldsOf(jsonOf(text)) ?? {}
  const parsed = parsePolicy(record['policy'] ?? {}, DEFAULT_POLICY)
  const policy = parsed.kind === 'policy' ? parsed.policy : initial.policy
  const { placement } = record
  const isSaid = typeof placement === 'boolean'
  return { mode: policy.mode, placement: isSaid ? placement : initial.placement, policy }
}

/** null: it is no JSON. */
function jsonOf(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return null
  }
}
