import { readFile } from 'node:fs/promises'
import { beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { DEFAULT_POLICY, parsePolicy } from '../distribution/policy.ts'
import { DOCUMENT_FILE, documentText } from './document.fixture.ts'
import { type ErrorCode, statusOf } from './errors.ts'
import { type Document, finishDocument } from './openapi.ts'
import { answered, REFUSALS } from './refusals.ts'
import { CODES, settle } from './route.ts'

interface Described {
  readonly minimum?: number
  readonly maximum?: number
  readonly default: unknown
  readonly description: string
}

let text: string
let document: Document

beforeAll(async () => {
  text = await documentText()
  document = JSON.parse(text)
})

const operations = () => Object.values(document.paths ?? {}).flatMap((path) => Object.values(path))

test('docs/openapi.json is the document that members serve: `npm run openapi` writes it', async () => {
  expect(await readFile(DOCUMENT_FILE, 'utf8')).toBe(text)
})

test('an operation has a name of its own and one tag', () => {
  const ids = operations().map(({ operationId }) => operationId)
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids).toContain('moveSession')
  for (const { operationId, tags } of operations()) expect(tags, operationId).toHaveLength(1)
})

test('OA1 a schema has one form: a request may leave out what has a default, an answer has all', () => {
  const { schemas = {} } = document.components ?? {}
  expect(Object.keys(schemas).filter((name) => name.endsWith('Input'))).toEqual([])
  const refs = [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name)
  expect(new Set(refs)).toEqual(new Set(Object.keys(schemas)))
  expect(schemas['VolumeRequest']).toMatchObject({ required: ['name', 'bytes'] })
  expect(schemas['Volume']).toMatchObject({ required: expect.arrayContaining(['shared']) })
})

test('OA1 a schema that is asked for and answered is refused: its two forms may differ', () => {
  const body = (name: string) => ({ schema: { $ref: `#/components/schemas/${name}` } })
  const operation = { requestBody: body('VolumeInput'), responses: { 200: body('Volume') } }
  const both = {
    paths: { '/v': { put: operation } },
    components: { schemas: { Volume: {}, VolumeInput: {} } },
  }
  expect(() => finishDocument(both)).toThrow('Volume is both asked for and answered')
})

test('OA2 each error of an operation has a status there, and each of its problems an error', () => {
  for (const operation of operations()) {
    const statuses = Object.entries(operation.responses ?? {})
    const told = statuses.filter(([, { content }]) => content?.['application/problem+json'])
    const wanted = new Set(operation[CODES]?.map((code: ErrorCode) => String(statusOf(code))))
    expect(new Set(told.map(([status]) => status)), operation.operationId).toEqual(wanted)
    for (const [status, { description, content }] of statuses) {
      expect(description, `${operation.operationId} ${status}`).not.toBe('')
      expect(Object.keys(content ?? {}), `${operation.operationId} ${status}`).toHaveLength(1)
    }
  }
})

test('RF1 the document lists of each operation what the types allow it to refuse', () => {
  const anywhere = ['badHost', 'crossSite', 'internal', 'badRequest', 'notJson', 'tooLarge']
  const listed = operations().map((operation) => {
    const own = operation[CODES]?.filter((code) => !anywhere.includes(code))
    return [operation.operationId, own?.sort()]
  })
  const allowed = Object.entries(REFUSALS).map(([operation, codes]) => [
    operation,
    [...codes].sort(),
  ])
  expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(allowed))
})

test('RF1 a route that answers as another operation is a fault', () => {
  const reply = { request: { routeOptions: { schema: { operationId: 'showVolume' } } } }
  const send = () => settle('deleteVolume', reply as never, answered({}))
  expect(send).toThrow('answers as deleteVolume, which it is not')
})

test('OA2 an operation answers no error of another one', () => {
  const { get: show, delete: remove } = document.paths?.['/api/v1/volumes/{name}'] ?? {}
  expect(Object.keys(show?.responses ?? {})).toEqual(['200', '400', '403', '404', '500'])
  expect(remove?.responses?.['409']?.description).toBe(
    "`volumeInUse`: The volume has sessions. Log its initiators out first; 'evenkeel session list' names them.",
  )
  expect(remove?.[CODES]).toContain('recordNotKept')
})

test('each setting of the policy is described with its range, unit, effect and default, as it is checked', () => {
  const { PolicyChange, Policy } = document.components?.schemas ?? {}
  const { properties } = PolicyChange as { properties: Record<string, Described> }
  const { mode: _, ...defaults } = DEFAULT_POLICY
  expect(Object.keys(properties).sort()).toEqual(Object.keys(defaults).sort())
  expect(Policy).toMatchObject({ required: Object.keys(DEFAULT_POLICY), properties })
  for (const [name, { minimum, maximum, description, ...one }] of Object.entries(properties)) {
    expect(one.default, name).toEqual(defaults[name as keyof typeof defaults])
    if (minimum === undefined || maximum === undefined) continue
    expect(description, name).toMatch(/^[A-Z].+\. Unit: .+\.$/)
    const isTaken = (value: number) => parsePolicy({ horizonSeconds: 86_400, [name]: value }).kind
    expect([minimum, maximum].map(isTaken), name).toEqual(
      name === 'horizonSeconds' ? ['wrong', 'policy'] : ['policy', 'policy'],
    )
    expect([minimum - 1, maximum + 1].map(isTaken), name).toEqual(['wrong', 'wrong'])
  }
})

test('OA3 what is JSON has an example, and every example has the form of its schema', () => {
  const bodies = operations().flatMap(({ operationId, requestBody, responses }) =>
    [requestBody, ...Object.values(responses ?? {})].flatMap((body) =>
      Object.entries(body?.content ?? {}).map(([type, one]) => ({ operationId, type, ...one })),
    ),
  )
  const asDefinitions = (value: unknown) =>
    JSON.parse(JSON.stringify(value).replaceAll('#/components/schemas/', '#/$defs/'))
  const $defs = asDefinitions(document.components?.schemas)
  const forms = new Map<string, z.ZodType>()
  const json = bodies.filter(({ type }) => type.endsWith('json'))
  expect(json.length).toBeGreaterThan(100)
  for (const { operationId, schema, example } of json) {
    const key = JSON.stringify(schema)
    const form = forms.get(key) ?? z.fromJSONSchema({ ...asDefinitions(schema), $defs })
    forms.set(key, form)
    expect(form.safeParse(example).error, operationId).toBeUndefined()
  }
})

test('OA4 every key of a named schema is described, or refers to what is', () => {
  const schemas = Object.entries(document.components?.schemas ?? {}) as [
    string,
    { readonly properties?: Readonly<Record<string, object>> },
  ][]
  const silent = schemas.flatMap(([name, { properties = {} }]) =>
    Object.entries(properties)
      .filter(([, schema]) => !('description' in schema || '$ref' in schema))
      .map(([key]) => `${name}.${key}`),
  )
  expect(silent).toEqual([])
})
