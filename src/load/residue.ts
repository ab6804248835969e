// The CPU that counted work does not explain: a neighbour on the core, garbage collection, something else in the
// process. Work is counted exactly, so what the costs expect of it has no noise of the machine; this has all of it, and
// all that the costs are wrong by. Hence it counts by its long average, unless it has clearly stepped, and then from
// the step on; and it begins to count where it is more than slack: a loop that is mostly idle wakes up for each request
// and runs code that is cold, which costs the less the more it has to do.
import { newestWeight } from './average.ts'
import { type Costs, expectedCpu } from './cost-model.ts'
import { BLOCK_SECONDS, Noise } from './noise.ts'
import { TAU_SECONDS } from './session-load.ts'

/** From this age on a second counts for the variance by at most this many deviations, so that a step does not hide itself. */
const SETTLED_SECONDS = 60
const OUTLIER = 4
/** Noise of 20 s: the mean of blocks varies by this much more than their differences tell. */
const DEPENDENCE = 3
/** What is left of its age after a step. */
const YOUNG_SECONDS = 10
/** CPU a second that an idle loop may spend more, or less, than costs say, without being fuller or emptier for it. */
const SLACK_CORES = 0.1
/** Code warms up and costs are learnt: what is still there after minutes is believed. */
const WARM_SECONDS = 90

export interface ResidueSample {
  /** A second. */
  readonly cpu: number
  readonly expected: number
  /** The work for which it is expected, by `COST_KINDS`. */
  readonly rates: readonly number[]
  /** Utilisation of the process, 0 … 1. */
  readonly busy: number
  readonly seconds: number
}

export class Residue {
  #mean = 0
  #fast = 0
  #slack = SLACK_CORES
  /** What steps have made of it. */
  #stepped = 0
  #variance = 0
  #seconds = 0
  #ageSeconds = 0
  readonly #noise = new Noise()
  /** What the averages stand on, so that they can be stated anew. */
  readonly #work: { readonly mean: number[]; readonly fast: number[] } = { mean: [], fast: [] }

  /** What it is taken to be. */
  get value(): number {
    const drift = this.#mean - this.#stepped
    const slack = this.#slack * Math.exp(-this.#ageSeconds / WARM_SECONDS)
    const beyond = Math.max(0, Math.abs(drift) - slack)
    return this.#stepped + Math.sign(drift) * beyond
  }

  /** σ² of `value`: its blocks' noise, less the more of them it averages, and more for blocks are not independent; as far as it counts. */
  get valueVariance(): number {
    const counted = this.#mean === 0 ? 0 : this.value / this.#mean
    const block = this.#noise.sigma ?? Math.sqrt(this.#promised())
    const seconds = Math.min(TAU_SECONDS.long, Math.max(BLOCK_SECONDS, this.#seconds))
    return (counted * counted * DEPENDENCE * block * block * BLOCK_SECONDS) / seconds
  }

  /** Work on the long average, by `COST_KINDS`. */
  get work(): readonly number[] {
    return this.#work.mean
  }

  /**
   * What is remembered is stated anew: the same work is now expected to cost otherwise. What a step has made of it stays
   * within what there is of it.
   */
  restate(before: Costs, now: Costs): void {
    const less = (rates: readonly number[]) => expectedCpu(rates, before) - expectedCpu(rates, now)
    const shift = less(this.#work.mean)
    this.#mean += shift
    this.#fast += less(this.#work.fast)
    this.#noise.shift(shift)
    if (this.#stepped === 0) return
    const stepped = this.#stepped + shift
    this.#stepped = Math.max(Math.min(0, this.#mean), Math.min(Math.max(0, this.#mean), stepped))
  }

  observe(sample: ResidueSample): void {
    const { cpu, expected, rates, busy, seconds } = sample
    const x = cpu - expected
    this.#ageSeconds += seconds
    this.#seconds += seconds
    const away = x - this.#mean
    const weight = newestWeight(TAU_SECONDS.long, seconds, this.#seconds)
    this.#mean += away * weight
    this.#slack += (SLACK_CORES * (1 - busy) ** 4 - this.#slack) * weight
    const fastWeight = newestWeight(TAU_SECONDS.fast, seconds, this.#ageSeconds)
    this.#fast += (x - this.#fast) * fastWeight
    rates.forEach((rate, i) => {
      const { mean, fast } = this.#work
      mean[i] = (mean[i] ?? 0) + (rate - (mean[i] ?? 0)) * weight
      fast[i] = (fast[i] ?? 0) + (rate - (fast[i] ?? 0)) * fastWeight
    })
    const before = this.#ageSeconds - seconds
    if (before > 0) {
      const square = away * (x - this.#mean)
      const most = before < SETTLED_SECONDS ? square : OUTLIER ** 2 * this.#variance
      this.#variance +=
        (Math.min(square, most) - this.#variance) * newestWeight(TAU_SECONDS.long, seconds, before)
    }
    this.#noise.observe(x, seconds, this.#ageSeconds, this.#promised())
    // Slow noise stays away for many seconds, though its blocks differ little: it is no step before it is an outlier among seconds too.
    const sigma = Math.max(this.#noise.sigma ?? 0, Math.sqrt(Math.max(0, this.#variance)))
    if (this.#noise.stepped(this.#fast - this.#mean, sigma, seconds, this.#ageSeconds)) {
      this.#stepped += this.#fast - this.#mean
      this.#mean = this.#fast
      this.#work.mean.splice(0, Number.POSITIVE_INFINITY, ...this.#work.fast)
      this.#seconds = YOUNG_SECONDS
    }
  }

  /** σ² of a block before there are any: of noise of ten seconds half the deviation is left in one, of slower noise nearly all. */
  #promised(): number {
    return 0.5 * Math.max(0, this.#variance)
  }
}
