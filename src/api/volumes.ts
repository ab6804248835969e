// /api/v1/volumes
import { z } from 'zod'
import type { Operator } from './operator.ts'
import { type Api, described, listed, problems, query, settle, settleAs } from './route.ts'
import { answer, list, volume, volumeChange, volumeDetail, volumeRequest } from './schema.ts'

const params = z.object({ name: z.string() })
const listQuery = query({
  usage: z
    .enum(['true', 'false'])
    .default('false')
    .describe('With what each volume takes: all members are asked for it.'),
})

export function volumeRoutes(api: Api, operator: Operator): void {
  api.get(
    '/api/v1/volumes',
    {
      schema: {
        ...described('listVolumes', 'volumes', 'List volumes'),
        querystring: listQuery,
        response: { 200: list(volume), ...problems },
      },
    },
    async ({ query }) =>
      listed(await (query.usage === 'true' ? operator.volumesWithUsage() : operator.volumes())),
  )
  api.post(
    '/api/v1/volumes',
    {
      schema: {
        ...described('createVolume', 'volumes', 'Create a volume'),
        body: volumeRequest,
        response: { 201: answer(volumeDetail), ...problems },
      },
    },
    async (request, reply) =>
      settleAs('createVolume', reply, await operator.createVolume(request.body), (body) =>
        reply.code(201).send(body),
      ),
  )
  api.get(
    '/api/v1/volumes/:name',
    {
      schema: {
        ...described(
          'showVolume',
          'volumes',
          'Show a volume: its lanes and what is allocated where',
        ),
        params,
        response: { 200: answer(volumeDetail), ...problems },
      },
    },
    async (request, reply) =>
      settle('showVolume', reply, await operator.volume(request.params.name)),
  )
  changeRoutes(api, operator)
}

/** Of a volume that is there. */
function changeRoutes(api: Api, operator: Operator): void {
  api.patch(
    '/api/v1/volumes/:name',
    {
      schema: {
        ...described(
          'changeVolume',
          'volumes',
          'Rename a volume, or let it grow; its target name stays',
        ),
        params,
        body: volumeChange,
        response: { 200: answer(volumeDetail), ...problems },
      },
    },
    async (request, reply) =>
      settle('changeVolume', reply, await operator.changeVolume(request.params.name, request.body)),
  )
  api.delete(
    '/api/v1/volumes/:name',
    {
      schema: {
        ...described(
          'deleteVolume',
          'volumes',
          'Delete a volume without sessions, and all its bytes',
        ),
        params,
        response: { 200: answer(volume), ...problems },
      },
    },
    async (request, reply) =>
      settle('deleteVolume', reply, await operator.deleteVolume(request.params.name)),
  )
}
