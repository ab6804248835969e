// A coordinator that is watched as it is used: whether it answers, since when not, and how long its answers take.
//
// Invariants:
//   WC1. A store that answers reads, and whose lock for changes somebody holds, does not count as up.
//   WC2. A probe wants that lock and changes nothing.
import type { Clock } from '../base/clock.ts'
import { Durations } from '../base/durations.ts'
import type { Revision } from '../base/ids.ts'
import type { Coordinator, Transaction, Watch } from '../coordination/coordinator.ts'
import { probeChange } from '../group/change.ts'

const SLOW_MS = 500

export interface SlowAnswer {
  readonly what: 'commit' | 'list'
  readonly ms: number
}

export class WatchedCoordinator implements Coordinator {
  /** How long it took to answer, since the start. */
  readonly answered: Readonly<Record<SlowAnswer['what'], Durations>> = {
    commit: new Durations(),
    list: new Durations(),
  }
  readonly #coordinator: Coordinator
  readonly #clock: Clock
  readonly #tellSlow: (answer: SlowAnswer) => void
  #troubles: Record<'change' | 'read', string | null> = { change: null, read: null }

  constructor(coordinator: Coordinator, clock: Clock, tellSlow: (answer: SlowAnswer) => void) {
    this.#coordinator = coordinator
    this.#clock = clock
    this.#tellSlow = tellSlow
  }

  /** WC1. Why the last change, or the last read, came back unknown; null: both were answered. */
  get trouble(): string | null {
    return this.#troubles.change ?? this.#troubles.read
  }

  /** WC2. Asks for a change that is never made, so that what nobody uses is known to be there. */
  async probe(): Promise<void> {
    await this.txn(probeChange)
  }

  txn(transaction: Transaction) {
    const { put = [], remove = [] } = transaction
    const kind = put.length + remove.length > 0 ? 'change' : 'read'
    return this.#timed('commit', kind, () => this.#coordinator.txn(transaction))
  }

  list(prefix: string) {
    return this.#timed('list', 'read', () => this.#coordinator.list(prefix))
  }

  watch(prefix: string, afterRev: Revision): Watch {
    return this.#coordinator.watch(prefix, afterRev)
  }

  get lost(): string | null {
    return this.#coordinator.lost
  }

  nudge(): void {
    this.#coordinator.nudge()
  }

  close(): Promise<void> {
    return this.#coordinator.close()
  }

  async #timed<T extends { readonly kind: string }>(
    what: SlowAnswer['what'],
    kind: 'change' | 'read',
    ask: () => Promise<T>,
  ): Promise<T> {
    const begunMs = this.#clock.nowMs()
    const answer = await ask()
    const isUnknown = 'reason' in answer && answer.kind === 'unknown'
    this.#troubles[kind] = isUnknown ? String(answer.reason) : null
    const ms = this.#clock.nowMs() - begunMs
    this.answered[what].add(ms)
    if (ms >= SLOW_MS && !isUnknown) this.#tellSlow({ what, ms })
    return answer
  }
}
