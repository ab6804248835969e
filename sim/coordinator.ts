// The simulated coordinator: a store in memory behind lines that delay and lose, driven by a Clock and a Prng alone, so
// that a seed repeats a run. Each member has a handle; faults are per call (chances), per member (cuts) or for all
// (down).
//
// Invariants:
//   C1. Each transaction takes effect at most once, at one instant, also when its caller was told `unknown`.
//   C2. With equal seeds, clocks and calls two runs are equal.
//   C3. A handle goes on with the store that answered it first: one that was put in its place is not touched (G6).
import { assert } from '../src/base/assert.ts'
import type { Clock } from '../src/base/clock.ts'
import { NO_REVISION, type Revision, revision } from '../src/base/ids.ts'
import type { Prng } from '../src/base/prng.ts'
import type {
  Change,
  Coordinator,
  ListResult,
  Transaction,
  TransactionResult,
  Versioned,
  Watch,
  WatchBatch,
} from '../src/coordination/coordinator.ts'
import { checkLimits, checkPrefix } from '../src/coordination/limits.ts'

export interface SimCoordinationSettings {
  /** One way, in ms. */
  readonly delayMs: readonly [low: number, high: number]
  /** How often a message takes `lateMs` instead. */
  readonly lateChance: number
  readonly lateMs: readonly [low: number, high: number]
  /** How often a request never arrives, and how often its answer does not. */
  readonly loseRequestChance: number
  readonly loseAnswerChance: number
  /** A caller is told `unknown` after this; what it sent may still arrive. */
  readonly answerMs: number
  readonly keepRevisions: number
}

const DEFAULTS: SimCoordinationSettings = {
  delayMs: [0.1, 1],
  lateChance: 0,
  lateMs: [100, 2_500],
  loseRequestChance: 0,
  loseAnswerChance: 0,
  answerMs: 1_200,
  keepRevisions: 50_000,
}

/** All that a store holds, to be put back. */
export interface StoreImage {
  readonly rev: Revision
  readonly items: readonly Versioned[]
}

type Deliver = (f: () => void) => void
type CutMode = 'drop' | 'hold'

export class SimCoordination {
  readonly #clock: Clock
  readonly #prng: Prng
  #settings: SimCoordinationSettings
  /** null: it was lost. */
  #store: MemoryStore | null
  readonly #watches = new Set<SimWatch>()
  readonly #cuts = new Map<string, { readonly mode: CutMode; readonly held: (() => void)[] }>()
  #highest = 0
  #downUntilMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, prng: Prng, settings: Partial<SimCoordinationSettings> = {}) {
    this.#clock = clock
    this.#prng = prng
    this.#settings = { ...DEFAULTS, ...settings }
    this.#store = new MemoryStore(this.#settings.keepRevisions)
  }

  /** Changes the faults from now on; `keepRevisions` stays what it was. */
  set(settings: Partial<SimCoordinationSettings>): void {
    this.#settings = { ...this.#settings, ...settings }
  }

  /** `deliver` runs what reaches the member: later while its host is paused, never once that is dead (SimClock.deliver). */
  handle(member: string, deliver: Deliver = (f) => f()): Coordinator {
    return new SimHandle(this, member, deliver)
  }

  /** For `durationMs` what arrives is lost and no watch hears anything. */
  down(durationMs: number): void {
    this.#downUntilMs = this.#clock.nowMs() + durationMs
    this.#clock.after(durationMs, () => this.#wakeAll())
  }

  /** `drop` loses what is sent; `hold` delivers it, in order, when the cut heals. */
  cut(member: string, mode: CutMode): void {
    if (!this.#cuts.has(member)) this.#cuts.set(member, { mode, held: [] })
  }

  heal(member: string): void {
    const cut = this.#cuts.get(member)
    this.#cuts.delete(member)
    for (const deliver of cut?.held ?? []) deliver()
    this.#wakeAll()
  }

  /** The store as it is, for judges; of one that was lost, nothing. */
  inspect(prefix: string): readonly Versioned[] {
    return this.#store?.list(prefix) ?? []
  }

  image(): StoreImage {
    return { rev: this.rev, items: this.inspect('') }
  }

  /** As if the file were removed: nobody makes another. */
  lose(): void {
    this.#store = null
  }

  /** An older store is in the place of a newer one. */
  get isOlder(): boolean {
    return this.rev < this.#highest
  }

  /** Puts a store in place of what there is: an older one, or one that was rebuilt. */
  restore(image: StoreImage): void {
    this.#highest = Math.max(this.#highest, this.rev)
    this.#store = new MemoryStore(this.#settings.keepRevisions, image)
    this.#wakeAll()
  }

  get rev(): Revision {
    return this.#store?.rev ?? NO_REVISION
  }

  /** Carries `work` to the store and its result back; null after `answerMs`, 'lost' if there is no store. */
  call<T>(
    member: string,
    deliver: Deliver,
    work: (store: MemoryStore) => T,
  ): Promise<T | null | 'lost'> {
    return new Promise((resolve) => {
      const late = () => deliver(() => resolve(null))
      const timer = this.#clock.after(this.#settings.answerMs, late)
      this.#carry(member, () => {
        if (this.#down || this.#prng.chance(this.#settings.loseRequestChance)) return
        const store = this.#store
        const before = this.rev
        const result = store === null ? 'lost' : work(store)
        if (this.rev !== before) this.#wakeAll()
        if (this.#prng.chance(this.#settings.loseAnswerChance)) return
        this.#carry(member, () => {
          timer.cancel()
          deliver(() => resolve(result))
        })
      })
    })
  }

  /** The changes for a watch, when they are there and can reach the member. */
  register(watch: SimWatch): void {
    this.#watches.add(watch)
    this.#wake(watch)
  }

  unregister(watch: SimWatch): void {
    this.#watches.delete(watch)
  }

  get #down(): boolean {
    return this.#clock.nowMs() < this.#downUntilMs
  }

  #wakeAll(): void {
    for (const watch of this.#watches) this.#wake(watch)
  }

  #wake(watch: SimWatch): void {
    this.#clock.after(this.#delay(), () => {
      const store = this.#store
      if (store !== null && !this.#down && !this.#cuts.has(watch.member)) watch.wake(store)
    })
  }

  #carry(member: string, deliver: () => void): void {
    this.#clock.after(this.#delay(), () => this.#pass(member, deliver))
  }

  #pass(member: string, deliver: () => void): void {
    const cut = this.#cuts.get(member)
    if (cut === undefined) deliver()
    else if (cut.mode === 'hold') cut.held.push(() => this.#pass(member, deliver))
  }

  #delay(): number {
    const { delayMs, lateMs, lateChance } = this.#settings
    const [low, high] = this.#prng.chance(lateChance) ? lateMs : delayMs
    return low + this.#prng.unit() * (high - low)
  }
}

const LATE = { kind: 'unknown', reason: 'no answer in time' } as const
const GONE =
  "The coordination file is not there: stop the group and rebuild it with 'evenkeel recover'."

class SimHandle implements Coordinator {
  readonly coordination: SimCoordination
  readonly member: string
  readonly deliver: Deliver
  readonly #watches = new Set<SimWatch>()
  /** C3. */
  #store: MemoryStore | null = null
  #missing: string | null = null
  #closed = false

  constructor(coordination: SimCoordination, member: string, deliver: Deliver) {
    this.coordination = coordination
    this.member = member
    this.deliver = deliver
  }

  async txn(transaction: Transaction): Promise<TransactionResult> {
    checkLimits(transaction)
    if (this.#closed) return { kind: 'unknown', reason: 'closed' }
    return this.#call((store) => store.txn(transaction))
  }

  async list(prefix: string): Promise<ListResult> {
    checkPrefix(prefix)
    if (this.#closed) return { kind: 'unknown', reason: 'closed' }
    return this.#call(
      (store): ListResult => ({ kind: 'done', rev: store.rev, items: store.list(prefix) }),
    )
  }

  get lost(): string | null {
    return this.#missing
  }

  /** G6. */
  async #call<T extends TransactionResult | ListResult>(
    work: (store: MemoryStore) => T,
  ): Promise<T | { readonly kind: 'unknown'; readonly reason: string }> {
    const once = (store: MemoryStore) => (this.isOurs(store) ? work(store) : 'lost')
    const result = await this.coordination.call(this.member, this.deliver, once)
    if (result === null) return LATE
    this.#missing = result === 'lost' ? GONE : null
    return result === 'lost' ? { kind: 'unknown', reason: GONE } : result
  }

  isOurs(store: MemoryStore): boolean {
    this.#store ??= store
    return this.#store === store
  }

  watch(prefix: string, afterRev: Revision): Watch {
    checkPrefix(prefix)
    const watch = new SimWatch(this, prefix, afterRev)
    if (this.#closed) watch.close()
    else this.#watches.add(watch)
    return watch
  }

  /** Simulated watches hear of a change as soon as the lines allow. */
  nudge(): void {}

  async close(): Promise<void> {
    this.#closed = true
    for (const watch of this.#watches) watch.close()
  }
}

class SimWatch implements Watch {
  readonly #handle: SimHandle
  readonly #prefix: string
  #afterRev: Revision
  #closed = false
  #settle: ((batch: WatchBatch) => void) | null = null

  constructor(handle: SimHandle, prefix: string, afterRev: Revision) {
    this.#handle = handle
    this.#prefix = prefix
    this.#afterRev = afterRev
  }

  get member(): string {
    return this.#handle.member
  }

  next(): Promise<WatchBatch> {
    assert(this.#settle === null, 'one call of next() at a time')
    if (this.#closed) return Promise.resolve({ kind: 'closed' })
    return new Promise((resolve) => {
      this.#settle = resolve
      this.#handle.coordination.register(this)
    })
  }

  wake(store: MemoryStore): void {
    this.#handle.deliver(() => {
      if (this.#handle.isOurs(store)) this.#look(store)
    })
  }

  #look(store: MemoryStore): void {
    while (this.#settle !== null && this.#afterRev !== store.rev) {
      const batch = store.changes(this.#prefix, this.#afterRev)
      if (batch.kind === 'changes') this.#afterRev = batch.rev
      if (batch.kind !== 'changes' || batch.changes.length > 0) this.#finish(batch)
    }
  }

  close(): void {
    this.#closed = true
    this.#finish({ kind: 'closed' })
  }

  #finish(batch: WatchBatch): void {
    this.#handle.coordination.unregister(this)
    const settle = this.#settle
    this.#settle = null
    settle?.(batch)
  }
}

/** Changes handed to a watch at once. */
const BATCH_TRANSACTIONS = 10

/** The store itself: keys, revision, log. */
class MemoryStore {
  readonly #keepRevisions: number
  readonly #keys = new Map<string, Versioned>()
  /** The changes of each transaction; the first is that of revision `#compacted + 1`. */
  readonly #log: Change[][] = []
  #compacted = NO_REVISION

  constructor(keepRevisions: number, { rev, items }: StoreImage = { rev: NO_REVISION, items: [] }) {
    this.#keepRevisions = keepRevisions
    this.#compacted = rev
    for (const item of items) this.#keys.set(item.key, item)
  }

  get rev(): Revision {
    return revision(this.#compacted + this.#log.length)
  }

  txn({ compare = [], put = [], remove = [], read = [] }: Transaction): TransactionResult {
    const won = compare.every(({ key, rev }) => (this.#keys.get(key)?.rev ?? 0) === rev)
    if (won) this.#apply(put, remove)
    return {
      kind: won ? 'done' : 'lost',
      rev: this.rev,
      read: read.map((prefix) => this.list(prefix)),
    }
  }

  list(prefix: string): Versioned[] {
    const found = [...this.#keys.values()].filter(({ key }) => key.startsWith(prefix))
    return found.sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  changes(prefix: string, afterRev: Revision): WatchBatch {
    if (afterRev < this.#compacted || afterRev > this.rev) return { kind: 'compacted' }
    const from = afterRev - this.#compacted
    const transactions = this.#log.slice(from, from + BATCH_TRANSACTIONS)
    const changes = transactions.flat().filter(({ key }) => key.startsWith(prefix))
    return { kind: 'changes', rev: revision(afterRev + transactions.length), changes }
  }

  #apply(
    put: readonly { readonly key: string; readonly value: string }[],
    remove: readonly string[],
  ): void {
    const rev = revision(this.rev + 1)
    const changes: Change[] = []
    for (const { key, value } of put) {
      const item = { key, value, rev, created: this.#keys.get(key)?.created ?? rev }
      this.#keys.set(key, item)
      changes.push(item)
    }
    for (const key of remove) {
      const before = this.#keys.get(key)
      if (before === undefined) continue
      this.#keys.delete(key)
      changes.push({ key, value: null, rev, created: before.created })
    }
    if (changes.length === 0) return
    changes.sort((a, b) => (a.key < b.key ? -1 : 1))
    this.#log.push(changes)
    const step = Math.ceil(this.#keepRevisions / 50)
    if (this.#log.length < this.#keepRevisions + step) return
    this.#log.splice(0, step)
    this.#compacted = revision(this.#compacted + step)
  }
}
