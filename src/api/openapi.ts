// The OpenAPI document, finished: what the libraries make of the schemas, without twins, and of each operation only the
// errors that it can answer, each status with words. docs/openapi.json is what comes out; scripts/openapi.ts writes it.
//
// Invariants:
//   OA1. A schema has one form and one name: that of requests if a request has it, else that of answers.
//   OA2. An operation lists the errors that it can answer, and no others; so every status has words.
//   OA3. Whatever is JSON has an example (examples.ts), and every example has the form of its schema.
//   OA4. Every key of a named schema has words, or is a named schema, which has its own.
import { STATUS_CODES } from 'node:http'
import { actionOf, type ErrorCode, PROBLEM_TYPE, statusOf, titleOf } from './errors.ts'
import { ANSWERS, problemExample, REQUESTS } from './examples.ts'
import { CODES } from './route.ts'

interface Answer {
  description?: string
  readonly content?: Content
}

type Content = Readonly<Record<string, { readonly schema?: unknown; readonly example?: unknown }>>

interface Operation {
  readonly operationId?: string
  readonly tags?: readonly string[]
  requestBody?: { readonly content?: Content }
  readonly parameters?: unknown
  [CODES]?: readonly ErrorCode[]
  responses?: Record<string, Answer>
}

type Schemas = Readonly<Record<string, unknown>>

export interface Document {
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components?: { readonly schemas?: Schemas }
}

/** Any request may be refused so. */
const ANYWHERE: readonly ErrorCode[] = ['badHost', 'crossSite', 'internal', 'badRequest']
/** Whatever has no body of its own may be sent one. */
const WITH_BODY: readonly ErrorCode[] = ['notJson', 'tooLarge']
const BODILESS = ['get', 'head', 'options']

/** Of the document that was just made. */
export function finishDocument<D extends object>(document: D): D {
  const { paths = {} } = document as Document
  for (const methods of Object.values(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const codes = [
        ...ANYWHERE,
        ...(BODILESS.includes(method) ? [] : WITH_BODY),
        ...(operation[CODES] ?? []),
      ]
      operation[CODES] = codes
      describe(operation, codes)
    }
  }
  return withoutTwins(document)
}

/** OA2. */
function describe(operation: Operation, codes: readonly ErrorCode[]): void {
  const { operationId = '', requestBody } = operation
  const responses: Record<string, Answer> = {}
  for (const [status, response] of Object.entries(operation.responses ?? {})) {
    const own = codes.filter((code) => String(statusOf(code)) === status)
    // An answer that is no problem is described by its form: /healthz is 503 with a body of its own.
    const isProblem = JSON.stringify(response).includes('/Problem"')
    const content = isProblem
      ? { [PROBLEM_TYPE]: Object.values(response.content ?? {})[0] ?? {} }
      : response.content
    const words = own.map((code) => `\`${code}\`: ${titleOf(code)}. ${actionOf(code)}`)
    const [first] = own
    if (!isProblem) {
      const answer = {
        ...response,
        ...withExample(content, ANSWERS[`${operationId} ${status}`] ?? ANSWERS[operationId]),
      }
      responses[status] = { ...answer, description: STATUS_CODES[status] ?? '' }
    } else if (first !== undefined) {
      const answer = withExample(content, problemExample(first))
      responses[status] = { description: words.join('\n\n'), ...answer }
    }
  }
  operation.responses = responses
  const asked = withExample(requestBody?.content, REQUESTS[operationId])
  if (requestBody !== undefined) operation.requestBody = { ...requestBody, ...asked }
}

/** OA3. */
function withExample(content: Content | undefined, example: object | undefined) {
  if (content === undefined || example === undefined) return {}
  const all = Object.entries(content).map(([type, one]) => [type, { ...one, example }] as const)
  return { content: Object.fromEntries(all) }
}

const PLACE = '#/components/schemas/'
const TWIN = 'Input'

/** OA1. The libraries make two of each schema, `X` as it is answered and `XInput` as it is asked for. */
function withoutTwins<D extends object>(document: D): D {
  const { paths = {}, components = {} } = document as Document
  const schemas = components.schemas ?? {}
  const named = reachedFrom(paths, schemas)
  const kept = [...named].map((name) => [singleName(name, schemas), schemas[name]] as const)
  const one = new Map<string, unknown>()
  for (const [name, schema] of kept.sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (one.has(name)) throw new Error(`${name} is both asked for and answered: name two schemas`)
    one.set(name, schema)
  }
  const whole = { ...document, components: { ...components, schemas: Object.fromEntries(one) } }
  return rewritten(whole, (key, value) => {
    if (key === '$ref') return PLACE + singleName(String(value).slice(PLACE.length), schemas)
    // What every whole number of JavaScript has says nothing.
    return key === 'maximum' && value === Number.MAX_SAFE_INTEGER ? undefined : value
  })
}

function singleName(name: string, schemas: Schemas): string {
  const single = name.slice(0, -TWIN.length)
  return name.endsWith(TWIN) && Object.hasOwn(schemas, single) ? single : name
}

/** The names of all schemas that `from` refers to, and that these refer to. */
function reachedFrom(from: unknown, schemas: Schemas): ReadonlySet<string> {
  const reached = new Set<string>()
  const waiting = [from]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    rewritten(next, (key, value) => {
      const name = key === '$ref' ? String(value).slice(PLACE.length) : null
      if (name !== null && !reached.has(name)) {
        reached.add(name)
        waiting.push(schemas[name])
      }
      return value
    })
  }
  return reached
}

function rewritten<T>(value: T, change: (key: string, value: unknown) => unknown): T {
  return JSON.parse(JSON.stringify(value, change))
}
