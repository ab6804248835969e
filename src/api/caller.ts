// The other end of the API: what the CLI calls it with. It takes types from the schemas and not the
// schemas themselves: to load them costs as much as all the rest of a short command.

import type { BalancePlan, MoveWhy, RecordingPage, StayReason } from './balance-schema.ts'
import { type DoorSettings, Doors, NobodyAnswers, type Silence } from './doors.ts'
import { type Problem, SCHEMA, statusOf } from './errors.ts'
import type { KeptEvents } from './event-schema.ts'
import type { Drain } from './keeping-schema.ts'
import type { Layout, LayoutPlan, LayoutRequest } from './layout-schema.ts'
import type {
  Balance,
  BalanceRequest,
  Member,
  Move,
  MovePlan,
  MoveRequest,
  Pin,
  PinRequest,
  Session,
  SessionDetail,
  Status,
  Top,
  Volume,
  VolumeChange,
  VolumeDetail,
  VolumeRequest,
} from './schema.ts'

export type { KnownGroup, Silence } from './doors.ts'

/** The API answered with a problem. */
export class ApiRefusal extends Error {
  override readonly name = 'ApiRefusal'
  readonly problem: Problem

  constructor(problem: Problem) {
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

interface List<T> {
  readonly schema: typeof SCHEMA
  readonly items: readonly T[]
}

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
    return this.#ask<List<Volume>>('GET', '/api/v1/volumes')
  }

  createVolume(request: VolumeRequest) {
    return this.#ask<VolumeDetail>('POST', '/api/v1/volumes', request)
  }

  volume(name: string) {
    return this.#ask<VolumeDetail>('GET', `/api/v1/volumes/${encodeURIComponent(name)}`)
  }

  changeVolume(name: string, change: VolumeChange) {
    const path = `/api/v1/volumes/${encodeURIComponent(name)}`
    return this.#ask<VolumeDetail>('PATCH', path, change)
  }

  deleteVolume(name: string) {
    return this.#ask<Volume>('DELETE', `/api/v1/volumes/${encodeURIComponent(name)}`)
  }

  sessions(filter: Filter = {}) {
    return this.#ask<List<Session>>('GET', `/api/v1/sessions${query(filter)}`)
  }

  session(id: string) {
    return this.#ask<SessionDetail>('GET', `/api/v1/sessions/${encodeURIComponent(id)}`)
  }

  moveSession(id: string, request: MoveRequest) {
    return this.#ask<Move>('POST', `/api/v1/sessions/${encodeURIComponent(id)}/move`, request)
  }

  foretellMove(id: string, to: string) {
    const path = `/api/v1/sessions/${encodeURIComponent(id)}/move${query({ to })}`
    return this.#ask<MovePlan>('GET', path)
  }

  pinSession(id: string, request: PinRequest) {
    return this.#ask<Pin>('PUT', pinOf(id), request)
  }

  foretellPin(id: string, member?: string) {
    return this.#ask<Pin>('GET', `${pinOf(id)}${query({ member })}`)
  }

  unpinSession(id: string) {
    return this.#ask<Pin>('DELETE', pinOf(id))
  }

  moves(limit: number, filter: Filter = {}) {
    return this.#ask<List<Move>>(
      'GET',
      `/api/v1/moves${query({ limit: String(limit), ...filter })}`,
    )
  }

  balance() {
    return this.#ask<Balance>('GET', '/api/v1/balance')
  }

  setBalance(change: Partial<BalanceRequest>) {
    return this.#ask<Balance>('PUT', '/api/v1/balance', change)
  }

  recording(member: string, after: number) {
    const path = `/api/v1/balance/recording${query({ member, after: String(after) })}`
    return this.#ask<RecordingPage>('GET', path)
  }

  plan() {
    return this.#ask<BalancePlan>('GET', '/api/v1/balance/plan')
  }

  whyNot(session: string) {
    return this.#ask<StayReason>('GET', `/api/v1/sessions/${encodeURIComponent(session)}/why-not`)
  }

  whyMoved(move: string) {
    return this.#ask<MoveWhy>('GET', `/api/v1/moves/${encodeURIComponent(move)}/why`)
  }

  members() {
    return this.#ask<List<Member>>('GET', '/api/v1/members')
  }

  member(id: string) {
    return this.#ask<Member>('GET', `/api/v1/members/${encodeURIComponent(id)}`)
  }

  layout() {
    return this.#ask<Layout>('GET', '/api/v1/layout')
  }

  layoutPlan({ copies }: LayoutRequest = {}) {
    const asked = query({ copies: copies === undefined ? undefined : String(copies) })
    return this.#ask<LayoutPlan>('GET', `/api/v1/layout/plan${asked}`)
  }

  applyLayout(request: LayoutRequest) {
    return this.#ask<LayoutPlan>('POST', '/api/v1/layout', request)
  }

  drain(member: string) {
    return this.#ask<Drain>('GET', drainOf(member))
  }

  beginDrain(member: string) {
    return this.#ask<Drain>('PUT', drainOf(member))
  }

  endDrain(member: string) {
    return this.#ask<Drain>('DELETE', drainOf(member))
  }

  status() {
    return this.#ask<Status>('GET', '/api/v1/status')
  }

  /** `kind`: several are separated by commas. */
  events(asked: { readonly kind?: string; readonly limit?: string; readonly after?: string }) {
    return this.#ask<KeptEvents>('GET', `/api/v1/events/kept${query(asked)}`)
  }

  top() {
    return this.#ask<Top>('GET', '/api/v1/top')
  }

  /** To a question that nobody here looks into: for what passes the answer on. */
  answerOf(path: string) {
    return this.#ask<object>('GET', path)
  }

  async #ask<T extends object>(method: string, path: string, body?: object): Promise<T> {
    const { ok, value, url } = await this.#send(method, path, body)
    if (ok && speaksOurSchema(value)) return value as T
    if (!ok && isProblem(value)) throw new ApiRefusal(value)
    throw new ApiUnreachable(`${url} does not speak this version of the Evenkeel API`)
  }

  async #send(method: string, path: string, body?: object) {
    const moves = method !== 'GET' && /\/(move|pin)$/.test(path)
    const waitMs = moves ? MOVE_ANSWER_MS : ANSWER_MS
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

/** What one member says of itself, and no other for it. Rejects if it says nothing within the time. */
export async function ownAnswer(api: string, path: string, waitMs: number): Promise<string> {
  const response = await fetch(`${api}${path}`, { signal: AbortSignal.timeout(waitMs) })
  return response.text()
}

function query(values: Readonly<Record<string, string | undefined>> | Filter): string {
  const given = Object.entries(values).filter((pair) => pair[1] !== undefined)
  return given.length === 0 ? '' : `?${new URLSearchParams(given as [string, string][])}`
}

function drainOf(member: string): string {
  return `/api/v1/members/${encodeURIComponent(member)}/drain`
}

function pinOf(session: string): string {
  return `/api/v1/sessions/${encodeURIComponent(session)}/pin`
}

/** By its name: what an answer of this schema has is promised by the member, which checks each before it sends it. */
function speaksOurSchema(value: unknown): value is { readonly schema: typeof SCHEMA } {
  return typeof value === 'object' && value !== null && 'schema' in value && value.schema === SCHEMA
}

function isProblem(value: unknown): value is Problem {
  return speaksOurSchema(value) && 'code' in value && 'detail' in value && 'action' in value
}

/** Undefined is no answer. */
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
