// What people are told of where slices lie, and what would move to make that level.
import type { Layout, LayoutPlan } from '../api/layout-schema.ts'
import type { MemberId } from '../base/ids.ts'
import type { SliceRecord } from '../group/record.ts'
import { missing } from '../group/slices.ts'
import { equalBearers, layOut } from '../placement/layout.ts'
import { type Part, partsOf, relocationsBetween, unevenness } from '../placement/relocations.ts'
import { sliceCountsOf } from './copies.ts'
import type { ShownMember } from './shown-member.ts'
import type { Summary } from './summary.ts'

type Summaries = ReadonlyMap<MemberId, Summary>

export class LayoutDesk {
  readonly #member: ShownMember
  readonly #summaries: () => Promise<Summaries>

  constructor(member: ShownMember, summaries: () => Promise<Summaries>) {
    this.#member = member
    this.#summaries = summaries
  }

  async show(): Promise<Layout> {
    const summaries = await this.#summaries()
    const { slices } = this.#member.group
    const parts = partsOf(slices.map(rowOf), this.#ids())
    const countOf = (has: (slice: SliceRecord) => boolean) => slices.filter(has).length
    return {
      slices: sliceCountsOf(slices, (id) => !summaries.has(id)),
      evenness: evennessOf(parts),
      members: [...parts].map(([member, { copies, primaries }]) => ({
        ...{ member, primaries, copies },
        missing: countOf((slice) => missing(slice).includes(member)),
        leaving: countOf(({ inSync, want }) => inSync.includes(member) && !want.includes(member)),
      })),
    }
  }

  /** As level as it can be, over all members that there are: docs in placement/DESIGN.md. */
  async plan(): Promise<LayoutPlan> {
    const { slices } = this.#member.group
    const ids = this.#ids()
    const now = slices.map(rowOf)
    const copies = Math.max(1, ...slices.map(({ want }) => want.length))
    const then = layOut(now, equalBearers(ids), copies)
    const moves = relocationsBetween(now, then)
    const [before, after] = [partsOf(now, ids), partsOf(then, ids)]
    return {
      copies: moves.copies.length,
      bytes: bytesOf(moves.copies, before, await this.#summaries()),
      primaries: moves.primaries.length,
      evenness: { before: evennessOf(before), after: evennessOf(after) },
      members: [...after].map(([member, part]) => ({
        ...{ member, ...part },
        gives: moves.copies.filter(({ from }) => from === member).length,
        takes: moves.copies.filter(({ to }) => to === member).length,
      })),
      moves: [...moves.copies],
    }
  }

  #ids(): readonly MemberId[] {
    return [...this.#member.group.members.keys()].sort()
  }
}

/** Who is to have it, its primary first. */
function rowOf({ primary, want }: SliceRecord): readonly MemberId[] {
  return want.includes(primary) ? [primary, ...want.filter((id) => id !== primary)] : want
}

function evennessOf(parts: ReadonlyMap<MemberId, Part>): Layout['evenness'] {
  const all = [...parts.values()]
  return {
    copies: unevenness(all.map(({ copies }) => copies)),
    primaries: unevenness(all.map(({ primaries }) => primaries)),
  }
}

/** A copy has as many bytes as its member has for each on average: what each slice has is told by nobody. null: one of those who give is silent. */
function bytesOf(
  moves: readonly { readonly from: MemberId | null }[],
  before: ReadonlyMap<MemberId, Part>,
  summaries: Summaries,
): number | null {
  let bytes = 0
  for (const { from } of moves) {
    if (from === null) continue
    const usedBytes = summaries.get(from)?.usedBytes
    if (usedBytes === undefined) return null
    bytes += usedBytes / Math.max(1, before.get(from)?.copies ?? 1)
  }
  return Math.round(bytes)
}
