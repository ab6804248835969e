// What was wrong with the group, as this member has seen it: since when and until when, kept in a small file of its data folder,
// which is written anew when a problem appears or goes. What all members have seen is put together in past.ts.
//
// Invariants:
//   HP1. A problem that was there when this member ended is over when this was last seen: what came afterwards nobody here saw.
//   HP2. At most 300 are kept, the newest, none longer than 30 days; a file that cannot be written costs the past and nothing
//        else; that of another member, or of another group, is never shown as this one's.
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { HealthProblem } from '../api/health-schema.ts'
import { type PastProblem, pastProblem } from '../api/history-schema.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { HealthChange } from './health-watch.ts'

export const PROBLEMS_NAME = 'problems.json'
const PRIVATE = 0o600
const KEPT_MOST = 300
const KEPT_MS = 30 * 86_400_000
/** While there is a problem it is written down this often that it still is there (HP1). */
const STILL_MS = 60_000

const kept = z.object({
  group: z.string(),
  member: z.string(),
  /** When this was written. */
  seen: z.string(),
  problems: z.array(pastProblem),
})

export interface PastProblemsSettings {
  readonly folder: string
  readonly group: string
  readonly member: string
  readonly clock: Clock
  /** Told once, with why nothing is kept. */
  readonly failed: (why: unknown) => void
}

export class PastProblems {
  readonly #settings: PastProblemsSettings
  /** By when they began. */
  #problems: PastProblem[]
  #timer: Timer | null = null
  /** One write after the other, and none of what the next one has too. */
  #writing: Promise<void> = Promise.resolve()
  #isDue = false
  #hasFailed = false

  static async open(settings: PastProblemsSettings): Promise<PastProblems> {
    const { folder, group, member } = settings
    const text = await readFile(join(folder, PROBLEMS_NAME), 'utf8').catch(() => '')
    const found = kept.safeParse(parsed(text)).data
    const isOwn = found?.group === group && found.member === member
    const problems = isOwn
      ? found.problems.map((one) => ({ ...one, to: one.to ?? found.seen })) // HP1
      : []
    return new PastProblems(settings, problems)
  }

  private constructor(settings: PastProblemsSettings, problems: PastProblem[]) {
    this.#settings = settings
    this.#problems = problems
  }

  tell({ kind, problem }: HealthChange): void {
    const now = this.#now()
    if (kind === 'appeared') this.#problems.push(begun(problem))
    else {
      this.#problems = this.#problems.map((one) =>
        one.to === null && one.code === problem.code && one.subject === problem.subject
          ? { ...one, to: now }
          : one,
      )
    }
    const oldest = new Date(Date.parse(now) - KEPT_MS).toISOString()
    this.#problems = this.#problems.slice(-KEPT_MOST).filter(({ to }) => to === null || to > oldest)
    void this.#write()
  }

  /** Those that were there at any time between. */
  within(fromMs: number, toMs: number): readonly PastProblem[] {
    return this.#problems.filter(
      ({ from, to }) => Date.parse(from) < toMs && (to === null || Date.parse(to) >= fromMs),
    )
  }

  /** What is there still is told as seen until now. */
  async close(): Promise<void> {
    await this.#write()
    this.#timer?.cancel()
  }

  #write(): Promise<void> {
    if (this.#isDue) return this.#writing
    this.#isDue = true
    this.#writing = this.#writing.then(() => {
      this.#isDue = false
      return this.#writeNow()
    })
    return this.#writing
  }

  async #writeNow(): Promise<void> {
    const { folder, group, member, clock } = this.#settings
    const path = join(folder, PROBLEMS_NAME)
    const body: z.infer<typeof kept> = {
      ...{ group, member, seen: this.#now(), problems: this.#problems },
    }
    this.#timer?.cancel()
    try {
      await writeFile(`${path}.new`, JSON.stringify(body), { mode: PRIVATE })
      await rename(`${path}.new`, path)
      if (this.#problems.some(({ to }) => to === null))
        this.#timer = clock.after(STILL_MS, () => void this.#write())
    } catch (error) {
      if (!this.#hasFailed) this.#settings.failed(error)
      this.#hasFailed = true
    }
  }

  #now(): string {
    return new Date(this.#settings.clock.wallMs()).toISOString()
  }
}

function begun({ code, severity, subject, sentence, action, since }: HealthProblem): PastProblem {
  return { code, severity, subject, sentence, action, from: since, to: null }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
