// What makes the in-sync members of a slice equal at the beginning of an epoch: of each page the newest version that one of
// them has (R7). Pure: versions in, a plan out.
//
// Invariants:
//   R7.  Of the versions of a page in the in-sync set the highest wins: every write that was answered is in it, since it was in
//        the store of each of them, and so is every operation that one of them remembers.
//   AL1. A page that is not listed is empty as of the newest tombstone that was folded away there (SI1 of store/slice-index.ts).
//        Two that are empty are equal, whatever their stamps.
import { epoch, type MemberId, type VolumeId, volumeId } from '../base/ids.ts'
import type { PageVersion } from '../store/pages.ts'
import { isAfter, type Stamp } from '../store/stamp.ts'

/** What a member has of a slice. */
export interface Listing {
  readonly pages: readonly PageVersion[]
  readonly folded: Stamp | null
}

/** One page that is not equal everywhere. */
export interface PagePlan {
  readonly volume: VolumeId
  readonly page: number
  /** Who has the newest version; null: the primary itself. */
  readonly from: MemberId | null
  readonly stamp: Stamp
  readonly isEmpty: boolean
  /** Who lacks it, besides the primary. */
  readonly to: readonly MemberId[]
}

interface Version {
  readonly stamp: Stamp
  readonly isEmpty: boolean
}

/** Before every change. */
export const NEVER: Stamp = { epoch: epoch(0), seq: 0 }

/** R7. `own`: the primary's. Whatever differs is in it once. */
export function planAlignment(
  own: Listing,
  others: ReadonlyMap<MemberId, Listing>,
): readonly PagePlan[] {
  const mine = byPage(own)
  const theirs = [...others].map(([member, listing]) => [member, byPage(listing)] as const)
  const keys = new Set(mine.keys())
  for (const [, pages] of theirs) for (const key of pages.keys()) keys.add(key)
  return [...keys].flatMap((key) => {
    const ownVersion = mine.get(key) ?? absent(own)
    const versions = theirs.map(
      ([member, pages]) => [member, pages.get(key) ?? absent(others.get(member) ?? own)] as const,
    )
    const plan = planPage(key, ownVersion, versions)
    return plan === null ? [] : [plan]
  })
}

/** Null: all are equal. */
function planPage(
  key: string,
  own: Version,
  others: readonly (readonly [MemberId, Version])[],
): PagePlan | null {
  let best = own
  let from: MemberId | null = null
  for (const [member, version] of others) {
    if (!isNewer(version, best)) continue
    best = version
    from = member
  }
  const isOwnEqual = isEqual(own, best)
  const to = others
    .filter(([member, version]) => member !== from && !isEqual(version, best))
    .map(([member]) => member)
  if (isOwnEqual && to.length === 0) return null
  return { ...placeOf(key), ...best, from: isOwnEqual ? null : from, to }
}

/** R8: the primary's version wins wherever a learner's differs from it. */
export function planLearning(
  own: Listing,
  learner: Listing,
  member: MemberId,
): readonly PagePlan[] {
  const mine = byPage(own)
  const theirs = byPage(learner)
  const plans: PagePlan[] = []
  for (const key of new Set([...mine.keys(), ...theirs.keys()])) {
    const best = mine.get(key) ?? absent(own)
    const version = theirs.get(key) ?? absent(learner)
    if (isEqual(version, best)) continue
    plans.push({ ...placeOf(key), ...best, from: null, to: [member] })
  }
  return plans
}

function placeOf(key: string): Pick<PagePlan, 'volume' | 'page'> {
  const [volume = 0, page = 0] = key.split(':').map(Number)
  return { volume: volumeId(volume), page }
}

function byPage({ pages }: Listing): ReadonlyMap<string, Version> {
  return new Map(
    pages.map(({ volume, page, stamp, isTombstone }) => [
      `${volume}:${page}`,
      { stamp, isEmpty: isTombstone },
    ]),
  )
}

/** AL1 */
function absent({ folded }: Listing): Version {
  return { stamp: folded ?? NEVER, isEmpty: true }
}

function isEqual(a: Version, b: Version): boolean {
  if (a.isEmpty || b.isEmpty) return a.isEmpty && b.isEmpty
  return a.stamp.epoch === b.stamp.epoch && a.stamp.seq === b.stamp.seq
}

function isNewer(a: Version, b: Version): boolean {
  if (isAfter(a.stamp, b.stamp)) return true
  return !a.isEmpty && b.isEmpty && !isAfter(b.stamp, a.stamp)
}
