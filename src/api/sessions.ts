// /api/v1/sessions and /api/v1/moves
import { z } from 'zod'
import { moveWhy, stayReason } from './balance-schema.ts'
import { type Refusal, refusal } from './errors.ts'
import { type Answered, answered, type Operator } from './operator.ts'
import { type Api, described, problems, query, settle } from './route.ts'
import {
  answer,
  list,
  type Move,
  move,
  movePlan,
  moveRequest,
  type Session,
  session,
  sessionDetail,
} from './schema.ts'

export const MOVES_MAX = 1000
const MOVES_DEFAULT = 100

const params = z.object({ id: z.string().regex(/^\d{1,16}$/, 'a session id is a decimal number') })
const sessionQuery = query({
  volume: z.string().optional().describe('Only those of the volume of this name.'),
  member: z.string().optional().describe('Only those on this member.'),
})
const moveQuery = query({
  limit: z.coerce.number().int().min(1).max(MOVES_MAX).default(MOVES_DEFAULT),
  session: params.shape.id.optional().describe('Only those of this session.'),
  volume: z.string().optional().describe('Only those of the volume of this name.'),
  member: z.string().optional().describe('Only those from or to this member.'),
})

const planQuery = query({ to: z.string().min(1).describe('The member that it would move to.') })

export function sessionRoutes(api: Api, operator: Operator): void {
  api.get(
    '/api/v1/sessions',
    {
      schema: {
        ...described(
          'listSessions',
          'sessions',
          'List sessions',
          'volumeNotFound',
          'memberNotFound',
        ),
        querystring: sessionQuery,
        response: { 200: list(session), ...problems },
      },
    },
    async (request, reply) =>
      settle(reply, await sessionsOf(operator, request.query), (body) =>
        reply.code(200).send(body),
      ),
  )
  api.get(
    '/api/v1/sessions/:id',
    {
      schema: {
        ...described(
          'showSession',
          'sessions',
          'Show a session, and why it is where it is',
          'sessionNotFound',
        ),
        params,
        response: { 200: answer(sessionDetail), ...problems },
      },
    },
    async (request, reply) =>
      settle(reply, await operator.session(request.params.id), (body) =>
        reply.code(200).send(body),
      ),
  )
  moveRoutes(api, operator)
  whyRoutes(api, operator)
}

const moveParams = z.object({ id: z.string().min(1).max(64) })

function whyRoutes(api: Api, operator: Operator): void {
  api.get(
    '/api/v1/sessions/:id/why-not',
    {
      schema: {
        ...described(
          'whyNot',
          'sessions',
          'Which rule holds a session where it is now',
          'sessionNotFound',
          'sessionNotMeasured',
          'memberSilent',
        ),
        params,
        response: { 200: answer(stayReason), ...problems },
      },
    },
    async (request, reply) =>
      settle(reply, await operator.whyNot(request.params.id), (body) => reply.code(200).send(body)),
  )
  api.get(
    '/api/v1/moves/:id/why',
    {
      schema: {
        ...described(
          'whyMoved',
          'sessions',
          'What the decision for a move had seen',
          'moveNotFound',
          'decisionNotKept',
          'memberSilent',
        ),
        params: moveParams,
        response: { 200: answer(moveWhy), ...problems },
      },
    },
    async (request, reply) =>
      settle(reply, await operator.whyMoved(request.params.id), (body) =>
        reply.code(200).send(body),
      ),
  )
}

function moveRoutes(api: Api, operator: Operator): void {
  api.get(
    '/api/v1/sessions/:id/move',
    {
      schema: {
        ...described(
          'foretellMove',
          'sessions',
          'What a move of a session would bring; nothing moves',
          'sessionNotFound',
          'memberNotFound',
          'alreadyThere',
          'sessionMoving',
          'sessionFixed',
          'memberNotReady',
          'memberSilent',
        ),
        params,
        querystring: planQuery,
        response: { 200: answer(movePlan), ...problems },
      },
    },
    async (request, reply) =>
      settle(reply, await operator.foretellMove(request.params.id, request.query.to), (body) =>
        reply.code(200).send(body),
      ),
  )
  api.post(
    '/api/v1/sessions/:id/move',
    {
      schema: {
        ...described(
          'moveSession',
          'sessions',
          'Move a session: 200 with the outcome, or 202 at once if `wait` is false',
          'sessionNotFound',
          'memberNotFound',
          'alreadyThere',
          'sessionMoving',
          'sessionFixed',
          'memberNotReady',
          'memberSilent',
          'coordinatorDown',
        ),
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
        ...described('listMoves', 'sessions', 'List moves, the newest first', 'memberNotFound'),
        querystring: moveQuery,
        response: { 200: list(move), ...problems },
      },
    },
    async (request, reply) =>
      settle(reply, await movesOf(operator, request.query), (body) => reply.code(200).send(body)),
  )
}

interface Filter {
  readonly volume?: string | undefined
  readonly member?: string | undefined
}

/** What a filter names must exist: nothing of a volume that is written wrongly is no answer. */
async function refuseUnknown(operator: Operator, filter: Filter): Promise<Refusal | null> {
  const { volume, member } = filter
  if (volume !== undefined) {
    const found = await operator.volume(volume)
    if (found.kind === 'refused') return found
  }
  if (member !== undefined && !(await operator.members()).some(({ id }) => id === member)) {
    return refusal('memberNotFound', `there is no member ${member}`)
  }
  return null
}

async function sessionsOf(
  operator: Operator,
  filter: Filter,
): Promise<Answered<{ items: Session[] }>> {
  const { volume, member } = filter
  const refused = await refuseUnknown(operator, filter)
  if (refused !== null) return refused
  const items = (await operator.sessions()).filter(
    (session) =>
      (volume === undefined || session.volume === volume) &&
      (member === undefined || session.member === member),
  )
  return answered({ items })
}

/** Moves outlive their volumes and sessions, so only the member must exist. */
async function movesOf(
  operator: Operator,
  { limit, session, volume, member }: z.infer<typeof moveQuery>,
): Promise<Answered<{ items: Move[] }>> {
  const refused = await refuseUnknown(operator, { member })
  if (refused !== null) return refused
  const all = session ?? volume ?? member
  const moves = await operator.moves(all === undefined ? limit : MOVES_MAX)
  const items = moves.filter(
    (move) =>
      (session === undefined || move.session === session) &&
      (volume === undefined || move.volume === volume) &&
      (member === undefined || move.from === member || move.to === member),
  )
  return answered({ items: items.slice(0, limit) })
}
