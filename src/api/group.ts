// /api/v1/members, /api/v1/status, /api/v1/top, /healthz and /metrics
import { z } from 'zod'
import { drainRoutes } from './drains.ts'
import { refusal } from './errors.ts'
import { METRICS_TYPE } from './exposition.ts'
import { metricsText } from './metrics.ts'
import type { Operator } from './operator.ts'
import { answered } from './refusals.ts'
import { type Api, described, listed, problems, settle, whole } from './route.ts'
import { answer, health, list, member, status, top } from './schema.ts'

export function groupRoutes(api: Api, operator: Operator): void {
  api.get(
    '/api/v1/members',
    {
      schema: {
        ...described('listMembers', 'group', 'List members'),
        response: { 200: list(member), ...problems },
      },
    },
    async () => listed(await operator.members()),
  )
  api.get(
    '/api/v1/members/:id',
    {
      schema: {
        ...described('showMember', 'group', 'Show a member'),
        params: z.object({ id: z.string() }),
        response: { 200: answer(member), ...problems },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const found = (await operator.members()).find((one) => one.id === id)
      const outcome =
        found === undefined
          ? refusal('memberNotFound', `there is no member ${id}`)
          : answered(found)
      return settle('showMember', reply, outcome)
    },
  )
  drainRoutes(api, operator)
  api.get(
    '/api/v1/status',
    {
      schema: {
        ...described('showStatus', 'group', 'The group at a glance'),
        response: { 200: answer(status), ...problems },
      },
    },
    async () => whole(await operator.status()),
  )
  api.get(
    '/api/v1/top',
    {
      schema: {
        ...described('showTop', 'group', 'What is measured, by member and by session'),
        response: { 200: answer(top), ...problems },
      },
    },
    async () => whole(await operator.top()),
  )
  api.get(
    '/healthz',
    {
      schema: {
        ...described('probeMember', 'group', 'This member: 200 if it serves, else 503'),
        response: { ...problems, 200: answer(health), 503: answer(health) },
      },
    },
    async (_request, reply) => {
      const body = whole(operator.health())
      return reply.code(body.ok ? 200 : 503).send(body)
    },
  )
  api.get(
    '/metrics',
    {
      schema: {
        ...described('readMetrics', 'group', 'Counters for Prometheus'),
        response: { 200: { content: { 'text/plain': { schema: z.string() } } }, ...problems },
      },
    },
    async (_request, reply) =>
      reply.type(METRICS_TYPE).send(await metricsText(operator.readings())),
  )
}
