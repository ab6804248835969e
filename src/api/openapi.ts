// The OpenAPI document, finished: of each operation only the errors that it can answer, each status with words.
import { STATUS_CODES } from 'node:http'
import { type ErrorCode, statusOf, titleOf } from './errors.ts'
import { CODES } from './route.ts'

interface Operation {
  readonly operationId?: string
  readonly tags?: readonly string[]
  readonly [CODES]?: readonly ErrorCode[]
  responses?: Record<string, { description?: string }>
}

export interface Document {
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

/** Changes the document that was just made. */
export function finishDocument<D extends object>(document: D): D {
  const { paths = {} } = document as Document
  for (const path of Object.values(paths)) {
    for (const operation of Object.values(path)) {
      const codes = operation[CODES]
      if (codes !== undefined) describe(operation, codes)
    }
  }
  return document
}

function describe(operation: Operation, codes: readonly ErrorCode[]): void {
  const responses: Record<string, { description?: string }> = {}
  for (const [status, response] of Object.entries(operation.responses ?? {})) {
    const own = codes.filter((code) => String(statusOf(code)) === status)
    // An answer that is no problem is described by its form: /healthz is 503 with a body of its own.
    const isProblem = JSON.stringify(response).includes('/Problem"')
    if (isProblem && own.length === 0) continue
    const words = isProblem
      ? own.map((code) => `${code}: ${titleOf(code)}`)
      : [STATUS_CODES[status]]
    responses[status] = { ...response, description: words.join('; ') }
  }
  operation.responses = responses
}
