// /api/v1/sessions and /api/v1/moves
import { z } from 'zod'
import type { Operator } from './operator.ts'
import { type Api, listed, problems, settle } from './route.ts'
import { answer, list, move, moveRequest, session, sessionDetail } from './schema.ts'

export const MOVES_MAX = 1000
const MOVES_DEFAULT = 100

const params = z.object({ id: z.string().regex(/^\d{1,16}$/, 'a session id is a decimal number') })
const limits = z.object({
  limit: z.coerce.number().int().min(1).max(MOVES_MAX).default(MOVES_DEFAULT),
})

export function sessionRoutes(api: Api, operator: Operator): void {
  api.get(
    '/api/v1/sessions',
    { schema: { summary: 'List sessions', response: { 200: list(session), ...problems } } },
    async () => listed(await operator.sessions()),
  )
  api.get(
    '/api/v1/sessions/:id',
    {
      schema: {
        summary: 'Show a session, and why it is where it is',
        params,
        response: { 200: answer(sessionDetail), ...problems },
      },
    },
    async (request, reply) =>
      settle(reply, await operator.session(request.params.id), (body) =>
        reply.code(200).send(body),
      ),
  )
  api.post(
    '/api/v1/sessions/:id/move',
    {
      schema: {
        summary: 'Move a session: 200 with the outcome, or 202 at once if `wait` is false',
        params,
        body: moveRequest,
        response: { 200: answer(move), 202: answer(move), ...problems },
      },
    },
    async (request, reply) =>
      settle(reply, await operator.moveSession(request.params.id, request.body), (body) =>
        reply.code(body.outcome === null ? 202 : 200).send(body),
      ),
  )
  api.get(
    '/api/v1/moves',
    {
      schema: {
        summary: 'List moves, the newest first',
        querystring: limits,
        response: { 200: list(move), ...problems },
      },
    },
    async (request) => listed(await operator.moves(request.query.limit)),
  )
}
