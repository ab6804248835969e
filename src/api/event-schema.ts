// The events of a group, as the API tells them.
import { z } from 'zod'
import { EVENT_KINDS } from './event-kinds.ts'

export const eventKind = z.enum(EVENT_KINDS)

export const eventHead = z
  .object({
    id: z.string().describe('Of the member that tells it; another start of it counts anew.'),
    kind: eventKind.describe('What it is about.'),
    at: z.string().describe('When it was seen: ISO 8601, UTC.'),
    sentence: z.string().describe('The same for people.'),
    members: z.array(z.string()).describe('Members concerned.'),
    volume: z.string().nullable().describe('The volume concerned, by its name; null: none.'),
    session: z.string().nullable().describe('The session concerned; null: none.'),
  })
  .meta({ id: 'EventHead' })

export const event = z
  .looseObject({
    event: eventHead,
    change: z
      .string()
      .describe(
        'What has become of it: of a member joined, left, up, silent, draining, restarted, stood in (another member answers at its portal) or portal back; of a session began, ended, went (to another member), pinned or unpinned; of a move began, changed or ended; of the balance changed; of a problem appeared or gone; of a volume created, changed or deleted.',
      ),
  })
  .meta({
    id: 'Event',
    description:
      'Beside these, what it is about has the keys that it has elsewhere in this API: a Move, a HealthProblem, a Volume; of a session, a member and the balance those that the record of the group has.',
  })

export const keptEvents = z
  .object({
    items: z.array(event).describe('The oldest first.'),
    last: z
      .string()
      .describe('`after`, or `Last-Event-ID`, of who is to go on after these, without a gap.'),
    gap: z
      .boolean()
      .describe(
        'What came after `after` is not known any more, or is of another member: it is not here.',
      ),
  })
  .meta({ id: 'KeptEvents' })

export type Event = z.infer<typeof event>
export type KeptEvents = z.infer<typeof keptEvents>

/** What the record of the group has of a session. */
export interface SessionBrief {
  readonly id: string
  readonly initiator: string
  readonly source: string
  readonly volume: string
  readonly member: string
  readonly pinned: string | null
}

export interface MemberBrief {
  readonly id: string
  readonly state: 'up' | 'draining' | 'silent'
  /** Another one for each of its starts. */
  readonly start: string
  /** Who answers at its portal while it is away; null: nobody. */
  readonly standIn: string | null
}

/** The state of the distribution, settings and all. */
export interface BalanceBrief {
  readonly mode: string
  readonly placement: string
  readonly policy: Readonly<Record<string, unknown>>
}
