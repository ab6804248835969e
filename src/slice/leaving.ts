// A member that is about to stop: what it serves goes on elsewhere before it is gone, and nothing waits for it when it is.
//
//   it gives its part in each slice to a member in sync ──▶ it asks the other primaries to go on without its copies ──▶ it may go
//
// Invariants:
//   LV1. It gives its part away as HO1 of hand-over.ts has it, and is in sync no more by the same record: as if it had been taken
//        over, but that nobody waits. Many slices at once, each tried once: what nobody takes is taken over when it is gone (R6).
//   LV2. A primary that is asked goes on without the copies of that member and of no other, some slices at a time: the copies still
//        take what they are sent, so each slice stands still for its own new epoch alone.
//   LV3. Who is leaving is taught nothing any more, and takes nothing over.
import { sleep } from '../base/clock.ts'
import { type Epoch, type MemberId, type SliceId, sliceId } from '../base/ids.ts'
import type { SliceRecord } from '../group/record.ts'
import { withoutCopies } from '../group/slices.ts'
import { type HandOverDeps, leftTo } from './hand-over.ts'
import type { Primary } from './primary.ts'

/** LV1, LV2. As many as are raised together stand still as long. */
const AT_ONCE = 16
const ASK_MS = 1_000
const AGAIN_MS = 50

export interface LeavingDeps extends Omit<HandOverDeps, 'quietMs' | 'isSettled'> {
  /** Null: it is not served here. */
  readonly served: (slice: SliceId) => Primary | null
}

export interface Leave {
  /** There is no more time, or nobody goes on without this member. */
  readonly isOver: () => boolean
  /** One that stops itself does not. */
  readonly goesOn: (member: MemberId) => boolean
}

export class Leaving {
  /** LV3 */
  isLeaving = false
  readonly #deps: LeavingDeps

  constructor(deps: LeavingDeps) {
    this.#deps = deps
  }

  /** LV1, LV2. Settles when nothing waits for this member any more, or it is over. */
  async leave(how: Leave): Promise<void> {
    this.isLeaving = true
    const left = this.#deps.group.slices.keys()
    const giveSome = async () => {
      for (const index of left) if (!how.isOver()) await this.#give(sliceId(index), how)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, giveSome))
    while (!how.isOver()) {
      const waiting = [...this.#waiting()].filter(how.goesOn)
      if (waiting.length === 0) return
      await Promise.all(
        waiting.map((member) => this.#deps.peers.ask(member, 'leaves', null, ASK_MS)),
      )
      await sleep(this.#deps.clock, AGAIN_MS)
    }
  }

  /** LV2. Another member is leaving. */
  async goOnWithout(member: MemberId): Promise<void> {
    const { group, served, reconfigure } = this.#deps
    const without = (record: SliceRecord, to: Epoch) => withoutCopies(record, [member], to)
    const some: Promise<void>[] = []
    for (const index of group.slices.keys()) {
      const primary = served(sliceId(index))
      if (!hasCopyAt(primary, member) || some.length === AT_ONCE) continue
      some.push(reconfigure(sliceId(index), primary, () => without))
    }
    await Promise.all(some)
  }

  /** LV1 */
  async #give(slice: SliceId, { goesOn }: Leave): Promise<void> {
    const { served, reconfigure } = this.#deps
    const primary = served(slice)
    const heir = primary?.copies?.others.find(({ member }) => goesOn(member))?.member
    if (primary === null || heir === undefined) return
    await reconfigure(slice, primary, (isOver) =>
      leftTo(this.#deps, { slice, primary, heir }, isOver),
    )
  }

  /** Primaries of slices in which this member is in sync. */
  #waiting(): ReadonlySet<MemberId> {
    const { self, group } = this.#deps
    const primaries = new Set<MemberId>()
    for (const { primary, inSync } of group.slices)
      if (primary !== self && inSync.includes(self)) primaries.add(primary)
    return primaries
  }
}

function hasCopyAt(primary: Primary | null, member: MemberId): primary is Primary {
  return primary?.copies?.others.some((other) => other.member === member) ?? false
}
