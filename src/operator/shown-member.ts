// What people are shown of a member, and have changed through it: the parts of which member/member.ts is made.
import type { MemberParts } from '../balance/member-parts.ts'
import { within } from '../base/clock.ts'
import type { VolumeId } from '../base/ids.ts'
import type { RecordKeeper } from '../coordination/record-keeper.ts'

export interface ShownMember extends MemberParts {
  /** As initiators reach it; empty before it serves. */
  readonly portal: string
  readonly keeper: RecordKeeper
  /** What the damage of a page here means (slice/repairs.ts). */
  readonly repairs: { judge(volume: VolumeId, page: number): 'mendable' | 'lost' | 'unused' }
  /** What pages may still take here, looked up now and then. */
  readonly freeBytes: number
}

const REFRESH_MS = 500

/** What was changed through another member before the call is shown afterwards, if the coordinator answers soon. */
export async function hearNews({ ports, group }: ShownMember): Promise<void> {
  await within(ports.clock, REFRESH_MS, group.refresh(), false)
}
