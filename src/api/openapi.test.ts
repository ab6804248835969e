import { readFile } from 'node:fs/promises'
import { beforeAll, expect, test } from 'vitest'
import { DOCUMENT_FILE, documentText } from './document.fixture.ts'
import { type ErrorCode, statusOf } from './errors.ts'
import { type Document, finishDocument } from './openapi.ts'
import { CODES } from './route.ts'

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

test('OA2 an operation answers no error of another one', () => {
  const { get: show, delete: remove } = document.paths?.['/api/v1/volumes/{name}'] ?? {}
  expect(Object.keys(show?.responses ?? {})).toEqual(['200', '400', '403', '404', '500'])
  expect(remove?.responses?.['409']?.description).toBe(
    "`volumeInUse`: The volume has sessions. Log its initiators out first; 'evenkeel session list' names them.",
  )
  expect(remove?.[CODES]).toContain('recordNotKept')
})
