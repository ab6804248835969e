// How often the slices of this member have changed, as it sees it in the group record: taken over, handed over, left by a copy,
// joined by one. Pure but for what it remembers.
import type { SliceChangeCounts } from '../api/readings.ts'
import type { MemberId } from '../base/ids.ts'
import type { SliceRecord } from '../group/record.ts'

export class SliceChanges {
  readonly #self: MemberId
  #before: readonly SliceRecord[] = []
  #counts = { takenOver: 0, handedOver: 0, left: 0, joined: 0 }

  constructor(self: MemberId) {
    this.#self = self
  }

  get counts(): SliceChangeCounts {
    return this.#counts
  }

  /** Of what this member is the primary now; what lasted for less than a look is not counted. */
  look(slices: readonly SliceRecord[]): void {
    const counts = { ...this.#counts }
    for (const [id, now] of slices.entries()) {
      const before = this.#before[id]
      if (before === undefined || before === now || now.primary !== this.#self) continue
      const isOthers = before.primary !== now.primary
      if (isOthers && now.inSync.includes(before.primary)) counts.handedOver += 1
      else if (isOthers) counts.takenOver += 1
      counts.left += before.inSync.filter((one) => !now.inSync.includes(one)).length
      counts.joined += now.inSync.filter((one) => !before.inSync.includes(one)).length
    }
    this.#before = [...slices]
    this.#counts = counts
  }
}
