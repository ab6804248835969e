// The other end of the API: what CLI, dashboard and CSI driver call it with. Answers are checked against the same
// schemas.
import type { z } from 'zod'
import { type DoorSettings, Doors, NobodyAnswers, type Silence } from './doors.ts'
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

export type { KnownGroup, Silence } from './doors.ts'

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
  /** Something took the connection, and did not answer. */
  readonly isSilent: boolean

  constructor(message: string, isSilent = false, options?: ErrorOptions) {
    super(message, options)
    this.isSilent = isSilent
  }
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
  readonly #doors: Doors

  /** One member's API, or several: each answers for the whole group. */
  constructor(urls: string | readonly string[], settings: DoorSettings = {}) {
    const list = typeof urls === 'string' ? [urls] : urls
    this.#doors = new Doors(
      list.map((url) => url.replace(/\/+$/, '')),
      settings,
    )
  }

  /** Members that do not answer while another does, or while none does. */
  silences(): readonly Silence[] {
    return this.#doors.silences()
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
    const { ok, value, url } = await this.#send(method, path, body)
    const parsed = (ok ? schema : problemAnswer).safeParse(value)
    if (!parsed.success)
      throw new ApiUnreachable(`${url} does not speak this version of the Evenkeel API`)
    if (ok) return parsed.data as z.infer<S>
    throw new ApiRefusal(problemAnswer.parse(value))
  }

  async #send(method: string, path: string, body?: object) {
    const waitMs = method === 'POST' && path.endsWith('/move') ? MOVE_ANSWER_MS : ANSWER_MS
    try {
      const { ok, text, url } = await this.#doors.send({ method, path, body, waitMs })
      return { ok, url, value: parseJson(text) }
    } catch (cause) {
      if (!(cause instanceof NobodyAnswers)) throw cause
      const { message, isSilent } = cause
      const taken = isSilent && method !== 'GET' ? '; it may have carried the request out' : ''
      throw new ApiUnreachable(`${message}${taken}`, isSilent, { cause })
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

export function isUnavailable(error: unknown): boolean {
  return (
    error instanceof ApiUnreachable ||
    (error instanceof ApiRefusal && statusOf(error.problem.code) === 503)
  )
}
