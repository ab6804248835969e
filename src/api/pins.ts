// /api/v1/sessions/ID/pin: a session that stays at a member until it is unpinned.
import { z } from 'zod'
import type { Operator } from './operator.ts'
import { type Api, described, problems, query, settle } from './route.ts'
import { answer, pin, pinRequest } from './schema.ts'

const params = z.object({ id: z.string().regex(/^\d{1,16}$/, 'a session id is a decimal number') })
const pinQuery = query({
  member: z
    .string()
    .min(1)
    .optional()
    .describe('The member that it would be pinned to; not named: where it is.'),
})

export function pinRoutes(api: Api, operator: Operator): void {
  const response = { 200: answer(pin), ...problems }
  api.get(
    '/api/v1/sessions/:id/pin',
    {
      schema: {
        ...described(
          'foretellPin',
          'sessions',
          'What a pin of a session would do; nothing is changed',
        ),
        params,
        querystring: pinQuery,
        response,
      },
    },
    async (request, reply) =>
      settle(
        'foretellPin',
        reply,
        await operator.foretellPin(request.params.id, request.query.member),
      ),
  )
  api.put(
    '/api/v1/sessions/:id/pin',
    {
      schema: {
        ...described(
          'pinSession',
          'sessions',
          'Pin a session to a member: it is moved there if need be, and stays',
        ),
        params,
        body: pinRequest,
        response,
      },
    },
    async (request, reply) =>
      settle('pinSession', reply, await operator.pinSession(request.params.id, request.body)),
  )
  api.delete(
    '/api/v1/sessions/:id/pin',
    {
      schema: {
        ...described('unpinSession', 'sessions', 'Unpin a session: it may be moved again'),
        params,
        response,
      },
    },
    async (request, reply) =>
      settle('unpinSession', reply, await operator.unpinSession(request.params.id)),
  )
}
