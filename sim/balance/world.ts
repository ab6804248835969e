// A group of members in one-second steps: who serves whom, where pages are, and the load that follows.
import { BASE, DemandSource, weight } from './demand.ts'
import type { Scenario } from './scenario.ts'

const GONE = -2

export class World {
  readonly demand: DemandSource
  readonly members: number
  readonly capacity: readonly number[]
  readonly alive: boolean[]
  /** −1: not logged in yet; `GONE`: not any more. */
  readonly gateway: Int32Array
  readonly load: Float64Array
  readonly scenario: Scenario

  constructor(scenario: Scenario, seed: number) {
    this.scenario = scenario
    this.demand = new DemandSource(scenario, seed)
    this.members = scenario.members
    this.capacity = this.demand.capacity
    this.alive = Array.from({ length: scenario.members }, (_, s) => scenario.join?.member !== s)
    this.gateway = new Int32Array(this.demand.count).fill(-1)
    this.load = new Float64Array(scenario.members)
  }

  get live(): number {
    return this.alive.reduce((n, a) => n + (a ? 1 : 0), 0)
  }

  /** Share of session c's pages whose primary is member s. */
  share(c: number, s: number): number {
    let v = this.alive[s] ? (this.demand.rest[c] ?? 0) / this.live : 0
    for (const [owner, share] of this.demand.owners[c] ?? []) if (owner === s) v += share
    return v
  }

  /** Load that no move changes, of demands q. */
  bases(q: ArrayLike<number>, t: number, into: Float64Array): void {
    into.fill(0)
    const live = this.live
    let uniform = 0
    for (let c = 0; c < this.demand.count; c++) {
      const qc = q[c] ?? 0
      uniform += (qc * (this.demand.rest[c] ?? 0)) / live
      for (const [s, share] of this.demand.owners[c] ?? []) {
        into[s] = (into[s] ?? 0) + qc * share * BASE
      }
    }
    for (let s = 0; s < this.members; s++) {
      into[s] = (into[s] ?? 0) + (this.alive[s] ? uniform * BASE : 0)
      if (t >= 0) into[s] = (into[s] ?? 0) + this.demand.background(s, t)
    }
  }

  loads(q: ArrayLike<number>, at: ArrayLike<number>, t: number, into: Float64Array): void {
    this.bases(q, t, into)
    for (let c = 0; c < this.demand.count; c++) {
      const g = at[c] ?? -1
      if (g >= 0) into[g] = (into[g] ?? 0) + (q[c] ?? 0) * weight(this.share(c, g))
    }
  }

  /** One second begins: arrivals, demand and the loads that follow. */
  step(t: number): void {
    const { join } = this.scenario
    if (join && join.at === t) this.alive[join.member] = true
    const { demand, gateway } = this
    for (let c = 0; c < demand.count; c++) {
      if (gateway[c] === -1 && t >= (demand.loginAt[c] ?? 0)) gateway[c] = demand.home[c] ?? 0
      if (t >= (demand.logoutAt[c] ?? 0)) gateway[c] = GONE
    }
    demand.step(t)
    for (let c = 0; c < demand.count; c++) if ((gateway[c] ?? 0) < 0) demand.q[c] = 0
    this.loads(demand.q, gateway, t, this.load)
  }
}
