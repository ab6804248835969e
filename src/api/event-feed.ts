// What happens in the group, as events with ids: moves, problems that appear or go, volumes that are made, changed or
// deleted. Level-triggered: the state is read again and again while somebody listens, and what is new or different since is
// an event; a state that lasted for less than a look is missed, the last one never.
//
// Invariants:
//   EF1. One look serves all listeners, and nobody looks while nobody listens, nor has lately.
//   EF2. Who comes back with the id of the last event that it has seen gets the events after it; if they are not known any
//        more it is told so, once: what it knows is to be read anew.
//   EF3. What is kept is bounded.

import type { HealthProblem } from './health-schema.ts'
import type { Operator } from './operator.ts'
import type { Move, Volume } from './schema.ts'

const LOOK_MS = 500
/** Events go on being kept for who lost its connection. */
const LINGER_MS = 60_000
const EVENTS_KEPT = 512
const MOVES_WATCHED = 50

export interface FeedEvent {
  readonly id: string
  readonly name: 'move' | 'problem' | 'volume' | 'gap'
  readonly data: string
}

type Listener = (event: FeedEvent) => void

interface Seen {
  readonly moves: ReadonlyMap<string, Move>
  readonly problems: ReadonlyMap<string, HealthProblem>
  readonly volumes: ReadonlyMap<string, Volume>
}

export class EventFeed {
  readonly #operator: Operator
  /** Tells events of this process from those of an earlier one. */
  readonly #origin: string
  readonly #listeners = new Set<Listener>()
  #events: FeedEvent[] = []
  #count = 0
  #seen: Seen | null = null
  #timer: NodeJS.Timeout | null = null
  #idleSinceMs = 0

  constructor(operator: Operator, origin: string) {
    this.#operator = operator
    this.#origin = origin
  }

  get listeners(): number {
    return this.#listeners.size
  }

  /** EF2. Settles when it listens; returns how to stop. */
  async listen(listener: Listener, lastId: string | null): Promise<() => void> {
    await this.#begin()
    for (const event of this.#missedSince(lastId)) listener(event)
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
      this.#idleSinceMs = performance.now()
    }
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  /** EF1. */
  async #begin(): Promise<void> {
    this.#idleSinceMs = performance.now()
    if (this.#timer !== null) return
    this.#timer = setTimeout(() => this.#again(), LOOK_MS).unref()
    // What was while nobody looked is not told one by one, and an id from before is not the last one any more (EF2).
    if (this.#seen !== null) this.#count += 1
    this.#events = []
    this.#seen = await this.#read()
  }

  #again(): void {
    void this.#look().finally(() => {
      if (this.#timer === null) return
      const isIdle = this.#listeners.size === 0
      this.#timer =
        isIdle && performance.now() - this.#idleSinceMs > LINGER_MS
          ? null
          : setTimeout(() => this.#again(), LOOK_MS).unref()
    })
  }

  async #look(): Promise<void> {
    const before = this.#seen
    const now = await this.#read()
    this.#seen = now
    if (before === null) return
    for (const [id, move] of now.moves) {
      const known = before.moves.get(id)
      if (JSON.stringify(known) !== JSON.stringify(move)) this.#tell('move', move)
    }
    for (const [key, problem] of now.problems) {
      if (!before.problems.has(key)) this.#tell('problem', { change: 'appeared', ...problem })
    }
    for (const [key, problem] of before.problems) {
      if (!now.problems.has(key)) this.#tell('problem', { change: 'gone', ...problem })
    }
    for (const [id, volume] of now.volumes) {
      const known = before.volumes.get(id)
      if (known === undefined) this.#tell('volume', { change: 'created', ...volume })
      else if (isChanged(known, volume)) this.#tell('volume', { change: 'changed', ...volume })
    }
    for (const [id, volume] of before.volumes) {
      if (!now.volumes.has(id)) this.#tell('volume', { change: 'deleted', ...volume })
    }
  }

  async #read(): Promise<Seen> {
    const [moves, volumes] = await Promise.all([
      this.#operator.moves(MOVES_WATCHED),
      this.#operator.volumes(),
    ])
    const problems = this.#operator.problems()
    return {
      moves: new Map(moves.toReversed().map((move) => [move.id, move])),
      problems: new Map(problems.map((one) => [`${one.code} ${one.subject}`, one])),
      volumes: new Map(volumes.map((volume) => [volume.id, volume])),
    }
  }

  #tell(name: FeedEvent['name'], body: object): void {
    this.#count += 1
    const event = { id: this.#id(this.#count), name, data: JSON.stringify(body) }
    this.#events = [...this.#events, event].slice(-EVENTS_KEPT) // EF3
    for (const listener of this.#listeners) listener(event)
  }

  #missedSince(lastId: string | null): readonly FeedEvent[] {
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

/** Sessions come and go without a change of the volume. */
function isChanged(before: Volume, now: Volume): boolean {
  return JSON.stringify({ ...before, sessions: 0 }) !== JSON.stringify({ ...now, sessions: 0 })
}
