// From an epoch that was raised to one in which all in-sync members of the slice are equal: what stands between being named the
// primary of a slice with copies and serving it.
//
//   raised ──▶ aligning ──equal──▶ settled
//     ▲           └── some are silent: raised without them (R4); somebody promised more: raised ──┐
//     └───────────────────────────────────────────────────────────────────────────────────────────┘
//
// Invariants:
//   R4.  Who is silent is first taken out of the record, by compare-and-swap, and its slice goes on after that (replica-set.ts).
//   R7.  Nothing is served before the in-sync members are equal, in this epoch or in any (alignment.ts).
//   R13. Before anything is answered without a member that was in sync, the record that says so is in the copy of it that this member
//        keeps (RK3 of coordination/record-keeper.ts): so a record that is rebuilt from its members' copies does not put that one
//        back in sync. A disk that has no room for the copy holds nothing up (RK4 there).
// Generations of sessions are loaded as of the last raise, before anything is served under it (A1 of activation.ts).
import { type Clock, sleep } from '../base/clock.ts'
import type { Epoch, MemberId, Revision, SliceId } from '../base/ids.ts'
import type { SliceRecord } from '../group/record.ts'
import { raised, type StoredSlice, withoutCopies } from '../group/slices.ts'
import type { Activation, ActivationDeps } from './activation.ts'
import { Aligning } from './aligning.ts'
import type { AskingDeps } from './asking.ts'
import type { Activated } from './lease.ts'
import type { Primary } from './primary.ts'
import type { Raising } from './raising.ts'

/** Until the own store is asked once more for room that it had not. */
const FULL_AGAIN_MS = 1_000

export interface TenureDeps extends ActivationDeps, AskingDeps {
  readonly clock: Clock
  readonly store: ActivationDeps['store'] & AskingDeps['store']
  readonly load: (activation: Activation) => void
  readonly raising: Raising
  /** R13. False: not yet, try again. */
  readonly recordKept: (rev: Revision) => Promise<boolean>
}

const KEPT_AGAIN_MS = 50

export interface Settled {
  readonly slice: StoredSlice
  readonly others: readonly Activated[]
}

/** `rev`: of the record as it is found. */
export type SliceWish = (record: SliceRecord, to: Epoch, rev: Revision) => SliceRecord

/** The slice goes on in a new epoch; `wish` is asked for while it pauses and nothing is under way. */
export type Reconfigure = (
  slice: SliceId,
  primary: Primary,
  wish: (isOver: () => boolean) => SliceWish | Promise<SliceWish>,
) => Promise<void>

/** Null: as `one` of raising.ts. `raisedTo` is told each epoch that the slice comes to. */
export async function settle(
  deps: TenureDeps,
  stored: StoredSlice,
  {
    isOver,
    raisedTo,
    before,
  }: {
    readonly isOver: () => boolean
    /** With which this member served the slice until now; null: it did not. */
    readonly before: readonly Activated[] | null
    readonly raisedTo: (slice: StoredSlice) => void
  },
): Promise<Settled | null> {
  let slice: StoredSlice | null = stored
  while (slice !== null && !isOver()) {
    raisedTo(slice)
    const { id, record } = slice
    const others: readonly MemberId[] = record.inSync.filter((member) => member !== deps.self)
    const isKept = before?.every(({ member }) => others.includes(member)) ?? false
    if (others.length === 0) return await kept(deps, { slice, others: [] }, isKept, isOver)
    const of = { slice: id, epoch: record.epoch }
    const aligned = await new Aligning(deps, of, isOver).align(others)
    switch (aligned.kind) {
      case 'aligned':
        return await kept(deps, { slice, others: aligned.others }, isKept, isOver)
      case 'over':
        return null
      case 'full':
        await sleep(deps.clock, FULL_AGAIN_MS)
        break
      case 'behind':
        slice = await deps.raising.one(id, isOver, raised)
        break
      case 'without':
        slice = await deps.raising.one(id, isOver, (now, to) =>
          withoutCopies(now, aligned.members, to),
        )
        break
    }
  }
  return null
}

/** R13 */
async function kept(
  deps: TenureDeps,
  settled: Settled,
  isKept: boolean,
  isOver: () => boolean,
): Promise<Settled | null> {
  while (!isKept && !(await deps.recordKept(settled.slice.rev))) {
    if (isOver() || deps.isClosed()) return null
    await sleep(deps.clock, KEPT_AGAIN_MS)
  }
  return settled
}
