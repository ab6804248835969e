// The time line in numbers: how long it reaches back, and where its lines go. Pure.
import type { History, Moment, PastProblem } from '../../src/api/history-schema.ts'

export const POINTS = 300
const MINUTE_MS = 60_000
export const RANGES = {
  '10 minutes': 10 * MINUTE_MS,
  '1 hour': 60 * MINUTE_MS,
  '1 day': 24 * 60 * MINUTE_MS,
  '30 days': 30 * 24 * 60 * MINUTE_MS,
} as const
export type RangeName = keyof typeof RANGES

const REFRESH_LEAST_MS = 5_000
/** What the axis may end at, in utilisation: little use is drawn larger, and the axis says so. */
const TOPS = [0.1, 0.25, 0.5, 1] as const

/** As often as a new point comes, within reason. */
export function refreshMs(rangeMs: number): number {
  return Math.min(MINUTE_MS, Math.max(REFRESH_LEAST_MS, rangeMs / POINTS))
}

export function topOf({ members }: History): number {
  let most = 0
  for (const { past } of members)
    for (const one of past?.utilisation ?? []) most = Math.max(most, one ?? 0)
  return TOPS.find((top) => most <= top) ?? 1
}

/** The path of a line, with a gap wherever nothing is known. `yOf`: of a value. */
export function pathOf(
  values: readonly (number | null)[],
  width: number,
  yOf: (value: number) => number,
): string {
  const step = width / Math.max(1, values.length - 1)
  let path = ''
  let isDown = false
  for (const [at, value] of values.entries()) {
    if (value !== null)
      path += `${isDown ? 'L' : 'M'}${(at * step).toFixed(1)} ${yOf(value).toFixed(1)}`
    isDown = value !== null
  }
  return path
}

export function timeOf({ from, stepSeconds }: History, place: number): number {
  return Date.parse(from) + place * stepSeconds * 1_000
}

/** Where a time is, as a share of the whole; null: it is outside. */
export function shareAt(history: History, atMs: number): number | null {
  const { stepSeconds, count } = history
  const share = (atMs - timeOf(history, 0)) / (stepSeconds * 1_000 * Math.max(1, count - 1))
  return share >= 0 && share <= 1 ? share : null
}

export interface PastMember {
  readonly id: string
  readonly utilisation: number | null
  readonly cpu: number | null
  readonly memoryBytes: number | null
  readonly iops: number | null
  readonly bytesPerSecond: number | null
  readonly latencyMs: number | null
  readonly sessions: number | null
  readonly usedBytes: number | null
}

/** All members as they were. */
export function membersAt({ members }: History, place: number): readonly PastMember[] {
  return members.map(({ id, past }) => {
    const at = (values: readonly (number | null)[] | undefined) => values?.[place] ?? null
    return {
      id,
      utilisation: at(past?.utilisation),
      cpu: at(past?.cpu),
      memoryBytes: at(past?.memoryBytes),
      iops: at(past?.iops),
      bytesPerSecond: at(past?.bytesPerSecond),
      latencyMs: at(past?.latencyMs),
      sessions: at(past?.sessions),
      usedBytes: at(past?.usedBytes),
    }
  })
}

export type ThenSession = NonNullable<Moment['members'][number]['past']>['sessions'][number] & {
  readonly member: string
  readonly iops: number
}

/** As the members had them. */
export function sessionsThen({ members }: Moment): readonly ThenSession[] {
  return members.flatMap(({ id: member, past }) =>
    (past?.sessions ?? []).map((session) => ({ ...session, member, iops: 0 })),
  )
}

/** What was wrong at any time in a bucket, the worst first. */
export function problemsAt(history: History, place: number): readonly PastProblem[] {
  const fromMs = timeOf(history, place)
  const toMs = timeOf(history, place + 1)
  return history.problems
    .filter(({ from, to }) => Date.parse(from) < toMs && (to === null || Date.parse(to) >= fromMs))
    .sort((a, b) => Number(b.severity === 'error') - Number(a.severity === 'error'))
}

export interface Mark {
  readonly problem: PastProblem
  /** As shares of the whole. */
  readonly from: number
  readonly to: number
}

/** Where problems were, errors last, so that they lie on top. */
export function marksOf(history: History): readonly Mark[] {
  const [startMs, wholeMs] = [timeOf(history, 0), timeOf(history, history.count - 1)]
  const shareOf = (atMs: number) =>
    Math.min(1, Math.max(0, (atMs - startMs) / Math.max(1, wholeMs - startMs)))
  return history.problems
    .map((problem) => ({
      problem,
      from: shareOf(Date.parse(problem.from)),
      to: problem.to === null ? 1 : shareOf(Date.parse(problem.to)),
    }))
    .sort((a, b) => Number(a.problem.severity === 'error') - Number(b.problem.severity === 'error'))
}

/** With the day, where it was not today. */
export function timeSaid(atMs: number): string {
  const at = new Date(atMs)
  const isToday = Date.now() - atMs < 20 * 3_600_000
  return isToday ? at.toLocaleTimeString() : at.toLocaleString()
}
