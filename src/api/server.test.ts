import { connect } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KeptEvents } from './event-schema.ts'
import { OperatorInMemory } from './operator-in-memory.fixture.ts'
import { buildApi, startApi } from './server.ts'

const settings = (failed: (error: unknown) => void) => ({
  host: '127.0.0.1',
  port: 0,
  version: '0.1.0',
  failed,
})

let app: FastifyInstance
let failures: unknown[]

beforeEach(async () => {
  failures = []
  app = await buildApi(
    new OperatorInMemory(),
    settings((error) => failures.push(error)),
  )
})
afterEach(() => app.close())

const headers = { host: '127.0.0.1:3259' }
const get = (url: string) => app.inject({ url, headers })
const post = (url: string, payload: object) => app.inject({ method: 'POST', url, headers, payload })

describe('volumes', () => {
  const patch = (name: string, payload: object) =>
    app.inject({ method: 'PATCH', url: `/api/v1/volumes/${name}`, headers, payload })

  test('are renamed and grow, and do not shrink', async () => {
    for (const name of ['a', 'b']) await post('/api/v1/volumes', { name, bytes: 2 ** 30 })
    const grown = await patch('a', { bytes: 2 ** 31, name: 'c' })
    expect(grown.statusCode).toBe(200)
    expect(grown.json()).toMatchObject({ name: 'c', bytes: 2 ** 31 })
    const codes = [
      [await patch('c', { bytes: 2 ** 30 }), 409, 'volumeShrinks', /only grows|smaller volume/],
      [await patch('c', { name: 'b' }), 409, 'volumeExists', /Choose another name/],
      [await patch('none', { name: 'd' }), 404, 'volumeNotFound', /volume list/],
      [await patch('c', { bytes: 2 ** 30 + 1 }), 400, 'badRequest', /names/],
      [await patch('c', { shared: true }), 400, 'badRequest', /names/],
    ] as const
    for (const [answer, status, code, action] of codes) {
      expect(answer.statusCode).toBe(status)
      expect(answer.json()).toMatchObject({ code, action: expect.stringMatching(action) })
    }
  })

  test('a volume is created, listed, shown and deleted', async () => {
    const made = await post('/api/v1/volumes', { name: 'a', bytes: 1024 ** 3 })
    expect(made.statusCode).toBe(201)
    expect(made.json()).toMatchObject({
      schema: 'evenkeel/v1',
      name: 'a',
      blockBytes: 512,
      shared: false,
    })
    const listed = await get('/api/v1/volumes')
    expect(listed.json()).toMatchObject({ schema: 'evenkeel/v1', items: [{ name: 'a' }] })
    expect(listed.json().items[0]).not.toHaveProperty('lanes')
    expect(listed.json().items[0]).not.toHaveProperty('usage')
    const used = await get('/api/v1/volumes?usage=true')
    expect(used.json().items[0].usage).toMatchObject({ takenBytes: 8192, silent: ['m2'] })
    expect((await get('/api/v1/volumes/a')).json().byMember[1]).toEqual({
      member: 'm2',
      pages: null,
      bytes: null,
      takenBytes: null,
    })
    expect(
      (await app.inject({ method: 'DELETE', url: '/api/v1/volumes/a', headers })).statusCode,
    ).toBe(200)
    expect((await get('/api/v1/volumes')).json().items).toEqual([])
  })

  test('a name that is taken, a volume in use and one that is not there have their problems', async () => {
    await post('/api/v1/volumes', { name: 'vol1', bytes: 1024 ** 3 })
    const again = await post('/api/v1/volumes', { name: 'vol1', bytes: 1024 ** 3 })
    expect(again.statusCode).toBe(409)
    expect(again.headers['content-type']).toContain('application/problem+json')
    expect(again.json()).toEqual({
      schema: 'evenkeel/v1',
      type: 'urn:evenkeel:problem:volumeExists',
      title: 'The volume name is taken',
      status: 409,
      detail: 'a volume called vol1 exists',
      code: 'volumeExists',
      action: 'Choose another name, or delete the volume that has it.',
    })
    const inUse = await app.inject({ method: 'DELETE', url: '/api/v1/volumes/vol1', headers })
    expect(inUse.json().code).toBe('volumeInUse')
    expect((await get('/api/v1/volumes/none')).json()).toMatchObject({
      status: 404,
      code: 'volumeNotFound',
    })
  })

  test('what is wrong with a request is named field by field', async () => {
    const wrong = await post('/api/v1/volumes', { name: 'Big One', bytes: 1000, colour: 'red' })
    expect(wrong.statusCode).toBe(400)
    const { code, detail } = wrong.json()
    expect(code).toBe('badRequest')
    expect(detail).toContain('name: a volume name has 1 to 63')
    expect(detail).toContain('bytes: a volume has at least 1 MiB')
    expect(detail).toContain('colour')
  })
})

describe('lists', () => {
  test('A4 a query key that a path does not know is refused, with those that it knows', async () => {
    const paths = Object.entries((await get('/openapi.json')).json().paths as object)
    const reads = paths.filter(([path, methods]) => path.startsWith('/api/') && 'get' in methods)
    expect(reads.length).toBeGreaterThan(8)
    for (const [path] of reads) {
      const answer = await get(`${path.replace(/\{\w+\}/, '42')}?volum=a`)
      expect(answer.json(), path).toMatchObject({ status: 400, code: 'badRequest' })
      expect(answer.json().detail, path).toContain("there is no query key 'volum' here")
    }
    for (const path of ['/healthz', '/metrics', '/openapi.json']) {
      expect((await get(`${path}?verbose=1`)).json(), path).toMatchObject({ code: 'badRequest' })
    }
    const refused = await app.inject({
      method: 'DELETE',
      url: '/api/v1/volumes/a?force=1',
      headers,
    })
    expect(refused.statusCode).toBe(400)
    expect((await get('/api/v1/sessions?x=1')).json().detail).toContain('keys volume, member')
  })

  test('a filter leaves out what is of something else, and must name what there is', async () => {
    await post('/api/v1/volumes', { name: 'vol1', bytes: 1024 ** 3 })
    await post('/api/v1/sessions/42/move', { to: 'm2' })
    await post('/api/v1/sessions/42/move', { to: 'm1' })
    const items = async (path: string) => (await get(path)).json().items
    expect(await items('/api/v1/sessions?volume=vol1&member=m1')).toHaveLength(1)
    expect(await items('/api/v1/sessions?member=m2')).toEqual([])
    expect(await items('/api/v1/moves?volume=vol1&member=m2&limit=1')).toHaveLength(1)
    expect(await items('/api/v1/moves?session=7')).toEqual([])
    for (const [path, code] of [
      ['/api/v1/sessions?volume=none', 'volumeNotFound'],
      ['/api/v1/sessions?member=m7', 'memberNotFound'],
      ['/api/v1/moves?member=m7', 'memberNotFound'],
      ['/api/v1/members/m7', 'memberNotFound'],
    ] as const) {
      expect((await get(path)).json(), path).toMatchObject({ status: 404, code })
    }
    expect((await get('/api/v1/members/m2')).json()).toMatchObject({ id: 'm2', state: 'silent' })
  })
})

describe('pages', () => {
  class Many extends OperatorInMemory {
    ids = [2, 10, 7, 42, 100]
    override async sessions() {
      const [session] = await super.sessions()
      if (session === undefined) throw new Error('there is no session to make more of')
      return this.ids.map((id) => ({ ...session, id: String(id) }))
    }
  }

  test('PG1 sessions are read page by page, whatever comes and goes between', async () => {
    const operator = new Many()
    const many = await buildApi(
      operator,
      settings(() => {}),
    )
    const page = async (path: string) => {
      const { items, next } = (await many.inject({ url: path, headers })).json()
      return [items.map(({ id }: { id: string }) => Number(id)), next]
    }
    expect(await page('/api/v1/sessions')).toEqual([[2, 7, 10, 42, 100], null])
    expect(await page('/api/v1/sessions?limit=2')).toEqual([[2, 7], '7'])
    operator.ids = [10, 42, 100, 101]
    expect(await page('/api/v1/sessions?limit=2&after=7')).toEqual([[10, 42], '42'])
    expect(await page('/api/v1/sessions?limit=2&after=42')).toEqual([[100, 101], null])
    await many.close()
  })

  test('PG1 moves are read page by page while others begin', async () => {
    for (const to of ['m2', 'm1', 'm2']) await post('/api/v1/sessions/42/move', { to })
    const first = (await get('/api/v1/moves?limit=2')).json()
    expect([first.items.length, first.next]).toEqual([2, 'move-2'])
    await post('/api/v1/sessions/42/move', { to: 'm1' })
    const rest = (await get('/api/v1/moves?limit=2&after=move-2')).json()
    expect([rest.items.map(({ id }: { id: string }) => id), rest.next]).toEqual([['move-1'], null])
    const gone = await get('/api/v1/moves?after=move-9')
    expect(gone.json()).toMatchObject({ code: 'moveNotFound', status: 404 })
  })
})

describe('sessions and balance', () => {
  test('what a move would bring is told, and nothing moves', async () => {
    const plan = await get('/api/v1/sessions/42/move?to=m2')
    expect(plan.json()).toMatchObject({
      session: '42',
      from: 'm1',
      to: 'm2',
      predicted: { gain: 0.1 },
    })
    expect((await get('/api/v1/moves')).json().items).toEqual([])
    expect((await get('/api/v1/sessions/42/move?to=m1')).json().code).toBe('alreadyThere')
    expect((await get('/api/v1/sessions/42/move')).json().code).toBe('badRequest')
  })

  test('a move answers 200 with its outcome, and 202 if nobody waits for it', async () => {
    const waited = await post('/api/v1/sessions/42/move', { to: 'm2' })
    expect(waited.statusCode).toBe(200)
    expect(waited.json()).toMatchObject({ outcome: 'returned', from: 'm1', to: 'm2' })
    const begun = await post('/api/v1/sessions/42/move', { to: 'm1', wait: false })
    expect(begun.statusCode).toBe(202)
    expect((await get('/api/v1/moves?limit=1')).json().items).toHaveLength(1)
    expect((await get('/api/v1/moves')).json().items).toHaveLength(2)
    expect((await get('/api/v1/moves?limit=0')).json().code).toBe('badRequest')
  })

  test('the mode is set for the group', async () => {
    const put = await app.inject({
      method: 'PUT',
      url: '/api/v1/balance',
      headers,
      payload: { mode: 'advise' },
    })
    expect(put.json()).toMatchObject({ schema: 'evenkeel/v1', mode: 'advise' })
    expect((await get('/api/v1/status')).json().balance).toBe('advise')
    const payload = { placement: 'off' }
    const placed = await app.inject({ method: 'PUT', url: '/api/v1/balance', headers, payload })
    expect(placed.json()).toMatchObject({ mode: 'advise', placement: 'off' })
    const wrong = { policy: { kappa: '2', partitionedOnly: true, blackouts: [] } }
    const refused = await app.inject({
      ...{ method: 'PUT', url: '/api/v1/balance', headers, payload: wrong },
    })
    expect(refused.json().detail).toMatch(/^policy.kappa: a setting is a number; [^;]*$/)
  })

  test('a fault is told as such, without what it was, and handed to the log', async () => {
    const fault = await post('/api/v1/sessions/42/move', { to: 'm9' })
    expect(fault.statusCode).toBe(500)
    expect(fault.json().code).toBe('internal')
    expect(fault.body).not.toContain('must not see')
    expect(failures).toHaveLength(1)
  })
})

describe('who calls', () => {
  test("A2 a browser's cross-site request is refused before anything is done", async () => {
    const made = await app.inject({
      method: 'POST',
      url: '/api/v1/volumes',
      headers: { ...headers, origin: 'https://evil.example', 'content-type': 'application/json' },
      payload: JSON.stringify({ name: 'a', bytes: 1024 ** 3 }),
    })
    expect(made.statusCode).toBe(403)
    expect(made.json()).toMatchObject({
      code: 'crossSite',
      detail: 'the request comes from a page of https://evil.example',
    })
    expect((await get('/api/v1/volumes')).json().items).toEqual([])
    const preflight = await app.inject({
      method: 'OPTIONS',
      url: '/api/v1/volumes',
      headers: { ...headers, origin: 'https://evil.example' },
    })
    expect(preflight.statusCode).toBe(403)
    expect(preflight.headers).not.toHaveProperty('access-control-allow-origin')
  })

  test('A1 a name that rebinds to loopback is refused', async () => {
    const answer = await app.inject({
      url: '/api/v1/volumes',
      headers: { host: 'evil.example:3259' },
    })
    expect(answer.json().code).toBe('badHost')
  })

  test('A3 a body that a form can send is refused', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=b',
    ]) {
      const answer = await app.inject({
        method: 'POST',
        url: '/api/v1/volumes',
        headers: { ...headers, 'content-type': type },
        payload: JSON.stringify({ name: 'a', bytes: 1024 ** 3 }),
      })
      expect(answer.statusCode, type).toBe(415)
      expect(answer.json().code).toBe('notJson')
    }
    const broken = await app.inject({
      method: 'POST',
      url: '/api/v1/volumes',
      headers: { ...headers, 'content-type': 'application/json' },
      payload: '{"name":',
    })
    expect(broken.json().code).toBe('badRequest')
    const large = await post('/api/v1/volumes', { name: 'a'.repeat(70_000), bytes: 1024 ** 3 })
    expect(large.json().code).toBe('tooLarge')
  })
})

describe('health, metrics and events', () => {
  test('health is 200 or 503 with the same object', async () => {
    expect((await get('/healthz')).statusCode).toBe(200)
    await app.inject({ method: 'PUT', url: '/api/v1/balance', headers, payload: { mode: 'off' } })
    const sick = await get('/healthz')
    expect(sick.statusCode).toBe(503)
    expect(sick.json()).toMatchObject({
      schema: 'evenkeel/v1',
      ok: false,
      member: 'm1',
      health: 'error',
    })
    expect(sick.json().problems).toMatchObject([{ code: 'MEMBER_DOWN', since: expect.any(String) }])
  })

  test('metrics are the counters as they stand, the histogram cumulative in seconds', async () => {
    const answer = await get('/metrics')
    expect(answer.headers['content-type']).toContain('text/plain')
    const lines = answer.body.split('\n')
    for (const line of [
      'evenkeel_session_moves_total{member="m1",from="m1",to="m2",reason="balance",result="returned"} 2',
      'evenkeel_member_state{member="m2",state="silent"} 1',
      'evenkeel_coordination_up{member="m1"} 1',
      'evenkeel_cache_bytes{member="m1"} 8192',
      'evenkeel_cache_hits_total{member="m1"} 3',
      'evenkeel_cache_misses_total{member="m1"} 1',
      'evenkeel_store_tombstone_runs{member="m1"} 5',
      'evenkeel_scrub_done_ratio{member="m1"} 0.25',
      'evenkeel_scrub_age_seconds{member="m1"} 86400',
      'evenkeel_problem{member="m1",code="MEMBER_DOWN",severity="error",subject="m2"} 1',
      'evenkeel_volume_io_total{member="m1",volume="vol1",op="write"} 20',
      'evenkeel_member_restarts_total{member="m2"} 3',
      'evenkeel_balance_mode{member="m1",mode="on"} 1',
      'evenkeel_volume_io_errors_total{member="m1",volume="vol1",status="check_condition",sense="7/27/07"} 2',
      'evenkeel_volume_io_errors_total{member="m1",volume="vol1",status="check_condition",sense="3/11/00"} 0',
      'evenkeel_volume_io_errors_total{member="m1",volume="vol1",status="task_set_full",sense="none"} 1',
      'evenkeel_forwarded_pieces_total{member="m1",to="m2"} 9',
      'evenkeel_io_duration_seconds_bucket{member="m1",volume="vol1",op="read",le="0.00025"} 0',
      'evenkeel_io_duration_seconds_bucket{member="m1",volume="vol1",op="read",le="0.0005"} 3',
      'evenkeel_io_duration_seconds_bucket{member="m1",volume="vol1",op="read",le="0.512"} 3',
      'evenkeel_io_duration_seconds_bucket{member="m1",volume="vol1",op="read",le="1.024"} 4',
      'evenkeel_io_duration_seconds_bucket{member="m1",volume="vol1",op="read",le="+Inf"} 4',
      'evenkeel_io_duration_seconds_sum{member="m1",volume="vol1",op="read"} 1.0015',
      'evenkeel_journal_commit_duration_seconds_sum{member="m1"} 1.0015',
      'evenkeel_coordination_duration_seconds_count{member="m1",ask="commit"} 4',
      'evenkeel_network_bytes_total{member="m1",direction="sent"} 12000',
    ]) {
      expect(lines).toContain(line)
    }
    expect((await get('/metrics')).body).toContain('evenkeel_logins_total{member="m1"} 5')
  })

  test('what is not there is a problem too', async () => {
    expect((await get('/nothing')).json()).toMatchObject({
      schema: 'evenkeel/v1',
      code: 'routeNotFound',
    })
  })

  test('what happens is told as it happens, and an open stream does not hold up closing', async () => {
    const operator = new OperatorInMemory()
    const api = await startApi(
      operator,
      settings(() => {}),
    )
    const { port } = new URL(api.url)
    const socket = connect(Number(port), '127.0.0.1')
    let text = ''
    socket.setEncoding('utf8').on('data', (more) => {
      text += more
    })
    socket.write(`GET /api/v1/events HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`)
    await expect.poll(() => text).toContain('text/event-stream')
    expect(text).toContain('retry: 2000')
    await fetch(`${api.url}/api/v1/sessions/42/move`, {
      method: 'POST',
      body: '{"to":"m2"}',
      headers: { 'content-type': 'application/json' },
    })
    const isTold = (what: RegExp) => expect.poll(() => text).toMatch(what)
    await isTold(/id: \w+-\d+\nevent: move\ndata: \{.*"outcome":"returned"/)
    await isTold(/event: session\ndata: \{.*"change":"went"/)
    operator.isWell = false
    await isTold(/event: problem\ndata: \{"code":"MEMBER_DOWN".*"change":"appeared"/)
    operator.isWell = true
    await isTold(/event: problem\ndata: \{"code":"MEMBER_DOWN".*"change":"gone"/)
    const keptAt = `${api.url}/api/v1/events/kept?kind=problem,session`
    const kept = (await (await fetch(keptAt)).json()) as KeptEvents
    expect(kept.items.map(({ event }) => event.kind)).toEqual([
      ...['session', 'problem', 'problem'],
    ])
    const after = await fetch(`${api.url}/api/v1/events?kind=problem`, {
      headers: { 'last-event-id': kept.items[1]?.event.id ?? '' },
    })
    const { value } =
      (await after.body?.pipeThrough(new TextDecoderStream()).getReader().read()) ?? {}
    expect(value).toContain('retry')
    const wrong = await fetch(`${api.url}/api/v1/events?kind=weather`)
    expect(await wrong.text()).toContain('kind: a kind is one of member, session')
    await api.close()
    await expect.poll(() => socket.destroyed).toBe(true)
  })
})
