// What a member's monitor publishes each second to the others, over the peer links. A report says when it was taken by
// the sender's own clock; how old it is, is judged by when it was received.
import type { MemberId } from '../base/ids.ts'
import { COST_KINDS, type CostEvidence } from './cost-model.ts'
import { NO_SUMS, type ScaleSums } from './cost-scale.ts'
import type { LoadTable } from './load-table.ts'

export const REPORT_FORMAT = 1
/** Load is clamped to this multiple of the capacity: a wild sample must not make a member look colder or hotter than any can be. */
const MOST_UTILISED = 2

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
    fit: {
      factors: report.fit.factors.map((x) => tidy(x, 1e3)),
      evidence: report.fit.evidence.map((x) => tidy(x, 1e9)),
      sums: tidySums(report.fit.sums),
    },
  }
}

/** Of a member of an older version there are none. */
function tidySums(sums: ScaleSums = NO_SUMS): ScaleSums {
  return {
    seconds: tidy(sums.seconds, 1e6),
    cpu: tidy(sums.cpu, 1e3),
    priced: tidy(sums.priced, 1e3),
    square: tidy(sums.square, 1e6),
    product: tidy(sums.product, 1e6),
    scale: tidy(sums.scale, 1e3),
  }
}

function tidy(x: number, most: number): number {
  if (!Number.isFinite(x) || x <= 0) return 0
  return x >= most ? most : Number(x.toPrecision(6))
}

type Fields = Partial<Record<keyof Report, unknown>>

/** The report as JSON brought it, or the reason why it is none. */
export function parseReport(value: unknown): Report | { readonly refused: string } {
  if (typeof value !== 'object' || value === null) return { refused: 'not an object' }
  const refused = wrongIdentity(value) ?? wrongNumbers(value)
  return refused === null ? clampReport(value as Report) : { refused }
}

function wrongIdentity(r: Fields): string | null {
  if (r.format !== REPORT_FORMAT) return `format ${String(r.format)}`
  if (typeof r.member !== 'string' || r.member === '') return 'member'
  if (typeof r.incarnation !== 'string') return 'incarnation'
  if (!Number.isSafeInteger(r.sequence)) return 'sequence'
  if (r.state !== 'up' && r.state !== 'joining' && r.state !== 'draining') return 'state'
  return null
}

function wrongNumbers(r: Fields): string | null {
  if (!amounts(r.capacity) || r.capacity.some((x) => x <= 0)) return 'capacity'
  const resources = r.capacity.length
  if (resources < 1 || resources > 2) return 'capacity'
  for (const key of ['sigma', 'reserved'] as const) {
    const list = r[key]
    if (!amounts(list) || list.length !== resources) return key
  }
  if (!table(r.load, resources)) return 'load'
  if (!amounts([r.atMs, r.sessions, r.loopUtilisation])) return 'atMs, sessions or loopUtilisation'
  const fit = r.fit as Partial<Record<keyof CostEvidence, unknown>> | undefined | null
  for (const list of [fit?.factors, fit?.evidence]) {
    if (!amounts(list) || list.length !== COST_KINDS.length) return 'fit'
  }
  if (fit?.sums !== undefined && !sums(fit.sums)) return 'sums'
  return null
}

function amounts(x: unknown): x is number[] {
  return Array.isArray(x) && x.every((n) => Number.isFinite(n) && n >= 0)
}

function sums(x: unknown): boolean {
  if (typeof x !== 'object' || x === null) return false
  const s = x as Partial<Record<keyof ScaleSums, unknown>>
  return amounts([s.seconds, s.cpu, s.priced, s.square, s.product, s.scale])
}

function table(x: unknown, resources: number): boolean {
  if (typeof x !== 'object' || x === null) return false
  const t = x as Partial<Record<keyof LoadTable, unknown>>
  return [t.slow, t.long, t.fast, t.variance].every((a) => amounts(a) && a.length === resources)
}
