// The API as this page calls it: the member that served it, which answers for the whole group.
import type { Problem } from '../../src/api/errors.ts'
import { sentence } from './words.ts'

/** A member that is well answers within this time; a move by hand takes its drain and its return. */
const ANSWER_MS = 5_000
const MOVE_ANSWER_MS = 30_000

/** The member answered that it will not. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.detail)
    this.problem = problem
  }
}

/** Rejects with Refused, or with what kept the answer away. */
export async function ask<T>(method: string, path: string, body?: object): Promise<T> {
  const waitMs = method !== 'GET' && /\/(move|pin)$/.test(path) ? MOVE_ANSWER_MS : ANSWER_MS
  const response = await fetch(path, {
    method,
    signal: AbortSignal.timeout(waitMs),
    ...(body === undefined
      ? {}
      : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  const answer: unknown = await response.json()
  if (response.ok) return answer as T
  if (isProblem(answer)) throw new Refused(answer)
  throw new Error(`${path} answered ${response.status}`)
}

export function read<T>(path: string): Promise<T> {
  return ask<T>('GET', path)
}

export interface List<T> {
  readonly items: readonly T[]
}

function isProblem(answer: unknown): answer is Problem {
  return typeof answer === 'object' && answer !== null && 'action' in answer && 'detail' in answer
}

/** What went wrong, and what to do, in one line. */
export function sentenceOf(error: unknown): string {
  if (error instanceof Refused) {
    const { detail, action } = error.problem
    return `${sentence(detail)} ${action}`
  }
  return 'This member does not answer. Try again, or go on at another member.'
}
