// From which primaries this member takes slices over, and how: those that are silent, once its grants to them are over, and those that
// are dead at once (PD1 of lease.ts).
//
// Invariants:
//   R6. A member takes over only slices in which it is in sync, from a primary to which its own grant is over (lease.ts). One that
//       is not in sync takes over nothing.
import type { Epoch, MemberId, SliceId } from '../base/ids.ts'
import type { SliceRecord } from '../group/record.ts'
import { type StoredSlice, takenOver } from '../group/slices.ts'
import { takeOver } from './activation.ts'
import type { Beacons } from './beacons.ts'
import { mayTry, SilentLooks } from './copy-looks.ts'
import type { GroupSlices } from './group-slices.ts'
import { none, type Role } from './role.ts'
import type { TenureDeps } from './tenure.ts'

export interface TakeOversDeps {
  readonly group: GroupSlices
  readonly tenure: TenureDeps
  readonly beacons: Beacons
  readonly roles: readonly Role[]
  /** A slice that was raised in this member's name. */
  readonly come: (stored: StoredSlice) => void
}

export class TakeOvers {
  readonly #deps: TakeOversDeps
  readonly #silent = new SilentLooks()
  readonly #underWay = new Set<MemberId>()

  constructor(deps: TakeOversDeps) {
    this.#deps = deps
  }

  /** Now and then. */
  look(): void {
    const { group, beacons, tenure } = this.#deps
    const { self } = tenure
    const primaries = new Set<MemberId>()
    for (const { primary, inSync } of group.slices)
      if (primary !== self && inSync.includes(self)) primaries.add(primary)
    for (const primary of primaries) {
      const isSilent = beacons.mayTakeOver(primary)
      this.#silent.isSilent(primary, isSilent)
      if (isSilent && !this.#underWay.has(primary)) void this.#takeOver(primary)
    }
  }

  /** A process of that member is dead. */
  died(member: MemberId): void {
    this.#silent.proven(member)
    this.look()
  }

  async #takeOver(from: MemberId): Promise<void> {
    const { group, tenure, beacons, come } = this.#deps
    const { self } = tenure
    const looks = this.#silent.count(from)
    const mayTake = ({ primary, inSync }: SliceRecord) =>
      primary === from &&
      mayTry(looks, inSync.filter((member) => member !== from).indexOf(self)) &&
      inSync.includes(self)
    if (!group.slices.some(mayTake)) return
    this.#underWay.add(from)
    try {
      for (;;) {
        const activation = await takeOver(tenure, from, beacons.grants, {
          wish: ({ id, record }, to) =>
            mayTake(record) && this.#mayLeave(id) ? takenOver(record, self, to) : null,
          before: (epochs) => Promise.all([...epochs].map(([id, to]) => this.#standDown(id, to))),
        })
        if (activation === null) return
        tenure.load(activation)
        for (const stored of activation.slices.values()) come(stored)
      }
    } catch {
      // V5 of slices.ts: the member is about to stop.
    } finally {
      this.#underWay.delete(from)
    }
  }

  #mayLeave(slice: SliceId): boolean {
    const { kind } = this.#deps.roles[slice] ?? none
    return kind === 'none' || kind === 'copy'
  }

  async #standDown(slice: SliceId, to: Epoch): Promise<void> {
    const role = this.#deps.roles[slice]
    if (role?.kind === 'copy') await role.standDown(to)
  }
}
