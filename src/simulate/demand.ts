// What the world asks of a group, whatever distributes it: which sessions there are, when they come and go, what each asks
// for, where its pages are, and what fills members that no move of a session changes.
import { COST } from './scenario.ts'

export const ON = COST.front + COST.sent
export const BACK = COST.sent + COST.handled
export const BASE = COST.stored + COST.handled

export interface Demand {
  readonly members: number
  /** 1: CPU; 2: CPU and network. */
  readonly resources: 1 | 2
  /** By member and resource. */
  readonly capacity: Float64Array
  readonly count: number
  /** Mean demand of each session, while it is here. */
  readonly mean: Float64Array
  /** Where each logs in at first. */
  readonly home: Int32Array
  /** That is given: nobody places the first login. */
  readonly fixedPlace: boolean
  readonly loginAt: Float64Array
  readonly endsAt: Float64Array
  /** Named primaries and the share of its pages that each has; pages may migrate. */
  readonly owners: [server: number, share: number][][]
  /** The share of its pages that is spread over all live members. */
  readonly rest: Float64Array
  /** Network bytes of one unit of demand. */
  readonly ratio: Float64Array
  /** What one unit of demand saves if all of its pages are where it is served. */
  readonly saved: Float64Array
  /** What one unit of demand costs the primaries of its pages. */
  readonly stored: number
  /** How many times one unit of demand is sent to a copy; 0: there is one copy of each page. */
  readonly copied: number
  /** Demand of this second. */
  readonly q: Float64Array
  /** A second begins: its demand, of every session, here or not. */
  step(t: number): void
  /** CPU load of a member in this second that is no session's. */
  background(s: number, t: number): number
  /** When a session that has ended comes back; infinite: never. */
  backAt(c: number, t: number): { readonly due: number; readonly endsAt: number }
}

/** Own weight of one unit of demand at a gateway that has the share v of its pages. */
export function weightOf(demand: Demand, c: number, v: number, resource: number): number {
  if (resource === 1) return 2 * (demand.ratio[c] ?? 0) * (1 - v)
  return ON - (demand.saved[c] ?? BACK) * v
}

/** Load of what is sent to copies, and of what is kept by one: of as much demand at their primaries. */
export function copiesLoad(sent: number, kept: number, resource: number): number {
  return resource === 1 ? sent + kept : COST.copied * sent + COST.kept * kept
}

/** Load of one unit of demand at the primary of the share v. */
export function baseOf(demand: Demand, c: number, v: number, resource: number): number {
  return resource === 1 ? (demand.ratio[c] ?? 0) * v : demand.stored * v
}
