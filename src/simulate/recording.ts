// A recording of a real group (`evenkeel balance record`) as a world: each session asks for what it was seen to ask for, and
// what no move changes is what it was, while another policy decides. Costs are those that the members went by.
//
// RP1. Replayed with the moves that were made ('recorded'), every member has the load that was recorded.
import { BACK, type Demand, ON } from './demand.ts'
import type { Params } from './scenario.ts'

/** By resource; of each only the first, CPU, is replayed. */
type ByResource = readonly number[]

export interface RecordedMember {
  readonly member: string
  readonly entries: readonly {
    readonly atMs: number
    readonly capacity: ByResource
    /** What no move of a session changes. */
    readonly base: ByResource
    readonly sessions: readonly (readonly [
      id: number,
      remote: ByResource,
      local: ByResource,
      elsewhere: number,
      owners: readonly (readonly [member: string, share: number])[],
    ])[]
  }[]
}

export interface Recording {
  readonly everySeconds: number
  readonly members: readonly RecordedMember[]
}

/** A member of which nothing is kept for so many entries was away. */
const AWAY_ENTRIES = 3
/** A piece forwarded is part of what a request costs, which must stay above nothing. */
const SAVED_MAX = 2.4

interface Lived {
  readonly id: number
  readonly q: Float64Array
  /** The member that served it; −1: it is not there. */
  readonly at: Int32Array
  first: number
  last: number
  remote: number
  local: number
  elsewhere: number
  owners: readonly (readonly [string, number])[]
}

export class RecordedDemand implements Demand {
  /** What members and sessions are called in the group, by their numbers here. */
  readonly names: readonly string[]
  readonly ids: readonly number[]
  readonly members: number
  readonly resources = 1
  readonly capacity: Float64Array
  readonly count: number
  readonly mean: Float64Array
  readonly home: Int32Array
  readonly fixedPlace = true
  readonly loginAt: Float64Array
  readonly endsAt: Float64Array
  readonly owners: [number, number][][]
  readonly rest: Float64Array
  readonly ratio: Float64Array
  readonly saved: Float64Array
  readonly stored = 0
  readonly copied = 0
  readonly q: Float64Array
  readonly seconds: number
  readonly #every: number
  readonly #base: readonly Float64Array[]
  readonly #sessions: readonly Lived[]
  /** By member, first and last entry. */
  readonly #seen: readonly (readonly [number, number])[]

  constructor({ everySeconds, members }: Recording) {
    const told = members.filter(({ entries }) => entries.length > 0)
    this.#every = everySeconds
    this.names = told.map(({ member }) => member)
    this.members = told.length
    const times = told.flatMap(({ entries }) => entries.map(({ atMs }) => atMs))
    const begin = times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
    const end = times.reduce((a, b) => Math.max(a, b), 0)
    const at = (ms: number) => Math.floor((ms - begin) / (1000 * everySeconds))
    const windows = times.length === 0 ? 0 : at(end) + 1
    this.seconds = windows * everySeconds
    this.capacity = Float64Array.from(told, ({ entries }) => entries.at(-1)?.capacity[0] ?? 1)
    const sessions = new Map<number, Lived>()
    this.#base = told.map((member, s) => takeIn(member, s, { windows, at, sessions }))
    this.#seen = told.map(({ entries }) => [
      at(entries[0]?.atMs ?? 0),
      at(entries.at(-1)?.atMs ?? 0),
    ])
    this.#sessions = [...sessions.values()].sort((a, b) => a.id - b.id)
    for (const session of this.#sessions) closeGaps(session)
    this.count = this.#sessions.length
    this.ids = this.#sessions.map(({ id }) => id)
    const each = (of: (session: Lived) => number) => Float64Array.from(this.#sessions, of)
    this.mean = each(({ q, first, last }) => sum(q) / (last - first + 1))
    this.home = Int32Array.from(this.#sessions, (one) => one.at[one.first] ?? 0)
    this.loginAt = each(({ first }) => first * everySeconds)
    this.endsAt = each(({ last }) =>
      last + 1 >= windows ? Number.POSITIVE_INFINITY : (last + 1) * everySeconds,
    )
    this.owners = this.#sessions.map(({ owners, elsewhere }) =>
      owners.flatMap(([name, share]): [number, number][] => {
        const s = this.names.indexOf(name)
        return s < 0 || share <= elsewhere ? [] : [[s, share - elsewhere]]
      }),
    )
    this.rest = Float64Array.from(this.owners, (own) =>
      Math.max(
        0,
        own.reduce((left, [, v]) => left - v, 1),
      ),
    )
    this.ratio = new Float64Array(this.count)
    this.saved = each(({ remote, local }) =>
      remote > 0 ? Math.min(SAVED_MAX, (ON * local) / remote) : BACK,
    )
    this.q = new Float64Array(this.count)
  }

  /** The world besides its demand: members that came, and went. */
  get params(): Params {
    const windows = this.seconds / this.#every
    const later = this.#seen.flatMap(([first], s) => (first >= AWAY_ENTRIES ? [s] : []))
    const gone = this.#seen.flatMap(([, last], s) => (last + AWAY_ENTRIES < windows ? [s] : []))
    const event = (type: 'join' | 'leave', s: number, entry: number) => ({
      ...{ t: entry * this.#every, type, s },
    })
    return {
      N: this.members,
      horizon: this.seconds,
      startDown: later,
      events: [
        ...later.map((s) => event('join', s, this.#seen[s]?.[0] ?? 0)),
        ...gone.map((s) => event('leave', s, (this.#seen[s]?.[1] ?? 0) + 1)),
      ],
    }
  }

  /** Where it was really served then; −1: nowhere. */
  servedAt(c: number, t: number): number {
    return this.#sessions[c]?.at[Math.floor(t / this.#every)] ?? -1
  }

  step(t: number): void {
    const entry = Math.floor(t / this.#every)
    for (let c = 0; c < this.count; c++) this.q[c] = this.#sessions[c]?.q[entry] ?? 0
  }

  background(s: number, t: number): number {
    return this.#base[s]?.[Math.floor(t / this.#every)] ?? 0
  }

  backAt(): { due: number; endsAt: number } {
    return { due: Number.POSITIVE_INFINITY, endsAt: Number.POSITIVE_INFINITY }
  }
}

/** What one member has kept, into the sessions; returns its base by entry. */
function takeIn(
  { entries }: RecordedMember,
  s: number,
  into: {
    readonly windows: number
    readonly at: (ms: number) => number
    readonly sessions: Map<number, Lived>
  },
): Float64Array {
  const { windows, at, sessions } = into
  const base = new Float64Array(windows)
  let filled = 0
  for (const entry of entries) {
    const k = at(entry.atMs)
    const before = base[filled] ?? 0
    for (let i = filled + 1; i < k; i++) base[i] = before
    base[k] = entry.base[0] ?? 0
    filled = k
    for (const [id, [remote = 0], [local = 0], elsewhere, owners] of entry.sessions) {
      let lived = sessions.get(id)
      if (lived === undefined) {
        const at = new Int32Array(windows).fill(-1)
        lived = {
          ...{ id, q: new Float64Array(windows), at, first: k, last: k },
          ...{ remote: 0, local: 0, elsewhere: 0, owners: [] },
        }
        sessions.set(id, lived)
      }
      lived.q[k] = remote / ON
      lived.at[k] = s
      lived.first = Math.min(lived.first, k)
      lived.last = Math.max(lived.last, k)
      lived.remote += remote
      lived.local += local
      lived.elsewhere = elsewhere
      lived.owners = owners
    }
  }
  return base
}

/** An entry in which nobody had it, as while it was moved, is as the one before. */
function closeGaps({ q, at, first, last }: Lived): void {
  for (let k = first + 1; k <= last; k++) {
    if ((at[k] ?? -1) >= 0) continue
    q[k] = q[k - 1] ?? 0
    at[k] = at[k - 1] ?? -1
  }
}

const sum = (list: Float64Array) => list.reduce((a, b) => a + b, 0)
