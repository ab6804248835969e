// /api/v1/sessions and /api/v1/moves
//
// Invariants:
//   PG1. Who reads page after page reads each session, and each move, that is there all the while, and none twice: a page
//        begins after what was last read, not at a number that shifts with what comes and goes.
import { z } from 'zod'
import { moveWhy, stayReason } from './balance-schema.ts'
import { type Refusal, refusal } from './errors.ts'
import type { Operator } from './operator.ts'
import { pinRoutes } from './pins.ts'
import { answered, type CodeOf, type Outcome } from './refusals.ts'
import { type Api, described, problems, query, settle, settleAs } from './route.ts'
import {
  answer,
  type Move,
  move,
  movePlan,
  moveRequest,
  page,
  type Session,
  session,
  sessionDetail,
} from './schema.ts'

const MOVES_MAX = 1000
const MOVES_DEFAULT = 100
const SESSIONS_MAX = 10_000

const params = z.object({ id: z.string().regex(/^\d{1,16}$/, 'a session id is a decimal number') })
const limit = (most: number) => z.coerce.number().int().min(1).max(most)
const after = (id: z.ZodString) =>
  id.optional().describe('Only what follows this one: `next` of the page before.')
const sessionQuery = query({
  volume: z.string().optional().describe('Only those of the volume of this name.'),
  member: z.string().optional().describe('Only those on this member.'),
  limit: limit(SESSIONS_MAX).optional().describe('Not more at once; all if it is not named.'),
  after: after(params.shape.id),
})
const moveQuery = query({
  limit: limit(MOVES_MAX).default(MOVES_DEFAULT).describe('Not more at once.'),
  after: after(z.string().min(1).max(64)),
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
        ...described('listSessions', 'sessions', 'List sessions, by their ids'),
        querystring: sessionQuery,
        response: { 200: page(session), ...problems },
      },
    },
    async (request, reply) =>
      settle('listSessions', reply, await sessionsOf(operator, request.query)),
  )
  api.get(
    '/api/v1/sessions/:id',
    {
      schema: {
        ...described('showSession', 'sessions', 'Show a session, and why it is where it is'),
        params,
        response: { 200: answer(sessionDetail), ...problems },
      },
    },
    async (request, reply) =>
      settle('showSession', reply, await operator.session(request.params.id)),
  )
  moveRoutes(api, operator)
  pinRoutes(api, operator)
  whyRoutes(api, operator)
}

const moveParams = z.object({ id: z.string().min(1).max(64) })

function whyRoutes(api: Api, operator: Operator): void {
  api.get(
    '/api/v1/sessions/:id/why-not',
    {
      schema: {
        ...described('whyNot', 'sessions', 'Which rule holds a session where it is now'),
        params,
        response: { 200: answer(stayReason), ...problems },
      },
    },
    async (request, reply) => settle('whyNot', reply, await operator.whyNot(request.params.id)),
  )
  api.get(
    '/api/v1/moves/:id/why',
    {
      schema: {
        ...described('whyMoved', 'sessions', 'What the decision for a move had seen'),
        params: moveParams,
        response: { 200: answer(moveWhy), ...problems },
      },
    },
    async (request, reply) => settle('whyMoved', reply, await operator.whyMoved(request.params.id)),
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
        ),
        params,
        querystring: planQuery,
        response: { 200: answer(movePlan), ...problems },
      },
    },
    async (request, reply) =>
      settle(
        'foretellMove',
        reply,
        await operator.foretellMove(request.params.id, request.query.to),
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
        ),
        params,
        body: moveRequest,
        response: { 200: answer(move), 202: answer(move), ...problems },
      },
    },
    async (request, reply) =>
      settleAs(
        'moveSession',
        reply,
        await operator.moveSession(request.params.id, request.body),
        (body) => reply.code(body.outcome === null ? 202 : 200).send(body),
      ),
  )
  api.get(
    '/api/v1/moves',
    {
      schema: {
        ...described('listMoves', 'sessions', 'List moves, the newest first'),
        querystring: moveQuery,
        response: { 200: page(move), ...problems },
      },
    },
    async (request, reply) => settle('listMoves', reply, await movesOf(operator, request.query)),
  )
}

/** What a filter names must exist: nothing of a volume that is written wrongly is no answer. */
async function refuseMember(
  operator: Operator,
  member: string | undefined,
): Promise<Refusal<'memberNotFound'> | null> {
  if (member === undefined || (await operator.members()).some(({ id }) => id === member))
    return null
  return refusal('memberNotFound', `there is no member ${member}`)
}

async function refuseVolume(
  operator: Operator,
  volume: string | undefined,
): Promise<Refusal<CodeOf<'showVolume'>> | null> {
  const found = volume === undefined ? null : await operator.volume(volume)
  return found?.kind === 'refused' ? found : null
}

interface Page<T> {
  readonly items: T[]
  readonly next: string | null
}

function pageOf<T extends { readonly id: string }>(items: readonly T[], limit: number): Page<T> {
  const page = items.slice(0, limit)
  return { items: page, next: items.length > limit ? (page.at(-1)?.id ?? null) : null }
}

/** PG1: ids only grow, so one that is gone is a place in the list too. */
async function sessionsOf(
  operator: Operator,
  { volume, member, limit = Number.POSITIVE_INFINITY, after }: z.infer<typeof sessionQuery>,
): Promise<Outcome<'listSessions', Page<Session>>> {
  const refused = (await refuseVolume(operator, volume)) ?? (await refuseMember(operator, member))
  if (refused !== null) return refused
  const items = (await operator.sessions())
    .filter(
      (session) =>
        (volume === undefined || session.volume === volume) &&
        (member === undefined || session.member === member) &&
        (after === undefined || Number(session.id) > Number(after)),
    )
    .sort((a, b) => Number(a.id) - Number(b.id))
  return answered(pageOf(items, limit))
}

/** Moves outlive their volumes and sessions, so only the member must exist, and the move after which it goes on (PG1). */
async function movesOf(
  operator: Operator,
  { limit, after, session, volume, member }: z.infer<typeof moveQuery>,
): Promise<Outcome<'listMoves', Page<Move>>> {
  const refused = await refuseMember(operator, member)
  if (refused !== null) return refused
  const sought = after ?? session ?? volume ?? member
  const moves = await operator.moves(sought === undefined ? limit + 1 : Number.POSITIVE_INFINITY)
  const at = after === undefined ? -1 : moves.findIndex(({ id }) => id === after)
  if (after !== undefined && at < 0) {
    return refusal('moveNotFound', `move ${after} is not on record any more: begin anew`)
  }
  const items = moves
    .slice(at + 1)
    .filter(
      (move) =>
        (session === undefined || move.session === session) &&
        (volume === undefined || move.volume === volume) &&
        (member === undefined || move.from === member || move.to === member),
    )
  return answered(pageOf(items, limit))
}
