// Which copies this member makes again, of the slices that it serves: of those that the record wants and that are not in sync, some
// at a time.
//
// Invariants:
//   TC1. Who is in sync and wanted no more leaves when all that are wanted are there (G32 of group/slices.ts).
//   TC2. A member joins by the record as it was before it was proven equal: one that begins with another folder meanwhile has
//        written it once more (DF8 of member/own-copies.ts), and is a learner from the beginning.
//   TC3. Nothing is copied of a slice with volumes of which pages are lost here: which ones is not known by their versions, and they
//        would be zeros elsewhere.
import type { Clock } from '../base/clock.ts'
import type { MemberId, SliceId } from '../base/ids.ts'
import { leaving, missing, raised, withCopy, withoutCopies } from '../group/slices.ts'
import type { AskingDeps } from './asking.ts'
import { CopyPace } from './copy-pace.ts'
import { type CopyWork, countCopied } from './copy-work.ts'
import type { GroupSlices } from './group-slices.ts'
import { Learning, Turns } from './learning.ts'
import type { Primary } from './primary.ts'
import type { Reconfigure, SliceWish } from './tenure.ts'

/** One copy of a slice is made at once, and pages are copied of few slices; who could not be made one is tried again later. */
const AT_ONCE = 64
const COPIED_AT_ONCE = 4
const AGAIN_MS = 1_000

export interface TeachingDeps extends AskingDeps {
  readonly clock: Clock
  readonly group: GroupSlices
  readonly isServed: (slice: SliceId, primary: Primary) => boolean
  readonly reconfigure: Reconfigure
  readonly work: CopyWork
}

export class Teaching {
  /** Since the start. */
  readonly counts = { joined: 0, pages: 0, givenUp: 0 }
  readonly #deps: TeachingDeps
  readonly #pace: CopyPace
  readonly #busy = new Set<SliceId>()
  readonly #notBeforeMs = new Map<MemberId, number>()
  readonly #copying = new Turns(COPIED_AT_ONCE)

  constructor(deps: TeachingDeps) {
    this.#deps = deps
    this.#pace = new CopyPace(deps.clock, deps.work)
  }

  /** Now and then, at a slice that is served with copies. False: all is as it should be. */
  look(slice: SliceId, primary: Primary): boolean {
    primary.copies?.lookAtLearner()
    const record = this.#deps.group.slices[slice]
    if (record === undefined || record.epoch !== primary.epoch || this.#busy.has(slice)) return true
    const left = leaving(record)
    if (left.length > 0) {
      const without: SliceWish = (now, to) => withoutCopies(now, left, to)
      void this.#deps.reconfigure(slice, primary, () => without)
      return true
    }
    const lacking = missing(record)
    if (this.#busy.size >= AT_ONCE || lacking.length === 0) return lacking.length > 0
    const nowMs = this.#deps.clock.nowMs()
    const member = lacking.find((id) => (this.#notBeforeMs.get(id) ?? nowMs) <= nowMs)
    if (member !== undefined && !this.#hasLost(slice)) void this.#teach(slice, primary, member)
    return true
  }

  /** TC3 */
  #hasLost(slice: SliceId): boolean {
    const { store, group } = this.#deps
    for (const { id, lanes } of group.volumes.values())
      if (lanes.includes(slice) && store.hasLost(id)) return true
    return false
  }

  async #teach(slice: SliceId, primary: Primary, member: MemberId): Promise<void> {
    const { copies } = primary
    if (copies === null) return
    this.#busy.add(slice)
    const isOver = () => primary.copies !== copies || !this.#deps.isServed(slice, primary)
    const of = { slice, epoch: primary.epoch }
    const deps = { ...this.#deps, copying: this.#copying, pace: this.#pace }
    const learning = new Learning(deps, of, member, ({ blocks }) => {
      this.counts.pages += 1
      countCopied(this.#deps.work, blocks)
    })
    try {
      const learned = await learning.prepare(primary, copies, isOver)
      if (learned === 'ready' && !isOver()) await this.#join(slice, primary, learning, member)
      else if (learned === 'behind' && !isOver())
        await this.#deps.reconfigure(slice, primary, () => raised)
      else this.#giveUp(member)
      copies.giveUpLearner()
      this.#busy.delete(slice)
    } catch {
      // V5 of slices.ts: the member is about to stop.
    }
  }

  /** R8 */
  async #join(slice: SliceId, primary: Primary, learning: Learning, member: MemberId) {
    await this.#deps.reconfigure(slice, primary, async (isOver) => {
      const proven = this.#deps.group.sliceRevs[slice]
      if ((await learning.prove(isOver)) !== 'ready') {
        this.#giveUp(member)
        return raised
      }
      this.counts.joined += 1
      return (record, to, rev) =>
        rev === proven && missing(record).includes(member)
          ? withCopy(record, member, to)
          : raised(record, to) // TC2
    })
  }

  #giveUp(member: MemberId): void {
    this.counts.givenUp += 1
    this.#notBeforeMs.set(member, this.#deps.clock.nowMs() + AGAIN_MS)
  }
}
