// The HTTP API of one member: checks who calls (guard.ts), then the routes by noun. Every answer and every error is one
// object with `schema`; every error is problem+json from the catalogue.
//
// Invariants:
//   A4. A query key that a path does not know is refused, but for the pages that people open: an answer that does not heed
//       it would be taken for one that does.
import swagger from '@fastify/swagger'
import { type FastifyError, type FastifyInstance, type FastifyRequest, fastify } from 'fastify'
import {
  hasZodFastifySchemaValidationErrors,
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod'
import { balanceRoutes } from './balance.ts'
import {
  answerMalformed,
  boundConnections,
  type ConnectionBounds,
  serverOptions,
  usualBounds,
} from './connections.ts'
import { APIS_HEADER, GROUP_HEADER, printApis } from './doors.ts'
import { type ErrorCode, PROBLEM_TYPE, problem } from './errors.ts'
import { eventRoutes } from './events.ts'
import { groupRoutes } from './group.ts'
import { refuseCaller } from './guard.ts'
import { historyRoutes } from './history.ts'
import { layoutRoutes } from './layout.ts'
import { finishDocument } from './openapi.ts'
import type { Operator } from './operator.ts'
import { pageRoutes } from './page.ts'
import { type Api, query } from './route.ts'
import { sessionRoutes } from './sessions.ts'
import { volumeRoutes } from './volumes.ts'

const BODY_BYTES_MAX = 64 * 1024
/** What the log keeps of a request. */
const AGENT_MAX = 100
const URL_MAX = 200
const BODY_TOLD_MAX = 300

export interface ApiSettings {
  readonly host: string
  readonly port: number
  /** The name or address by which others reach it; null or undefined: `host`. */
  readonly announced?: string | null
  readonly version: string
  readonly bounds?: ConnectionBounds
  /** Called with what failed unexpectedly; the caller of the API only learns that it did. */
  readonly failed: (error: unknown) => void
  /** Called with each request that may have changed something, once it is answered. */
  readonly changed?: (call: Call) => void
}

export interface Call {
  /** Where it came from, and what it calls itself. */
  readonly caller: string
  readonly agent: string
  readonly method: string
  readonly url: string
  /** The beginning of it; empty: none. */
  readonly body: string
  readonly status: number
}

export interface RunningApi {
  readonly url: string
  /** The one in use, if 0 was asked for. */
  readonly port: number
  /** Ends open event streams too. */
  close(): Promise<void>
}

export async function startApi(operator: Operator, settings: ApiSettings): Promise<RunningApi> {
  const app = await buildApi(operator, settings)
  const url = await app.listen({ host: settings.host, port: settings.port })
  return { url, port: Number(new URL(url).port), close: () => app.close() }
}

/** Ready for `inject`, not listening. */
export async function buildApi(
  operator: Operator,
  settings: ApiSettings,
): Promise<FastifyInstance> {
  // An event stream never ends by itself, so closing must not wait for connections.
  const bounds = settings.bounds ?? usualBounds
  const app = fastify({
    forceCloseConnections: true,
    bodyLimit: BODY_BYTES_MAX,
    http: serverOptions(bounds),
    ...serverOptions(bounds),
    clientErrorHandler: answerMalformed,
    frameworkErrors: (error, _request, reply) => {
      const { raw } = reply.hijack()
      const body = JSON.stringify(problem('badRequest', error.message))
      raw.writeHead(400, {
        'content-type': PROBLEM_TYPE,
        'content-length': Buffer.byteLength(body),
      })
      raw.end(body)
    },
  })
  boundConnections(app.server, bounds)
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.removeContentTypeParser('text/plain')
  const ours = [settings.host, settings.announced ?? ''].map((name) => name.toLowerCase())
  app.addHook('onRequest', async (request, reply) => {
    const { host, origin } = request.headers
    const site = request.headers['sec-fetch-site']
    const refused = refuseCaller({ host, origin, site, isVisit: isVisit(request) }, ours)
    if (refused !== null) await sendProblem(reply, refused.code, refused.detail)
  })
  app.addHook('onSend', async (_request, reply) => {
    const { group, members } = operator.apis()
    reply.header(GROUP_HEADER, group)
    reply.header(APIS_HEADER, printApis(members))
  })
  tellChanges(app, settings)
  answerErrors(app, settings)
  app.addHook('onRoute', (route) => {
    const { url, schema } = route
    if (url.startsWith('/api/') || PROBED.includes(url)) {
      route.schema = { querystring: query({}), ...schema }
    }
  })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Evenkeel',
        version: settings.version,
        description:
          'Any member answers for the whole group. An error is application/problem+json (RFC 9457) with a `code`; ' +
          '`x-error-codes` of an operation lists those that it may answer.',
      },
      servers: [{ url: '/', description: 'The member that serves this document.' }],
      tags: [
        { name: 'volumes', description: 'What initiators see as disks.' },
        { name: 'sessions', description: 'Who is connected, and the moves of sessions.' },
        { name: 'balance', description: 'The distribution of sessions over members.' },
        { name: 'group', description: 'Members, health, metrics and events.' },
      ],
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => finishDocument(jsonSchemaTransformObject(document)),
  })
  await app.register(async (instance) => {
    const api: Api = instance.withTypeProvider<ZodTypeProvider>()
    volumeRoutes(api, operator)
    sessionRoutes(api, operator)
    balanceRoutes(api, operator)
    groupRoutes(api, operator)
    layoutRoutes(api, operator)
    eventRoutes(api, operator)
    historyRoutes(api, operator)
  })
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger())
  await pageRoutes(app)
  await app.ready()
  return app
}

/** For programs too. */
const PROBED = ['/healthz', '/metrics', '/openapi.json']

/** What people open; the one asks the API by itself, the other asks nothing. */
const VISITED = ['/', '/docs']

/** Only a browser can say so, and no page can make it say so of anything but a new page. */
function isVisit({ method, url, headers }: FastifyRequest): boolean {
  const { 'sec-fetch-mode': mode, 'sec-fetch-dest': destination } = headers
  return (
    method === 'GET' && VISITED.includes(url) && mode === 'navigate' && destination === 'document'
  )
}

function tellChanges(app: FastifyInstance, { changed }: ApiSettings): void {
  if (changed === undefined) return
  app.addHook('onResponse', async (request, reply) => {
    const { method, url, ip: caller, headers, body } = request
    if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return
    const agent = String(headers['user-agent'] ?? 'no user agent').slice(0, AGENT_MAX)
    const text = body == null ? '' : JSON.stringify(body).slice(0, BODY_TOLD_MAX)
    const status = reply.statusCode
    changed({ caller, agent, method, url: url.slice(0, URL_MAX), body: text, status })
  })
}

interface Reply {
  code(status: number): Reply
  type(contentType: string): Reply
  serializer(f: (payload: unknown) => string): Reply
  send(payload: unknown): unknown
}

function sendProblem(reply: Reply, code: ErrorCode, detail: string): unknown {
  const body = problem(code, detail)
  return reply.code(body.status).type(PROBLEM_TYPE).serializer(JSON.stringify).send(body)
}

function answerErrors(app: FastifyInstance, settings: ApiSettings): void {
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, 'routeNotFound', `${request.method} ${request.url} is not part of this API`),
  )
  app.setErrorHandler((error: FastifyError, _request, reply) => {
    if (hasZodFastifySchemaValidationErrors(error)) {
      const details = error.validation.map(({ instancePath, message }) => {
        const field = instancePath.slice(1).replaceAll('/', '.')
        return field === '' ? String(message) : `${field}: ${message}`
      })
      return sendProblem(reply, 'badRequest', details.join('; '))
    }
    switch (error.code) {
      case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
        return sendProblem(reply, 'notJson', error.message)
      case 'FST_ERR_CTP_BODY_TOO_LARGE':
        return sendProblem(reply, 'tooLarge', error.message)
      default:
    }
    if (error.statusCode !== undefined && error.statusCode < 500) {
      return sendProblem(reply, 'badRequest', error.message)
    }
    settings.failed(error)
    return sendProblem(reply, 'internal', 'an unexpected error, which the member has logged')
  })
}
