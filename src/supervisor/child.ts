// One member process under supervision.
//
//   starting ──ready line──▶ up ──exit──▶ waiting ──back-off──▶ starting        stop() from any state ──▶ stopped
//      └──exit before it was ever ready──▶ failed
//
// Invariants:
//   U1. A member that ends is started again, after 0.25 s at first and twice as long each time, 10 s at most unless it was
//       told otherwise; a minute of running makes it 0.25 s again.
//   U2. The child's standard input is a pipe that only this process holds: when this process is gone, however it went,
//       the child reads the end of it and stops.
//   U4. What a member that ended said last, how often it has ended and since when, is known until it has run for a minute.
//   U3. A child that has not stopped `STOP_MS` after it was asked is killed.
//   U6. Each line that it prints to its standard error is told once: the sentence that it ends with is told with its end.
//   U7. A child is told to stop when all of its group are, and hears that: it gives nothing to those that stop as well.
//   U8. That a process is dead is told when the kernel has said so of it (it was waited for), and of the boot that this process had
//       named: never of one that was told to end, is silent, or ended before it named any.
//   U5. What an operator says for one start is said at the first one alone.
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { memberId } from '../base/ids.ts'
import { type Died, type LauncherWord, lineFor } from '../member/launcher-pipe.ts'
import type { Launched } from '../operator/launcher-record.ts'

const BACK_OFF_FIRST_MS = 250
export const BACK_OFF_MAX_MS = 10_000
const SETTLED_MS = 60_000
/** A member answers what it accepted and asks its initiators to come back, and ends itself after 10 s. */
const STOP_MS = 12_000
/** Of what it printed to its standard error: enough for a stack. */
const LINES_KEPT = 12
const SENTENCE = 'evenkeel: '

/** The line that a member prints once it serves. */
const readyLine = z.object({
  ready: z.literal(true),
  id: z.string(),
  portal: z.string(),
  api: z.string(),
  pid: z.number().int(),
  boot: z.string(),
})
const failureLine = z.object({ error: z.object({ code: z.string().nullable() }) })
export type ReadyMember = z.infer<typeof readyLine>

export interface ChildSettings {
  readonly id: string
  /** Program and arguments. */
  readonly command: readonly string[]
  /** More arguments, for the first start alone: an operator's word is not said again by a restart. */
  readonly firstWords?: readonly string[]
  /** U1: the longest that it waits for its next start; `BACK_OFF_MAX_MS` unless it is given. */
  readonly restartWithinMs?: number
  /** What the member printed to its standard error, and what becomes of it; line by line. */
  readonly say: (line: string) => void
  /** What happens to it, for the launcher's log; also before it serves for the first time. */
  readonly told?: (event: ChildEvent) => void
  /** U8 */
  readonly died?: (process: Died) => void
  /** `launched` has changed (U4). */
  readonly changed: () => void
}

export type ChildEvent =
  | { readonly kind: 'serves'; readonly pid: number }
  /** A line of its standard error. */
  | { readonly kind: 'said'; readonly line: string }
  | {
      readonly kind: 'ended'
      readonly how: string
      /** null: without a word. */
      readonly words: string | null
      /** null: it is not started again. */
      readonly againMs: number | null
    }

type Phase =
  | { readonly kind: 'starting'; readonly process: ChildProcess }
  | { readonly kind: 'up'; readonly process: ChildProcess; readonly ready: ReadyMember }
  | { readonly kind: 'waiting'; readonly timer: NodeJS.Timeout }
  | { readonly kind: 'stopping'; readonly process: ChildProcess }
  | { readonly kind: 'ended' }

export class Child {
  readonly #settings: ChildSettings
  #phase: Phase = { kind: 'ended' }
  readonly #backOffMostMs: number
  #backOffMs: number
  #everReady = false
  #lastLines: string[] = []
  /** U6: the last sentence, until another one follows or it ends. */
  #untold: string | null = null
  #lastCode: string | null = null
  #endings: Omit<Launched, 'serves'> | null = null
  #settles: NodeJS.Timeout | null = null
  readonly #first = Promise.withResolvers<ReadyMember>()
  readonly #gone = Promise.withResolvers<void>()

  constructor(settings: ChildSettings) {
    this.#settings = settings
    this.#backOffMostMs = settings.restartWithinMs ?? BACK_OFF_MAX_MS
    this.#backOffMs = this.#backOffFirstMs
  }

  /** Settles when the member serves for the first time; rejects with its last words if it ends before that. */
  start(): Promise<ReadyMember> {
    this.#spawn()
    return this.#first.promise
  }

  /** Its log goes on in the file at its path. */
  reopenLog(): void {
    if (this.#phase.kind === 'up') this.#phase.process.kill('SIGHUP')
  }

  get id(): string {
    return this.#settings.id
  }

  /** U4. null: it has not ended by itself, or has run for a minute since. */
  get launched(): Launched | null {
    return this.#endings && { ...this.#endings, serves: this.#phase.kind === 'up' }
  }

  /** null while it is not serving. */
  get ready(): ReadyMember | null {
    return this.#phase.kind === 'up' ? this.#phase.ready : null
  }

  /** Asks it to stop, as all of its group do, and kills it if it does not (U3). Idempotent. */
  stop(): Promise<void> {
    const phase = this.#phase
    switch (phase.kind) {
      case 'starting':
      case 'up': {
        this.tell({ word: 'all stop' })
        this.#phase = { kind: 'stopping', process: phase.process }
        phase.process.kill('SIGTERM')
        setTimeout(() => phase.process.kill('SIGKILL'), STOP_MS).unref()
        break
      }
      case 'waiting':
        clearTimeout(phase.timer)
        this.#end()
        break
      case 'stopping':
        break
      case 'ended':
        this.#gone.resolve()
        break
    }
    return this.#gone.promise
  }

  /** Over its pipe; it may not read it any more. */
  tell(word: LauncherWord): void {
    const phase = this.#phase
    if (phase.kind === 'starting' || phase.kind === 'up') phase.process.stdin?.write(lineFor(word))
  }

  /** For a second signal: now. */
  kill(): void {
    const phase = this.#phase
    if ('process' in phase) phase.process.kill('SIGKILL')
  }

  #spawn(): void {
    const { command, firstWords = [] } = this.#settings
    const [program = '', ...args] = this.#everReady ? command : [...command, ...firstWords]
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#phase = { kind: 'starting', process: child }
    // An error here only says that the child is gone, which 'close' says too.
    child.stdin.on('error', () => {})
    createInterface({ input: child.stdout }).on('line', (line) => this.#printed(child, line))
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#lastLines = [...this.#lastLines, line].slice(-LINES_KEPT)
      this.#said(line)
      if (this.#everReady) this.#settings.say(line)
    })
    child.once('error', (error) => {
      this.#lastLines = [error.message]
    })
    child.once('exit', () => this.#exited(child))
    child.once('close', (code, signal) => this.#closed(signal ?? `exit code ${code}`))
  }

  #said(line: string): void {
    const isSentence = line.startsWith(SENTENCE)
    if (isSentence) this.#tellUntold(null)
    if (isSentence) this.#untold = line
    else this.#settings.told?.({ kind: 'said', line })
  }

  /** `words`: what is told anyway. */
  #tellUntold(words: string | null): void {
    const line = this.#untold
    this.#untold = null
    if (line === null || line.slice(SENTENCE.length) === words) return
    this.#settings.told?.({ kind: 'said', line })
  }

  #printed(child: ChildProcess, line: string): void {
    const ready = parseReady(line)
    if (ready === null) this.#lastCode = codeIn(line) ?? this.#lastCode
    if (ready === null || this.#phase.kind !== 'starting') return
    this.#phase = { kind: 'up', process: child, ready }
    if (this.#everReady) this.#settings.say('serves again')
    this.#everReady = true
    this.#settings.told?.({ kind: 'serves', pid: ready.pid })
    this.#first.resolve(ready)
    this.#settles = setTimeout(() => this.#settled(), SETTLED_MS)
    this.#settles.unref()
    if (this.#endings !== null) this.#settings.changed()
  }

  /** U8 */
  #exited({ pid }: ChildProcess): void {
    if (this.#phase.kind !== 'up' || this.#phase.ready.pid !== pid) return
    this.#settings.died?.({ member: memberId(this.id), boot: this.#phase.ready.boot })
  }

  #closed(how: string): void {
    const phase = this.#phase
    const words = lastWords(this.#lastLines)
    this.#tellUntold(phase.kind === 'stopping' ? null : words)
    if (phase.kind === 'stopping') {
      this.#end()
      return
    }
    if (!this.#everReady) {
      this.#settings.told?.({ kind: 'ended', how, words, againMs: null })
      this.#first.reject(new Error(words ?? `ended with ${how} and without a word`))
      this.#end()
      return
    }
    if (this.#settles !== null) clearTimeout(this.#settles)
    const waitMs = this.#backOffMs
    this.#backOffMs = Math.min(2 * waitMs, this.#backOffMostMs)
    this.#settings.say(`ended (${how}); starts again in ${waitMs / 1000} s`)
    this.#phase = { kind: 'waiting', timer: setTimeout(() => this.#spawn(), waitMs) }
    const lastAt = new Date().toISOString()
    const { endings = 0, firstAt = lastAt } = this.#endings ?? {}
    const lastError = words === null ? `it ended with ${how}` : words
    this.#endings = { endings: endings + 1, firstAt, lastAt, lastError, code: this.#lastCode }
    this.#lastLines = []
    this.#lastCode = null
    this.#settings.told?.({ kind: 'ended', how, words, againMs: waitMs })
    this.#settings.changed()
  }

  /** U1, U4: it has run for a minute. */
  #settled(): void {
    this.#backOffMs = this.#backOffFirstMs
    if (this.#endings === null) return
    this.#endings = null
    this.#settings.changed()
  }

  get #backOffFirstMs(): number {
    return Math.min(BACK_OFF_FIRST_MS, this.#backOffMostMs)
  }

  #end(): void {
    if (this.#settles !== null) clearTimeout(this.#settles)
    this.#phase = { kind: 'ended' }
    this.#first.reject(new Error(`${this.#settings.id} was stopped`))
    this.#gone.resolve()
  }
}

/** The sentence that it ended with, or whatever came last. */
function lastWords(lines: readonly string[]): string | null {
  const sentence = lines.findLast((line) => line.startsWith(SENTENCE))
  if (sentence !== undefined) return sentence.slice(SENTENCE.length)
  return lines.length === 0 ? null : lines.join('\n')
}

function parseReady(line: string): ReadyMember | null {
  const parsed = readyLine.safeParse(jsonOf(line))
  return parsed.success ? parsed.data : null
}

/** Of the object that a command prints when it fails. */
function codeIn(line: string): string | null {
  const parsed = failureLine.safeParse(jsonOf(line))
  return parsed.success ? parsed.data.error.code : null
}

function jsonOf(line: string): unknown {
  if (!line.startsWith('{')) return null
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}
