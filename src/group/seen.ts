// What a member has seen of the group record, and whether the record that it now meets may be what came of it.
//
// Invariants:
//   G24. A record that is older than what a member has seen, or whose lineage does not lead there, is not that member's: ids
//       would be given twice, and operations of another life would pass for done.
//   G26. Nor is one that has not come to a session whose operations the member remembers. What was seen is written down within
//        a second, but an operation is remembered with its write: so its session's id is not given again even then.
import type { SessionId } from '../base/ids.ts'
import type { GroupRecord } from './record.ts'

export interface Seen {
  readonly groupId: string
  readonly incarnation: string
  /** The highest. */
  readonly revision: number
}

/** The durable part of the record at one instant, as a member keeps it in its folder. */
export interface RecordCopy extends Seen {
  readonly memberId: string
  readonly items: readonly (readonly [key: string, value: string])[]
}

/** A sentence that says what is the matter and what to do, or null. `rev` is the revision of the store that holds the group. */
export function refuseOlder(group: GroupRecord, rev: number, seen: Seen): string | null {
  // Of another group altogether: the store's superblock says so, in words of its own.
  if (seen.groupId !== group.groupId) return null
  const isSame = seen.incarnation === group.incarnation
  const earlier = group.lineage.find(({ incarnation }) => incarnation === seen.incarnation)
  const reached = isSame ? rev : earlier?.endedAt
  if (reached !== undefined && reached >= seen.revision) return null
  const what = isSame
    ? `an older one: it is at revision ${rev}, and this member has seen revision ${seen.revision}`
    : reached === undefined
      ? `of another life of the group: this member has seen revision ${seen.revision} of one that it does not come from`
      : `one that was rebuilt from older copies: they ended at revision ${reached}, and this member has seen revision ${seen.revision}`
  return sentence(what)
}

/** G26: as `refuseOlder`, by the sessions whose operations the member's store remembers. */
export function refuseUnknownSessions(sessions: readonly SessionId[], rev: number): string | null {
  const newest = Math.max(0, ...sessions)
  if (newest <= rev) return null
  return sentence(
    `an older one: it is at revision ${rev}, and this member has carried out writes of session ${newest}`,
  )
}

function sentence(what: string): string {
  return `The coordination file is ${what}. Put the right one back, or stop the group and rebuild it from the members' folders with 'evenkeel recover'. Nothing was touched.`
}
