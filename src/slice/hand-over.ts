// A primary that is not the first of the members which the record wants gives its part to that one: after a failure the slices of a
// member that was away go back to it, and a slice that moves gets its new primary.
//
//   quiet for a while ──▶ pauses ──▶ the heir promises the next epoch ──▶ the record names the heir ──▶ late stale (V8); the heir activates
//
// Invariants:
//   HO1. The heir's store has promised the epoch in which the record first names it: a record is never ahead of its primary's store,
//        which would pass for an older copy (A3 of activation.ts).
//   HO2. Only to a member in sync, when all that are wanted are, after all that time without a change: who was away may be so again. A
//        slice that moves waits for nothing like it, but that I/O has gone on since the last attempt. Few slices of a member at once:
//        another one begins when the heir has activated one of them, or is late with it.
//   HO4. A primary whose own disk has no room for what has its number (GC3 of store/commit-queue.ts) gives its part to a copy that has
//        kept all that it was sent, and is in sync no more. Where there is none the slice stands still until there is room.
import type { Clock } from '../base/clock.ts'
import { type Epoch, epoch, type MemberId, type SliceId } from '../base/ids.ts'
import type { SliceRecord } from '../group/record.ts'
import { handedOver, heirOf, isMoving, raised, takenOver } from '../group/slices.ts'
import { Asking, type AskingDeps, type Of, Unanswered } from './asking.ts'
import { encodeActivate, readActivation } from './copy-messages.ts'
import type { GroupSlices } from './group-slices.ts'
import type { Primary } from './primary.ts'
import type { Reconfigure, SliceWish } from './tenure.ts'

export const QUIET_MS = 10_000
/** An attempt that comes to nothing may stand the slice still for some seconds. */
const MOVING_QUIET_MS = 500
const AT_ONCE = 2
/** An heir that has not activated a slice by then holds up no other one. */
const LATE_MS = 5_000

export interface HandOverDeps extends AskingDeps {
  readonly self: MemberId
  readonly clock: Clock
  readonly group: GroupSlices
  readonly quietMs: number
  /** The heir has activated the slice, or it is this member's again, or nothing of it is. */
  readonly isSettled: (slice: SliceId) => boolean
  readonly reconfigure: Reconfigure
}

export class HandOvers {
  readonly #deps: HandOverDeps
  /** Since when. */
  readonly #underWay = new Map<SliceId, number>()

  constructor(deps: HandOverDeps) {
    this.#deps = deps
  }

  /** Now and then, at a slice that is served since then without a change. */
  look(slice: SliceId, primary: Primary, sinceMs: number): void {
    const { clock, group, quietMs, reconfigure } = this.#deps
    const nowMs = clock.nowMs()
    const record = group.slices[slice]
    const heir = record === undefined ? null : heirOf(record)
    if (record === undefined || heir === null) return
    const leastMs = isMoving(record) ? Math.min(MOVING_QUIET_MS, quietMs) : quietMs
    if (nowMs - sinceMs < leastMs || !this.#hasRoom(nowMs)) return
    this.#underWay.set(slice, nowMs)
    const wish = (record: SliceRecord, to: Epoch) =>
      heirOf(record) === heir ? handedOver(record, heir, to) : null
    void reconfigure(slice, primary, (isOver) =>
      givenTo(this.#deps, { slice, primary, heir }, isOver, wish),
    )
  }

  /** HO4 */
  giveUp(slice: SliceId, primary: Primary, isTroubled: (copy: MemberId) => boolean): void {
    const heir = primary.copies?.others.find(({ member }) => !isTroubled(member))?.member
    void this.#deps.reconfigure(slice, primary, (isOver) =>
      heir === undefined ? raised : leftTo(this.#deps, { slice, primary, heir }, isOver),
    )
  }

  /** HO2 */
  #hasRoom(nowMs: number): boolean {
    for (const [slice, sinceMs] of this.#underWay)
      if (this.#deps.isSettled(slice) || nowMs - sinceMs > LATE_MS) this.#underWay.delete(slice)
    return this.#underWay.size < AT_ONCE
  }
}

/** HO1. The slice as `wish` has it, under the epoch that the heir has promised; where that is null, or it does not promise, it stays. */
export async function givenTo(
  deps: AskingDeps,
  { slice, primary, heir }: Gift,
  isOver: () => boolean,
  wish: (record: SliceRecord, to: Epoch) => SliceRecord | null,
): Promise<SliceWish> {
  const next = epoch(primary.epoch + 1)
  if (!(await promises(deps, { slice, epoch: next }, heir, isOver))) return raised
  return (record, to) => (to === next ? wish(record, to) : null) ?? raised(record, to)
}

/** HO1. The heir is the primary, and this member in sync no more. */
export function leftTo(
  deps: AskingDeps & Pick<HandOverDeps, 'self'>,
  gift: Gift,
  isOver: () => boolean,
): Promise<SliceWish> {
  const { heir } = gift
  return givenTo(deps, gift, isOver, (record, to) =>
    record.primary === deps.self && record.inSync.includes(heir)
      ? takenOver(record, heir, to)
      : null,
  )
}

export interface Gift {
  readonly slice: SliceId
  readonly primary: Primary
  readonly heir: MemberId
}

async function promises(
  deps: AskingDeps,
  of: Of,
  heir: MemberId,
  isOver: () => boolean,
): Promise<boolean> {
  const asking = new Asking(deps, of, isOver)
  const asked = encodeActivate({ ...of, isLearner: false })
  try {
    const answer = await asking.ask(heir, 'activate', asked, readActivation)
    return answer.kind === 'active'
  } catch (error) {
    if (error instanceof Unanswered) return false
    throw error
  }
}
