// What it takes to come from one layout to another, and how level a layout is.
import type { MemberId } from '../base/ids.ts'
import type { Layout } from './layout.ts'

/** A copy that is made at `to`, and then given up at `from`. */
export interface Relocation {
  readonly slice: number
  /** null: there is one more than before. */
  readonly from: MemberId | null
  /** null: one less. */
  readonly to: MemberId | null
}

/** The primary's part goes from one member that has a copy to another. */
export interface HandOver {
  readonly slice: number
  readonly from: MemberId
  readonly to: MemberId
}

export interface Relocations {
  readonly copies: readonly Relocation[]
  readonly primaries: readonly HandOver[]
}

/** Both are of the same slices. */
export function relocationsBetween(now: Layout, then: Layout): Relocations {
  const copies: Relocation[] = []
  const primaries: HandOver[] = []
  for (const [slice, before] of now.entries()) {
    const after = then[slice] ?? []
    const gone = before.filter((id) => !after.includes(id))
    const added = after.filter((id) => !before.includes(id))
    for (let at = 0; at < Math.max(gone.length, added.length); at += 1)
      copies.push({ slice, from: gone[at] ?? null, to: added[at] ?? null })
    const [from] = before
    const [to] = after
    if (from !== undefined && to !== undefined && from !== to) primaries.push({ slice, from, to })
  }
  return { copies, primaries }
}

export interface Part {
  readonly copies: number
  readonly primaries: number
}

/** What each member has, those without any too. */
export function partsOf(layout: Layout, members: Iterable<MemberId>): ReadonlyMap<MemberId, Part> {
  const parts = new Map<MemberId, { copies: number; primaries: number }>()
  const part = (id: MemberId) => {
    const found = parts.get(id) ?? { copies: 0, primaries: 0 }
    parts.set(id, found)
    return found
  }
  for (const id of members) part(id)
  for (const slice of layout) {
    for (const id of slice) part(id).copies += 1
    const [primary] = slice
    if (primary !== undefined) part(primary).primaries += 1
  }
  return parts
}

/** The largest beside the mean; 1: level. */
export function unevenness(counts: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0)
  return total === 0 ? 1 : (Math.max(...counts) * counts.length) / total
}
