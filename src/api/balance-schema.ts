// The forms of what is asked of the distribution besides its state: why a session was moved or stays, what would be moved next, and
// what members have kept of their load.
import { z } from 'zod'
import { resource } from './fullness-schema.ts'
import { count } from './number-schema.ts'
import { balanceMode } from './schema.ts'

const regret = z.number().describe('What staying has cost, in request-seconds.')
const gapAndNeed = {
  gap: z.number().describe('Difference of the two members, in utilisation.'),
  need: z.number().describe('What of it comes and goes.'),
  resource: resource.describe('That decides.'),
}

export const moveOption = z
  .object({
    to: z.string().describe('The member.'),
    code: z.string().nullable().describe('The rule that it breaks; null: it would do.'),
    gain: z.number().nullable().describe('null: it is no destination.'),
    sentence: z.string().describe('Why it would do, or not.'),
  })
  .meta({ id: 'MoveOption' })

export const endSeen = z
  .object({
    member: z.string().describe('Whose figures these are.'),
    reportAgeMs: z.number().describe('How old the report was.'),
    resource: resource.describe('Of which these are.'),
    capacity: z.number().describe('In cores; of the network in Gbit/s, both ways together.'),
    slow: z.number().describe('Utilisation, as average of 40 s.'),
    long: z.number().describe('Of 5 minutes.'),
    fast: z.number().describe('Of 5 s.'),
    sigma: z.number().describe('What of it comes and goes.'),
  })
  .meta({ id: 'EndSeen' })

const hereAndThere = z.object({ here: z.number(), there: z.number() })
export const moveWhy = z
  .object({
    move: z.string(),
    session: z.string(),
    at: z.string(),
    from: endSeen,
    to: endSeen.nullable(),
    weight: hereAndThere.describe('Load of the session at either member, as capacity.'),
    share: hereAndThere.describe('Share of its pages at either member.'),
    urgent: z.boolean(),
    gain: z.number(),
    price: z.number(),
    regret,
    ...gapAndNeed,
    sentence: z.string(),
    options: z.array(moveOption).describe('All members that were known, the best first.'),
  })
  .meta({ id: 'MoveWhy', description: 'What the decision for a move had seen.' })

const judged = {
  session: z.string().describe('Its id.'),
  member: z.string().describe('Where it is.'),
  code: z.string().describe('The rule that holds it, or moves it.'),
  to: z.string().nullable().describe('The best destination; null: there is none.'),
  gain: z.number().describe('Waiting requests that a move would save.'),
  regret,
  owed: z.number().describe('What regret must reach.'),
  price: z.number().describe('What the move would cost, in request-seconds.'),
  ...gapAndNeed,
  sentence: z.string().describe('The same for people.'),
}

export const stayReason = z
  .object({
    ...judged,
    until: z.string().nullable().describe('Until when time alone holds it back.'),
    options: z.array(moveOption),
  })
  .meta({ id: 'StayReason', description: 'The rule that holds a session back now.' })

export const plannedMove = z
  .object({ ...judged, at: z.string().describe('When it would be moved, if all stays as it is.') })
  .meta({ id: 'PlannedMove' })

export const balancePlan = z
  .object({
    mode: balanceMode,
    moves: z.array(plannedMove).describe('The soonest first.'),
    silent: z.array(z.string()).describe('Members that did not answer.'),
  })
  .meta({ id: 'BalancePlan', description: 'What would be moved next. Nothing is.' })

const byResource = z.array(z.number())

export const recordedEntry = z
  .object({
    n: count.describe('Counts the entries of a member.'),
    atMs: z.number().describe('Since 1970.'),
    capacity: byResource.describe(
      'CPU seconds a second that it can have, and Gbit/s of its network, if that is its own.',
    ),
    slow: byResource.describe('Its load, as it reports it: average of 40 s.'),
    fast: byResource.describe('Of 5 s.'),
    sigma: byResource.describe('What comes and goes, in utilisation.'),
    base: byResource.describe('What no move of a session changes, of `fast`.'),
    sessions: z
      .array(
        z.tuple([
          z.number(),
          byResource,
          byResource,
          z.number(),
          z.array(z.tuple([z.string(), z.number()])),
        ]),
      )
      .describe(
        'Each as [id, load if all is forwarded, what is saved if nothing is, share of each other member, [[member, share] …]].',
      ),
  })
  .meta({ id: 'RecordedEntry' })

export const recordingPage = z
  .object({
    member: z.string(),
    everySeconds: z.number(),
    entries: z.array(recordedEntry).describe('The oldest first.'),
    next: count.nullable().describe('`after` of the next page; null: that was all.'),
  })
  .meta({ id: 'RecordingPage' })

export type MoveOption = z.infer<typeof moveOption>
export type EndSeen = z.infer<typeof endSeen>
export type MoveWhy = z.infer<typeof moveWhy>
export type StayReason = z.infer<typeof stayReason>
export type PlannedMove = z.infer<typeof plannedMove>
export type BalancePlan = z.infer<typeof balancePlan>
export type RecordedEntry = z.infer<typeof recordedEntry>
export type RecordingPage = z.infer<typeof recordingPage>
