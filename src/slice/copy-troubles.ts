// What this member as a primary knows against its copies, by slice: from when an epoch is served until it is not.
import type { Clock } from '../base/clock.ts'
import type { MemberId, SliceId } from '../base/ids.ts'
import type { Beacons } from './beacons.ts'
import { type Measure, measureOf, SilentLooks } from './copy-looks.ts'
import type { Trouble } from './copy-set.ts'
import { LEASE_MS } from './lease.ts'
import type { Primary } from './primary.ts'

/** A lease that has been over for so long is not coming. */
const LEASE_LATE_MS = 500

interface Troubles {
  readonly sinceMs: number
  readonly of: Map<MemberId, Trouble>
  readonly looks: SilentLooks
}

export class CopyTroubles {
  readonly #clock: Clock
  readonly #beacons: Pick<Beacons, 'leases' | 'grants'>
  readonly #slices = new Map<SliceId, Troubles>()

  constructor(clock: Clock, beacons: Pick<Beacons, 'leases' | 'grants'>) {
    this.#clock = clock
    this.#beacons = beacons
  }

  /** An epoch of it is served with copies. What is to be told of a copy that is not as it should be. */
  begin(slice: SliceId): (member: MemberId, trouble: Trouble) => void {
    const of = new Map<MemberId, Trouble>()
    this.#slices.set(slice, { sinceMs: this.#clock.nowMs(), of, looks: new SilentLooks() })
    return (member, trouble) => of.set(member, trouble)
  }

  end(slice: SliceId): void {
    this.#slices.delete(slice)
  }

  /** Slices that are served with copies. */
  slices(): Iterable<SliceId> {
    return this.#slices.keys()
  }

  /** Since when it is served as it is; null: not with copies. */
  sinceMs(slice: SliceId): number | null {
    return this.#slices.get(slice)?.sinceMs ?? null
  }

  has(slice: SliceId, copy: MemberId): boolean {
    return this.#slices.get(slice)?.of.has(copy) === true
  }

  /** What is to be done about its copies, as of this look; null: nothing. */
  measure(slice: SliceId, { copies }: Primary): Measure | null {
    const troubles = this.#slices.get(slice)
    if (copies === null || troubles === undefined) return null
    const { sinceMs, of, looks } = troubles
    const { leases, grants } = this.#beacons
    const nowMs = this.#clock.nowMs()
    const silent = copies.silent()
    const mayJudge = nowMs - sinceMs > LEASE_MS + LEASE_LATE_MS
    const isLate = (other: (typeof copies.others)[number]) =>
      mayJudge && !leases.hold([other], nowMs - LEASE_LATE_MS)
    const seen = copies.others.map((other) => ({
      member: other.member,
      trouble: of.get(other.member) ?? null,
      hasRestarted: leases.hasRestarted(other),
      isDead: grants.isDead(other),
      isSilent: other.member === silent || isLate(other),
    }))
    return measureOf(seen, looks)
  }
}
