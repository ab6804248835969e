// The yardstick: where somebody would put the sessions who knew the mean demand of the minute and could move without
// limit. Longest processing time first, descent on a smooth stand-in for the maximum where pages are not spread evenly,
// then moves and swaps away from the fullest member.
import type { World } from './world.ts'

export interface Assignment {
  readonly at: Int32Array
  /** The highest utilisation. */
  readonly most: number
}

const LEAST_DROP = 1e-6
const ROUNDS = 400
/** Swaps take long to look for. */
const SWAPS = { even: 400, else: 20 }
const SWAP_SESSIONS_MAX = 2000
const DESCENTS = 12
/** Of one round of who knows. */
const MOVES_MAX = 200

/** `mean`: demand by session; `base`: load by member and resource that no move changes. */
export function clairvoyant(world: World, mean: Float64Array, base: Float64Array): Assignment {
  const search = new Search(world, mean, base)
  search.fill()
  if (!search.even) search.descend()
  search.relieveAll()
  return { at: search.at, most: search.utilisation(search.fullest()) }
}

/** From where sessions are, the fullest member gives to the emptiest, one session at a time, until none is above `limit`; `move` places it. */
export function levelled(
  world: World,
  mean: Float64Array,
  base: Float64Array,
  limit: number,
  move: (session: number, to: number) => void,
): void {
  const search = new Search(world, mean, base)
  search.take(world.gateway)
  for (let moves = 0; moves < MOVES_MAX; moves++) {
    const top = search.fullest()
    if (search.utilisation(top) <= limit) return
    const low = search.emptiest()
    const c = search.bestOf(world.at[top] ?? [], top, low)
    if (c < 0) return
    search.put(c, top, -1)
    search.put(c, low, 1)
    move(c, low)
  }
}

class Search {
  readonly at: Int32Array
  /** Pages of all sessions are spread evenly: a session weighs the same everywhere. */
  readonly even: boolean
  readonly #world: World
  readonly #mean: Float64Array
  readonly #load: Float64Array
  readonly #live: readonly number[]
  readonly #order: readonly number[]
  readonly #resources: number

  constructor(world: World, mean: Float64Array, base: Float64Array) {
    this.#world = world
    this.#mean = mean
    this.#load = Float64Array.from(base)
    this.#live = world.live
    this.#resources = world.resources
    this.at = new Int32Array(mean.length).fill(-1)
    this.even = world.demand.owners.every((own) => own.length === 0)
    const size = Float64Array.from(mean, (asked, c) => (asked > 0 ? this.#size(c) : 0))
    this.#order = Array.from(mean.keys())
      .filter((c) => (mean[c] ?? 0) > 0)
      .sort((a, b) => (size[b] ?? 0) - (size[a] ?? 0) || a - b)
  }

  #size(c: number): number {
    if (this.#resources === 1 && !this.even) return this.#mean[c] ?? 0
    let most = 0
    for (let r = 0; r < this.#resources; r++)
      most = Math.max(most, this.#own(c, this.#live[0] ?? 0, r))
    return most
  }

  #own(c: number, s: number, r: number): number {
    return (this.#mean[c] ?? 0) * this.#world.weight(c, s, r)
  }

  /** Of its fullest resource; with `sign` of session c's weight on top. */
  utilisation(s: number, c = -1, sign = 1): number {
    let most = 0
    for (let r = 0; r < this.#resources; r++) most = Math.max(most, this.#ratio(s, r, c, sign))
    return most
  }

  #ratio(s: number, r: number, c = -1, sign = 1): number {
    const load = this.#load[s * this.#resources + r] ?? 0
    return (load + (c < 0 ? 0 : sign * this.#own(c, s, r))) / this.#world.capacityOf(s, r)
  }

  put(c: number, s: number, sign: 1 | -1): void {
    for (let r = 0; r < this.#resources; r++) {
      const i = s * this.#resources + r
      this.#load[i] = (this.#load[i] ?? 0) + sign * this.#own(c, s, r)
    }
    if (sign === 1) this.at[c] = s
  }

  fullest(): number {
    let top = this.#live[0] ?? 0
    for (const s of this.#live) if (this.utilisation(s) > this.utilisation(top)) top = s
    return top
  }

  emptiest(): number {
    let low = this.#live[0] ?? 0
    for (const s of this.#live) if (this.utilisation(s) < this.utilisation(low)) low = s
    return low
  }

  /** Sessions are where they are. */
  take(gateway: ArrayLike<number>): void {
    for (let c = 0; c < gateway.length; c++) {
      const s = gateway[c] ?? -1
      if (s >= 0 && (this.#mean[c] ?? 0) > 0) this.put(c, s, 1)
    }
  }

  /** The session by which, if it went from one to the other, the maximum of the two would fall most; −1: it would not. */
  bestOf(sessions: Iterable<number>, from: number, to: number): number {
    let least = this.utilisation(from) - 1e-9
    let best = -1
    for (const c of sessions) {
      const u = Math.max(this.utilisation(from, c, -1), this.utilisation(to, c))
      if (u >= least) continue
      least = u
      best = c
    }
    return best
  }

  fill(): void {
    for (const c of this.#order) {
      let best = -1
      let least = Number.POSITIVE_INFINITY
      for (const s of this.#live) {
        const u = this.utilisation(s, c)
        if (u >= least) continue
        least = u
        best = s
      }
      if (best >= 0) this.put(c, best, 1)
    }
  }

  descend(): void {
    for (let pass = 0, changed = true; changed && pass < DESCENTS; pass++) {
      changed = false
      for (const c of this.#order) {
        const from = this.at[c] ?? 0
        const left = this.#steeper(from, c, -1)
        let best = -1
        let least = -1e-9
        for (const s of this.#live) {
          if (s === from) continue
          const change = left + this.#steeper(s, c, 1)
          if (change >= least) continue
          least = change
          best = s
        }
        if (best < 0) continue
        this.put(c, from, -1)
        this.put(c, best, 1)
        changed = true
      }
    }
  }

  #steeper(s: number, c: number, sign: 1 | -1): number {
    let sum = 0
    for (let r = 0; r < this.#resources; r++) {
      sum += steep(this.#ratio(s, r, c, sign)) - steep(this.#ratio(s, r))
    }
    return sum
  }

  relieveAll(): void {
    let swaps = this.even && this.#resources === 1 ? SWAPS.even : SWAPS.else
    for (let round = 0; round < ROUNDS; round++) {
      const top = this.fullest()
      const here = this.#order.filter((c) => this.at[c] === top)
      let found = this.#bestMove(top, here)
      if (found === null && this.at.length <= SWAP_SESSIONS_MAX && swaps-- > 0) {
        found = this.#bestSwap(top, here)
      }
      if (found === null) return
      const { c, s, back } = found
      this.put(c, top, -1)
      this.put(c, s, 1)
      if (back < 0) continue
      this.put(back, s, -1)
      this.put(back, top, 1)
    }
  }

  /** The move away from the fullest member that lowers the maximum of the pair most. */
  #bestMove(top: number, here: readonly number[]): { c: number; s: number; back: number } | null {
    let least = this.utilisation(top) - LEAST_DROP
    let best: { c: number; s: number; back: number } | null = null
    for (const c of here) {
      const left = this.utilisation(top, c, -1)
      if (left >= least) continue
      for (const s of this.#live) {
        if (s === top) continue
        const u = Math.max(left, this.utilisation(s, c))
        if (u >= least) continue
        least = u
        best = { c, s, back: -1 }
      }
    }
    return best
  }

  #bestSwap(top: number, here: readonly number[]): { c: number; s: number; back: number } | null {
    let least = this.utilisation(top) - LEAST_DROP
    let best: { c: number; s: number; back: number } | null = null
    const others = this.#order.filter((c) => this.at[c] !== top)
    const weights = others.map((o) => this.#weightsAt(o, this.at[o] ?? 0))
    const weightsTop = others.map((o) => this.#weightsAt(o, top))
    for (const c of here) {
      const mine = this.#weightsAt(c, top)
      for (const [i, o] of others.entries()) {
        const theirs = weightsTop[i] ?? mine
        const s = this.at[o] ?? 0
        const left = this.#swapped(top, mine, theirs)
        if (left >= least) continue
        const there = this.even && this.#resources === 1 ? mine : this.#weightsAt(c, s)
        const u = Math.max(left, this.#swapped(s, weights[i] ?? mine, there))
        if (u >= least) continue
        least = u
        best = { c, s, back: o }
      }
    }
    return best
  }

  #weightsAt(c: number, s: number): readonly [number, number] {
    return [this.#own(c, s, 0), this.#resources > 1 ? this.#own(c, s, 1) : 0]
  }

  #swapped(s: number, less: readonly [number, number], more: readonly [number, number]): number {
    const n = this.#resources
    const first = ((this.#load[s * n] ?? 0) - less[0] + more[0]) / this.#world.capacityOf(s)
    if (n === 1) return first
    const second = ((this.#load[s * n + 1] ?? 0) - less[1] + more[1]) / this.#world.capacityOf(s, 1)
    return Math.max(first, second)
  }
}

const steep = (u: number) => u ** 16

/** Fewest sessions that must leave the members above `limit` if placed at `at`: the largest first, a valid lower bound. */
export function leastMoves(
  world: World,
  mean: Float64Array,
  base: Float64Array,
  at: Int32Array,
  limit: number,
): number {
  const { members, resources } = world
  const by = Array.from({ length: members }, (): number[] => [])
  at.forEach((s, c) => {
    if (s >= 0 && (mean[c] ?? 0) > 0) by[s]?.push(c)
  })
  let count = 0
  for (let s = 0; s < members; s++) {
    let most = 0
    for (let r = 0; r < resources; r++) {
      const own = (by[s] ?? []).map((c) => (mean[c] ?? 0) * world.weight(c, s, r))
      const load = own.reduce((a, b) => a + b, base[s * resources + r] ?? 0)
      let over = load - limit * world.capacityOf(s, r)
      let k = 0
      for (const x of own.sort((a, b) => b - a)) {
        if (over <= 0) break
        over -= x
        k += 1
      }
      most = Math.max(most, k)
    }
    count += most
  }
  return count
}
