import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OperatorInMemory } from './operator-in-memory.fixture.ts'
import { referencePage } from './reference.ts'
import { buildApi } from './server.ts'

let app: FastifyInstance
beforeAll(async () => {
  const settings = { host: '127.0.0.1', port: 0, version: '0.1.0' }
  app = await buildApi(new OperatorInMemory(), {
    ...settings,
    failed: (error) => {
      throw error
    },
  })
})
afterAll(() => app.close())

const host = '127.0.0.1:3259'
const get = (url: string, headers: Record<string, string> = {}) =>
  app.inject({ url, headers: { host, ...headers } })

async function assets(): Promise<string[]> {
  const { body } = await get('/')
  return [...body.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path = '']) => path)
}

describe('the dashboard', () => {
  test('W1 may load and ask nothing but this address, and runs nothing that is not a file of it', async () => {
    const page = await get('/')
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    const policy = String(page.headers['content-security-policy'])
    expect(policy).toContain("default-src 'none'")
    expect(
      policy.match(/'[^']+'|https?:|\*|data:/g)?.filter((word) => !/^'(none|self)'$/.test(word)),
    ).toEqual([])
    expect(page.body).not.toMatch(/<script(?![^>]* src=)|<style|\son\w+=|\sstyle=/)
    for (const path of await assets()) {
      const file = await get(path)
      expect(file.statusCode, path).toBe(200)
      expect(file.headers['content-security-policy'], path).toBe(policy)
    }
  })

  test('W2 what bears its hash is kept, and the page is asked for anew', async () => {
    const page = await get('/')
    expect(page.headers['cache-control']).toBe('no-cache')
    const again = await get('/', { 'if-none-match': String(page.headers.etag) })
    expect([again.statusCode, again.body]).toEqual([304, ''])
    const hashed = (await assets()).filter((path) => path.startsWith('/assets/'))
    expect(hashed.length).toBeGreaterThan(1)
    for (const path of hashed) {
      expect(path).toMatch(/-[\w-]{8}\.\w+$/)
      expect((await get(path)).headers['cache-control']).toContain('immutable')
    }
  })

  test('is sent packed to who takes it so, and plain to others', async () => {
    const [path = ''] = (await assets()).filter((one) => one.endsWith('.js'))
    const plain = await get(path)
    const packed = await get(path, { 'accept-encoding': 'gzip, br' })
    expect(packed.headers['content-encoding']).toBe('gzip')
    expect(packed.rawPayload.length).toBeLessThan(plain.rawPayload.length / 2)
  })

  test('A2 is reached by a link from anywhere; what it asks is not', async () => {
    const visit = {
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    }
    expect((await get('/', visit)).statusCode).toBe(200)
    expect((await get('/docs', visit)).statusCode).toBe(200)
    expect((await get('/api/v1/status', visit)).statusCode).toBe(403)
    expect((await get('/', { ...visit, 'sec-fetch-dest': 'iframe' })).statusCode).toBe(403)
  })
})

describe('the description of the API for people', () => {
  test('W1 has every operation, answer and schema, asks nothing of anybody and runs nothing', async () => {
    const page = await get('/docs')
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(page.headers['content-security-policy']).toContain("default-src 'none'")
    expect(page.body).not.toMatch(/<script|<style|<img|\son\w+=|\sstyle=|(src|href)="(?![/#])/)
    expect((await get('/docs.css')).headers['content-type']).toBe('text/css; charset=utf-8')
    const { paths, components } = (await get('/openapi.json')).json()
    const names = Object.values(paths as object).flatMap((path) =>
      Object.values(path as object).map(({ operationId }) => operationId),
    )
    const ids = [...page.body.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)
    expect(ids).toEqual(expect.arrayContaining(names))
    const schemas = Object.keys(components.schemas).map((name) => `schema-${name}`)
    expect(ids).toEqual(expect.arrayContaining(schemas))
    const links = [...page.body.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id)
    expect(new Set(ids).size).toBe(ids.length)
    expect(links.filter((id) => !ids.includes(id))).toEqual([])
    expect(page.body).toContain('Price of any move, whatever it brings.')
  })

  test('what a description says is text, never a part of the page', () => {
    const operation = { tags: ['t'], operationId: 'x', summary: '<b>&"', responses: {} }
    const info = { title: '<script>', version: '1' }
    const page = referencePage({
      info,
      tags: [{ name: 't' }],
      paths: { '/<i>': { get: operation } },
    })
    expect(page).not.toMatch(/<script|<b>|<i>/)
    expect(page).toContain('&lt;b&gt;&amp;&quot;')
  })
})
