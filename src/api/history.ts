// /api/v1/history: what the members keep of their past; /api/v1/history/sessions: which sessions they had at one time.
//
// Invariants:
//   HI1. However long the time that is asked for, an answer has at most POINTS_MAX numbers of each figure.
import { z } from 'zod'
import { refusal } from './errors.ts'
import { history, moment } from './history-schema.ts'
import type { HistorySpan, Operator } from './operator.ts'
import { answered } from './refusals.ts'
import { type Api, described, problems, query, settle, whole } from './route.ts'
import { answer } from './schema.ts'

export const POINTS_MAX = 600
const POINTS_DEFAULT = 300
const HOUR_MS = 3_600_000
/** For so long a question may have been on its way. */
const WAY_MS = 60_000
const DAYS_MAX = 30
/** Of what is kept for longer than an hour. */
const MINUTE_SECONDS = 60

const historyQuery = query({
  from: z.iso.datetime().optional().describe('An hour before `to` if it is not named.'),
  to: z.iso.datetime().optional().describe('Now if it is not named.'),
  points: z.coerce
    .number()
    .int()
    .min(1)
    .max(POINTS_MAX)
    .default(POINTS_DEFAULT)
    .describe('How many numbers of each figure there are at most.'),
})

export function historyRoutes(api: Api, operator: Operator): void {
  momentRoute(api, operator)
  api.get(
    '/api/v1/history',
    {
      schema: {
        ...described('showHistory', 'group', 'The past of each member, the oldest first'),
        querystring: historyQuery,
        response: { 200: answer(history), ...problems },
      },
    },
    async (request, reply) => {
      const span = spanOf(request.query, Date.now())
      const outcome =
        span === null
          ? refusal('badRequest', '`from` is before `to`, by 30 days at most')
          : answered(await operator.history(span))
      return settle('showHistory', reply, outcome)
    },
  )
}

function momentRoute(api: Api, operator: Operator): void {
  api.get(
    '/api/v1/history/sessions',
    {
      schema: {
        ...described('showMoment', 'group', 'Which sessions each member had at one time'),
        querystring: query({ at: z.iso.datetime().describe('Of the last 30 days.') }),
        response: { 200: answer(moment), ...problems },
      },
    },
    async (request) => whole(await operator.moment(Date.parse(request.query.at))),
  )
}

/** HI1. null: the times are not in their order, or too far apart. */
export function spanOf(
  { from, to, points }: z.infer<typeof historyQuery>,
  nowMs: number,
): HistorySpan | null {
  const toMs = to === undefined ? nowMs : Date.parse(to)
  const fromMs = from === undefined ? toMs - HOUR_MS : Date.parse(from)
  const longMs = toMs - fromMs
  if (longMs <= 0 || longMs > DAYS_MAX * 24 * HOUR_MS) return null
  const seconds = Math.ceil(longMs / 1_000 / points)
  // Who asks for the last hour did so a little ago.
  const isLately = nowMs - fromMs <= HOUR_MS + WAY_MS && seconds < MINUTE_SECONDS
  const unit = isLately ? 1 : MINUTE_SECONDS
  const stepSeconds = Math.max(1, Math.ceil(seconds / unit)) * unit
  const stepMs = stepSeconds * 1_000
  // Buckets begin at whole multiples, so that one that is asked for again is the same one; the last is that of `to`.
  const last = Math.ceil(toMs / stepMs)
  const count = Math.max(1, Math.min(points, last - Math.floor(fromMs / stepMs)))
  return { fromMs: (last - count) * stepMs, stepSeconds, count }
}
