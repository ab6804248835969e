// What the API tells of what is wrong with the group.
import { z } from 'zod'
import { count } from './number-schema.ts'

export const severity = z.enum(['warning', 'error'])

/** What can be wrong; the tables that find it are operator/findings.ts and copy-findings.ts, docs/OPERATING.md lists it for people. */
export const healthCode = z.enum([
  'STORE_FAILED',
  'OLD_FOLDER',
  'MEMBER_RESTARTING',
  'MEMBER_DOWN',
  'MEMBER_SLOW',
  'UNAVAILABLE',
  'LAST_COPY',
  'DEGRADED',
  'RESYNC',
  'DAMAGED',
  'FULL',
  'NEAR_FULL',
  'RECORD_LOST',
  'COORDINATOR_DOWN',
  'SLOW_DISK',
  'IMBALANCED',
  'MEMBER_EMPTY',
  'MISPREDICTING',
  'DRAINING',
])

export const healthProblem = z
  .object({
    code: healthCode.describe('The same for the same kind of fault; docs/OPERATING.md lists them.'),
    severity: severity.describe(
      'error: something does not work; warning: it works badly, or may soon not.',
    ),
    subject: z.string().describe('A member, or what of the group it is about.'),
    since: z.string().describe('When it began: ISO 8601, UTC.'),
    sentence: z.string().describe('What is wrong.'),
    action: z.string().describe('What to do.'),
    volumes: z
      .object({ count, names: z.array(z.string()) })
      .describe('Volumes concerned: how many, and the names of at most 10.'),
    sessions: z
      .object({ count, ids: z.array(z.string()) })
      .describe('Sessions concerned: how many, and the ids of at most 10.'),
  })
  .meta({ id: 'HealthProblem' })

export const healthState = z.enum(['ok', 'warning', 'error'])

export type Severity = z.infer<typeof severity>
export type HealthCode = z.infer<typeof healthCode>
export type HealthProblem = z.infer<typeof healthProblem>
