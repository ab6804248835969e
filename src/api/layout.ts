// /api/v1/layout
import { layout, layoutPlan } from './layout-schema.ts'
import type { Operator } from './operator.ts'
import { type Api, described, problems, whole } from './route.ts'
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
        response: { 200: answer(layoutPlan), ...problems },
      },
    },
    async () => whole(await operator.layoutPlan()),
  )
}
