// What the page knows of the group: read again and again from the member that served it, and told by it as things happen.
//
// Invariants:
//   L1. The more sessions there are, the less often a question is put again: the page costs a member at most a twentieth of its
//       time, however many there are. It never waits for an answer longer than it lets the member be. A page that nobody sees
//       asks nothing.
import { signal } from '@preact/signals'
import type { Move, Status, Top, Volume } from '../../src/api/schema.ts'
import { type List, read } from './api.ts'
import { paceMs, withMove } from './pace.ts'
import { seeMove } from './replay.ts'

export const top = signal<Top | null>(null)
export const status = signal<Status | null>(null)
export const volumes = signal<readonly Volume[] | null>(null)
/** The newest first. */
export const moves = signal<readonly Move[] | null>(null)
/** Since when the member does not answer, by this machine's clock; null: it does. */
export const silentSince = signal<number | null>(null)
/** What is said to people who cannot see the picture. */
export const told = signal('')

const TOP_MS = 1_000
const STATUS_MS = 4_000
const LISTS_MS = 30_000
const MOVES_KNOWN = 100
/** A stream that ended for good is opened again after so long. */
const STREAM_AGAIN_MS = 10_000

const sessionCount = () => top.value?.sessions.length ?? 0

class Reading {
  readonly #read: () => Promise<void>
  readonly #leastMs: number
  #timer: ReturnType<typeof setTimeout> | null = null
  #isReading = false
  #again = false

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
        if (document.hidden) return
        const waitMs = this.#again
          ? 0
          : paceMs(performance.now() - begunMs, this.#leastMs, sessionCount())
        this.#again = false
        this.#timer = setTimeout(() => this.now(), waitMs)
      })
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
  opened.addEventListener('move', ({ data }) => {
    const move = JSON.parse(data) as Move
    moves.value = withMove(moves.value ?? [], move, MOVES_KNOWN)
    seeMove(move)
    if (move.outcome !== null && move.observed === null) {
      told.value = `${move.initiator}, session ${move.session}, ${move.outcome} from ${move.from} to ${move.to}: ${move.reason}`
    }
  })
  for (const kind of ['problem', 'volume', 'gap']) {
    opened.addEventListener(kind, () => {
      statusReading.now()
      if (kind !== 'problem') listReading.now()
    })
  }
  opened.addEventListener('error', () => {
    if (opened.readyState !== EventSource.CLOSED || stream !== opened) return
    stream = null
    setTimeout(() => {
      if (!document.hidden) openStream()
    }, STREAM_AGAIN_MS)
  })
}
