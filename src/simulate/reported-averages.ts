// The averages that the usual distributors go by, as the reference of the form has them, and how old they are where they are
// seen. Those by sessions follow a move at once; the average of the whole member follows what it measures.
import type { Measured } from './policies.ts'
import type { Running } from './running.ts'

const TAU = { fast: 5, slow: 40 } as const
const LOSS_LOOKBACK = 60
/** What is remembered of reports; older than that is no report. */
const DEPTH = 64
/** A step of what no move changes must not be averaged in over minutes. */
const STEP_SIGMAS = 4
const STEP_SECONDS = 10
const BLOCK_SECONDS = 30
const ALLAN_WEIGHT = 0.02

type Kind = 'whole' | 'fast' | 'slow'

export class ReportedAverages {
  readonly #run: Running
  readonly #kind: Kind
  readonly #q: Record<'fast' | 'slow', Float64Array>
  readonly #seen: Float64Array
  readonly #base: Record<'fast' | 'slow', Float64Array>
  readonly #age: Float64Array
  readonly #steps: StepWatch
  /** By member, now. */
  #now: Float64Array
  readonly #reports: (Float64Array | null)[]

  constructor(run: Running, kind: Kind) {
    this.#run = run
    this.#kind = kind
    const { world, timing } = run
    const of = (n: number) => ({ fast: new Float64Array(n), slow: new Float64Array(n) })
    this.#q = of(world.demand.count)
    this.#seen = new Float64Array(world.demand.count)
    this.#base = of(world.members)
    this.#age = new Float64Array(world.members)
    this.#steps = new StepWatch(world.members, (s) => world.capacityOf(s))
    this.#now = new Float64Array(world.members)
    this.#reports = new Array<Float64Array | null>(DEPTH + Math.ceil(timing.delay)).fill(null)
  }

  /** Fast average of a session's demand. */
  demandOf(session: number): number {
    return this.#q.fast[session] ?? 0
  }

  sizeOf(session: number): number {
    return this.#q.slow[session] ?? 0
  }

  fresh(s: number): number {
    return this.#now[s] ?? 0
  }

  came(session: number): void {
    this.#seen[session] = 0
    this.#q.fast[session] = 0
    this.#q.slow[session] = 0
  }

  moved(session: number, from: number, to: number | null): void {
    this.#shift(session, from, -1)
    if (to !== null) this.#shift(session, to, 1)
  }

  #shift(session: number, s: number, sign: 1 | -1): void {
    const weight = this.#run.world.weight(session, s, 0)
    this.#steps.shift(s, sign * (this.#q.slow[session] ?? 0) * weight)
    if (this.#kind === 'whole') return
    this.#now[s] = (this.#now[s] ?? 0) + sign * (this.#q[this.#kind][session] ?? 0) * weight
  }

  measured({ t, demand, load }: Measured): void {
    if (this.#kind === 'whole') this.#measureWhole(load)
    this.#measureSessions(demand, load)
    this.#reports[t % this.#reports.length] = Float64Array.from(this.#now)
  }

  #measureWhole(load: Float64Array): void {
    const { members, resources } = this.#run.world
    const weight = -Math.expm1(-1 / TAU.fast)
    for (let s = 0; s < members; s++) {
      const now = this.#now[s] ?? 0
      this.#now[s] = now + ((load[s * resources] ?? 0) - now) * weight
    }
  }

  #measureSessions(demand: Float64Array, load: Float64Array): void {
    const { world } = this.#run
    const { members, resources } = world
    const attributed = new Float64Array(members)
    const sum = new Float64Array(members)
    for (let c = 0; c < demand.length; c++) {
      const s = world.gateway[c] ?? -1
      if (s < 0) continue
      const x = demand[c] ?? 0
      const weight = world.weight(c, s, 0)
      if (this.#measureSession(c, x) === 1) this.#steps.shift(s, x * weight)
      attributed[s] = (attributed[s] ?? 0) + x * weight
      if (this.#kind !== 'whole') sum[s] = (sum[s] ?? 0) + (this.#q[this.#kind][c] ?? 0) * weight
    }
    if (this.#kind === 'whole') return
    for (let s = 0; s < members; s++) {
      const whole = load[s * resources] ?? 0
      this.#measureBase(s, whole - (attributed[s] ?? 0), whole)
      if (world.alive[s]) sum[s] = (sum[s] ?? 0) + (this.#base[this.#kind][s] ?? 0)
    }
    this.#now = sum
  }

  /** Returns for how many seconds it has been measured. */
  #measureSession(c: number, x: number): number {
    const age = (this.#seen[c] ?? 0) + 1
    this.#seen[c] = age
    average(this.#q.fast, c, x, newest(TAU.fast, age))
    average(this.#q.slow, c, x, newest(TAU.slow, age))
    return age
  }

  #measureBase(s: number, x: number, whole: number): void {
    if (!this.#run.world.alive[s]) {
      this.#age[s] = 0
      return
    }
    const age = (this.#age[s] ?? 0) + 1
    this.#age[s] = age
    const { fast, slow } = this.#base
    average(fast, s, x, newest(TAU.fast, age))
    average(slow, s, x, newest(TAU.slow, age))
    this.#steps.observe(s, whole, age)
    if (this.#steps.stepped(s, (fast[s] ?? 0) - (slow[s] ?? 0))) slow[s] = fast[s] ?? 0
  }

  /** What is seen at t of all members: as old as reports are, and older where they get lost. */
  reported(t: number): Float64Array {
    const { timing, luck } = this.#run
    const { delay, loss } = timing
    const at = (when: number) =>
      this.#reports[((when % this.#reports.length) + this.#reports.length) % this.#reports.length]
    const newestReport = at(Math.max(t - delay, 0))
    const seen = newestReport ? Float64Array.from(newestReport) : new Float64Array(this.#now.length)
    if (loss === 0) return seen
    for (let s = 0; s < seen.length; s++) {
      let back = 0
      while (back < LOSS_LOOKBACK && t - delay - back > 0 && luck.unit() < loss) back += 1
      const row = back > 0 ? at(t - delay - back) : null
      if (row) seen[s] = row[s] ?? 0
    }
    return seen
  }
}

/** Tells a step of what no move changes from what comes and goes: by the Allan deviation of block means. */
class StepWatch {
  readonly #capacity: (s: number) => number
  readonly #sum: Float64Array
  readonly #count: Float64Array
  readonly #before: Float64Array
  readonly #allan: Float64Array
  readonly #pairs: Float64Array
  readonly #far: Float64Array

  constructor(members: number, capacity: (s: number) => number) {
    this.#capacity = capacity
    const zeros = () => new Float64Array(members)
    this.#sum = zeros()
    this.#count = zeros()
    this.#before = zeros().fill(Number.NaN)
    this.#allan = zeros()
    this.#pairs = zeros()
    this.#far = zeros()
  }

  shift(s: number, weight: number): void {
    this.#before[s] = (this.#before[s] ?? 0) + weight
    this.#sum[s] = (this.#sum[s] ?? 0) + weight * (this.#count[s] ?? 0)
  }

  observe(s: number, whole: number, age: number): void {
    const sum = (this.#sum[s] ?? 0) + whole
    const count = (this.#count[s] ?? 0) + 1
    this.#sum[s] = sum
    this.#count[s] = count % BLOCK_SECONDS
    if (count < BLOCK_SECONDS) return
    const mean = sum / BLOCK_SECONDS
    const difference = mean - (this.#before[s] ?? Number.NaN)
    if (!Number.isNaN(difference) && age > 2 * BLOCK_SECONDS + 1) {
      const pairs = (this.#pairs[s] ?? 0) + 1
      this.#pairs[s] = pairs
      average(this.#allan, s, (difference * difference) / 2, newestOf(ALLAN_WEIGHT, pairs))
    }
    this.#before[s] = mean
    this.#sum[s] = 0
  }

  stepped(s: number, away: number): boolean {
    const sigma = Math.sqrt(this.#allan[s] ?? 0) / this.#capacity(s)
    const isFar = (this.#pairs[s] ?? 0) > 0 && Math.abs(away) > STEP_SIGMAS * Math.max(sigma, 1e-3)
    this.#far[s] = isFar ? (this.#far[s] ?? 0) + 1 : 0
    if ((this.#far[s] ?? 0) < STEP_SECONDS) return false
    this.#far[s] = 0
    this.#before[s] = Number.NaN
    this.#sum[s] = Number.NaN
    return true
  }
}

function average(list: Float64Array, i: number, x: number, weight: number): void {
  const old = list[i] ?? 0
  list[i] = old + (x - old) * weight
}

const newest = (tau: number, age: number) => newestOf(-Math.expm1(-1 / tau), age)

/** Weight of the newest of `age` samples, so that averages are right from the first on. */
const newestOf = (weight: number, age: number) => weight / (1 - (1 - weight) ** age)
