import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { APIS_HEADER, Doors, GROUP_HEADER, type KnownGroup, type Request } from './doors.ts'

type React = (request: IncomingMessage, response: ServerResponse) => void

interface Api {
  readonly url: string
  /** `GET /healthz` …, as they came. */
  readonly asked: string[]
}

let servers: Server[]
beforeEach(() => {
  servers = []
})
afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
})

async function api(react: React): Promise<Api> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    request.resume()
    react(request, response)
  })
  servers.push(server.listen(0, '127.0.0.1'))
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

const silent: React = () => {}
const answers =
  (text: string, group = 'g', apis = ''): React =>
  (_request, response) => {
    response.setHeader(GROUP_HEADER, group)
    response.setHeader(APIS_HEADER, apis)
    response.end(text)
  }
/** A member that dies while it carries a request out. */
const breaks: React = (request, response) => {
  if (request.method === 'GET') answers('well')(request, response)
  else request.socket.destroy()
}
/** Nothing listens there any more. */
async function closed(): Promise<Api> {
  const gone = await api(silent)
  servers.at(-1)?.close()
  return gone
}

const get: Request = { method: 'GET', path: '/x', waitMs: 5_000 }
const post: Request = { method: 'POST', path: '/x', body: {}, waitMs: 5_000 }

function memory(known: KnownGroup | null = null) {
  const remembered: [string, KnownGroup][] = []
  return {
    remembered,
    recall: () => known,
    remember: (url: string, group: KnownGroup) => remembered.push([url, group]),
  }
}

describe('questions', () => {
  test('CA2 one that is refused is put to the next at once', async () => {
    const [gone, well] = [await closed(), await api(answers('m2'))]
    const notes: string[] = []
    const doors = new Doors([gone.url, well.url], { note: (line) => notes.push(line) })
    expect(await doors.send(get)).toMatchObject({ ok: true, text: 'm2', url: well.url })
    await doors.send(get)
    expect(notes).toEqual([
      `the API at ${gone.url} cannot be reached; the API at ${well.url} answers instead.`,
    ])
    expect(doors.silences()).toMatchObject([{ how: 'cannot be reached' }])
  })

  test('CA2 one that has no answer within a second is put to the next; then that one is asked first', async () => {
    const [mute, well] = [await api(silent), await api(answers('m2'))]
    const doors = new Doors([mute.url, well.url], {})
    expect((await doors.send(get)).text).toBe('m2')
    expect(doors.silences()).toMatchObject([
      { name: `the API at ${mute.url}`, how: 'has not answered within a second' },
    ])
    await doors.send(get)
    await doors.send(get)
    expect(mute.asked).toEqual(['GET /x'])
  })

  test('CA2 an answer that comes late counts, if it is the first', async () => {
    const mute = await api(silent)
    let asked = () => {}
    const later = new Promise<void>((resolve) => {
      asked = resolve
    })
    // It answers once the other one was asked too.
    const slow = await api((request, response) => {
      void later.then(() => answers('m1')(request, response))
    })
    const other = await api((...exchange) => {
      asked()
      silent(...exchange)
    })
    const doors = new Doors([slow.url, other.url, mute.url], {})
    expect((await doors.send(get)).text).toBe('m1')
    expect(doors.silences().map(({ name }) => name)).not.toContain(`the API at ${slow.url}`)
  })

  test('if nobody answers, it is said of each why', async () => {
    const [gone, mute] = [await closed(), await api(silent)]
    const doors = new Doors([gone.url, mute.url], {})
    await expect(doors.send({ ...get, waitMs: 1_500 })).rejects.toMatchObject({
      message: `the API at ${gone.url} cannot be reached; the API at ${mute.url} does not answer`,
      isSilent: true,
    })
    await expect(new Doors([gone.url], {}).send(get)).rejects.toMatchObject({ isSilent: false })
  })
})

describe('requests that change something', () => {
  test('CA1 one is sent to the API that answers a question', async () => {
    const [mute, well] = [await api(silent), await api(answers('made'))]
    const doors = new Doors([mute.url, well.url], {})
    expect((await doors.send(post)).text).toBe('made')
    expect(mute.asked).toEqual(['GET /healthz'])
    expect(well.asked).toEqual(['GET /healthz', 'POST /x'])
  })

  test('CA1 one that may have been taken is never sent again', async () => {
    const [broken, well] = [await api(breaks), await api(answers('made'))]
    const doors = new Doors([broken.url, well.url], {})
    await expect(doors.send(post)).rejects.toMatchObject({ isSilent: true })
    expect([...broken.asked, ...well.asked]).toEqual(['GET /healthz', 'POST /x'])
    const mute = await api(silent)
    await expect(new Doors([mute.url], {}).send({ ...post, waitMs: 300 })).rejects.toThrow(
      'does not answer',
    )
    expect(mute.asked).toEqual(['POST /x'])
  })
})

describe('what an earlier answer named', () => {
  test('is asked when the one that the caller named does not answer', async () => {
    const [gone, m2] = [await closed(), await api(answers('m2'))]
    const known = { group: 'g', members: [{ id: 'm2', api: m2.url }] }
    const doors = new Doors([gone.url], { memory: memory(known) })
    expect((await doors.send(get)).text).toBe('m2')
  })

  test('CA3 does not count if it is of another group now', async () => {
    const [gone, stranger] = [await closed(), await api(answers('other', 'g2'))]
    const known = { group: 'g', members: [{ id: 'm2', api: stranger.url }] }
    const doors = new Doors([gone.url], { memory: memory(known) })
    await expect(doors.send(get)).rejects.toThrow(
      `m2's API at ${stranger.url} belongs to another group now`,
    )
    await expect(doors.send(post)).rejects.toThrow('another group')
    expect(stranger.asked).not.toContain('POST /x')
  })

  test('is remembered when it has changed, by the first URL', async () => {
    const m1 = await api(answers('m1', 'g', 'm1=http://127.0.0.1:1 m2=http://127.0.0.1:2'))
    const kept = memory()
    const doors = new Doors([m1.url], { memory: kept })
    await doors.send(get)
    await doors.send(get)
    const members = [
      { id: 'm1', api: 'http://127.0.0.1:1' },
      { id: 'm2', api: 'http://127.0.0.1:2' },
    ]
    expect(kept.remembered).toEqual([[m1.url, { group: 'g', members }]])
  })
})
