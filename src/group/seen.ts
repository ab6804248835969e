// What a member has seen of the group record, and whether the record that it now meets may be what came of it.
//
// Invariants:
//   G24. A record that is older than what a member has seen, or whose lineage does not lead there, is not that member's: ids
//       would be given twice, and operations of another life would pass for done.
//   G26. Nor is one that has not come to a session, a volume or an epoch that the member's store knows. What was seen is written
//        down within a second, but an operation is remembered with its write: so no id is given again even then.
//   G28. Whoever judges a record (a member, the launcher, recovery) judges by the same evidence with the same function: what
//        one of them refuses no other calls sound.
import type { Epoch, MemberId, Revision, SessionId, SliceId, VolumeId } from '../base/ids.ts'
import type { GroupRecord } from './record.ts'

export interface Seen {
  readonly groupId: string
  readonly incarnation: string
  /** The highest. */
  readonly revision: Revision
}

/** The durable part of the record at one instant, as a member keeps it in its folder. */
export interface RecordCopy extends Seen {
  readonly memberId: MemberId
  readonly items: readonly (readonly [key: string, value: string])[]
}

/** What a member's store knows of ids that the record has given. */
export interface StoreSeen {
  readonly groupId: string
  /** The newest session whose operations it remembers; 0: none. */
  readonly session: SessionId
  /** The highest that it has, or had, pages of; 0: none. */
  readonly volume: VolumeId
  /** The highest that the member was about to raise each slice to. */
  readonly epochs: ReadonlyMap<SliceId, Epoch>
  /** The highest of each slice under which it has a change: the record had come to that. */
  readonly written: ReadonlyMap<SliceId, Epoch>
}

/** What one member's folder says of the record. */
export interface Evidence {
  /** Its id, or other words for where this comes from. */
  readonly member: string
  readonly seen: Seen | null
  readonly copy: RecordCopy | null
  /** null: it has none, or one that can give no account of itself. */
  readonly store: StoreSeen | null
}

/** A record that somebody means to go on with. */
export interface MetRecord {
  readonly group: GroupRecord
  /** Of the whole record. */
  readonly rev: Revision
  /** The last volume id that was given. */
  readonly volumeId: VolumeId
  readonly epochs: ReadonlyMap<SliceId, Epoch>
}

/** G28. A sentence that says what is the matter and what to do, or null. */
export function refuseRecord(
  met: MetRecord,
  { seen, store }: Pick<Evidence, 'seen' | 'store'>,
  who = 'this member',
): string | null {
  const older = seen === null ? null : refuseOlder(met.group, met.rev, seen, who)
  return older ?? (store === null ? null : refuseUnknownIds(met, store, who))
}

/** A sentence that says what is the matter and what to do, or null. `rev` is the revision of the store that holds the group. */
export function refuseOlder(
  group: GroupRecord,
  rev: Revision,
  seen: Seen,
  who = 'this member',
): string | null {
  // Of another group altogether: the store's superblock says so, in words of its own.
  if (seen.groupId !== group.groupId) return null
  const isSame = seen.incarnation === group.incarnation
  const earlier = group.lineage.find(({ incarnation }) => incarnation === seen.incarnation)
  const reached = isSame ? rev : earlier?.endedAt
  if (reached !== undefined && reached >= seen.revision) return null
  const what = isSame
    ? `an older one: it is at revision ${rev}, and ${who} has seen revision ${seen.revision}`
    : reached === undefined
      ? `of another life of the group: ${who} has seen revision ${seen.revision} of one that it does not come from`
      : `one that was rebuilt from older copies: they ended at revision ${reached}, and ${who} has seen revision ${seen.revision}`
  return sentence(what)
}

/** G26: as `refuseOlder`, by what the member's store knows. */
function refuseUnknownIds(met: MetRecord, store: StoreSeen, who: string): string | null {
  const { group, rev, volumeId } = met
  if (store.groupId !== group.groupId) return null
  if (store.session > rev) {
    return sentence(
      `an older one: it is at revision ${rev}, and ${who} has carried out writes of session ${store.session}`,
    )
  }
  if (store.volume > volumeId) {
    return sentence(
      `an older one: the last volume that it knows of has id ${volumeId}, and ${who} has pages of volume ${store.volume}`,
    )
  }
  for (const [slice, written] of store.written) {
    const epoch = met.epochs.get(slice) ?? 0
    if (written <= epoch) continue
    return sentence(
      `an older one: slice ${slice} has epoch ${epoch} there, and ${who} has carried out writes under epoch ${written}`,
    )
  }
  for (const [slice, promised] of store.epochs) {
    const epoch = met.epochs.get(slice) ?? 0
    // One above: it was about to raise it, and may have ended before it did.
    if (promised <= epoch + 1) continue
    return sentence(
      `an older one: slice ${slice} has epoch ${epoch} there, and ${who} was about to raise it to ${promised}`,
    )
  }
  return null
}

function sentence(what: string): string {
  return `The coordination file is ${what}. Put the right one back, or stop the group and rebuild it from the members' folders with 'evenkeel recover'. Nothing was touched.`
}
