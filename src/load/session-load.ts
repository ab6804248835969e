// The estimate of one session: averages of its work (counts, not CPU, so that equal work stays equal load whatever the
// costs become), how far it swings, and which primaries hold what it touches. It goes with the session when it moves.
import type { MemberId, SessionId } from '../base/ids.ts'
import { newestWeight } from './average.ts'
import { type Costs, forwardCost, gatewayBytes, gatewayCpu } from './cost-model.ts'
import {
  AVERAGE_KINDS,
  type AverageKind,
  type Demand,
  NETWORK_UNIT_BYTES,
  OWNERS_KEPT,
  type SessionLoad,
} from './load-table.ts'
import type { SessionSample } from './sample.ts'
import { WORK, WORK_KINDS } from './sample.ts'

export const TAU_SECONDS = { fast: 5, slow: 40, long: 300 } as const satisfies Record<
  AverageKind,
  number
>
/** Locality is judged over this time: a scan that passes one primary after the other is no locality. */
const LOCALITY_SECONDS = 300
/** Pieces that are assumed to be spread evenly before any was seen, so that ten requests are no locality. */
const ASSUMED_PIECES = 50

/** What of a session takes the network of a member: members may reach each other by another way, as by the sockets of one host. */
export type NetworkUse = 'forwarding too' | 'initiators alone' | 'not counted'

/** A session's estimator as it is handed over with the session. */
export type SessionMemory = {
  readonly ageSeconds: number
  readonly slow: readonly number[]
  readonly long: readonly number[]
  readonly fast: readonly number[]
  readonly variance: number
  readonly depth: number
  readonly primaries: readonly (readonly [MemberId, number, number])[]
  /** Pieces and bytes in all, fading like those by primary. */
  readonly pieces: readonly [number, number]
}

export class SessionEstimate {
  readonly session: SessionId
  #ageSeconds = 0
  readonly #rates: Record<AverageKind, Float64Array> = {
    slow: new Float64Array(WORK_KINDS),
    long: new Float64Array(WORK_KINDS),
    fast: new Float64Array(WORK_KINDS),
  }
  #variance = 0
  /** By which the variance is stated; null: those of the member that it came from. */
  #costs: Costs | null = null
  #depth = 0
  #pieces = 0
  #bytes = 0
  readonly #primaries = new Map<MemberId, { pieces: number; bytes: number }>()

  constructor(session: SessionId, memory: SessionMemory | null = null) {
    this.session = session
    if (memory === null) return
    this.#ageSeconds = memory.ageSeconds
    for (const kind of AVERAGE_KINDS) this.#rates[kind].set(memory[kind])
    this.#variance = memory.variance
    this.#depth = memory.depth
    ;[this.#pieces, this.#bytes] = memory.pieces
    for (const [member, pieces, bytes] of memory.primaries) {
      this.#primaries.set(member, { pieces, bytes })
    }
  }

  /** Seconds for which it has been measured, here and before. */
  get ageSeconds(): number {
    return this.#ageSeconds
  }

  /** Commands waiting at once, lately: what a pause holds up. */
  get depth(): number {
    return this.#depth
  }

  observe(sample: SessionSample, costs: Costs): void {
    const { seconds } = sample
    if (!(seconds > 0)) return
    this.#restate(costs)
    const before = this.#ageSeconds
    this.#ageSeconds += seconds
    const x = gatewayCpu(sample.work, costs).remote / seconds
    const away = x - gatewayCpu(this.#rates.slow, costs).remote
    for (const kind of AVERAGE_KINDS) {
      const weight = newestWeight(TAU_SECONDS[kind], seconds, this.#ageSeconds)
      const rates = this.#rates[kind]
      for (let i = 0; i < WORK_KINDS; i++) {
        const rate = rates[i] ?? 0
        rates[i] = rate + ((sample.work[i] ?? 0) / seconds - rate) * weight
      }
    }
    if (before > 0) {
      const still = x - gatewayCpu(this.#rates.slow, costs).remote
      this.#variance +=
        (away * still - this.#variance) * newestWeight(TAU_SECONDS.long, seconds, before)
    }
    const depthWeight = newestWeight(TAU_SECONDS.slow, seconds, this.#ageSeconds)
    this.#depth += (sample.deepest - this.#depth) * depthWeight
    this.#locate(sample, seconds)
  }

  /** E6 of estimate.ts. */
  #restate(costs: Costs): void {
    const was = this.#costs
    this.#costs = costs
    if (was === null || was === costs) return
    const then = gatewayCpu(this.#rates.slow, was).remote
    if (then > 1e-9) this.#variance *= (gatewayCpu(this.#rates.slow, costs).remote / then) ** 2
  }

  #locate(sample: SessionSample, seconds: number): void {
    const fade = Math.exp(-seconds / LOCALITY_SECONDS)
    this.#pieces = this.#pieces * fade + (sample.work[WORK.piece] ?? 0)
    this.#bytes = this.#bytes * fade + (sample.work[WORK.pieceByte] ?? 0)
    for (const held of this.#primaries.values()) {
      held.pieces *= fade
      held.bytes *= fade
    }
    for (const { member, pieces, bytes } of sample.byPrimary) {
      const held = this.#primaries.get(member)
      if (held === undefined) this.#primaries.set(member, { pieces, bytes })
      else {
        held.pieces += pieces
        held.bytes += bytes
      }
    }
  }

  /** The load by the group's costs. `members`: how many hold pages, over which unlisted pieces are spread. */
  load(costs: Costs, members: number, network: NetworkUse): SessionLoad {
    const assumed = forwardCost(ASSUMED_PIECES, 0, costs)
    const whole = forwardCost(this.#pieces, this.#bytes, costs) + assumed
    const named = this.#largest(costs)
    const listed = named.reduce((sum, { cost }) => sum + cost, 0)
    const elsewhere = Math.max(0, whole - listed) / Math.max(1, members)
    return {
      slow: this.#demand('slow', costs, network),
      long: this.#demand('long', costs, network),
      fast: this.#demand('fast', costs, network),
      variance: Math.max(0, this.#variance),
      owners: named.map(({ member, cost }) => [member, Math.min(1, (cost + elsewhere) / whole)]),
      elsewhere: elsewhere / whole,
    }
  }

  /** The primaries of most of its work. */
  #largest(costs: Costs): { readonly member: MemberId; readonly cost: number }[] {
    if (this.#primaries.size === 0) return []
    return [...this.#primaries]
      .map(([member, held]) => ({ member, cost: forwardCost(held.pieces, held.bytes, costs) }))
      .sort((a, b) => b.cost - a.cost || (a.member < b.member ? -1 : 1))
      .slice(0, OWNERS_KEPT)
  }

  #demand(kind: AverageKind, costs: Costs, network: NetworkUse): Demand {
    const rates = this.#rates[kind]
    const cpu = gatewayCpu(rates, costs)
    if (network === 'not counted') return { remote: [cpu.remote], local: [cpu.local] }
    const bytes = gatewayBytes(rates, network === 'forwarding too')
    return {
      remote: [cpu.remote, bytes.remote / NETWORK_UNIT_BYTES],
      local: [cpu.local, bytes.local / NETWORK_UNIT_BYTES],
    }
  }

  handOver(): SessionMemory {
    return {
      ageSeconds: this.#ageSeconds,
      slow: Array.from(this.#rates.slow),
      long: Array.from(this.#rates.long),
      fast: Array.from(this.#rates.fast),
      variance: this.#variance,
      depth: this.#depth,
      primaries: [...this.#primaries].map(([m, held]) => [m, held.pieces, held.bytes]),
      pieces: [this.#pieces, this.#bytes],
    }
  }
}

/** The memory as JSON brought it, or null if it is not one: a session without memory is only measured anew. */
export function parseSessionMemory(value: unknown): SessionMemory | null {
  if (typeof value !== 'object' || value === null) return null
  const memory = value as Partial<Record<keyof SessionMemory, unknown>>
  const numbers = (x: unknown, count: number): x is number[] =>
    Array.isArray(x) && x.length === count && x.every((n) => Number.isFinite(n) && n >= 0)
  const { slow, long, fast, pieces, primaries } = memory
  const held = (row: unknown) =>
    Array.isArray(row) && typeof row[0] === 'string' && numbers(row.slice(1), 2)
  if (!numbers(slow, WORK_KINDS) || !numbers(long, WORK_KINDS)) return null
  if (!numbers(fast, WORK_KINDS) || !numbers(pieces, 2)) return null
  if (!Array.isArray(primaries) || primaries.length > 1024 || !primaries.every(held)) return null
  if (!numbers([memory.ageSeconds, memory.variance, memory.depth], 3)) return null
  return value as SessionMemory
}
