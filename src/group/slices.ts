// Who has the copies of a slice, and who is its primary: the transitions of its record (docs/decisions/0012). Each function
// says what the record becomes; `changeSlices` makes of it what the coordinator is given.
//
//   want     the members that are to have a copy; the first one is to be the primary
//   inSync   those that have all that was answered: writes wait for each of them, and only they may take over
//   primary  the one of them that orders writes and answers reads
//
// Invariants:
//   G30. A slice changes as it was read or not at all, and its epoch only rises: whenever the primary or the members in sync
//        change, and whenever a primary begins anew with the same ones.
//   G31. The primary is in sync. So there is always one that has all that was answered, whoever leaves.
//   G32. Only who is wanted comes in sync, and only who is in sync takes over. One in sync that is wanted no more is being left:
//        it leaves when all that are wanted are in sync, or as one that is silent does.
//   G33. Whoever takes over removes the primary that it takes over from: that one may not know it yet or is leaving, and nothing
//        waits for it any more.
import { assert } from '../base/assert.ts'
import { type Epoch, epoch, type MemberId, type Revision, type SliceId } from '../base/ids.ts'
import { COPIES_MAX } from '../base/sizes.ts'
import { chunks, type GroupChange } from './change.ts'
import { keys, type SliceRecord } from './record.ts'

/** A slice as it was read. */
export interface StoredSlice {
  readonly id: SliceId
  readonly rev: Revision
  readonly record: SliceRecord
}

/** R4: the primary goes on without members that are silent, or cannot keep what it sends them. */
export function withoutCopies(
  record: SliceRecord,
  gone: readonly MemberId[],
  to: Epoch,
): SliceRecord {
  assert(!gone.includes(record.primary), 'G31: a primary does not remove itself')
  return { ...record, epoch: to, inSync: record.inSync.filter((id) => !gone.includes(id)) }
}

/** A member in sync becomes the primary: after its grant to the one before is over (R6), or since that one is leaving. */
export function takenOver(record: SliceRecord, by: MemberId, to: Epoch): SliceRecord {
  const { primary, inSync } = record
  assert(by !== primary && inSync.includes(by), 'G32: only who is in sync takes over')
  return { ...record, epoch: to, primary: by, inSync: inSync.filter((id) => id !== primary) }
}

/** R8: a learner is proven equal, and joins. */
export function withCopy(record: SliceRecord, learner: MemberId, to: Epoch): SliceRecord {
  const { inSync, want } = record
  assert(want.includes(learner) && !inSync.includes(learner), 'G32: only who is wanted joins')
  return { ...record, epoch: to, inSync: [...inSync, learner] }
}

/** The primary gives its part to another one in sync, and stays in sync itself. */
export function handedOver(record: SliceRecord, by: MemberId, to: Epoch): SliceRecord {
  assert(by !== record.primary && record.inSync.includes(by), 'G32: it is in sync')
  return { ...record, epoch: to, primary: by }
}

/** The same members, by a primary that begins anew. */
export function raised(record: SliceRecord, to: Epoch): SliceRecord {
  return { ...record, epoch: to }
}

/** Other members are to have the copies, or so many. Nothing changes for who has one now: the primary sees to the rest. */
export function wanting(
  record: SliceRecord,
  want: readonly MemberId[],
  min = record.min,
): SliceRecord {
  return { ...record, want, min }
}

/** The primary is to be another one, and this one to have no copy: nothing is amiss, it only moves. */
export function isMoving({ primary, want }: SliceRecord): boolean {
  return !want.includes(primary)
}

/** This member is to have nothing of it, and nobody counts on what it has. */
export function hasNoPart({ inSync, want }: SliceRecord, id: MemberId): boolean {
  return !inSync.includes(id) && !want.includes(id)
}

/** Who is to be the primary instead of the one that is; null: nobody, or not yet. */
export function heirOf({ primary, inSync, want }: SliceRecord): MemberId | null {
  const [first] = want
  const areAllThere = want.every((id) => inSync.includes(id))
  return first === undefined || first === primary || !areAllThere ? null : first
}

/** G32: in sync and wanted no more, and free to leave: all that are wanted are in sync, and one of them is the primary. */
export function leaving({ primary, inSync, want }: SliceRecord): readonly MemberId[] {
  const areAllThere = want.every((id) => inSync.includes(id))
  return areAllThere && want.includes(primary) ? inSync.filter((id) => !want.includes(id)) : []
}

/** Wanted, and not in sync: the primary makes learners of them. */
export function missing({ inSync, want }: SliceRecord): readonly MemberId[] {
  return want.filter((id) => !inSync.includes(id))
}

/** Changes nothing: done if the slice is as it was read. */
export function sliceIs({ id, rev }: Pick<StoredSlice, 'id' | 'rev'>): GroupChange {
  return { compare: [{ key: keys.slice(id), rev }], put: [], remove: [] }
}

export interface SliceChange {
  readonly slice: StoredSlice
  readonly to: SliceRecord
}

/** Each in one of several transactions, which fit; all of one transaction are lost if one of them changed meanwhile. */
export function changeSlices(changes: readonly SliceChange[]): readonly GroupChange[] {
  for (const { slice, to } of changes) {
    const wrong = refuseSlice(to)
    assert(wrong === null, wrong ?? '')
    const isAsBefore =
      to.primary === slice.record.primary && areEqual(to.inSync, slice.record.inSync)
    const isRight = to.epoch > slice.record.epoch || (isAsBefore && to.epoch === slice.record.epoch)
    assert(isRight, 'G30: an epoch only rises, and with every change of who has the slice')
  }
  return chunks(changes).map((some) => ({
    compare: some.map(({ slice: { id, rev } }) => ({ key: keys.slice(id), rev })),
    put: some.map(({ slice: { id }, to }) => ({ key: keys.slice(id), value: JSON.stringify(to) })),
    remove: [],
  }))
}

/** Slices as they were read are given these epochs, which are higher, or the next one. */
export function raiseEpochs(
  slices: readonly StoredSlice[],
  epochs: ReadonlyMap<SliceId, Epoch>,
): readonly GroupChange[] {
  return changeSlices(
    slices.map((slice) => {
      const { id, record } = slice
      return { slice, to: raised(record, epochs.get(id) ?? epoch(record.epoch + 1)) }
    }),
  )
}

/** What is wrong with a record whoever made it, for an assertion and for whoever reads it; null: nothing. */
export function refuseSlice({ primary, inSync, want, min }: SliceRecord): string | null {
  if (!inSync.includes(primary)) return 'its primary is not in sync'
  if (new Set(inSync).size !== inSync.length) return 'a member is in sync twice'
  if (want.length === 0 || want.length > COPIES_MAX)
    return `1 to ${COPIES_MAX} members are to have it, not ${want.length}`
  if (new Set(want).size !== want.length) return 'a member is wanted twice'
  return min > want.length ? `it needs ${min} members in sync, and wants ${want.length}` : null
}

/** The least number in sync with which writes go on: of three copies two, so that two failures lose nothing that was answered. */
export function usualMin(copies: number): number {
  return Math.max(1, copies - 1)
}

function areEqual(some: readonly MemberId[], others: readonly MemberId[]): boolean {
  return some.length === others.length && some.every((id, i) => id === others[i])
}
