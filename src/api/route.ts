// What the routes share: the typed Fastify instance, and how a value or a refusal becomes an answer.
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { PROBLEM_TYPE, type Problem, problem, SCHEMA } from './errors.ts'
import { type Operation, type Outcome, REFUSALS } from './refusals.ts'
import { problemAnswer } from './schema.ts'

export type Api = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>

/** The error answers that any route may give, for the schemas and so for OpenAPI. */
export const problems = {
  400: problemAnswer,
  403: problemAnswer,
  404: problemAnswer,
  409: problemAnswer,
  413: problemAnswer,
  415: problemAnswer,
  429: problemAnswer,
  500: problemAnswer,
  503: problemAnswer,
} as const

/** The words of a route for OpenAPI, with what it may refuse besides what any route may. */
export function described(
  operationId: Operation,
  tag: 'volumes' | 'sessions' | 'balance' | 'group',
  summary: string,
) {
  return { operationId, tags: [tag], summary, [CODES]: REFUSALS[operationId] }
}

/** The name of an operation's error codes in the OpenAPI document. */
export const CODES = 'x-error-codes'

/** The query keys of a route, and no others (A4). */
export function query<S extends z.ZodRawShape>(shape: S) {
  const known = Object.keys(shape)
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return undefined
      const keys = issue.keys.map((key) => `'${key}'`).join(', ')
      const has = known.length === 0 ? 'no query keys' : `the query keys ${known.join(', ')}`
      return `there is no query key ${keys} here: this path has ${has}`
    },
  })
}

type ProblemStatus = keyof typeof problems

interface ProblemReply<R> {
  readonly request: { readonly routeOptions: { readonly schema?: object | undefined } }
  code(status: ProblemStatus): { type(contentType: string): { send(body: Problem): R } }
}

interface DoneReply<T, R> {
  code(status: 200): { send(body: Whole<T>): R }
}

type Whole<T> = T & { readonly schema: typeof SCHEMA }

export function whole<T extends object>(value: T): Whole<T> {
  return { schema: SCHEMA, ...value }
}

export function listed<T>(items: readonly T[]): { schema: typeof SCHEMA; items: T[] } {
  return { schema: SCHEMA, items: [...items] }
}

/** Sends what is done with 200, or the refusal. `operation` is that of the route, so it refuses only what it lists. */
export function settle<O extends Operation, T extends object, R>(
  operation: O,
  reply: ProblemReply<R> & DoneReply<T, R>,
  outcome: Outcome<O, T>,
): R {
  return settleAs(operation, reply, outcome, (body) => reply.code(200).send(body))
}

/** The same where it is done with another status, which `send` chooses. */
export function settleAs<O extends Operation, T extends object, R>(
  operation: O,
  reply: ProblemReply<R>,
  outcome: Outcome<O, T>,
  send: (body: Whole<T>) => R,
): R {
  const { schema = {} } = reply.request.routeOptions
  if (!('operationId' in schema) || schema.operationId !== operation) {
    throw new Error(`a route answers as ${operation}, which it is not`)
  }
  if (outcome.kind === 'done') return send(whole(outcome.value))
  const body = problem(outcome.code, outcome.detail)
  return reply
    .code(body.status as ProblemStatus)
    .type(PROBLEM_TYPE)
    .send(body)
}
