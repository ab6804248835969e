// Looking back: what the members kept of their past, and the moment of it that is looked at. While one is, what is known of
// the past stays as it is: the moment does not slip away.
import { signal } from '@preact/signals'
import type { History, Moment } from '../../src/api/history-schema.ts'
import { read } from './api.ts'
import { POINTS, RANGES, type RangeName, refreshMs, timeOf } from './time-line.ts'

export const range = signal<RangeName>('10 minutes')
export const history = signal<History | null>(null)
/** Which bucket of the history is looked at; null: it is now. */
export const lookedAt = signal<number | null>(null)
/** Which sessions there were then; null: not known yet. */
export const moment = signal<Moment | null>(null)

/** Whoever draws the slider along is not asked about each step. */
const RESTS_MS = 120

let timer: ReturnType<typeof setTimeout> | undefined
let resting: ReturnType<typeof setTimeout> | undefined

/** Begins to read, and goes on. */
export function readPast(): void {
  clearTimeout(timer)
  const wanted = range.value
  const from = new Date(Date.now() - RANGES[wanted]).toISOString()
  const path = `/api/v1/history?points=${POINTS}&from=${encodeURIComponent(from)}`
  void read<History>(path)
    .then((answer) => {
      if (range.value === wanted && lookedAt.value === null) history.value = answer
    })
    .catch(() => {})
    .finally(() => {
      if (range.value === wanted) timer = setTimeout(readAgain, refreshMs(RANGES[wanted]))
    })
}

function readAgain(): void {
  if (document.hidden || lookedAt.value !== null) timer = setTimeout(readAgain, 1_000)
  else readPast()
}

export function showRange(name: RangeName): void {
  range.value = name
  history.value = null
  lookAt(0)
  readPast()
}

/** `place`: of the bucket; the last one is now. */
export function lookAt(place: number): void {
  const count = history.value?.count ?? 0
  lookedAt.value = place >= count - 1 ? null : place
  clearTimeout(resting)
  if (lookedAt.value === null) moment.value = null
  else resting = setTimeout(readMoment, RESTS_MS)
}

function readMoment(): void {
  const [known, place] = [history.value, lookedAt.value]
  if (known === null || place === null) return
  const at = new Date(timeOf(known, place)).toISOString()
  void read<Moment>(`/api/v1/history/sessions?at=${encodeURIComponent(at)}`)
    .catch(() => null)
    .then((answer) => {
      if (lookedAt.value === place) moment.value = answer
    })
}
