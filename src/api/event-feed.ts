// What happens in the group, as events with ids: members, sessions, moves, the balance, problems and volumes that appear,
// change and go. Level-triggered: the state is read again and again, and what is new or different since is an event; a state
// that lasted for less than a look is missed, the last one never.
//
// Invariants:
//   EF1. One look serves all listeners; while nobody listens there are fewer, and where nothing can have changed since the
//        last one nothing is read.
//   EF2. Who comes back with the id of the last event that it has seen gets the events after it; if they are not known any
//        more it is told so, once: what it knows is to be read anew.
//   EF3. What is kept is bounded.
import { changesBetween, type Seen } from './event-changes.ts'
import type { EventKind } from './event-kinds.ts'
import type { Event, KeptEvents } from './event-schema.ts'
import type { Operator } from './operator.ts'

const LOOK_MS = 500
const ALONE_MS = 2_000
export const EVENTS_KEPT = 1_000
const MOVES_WATCHED = 50

export interface FeedEvent {
  readonly id: string
  readonly name: EventKind | 'gap'
  /** JSON. */
  readonly data: string
}

interface Kept extends FeedEvent {
  readonly body: Event
}

export interface Wanted {
  readonly kind?: readonly EventKind[] | undefined
  readonly limit: number
  readonly after?: string | undefined
}

type Listener = (event: FeedEvent) => void

export class EventFeed {
  readonly #operator: Operator
  /** Tells events of this process from those of an earlier one. */
  readonly #origin: string
  readonly #listeners = new Set<Listener>()
  #events: Kept[] = []
  #count = 0
  #seen: Seen | null = null
  /** What the last look was of. */
  #mark: string | null = null
  #timer: NodeJS.Timeout | null = null
  /** One look after the other. */
  #looking: Promise<void> = Promise.resolve()

  constructor(operator: Operator, origin: string) {
    this.#operator = operator
    this.#origin = origin
  }

  get listeners(): number {
    return this.#listeners.size
  }

  /** What is there now is no news. */
  start(): Promise<void> {
    return this.#lookNow()
  }

  /** EF2. Settles when it listens; returns how to stop. */
  async listen(listener: Listener, lastId: string | null): Promise<() => void> {
    await this.#lookNow()
    for (const event of this.#missedSince(lastId)) listener(event)
    this.#listeners.add(listener)
    this.#again()
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** The last ones, or the first ones after an id. EF2. */
  async kept({ kind, limit, after }: Wanted): Promise<KeptEvents> {
    await this.#lookNow()
    const newest = this.#id(this.#count)
    const since = after === undefined ? this.#events : this.#missedSince(after)
    const known = since.filter((one) => 'body' in one)
    if (known.length < since.length) return { items: [], last: newest, gap: true }
    const wanted = known.filter(({ body }) => kind?.includes(body.event.kind) ?? true)
    const items = after === undefined ? wanted.slice(-limit) : wanted.slice(0, limit)
    const isAll = after === undefined || items.length === wanted.length
    const last = isAll ? newest : (items.at(-1)?.id ?? newest)
    return { items: items.map(({ body }) => body), last, gap: false }
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#looking = new Promise(() => {})
  }

  #lookNow(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look())
    return this.#looking
  }

  #again(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    const waitMs = this.#listeners.size === 0 ? ALONE_MS : LOOK_MS
    this.#timer = setTimeout(() => void this.#lookNow(), waitMs).unref()
  }

  async #look(): Promise<void> {
    const mark = this.#operator.mark()
    if (mark !== this.#mark) {
      const before = this.#seen
      const now = await this.#read()
      this.#mark = mark
      this.#seen = now
      if (before !== null) for (const change of changesBetween(before, now)) this.#tell(change)
    }
    this.#again()
  }

  async #read(): Promise<Seen> {
    const [moves, volumes] = await Promise.all([
      this.#operator.moves(MOVES_WATCHED),
      this.#operator.volumes(),
    ])
    const { members, sessions, balance } = this.#operator.glance()
    const problems = this.#operator.problems()
    return {
      member: new Map(members.map((one) => [one.id, one])),
      session: new Map(sessions.map((one) => [one.id, one])),
      move: new Map(moves.toReversed().map((one) => [one.id, one])),
      balance: new Map([['balance', balance]]),
      problem: new Map(problems.map((one) => [`${one.code} ${one.subject}`, one])),
      volume: new Map(volumes.map((one) => [one.id, one])),
    }
  }

  #tell({ kind, change, body, ...told }: ReturnType<typeof changesBetween>[number]): void {
    this.#count += 1
    const id = this.#id(this.#count)
    const at = new Date().toISOString()
    const whole = { ...body, change, event: { id, kind, at, ...told, members: [...told.members] } }
    const event = { id, name: kind, data: JSON.stringify(whole), body: whole }
    this.#events = [...this.#events, event].slice(-EVENTS_KEPT) // EF3
    for (const listener of this.#listeners) listener(event)
  }

  #missedSince(lastId: string | null): readonly (Kept | FeedEvent)[] {
    if (lastId === null || lastId === this.#id(this.#count)) return []
    const at = this.#events.findIndex(({ id }) => id === lastId)
    const first = this.#events[0]
    if (at >= 0) return this.#events.slice(at + 1)
    const isJustBefore =
      first !== undefined && lastId === this.#id(this.#count - this.#events.length)
    if (isJustBefore) return this.#events
    return [{ id: this.#id(this.#count), name: 'gap', data: '{}' }]
  }

  #id(count: number): string {
    return `${this.#origin}-${count}`
  }
}
