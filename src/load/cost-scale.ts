// The scale of the costs: what all work costs as a multiple of what the prior says, one number for the whole group. A new
// machine, another disk or a new version make work dearer or cheaper by two or three times, and a member alone cannot
// tell what work costs from what being alive costs while its load is even. All together can: those with more work use more
// CPU. Each member publishes fading sums of its CPU and of its work as priced; all compute the same slope over all of them.
//
// S1. All members price by the same scale: it follows from what all publish, the last scale of each included; who has just
//     started takes the group's.
// S2. Where there is nothing to learn from, as when all are level or idle, the scale stays what it was; and it follows only
//     what is more than chance.
//     Level members tell it in minutes: by what CPU follows work at each of them alone (own-slope.ts). If these slopes are
//     far from the scale, or not alike, the scale is the one in the middle.
// S3. The group's work is never priced at more, in sum, than what its processes use.
// S4. What one member uses beside its work does not make the scale: members differ by more than work, and who differs most
//     counts least.
import { CpuOverWork, DEPENDENT_SECONDS } from './cpu-over-work.ts'
import { isLike, usualSlope } from './own-slope.ts'

const LEAST_SCALE = 0.1
export const MOST_SCALE = 10

/** What a member publishes for it: means of the last minute or so, and the scale that it prices by. */
export type ScaleSums = {
  /** For which it has been measured, at most `MEMORY_SECONDS`; 0: not yet, and the rest says nothing. */
  readonly seconds: number
  /** CPU, and work by the prior, a second; the mean of the latter's square, and of the product of both. */
  readonly cpu: number
  readonly priced: number
  readonly square: number
  readonly product: number
  readonly scale: number
  /** What CPU follows work by at this member alone, over minutes (own-slope.ts); 0: not known. */
  readonly own: number
}

export const NO_SUMS: ScaleSums = {
  ...{ seconds: 0, cpu: 0, priced: 0, square: 0, product: 0 },
  ...{ scale: 1, own: 0 },
}

/** Short: what was learnt is remembered in the scale. */
const MEMORY_SECONDS = 60
/** CPU a second by which members differ whatever their work is. */
const APART_CORES = 0.02
/** What a member's CPU swings by, beside its work, for about `DEPENDENT_SECONDS` at a time. */
const SWING_CORES = 0.02
const SWING_SHARE = 0.1
/** A member further off than this many deviations counts the less, the further it is off. */
const OUTLIER = 2
const ROUNDS = 4
/** Squares of the slope over its deviation: up to the first it may be chance, and at as much more it is followed within `FOLLOW_SECONDS`. */
const CHANCE = 4
const CLEAR = 16
const FOLLOW_SECONDS = 5
/** The nearer the scale is to the slope, within these deviations, the slower it follows, by this power: loads must not change with every breath. */
const DEVIATIONS = 1
const STILL = 4
/** What is counted is not exact. */
const TOLERANCE = 1.1

export class ScaleMeasure {
  readonly #means = new CpuOverWork(MEMORY_SECONDS)

  observe(seconds: number, cpu: number, priced: number): void {
    this.#means.observe(seconds, cpu, priced)
  }

  sums(scale: number, own = 0): ScaleSums {
    const { seconds, cpu, priced, pricedSquare: square, product } = this.#means
    return { seconds: Math.min(MEMORY_SECONDS, seconds), cpu, priced, square, product, scale, own }
  }
}

/** The group's scale, `seconds` after the last time. Give the sums in the same order everywhere (by member id). */
export function groupScale(sums: readonly ScaleSums[], seconds: number): number {
  const known = sums.filter((one) => one.seconds > 0)
  if (known.length === 0) return 1
  const last = lastScale(known)
  const between = slopeOf(known)
  const told = isTold(known, between, last) ? between : (usualSlope(known) ?? between)
  const clear = clearnessOf(told, last)
  const sure = surenessOf(clear)
  if (sure === 0) return bounded(Math.min(last, mostUsed(known)))
  const towards = bounded(told.slope)
  const off = Math.min(1, (Math.abs(Math.log(towards / last)) * Math.sqrt(clear)) / DEVIATIONS)
  const rate = (sure * off ** STILL) / FOLLOW_SECONDS
  const scale = last * (towards / last) ** -Math.expm1(-rate * seconds)
  return bounded(Math.min(scale, mostUsed(known)))
}

interface Slope {
  readonly slope: number
  readonly precision: number
}

/** S2. Whether what lies between the members tells what work costs, or nothing else tells it better. */
function isTold(known: readonly ScaleSums[], between: Slope, last: number): boolean {
  const usual = usualSlope(known)
  if (usual === null) return true
  if (known.some(({ own }) => own > 0 && !isLike(own, usual.slope))) return false
  return isLike(usual.slope, last) || surenessOf(clearnessOf(between, last)) > 0
}

/** Relative to the scale on both sides, so that neither work that is priced too low nor chance among level members decides. */
function clearnessOf({ slope, precision }: Slope, last: number): number {
  return Math.max(0, slope) * last * precision
}

function surenessOf(clear: number): number {
  return Math.min(1, Math.max(0, (clear - CHANCE) / CLEAR))
}

/** S1. The mean of all, by how long each has measured. */
function lastScale(known: readonly ScaleSums[]): number {
  let sum = 0
  let weight = 0
  for (const { seconds, scale } of known) {
    sum += seconds * Math.log(bounded(scale))
    weight += seconds
  }
  return Math.exp(sum / weight)
}

/** CPU over work as priced, between the members and within each of them; and 1 / its variance. */
function slopeOf(known: readonly ScaleSums[]): Slope {
  const trust = known.map((one) => 1 / (APART_CORES ** 2 + varianceOfMean(one)))
  let weights = trust
  let between = lineThrough(known, weights)
  for (let round = 0; round < ROUNDS; round++) {
    const { slope, intercept } = between
    weights = known.map(({ cpu, priced }, i) => {
      const off = Math.abs(cpu - intercept - slope * priced) * Math.sqrt(trust[i] ?? 0)
      return (trust[i] ?? 0) * Math.min(1, OUTLIER / Math.max(off, 1e-9))
    })
    between = lineThrough(known, weights)
  }
  let { square, product } = between
  for (const one of known) {
    const weight = one.seconds / DEPENDENT_SECONDS / swingOf(one) ** 2
    square += weight * Math.max(0, one.square - one.priced ** 2)
    product += weight * (one.product - one.priced * one.cpu)
  }
  return square > 1e-9 ? { slope: product / square, precision: square } : LEVEL
}

const LEVEL = { slope: 0, precision: 0 }

function lineThrough(known: readonly ScaleSums[], weights: readonly number[]) {
  let weight = 0
  let priced = 0
  let cpu = 0
  known.forEach((one, i) => {
    const w = weights[i] ?? 0
    weight += w
    priced += w * one.priced
    cpu += w * one.cpu
  })
  priced /= weight
  cpu /= weight
  let square = 0
  let product = 0
  known.forEach((one, i) => {
    const w = weights[i] ?? 0
    const away = one.priced - priced
    square += w * away ** 2
    product += w * (away * (one.cpu - cpu))
  })
  const slope = square > 1e-9 ? product / square : 0
  return { square, product, slope, intercept: cpu - slope * priced }
}

const swingOf = ({ cpu }: ScaleSums) => SWING_CORES + SWING_SHARE * cpu

const varianceOfMean = (one: ScaleSums) => swingOf(one) ** 2 / (1 + one.seconds / DEPENDENT_SECONDS)

/** S3. Infinite where there is no work. */
function mostUsed(known: readonly ScaleSums[]): number {
  let used = 0
  let priced = 0
  for (const one of known) {
    used += one.seconds * (one.cpu + Math.sqrt(varianceOfMean(one)))
    priced += one.seconds * one.priced
  }
  return (TOLERANCE * used) / Math.max(priced, 1e-9)
}

const bounded = (scale: number) => Math.min(MOST_SCALE, Math.max(LEAST_SCALE, scale))
