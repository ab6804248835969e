// The inside of the SqlWorker: takes requests one by one, retries those that find the file locked, and polls for the
// changes of other processes while somebody watches.
// What it promises is numbered in sqlite-worker.ts, through which it is used.
import { parentPort, workerData } from 'node:worker_threads'
import type { Revision } from '../base/ids.ts'
import type { SqlAnswer, SqlRequest } from '../coordination/sql-worker.ts'
import { FileWatch } from './file-watch.ts'
import { readStore } from './sqlite-files.ts'
import { damageOf, isBusy, LostFile, RefusedFile, SqliteStore } from './sqlite-store.ts'

export interface ThreadSettings {
  readonly file: string
  readonly keepRevisions: number
  readonly pollMs: number
}

export interface Numbered<T> {
  readonly id: number
  readonly body: T
}

/** Over this the coordinator counts as down. */
const BUSY_MS = 500

interface Job {
  readonly id: number
  readonly untilMs: number
  readonly work: Work
}

type Work = (store: SqliteStore) => SqlAnswer

interface OpenFile {
  readonly store: SqliteStore
  readonly watch: FileWatch
}

interface Waiter {
  readonly id: number
  readonly watch: number
  readonly prefix: string
  readonly afterRev: Revision
}

class SqliteThread {
  readonly #settings: ThreadSettings
  readonly #answer: (id: number, answer: SqlAnswer) => void
  readonly #jobs: Job[] = []
  #open: OpenFile | null = null
  #retry: NodeJS.Timeout | null = null
  #waiters: Waiter[] = []
  #poll: NodeJS.Timeout | null = null
  #dataVersion = -1

  constructor(settings: ThreadSettings, answer: (id: number, answer: SqlAnswer) => void) {
    this.#settings = settings
    this.#answer = answer
  }

  take(id: number, request: SqlRequest): void {
    switch (request.kind) {
      case 'open':
        this.#answer(
          id,
          this.#attempt((store) => ({ kind: 'ready', rev: store.rev() }), request.make),
        )
        break
      case 'txn':
        this.#start(id, (store) => store.transact(request.transaction))
        break
      case 'list':
        this.#read(id, (store) => store.list(request.prefix))
        break
      case 'changes':
        this.#waiters.push({ id, ...request })
        this.#look()
        break
      case 'end':
        for (const waiter of this.#waiters) {
          if (waiter.watch === request.watch) this.#answer(waiter.id, { kind: 'ended' })
        }
        this.#waiters = this.#waiters.filter(({ watch }) => watch !== request.watch)
        this.#answer(id, { kind: 'ended' })
        break
      case 'nudge':
        this.#lookIfChanged()
        this.#answer(id, { kind: 'ended' })
        break
    }
  }

  #start(id: number, work: Work): void {
    this.#jobs.push({ id, work, untilMs: performance.now() + BUSY_MS })
    if (this.#retry === null) this.#pump()
  }

  /** Needs no lock almost always, so it does not stand behind those that wait for one. */
  #read(id: number, work: Work): void {
    const answer = this.#attempt(work)
    if (answer.kind === 'busy') this.#start(id, work)
    else this.#answer(id, answer)
  }

  #pump(): void {
    this.#retry = null
    const now = performance.now()
    for (let job = this.#jobs[0]; job !== undefined; job = this.#jobs[0]) {
      const answer = this.#attempt(job.work)
      if (answer.kind === 'busy' && now < job.untilMs) {
        // Between one and four milliseconds: a commit takes a third of one, and the chance keeps processes out of step.
        this.#retry = setTimeout(() => this.#pump(), 1 + Math.random() * 3)
        return
      }
      this.#jobs.shift()
      this.#answer(job.id, answer)
      // The waiters see what we wrote ourselves without a poll: data_version does not count it.
      if (answer.kind === 'txn' && answer.won) this.#look()
    }
  }

  /** W4: the file is looked at before, so that nothing is written into one that is gone, and after, so that nothing that was is called done. */
  #attempt(work: Work, make = false): SqlAnswer {
    const { file, keepRevisions } = this.#settings
    try {
      const open = this.#open ?? openFile(file, keepRevisions, make)
      this.#open = open
      mustBeThere(file, open)
      const answer = work(open.store)
      mustBeThere(file, open)
      return answer
    } catch (error) {
      if (isBusy(error)) return { kind: 'busy' }
      const damage = damageOf(error)
      if (damage !== null) return { kind: 'lost', reason: new LostFile(file, damage).message }
      const reason = error instanceof Error ? error.message : String(error)
      if (error instanceof LostFile) return { kind: 'lost', reason }
      return { kind: error instanceof RefusedFile ? 'refused' : 'failed', reason }
    }
  }

  #lookIfChanged(): void {
    let version = -1
    const seen = this.#attempt((store) => {
      version = store.dataVersion()
      return { kind: 'ended' }
    })
    if (seen.kind === 'ended' ? version === this.#dataVersion : seen.kind !== 'lost') return
    this.#dataVersion = seen.kind === 'ended' ? version : -1
    this.#look()
  }

  /** Answers the waiters for which there is something; the others go on waiting. */
  #look(): void {
    this.#waiters = this.#waiters.filter((waiter) => {
      const answer = this.#attempt(
        (store) => store.changes(waiter.prefix, waiter.afterRev) ?? { kind: 'ended' },
      )
      if (answer.kind === 'ended') return true
      if (answer.kind === 'busy') {
        this.#dataVersion = -1 // looks again at the next poll
        return true
      }
      this.#answer(waiter.id, answer)
      return false
    })
    if (this.#waiters.length > 0) {
      this.#poll ??= setInterval(() => this.#lookIfChanged(), this.#settings.pollMs)
    } else if (this.#poll !== null) {
      clearInterval(this.#poll)
      this.#poll = null
    }
  }
}

function openFile(file: string, keepRevisions: number, make: boolean): OpenFile {
  const store = new SqliteStore(file, keepRevisions, make)
  try {
    return { store, watch: new FileWatch(file, () => isWhole(file, store)) }
  } catch (cause) {
    store.close()
    throw new LostFile(file, 'was removed', { cause })
  }
}

/** By a connection of its own, which has nothing in memory: all pages are there, and what is newest among them. */
function isWhole(file: string, store: SqliteStore): boolean {
  return readStore(file, 0).rev >= store.rev()
}

function mustBeThere(file: string, { watch }: OpenFile): void {
  const gone = watch.look()
  if (gone !== null) throw new LostFile(file, gone)
}

const port = parentPort
if (port !== null) {
  const thread = new SqliteThread(workerData as ThreadSettings, (id, body) =>
    port.postMessage({ id, body } satisfies Numbered<SqlAnswer>),
  )
  port.on('message', ({ id, body }: Numbered<SqlRequest>) => thread.take(id, body))
}
