// The yardstick: where somebody would put the sessions who knew the mean demand of the minute and could move without
// limit. Longest processing time first, descent on a smooth stand-in for the maximum where pages are not uniform, then
// moves and swaps away from the fullest member.
import { weight } from './demand.ts'
import type { World } from './world.ts'

export interface Assignment {
  readonly at: Int32Array
  readonly most: number
}

export function clairvoyant(world: World, mean: Float64Array, base: Float64Array): Assignment {
  const load = Float64Array.from(base)
  const at = new Int32Array(mean.length).fill(-1)
  const live = world.alive.flatMap((alive, s) => (alive ? [s] : []))
  const own = (c: number, s: number) => (mean[c] ?? 0) * weight(world.share(c, s))
  const util = (s: number, more = 0) => ((load[s] ?? 0) + more) / (world.capacity[s] ?? 1)
  const put = (c: number, s: number, sign: 1 | -1) => {
    load[s] = (load[s] ?? 0) + sign * own(c, s)
  }
  const order = Array.from(mean.keys())
    .filter((c) => (mean[c] ?? 0) > 0)
    .sort((a, b) => (mean[b] ?? 0) - (mean[a] ?? 0) || a - b)
  for (const c of order) {
    let best = -1
    let least = Number.POSITIVE_INFINITY
    for (const s of live) {
      const u = util(s, own(c, s))
      if (u < least) {
        least = u
        best = s
      }
    }
    at[c] = best
    put(c, best, 1)
  }
  const search = { at, order, live, own, util, put }
  if (world.demand.owners.some((o) => o.length > 0)) descend(search)
  for (let round = 0; round < 300; round++) if (!relieve(search)) break
  return { at, most: Math.max(...live.map((s) => util(s))) }
}

interface Search {
  readonly at: Int32Array
  readonly order: readonly number[]
  readonly live: readonly number[]
  readonly own: (c: number, s: number) => number
  readonly util: (s: number, more?: number) => number
  readonly put: (c: number, s: number, sign: 1 | -1) => void
}

const steep = (u: number) => u ** 16

function descend({ at, order, live, own, util, put }: Search): void {
  for (let pass = 0, changed = true; changed && pass < 12; pass++) {
    changed = false
    for (const c of order) {
      const from = at[c] ?? 0
      const left = steep(util(from, -own(c, from))) - steep(util(from))
      let best = -1
      let least = -1e-9
      for (const s of live) {
        if (s === from) continue
        const d = left + steep(util(s, own(c, s))) - steep(util(s))
        if (d < least) {
          least = d
          best = s
        }
      }
      if (best < 0) continue
      put(c, from, -1)
      put(c, best, 1)
      at[c] = best
      changed = true
    }
  }
}

/** One move, or else one swap, away from the fullest member that lowers the maximum of the pair. */
function relieve(search: Search): boolean {
  const { at, order, live, own, util, put } = search
  let top = live[0] ?? 0
  for (const s of live) if (util(s) > util(top)) top = s
  const here = order.filter((c) => at[c] === top)
  let least = util(top) - 1e-6
  let best: { c: number; s: number; back: number } | null = null
  for (const c of here) {
    const left = util(top, -own(c, top))
    if (left >= least) continue
    for (const s of live) {
      const u = s === top ? 2 : Math.max(left, util(s, own(c, s)))
      if (u < least) {
        least = u
        best = { c, s, back: -1 }
      }
    }
  }
  best ??= bestSwap(search, here, top)
  if (best === null) return false
  const { c, s, back } = best
  put(c, top, -1)
  put(c, s, 1)
  at[c] = s
  if (back >= 0) {
    put(back, s, -1)
    put(back, top, 1)
    at[back] = top
  }
  return true
}

function bestSwap(
  { at, order, own, util }: Search,
  here: readonly number[],
  top: number,
): { c: number; s: number; back: number } | null {
  let least = util(top) - 1e-6
  let best: { c: number; s: number; back: number } | null = null
  for (const back of order) {
    const s = at[back] ?? 0
    if (s === top) continue
    const backThere = own(back, top)
    const backHere = own(back, s)
    for (const c of here) {
      const left = util(top, backThere - own(c, top))
      if (left >= least) continue
      const u = Math.max(left, util(s, own(c, s) - backHere))
      if (u < least) {
        least = u
        best = { c, s, back }
      }
    }
  }
  return best
}
