// Which members have the copies of each slice, and which of them is to be its primary: from how it is now and who there is. As
// level as it can be, and no copy moves that need not. Pure: the same question has the same answer on every member.
//
// Invariants:
//   PL2. The copies of a slice are on different members of different failure domains, as many as are wanted, or as there are
//        domains.
//   PL3. Copies are level: each member has its share of all (shares.ts), to the last one.
//   PL4. Primaries are level, too, as far as the copies allow: no change of roles alone would make them more so.
//   PL5. A copy moves only off a member that is not there any more or takes none, out of a domain that has another one, or
//        off a member that has more than its share.
import { assert } from '../base/assert.ts'
import type { MemberId } from '../base/ids.ts'
import { levelled } from './level.ts'
import { preferences } from './rendezvous.ts'
import { sharesOf } from './shares.ts'

/** By slice: the members that have a copy, or are to have one. The first one is the primary. */
export type Layout = readonly (readonly MemberId[])[]

/** A member that may have copies. */
export interface Bearer {
  readonly id: MemberId
  /** What fails as one: two copies of a slice are never in the same. The member itself, as long as all are on one host. */
  readonly domain: string
  /** What it takes beside others; 0: it takes none, and gives back what it has. */
  readonly weight: number
}

/** Members of one host: each is a failure domain of its own, and all take as much. */
export function equalBearers(members: readonly MemberId[]): readonly Bearer[] {
  return members.map((id) => ({ id, domain: id, weight: 1 }))
}

/** `now`: as it is, one entry a slice, which may be empty. */
export function layOut(now: Layout, bearers: readonly Bearer[], copies: number): Layout {
  const laying = new Laying(bearers)
  const rows = now.map((slice) => laying.kept(slice, copies))
  const shares = laying.shares(rows, Math.min(copies, laying.domains))
  for (const [slice, row] of rows.entries()) laying.fill(slice, row, { copies, shares })
  laying.levelCopies(rows, shares, now)
  laying.levelPrimaries(rows)
  return rows.map((row) => row.map((index) => laying.idOf(index)))
}

/** Indices of bearers, the primary first. */
type Row = number[]

class Laying {
  readonly #bearers: readonly Bearer[]
  readonly #preferences: readonly ((slice: number) => number)[]
  readonly #counts: number[]
  readonly domains: number

  constructor(bearers: readonly Bearer[]) {
    const ids = new Set(bearers.map(({ id }) => id))
    assert(ids.size === bearers.length, 'a member is named once')
    this.#bearers = bearers.filter(({ weight }) => weight > 0)
    this.#preferences = this.#bearers.map(({ id, weight }) => preferences(id, weight))
    this.#counts = this.#bearers.map(() => 0)
    this.domains = new Set(this.#bearers.map(({ domain }) => domain)).size
    assert(this.domains > 0, 'there is somebody to take copies')
  }

  idOf(index: number): MemberId {
    return this.#bearer(index).id
  }

  /** PL5. Of two in one domain the first one stays. */
  kept(slice: readonly MemberId[], copies: number): Row {
    const row: Row = []
    for (const id of slice) {
      const index = this.#bearers.findIndex((bearer) => bearer.id === id)
      if (index < 0 || row.length >= copies || !this.#mayTake(row, index)) continue
      row.push(index)
      this.#count(index, 1)
    }
    return row
  }

  /** PL3: first of the domains, then of the members of each. */
  shares(rows: readonly Row[], copies: number): readonly number[] {
    const domains = Map.groupBy(this.#bearers.keys(), (index) => this.#bearer(index).domain)
    const claims = [...domains.values()].map((indices) => this.#claim(indices))
    const ofDomains = sharesOf(rows.length * copies, claims, rows.length)
    const shares = this.#bearers.map(() => 0)
    for (const [at, indices] of [...domains.values()].entries()) {
      const parts = sharesOf(
        ofDomains[at] ?? 0,
        indices.map((index) => this.#claim([index])),
        rows.length,
      )
      for (const [within, index] of indices.entries()) shares[index] = parts[within] ?? 0
    }
    return shares
  }

  /** Whoever the slice prefers of those below their share; if there is none, of all: what is levelled then has not moved yet. */
  fill(
    slice: number,
    row: Row,
    { copies, shares }: { readonly copies: number; readonly shares: readonly number[] },
  ): void {
    while (row.length < Math.min(copies, this.domains)) {
      const able = [...this.#bearers.keys()].filter((index) => this.#mayTake(row, index))
      const below = able.filter((index) => this.#countOf(index) < (shares[index] ?? 0))
      const chosen = this.#preferred(slice, below.length > 0 ? below : able)
      row.push(chosen)
      this.#count(chosen, 1)
    }
  }

  /** PL3, PL5: what has just been laid passes on before what has lain. */
  levelCopies(rows: readonly Row[], shares: readonly number[], now: Layout): void {
    const hasLain = (slice: number, index: number) =>
      now[slice]?.includes(this.idOf(index)) === true
    levelled({
      counts: this.#counts,
      shares,
      held: heldBy(rows, this.#counts.length),
      may: (slice, from, to) => this.#mayTake(rowOf(rows, slice), to, from),
      liking: (slice, from, to) =>
        hasLain(slice, from) ? this.#preference(slice, to) : Number.POSITIVE_INFINITY,
      move: (slice, from, to) => {
        const row = rowOf(rows, slice)
        row[row.indexOf(from)] = to
      },
    })
  }

  /** PL4. */
  levelPrimaries(rows: readonly Row[]): void {
    const firsts = rows.map((row) => row.slice(0, 1))
    const held = heldBy(firsts, this.#counts.length)
    const counts = held.map(({ size }) => size)
    const claims = this.#bearers.map(({ weight }, index) => ({ weight, now: counts[index] ?? 0 }))
    levelled({
      counts,
      shares: sharesOf(rows.length, claims, rows.length),
      held,
      may: (slice, _from, to) => rowOf(rows, slice).includes(to),
      liking: (slice, _from, to) => this.#preference(slice, to),
      move: (slice, _from, to) => {
        const row = rowOf(rows, slice)
        row.splice(row.indexOf(to), 1)
        row.unshift(to)
      },
    })
  }

  /** PL2. `without`: who would make way. */
  #mayTake(row: Row, index: number, without: number | null = null): boolean {
    const { domain } = this.#bearer(index)
    return row.every((other) => other === without || this.#bearer(other).domain !== domain)
  }

  #preferred(slice: number, among: readonly number[]): number {
    const [first, ...others] = among
    assert(first !== undefined, 'PL2: there are as many domains as copies')
    return others.reduce(
      (best, index) =>
        this.#preference(slice, index) > this.#preference(slice, best) ? index : best,
      first,
    )
  }

  #preference(slice: number, index: number): number {
    return this.#preferences[index]?.(slice) ?? 0
  }

  #claim(indices: readonly number[]) {
    return {
      weight: indices.reduce((sum, index) => sum + this.#bearer(index).weight, 0),
      now: indices.reduce((sum, index) => sum + this.#countOf(index), 0),
    }
  }

  #countOf(index: number): number {
    return this.#counts[index] ?? 0
  }

  #count(index: number, more: number): void {
    this.#counts[index] = this.#countOf(index) + more
  }

  #bearer(index: number): Bearer {
    const bearer = this.#bearers[index]
    assert(bearer !== undefined, 'an index is of a bearer')
    return bearer
  }
}

function rowOf(rows: readonly Row[], slice: number): Row {
  const row = rows[slice]
  assert(row !== undefined, 'a slice has a row')
  return row
}

/** By bearer: the slices that it is in. */
function heldBy(rows: readonly Row[], bearers: number): readonly Set<number>[] {
  const held = Array.from({ length: bearers }, () => new Set<number>())
  for (const [slice, row] of rows.entries()) for (const index of row) held[index]?.add(slice)
  return held
}
