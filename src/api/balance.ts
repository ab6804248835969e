// /api/v1/balance
import { z } from 'zod'
import { balancePlan, recordingPage } from './balance-schema.ts'
import type { Operator } from './operator.ts'
import { type Api, described, problems, query, settle, whole } from './route.ts'
import { answer, balance, balanceRequest } from './schema.ts'

const recordingQuery = query({
  member: z.string().min(1).describe('Whose it is.'),
  after: z.coerce
    .number()
    .int()
    .min(0)
    .default(0)
    .describe('Only what was kept after the entry of that number.'),
})

export function balanceRoutes(api: Api, operator: Operator): void {
  api.get(
    '/api/v1/balance',
    {
      schema: {
        ...described(
          'showBalance',
          'balance',
          'The distribution of sessions: mode, loads and last decisions',
        ),
        response: { 200: answer(balance), ...problems },
      },
    },
    async () => whole(await operator.balance()),
  )
  api.get(
    '/api/v1/balance/recording',
    {
      schema: {
        ...described('showRecording', 'balance', 'What a member has kept of its load, in pages'),
        querystring: recordingQuery,
        response: { 200: answer(recordingPage), ...problems },
      },
    },
    async ({ query: { member, after } }, reply) =>
      settle('showRecording', reply, await operator.recording(member, after)),
  )
  api.get(
    '/api/v1/balance/plan',
    {
      schema: {
        ...described('showPlan', 'balance', 'What would be moved next; nothing is'),
        response: { 200: answer(balancePlan), ...problems },
      },
    },
    async () => whole(await operator.plan()),
  )
  api.put(
    '/api/v1/balance',
    {
      schema: {
        ...described(
          'setBalance',
          'balance',
          'Set the mode, and settings of the policy, for the whole group',
        ),
        body: balanceRequest,
        response: { 200: answer(balance), ...problems },
      },
    },
    async (request, reply) => settle('setBalance', reply, await operator.setBalance(request.body)),
  )
}
