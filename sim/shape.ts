// How a simulated group is made. By draws of its own: a seed has the same hosts and faults whatever copies its slices have,
// as far as its members are the same.
import { type MemberId, memberId } from '../src/base/ids.ts'
import { Prng } from '../src/base/prng.ts'
import { COPIES_MAX } from '../src/base/sizes.ts'

const MEMBERS_LEAST = 3
const MEMBERS_MOST = 7

export interface Shape {
  readonly members: readonly MemberId[]
  readonly copies: number
  /** Slices come to be wanted at other members, and with more copies or fewer (relocations.ts). */
  readonly relocates: boolean
  /** The members are processes of one machine, and answer at each other's portals. */
  readonly standIns?: boolean
}

/** What a simulation is asked for: so many copies, or as many as its seed says. */
export type CopiesWanted = number | 'any'

const named = (count: number) => Array.from({ length: count }, (_, i) => memberId(`m${i + 1}`))

/** Of copies by themselves: three members. */
export const usualShape: Shape = { members: named(MEMBERS_LEAST), copies: 1, relocates: false }

/** How far the rate of a member's clock is from true time at most. Leases are held to more than any clock does. */
export function clockSpread({ relocates }: Shape): number {
  return relocates ? 0.08 : 0.001
}

/** Small groups are more likely: more of what happens in them touches the same slices. */
export function shapeOf(seed: number, wanted: CopiesWanted): Shape {
  if (wanted === 1) return usualShape
  const prng = new Prng(seed)
  const copies = wanted === 'any' ? prng.integer(1, COPIES_MAX) : wanted
  const most = prng.chance(0.5) ? MEMBERS_LEAST + 1 : MEMBERS_MOST
  return { members: named(prng.integer(MEMBERS_LEAST, most)), copies, relocates: true }
}
