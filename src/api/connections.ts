// The connections of callers before there is a request: how long one may take to come, how many there may be, and what
// whoever speaks no HTTP is told.
//
// Invariants:
//   A5. A request that has not come whole within REQUEST_MS is cut, half as long later at most, and a connection that
//       sends none as well: none of them is kept by waiting.
//   A6. One source has at most SOURCE_MAX connections, all of them TOTAL_MAX. A source's next one ends its oldest that
//       waits for nothing from us; if all of them wait for answers, the next one is ended.
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type ErrorCode, PROBLEM_TYPE, problem } from './errors.ts'

const REQUEST_MS = 10_000
/** So seldom that a member which nobody asks is not woken for it each second. */
const LOOK_EVERY_MS = 5_000
const SOURCE_MAX = 128
const TOTAL_MAX = 1_024
/** So that whoever does not read what it is told does not stay either. */
const LAST_WORDS_MS = 1_000

export interface ConnectionBounds {
  readonly requestMs: number
  readonly perSource: number
}

export const usualBounds: ConnectionBounds = { requestMs: REQUEST_MS, perSource: SOURCE_MAX }

/** A5, as Node's HTTP server takes it. */
export function serverOptions({ requestMs }: ConnectionBounds) {
  return {
    headersTimeout: requestMs,
    requestTimeout: requestMs,
    keepAliveTimeout: requestMs,
    connectionsCheckingInterval: Math.min(LOOK_EVERY_MS, requestMs / 2),
  }
}

/** A5 and A6. */
export function boundConnections(server: Server, { perSource }: ConnectionBounds): void {
  server.maxConnections = TOTAL_MAX
  const bySource = new Map<string, Set<Socket>>()
  const answering = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    const source = socket.remoteAddress ?? ''
    const open = bySource.get(source) ?? new Set()
    if (open.size >= perSource) {
      const idle = [...open].find((one) => !answering.has(one))
      if (idle === undefined) {
        socket.destroy()
        return
      }
      open.delete(idle)
      idle.destroy()
    }
    bySource.set(source, open.add(socket))
    socket.once('close', () => {
      open.delete(socket)
      if (open.size === 0 && bySource.get(source) === open) bySource.delete(source)
    })
  })
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    answering.add(socket)
    response.once('close', () => answering.delete(socket))
  })
}

/** What Node's parser does not take: answered, since there is no request, on the connection itself. */
export function answerMalformed(error: Error & { readonly code?: string }, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const [code, detail] = whatIsWrong(error)
  const { status, title } = problem(code, detail)
  const body = JSON.stringify(problem(code, detail))
  const head = [
    `HTTP/1.1 ${status} ${title}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
  setTimeout(() => socket.destroy(), LAST_WORDS_MS).unref()
}

function whatIsWrong({ code, message }: Error & { readonly code?: string }): [ErrorCode, string] {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['requestTimeout', 'the request did not come whole in time']
    case 'HPE_HEADER_OVERFLOW':
      return ['headersTooLarge', 'the headers of the request are too large']
    default:
      return ['badHttp', `what came is no HTTP request: ${message.replace(/^Parse Error: /, '')}`]
  }
}
