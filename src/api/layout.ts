// /api/v1/layout
import { copiesAsked, layout, layoutPlan, layoutRequest } from './layout-schema.ts'
import type { Operator } from './operator.ts'
import { type Api, described, problems, query, settle, whole } from './route.ts'
import { answer } from './schema.ts'

export function layoutRoutes(api: Api, operator: Operator): void {
  api.get(
    '/api/v1/layout',
    {
      schema: {
        ...described('showLayout', 'group', 'Which member has how much of the slices'),
        response: { 200: answer(layout), ...problems },
      },
    },
    async () => whole(await operator.layout()),
  )
  api.get(
    '/api/v1/layout/plan',
    {
      schema: {
        ...described('planLayout', 'group', 'What would move to make the layout level'),
        querystring: query({ copies: copiesAsked.optional() }),
        response: { 200: answer(layoutPlan), ...problems },
      },
    },
    async (request, reply) => settle('planLayout', reply, await operator.layoutPlan(request.query)),
  )
  api.post(
    '/api/v1/layout',
    {
      schema: {
        ...described(
          'applyLayout',
          'group',
          'Make the layout level, or change how many copies there are: slices move while they are served',
        ),
        body: layoutRequest,
        response: { 200: answer(layoutPlan), ...problems },
      },
    },
    async (request, reply) =>
      settle('applyLayout', reply, await operator.applyLayout(request.body)),
  )
}
