// The demand that a scenario describes, drawn from a seed.
import { Chance, STREAM } from './chance.ts'
import { BACK, BASE, copiesLoad, type Demand, ON } from './demand.ts'
import { type OnOff, type Params, serversOf } from './scenario.ts'

interface Toggle {
  on: boolean
  left: number
  readonly spec: OnOff
  readonly heavy: boolean
}

export class Workload implements Demand {
  readonly members: number
  readonly resources: 1 | 2
  readonly capacity: Float64Array
  readonly count: number
  readonly mean: Float64Array
  readonly home: Int32Array
  readonly fixedPlace: boolean
  readonly loginAt: Float64Array
  readonly endsAt: Float64Array
  readonly owners: [number, number][][]
  readonly rest: Float64Array
  readonly ratio: Float64Array
  readonly saved: Float64Array
  readonly stored = BASE
  readonly copied: number
  readonly q: Float64Array
  readonly #p: Params
  /** Sessions that are no whales. */
  readonly #drawn: number
  readonly #cpu: readonly number[]
  readonly #chance: Chance
  readonly #logins: Chance
  readonly #x: Float64Array
  readonly #toggles: (Toggle | null)[]
  readonly #flashed: Uint8Array
  readonly #squared: ReadonlySet<number>

  /** `logins`: draws when sessions that have ended come back. */
  constructor(p: Params, seed: number, logins: Chance) {
    this.#p = p
    this.#logins = logins
    this.members = p.N
    this.resources = p.net ? 2 : 1
    this.copied = p.copies ? (Math.min(p.copies.of, p.N) - 1) * p.copies.writes : 0
    this.#cpu = (p.caps ?? [[p.N, 1] as const])
      .flatMap(([count, capacity]) => new Array<number>(count).fill(capacity))
      // Load is in units of the work: a slow machine is one that can do less of it.
      .map((capacity, s) => capacity * (p.speeds?.[s] ?? 1))
    this.capacity = Float64Array.from({ length: p.N * this.resources }, (_, i) =>
      this.resources === 1 || i % 2 === 0
        ? (this.#cpu[Math.floor(i / this.resources)] ?? 1)
        : linkOf(p, (i - 1) / 2),
    )
    this.#drawn = p.explicit?.length || (p.conns ?? 0)
    this.count = this.#drawn + (p.whales?.n ?? 0)
    const places = new Chance(seed, STREAM.places)
    this.mean = this.#sizes(places)
    this.ratio = this.#ratios(places)
    this.home = this.#homes()
    this.fixedPlace = (p.explicit?.length ?? 0) > 0 || p.place === 'skew'
    this.owners = this.#owners(places)
    this.rest = Float64Array.from(this.owners, (own) => own.reduce((left, [, v]) => left - v, 1))
    this.saved = new Float64Array(this.count).fill(BACK)
    this.loginAt = Float64Array.from(
      { length: this.count },
      (_, c) => p.explicit?.[c]?.from ?? Math.floor(((p.loginRamp ?? 0) * c) / this.count),
    )
    this.q = new Float64Array(this.count)
    this.#chance = new Chance(seed, STREAM.demand)
    this.#x = Float64Array.from({ length: this.count }, () => this.#chance.normal())
    this.#toggles = Array.from({ length: this.count }, (_, c) => this.#toggle(c))
    this.#flashed = Uint8Array.from({ length: this.count }, (_, c) => this.#isFlashed(c))
    this.#squared = new Set(p.square?.conns)
    this.endsAt = Float64Array.from({ length: this.count }, (_, c) => this.#firstEnd(c))
  }

  /** Mean demand: by rank, with what is given apart, and nobody above the limit. */
  #sizes(places: Chance): Float64Array {
    const { N, explicit, whales, bigOne, square, zipf = 0, meanUtil = 0 } = this.#p
    const q = new Float64Array(this.count)
    const own = ON - BACK / N
    if (whales) q.fill(whales.w / own / onLevel(whales), this.#drawn)
    if (explicit && explicit.length > 0) {
      q.set(explicit.map((one) => one.q))
      return q
    }
    const ranks = places.shuffle(Array.from({ length: this.#drawn }, (_, i) => i + 1))
    const want =
      (meanUtil * this.#cpu.reduce((a, b) => a + b, 0)) /
      (BASE + own + copiesLoad(this.copied, this.copied, 0))
    const fixed = Float64Array.from(q)
    if (bigOne) fixed[0] = bigOne.w / own
    this.#spread(q, {
      ...{ ranks, fixed, want, zipf },
      limit: (this.#p.capWhale ?? Number.POSITIVE_INFINITY) / own,
    })
    for (const c of square?.conns ?? []) if (c < this.count) q[c] = (square?.w ?? 0) / own
    return q
  }

  #spread(
    q: Float64Array,
    how: {
      readonly ranks: readonly number[]
      readonly fixed: Float64Array
      readonly want: number
      readonly zipf: number
      readonly limit: number
    },
  ): void {
    const { ranks, fixed, want, zipf, limit } = how
    const capped = new Uint8Array(this.count)
    const size = (c: number) => (ranks[c] ?? 1) ** -zipf
    for (let again = true; again; ) {
      again = false
      let free = 0
      let left = want
      for (let c = 0; c < this.count; c++) {
        const given = fixed[c] || (capped[c] ? limit : 0)
        if (given) left -= given
        else free += size(c)
      }
      for (let c = 0; c < this.count; c++) {
        const drawn = Math.max(0, (left / free) * size(c))
        q[c] = fixed[c] || (capped[c] ? limit : drawn)
        if (fixed[c] || capped[c] || drawn <= limit * (1 + 1e-12)) continue
        capped[c] = 1
        again = true
      }
    }
  }

  #ratios(places: Chance): Float64Array {
    const { net, N } = this.#p
    const ratio = new Float64Array(this.count)
    if (!net) return ratio
    let bytes = 0
    for (let c = 0; c < this.count; c++) {
      ratio[c] = places.unit() < net.bulkFrac ? net.bulkRatio : (net.otherRatio ?? 1)
      bytes += (this.mean[c] ?? 0) * (ratio[c] ?? 0)
    }
    const scale = (net.meanNet * N * net.capNet) / (bytes * (1 + 2 * (1 - 1 / N)))
    return bytes > 0 ? ratio.map((x) => x * scale) : ratio
  }

  #homes(): Int32Array {
    const { N, explicit, place, skewFrac = 0, skewShare = 0, bigOne, startDown } = this.#p
    const down = new Set(serversOf(startDown))
    const live = Array.from({ length: N }, (_, s) => s).filter((s) => !down.has(s))
    const hot = Math.round(skewFrac * N)
    const inHot = Math.round(skewShare * this.count)
    const home = Int32Array.from({ length: this.count }, (_, c) => {
      const given = explicit?.[c]
      if (given) return given.at
      if (place !== 'skew' || hot === 0 || hot === N) return live[c % live.length] ?? 0
      return c < inHot ? c % hot : hot + ((c - inHot) % (N - hot))
    })
    if (bigOne) home[0] = bigOne.at
    return home
  }

  #owners(places: Chance): [number, number][][] {
    const { N, explicit, locality = 'uniform', localStrong, ownerZipf = 0 } = this.#p
    if (locality === 'explicit') {
      return Array.from({ length: this.count }, (_, c) =>
        (explicit?.[c]?.own ?? []).map(([s, share]) => [s, share]),
      )
    }
    if (locality !== 'strong') return Array.from({ length: this.count }, () => [])
    const order = places.shuffle(Array.from({ length: N }, (_, s) => s))
    let odds = 0
    const sums = order.map((_, k) => (odds += (k + 1) ** -ownerZipf))
    const [least, most] = localStrong ?? [0.7, 0.95]
    return Array.from({ length: this.count }, () => {
      const x = places.unit() * odds
      const owner = order[sums.findIndex((sum) => sum >= x)] ?? 0
      return [[owner, least + places.unit() * (most - least)]]
    })
  }

  #toggle(c: number): Toggle | null {
    const { whales, onoff } = this.#p
    const make = (spec: OnOff, heavy: boolean): Toggle => ({
      on: this.#chance.unit() < spec.on / (spec.on + spec.off),
      left: -1,
      spec,
      heavy,
    })
    if (whales && c >= this.#drawn) return make(whales, false)
    if (!onoff || this.#chance.unit() >= onoff.frac) return null
    return make(onoff, onoff.dist === 'pareto')
  }

  #isFlashed(c: number): number {
    const { flash, N } = this.#p
    return flash && c % N < flash.servers && this.#chance.unit() < flash.frac ? 1 : 0
  }

  #firstEnd(c: number): number {
    const { churn, explicit } = this.#p
    if (!churn) return explicit?.[c]?.to ?? Number.POSITIVE_INFINITY
    return (this.loginAt[c] ?? 0) + 120 + Math.ceil(this.#chance.exponential(churn.life))
  }

  backAt(_: number, t: number): { due: number; endsAt: number } {
    const never = { due: Number.POSITIVE_INFINITY, endsAt: Number.POSITIVE_INFINITY }
    if (!this.#p.churn) return never
    const due = t + this.#logins.exponential(20)
    return { due, endsAt: due + this.#logins.exponential(this.#p.churn.life) }
  }

  step(t: number): void {
    const { noise = 0.2, noiseTau = 10, flash, diurnal, square, N } = this.#p
    const keep = Math.exp(-1 / noiseTau)
    const fresh = Math.sqrt(1 - keep * keep)
    const inSquare = square && t % square.period < square.duty * square.period
    for (let c = 0; c < this.count; c++) {
      const x = keep * (this.#x[c] ?? 0) + fresh * this.#chance.normal()
      this.#x[c] = x
      let times = Math.exp(noise * x - (noise * noise) / 2)
      const toggle = this.#toggles[c]
      if (toggle) times *= this.#level(toggle)
      if (flash && this.#flashed[c]) {
        const up = Math.min(1, (t - flash.t0) / 10, (flash.t1 + 10 - t) / 10)
        times *= 1 + (flash.mult - 1) * Math.max(0, up)
      }
      if (diurnal) {
        const group = Math.floor((diurnal.groups * (c % N)) / N)
        const phase = t / diurnal.period + group / diurnal.groups
        times *= 1 + diurnal.amp * Math.sin(2 * Math.PI * phase)
      }
      if (square && !inSquare && this.#squared.has(c)) times *= 0.02
      this.q[c] = Math.max(0, (this.mean[c] ?? 0) * times)
    }
  }

  #level(toggle: Toggle): number {
    if (toggle.left < 0) toggle.left = this.#duration(toggle)
    else {
      toggle.left -= 1
      if (toggle.left <= 0) {
        toggle.on = !toggle.on
        toggle.left += this.#duration(toggle)
      }
    }
    const { spec } = toggle
    return toggle.on ? onLevel(spec) : (0.03 * (spec.on + spec.off)) / spec.off
  }

  #duration({ on, spec, heavy }: Toggle): number {
    const mean = on ? spec.on : spec.off
    return heavy ? this.#chance.pareto(mean) : this.#chance.exponential(mean)
  }

  background(s: number, t: number): number {
    let sum = 0
    for (const one of this.#p.background ?? []) {
      if (one.s === s && t >= one.t0 && t < one.t1) sum += one.load
    }
    return sum
  }
}

function linkOf({ net }: Params, s: number): number {
  const link = net?.links?.[s]
  return link === null ? Number.POSITIVE_INFINITY : (link ?? net?.capNet ?? 1)
}

const onLevel = ({ on, off }: OnOff) => (0.97 * (on + off)) / on
