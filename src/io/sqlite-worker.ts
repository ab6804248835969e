// The SqlWorker port on a worker thread running node:sqlite: the member's half. The thread is started with the first
// request, and again with the first one after it died.
//
// Invariants:
//   W1. Requests that write are carried out in the order in which they came.
//   W2. A request that finds the file locked is tried again without blocking the thread, for BUSY_MS at most.
//   W3. A watch that waits is answered at the next poll after a commit of another process, at once after one of ours.
//   W4. No request is answered as done, and no watch goes on waiting beyond the next poll, once the file at the path is not
//       the one that is open, or was made shorter and lacks something: `lost`.
import { Worker } from 'node:worker_threads'
import type { SqlAnswer, SqlRequest, SqlWorker } from '../coordination/sql-worker.ts'
import type { Numbered, ThreadSettings } from './sqlite-thread.ts'

/** Revisions that a watch may fall behind before it must list anew. */
const KEEP_REVISIONS = 50_000
/** Members nudge one another: a poll mends what was lost on the way, and looks whether the file is there. */
const POLL_MS = 500

export class SqliteWorker implements SqlWorker {
  readonly #settings: ThreadSettings
  readonly #waiting = new Map<number, (answer: SqlAnswer) => void>()
  #worker: Worker | null = null
  #count = 0
  #closed = false

  constructor(file: string, keepRevisions = KEEP_REVISIONS, pollMs = POLL_MS) {
    this.#settings = { file, keepRevisions, pollMs }
  }

  ask(request: SqlRequest): Promise<SqlAnswer> {
    if (this.#closed) return Promise.resolve({ kind: 'died', reason: 'closed' })
    const worker = this.#worker ?? this.#start()
    this.#worker = worker
    this.#count += 1
    const id = this.#count
    worker.postMessage({ id, body: request } satisfies Numbered<SqlRequest>)
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve)
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.kill()
  }

  /** Ends the thread as if it had died; the next request starts another. */
  async kill(): Promise<void> {
    await this.#worker?.terminate()
  }

  #start(): Worker {
    const worker = new Worker(new URL('./sqlite-thread.ts', import.meta.url), {
      workerData: this.#settings,
      execArgv: [],
    })
    let reason = 'the thread ended'
    worker.on('message', ({ id, body }: Numbered<SqlAnswer>) => this.#settle(id, body))
    worker.on('error', (error: unknown) => {
      reason = error instanceof Error ? error.message : String(error)
    })
    worker.on('exit', () => {
      this.#worker = null
      // Every request under way was sent to this worker: the next one starts with the next request.
      for (const id of [...this.#waiting.keys()]) this.#settle(id, { kind: 'died', reason })
    })
    return worker
  }

  #settle(id: number, answer: SqlAnswer): void {
    const settle = this.#waiting.get(id)
    this.#waiting.delete(id)
    settle?.(answer)
  }
}
