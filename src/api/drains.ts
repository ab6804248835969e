// /api/v1/members/ID/drain: a member gives its sessions away, and takes no new ones.
import { z } from 'zod'
import { drain } from './keeping-schema.ts'
import type { Operator } from './operator.ts'
import { type Api, described, problems, settle } from './route.ts'
import { answer } from './schema.ts'

export function drainRoutes(api: Api, operator: Operator): void {
  const params = z.object({ id: z.string() })
  const response = { 200: answer(drain), ...problems }
  api.get(
    '/api/v1/members/:id/drain',
    {
      schema: {
        ...described(
          'showDrain',
          'group',
          'How far the drain of a member is, or what one would find; nothing is changed',
        ),
        params,
        response,
      },
    },
    async (request, reply) => settle('showDrain', reply, await operator.drain(request.params.id)),
  )
  api.put(
    '/api/v1/members/:id/drain',
    {
      schema: {
        ...described(
          'beginDrain',
          'group',
          'Drain a member: its sessions are moved to the others, and it takes no new ones',
        ),
        params,
        response,
      },
    },
    async (request, reply) =>
      settle('beginDrain', reply, await operator.beginDrain(request.params.id)),
  )
  api.delete(
    '/api/v1/members/:id/drain',
    {
      schema: {
        ...described('endDrain', 'group', 'End the drain of a member: it takes sessions again'),
        params,
        response,
      },
    },
    async (request, reply) => settle('endDrain', reply, await operator.endDrain(request.params.id)),
  )
}
