// What one member tells another that was asked by a person: its sessions, its store, its load. Asked for when it is
// needed, so that it costs nothing otherwise; a member that does not answer in time is silent, never zero.
import type { MemberLoad } from '../api/schema.ts'
import type { MemberId } from '../group/record.ts'
import { fieldsOf, type Json } from '../peer/message.ts'
import type { Condition } from './health.ts'
import type { SessionRates } from './rates.ts'
import type { ShownMember } from './shown-member.ts'

export const SUMMARY_KIND = 'summary'
const ASK_MS = 800
/** For one that has reported nothing lately: whoever asks need not wait long for what it will hardly answer. */
const SILENT_ASK_MS = 400
const FORMAT = 2

export interface SessionSummary extends SessionRates {
  readonly id: number
  readonly state: 'login' | 'live' | 'moving'
  /** CPU attributed to it, in cores; null: not known yet. */
  readonly load: number | null
  /** Placement sent its login here. */
  readonly placed: boolean
  readonly decided: { readonly at: string; readonly code: string; readonly sentence: string } | null
}

export interface Summary {
  readonly format: number
  readonly member: MemberId
  readonly pid: number
  readonly version: string
  readonly usedBytes: number
  readonly freeBytes: number
  readonly volumes: readonly {
    readonly id: number
    readonly pages: number
    readonly bytes: number
    readonly takenBytes: number
  }[]
  readonly sessions: readonly SessionSummary[]
  readonly load: MemberLoad | null
  readonly condition: Condition
}

export function summaryFormat(): number {
  return FORMAT
}

/** Of every member of the group, this one included; a silent one is missing. */
export async function askAll(
  member: ShownMember,
  own: () => Summary,
  isHeard: (id: MemberId) => boolean,
): Promise<Map<MemberId, Summary>> {
  const all = new Map<MemberId, Summary>([[member.id, own()]])
  const others = [...member.group.members.keys()].filter((id) => id !== member.id)
  const replies = await Promise.all(
    others.map((id) =>
      member.peers.ask(id, SUMMARY_KIND, null, isHeard(id) ? ASK_MS : SILENT_ASK_MS),
    ),
  )
  for (const [at, reply] of replies.entries()) {
    const summary = parseSummary(reply)
    if (summary !== null && summary.member === others[at]) all.set(summary.member, summary)
  }
  return all
}

/** Members of one group run versions that know each other's frames; the format tells a summary of another form. */
function parseSummary(reply: Json | null): Summary | null {
  const summary = fieldsOf(reply) as unknown as Summary | null
  return summary?.format === FORMAT ? summary : null
}
