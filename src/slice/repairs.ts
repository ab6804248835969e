// What is known to be damaged in this member's store, mended page by page: what scrubbing, a read or another member's fetch has found.
//
// Invariants:
//   RP1. Each page that is known to be damaged is tried again until it is whole, here one at a time, with a rest as long as it took;
//        those first of which it is not known that no copy in sync has what is lost.
//   RP2. Nobody is asked for a page of a slice in which this member is not in sync, or alone: as a learner it gets the pages anyway,
//        and of its only copy nobody has another.
import { type Clock, sleep } from '../base/clock.ts'
import type { MemberId, VolumeId } from '../base/ids.ts'
import { PAGE_BYTES } from '../base/sizes.ts'
import type { SliceRecord } from '../group/record.ts'
import type { PageStore } from '../store/page-store.ts'
import type { Mended } from './copy-messages.ts'
import type { GroupSlices } from './group-slices.ts'
import { sliceAt } from './lanes.ts'

const EVERY_MS = 5_000
/** Pages that are read again at each round, whether or not anybody could mend them: they may have been overwritten. */
const READ_AGAIN = 8

export type Damage =
  /** Another copy in sync may have what is lost. */
  | 'mendable'
  /** None has, as far as is known: who reads it is told so. */
  | 'lost'
  /** This member is not in sync in its slice: nobody reads it here. */
  | 'unused'

export interface RepairsDeps {
  readonly self: MemberId
  readonly clock: Clock
  readonly group: Pick<GroupSlices, 'volumes' | 'slices'>
  readonly store: Pick<PageStore, 'damagedPages' | 'lookAtDamaged' | 'failure'>
  readonly mend: (volume: VolumeId, page: number) => Promise<Mended>
}

export class Repairs {
  readonly #deps: RepairsDeps
  /** No copy in sync had what is lost, when that was last tried. */
  #hopeless: ReadonlySet<string> = new Set()
  #isStopped = false

  constructor(deps: RepairsDeps) {
    this.#deps = deps
  }

  start(): void {
    void this.#run()
  }

  stop(): void {
    this.#isStopped = true
  }

  /** What the damage of a page means. */
  judge(volume: VolumeId, page: number): Damage {
    const record = this.#recordOf(volume, page)
    const { self } = this.#deps
    if (record !== null && !record.inSync.includes(self)) return 'unused'
    const isLost = this.#hopeless.has(keyOf(volume, page)) || !this.#isElsewhere(volume, page)
    return isLost ? 'lost' : 'mendable'
  }

  async #run(): Promise<void> {
    const { clock, store } = this.#deps
    while (!this.#isStopped && store.failure() === null) {
      try {
        await this.#round()
      } catch (error) {
        if (store.failure() === null) throw error
      }
      await sleep(clock, EVERY_MS)
    }
  }

  async #round(): Promise<void> {
    const { clock, store, mend } = this.#deps
    await store.lookAtDamaged(READ_AGAIN)
    const hopeless = this.#hopeless
    const isHopeless = ({ volume, page }: { volume: VolumeId; page: number }) =>
      hopeless.has(keyOf(volume, page))
    const all = store.damagedPages()
    const none = new Set(all.filter(isHopeless).map(({ volume, page }) => keyOf(volume, page)))
    const inTurn = [...all.filter((one) => !isHopeless(one)), ...all.filter(isHopeless)]
    this.#hopeless = none
    for (const { volume, page } of inTurn) {
      if (this.#isStopped) return
      if (!this.#isElsewhere(volume, page)) continue
      const sinceMs = clock.nowMs()
      const mended = await mend(volume, page)
      if (mended === 'none') none.add(keyOf(volume, page))
      if (mended === 'good') none.delete(keyOf(volume, page))
      await sleep(clock, clock.nowMs() - sinceMs)
    }
  }

  /** RP2 */
  #isElsewhere(volume: VolumeId, page: number): boolean {
    const record = this.#recordOf(volume, page)
    return record !== null && record.inSync.length > 1 && record.inSync.includes(this.#deps.self)
  }

  #recordOf(volume: VolumeId, page: number): SliceRecord | null {
    const { group } = this.#deps
    const striped = group.volumes.get(volume)
    if (striped === undefined) return null
    return group.slices[sliceAt(striped, page * PAGE_BYTES)] ?? null
  }
}

function keyOf(volume: VolumeId, page: number): string {
  return `${volume}:${page}`
}
