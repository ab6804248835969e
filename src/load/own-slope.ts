// How much slower this machine does the group's work than others do: by how much its own CPU follows its own work, beside
// those of the other members. A throttled or an older core shows as load that grows by more with each session, not as load
// beside the sessions: so such a member has less capacity, and its sessions are no heavier than elsewhere.
//
// S5. A member is taken to be as fast as most unless its own work, that must have changed for it, shows it clearly to be
//     otherwise, and most have shown what is usual.
import { CpuOverWork, DEPENDENT_SECONDS } from './cpu-over-work.ts'

const MEMORY_SECONDS = 600
/** A process that starts is not yet as it will be. */
const SETTLED_SECONDS = 120
/** What work costs a loop that is mostly idle says little of what it costs (E5 of estimate.ts). */
const LEAST_CPU = 0.25
/** What the CPU of a second is wrong by at least. */
const LEAST_SWING = 0.005
/** A slope is told only if it is known to this share. */
const KNOWN = 0.15
/** Logarithms: what is nearer to the usual than the first counts as usual; from the second on it counts in full. */
const COUNTS = 0.3
const COUNTS_FULLY = 0.5
const MOST = Math.log(4)

export class OwnSlope {
  readonly #means = new CpuOverWork(MEMORY_SECONDS)

  observe(seconds: number, cpu: number, priced: number): void {
    this.#means.observe(seconds, cpu, priced)
  }

  /** CPU over work by the prior; 0: not known. */
  get value(): number {
    const { seconds, cpu, priced, cpuSquare, pricedSquare, product } = this.#means
    if (seconds < SETTLED_SECONDS || cpu < LEAST_CPU) return 0
    const variance = pricedSquare - priced ** 2
    const slope = (product - priced * cpu) / Math.max(variance, 1e-9)
    if (slope <= 0) return 0
    const unexplained = cpuSquare - cpu ** 2 - slope ** 2 * variance
    const samples = Math.min(MEMORY_SECONDS, seconds) / DEPENDENT_SECONDS
    const rest = Math.max(LEAST_SWING ** 2, unexplained) / samples
    return Math.sqrt(rest / Math.max(variance, 1e-9)) / slope < KNOWN ? slope : 0
  }
}

/** The slope of the member in the middle, and 1 / its variance; null: fewer than most know theirs. */
export function usualSlope(
  all: readonly { readonly own: number }[],
): { readonly slope: number; readonly precision: number } | null {
  const known = all
    .map(({ own }) => own)
    .filter((own) => own > 0)
    .sort((a, b) => a - b)
  const slope = known[(known.length - 1) >> 1]
  if (slope === undefined || 2 * known.length <= all.length) return null
  return { slope, precision: 1 / (KNOWN * slope) ** 2 }
}

/** Sessions are not counted exactly, and those of a member may all be counted a little dear. */
export function isLike(slope: number, scale: number): boolean {
  return Math.abs(Math.log(slope / scale)) <= COUNTS
}

/** What work costs a member as a multiple of what it costs the group; 1: nothing says otherwise. */
export function slownessOf(
  own: number,
  scale: number,
  all: readonly { readonly own: number }[],
): number {
  const usual = usualSlope(all)
  // While the scale is on its way, all are off alike.
  if (own <= 0 || usual === null || !isLike(usual.slope, scale)) return 1
  const off = Math.max(-MOST, Math.min(MOST, Math.log(own / scale)))
  const counts = (Math.abs(off) - COUNTS) / (COUNTS_FULLY - COUNTS)
  return Math.exp(off * Math.min(1, Math.max(0, counts)))
}
