// What a member still has of slices in which it has no part any more: of those that moved away, of copies that were begun and are not
// wanted any more, and of either what an earlier run of it left in its folder. It is dropped, one slice after the other.
//
// Invariants:
//   LF1. A slice is dropped by the coordinator's own word that this member is neither in sync nor wanted (V7 of tidy.ts), and when the
//        member's own copy of the record says so, too: so no record that is rebuilt with that copy counts on what is gone.
//   LF2. Its role is held from before that question until nothing of the slice is here: it can be made a copy again after that, and
//        begins with nothing.
//   LF3. Nothing is dropped of a slice with volumes of which pages are lost here: what is lost stays so, and would count as there once the
//        slice comes back.
import type { Revision, SliceId } from '../base/ids.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import { hasNoPart, sliceIs } from '../group/slices.ts'
import type { GroupSlices } from './group-slices.ts'
import type { Roles } from './roles.ts'
import type { SliceStore } from './slice-store.ts'

export interface LeftSlicesDeps {
  readonly self: Parameters<typeof hasNoPart>[1]
  readonly coordinator: Coordinator
  readonly group: GroupSlices
  readonly store: SliceStore
  readonly isServing: () => boolean
  /** LF1. False: the own copy of the record could not be brought up to it. */
  readonly recordKept: (rev: Revision) => Promise<boolean>
  /** LF2 */
  readonly whileNone: Roles['whileNone']
}

/** How many were dropped. */
export async function dropLeftSlices(deps: LeftSlicesDeps): Promise<number> {
  let dropped = 0
  for (const slice of deps.store.slicesHere()) {
    if (!deps.isServing()) break
    if (!isLeft(deps, slice)) continue
    const drop = async () => {
      if (await dropOne(deps, slice)) dropped += 1
    }
    await deps.whileNone(slice, drop)
  }
  return dropped
}

function isLeft({ self, group, store }: LeftSlicesDeps, slice: SliceId): boolean {
  const record = group.slices[slice]
  if (record === undefined || !hasNoPart(record, self)) return false
  for (const { id, lanes } of group.volumes.values())
    if (lanes.includes(slice) && store.hasLost(id)) return false // LF3
  return true
}

/** LF1 */
async function dropOne(deps: LeftSlicesDeps, slice: SliceId): Promise<boolean> {
  const { self, group, store, coordinator, recordKept } = deps
  const record = group.slices[slice]
  const rev = group.sliceRevs[slice]
  if (record === undefined || rev === undefined || !hasNoPart(record, self)) return false
  if (!(await recordKept(rev))) return false
  const asked = await coordinator.txn(sliceIs({ id: slice, rev }))
  if (asked.kind !== 'done') return false
  return (await store.dropSlice(slice, record.epoch)) === 'done'
}
