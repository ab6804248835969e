import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { spanOf } from './history.ts'
import { OperatorInMemory } from './operator-in-memory.fixture.ts'
import { buildApi } from './server.ts'

const NOW_MS = Date.parse('2026-11-30T12:00:30.500Z')
const at = (ms: number) => new Date(ms).toISOString()

describe('what is asked of the past', () => {
  test('HI1 an answer has at most so many numbers, by seconds lately and by minutes else', () => {
    expect(spanOf({ points: 300 }, NOW_MS)).toMatchObject({ stepSeconds: 12, count: 300 })
    const lately = { from: at(NOW_MS - 60_000), points: 300 }
    expect(spanOf(lately, NOW_MS)).toMatchObject({ stepSeconds: 1, count: 61 })
    // By the clock of who asks, before the question was on its way.
    const hour = spanOf({ from: at(NOW_MS - 3_600_250), points: 300 }, NOW_MS)
    expect(hour).toMatchObject({ stepSeconds: 13 })
    const hours = spanOf({ from: at(NOW_MS - 2 * 3_600_000), points: 600 }, NOW_MS)
    expect(hours).toMatchObject({ stepSeconds: 60, count: 121 })
    const month = spanOf({ from: at(NOW_MS - 30 * 86_400_000), points: 600 }, NOW_MS)
    expect(month).toMatchObject({ stepSeconds: 72 * 60, count: 600 })
    for (const span of [hours, month]) {
      const { fromMs = 0, stepSeconds = 0, count = 0 } = span ?? {}
      expect(fromMs % (stepSeconds * 1_000)).toBe(0)
      expect(fromMs + count * stepSeconds * 1_000).toBeGreaterThanOrEqual(NOW_MS)
    }
  })

  test('times in the wrong order, or too far apart, are refused', () => {
    expect(spanOf({ from: at(NOW_MS + 1), points: 10 }, NOW_MS)).toBeNull()
    expect(spanOf({ from: at(NOW_MS - 31 * 86_400_000), points: 10 }, NOW_MS)).toBeNull()
  })
})

describe('/api/v1/history', () => {
  let app: FastifyInstance
  beforeAll(async () => {
    app = await buildApi(new OperatorInMemory(), {
      ...{ host: '127.0.0.1', port: 0, version: '0.1.0', failed: () => {} },
    })
  })
  afterAll(() => app.close())
  const get = (query: string) =>
    app.inject({ url: `/api/v1/history${query}`, headers: { host: '127.0.0.1' } })

  test('has a list of numbers of each member that answers', async () => {
    const { count, members } = (await get('?points=10')).json()
    expect(members[0].past.utilisation).toHaveLength(count)
    expect(members[1]).toEqual({ id: 'm2', past: null })
  })

  test('has the sessions of each member that answers, at one time', async () => {
    const { at: when, members } = (await get('/sessions?at=2026-11-30T12:00:00.000Z')).json()
    expect(when).toBe('2026-11-30T12:00:00.000Z')
    expect(members[0].past.sessions[0]).toMatchObject({ id: '42', load: 0.3 })
    expect(members[1]).toEqual({ id: 'm2', past: null })
  })

  test.each([
    '/sessions',
    '/sessions?at=now',
    '?points=601',
    '?points=0',
    '?from=yesterday',
    '?form=x',
    '?to=2020-01-01T00:00:00Z&from=2021-01-01T00:00:00Z',
  ])('a wrong question is refused: %s', async (query) => {
    expect((await get(query)).json().code).toBe('badRequest')
  })
})
