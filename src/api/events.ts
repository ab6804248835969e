// /api/v1/events: moves as they happen, as server-sent events. Level-triggered: the records are read again and again, and
// what is new or has changed since is sent, so a slow reader misses intermediate states but never the last one.

import { PROBLEM_TYPE, problem } from './errors.ts'
import type { Operator } from './operator.ts'
import type { Api } from './route.ts'
import type { Move } from './schema.ts'

const POLL_MS = 250
/** Each costs a look at the records four times a second. */
const STREAMS_MAX = 16
const MOVES_WATCHED = 50
/** So that a reader that vanished is noticed, and proxies keep the connection. */
const COMMENT_EVERY_POLLS = 60

export function eventRoutes(api: Api, operator: Operator): void {
  let streams = 0
  api.get(
    '/api/v1/events',
    {
      schema: {
        summary: 'Moves as they happen: server-sent events named `move`, each with a Move',
        produces: ['text/event-stream'],
      },
    },
    async (request, reply) => {
      if (streams >= STREAMS_MAX) {
        const body = problem('tooManyStreams', `${STREAMS_MAX} streams are open`)
        return reply.code(body.status).type(PROBLEM_TYPE).send(JSON.stringify(body))
      }
      streams += 1
      reply.hijack()
      const { raw } = reply
      raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
      raw.write(': moves as they happen\n\n')
      let open = true
      request.raw.once('close', () => {
        open = false
      })
      try {
        for await (const text of changes(operator, () => open)) raw.write(text)
      } finally {
        streams -= 1
        raw.end()
      }
      return reply
    },
  )
}

async function* changes(operator: Operator, isOpen: () => boolean): AsyncGenerator<string> {
  let sent = new Map<string, string>()
  for (const move of await operator.moves(MOVES_WATCHED)) sent.set(move.id, JSON.stringify(move))
  for (let polls = 1; isOpen(); polls += 1) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    const moves: readonly Move[] = isOpen() ? await operator.moves(MOVES_WATCHED) : []
    const now = new Map<string, string>()
    for (const move of moves.toReversed()) {
      const text = JSON.stringify(move)
      now.set(move.id, text)
      if (sent.get(move.id) !== text) yield `event: move\ndata: ${text}\n\n`
    }
    sent = now
    if (polls % COMMENT_EVERY_POLLS === 0) yield ': still here\n\n'
  }
}
