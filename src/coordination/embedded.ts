// The coordinator of a group on one host: a SQLite file that all its members share, behind a worker thread each.
// One failure domain, said plainly; while the file is out of reach every call is `unknown` and I/O goes on.
//
// Invariants:
//   E1. A call settles within `ANSWER_MS`, whatever the file, its lock or the disk do.
//   E2. `unknown` with the reason 'busy' was surely not carried out; callers need not tell it from the others.
//   E3. A worker that dies takes no watch with it: the watch goes on from the revision it had reached.
//   E4. A file that somebody keeps locked, or a disk that is slow, is waited for at the start, however long that takes.
//   E5. A file is made by `open` alone, and only if that was asked to.
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { sleep, within } from '../base/clock.ts'
import { NO_REVISION, type Revision } from '../base/ids.ts'
import type {
  Coordinator,
  ListResult,
  Transaction,
  TransactionResult,
  Watch,
  WatchBatch,
} from './coordinator.ts'
import { checkLimits, checkPrefix } from './limits.ts'
import { RevisionFloor } from './revision-floor.ts'
import type { SqlAnswer, SqlRequest, SqlWorker } from './sql-worker.ts'

/** The worker gives up a lock after 500 ms; the rest is for a disk that is slow to sync. */
const ANSWER_MS = 2_000
/** Between two tries of a watch whose worker failed. */
const RETRY_MS = 50
/** While the file is lost: it may be moved back. */
const LOST_RETRY_MS = 1_000
/** How long a start tries what is not merely locked, and how often it says that it waits. */
const PATIENCE_MS = 10_000

const TOO_LATE = { kind: 'failed', reason: 'no answer in time' } as const

export class EmbeddedCoordinator implements Coordinator {
  readonly #worker: SqlWorker
  readonly #clock: Clock
  readonly #watches = new Set<EmbeddedWatch>()
  readonly #floor = new RevisionFloor()
  /** What the last look at the file said. */
  #missing: string | null = null
  #watchCount = 0
  #nudging: 'not' | 'once' | 'again' = 'not'
  #closed = false

  private constructor(worker: SqlWorker, clock: Clock) {
    this.#worker = worker
    this.#clock = clock
  }

  /** Rejects with a sentence if the file is lost, of another format or none of ours. `waits` is told, now and then, what it waits for (E4). */
  static async open(
    worker: SqlWorker,
    clock: Clock,
    { make, waits }: { readonly make: boolean; readonly waits: (reason: string) => void },
  ): Promise<EmbeddedCoordinator> {
    const startMs = clock.nowMs()
    let saidMs = Number.NEGATIVE_INFINITY
    for (;;) {
      const answer = await within(clock, ANSWER_MS, worker.ask({ kind: 'open', make }), TOO_LATE)
      if (answer.kind === 'ready') return new EmbeddedCoordinator(worker, clock)
      if (answer.kind === 'refused' || answer.kind === 'lost') throw new Error(answer.reason)
      const nowMs = clock.nowMs()
      const isSlow = answer.kind === 'busy' || answer === TOO_LATE
      if (!isSlow && nowMs - startMs >= PATIENCE_MS) {
        throw new Error(`The coordinator's file cannot be opened: ${reasonOf(answer)}.`)
      }
      if (nowMs - saidMs >= PATIENCE_MS) {
        waits(`The coordinator's file cannot be opened yet: ${reasonOf(answer)}.`)
        saidMs = nowMs
      }
      await sleep(clock, RETRY_MS)
    }
  }

  get lost(): string | null {
    return this.#floor.lost ?? this.#missing
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

  watch(prefix: string, afterRev: Revision): Watch {
    checkPrefix(prefix)
    this.#watchCount += 1
    const ask = (request: SqlRequest) => this.#judged(this.#worker.ask(request))
    const watch = new EmbeddedWatch(ask, this.#clock, this.#watchCount, prefix, afterRev)
    for (const other of this.#watches) if (other.closed) this.#watches.delete(other)
    if (this.#closed) watch.close()
    else this.#watches.add(watch)
    return watch
  }

  nudge(): void {
    if (this.#closed) return
    // One at a time: what comes meanwhile is one more, since the look may have been before it.
    if (this.#nudging !== 'not') {
      this.#nudging = 'again'
      return
    }
    this.#nudging = 'once'
    // A nudge that fails costs one poll.
    void this.#worker.ask({ kind: 'nudge' }).then(() => {
      const again = this.#nudging === 'again'
      this.#nudging = 'not'
      if (again) this.nudge()
    })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const watch of this.#watches) watch.close()
    await this.#worker.close()
  }

  #ask(request: SqlRequest): Promise<SqlAnswer> {
    if (this.#closed) return Promise.resolve({ kind: 'failed', reason: 'closed' })
    const { lost } = this.#floor
    if (lost !== null) return Promise.resolve({ kind: 'lost', reason: lost })
    return this.#judged(within(this.#clock, ANSWER_MS, this.#worker.ask(request), TOO_LATE))
  }

  /** G6. */
  async #judged(asked: Promise<SqlAnswer>): Promise<SqlAnswer> {
    const floor = this.#floor.highest
    const answer = await asked
    if (answer.kind === 'lost') this.#missing = answer.reason
    if (!('rev' in answer)) return answer
    this.#missing = null
    // A watch that is behind is given old revisions, in their order.
    const least = answer.kind === 'changes' ? NO_REVISION : floor
    if (this.#floor.admits(least, answer.rev)) return answer
    return { kind: 'lost', reason: this.#floor.lost ?? '' }
  }
}

class EmbeddedWatch implements Watch {
  readonly #ask: (request: SqlRequest) => Promise<SqlAnswer>
  readonly #clock: Clock
  readonly #id: number
  readonly #prefix: string
  #afterRev: Revision
  #closed = false
  #waiting = false

  constructor(
    ask: (request: SqlRequest) => Promise<SqlAnswer>,
    clock: Clock,
    id: number,
    prefix: string,
    afterRev: Revision,
  ) {
    this.#ask = ask
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
      const answer = await this.#ask({
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
      await sleep(this.#clock, answer.kind === 'lost' ? LOST_RETRY_MS : RETRY_MS)
    }
    return { kind: 'closed' }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#waiting) void this.#ask({ kind: 'end', watch: this.#id })
  }
}

function reasonOf(answer: SqlAnswer): string {
  return 'reason' in answer ? answer.reason : answer.kind
}
