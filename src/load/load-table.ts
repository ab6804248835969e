// Load as the balancer sees it: a number for each resource, in three averages and a variance. The first is CPU, in CPU
// seconds a second; the second network, bytes a second both ways together in units of `NETWORK_UNIT_BYTES`, so that both are
// of the size of one and gains in waiting requests may be added up. What a session asks for is known of both. A member has
// as many as are its own: whoever shares its network, or does not know how much it takes, has the first alone.
import type { MemberId } from '../base/ids.ts'

export const RESOURCES = ['cpu', 'network'] as const
export type Resource = (typeof RESOURCES)[number]

/** 1 Gbit. */
export const NETWORK_UNIT_BYTES = 125_000_000

export type AverageKind = 'slow' | 'long' | 'fast'
export const AVERAGE_KINDS = ['slow', 'long', 'fast'] as const satisfies readonly AverageKind[]

export type LoadTable = {
  readonly slow: readonly number[]
  readonly long: readonly number[]
  readonly fast: readonly number[]
  /** Sum of the variances of what makes up the load, about its slow average. */
  readonly variance: readonly number[]
}

export type MutableTable = Record<keyof LoadTable, number[]>

/** One session's work by destination: own weight of the session at a member that is primary of the share v of what it touches = remote − local·v. */
export type Demand = {
  /** Everything forwarded. */
  readonly remote: readonly number[]
  /** What is saved, at gateway and primary together, when nothing is forwarded. */
  readonly local: readonly number[]
}

/** A session's load in a form that prices it at any member. */
export type SessionLoad = {
  readonly slow: Demand
  readonly long: Demand
  readonly fast: Demand
  /** Variance of the CPU part of `remote` about its slow average. */
  readonly variance: number
  /** Shares of its work by primary, largest first, at most `OWNERS_KEPT`; `elsewhere` is the share of each member that is not named. */
  readonly owners: readonly (readonly [member: MemberId, share: number])[]
  readonly elsewhere: number
}

export const OWNERS_KEPT = 8

export function shareAt(load: SessionLoad, member: string): number {
  for (const [owner, share] of load.owners) if (owner === member) return share
  return load.elsewhere
}

/** Own weight at a member with share `v`, never negative. */
export function weightAt(demand: Demand, v: number, resource: number): number {
  return Math.max((demand.remote[resource] ?? 0) - (demand.local[resource] ?? 0) * v, 0)
}

/** The session's part in a load table if it is served by a member with share `v`. */
export function asTable(load: SessionLoad, v: number): LoadTable {
  const table = emptyTable(load.slow.remote.length)
  addSession(table, load, v)
  return table
}

/** Each second asked of each session, and so in place. */
export function addSession(table: MutableTable, load: SessionLoad, v: number): void {
  const { slow, long, fast, variance } = table
  for (let r = 0; r < slow.length; r++) {
    slow[r] = (slow[r] ?? 0) + weightAt(load.slow, v, r)
    long[r] = (long[r] ?? 0) + weightAt(load.long, v, r)
    fast[r] = (fast[r] ?? 0) + weightAt(load.fast, v, r)
    variance[r] = (variance[r] ?? 0) + varianceAt(load, v, r)
  }
}

/** Variance scales with the square of the weight: a session that swings by a tenth does so wherever it is served. */
export function varianceAt(load: SessionLoad, v: number, resource: number): number {
  const whole = load.slow.remote[0] ?? 0
  if (whole <= 0) return 0
  const factor = weightAt(load.slow, v, resource) / whole
  return load.variance * factor * factor
}

export function addTables(a: LoadTable, b: LoadTable, sign: 1 | -1): LoadTable {
  const add = (x: readonly number[], y: readonly number[]) =>
    x.map((value, r) => Math.max(0, value + sign * (y[r] ?? 0)))
  return {
    slow: add(a.slow, b.slow),
    long: add(a.long, b.long),
    fast: add(a.fast, b.fast),
    variance: add(a.variance, b.variance),
  }
}

/** The first resources of it. */
export function firstOf(table: LoadTable, resources: number): LoadTable {
  if (table.slow.length === resources) return table
  const { slow, long, fast, variance } = table
  const first = (list: readonly number[]) => list.slice(0, resources)
  return { slow: first(slow), long: first(long), fast: first(fast), variance: first(variance) }
}

export function emptyTable(resources: number): MutableTable {
  const none = () => new Array<number>(resources).fill(0)
  return { slow: none(), long: none(), fast: none(), variance: none() }
}
