import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { OperatorInMemory } from './operator-in-memory.fixture.ts'
import { type RunningApi, startApi } from './server.ts'

let api: RunningApi
const sockets: Socket[] = []

beforeEach(async () => {
  api = await startApi(new OperatorInMemory(), {
    ...{ host: '127.0.0.1', port: 0, version: '0.1.0', failed: () => {} },
    bounds: { requestMs: 500, perSource: 8 },
  })
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await api.close()
})

/** A connection that sends this, and what comes back until it is ended. */
async function dial(text: string, localAddress = '127.0.0.1') {
  const socket = connect({ host: '127.0.0.1', port: api.port, localAddress })
  sockets.push(socket)
  const seen = { text: '' }
  socket.setEncoding('utf8').on('data', (more) => {
    seen.text += more
  })
  socket.on('error', () => {})
  const closed = once(socket, 'close')
  await once(socket, 'connect')
  socket.write(text)
  return { socket, seen, closed }
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`

test('A5 whoever does not send a whole request is cut: silent, in the headers, in the body', async () => {
  const half = [
    '',
    'GET /healthz HTT',
    'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n',
    'POST /api/v1/volumes HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"na',
  ]
  const dialled = await Promise.all(half.map((text) => dial(text)))
  await Promise.all(dialled.map(({ closed }) => closed))
  const [, , headers] = dialled
  expect(headers?.seen.text).toMatch(/^HTTP\/1\.1 408 .*application\/problem\+json/s)
  expect(JSON.parse(headers?.seen.text.split('\r\n\r\n')[1] ?? '')).toMatchObject({
    schema: 'evenkeel/v1',
    code: 'requestTimeout',
  })
})

test('A5 an event stream and a kept connection are no half-sent requests', async () => {
  const stream = await dial(get('/api/v1/events'))
  await expect.poll(() => stream.seen.text).toContain('text/event-stream')
  const half = await dial('GET')
  await half.closed
  expect(stream.socket.destroyed).toBe(false)
})

test('A6 a source ends its own oldest connection that waits for nothing, and no other source’s', async () => {
  const other = await dial('', '127.0.0.2')
  const stream = await dial(get('/api/v1/events'))
  await expect.poll(() => stream.seen.text).toContain('200 OK')
  const idle = await Promise.all(Array.from({ length: 20 }, () => dial('GET /')))
  const good = await dial(get('/healthz'))
  await expect.poll(() => good.seen.text).toContain('"ok":true')
  await idle[0]?.closed
  expect(idle.filter(({ socket }) => socket.destroyed).length).toBeGreaterThanOrEqual(13)
  expect(stream.socket.destroyed).toBe(false)
  other.socket.write(get('/healthz'))
  await expect.poll(() => other.seen.text).toContain('"ok":true')
})

test('what is no HTTP, and a path that cannot be decoded, are answered with a problem', async () => {
  for (const [text, status, code] of [
    ['\x16\x03\x01 hello\r\n\r\n', 400, 'badHttp'],
    ['GET /x HTTP/9.9\r\n\r\n', 400, 'badHttp'],
    [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'headersTooLarge'],
    [get('/api/v1/volumes/%zz'), 400, 'badRequest'],
  ] as const) {
    const { seen, socket } = await dial(text)
    await expect.poll(() => seen.text).toContain('"schema":"evenkeel/v1"')
    expect(seen.text, code).toContain(`HTTP/1.1 ${status} `)
    expect(seen.text, code).toContain('application/problem+json')
    expect(JSON.parse(seen.text.split('\r\n\r\n')[1] ?? '')).toMatchObject({ status, code })
    socket.destroy()
  }
})
