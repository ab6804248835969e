// A coordinator whose user tells the other members that it has committed something, so that they look at once: between two
// members the news takes a message, and the slow poll of sqlite-worker.ts only mends a message that was lost.
//
// Invariants:
//   TC1. Each commit is told, within `GATHER_MS` of the one before; what is committed meanwhile is told together.
//   TC2. What changes nothing, or was not done, is not told.
import type { Clock } from '../base/clock.ts'
import type { Revision } from '../base/ids.ts'
import type { Coordinator, Transaction, TransactionResult, Watch } from './coordinator.ts'

const GATHER_MS = 2

export class TellingCoordinator implements Coordinator {
  /** Tells the others; set once there is a way to them. */
  tell: () => void = () => {}
  readonly #coordinator: Coordinator
  readonly #clock: Clock
  #toldMs = Number.NEGATIVE_INFINITY
  #isDue = false

  constructor(coordinator: Coordinator, clock: Clock) {
    this.#coordinator = coordinator
    this.#clock = clock
  }

  async txn(transaction: Transaction): Promise<TransactionResult> {
    const result = await this.#coordinator.txn(transaction)
    const changes = (transaction.put?.length ?? 0) + (transaction.remove?.length ?? 0)
    // One whose outcome is unknown may be found by the poll.
    if (changes > 0 && result.kind === 'done') this.#soon()
    return result
  }

  list(prefix: string) {
    return this.#coordinator.list(prefix)
  }

  watch(prefix: string, afterRev: Revision): Watch {
    return this.#coordinator.watch(prefix, afterRev)
  }

  nudge(): void {
    this.#coordinator.nudge()
  }

  get lost(): string | null {
    return this.#coordinator.lost
  }

  close(): Promise<void> {
    return this.#coordinator.close()
  }

  #soon(): void {
    if (this.#isDue) return
    this.#isDue = true
    const waitMs = this.#toldMs + GATHER_MS - this.#clock.nowMs()
    if (waitMs > 0) this.#clock.after(waitMs, () => this.#tellNow())
    else this.#clock.soon(() => this.#tellNow())
  }

  #tellNow(): void {
    this.#isDue = false
    this.#toldMs = this.#clock.nowMs()
    this.tell()
  }
}
