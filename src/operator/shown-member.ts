// What people are shown of a member, and have changed through it: the parts of which member/member.ts is made.
import type { MemberParts } from '../balance/member-parts.ts'
import type { RecordKeeper } from '../coordination/record-keeper.ts'

export interface ShownMember extends MemberParts {
  /** As initiators reach it; empty before it serves. */
  readonly portal: string
  readonly keeper: RecordKeeper
  /** What pages may still take here, looked up now and then. */
  readonly freeBytes: number
}
