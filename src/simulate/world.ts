// A group of members in steps of a second: who is alive, who serves whom, where pages are, and the load that follows.
import type { Chance } from './chance.ts'
import { baseOf, copiesLoad, type Demand, weightOf } from './demand.ts'

const OFFLINE = -1
/** Pages come to a session once it has been at its member for so long. */
const MIGRATES_AFTER_SECONDS = 60
/** As far as they come. */
const MIGRATED_SHARE = 0.8

export class World {
  readonly demand: Demand
  readonly members: number
  readonly resources: number
  readonly alive: readonly boolean[]
  #liveCount: number
  /** Who serves each session; −1: nobody. */
  readonly gateway: Int32Array
  /** Sessions by member, in the order in which they came. */
  readonly at: readonly Set<number>[]
  /** When each came to where it is. */
  readonly since: Float64Array
  /** By member and resource. */
  readonly load: Float64Array

  constructor(demand: Demand, down: readonly number[] = []) {
    this.demand = demand
    this.members = demand.members
    this.resources = demand.resources
    this.alive = Array.from({ length: this.members }, (_, s) => !down.includes(s))
    this.#liveCount = this.live.length
    this.gateway = new Int32Array(demand.count).fill(OFFLINE)
    this.at = Array.from({ length: this.members }, () => new Set<number>())
    this.since = new Float64Array(demand.count)
    this.load = new Float64Array(this.members * this.resources)
  }

  get live(): number[] {
    return this.alive.flatMap((alive, s) => (alive ? [s] : []))
  }

  get liveCount(): number {
    return this.#liveCount
  }

  #setAlive(s: number, alive: boolean): void {
    ;(this.alive as boolean[])[s] = alive
    this.#liveCount = this.live.length
  }

  /** It lives, and pages that are spread are spread over it too. */
  add(s: number): void {
    this.#setAlive(s, true)
  }

  capacityOf(s: number, r = 0): number {
    return this.demand.capacity[s * this.resources + r] ?? 1
  }

  loadOf(s: number, r = 0): number {
    return this.load[s * this.resources + r] ?? 0
  }

  /** Share of each member in the pages of session c that are spread. */
  spread(c: number): number {
    const live = this.liveCount
    return live === 0 ? 0 : (this.demand.rest[c] ?? 0) / live
  }

  /** Share of session c's pages whose primary is member s. */
  share(c: number, s: number): number {
    let v = this.alive[s] ? this.spread(c) : 0
    for (const [owner, share] of this.demand.owners[c] ?? []) if (owner === s) v += share
    return v
  }

  /** Own weight of session c at member s, of one unit of its demand. */
  weight(c: number, s: number, r: number): number {
    return weightOf(this.demand, c, this.share(c, s), r)
  }

  place(c: number, s: number, t: number): void {
    const from = this.gateway[c] ?? OFFLINE
    if (from >= 0) this.at[from]?.delete(c)
    if (s >= 0) this.at[s]?.add(c)
    this.gateway[c] = s
    this.since[c] = t
  }

  /** A member is gone: pages that it had by name go to live ones at random. */
  remove(s: number, chance: Chance): void {
    this.#setAlive(s, false)
    const live = this.live
    for (const own of this.demand.owners) {
      for (const held of own) if (held[0] === s) held[0] = live[chance.whole(live.length)] ?? s
    }
  }

  migrate(rate: number, t: number): void {
    const { count, owners, rest } = this.demand
    for (let c = 0; c < count; c++) {
      const gateway = this.gateway[c] ?? OFFLINE
      if (gateway < 0 || t - (this.since[c] ?? 0) < MIGRATES_AFTER_SECONDS) continue
      const own = owners[c] ?? []
      for (const held of own) held[1] *= 1 - rate
      const here = own.find(([s]) => s === gateway) ?? ([gateway, 0] as [number, number])
      if (here[1] === 0) own.push(here)
      here[1] += rate * MIGRATED_SHARE
      rest[c] = (rest[c] ?? 0) * (1 - rate) + rate * (1 - MIGRATED_SHARE)
    }
  }

  /** Load that no move changes, of demands q. `t`: with the background of that second. */
  bases(q: ArrayLike<number>, t: number | null, into: Float64Array): void {
    into.fill(0)
    const { demand, resources } = this
    for (let r = 0; r < resources; r++) this.#basesOf(q, r, into)
    if (t === null) return
    for (let s = 0; s < this.members; s++) {
      const i = s * resources
      into[i] = (into[i] ?? 0) + demand.background(s, t)
    }
  }

  #basesOf(q: ArrayLike<number>, r: number, into: Float64Array): void {
    const { demand, resources } = this
    const live = this.liveCount
    let even = 0
    const put = (s: number, load: number) => {
      const i = s * resources + r
      into[i] = (into[i] ?? 0) + load
    }
    for (let c = 0; c < demand.count; c++) {
      const asked = q[c] ?? 0
      if (asked === 0) continue
      if (live > 0) even += asked * baseOf(demand, c, (demand.rest[c] ?? 0) / live, r)
      for (const [s, v] of demand.owners[c] ?? []) put(s, asked * baseOf(demand, c, v, r))
    }
    for (let s = 0; s < this.members; s++) if (this.alive[s]) put(s, even)
    if (demand.copied === 0) return
    const unit = r === 1 ? 1 : demand.stored
    const stored = this.alive.map((_, s) => (into[s * resources + r] ?? 0) / unit)
    for (const { s, sent, kept } of this.copiesOf(stored)) put(s, copiesLoad(sent, kept, r))
  }

  /** What each member sends to copies and keeps as one, if it has stored so much: the copies of a member's pages are spread over all others. */
  copiesOf(stored: ArrayLike<number>): { s: number; sent: number; kept: number }[] {
    const { live } = this
    const all = live.reduce((sum, s) => sum + (stored[s] ?? 0), 0)
    const times = live.length > 1 ? this.demand.copied : 0
    return live.map((s) => {
      const own = stored[s] ?? 0
      return { s, sent: times * own, kept: (times * (all - own)) / Math.max(1, live.length - 1) }
    })
  }

  /** Load of demands q with the sessions at `at`. */
  loads(q: ArrayLike<number>, at: ArrayLike<number>, t: number | null, into: Float64Array): void {
    this.bases(q, t, into)
    const { demand, resources } = this
    const live = this.liveCount
    for (let c = 0; c < demand.count; c++) {
      const s = at[c] ?? OFFLINE
      const asked = q[c] ?? 0
      if (s < 0 || asked === 0) continue
      let v = this.alive[s] && live > 0 ? (demand.rest[c] ?? 0) / live : 0
      for (const [owner, share] of demand.owners[c] ?? []) if (owner === s) v += share
      for (let r = 0; r < resources; r++) {
        const i = s * resources + r
        into[i] = (into[i] ?? 0) + asked * weightOf(demand, c, v, r)
      }
    }
  }
}
