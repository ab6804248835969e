// One gauge: how many requests wait now that would not if the group's work were spread in proportion to capacity, and
// the part of it that no move of a session can mend.
import { effective, waiting } from './judge.ts'
import type { Policy } from './policy.ts'
import type { End } from './view.ts'

export interface Imbalance {
  /** Request-seconds each second that perfect balance would save. */
  readonly cost: number
  /** Of these, what remains if all sessions could be spread like water over what the bases leave. */
  readonly fixed: number
}

/** `bases`: load by resource that does not move with sessions, in the order of `ends`. */
export function imbalance(
  ends: readonly End[],
  bases: readonly (readonly number[])[],
  policy: Policy,
): Imbalance {
  let now = 0
  let level = 0
  let best = 0
  for (let r = 0; r < (ends[0]?.capacity.length ?? 0); r++) {
    const members = ends.map((end, i) => ({
      capacity: end.capacity[r] ?? 1,
      load: effective(end.load.slow[r] ?? 0, end.load.variance[r] ?? 0, policy.burstMargin),
      base: Math.max(0, bases[i]?.[r] ?? 0),
    }))
    const capacity = members.reduce((sum, m) => sum + m.capacity, 0)
    const load = members.reduce((sum, m) => sum + m.load, 0)
    const water = waterLevel(members, load)
    for (const m of members) now += m.capacity * waiting(m.load / m.capacity)
    level += capacity * waiting(load / capacity)
    for (const m of members) best += m.capacity * waiting(Math.max(water, m.base / m.capacity))
  }
  const cost = Math.max(0, now - level)
  return { cost, fixed: Math.min(cost, Math.max(0, best - level)) }
}

function waterLevel(
  members: readonly { readonly capacity: number; readonly base: number }[],
  load: number,
): number {
  const sorted = [...members].sort((a, b) => a.base / a.capacity - b.base / b.capacity)
  let capacity = 0
  let level = 0
  for (const [i, m] of sorted.entries()) {
    capacity += m.capacity
    const above = sorted.slice(i + 1).reduce((sum, x) => sum + x.base, 0)
    level = (load - above) / capacity
    const next = sorted[i + 1]
    if (next === undefined || level <= next.base / next.capacity) break
  }
  return Math.max(0, level)
}
