// The other end of the API: what CLI, dashboard and CSI driver call it with. Answers are checked against the same
// schemas.
import type { z } from 'zod'
import { statusOf } from './errors.ts'
import {
  answer,
  type BalanceMode,
  type BalanceRequest,
  balance,
  list,
  type MoveRequest,
  member,
  move,
  problemAnswer,
  session,
  sessionDetail,
  status,
  top,
  type VolumeRequest,
  volume,
  volumeDetail,
} from './schema.ts'

/** The API answered with a problem. */
export class ApiRefusal extends Error {
  override readonly name = 'ApiRefusal'
  readonly problem: z.infer<typeof problemAnswer>

  constructor(problem: z.infer<typeof problemAnswer>) {
    super(`${problem.title}: ${problem.detail}`)
    this.problem = problem
  }
}

/** Nothing that speaks this API answered. */
export class ApiUnreachable extends Error {
  override readonly name = 'ApiUnreachable'
}

/** Where the first member of `evenkeel up` listens, one below iSCSI's own port. */
export const API_PORT_DEFAULT = 3259

const ANSWER_MS = 10_000
/** A move settles within its drain (4 s), return (10 s) and the gathering of its figures. */
const MOVE_ANSWER_MS = 30_000

const volumeList = list(volume)
const volumeAnswer = answer(volume)
const volumeDetailAnswer = answer(volumeDetail)
const sessionList = list(session)
const sessionAnswer = answer(sessionDetail)
const moveList = list(move)
const moveAnswer = answer(move)
const balanceAnswer = answer(balance)
const memberList = list(member)
const memberAnswer = answer(member)
const statusAnswer = answer(status)
const topAnswer = answer(top)

/** What a list is cut down to. */
export interface Filter {
  readonly volume?: string | undefined
  readonly member?: string | undefined
  readonly session?: string | undefined
}

export class Caller {
  readonly url: string

  constructor(url: string) {
    this.url = url.replace(/\/+$/, '')
  }

  volumes() {
    return this.#ask(volumeList, 'GET', '/api/v1/volumes')
  }

  createVolume(request: VolumeRequest) {
    return this.#ask(volumeDetailAnswer, 'POST', '/api/v1/volumes', request)
  }

  volume(name: string) {
    return this.#ask(volumeDetailAnswer, 'GET', `/api/v1/volumes/${encodeURIComponent(name)}`)
  }

  deleteVolume(name: string) {
    return this.#ask(volumeAnswer, 'DELETE', `/api/v1/volumes/${encodeURIComponent(name)}`)
  }

  sessions(filter: Filter = {}) {
    return this.#ask(sessionList, 'GET', `/api/v1/sessions${query(filter)}`)
  }

  session(id: string) {
    return this.#ask(sessionAnswer, 'GET', `/api/v1/sessions/${encodeURIComponent(id)}`)
  }

  moveSession(id: string, request: MoveRequest) {
    return this.#ask(moveAnswer, 'POST', `/api/v1/sessions/${encodeURIComponent(id)}/move`, request)
  }

  moves(limit: number, filter: Filter = {}) {
    return this.#ask(moveList, 'GET', `/api/v1/moves${query({ limit: String(limit), ...filter })}`)
  }

  balance() {
    return this.#ask(balanceAnswer, 'GET', '/api/v1/balance')
  }

  setBalance(mode: BalanceMode, policy: BalanceRequest['policy'] = {}) {
    return this.#ask(balanceAnswer, 'PUT', '/api/v1/balance', { mode, policy })
  }

  members() {
    return this.#ask(memberList, 'GET', '/api/v1/members')
  }

  member(id: string) {
    return this.#ask(memberAnswer, 'GET', `/api/v1/members/${encodeURIComponent(id)}`)
  }

  status() {
    return this.#ask(statusAnswer, 'GET', '/api/v1/status')
  }

  top() {
    return this.#ask(topAnswer, 'GET', '/api/v1/top')
  }

  async #ask<S extends z.ZodType>(
    schema: S,
    method: string,
    path: string,
    body?: object,
  ): Promise<z.infer<S>> {
    const { ok, value } = await this.#fetch(method, path, body)
    const parsed = (ok ? schema : problemAnswer).safeParse(value)
    if (!parsed.success)
      throw new ApiUnreachable(`${this.url} does not speak this version of the Evenkeel API`)
    if (ok) return parsed.data as z.infer<S>
    throw new ApiRefusal(problemAnswer.parse(value))
  }

  async #fetch(
    method: string,
    path: string,
    body?: object,
  ): Promise<{ ok: boolean; value: unknown }> {
    const waitMs = method === 'POST' && path.endsWith('/move') ? MOVE_ANSWER_MS : ANSWER_MS
    try {
      const response = await fetch(`${this.url}${path}`, {
        method,
        signal: AbortSignal.timeout(waitMs),
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      })
      return { ok: response.ok, value: parseJson(await response.text()) }
    } catch (cause) {
      throw new ApiUnreachable(`the API at ${this.url} ${silence(cause)}`, { cause })
    }
  }
}

function query(values: Readonly<Record<string, string | undefined>> | Filter): string {
  const given = Object.entries(values).filter((pair) => pair[1] !== undefined)
  return given.length === 0 ? '' : `?${new URLSearchParams(given as [string, string][])}`
}

/** Undefined is refused by every schema. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function silence(cause: unknown): string {
  if (cause instanceof Error && cause.name === 'TimeoutError') return 'does not answer in time'
  return 'cannot be reached'
}

export function isUnavailable(error: unknown): boolean {
  return (
    error instanceof ApiUnreachable ||
    (error instanceof ApiRefusal && statusOf(error.problem.code) === 503)
  )
}
