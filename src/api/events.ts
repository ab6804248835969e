// /api/v1/events: what happens in the group, as server-sent events. A client that comes back with `Last-Event-ID`, as
// browsers and libraries do by themselves, goes on where it was. /api/v1/events/kept has what is kept of them.
//
// Invariants:
//   EV1. A stream whose reader does not read is ended: it may come back for what it has missed.
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { PROBLEM_TYPE, problem } from './errors.ts'
import { EVENTS_KEPT, EventFeed, type FeedEvent } from './event-feed.ts'
import { EVENT_KINDS, type EventKind } from './event-kinds.ts'
import { keptEvents } from './event-schema.ts'
import type { Operator } from './operator.ts'
import { type Api, described, problems, query, whole } from './route.ts'
import { answer } from './schema.ts'

const STREAMS_MAX = 16
/** How soon a client comes back. */
const RETRY_MS = 2_000
/** So that a reader that vanished is noticed, and proxies keep the connection. */
const COMMENT_MS = 15_000
/** What may wait for a reader (EV1): more than all that is kept takes. */
const WAITING_BYTES = 4 * 1024 ** 2
const LIST_DEFAULT = 100

const DESCRIPTION = `Server-sent events, each with an \`id\`; its name is its kind (${EVENT_KINDS.join(', ')}), its \`data\` one
JSON object of the form Event. One more kind, \`gap\`, tells that events after your Last-Event-ID are not known any more: read
the state anew.

Who comes back with \`Last-Event-ID\`, as browsers do by themselves, gets what came since: the last ${EVENTS_KEPT} events are kept.
A member has at most ${STREAMS_MAX} streams open, and ends that of a reader that does not read.`

const isKind = (text: string): text is EventKind => EVENT_KINDS.some((kind) => kind === text)
const kind = z
  .string()
  .transform((text) => text.split(','))
  .refine((kinds) => kinds.every(isKind), `a kind is one of ${EVENT_KINDS.join(', ')}`)
  .transform((kinds) => kinds.filter(isKind))
  .optional()
  .meta({
    type: 'string',
    description: 'Only these kinds, separated by commas; all if it is not named.',
  })

export function eventRoutes(api: Api, operator: Operator): void {
  const feed = new EventFeed(operator, randomUUID().slice(0, 8))
  api.addHook('onReady', () => feed.start())
  api.addHook('onClose', async () => feed.close())
  streamRoute(api, feed)
  api.get(
    '/api/v1/events/kept',
    {
      schema: {
        ...described('listEvents', 'group', 'What has happened lately, as this member has seen it'),
        querystring: query({
          kind,
          limit: z.coerce
            .number()
            .int()
            .min(1)
            .max(EVENTS_KEPT)
            .default(LIST_DEFAULT)
            .describe('Not more at once: the last ones, or the first after `after`.'),
          after: z
            .string()
            .max(100)
            .optional()
            .describe('Only what came after the event of this id.'),
        }),
        response: { 200: answer(keptEvents), ...problems },
      },
    },
    async (request) => whole(await feed.kept(request.query)),
  )
}

function streamRoute(api: Api, feed: EventFeed): void {
  let streams = 0
  api.get(
    '/api/v1/events',
    {
      schema: {
        ...described('watchEvents', 'group', 'What happens, as it happens'),
        description: DESCRIPTION,
        querystring: query({ kind }),
        headers: z.looseObject({
          'last-event-id': z
            .string()
            .optional()
            .describe('The id of the last event that was seen.'),
        }),
        response: {
          200: { content: { 'text/event-stream': { schema: z.string() } } },
          ...problems,
        },
      },
    },
    async (request, reply) => {
      if (streams >= STREAMS_MAX) {
        const body = problem('tooManyStreams', `${STREAMS_MAX} streams are open`)
        return reply.code(429).type(PROBLEM_TYPE).send(body)
      }
      streams += 1
      reply.hijack()
      const { raw } = reply
      const closed = new Promise<void>((resolve) => request.raw.once('close', resolve))
      raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
      raw.write(`retry: ${RETRY_MS}\n: what happens in the group\n\n`)
      const comments = setInterval(() => raw.write(': still here\n\n'), COMMENT_MS)
      const lastId = request.headers['last-event-id']
      const { kind: kinds } = request.query
      const stop = await feed.listen(
        (event) => {
          if (event.name !== 'gap' && kinds?.includes(event.name) === false) return
          raw.write(written(event))
          if (raw.writableLength > WAITING_BYTES) raw.destroy() // EV1
        },
        typeof lastId === 'string' ? lastId : null,
      )
      await closed
      stop()
      clearInterval(comments)
      streams -= 1
      raw.end()
      return reply
    },
  )
}

function written({ id, name, data }: FeedEvent): string {
  return `id: ${id}\nevent: ${name}\ndata: ${data}\n\n`
}
