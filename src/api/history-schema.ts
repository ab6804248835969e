// What the API tells of the past of a group.
import { z } from 'zod'
import { healthCode, severity } from './health-schema.ts'
import { count } from './number-schema.ts'

/** One number for each bucket of time; null: nothing is known of it. */
const series = z.array(z.number().nullable())

/** A member's past. */
export const pastFigures = z.object({
  utilisation: series.describe('Load over capacity.'),
  cpu: series.describe('Cores in use.'),
  memoryBytes: series,
  iops: series,
  bytesPerSecond: series,
  latencyMs: series,
  sessions: series,
  usedBytes: series.describe('Of its disk.'),
})

export const pastProblem = z
  .object({
    code: healthCode.describe('As of a HealthProblem.'),
    severity: severity.describe('As of a HealthProblem.'),
    subject: z.string().describe('A member, or what of the group it was about.'),
    sentence: z.string().describe('What was wrong, as it was told first.'),
    action: z.string().describe('What was to be done.'),
    from: z.string().describe('When it began: ISO 8601, UTC.'),
    to: z.string().nullable().describe('When it was over; null: it is not.'),
  })
  .meta({ id: 'PastProblem' })

export const history = z
  .object({
    from: z.string(),
    stepSeconds: count.describe(
      'Each number is the mean of so many seconds, beginning with `from`.',
    ),
    count: count.describe('How many numbers there are of each.'),
    members: z.array(
      z.object({
        id: z.string(),
        past: pastFigures.nullable().describe('null: the member does not answer.'),
      }),
    ),
    problems: z
      .array(pastProblem)
      .describe('What was wrong meanwhile, as any member has seen it, the newest first.'),
  })
  .meta({
    id: 'History',
    description:
      'What each member keeps of its past: an hour by seconds, 30 days by minutes; and of what was wrong with the group.',
  })

export const pastSession = z
  .object({
    id: z.string().describe('As of a Session, which may have ended since.'),
    initiator: z.string().describe('The name that it gave itself.'),
    volume: z.string().describe('By the name that it had then.'),
    load: z.number().nullable().describe('CPU attributed to it, in cores; null: it was not known.'),
  })
  .meta({ id: 'PastSession' })

export const pastSessions = z.object({
  sessions: z.array(pastSession).describe('The heaviest first, some fifty at most.'),
  others: count.describe('How many more there were.'),
})

export const moment = z
  .object({
    at: z.string(),
    members: z.array(
      z.object({
        id: z.string(),
        past: pastSessions
          .nullable()
          .describe('null: it is not known, or the member does not answer.'),
      }),
    ),
  })
  .meta({
    id: 'Moment',
    description:
      'Which sessions each member had: of the last hour each 5 s, of 30 days each 10 minutes.',
  })

export type History = z.infer<typeof history>
export type PastFigures = z.infer<typeof pastFigures>
export type PastProblem = z.infer<typeof pastProblem>
export type PastSession = z.infer<typeof pastSession>
export type PastSessions = z.infer<typeof pastSessions>
export type Moment = z.infer<typeof moment>
