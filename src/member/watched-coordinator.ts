// A coordinator that is watched as it is used: whether it answers, since when not, and which of its answers took long.
import type { Clock } from '../base/clock.ts'
import type { Coordinator, Transaction, Watch } from '../coordination/coordinator.ts'

const SLOW_MS = 500

export interface SlowAnswer {
  readonly what: 'commit' | 'list'
  readonly ms: number
}

export class WatchedCoordinator implements Coordinator {
  readonly #coordinator: Coordinator
  readonly #clock: Clock
  readonly #tellSlow: (answer: SlowAnswer) => void
  #trouble: string | null = null

  constructor(coordinator: Coordinator, clock: Clock, tellSlow: (answer: SlowAnswer) => void) {
    this.#coordinator = coordinator
    this.#clock = clock
    this.#tellSlow = tellSlow
  }

  /** Why the last call came back unknown; null: it was answered. */
  get trouble(): string | null {
    return this.#trouble
  }

  txn(transaction: Transaction) {
    return this.#timed('commit', () => this.#coordinator.txn(transaction))
  }

  list(prefix: string) {
    return this.#timed('list', () => this.#coordinator.list(prefix))
  }

  watch(prefix: string, afterRev: number): Watch {
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
    ask: () => Promise<T>,
  ): Promise<T> {
    const begunMs = this.#clock.nowMs()
    const answer = await ask()
    this.#trouble = 'reason' in answer && answer.kind === 'unknown' ? String(answer.reason) : null
    const ms = this.#clock.nowMs() - begunMs
    if (ms >= SLOW_MS) this.#tellSlow({ what, ms })
    return answer
  }
}
