// What the group's own distribution is compared with: the usual rules. They just move, no receiver is asked; they see what
// members report of their CPU, as old as it is.
import type { Chance } from './chance.ts'

export interface Seen {
  readonly self: number
  /** This member's own load, fresh. */
  readonly load: number
  readonly sessions: readonly { readonly id: number; readonly weight: number }[]
  /** By member, as reported. */
  readonly loads: Float64Array
  readonly capacity: (s: number) => number
  readonly open: readonly boolean[]
}

export type Moves = readonly (readonly [session: number, to: number])[]

const NAIVE_ABOVE = 1.02
const THRESHOLD_ABOVE = 1.1
const RDD_ABOVE = 0.05
const RDD_SHARE = 0.25

/** −1: nobody is open. */
export function leastLoaded(
  { loads, capacity, open }: Pick<Seen, 'loads' | 'capacity' | 'open'>,
  but = -1,
): number {
  let best = -1
  let least = Number.POSITIVE_INFINITY
  open.forEach((isOpen, s) => {
    const u = (loads[s] ?? 0) / capacity(s)
    if (!isOpen || s === but || u >= least) return
    least = u
    best = s
  })
  return best
}

function meanOf({ self, load, loads, capacity, open }: Seen): number {
  let sum = 0
  let all = 0
  open.forEach((isOpen, s) => {
    if (!isOpen) return
    sum += s === self ? load : (loads[s] ?? 0)
    all += capacity(s)
  })
  return sum / all
}

export function naive(seen: Seen, chance: Chance): Moves {
  const { self, load, sessions, capacity } = seen
  if (load / capacity(self) <= meanOf(seen) * NAIVE_ABOVE || sessions.length === 0) return []
  const { id } = sessions[chance.whole(sessions.length)] ?? { id: -1 }
  return [[id, leastLoaded(seen, self)]]
}

export function threshold(seen: Seen): Moves {
  const { self, sessions, capacity } = seen
  const mean = meanOf(seen)
  const loads = Float64Array.from(seen.loads)
  const moves: [number, number][] = []
  let { load } = seen
  const level = mean * capacity(self)
  if (load / capacity(self) <= THRESHOLD_ABOVE * mean) return moves
  for (const { id, weight } of sessions.toSorted((a, b) => b.weight - a.weight || a.id - b.id)) {
    if (load - weight < level) continue
    const to = leastLoaded({ ...seen, loads }, self)
    if (to < 0 || (loads[to] ?? 0) / capacity(to) >= mean) break
    moves.push([id, to])
    load -= weight
    loads[to] = (loads[to] ?? 0) + weight
    if (load <= level) break
  }
  return moves
}

export function rdd(seen: Seen, chance: Chance): Moves {
  const { self, load, loads, sessions, capacity, open } = seen
  const mean = meanOf(seen)
  const moves: [number, number][] = []
  let excess = load - mean * capacity(self)
  if (excess <= RDD_ABOVE * mean * capacity(self)) return moves
  let budget = RDD_SHARE * excess
  const deficit = Array.from(loads, (x, s) =>
    open[s] && s !== self ? Math.max(0, mean * capacity(s) - x) : 0,
  )
  const room = deficit.reduce((a, b) => a + b, 0)
  for (const { id, weight } of chance.shuffle(sessions.filter((one) => one.weight > 0))) {
    if (budget <= 0 || room <= 0) break
    // One that is larger than the budget goes with that probability.
    if (weight > excess || chance.unit() > budget / weight) continue
    moves.push([id, drawnFrom(deficit, chance.unit() * room)])
    budget -= weight
    excess -= weight
  }
  return moves
}

/** The member in whose part of the whole `x` lies. */
function drawnFrom(parts: readonly number[], x: number): number {
  let left = x
  let last = -1
  for (const [s, part] of parts.entries()) {
    if (part <= 0) continue
    last = s
    left -= part
    if (left <= 0) break
  }
  return last
}
