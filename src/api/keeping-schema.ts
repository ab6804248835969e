// What the API tells of the drain of a member.
import { z } from 'zod'
import { count } from './number-schema.ts'

export const drainState = z
  .object({
    since: z.string().describe('When it began, or now: ISO 8601, UTC.'),
    left: count.describe('Sessions that it has still.'),
    moved: count.describe(
      'Sessions that have left since it began, or since the member was started.',
    ),
    secondsLeft: z
      .number()
      .nullable()
      .describe(
        'At the pace until now; null: not known yet, or nothing of what is left can leave.',
      ),
    stuck: count.describe('Of those that are left: they cannot leave now.'),
    reasons: z
      .array(
        z.object({
          session: z.string(),
          code: z.string(),
          why: z.string(),
          action: z.string(),
        }),
      )
      .describe('Why not, and what to do: of at most 10 of these.'),
  })
  .meta({ id: 'DrainState' })

export const drain = z
  .object({
    member: z.string().describe('m1, m2 …'),
    draining: z.boolean().describe('It is being emptied; false: this is what a drain would find.'),
    state: drainState.nullable().describe('null: it is not drained, or does not answer.'),
    sentence: z.string().describe('The same for people.'),
  })
  .meta({ id: 'Drain' })

export type Drain = z.infer<typeof drain>
export type DrainState = z.infer<typeof drainState>
