// What the sessions of a scenario ask for and where their pages are. Draws do not depend on what the policy does: every
// policy meets the same initiators.
import { Prng } from '../../src/base/prng.ts'
import { COST, LARGEST_WEIGHT, type Scenario } from './scenario.ts'

/** Own weight of one unit of demand at a gateway with share v of its pages. */
export const weight = (v: number) => COST.front + COST.sent - (COST.sent + COST.handled) * v
export const BASE = COST.stored + COST.handled

export class Chance {
  readonly #random: Prng
  #spare: number | null = null

  constructor(seed: number, use: number) {
    this.#random = new Prng(Math.imul(seed, 0x9e3779b1) ^ Math.imul(use + 1, 0x85ebca6b))
    for (let i = 0; i < 8; i++) this.#random.unit()
  }

  unit(): number {
    return this.#random.unit()
  }

  whole(below: number): number {
    return Math.floor(this.unit() * below)
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.unit())
  }

  /** Shape 1.5, capped at twenty means. */
  pareto(mean: number): number {
    return Math.min(20 * mean, mean / 3 / (1 - this.unit()) ** (1 / 1.5))
  }

  normal(): number {
    if (this.#spare !== null) {
      const spare = this.#spare
      this.#spare = null
      return spare
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.unit()))
    const angle = 2 * Math.PI * this.unit()
    this.#spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }

  shuffle<T>(list: T[]): T[] {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.whole(i + 1)
      const a = list[i] as T
      list[i] = list[j] as T
      list[j] = a
    }
    return list
  }
}

interface OnOff {
  on: boolean
  left: number
  readonly meanOn: number
  readonly meanOff: number
  readonly heavy: boolean
}

export class DemandSource {
  readonly count: number
  readonly mean: Float64Array
  readonly home: Int32Array
  readonly capacity: readonly number[]
  /** At most one named primary a session, or those given. */
  readonly owners: (readonly (readonly [member: number, share: number])[])[]
  readonly rest: Float64Array
  readonly loginAt: Int32Array
  readonly logoutAt: Float64Array
  readonly q: Float64Array
  readonly #scenario: Scenario
  readonly #chance: Chance
  readonly #x: Float64Array
  readonly #onOff: (OnOff | null)[]
  readonly #flashed: Uint8Array

  constructor(scenario: Scenario, seed: number) {
    this.#scenario = scenario
    const { members, given, sessions = 0, loginRamp = 0 } = scenario
    // Load is in units of the work: a slow machine is one that can do less of it.
    this.capacity = (scenario.capacities ?? [[members, 1]])
      .flatMap(([n, c]) => new Array<number>(n).fill(c))
      .map((c, s) => c * (scenario.speeds?.[s] ?? 1))
    const drawn = given?.length ?? sessions
    this.count = drawn + (scenario.whales?.count ?? 0)
    const chance = new Chance(seed, 1)
    this.mean = this.#sizes(chance, drawn)
    this.owners = this.#owners(chance)
    this.rest = Float64Array.from(
      this.owners,
      (own) => 1 - own.reduce((sum, [, share]) => sum + share, 0),
    )
    this.home = Int32Array.from({ length: this.count }, (_, c) => this.#home(c))
    this.loginAt = Int32Array.from(
      { length: this.count },
      (_, c) => given?.[c]?.from ?? Math.floor((loginRamp * c) / this.count),
    )
    this.logoutAt = Float64Array.from(
      { length: this.count },
      (_, c) => given?.[c]?.to ?? Number.POSITIVE_INFINITY,
    )
    this.#chance = new Chance(seed, 2)
    this.q = new Float64Array(this.count)
    this.#x = Float64Array.from({ length: this.count }, () => this.#chance.normal())
    this.#onOff = Array.from({ length: this.count }, (_, c) => this.#switch(c, drawn))
    const { flash } = scenario
    this.#flashed = Uint8Array.from({ length: this.count }, (_, c) =>
      flash && c % members < flash.members && this.#chance.unit() < flash.share ? 1 : 0,
    )
  }

  #sizes(chance: Chance, drawn: number): Float64Array {
    const { given, zipf = 0, members, meanUtilisation = 0, whales } = this.#scenario
    const q = new Float64Array(this.count)
    if (given) return Float64Array.from(given, (g) => g.q)
    const own = weight(1 / members)
    const ranks = chance.shuffle(Array.from({ length: drawn }, (_, i) => i + 1))
    const capacity = this.capacity.reduce((a, b) => a + b, 0)
    let free = (meanUtilisation * capacity) / (BASE + own)
    if (whales) {
      const each = whales.weight / own / onLevel(whales)
      q.fill(each, drawn)
      free -= each * whales.count
    }
    const limit = LARGEST_WEIGHT / own
    const capped = new Set<number>()
    for (let again = true; again; ) {
      again = false
      const shares = ranks.map((rank, c) => (capped.has(c) ? 0 : rank ** -zipf))
      const sum = shares.reduce((a, b) => a + b, 0)
      for (let c = 0; c < drawn; c++) {
        q[c] = capped.has(c) ? limit : ((free - capped.size * limit) * (shares[c] ?? 0)) / sum
        if (!capped.has(c) && (q[c] ?? 0) > limit) {
          capped.add(c)
          again = true
          break
        }
      }
    }
    return q
  }

  #owners(chance: Chance): (readonly (readonly [number, number])[])[] {
    const { given, local, members } = this.#scenario
    if (given) return given.map((g) => g.own ?? [])
    if (!local) return Array.from({ length: this.count }, () => [])
    const order = chance.shuffle(Array.from({ length: members }, (_, s) => s))
    const odds = order.map((_, k) => (k + 1) ** -local.zipf)
    const sum = odds.reduce((a, b) => a + b, 0)
    return Array.from({ length: this.count }, () => {
      let x = chance.unit() * sum
      const k = odds.findIndex((o) => {
        x -= o
        return x <= 0
      })
      const share = local.least + chance.unit() * (local.most - local.least)
      return [[order[Math.max(0, k)] ?? 0, share]]
    })
  }

  #home(c: number): number {
    const { given, skew, members, join } = this.#scenario
    if (given) return given[c]?.at ?? 0
    if (skew) {
      const hot = Math.round(skew.members * members)
      const inHot = Math.round(skew.sessions * this.count)
      return c < inHot ? c % hot : hot + ((c - inHot) % (members - hot))
    }
    if (!join) return c % members
    const open = Array.from({ length: members }, (_, s) => s).filter((s) => s !== join.member)
    return open[c % open.length] ?? 0
  }

  #switch(c: number, drawn: number): OnOff | null {
    const { onOff, whales } = this.#scenario
    const spec = c >= drawn ? whales : onOff
    if (!spec) return null
    const on = this.#chance.unit() < spec.on / (spec.on + spec.off)
    return { on, left: -1, meanOn: spec.on, meanOff: spec.off, heavy: c >= drawn }
  }

  /** Demand of second t for every session, whether it is logged in or not. */
  step(t: number): void {
    const { noise = 0.2, flash } = this.#scenario
    const keep = Math.exp(-1 / 10)
    const fresh = Math.sqrt(1 - Math.exp(-2 / 10))
    for (let c = 0; c < this.count; c++) {
      const x = keep * (this.#x[c] ?? 0) + fresh * this.#chance.normal()
      this.#x[c] = x
      let times = Math.exp(noise * x - (noise * noise) / 2)
      const toggle = this.#onOff[c]
      if (toggle) times *= this.#level(toggle)
      if (flash && this.#flashed[c]) {
        const up = Math.min(1, (t - flash.from) / 10, (flash.to + 10 - t) / 10)
        times *= 1 + (flash.times - 1) * Math.max(0, up)
      }
      this.q[c] = (this.mean[c] ?? 0) * times
    }
  }

  #level(toggle: OnOff): number {
    const duration = () => {
      const mean = toggle.on ? toggle.meanOn : toggle.meanOff
      return toggle.heavy ? this.#chance.exponential(mean) : this.#chance.pareto(mean)
    }
    if (toggle.left < 0) toggle.left = duration()
    else {
      toggle.left -= 1
      if (toggle.left <= 0) {
        toggle.on = !toggle.on
        toggle.left += duration()
      }
    }
    const { meanOn: on, meanOff: off } = toggle
    return toggle.on ? onLevel({ on, off }) : (0.03 * (on + off)) / off
  }

  background(member: number, t: number): number {
    let sum = 0
    for (const b of this.#scenario.background ?? []) {
      if (b.member === member && t >= b.from && t < b.to) sum += b.load
    }
    return sum
  }
}

const onLevel = ({ on, off }: { on: number; off: number }) => (0.97 * (on + off)) / on
