// The APIs of a group's members, of which any answers for the whole group: which one is asked, and what happens when it does
// not answer.
//
// Invariants:
//   CA1. A request that changes something is sent again only if the one before cannot have been taken: its connection was
//        refused.
//   CA2. A question that has no answer within a second, or whose connection is refused, is put to the next API as well; the
//        first answer counts.
//   CA3. An API that is known from an earlier answer counts only if it is of the same group still.

/** What an answer says about the group, in its headers. */
export const GROUP_HEADER = 'evenkeel-group'
export const APIS_HEADER = 'evenkeel-apis'

/** The next one is asked after so long. */
const PATIENCE_MS = 1_000
/** A silent one is looked at so often, by the way. */
const LOOK_AGAIN_MS = 5_000
const PROBE = { method: 'GET', path: '/healthz', waitMs: 10_000 } as const
const LOOK = { ...PROBE, waitMs: PATIENCE_MS } as const

export interface MemberApi {
  readonly id: string
  readonly api: string
}

/** The APIs of a group as an earlier answer named them. */
export interface KnownGroup {
  readonly group: string
  readonly members: readonly MemberApi[]
}

/** Where what is known is kept from one process to the next. */
export interface GroupMemory {
  recall(url: string): KnownGroup | null
  remember(url: string, known: KnownGroup): void
}

export interface Request {
  readonly method: string
  readonly path: string
  readonly body?: object | undefined
  readonly waitMs: number
}

export interface Answer {
  readonly ok: boolean
  readonly text: string
  readonly url: string
}

interface Door {
  readonly url: string
  /** The member, if it is known. */
  id: string | null
  /** It was named by the caller, and not by an earlier answer. */
  readonly named: boolean
  silentSinceMs: number | null
  /** How it failed last. */
  how:
    | 'does not answer'
    | 'has not answered within a second'
    | 'cannot be reached'
    | 'belongs to another group now'
  lookedMs: number
}

/** A member's API that does not answer. */
export interface Silence {
  /** m1's API, or where it is. */
  readonly name: string
  readonly how: string
  readonly sinceMs: number
}

/** No API answered; the message says of each why. */
export class NobodyAnswers extends Error {
  override readonly name = 'NobodyAnswers'
  /** One of them took the connection: there is a process, which may have taken the request. */
  readonly isSilent: boolean

  constructor(message: string, isSilent: boolean) {
    super(message)
    this.isSilent = isSilent
  }
}

export interface DoorSettings {
  readonly memory?: GroupMemory | undefined
  /** Who asks, for the members' logs. */
  readonly agent?: string | undefined
  /** Told once of each that does not answer while another does. */
  readonly note?: ((line: string) => void) | undefined
}

export class Doors {
  readonly #doors: Door[]
  readonly #settings: DoorSettings
  readonly #noted = new Set<string>()
  #known: KnownGroup | null

  constructor(urls: readonly string[], settings: DoorSettings) {
    const [first = ''] = urls
    this.#settings = settings
    this.#known = settings.memory?.recall(first) ?? null
    const named = new Set(urls)
    this.#doors = [...named].map((url) => door(url, this.#idOf(url), true))
    for (const { id, api } of this.#known?.members ?? []) {
      if (!named.has(api)) this.#doors.push(door(api, id, false))
    }
  }

  /** Those that do not answer, while it asks others. */
  silences(): readonly Silence[] {
    return this.#doors.flatMap(({ silentSinceMs, ...one }) =>
      silentSinceMs === null
        ? []
        : [{ name: nameOf(one), how: one.how, sinceMs: performance.now() - silentSinceMs }],
    )
  }

  /** Rejects with NobodyAnswers. */
  async send(request: Request): Promise<Answer> {
    const order = this.#order()
    const answer = isRepeatable(request)
      ? await this.#race(order, request)
      : await this.#once(order, request)
    this.#noteSilent(answer.url)
    return answer
  }

  /** CA1. The one that answers a question is sent the request. */
  async #once(order: readonly Door[], request: Request): Promise<Answer> {
    const probed = order.length === 1 ? null : await this.#race(order, PROBE)
    const first = order.filter(({ url }) => url === probed?.url)
    const doors = [...first, ...order.filter((one) => !first.includes(one))]
    for (const one of doors) {
      const outcome = await this.#try(one, request, new AbortController().signal)
      if (outcome.kind === 'answered') return outcome.answer
      if (outcome.kind === 'lost') break
    }
    throw this.#nobody(doors)
  }

  /** CA2. */
  #race(order: readonly Door[], request: Request): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const waiting = [...order]
      const abort = new AbortController()
      let underWay = 0
      let timer: NodeJS.Timeout | undefined
      const next = () => {
        clearTimeout(timer)
        const one = waiting.shift()
        if (one === undefined) {
          if (underWay === 0) reject(this.#nobody(order))
          return
        }
        underWay += 1
        timer = setTimeout(() => {
          one.silentSinceMs ??= performance.now() - PATIENCE_MS
          one.how = 'has not answered within a second'
          next()
        }, PATIENCE_MS)
        void this.#try(one, request, abort.signal).then((outcome) => {
          underWay -= 1
          if (outcome.kind !== 'answered') return next()
          clearTimeout(timer)
          resolve(outcome.answer)
          abort.abort()
        })
      }
      next()
    })
  }

  async #try(one: Door, request: Request, abort: AbortSignal): Promise<Outcome> {
    const { method, path, body, waitMs } = request
    one.lookedMs = performance.now()
    try {
      const response = await fetch(`${one.url}${path}`, {
        method,
        signal: AbortSignal.any([abort, AbortSignal.timeout(waitMs)]),
        headers: {
          'user-agent': this.#settings.agent ?? 'evenkeel',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      if (!this.#learn(one, response.headers)) {
        this.#failed(one, 'belongs to another group now')
        return { kind: 'refused' }
      }
      one.silentSinceMs = null
      return { kind: 'answered', answer: { ok: response.ok, text, url: one.url } }
    } catch (cause) {
      if (abort.aborted) return { kind: 'lost' }
      const wasRefused = isRefused(cause)
      this.#failed(one, wasRefused ? 'cannot be reached' : 'does not answer')
      return { kind: wasRefused ? 'refused' : 'lost' }
    }
  }

  #failed(one: Door, how: Door['how']): void {
    one.silentSinceMs ??= performance.now()
    one.how = how
  }

  /** CA3. False: it is of another group. */
  #learn(one: Door, headers: Headers): boolean {
    const group = headers.get(GROUP_HEADER)
    if (group === null) return one.named
    if (!one.named && group !== this.#known?.group) return false
    const members = parseApis(headers.get(APIS_HEADER) ?? '')
    const known = { group, members }
    if (JSON.stringify(known) === JSON.stringify(this.#known)) return true
    this.#known = known
    const [first] = this.#doors
    if (first !== undefined) this.#settings.memory?.remember(first.url, known)
    for (const { id, api } of members) {
      const there = this.#doors.find(({ url }) => url === api)
      if (there === undefined) this.#doors.push(door(api, id, false))
      else there.id = id
    }
    return true
  }

  /** Those that answered come first; the others are looked at by the way, so that it is known when they are back. */
  #order(): readonly Door[] {
    const silent = this.#doors.filter(({ silentSinceMs }) => silentSinceMs !== null)
    const well = this.#doors.filter((one) => !silent.includes(one))
    if (well.length === 0) return [...this.#doors]
    for (const one of silent) {
      if (performance.now() - one.lookedMs < LOOK_AGAIN_MS) continue
      void this.#try(one, LOOK, new AbortController().signal)
    }
    return [...well, ...silent]
  }

  #idOf(url: string): string | null {
    return this.#known?.members.find(({ api }) => api === url)?.id ?? null
  }

  #noteSilent(answered: string): void {
    const other = this.#doors.find(({ url }) => url === answered)
    for (const one of this.#doors) {
      if (one.silentSinceMs === null || !one.named || this.#noted.has(one.url)) continue
      this.#noted.add(one.url)
      const by = other === undefined ? answered : nameOf(other)
      this.#settings.note?.(`${nameOf(one)} ${one.how}; ${by} answers instead.`)
    }
  }

  #nobody(doors: readonly Door[]): NobodyAnswers {
    const failed = doors.filter(({ silentSinceMs }) => silentSinceMs !== null)
    const words = failed.map((one) => `${nameOf(one)} ${one.how}`)
    return new NobodyAnswers(
      words.join('; '),
      failed.some(({ how }) => how === 'does not answer'),
    )
  }
}

type Outcome =
  | { readonly kind: 'answered'; readonly answer: Answer }
  /** It surely was not taken. */
  | { readonly kind: 'refused' }
  /** It may have been taken. */
  | { readonly kind: 'lost' }

function door(url: string, id: string | null, named: boolean): Door {
  return { url, id, named, silentSinceMs: null, how: 'does not answer', lookedMs: 0 }
}

function nameOf({ id, url }: Pick<Door, 'id' | 'url'>): string {
  return id === null ? `the API at ${url}` : `${id}'s API at ${url}`
}

/** Carried out twice, it has the effect of once. */
function isRepeatable({ method }: Request): boolean {
  return method === 'GET' || method === 'PUT'
}

/** Nothing was sent: there was no connection. */
function isRefused(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  // `fetch` itself refuses ports of other well-known protocols.
  if (cause instanceof Error && cause.message === 'bad port') return true
  return /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/.test(
    code,
  )
}

export function printApis(members: readonly MemberApi[]): string {
  return members.map(({ id, api }) => `${id}=${api}`).join(' ')
}

function parseApis(text: string): MemberApi[] {
  return text.split(' ').flatMap((pair) => {
    const at = pair.indexOf('=')
    const api = pair.slice(at + 1)
    return at > 0 && /^https?:\/\//.test(api) ? [{ id: pair.slice(0, at), api }] : []
  })
}
