// What people are told of where slices lie, what would move to make that level, and their order to move it.
//
// Invariants:
//   LD1. What is ordered is what is wanted of each slice, by compare-and-swap on what was read: nothing of who has it now changes, and
//        an order that is given twice, or was half written, comes to the same.
//   LD2. Nobody is given copies who does not answer, and no slice is to need more copies in sync than it has: its writes would wait.
import { refusal } from '../api/errors.ts'
import type { Layout, LayoutPlan, LayoutRequest } from '../api/layout-schema.ts'
import { answered, type Outcome } from '../api/refusals.ts'
import { type MemberId, NO_REVISION, type Revision } from '../base/ids.ts'
import { usable } from '../coordination/group-view.ts'
import { retry } from '../coordination/retry.ts'
import { refuseCopies } from '../group/founding.ts'
import { parseSlice } from '../group/parse.ts'
import { keys, type SliceRecord } from '../group/record.ts'
import {
  changeSlices,
  missing,
  type SliceChange,
  type StoredSlice,
  usualMin,
  wanting,
} from '../group/slices.ts'
import { equalBearers, layOut, type Layout as Rows } from '../placement/layout.ts'
import { type Part, partsOf, relocationsBetween, unevenness } from '../placement/relocations.ts'
import { sliceCountsOf } from './copies.ts'
import { hearNews, type ShownMember } from './shown-member.ts'
import type { Summary } from './summary.ts'

type Summaries = ReadonlyMap<MemberId, Summary>

/** A caller waits for 10 s. */
const PACE = { tries: 40, everyMs: 25, forMs: 6_000 }

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
    const parts = partsOf(slices.map(rowNow), this.#ids())
    const countOf = (has: (slice: SliceRecord) => boolean) => slices.filter(has).length
    return {
      slices: sliceCountsOf(slices, (id) => !summaries.has(id)),
      evenness: evennessOf(parts),
      underWay: underWayIn(slices),
      members: [...parts].map(([member, { copies, primaries }]) => ({
        ...{ member, primaries, copies },
        missing: countOf((slice) => missing(slice).includes(member)),
        leaving: countOf(({ inSync, want }) => inSync.includes(member) && !want.includes(member)),
      })),
    }
  }

  /** As level as it can be, over all members that there are: docs in placement/DESIGN.md. */
  async plan({ copies }: LayoutRequest): Promise<Outcome<'planLayout', LayoutPlan>> {
    const { slices } = this.#member.group
    const tooFew = this.#refuse(copies)
    return tooFew ?? answered(this.#planOf(slices, copies, await this.#summaries()))
  }

  /** LD1 LD2 */
  async apply({ copies }: LayoutRequest): Promise<Outcome<'applyLayout', LayoutPlan>> {
    await hearNews(this.#member)
    const { group, ports, keeper } = this.#member
    const tooFew = this.#refuse(copies)
    if (tooFew !== null) return tooFew
    const summaries = await this.#summaries()
    const plan = this.#planOf(group.slices, copies, summaries)
    const silent = plan.members.find(
      ({ member, takes }) => takes > 0 && !isHeard(summaries, member),
    )
    if (silent !== undefined)
      return refusal(
        'memberSilent',
        `${silent.member} does not answer, and would be given copies of ${silent.takes} slices`,
      )
    const few = copies === undefined ? 0 : group.slices.filter(needsMore(copies)).length
    if (few > 0)
      return refusal(
        'copiesMissing',
        `of ${few} slices fewer than ${usualMin(copies ?? 1)} copies are in sync, which writes need with ${copies}`,
      )
    const rev = await retry(ports.clock, PACE, () => this.#order(copies))
    if (rev === null)
      return refusal('coordinatorDown', 'not all of it could be written down now; order it again')
    await retry(ports.clock, PACE, async () => ((await group.refresh()) ? true : null))
    if (!(await keeper.written(rev)))
      return refusal(
        'recordNotKept',
        'it is ordered, but this member could not add it to its own copy of the group record',
      )
    return answered({ ...plan, underWay: underWayIn(group.slices) })
  }

  /** The revision of the last change. Null: the coordinator does not answer, or a slice changed meanwhile. */
  async #order(copies: number | undefined): Promise<Revision | null> {
    const { coordinator } = this.#member.ports
    const listed = await coordinator.list(keys.slices)
    if (listed.kind !== 'done') return null
    const stored = listed.items.map(
      ({ key, value, rev }): StoredSlice => ({
        ...{ id: keys.sliceOf(key), rev },
        record: usable(key, parseSlice(value)),
      }),
    )
    const records = stored.map(({ record }) => record)
    if (copies !== undefined && records.some(needsMore(copies))) return null
    const rows = this.#layOut(records, copies)
    const changes = stored.flatMap((slice, at): SliceChange[] => {
      const { want, min } = slice.record
      const row = rows[at] ?? want
      const to = wanting(slice.record, row, copies === undefined ? min : usualMin(copies))
      return isSame(row, want) && to.min === min ? [] : [{ slice, to }]
    })
    let last = NO_REVISION
    for (const change of changeSlices(changes)) {
      const result = await coordinator.txn(change)
      if (result.kind !== 'done') return null
      last = result.rev
    }
    return last
  }

  #planOf(
    slices: readonly SliceRecord[],
    copies: number | undefined,
    summaries: Summaries,
  ): LayoutPlan {
    const ids = this.#ids()
    const now = slices.map(({ want }) => want)
    const then = this.#layOut(slices, copies)
    const moves = relocationsBetween(now, then)
    const [before, after] = [partsOf(now, ids), partsOf(then, ids)]
    const made = moves.copies.filter(({ to }) => to !== null)
    return {
      wanted: copies ?? mostOf(slices),
      copies: moves.copies.length,
      bytes: bytesOf(made, now, before, summaries),
      primaries: moves.primaries.length,
      underWay: underWayIn(slices),
      evenness: { before: evennessOf(before), after: evennessOf(after) },
      members: [...after].map(([member, part]) => ({
        ...{ member, ...part },
        gives: moves.copies.filter(({ from }) => from === member).length,
        takes: moves.copies.filter(({ to }) => to === member).length,
      })),
      moves: [...moves.copies],
    }
  }

  #layOut(slices: readonly SliceRecord[], copies = mostOf(slices)): Rows {
    const now = slices.map(({ want }) => want)
    return layOut(now, equalBearers(this.#ids()), copies)
  }

  #refuse(copies: number | undefined) {
    const wrong = copies === undefined ? null : refuseCopies(copies, this.#ids().length)
    return wrong === null ? null : refusal('tooFewMembers', wrong.replace(/\.$/, ''))
  }

  #ids(): readonly MemberId[] {
    return [...this.#member.group.members.keys()].sort()
  }
}

function isHeard(summaries: Summaries, member: string): boolean {
  return [...summaries.keys()].some((id) => id === member)
}

/** LD2 */
function needsMore(copies: number): (slice: SliceRecord) => boolean {
  return ({ inSync }) => inSync.length < usualMin(copies)
}

function mostOf(slices: readonly SliceRecord[]): number {
  return Math.max(1, ...slices.map(({ want }) => want.length))
}

/** In order: the first is to be the primary. Of the others it does not matter. */
function isSame(some: readonly MemberId[], others: readonly MemberId[]): boolean {
  return some[0] === others[0] && [...some].sort().join() === [...others].sort().join()
}

function underWayIn(slices: readonly SliceRecord[]): Layout['underWay'] {
  const sum = (of: (slice: SliceRecord) => number) => slices.reduce((all, one) => all + of(one), 0)
  return {
    copies: sum((slice) => missing(slice).length),
    leaving: sum(({ inSync, want }) => inSync.filter((id) => !want.includes(id)).length),
    primaries: sum(({ primary, want }) => (primary === want[0] ? 0 : 1)),
  }
}

/** Who is to have it, its primary of now first. */
function rowNow({ primary, want }: SliceRecord): readonly MemberId[] {
  return want.includes(primary) ? [primary, ...want.filter((id) => id !== primary)] : want
}

function evennessOf(parts: ReadonlyMap<MemberId, Part>): Layout['evenness'] {
  const all = [...parts.values()]
  return {
    copies: unevenness(all.map(({ copies }) => copies)),
    primaries: unevenness(all.map(({ primaries }) => primaries)),
  }
}

/**
 * A copy has as many bytes as its member has for each on average: what each slice has is told by nobody. One more than before is as large as
 * that of who is to be the primary now. null: one of those is silent.
 */
function bytesOf(
  made: readonly { readonly slice: number; readonly from: MemberId | null }[],
  now: Rows,
  before: ReadonlyMap<MemberId, Part>,
  summaries: Summaries,
): number | null {
  let bytes = 0
  for (const { slice, from } of made) {
    const source = from ?? now[slice]?.[0]
    if (source === undefined) continue
    const usedBytes = summaries.get(source)?.usedBytes
    if (usedBytes === undefined) return null
    bytes += usedBytes / Math.max(1, before.get(source)?.copies ?? 1)
  }
  return Math.round(bytes)
}
