// The coordinator of a group on one host: a SQLite file that all its members share, behind a worker thread each.
// One failure domain, said plainly; while the file is out of reach every call is `unknown` and I/O goes on.
//
// Invariants:
//   E1. A call settles within `ANSWER_MS`, whatever the file, its lock or the disk do.
//   E2. `unknown` with the reason 'busy' was surely not carried out; callers need not tell it from the others.
//   E3. A worker that dies takes no watch with it: the watch goes on from the revision it had reached.
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { sleep, within } from '../base/clock.ts'
import type {
  Coordinator,
  ListResult,
  Transaction,
  TransactionResult,
  Watch,
  WatchBatch,
} from './coordinator.ts'
import { checkLimits, checkPrefix } from './limits.ts'
import type { SqlAnswer, SqlRequest, SqlWorker } from './sql-worker.ts'

/** The worker gives up a lock after 500 ms; the rest is for a disk that is slow to sync. */
const ANSWER_MS = 2_000
/** Between two tries of a watch whose worker failed. */
const RETRY_MS = 50

const TOO_LATE = { kind: 'failed', reason: 'no answer in time' } as const

export class EmbeddedCoordinator implements Coordinator {
  readonly #worker: SqlWorker
  readonly #clock: Clock
  readonly #watches = new Set<EmbeddedWatch>()
  #watchCount = 0
  #closed = false

  private constructor(worker: SqlWorker, clock: Clock) {
    this.#worker = worker
    this.#clock = clock
  }

  /** Rejects with a sentence if the file is of a newer format or none of ours. A file that is busy is waited for, up to 10 s. */
  static async open(worker: SqlWorker, clock: Clock): Promise<EmbeddedCoordinator> {
    const untilMs = clock.nowMs() + 10_000
    for (;;) {
      const answer = await within(clock, ANSWER_MS, worker.ask({ kind: 'open' }), TOO_LATE)
      if (answer.kind === 'ready') return new EmbeddedCoordinator(worker, clock)
      if (answer.kind === 'refused') throw new Error(answer.reason)
      if (clock.nowMs() >= untilMs) {
        throw new Error(`The coordinator's file cannot be opened: ${reasonOf(answer)}.`)
      }
      await sleep(clock, RETRY_MS)
    }
  }

  async txn(transaction: Transaction): Promise<TransactionResult> {
    checkLimits(transaction)
    const answer = await this.#ask({ kind: 'txn', transaction })
    if (answer.kind !== 'txn') return { kind: 'unknown', reason: reasonOf(answer) }
    return { kind: answer.won ? 'done' : 'lost', rev: answer.rev, read: answer.read }
  }

  async list(prefix: string): Promise<ListResult> {
    checkPrefix(prefix)
    const answer = await this.#ask({ kind: 'list', prefix })
    if (answer.kind !== 'list') return { kind: 'unknown', reason: reasonOf(answer) }
    return { kind: 'done', rev: answer.rev, items: answer.items }
  }

  watch(prefix: string, afterRev: number): Watch {
    checkPrefix(prefix)
    this.#watchCount += 1
    const watch = new EmbeddedWatch(this.#worker, this.#clock, this.#watchCount, prefix, afterRev)
    for (const other of this.#watches) if (other.closed) this.#watches.delete(other)
    if (this.#closed) watch.close()
    else this.#watches.add(watch)
    return watch
  }

  nudge(): void {
    if (this.#closed) return
    // A nudge that fails costs one poll.
    void this.#worker.ask({ kind: 'nudge' })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const watch of this.#watches) watch.close()
    await this.#worker.close()
  }

  #ask(request: SqlRequest): Promise<SqlAnswer> {
    if (this.#closed) return Promise.resolve({ kind: 'failed', reason: 'closed' })
    return within(this.#clock, ANSWER_MS, this.#worker.ask(request), TOO_LATE)
  }
}

class EmbeddedWatch implements Watch {
  readonly #worker: SqlWorker
  readonly #clock: Clock
  readonly #id: number
  readonly #prefix: string
  #afterRev: number
  #closed = false
  #waiting = false

  constructor(worker: SqlWorker, clock: Clock, id: number, prefix: string, afterRev: number) {
    this.#worker = worker
    this.#clock = clock
    this.#id = id
    this.#prefix = prefix
    this.#afterRev = afterRev
  }

  get closed(): boolean {
    return this.#closed
  }

  async next(): Promise<WatchBatch> {
    assert(!this.#waiting, 'one call of next() at a time')
    this.#waiting = true
    try {
      return await this.#next()
    } finally {
      this.#waiting = false
    }
  }

  async #next(): Promise<WatchBatch> {
    while (!this.#closed) {
      const answer = await this.#worker.ask({
        kind: 'changes',
        watch: this.#id,
        prefix: this.#prefix,
        afterRev: this.#afterRev,
      })
      if (this.#closed) break
      if (answer.kind === 'compacted') return answer
      if (answer.kind === 'changes') {
        this.#afterRev = answer.rev
        if (answer.changes.length > 0) return answer
        continue
      }
      await sleep(this.#clock, RETRY_MS)
    }
    return { kind: 'closed' }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#waiting) void this.#worker.ask({ kind: 'end', watch: this.#id })
  }
}

function reasonOf(answer: SqlAnswer): string {
  return 'reason' in answer ? answer.reason : answer.kind
}
