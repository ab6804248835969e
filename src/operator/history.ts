// The past of one member, kept in its data folder (history-record.ts): each second what it measures of itself, each minute
// the mean of that, each 5 s and each 10 minutes its sessions; and read again when a person looks back.
//
// Invariants:
//   HB1. A disk that is slow, full or gone costs the past and nothing else: at most one write is under way, and what could not
//        be written is missing.
//   HB2. The past of another member, or of another group, is begun anew and never shown as this one's.
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { PastSession, PastSessions } from '../api/history-schema.ts'
import { type Clock, type Timer, untilBeat } from '../base/clock.ts'
import {
  FIGURES,
  type Figure,
  type Figures,
  HEADER_BYTES,
  headerOf,
  Mean,
  MINUTES,
  packRecord,
  placeOf,
  type Ring,
  SECONDS,
  stepOf,
  unpackRecord,
} from './history-record.ts'
import { OFTEN, packSessions, SELDOM, unpackSessions } from './session-record.ts'

export const HISTORY_NAME = 'history.bin'
const PRIVATE = 0o600
/** What is shown has no more than this, and is sent as text. */
const DIGITS = 4

/** Buckets of `stepMs` from `fromMs` on, by this host's wall clock. */
export interface Span {
  readonly fromMs: number
  readonly stepMs: number
  readonly count: number
}

/** One number for each bucket; null: nothing is known of it. */
export type Series = Readonly<Record<Figure, (number | null)[]>>

export interface HistorySettings {
  readonly folder: string
  readonly group: string
  readonly member: string
  readonly clock: Clock
  /** What there is to write down now; null: nothing was measured yet. */
  readonly now: () => Figures | null
  readonly sessions: () => readonly PastSession[]
  /** Told once, with why nothing is kept. */
  readonly failed: (why: unknown) => void
}

export class History {
  readonly #settings: HistorySettings
  readonly #file: FileHandle | null
  #timer: Timer | null = null
  #minute = new Mean()
  #minuteAtMs = 0
  /** When sessions were kept last, by ring. */
  readonly #keptAtMs = new Map<Ring, number>()
  #isWriting = false
  #hasFailed = false

  static async open(settings: HistorySettings): Promise<History> {
    let file: FileHandle | null = null
    try {
      file = await openOwn(settings)
    } catch (error) {
      settings.failed(error)
    }
    return new History(settings, file)
  }

  private constructor(settings: HistorySettings, file: FileHandle | null) {
    this.#settings = settings
    this.#file = file
    if (file !== null) this.#tickLater()
  }

  async close(): Promise<void> {
    this.#timer?.cancel()
    await this.#file?.close().catch(() => {})
  }

  #tickLater(): void {
    const { clock } = this.#settings
    this.#timer = clock.after(untilBeat(clock, SECONDS.stepMs), () => {
      const figures = this.#settings.now()
      if (figures !== null) void this.keep(figures, clock.wallMs())
      this.#tickLater()
    })
  }

  /** HB1. Settles when it is written, or will not be. */
  async keep(figures: Figures, atMs: number): Promise<void> {
    const minuteAtMs = Math.floor(atMs / MINUTES.stepMs) * MINUTES.stepMs
    const ended = minuteAtMs === this.#minuteAtMs || this.#minute.isEmpty ? null : this.#minute
    const endedAtMs = this.#minuteAtMs
    if (minuteAtMs !== this.#minuteAtMs) this.#minute = new Mean()
    this.#minuteAtMs = minuteAtMs
    this.#minute.add(figures)
    if (this.#isWriting) return
    this.#isWriting = true
    try {
      if (ended !== null) await this.#writeFigures(MINUTES, endedAtMs, ended.figures)
      await this.#writeFigures(SECONDS, atMs, figures)
      for (const ring of [OFTEN, SELDOM]) await this.#keepSessions(ring, atMs)
    } catch (error) {
      if (!this.#hasFailed) this.#settings.failed(error)
      this.#hasFailed = true
    } finally {
      this.#isWriting = false
    }
  }

  /** Once in each of the ring's steps. */
  async #keepSessions(ring: Ring, atMs: number): Promise<void> {
    if (stepOf(ring, this.#keptAtMs.get(ring) ?? 0) === stepOf(ring, atMs)) return
    this.#keptAtMs.set(ring, atMs)
    await this.#write(ring, atMs, packSessions(ring, atMs, this.#settings.sessions()))
  }

  #writeFigures(ring: Ring, atMs: number, figures: Figures): Promise<void> {
    return this.#write(ring, atMs, packRecord(ring, atMs, figures))
  }

  async #write(ring: Ring, atMs: number, record: Uint8Array): Promise<void> {
    await this.#file?.write(record, 0, record.length, placeOf(ring, atMs))
  }

  /** As it had them then, or a little before; null: that is not known. */
  async sessionsAt(atMs: number): Promise<PastSessions | null> {
    for (const ring of [OFTEN, SELDOM]) {
      // The record of the step that runs at that time may not be written yet.
      for (const stepAtMs of [atMs, atMs - ring.stepMs]) {
        const bytes = new Uint8Array(ring.recordBytes)
        await this.#file?.read(bytes, 0, bytes.length, placeOf(ring, stepAtMs)).catch(() => {})
        const found = unpackSessions(ring, stepAtMs, bytes)
        if (found !== null) return found
      }
    }
    return null
  }

  /** By minutes where no more is asked for, else by seconds. */
  async read(span: Span): Promise<Series> {
    const { fromMs, stepMs, count } = span
    const ring = stepMs < MINUTES.stepMs ? SECONDS : MINUTES
    const buckets = Array.from({ length: count }, () => new Mean())
    const bytes = await this.#bytesOf(ring)
    const records = Math.min(ring.records, Math.ceil((count * stepMs) / ring.stepMs) + 1)
    const first = Math.floor(fromMs / ring.stepMs) * ring.stepMs
    for (let n = 0; n < records; n += 1) {
      const atMs = first + n * ring.stepMs
      const figures = unpackRecord(ring, atMs, bytes, placeOf(ring, atMs) - ring.offset)
      if (figures !== null) buckets[Math.floor((atMs - fromMs) / stepMs)]?.add(figures)
    }
    const means = buckets.map(({ figures }) => figures)
    const series = FIGURES.map((name) => [name, means.map((mean) => rounded(mean[name]))] as const)
    return Object.fromEntries(series) as unknown as Series
  }

  async #bytesOf(ring: Ring): Promise<Uint8Array> {
    const bytes = new Uint8Array(ring.records * ring.recordBytes)
    await this.#file?.read(bytes, 0, bytes.length, ring.offset).catch(() => {})
    return bytes
  }
}

/** HB2. */
async function openOwn({ folder, group, member }: HistorySettings): Promise<FileHandle> {
  const path = join(folder, HISTORY_NAME)
  const header = headerOf(group, member)
  const file = await open(path, 'a', PRIVATE)
    .then((made) => made.close())
    .then(() => open(path, 'r+'))
  try {
    const found = new Uint8Array(HEADER_BYTES)
    await file.read(found, 0, HEADER_BYTES, 0)
    if (!Buffer.from(found).equals(header)) {
      await file.truncate(0)
      await file.write(header, 0, HEADER_BYTES, 0)
    }
    return file
  } catch (error) {
    await file.close().catch(() => {})
    throw error
  }
}

function rounded(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(DIGITS))
}
