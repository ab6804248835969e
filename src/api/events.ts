// /api/v1/events: what happens in the group, as server-sent events. A client that comes back with `Last-Event-ID`, as
// browsers and libraries do by themselves, goes on where it was.
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { PROBLEM_TYPE, problem } from './errors.ts'
import { EventFeed, type FeedEvent } from './event-feed.ts'
import type { Operator } from './operator.ts'
import { type Api, described, problems } from './route.ts'

const STREAMS_MAX = 16
/** How soon a client comes back. */
const RETRY_MS = 2_000
/** So that a reader that vanished is noticed, and proxies keep the connection. */
const COMMENT_MS = 15_000

const DESCRIPTION = `Server-sent events, each with an \`id\`, in \`data\` one JSON object:

- \`move\`: a Move that began or changed;
- \`problem\`: a HealthProblem, with \`change\` appeared or gone;
- \`volume\`: a Volume, with \`change\` created, changed or deleted;
- \`gap\`: events after your Last-Event-ID are not known any more: read the state anew.

Who comes back with \`Last-Event-ID\`, as browsers do by themselves, gets what came since: the last 512 events are kept.
A member has at most ${STREAMS_MAX} streams open.`

export function eventRoutes(api: Api, operator: Operator): void {
  const feed = new EventFeed(operator, randomUUID().slice(0, 8))
  let streams = 0
  api.addHook('onClose', async () => feed.close())
  api.get(
    '/api/v1/events',
    {
      schema: {
        ...described('watchEvents', 'group', 'What happens, as it happens'),
        description: DESCRIPTION,
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
      const stop = await feed.listen(
        (event) => raw.write(written(event)),
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
