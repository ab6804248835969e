// /api/v1/balance
import type { Operator } from './operator.ts'
import { type Api, described, problems, settle, whole } from './route.ts'
import { answer, balance, balanceRequest } from './schema.ts'

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
  api.put(
    '/api/v1/balance',
    {
      schema: {
        ...described(
          'setBalance',
          'balance',
          'Set the mode, and settings of the policy, for the whole group',
          'coordinatorDown',
          'notJson',
          'tooLarge',
        ),
        body: balanceRequest,
        response: { 200: answer(balance), ...problems },
      },
    },
    async (request, reply) =>
      settle(reply, await operator.setBalance(request.body), (body) => reply.code(200).send(body)),
  )
}
