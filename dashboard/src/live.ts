// What the page knows of the group: read again and again from the member that served it, and told by it as things happen.
//
// Invariants:
//   L1. The more sessions there are, the less often a question is put again: the page costs a member at most a twentieth of its
//       time, however many there are. It never waits for an answer longer than it lets the member be. A page that nobody sees
//       asks nothing.
import { signal } from '@preact/signals'
import { EVENT_KINDS } from '../../src/api/event-kinds.ts'
import type { Event, KeptEvents } from '../../src/api/event-schema.ts'
import type { Move, Status, Top, Volume } from '../../src/api/schema.ts'
import { type List, read } from './api.ts'
import { paceMs, withMove } from './pace.ts'
import { seeMove } from './replay.ts'
import { sentence } from './words.ts'

export const top = signal<Top | null>(null)
export const status = signal<Status | null>(null)
export const volumes = signal<readonly Volume[] | null>(null)
/** The newest first. */
export const moves = signal<readonly Move[] | null>(null)
/** What has happened lately, the newest first. */
export const events = signal<readonly Event[] | null>(null)
/** Since when the member does not answer, by this machine's clock; null: it does. */
export const silentSince = signal<number | null>(null)
/** What is said to people who cannot see the picture. */
export const told = signal('')

const TOP_MS = 1_000
const STATUS_MS = 4_000
const LISTS_MS = 30_000
const MOVES_KNOWN = 100
const EVENTS_KNOWN = 100
/** What is told of many things at once is read once. */
const SOON_MS = 150
/** A stream that ended for good is opened again after so long. */
const STREAM_AGAIN_MS = 10_000

const sessionCount = () => top.value?.sessions.length ?? 0

class Reading {
  readonly #read: () => Promise<void>
  readonly #leastMs: number
  #timer: ReturnType<typeof setTimeout> | null = null
  #isReading = false
  #again = false
  #endedMs = 0
  #tookMs = 0

  constructor(leastMs: number, read: () => Promise<void>) {
    this.#leastMs = leastMs
    this.#read = read
  }

  /** At once, or once the answer under way has come. */
  now(): void {
    if (this.#isReading) {
      this.#again = true
      return
    }
    this.stop()
    this.#isReading = true
    const begunMs = performance.now()
    void this.#read()
      .catch(() => {})
      .finally(() => {
        this.#isReading = false
        this.#endedMs = performance.now()
        this.#tookMs = this.#endedMs - begunMs
        if (document.hidden) return
        const waitMs = this.#again ? 0 : paceMs(this.#tookMs, this.#leastMs, sessionCount())
        this.#again = false
        this.#timer = setTimeout(() => this.now(), waitMs)
      })
  }

  /** Something has changed: as soon as L1 allows. */
  soon(): void {
    if (this.#isReading || document.hidden) return
    this.stop()
    const waitMs = paceMs(this.#tookMs, SOON_MS, sessionCount())
    const sinceMs = performance.now() - this.#endedMs
    this.#timer = setTimeout(() => this.now(), Math.max(0, waitMs - sinceMs))
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }
}

const topReading = new Reading(TOP_MS, async () => {
  try {
    top.value = await read<Top>('/api/v1/top')
    silentSince.value = null
  } catch {
    silentSince.value ??= Date.now()
  }
})
const statusReading = new Reading(STATUS_MS, async () => {
  status.value = await read<Status>('/api/v1/status')
})
const listReading = new Reading(LISTS_MS, async () => {
  volumes.value = (await read<List<Volume>>('/api/v1/volumes?usage=true')).items
  moves.value = (await read<List<Move>>(`/api/v1/moves?limit=${MOVES_KNOWN}`)).items
})
const all = [topReading, statusReading, listReading]

export function startReading(): void {
  const look = () => {
    for (const reading of all) {
      if (document.hidden) reading.stop()
      else reading.now()
    }
    // A browser has six connections to one address for all its pages, and a stream takes one.
    if (document.hidden) closeStream()
    else openStream()
  }
  look()
  document.addEventListener('visibilitychange', look)
}

/** Somebody has changed something here: what is shown follows at once. */
export function readAnew(): void {
  for (const reading of all) reading.now()
}

let stream: EventSource | null = null

function closeStream(): void {
  stream?.close()
  stream = null
}

function openStream(): void {
  if (stream !== null) return
  const opened = new EventSource('/api/v1/events')
  stream = opened
  readEvents()
  for (const kind of EVENT_KINDS) {
    opened.addEventListener(kind, ({ data }) => hear(JSON.parse(data) as Event))
  }
  opened.addEventListener('gap', () => {
    readEvents()
    for (const reading of all) reading.soon()
  })
  opened.addEventListener('error', () => {
    if (opened.readyState !== EventSource.CLOSED || stream !== opened) return
    stream = null
    setTimeout(() => {
      if (!document.hidden) openStream()
    }, STREAM_AGAIN_MS)
  })
}

function readEvents(): void {
  const before = events.value ?? []
  void read<KeptEvents>(`/api/v1/events/kept?limit=${EVENTS_KNOWN}`)
    .then(({ items }) => {
      const kept = new Set(items.map(({ event }) => event.id))
      const isNews = (one: Event) => !before.includes(one) && !kept.has(one.event.id)
      const news = (events.value ?? []).filter(isNews)
      events.value = [...news, ...items.toReversed()].slice(0, EVENTS_KNOWN)
    })
    .catch(() => {})
}

/** What it is about is shown as it is at once, and not when it is asked for next. */
function hear(heard: Event): void {
  const { kind } = heard.event
  events.value = [heard, ...(events.value ?? [])].slice(0, EVENTS_KNOWN)
  if (kind === 'move') hearMove(heard as unknown as Move)
  if (kind === 'member') told.value = sentence(heard.event.sentence)
  if (kind === 'member' || kind === 'session') topReading.soon()
  if (kind !== 'move' && kind !== 'session') statusReading.soon()
  if (kind === 'volume') listReading.soon()
}

function hearMove(move: Move): void {
  moves.value = withMove(moves.value ?? [], move, MOVES_KNOWN)
  seeMove(move)
  if (move.outcome !== null && move.observed === null) {
    told.value = `${move.initiator}, session ${move.session}, ${move.outcome} from ${move.from} to ${move.to}: ${move.reason}`
  }
}
