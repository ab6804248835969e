// The gates of the recorded scenarios: what the reference passes on each of its seeds, and what whoever distributes has to
// pass too; and figures beyond them, to aim at.
import type { Made } from './balance-runs.ts'

/** Of a run and, where it is compared with it, one in which nothing was moved. */
type Measure = (made: Made, none: Made | undefined) => number | null

const MEASURES = {
  moves: ({ figures }) => figures.moves,
  'whale moves': ({ counts }) => counts.ofFirst,
  'forced moves of one session': ({ counts }) => counts.forcedPerSession,
  'gap, %': ({ figures }) => percent(figures.gap),
  'gap at the end, %': ({ figures }) => percent(figures.gapEnd),
  'wasted, %': ({ figures }) => percent(figures.wasted),
  'level after, s': ({ figures }) => figures.timeToRebalance ?? Number.POSITIVE_INFINITY,
  p99: ({ figures }) => figures.p99,
  'p99 / that of none': ({ figures }, none) =>
    none === undefined ? null : figures.p99 / none.figures.p99,
  'moves / fewest': ({ figures }) => figures.movesOverLowerBound,
  'forwarded, %': ({ figures }) => percent(figures.forwarded),
} as const satisfies Record<string, Measure>

const percent = (share: number | null) => (share === null ? null : Math.round(1e4 * share) / 100)

type Measured = keyof typeof MEASURES
/** At most so much; `exactly`: no less either. */
type Limits = Readonly<Partial<Record<Measured, number>>> & { readonly exactly?: Measured }

export const GATES: Readonly<Record<string, Limits>> = {
  fig5: { moves: 1, exactly: 'moves', 'level after, s': 35, 'gap at the end, %': 3 },
  fig5light: { moves: 1, exactly: 'moves', 'level after, s': 440 },
  balanced3: { moves: 0 },
  balanced30: { moves: 0 },
  zipf3: { 'gap, %': 3.5, moves: 4 },
  zipf30: { 'gap, %': 3.2, 'gap at the end, %': 2, moves: 110, 'wasted, %': 15, p99: 14 },
  hetero30: { 'gap, %': 5.5, 'moves / fewest': 1.2, 'wasted, %': 15, 'level after, s': 180 },
  whale30: { 'gap, %': 1, moves: 36, 'whale moves': 0 },
  local30: { p99: 11, 'forwarded, %': 48, 'wasted, %': 5 },
  flash30: { 'gap, %': 10.5, p99: 22, 'level after, s': 300, 'wasted, %': 17 },
  antag30: { 'gap, %': 5, 'gap at the end, %': 1, 'level after, s': 40, 'wasted, %': 37 },
  burst30: { moves: 90, 'p99 / that of none': 1.25 },
  join30: { 'gap, %': 3, moves: 66, 'wasted, %': 25 },
  drain30: { 'gap, %': 4.5, moves: 35, 'forced moves of one session': 1 },
  links30: { 'gap, %': 8, moves: 50 },
  stale30: { 'gap, %': 3.2, moves: 120, 'wasted, %': 15 },
}

export const MOONSHOTS: Readonly<Record<string, Limits>> = {
  fig5: { moves: 1, exactly: 'moves', 'level after, s': 15 },
  fig5light: { moves: 1, exactly: 'moves', 'level after, s': 120 },
  flash30: { 'gap, %': 3, 'level after, s': 30, 'wasted, %': 5 },
  antag30: { 'gap, %': 3, 'level after, s': 30, 'wasted, %': 5 },
  burst30: { moves: 20, 'p99 / that of none': 1 },
  local30: { p99: 9.5, 'forwarded, %': 25, 'level after, s': 150 },
}

export interface Judged {
  readonly what: string
  readonly limit: number
  /** By seed, in the order of the runs. */
  readonly values: readonly number[]
  readonly passes: boolean
}

/** `runs`: of one scenario; `none`: the same without moves. */
export function judged(
  name: string,
  runs: readonly Made[],
  none: readonly Made[],
  gates = GATES,
): Judged[] {
  const { exactly, ...limits } = gates[name] ?? {}
  return Object.entries(limits).flatMap(([what, limit]) => {
    const measure: Measure = MEASURES[what as Measured]
    const values = runs.flatMap((run) => {
      const value = measure(
        run,
        none.find(({ seed }) => seed === run.seed),
      )
      return value === null ? [] : [value]
    })
    if (values.length === 0) return []
    const isKept = (x: number) => (what === exactly ? x === limit : x <= limit)
    return [{ what, limit, values, passes: values.every(isKept) }]
  })
}
