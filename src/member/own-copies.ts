// How a member comes to count no more for what its folder has not: of slices that other members have in sync, too. It is silent
// meanwhile (nothing listens before its folder is open), so those go on without it: the primary takes it out of the record (R4 of
// slice/replica-set.ts), and what it is the primary of itself is taken over once its grants are over (R6 of slice/lease.ts).
//
// Invariants:
//   DF7. A folder that has not all that was answered is used, or made anew, only when the record has its member in sync of no
//        slice any more, but of those that nobody else has: about these an operator decides, as where there are no copies.
//   DF8. What was proven of the folder before is void: the record of each slice that wants the member is written once more, as it
//        is, and nobody joins by a record that has been written since he was proven equal (TC2 of slice/teaching.ts). By one that is as recovery left
//        it nobody was proven yet.
import { type Clock, sleep } from '../base/clock.ts'
import type { MemberId, SliceId } from '../base/ids.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import { usable } from '../coordination/group-view.ts'
import { parseSlice } from '../group/parse.ts'
import { keys } from '../group/record.ts'
import { isAsRecovered } from '../group/recover.ts'
import { changeSlices, type StoredSlice } from '../group/slices.ts'

const AGAIN_MS = 50
/** Others need some seconds to go on without it. */
const LOOK_MS = 250

export interface OwnCopies {
  /** In sync here, and nowhere else. */
  readonly sole: ReadonlySet<SliceId>
  /** In sync here and elsewhere. */
  readonly shared: ReadonlySet<SliceId>
  /** Who else has those. */
  readonly others: ReadonlySet<MemberId>
}

export interface LeavingDeps {
  readonly clock: Clock
  readonly coordinator: Coordinator
}

/** Of those slices that `isOne`. */
export function ownCopies(
  id: MemberId,
  slices: readonly Omit<StoredSlice, 'rev'>[],
  isOne: (slice: SliceId) => boolean = () => true,
): OwnCopies {
  const own = slices.filter((slice) => slice.record.inSync.includes(id) && isOne(slice.id))
  const isSole = ({ record }: Omit<StoredSlice, 'rev'>) => record.inSync.length === 1
  return {
    sole: new Set(own.filter(isSole).map((slice) => slice.id)),
    shared: new Set(own.filter((slice) => !isSole(slice)).map((slice) => slice.id)),
    others: new Set(own.flatMap(({ record }) => record.inSync).filter((other) => other !== id)),
  }
}

/**
 * DF7 DF8. Settles when the record has this member in sync of none of these slices but those of which it has
 * the only copy; never, if none of the others serves again. `judge` throws if it must not go on with those; `waits` is
 * told once that others are to go on first.
 */
export async function leaveCopies(
  deps: LeavingDeps,
  id: MemberId,
  {
    isOne,
    judge,
    waits,
  }: {
    readonly isOne: (slice: SliceId) => boolean
    readonly judge: (sole: ReadonlySet<SliceId>) => void
    readonly waits: (copies: OwnCopies) => void
  },
): Promise<void> {
  let isTold = false
  for (;;) {
    const slices = await readSlices(deps)
    const copies = ownCopies(id, slices, isOne)
    const { sole, shared } = copies
    judge(sole)
    if (shared.size === 0) {
      const left = slices.filter(
        ({ id: slice, rev, record }) =>
          isOne(slice) &&
          !isAsRecovered(rev) &&
          record.want.includes(id) &&
          !record.inSync.includes(id),
      )
      if (await writeAgain(deps, left)) return
    } else {
      if (!isTold) waits(copies)
      isTold = true
      await sleep(deps.clock, LOOK_MS)
    }
  }
}

async function readSlices({ clock, coordinator }: LeavingDeps): Promise<readonly StoredSlice[]> {
  for (;;) {
    const read = await coordinator.txn({ read: [keys.slices] })
    if (read.kind !== 'unknown') {
      return (read.read[0] ?? []).map(({ key, value, rev }) => {
        return { id: keys.sliceOf(key), rev, record: usable(key, parseSlice(value)) }
      })
    }
    await sleep(clock, AGAIN_MS)
  }
}

/** DF8. False: some have changed meanwhile, or nobody knows. */
async function writeAgain(
  { coordinator }: LeavingDeps,
  slices: readonly StoredSlice[],
): Promise<boolean> {
  for (const change of changeSlices(slices.map((slice) => ({ slice, to: slice.record })))) {
    const result = await coordinator.txn(change)
    if (result.kind !== 'done') return false
  }
  return true
}
