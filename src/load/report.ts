// What a member's monitor publishes each second to the others, over the peer links. A report says when it was taken by
// the sender's own clock; how old it is, is judged by when it was received.
import type { MemberId } from '../base/ids.ts'
import type { CostEvidence } from './cost-model.ts'
import type { ScaleSums } from './cost-scale.ts'
import type { LoadTable } from './load-table.ts'

export const REPORT_FORMAT = 4
/** Load is clamped to this multiple of the capacity: a wild sample must not make a member look colder or hotter than any can be. */
export const MOST_UTILISED = 2

export type MemberState = 'up' | 'joining' | 'draining'

export type Report = {
  readonly format: typeof REPORT_FORMAT
  readonly member: MemberId
  /** The boot id: a restarted member counts its sequence anew. */
  readonly incarnation: string
  readonly sequence: number
  readonly atMs: number
  readonly state: MemberState
  readonly capacity: readonly number[]
  readonly load: LoadTable
  /** Noise, in utilisation. */
  readonly sigma: readonly number[]
  /** Promised to sessions that have not arrived. */
  readonly reserved: readonly number[]
  readonly sessions: number
  /** For people: busy share of the event loop, 0 … 1. */
  readonly loopUtilisation: number
  readonly fit: CostEvidence
}

/** Makes it publishable: numbers finite, within bounds, at six digits. */
export function clampReport(report: Report): Report {
  const bounded = (values: readonly number[]) =>
    values.map((x, r) => tidy(x, MOST_UTILISED * (report.capacity[r] ?? 1)))
  return {
    ...report,
    capacity: report.capacity.map((x) => Math.max(1e-3, tidy(x, 1e6))),
    load: {
      slow: bounded(report.load.slow),
      long: bounded(report.load.long),
      fast: bounded(report.load.fast),
      variance: report.load.variance.map((x) => tidy(x, 1e6)),
    },
    sigma: report.sigma.map((x) => tidy(x, 10)),
    reserved: bounded(report.reserved),
    loopUtilisation: tidy(report.loopUtilisation, 1),
    fit: clampFit(report.fit),
  }
}

export function clampFit({ factors, evidence, sums }: CostEvidence): CostEvidence {
  return {
    factors: factors.map((x) => tidy(x, 1e3)),
    evidence: evidence.map((x) => tidy(x, 1e9)),
    sums: tidySums(sums),
  }
}

function tidySums(sums: ScaleSums): ScaleSums {
  return {
    seconds: tidy(sums.seconds, 1e6),
    cpu: tidy(sums.cpu, 1e3),
    priced: tidy(sums.priced, 1e3),
    square: tidy(sums.square, 1e6),
    product: tidy(sums.product, 1e6),
    scale: tidy(sums.scale, 1e3),
    own: tidy(sums.own, 1e3),
  }
}

function tidy(x: number, most: number): number {
  if (!Number.isFinite(x) || x <= 0) return 0
  return x >= most ? most : Number(x.toPrecision(6))
}

/** What of a report that came from elsewhere cannot be; null: nothing. */
export function refusedReport({
  atMs,
  capacity,
  load,
  sigma,
  reserved,
  fit,
}: Report): string | null {
  if (!amounts(capacity) || capacity.some((x) => x === 0)) return 'capacity'
  if (![load.slow, load.long, load.fast, load.variance].every(amounts)) return 'load'
  if (!amounts([...sigma, ...reserved, atMs])) return 'sigma, reserved or atMs'
  return amounts([...fit.factors, ...fit.evidence, ...Object.values(fit.sums)]) ? null : 'fit'
}

function amounts(list: readonly number[]): boolean {
  return list.every((x) => Number.isFinite(x) && x >= 0)
}
