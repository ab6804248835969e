// This member as the primary of slices: it alone orders their writes and answers their reads (generations:
// target/DESIGN.md).
//
//   starting ── epochs raised, sessions listed ──▶ serving ──▶ closed
//
// Invariants:
//   V1. Nothing is answered before the epochs of the member's slices are raised and all sessions' generations are known.
//   V2. Session, generation and operation are judged when a request takes its place in the order of its blocks; what
//       comes later to the same blocks sees it (block-order.ts), whatever becomes of its session meanwhile.
//   V3. A mutation is numbered and carried out once: sent again, it is answered with the first one's answer, also after a
//       restart.
//   V4. A write of part of a store block keeps the rest of it, and compares (COMPARE AND WRITE) inside its turn.
//   V5. A store that has failed answers nothing more: the turn never ends, and the member stops.
//   V6. Pages of a volume that was deleted are dropped, also if it was deleted while this member was down; those of one
//       that exists never are.
//   V7. What is dropped or forgotten is gone by the coordinator's own word, asked in a transaction. This member's copy of
//       the record only says what to ask about.
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import {
  keys,
  type MemberId,
  type SessionId,
  type SliceId,
  type VolumeId,
} from '../group/record.ts'
import { volumeIsAbsent } from '../group/volumes.ts'
import type { Mutation, Origin } from '../peer/operation.ts'
import { activate, generationsIn } from './activation.ts'
import type { AllocationQuestion, SliceAllocation } from './allocation.ts'
import { BlockOrder } from './block-order.ts'
import type { GroupSlices } from './group-slices.ts'
import type { Striped } from './lanes.ts'
import { MutationTurn, type Remembered } from './mutation-turn.ts'
import type { CompareOutcome, Stale } from './outcome.ts'
import { type OperationWindow, SessionMarks } from './session-marks.ts'
import type { SliceStore } from './slice-store.ts'

type ReadOutcome = 'done' | 'damaged'

export interface PrimaryDeps {
  readonly self: MemberId
  readonly clock: Clock
  readonly coordinator: Coordinator
  readonly group: GroupSlices
  readonly store: SliceStore
}

const TIDY_EVERY_MS = 10_000
/** Volumes that requests name though nobody knows them; ids of volumes that were deleted, mostly. */
const ABSENT_MAX = 1_024

export class Primary {
  readonly #deps: PrimaryDeps
  readonly #marks = new SessionMarks<Remembered>()
  readonly #absent = new Set<VolumeId>()
  readonly #orders: (BlockOrder | undefined)[] = []
  /** By slice: the epoch in which this member serves it; 0 or nothing: it does not. */
  readonly #epochs: number[] = []
  readonly #seqs: number[] = []
  readonly #serving = Promise.withResolvers<void>()
  #state: 'starting' | 'serving' | 'closed' = 'starting'
  #isLookingForVolume = false

  constructor(deps: PrimaryDeps) {
    this.#deps = deps
  }

  /** V1. Returns when it serves, however long the coordinator is away. Called once. */
  async start(): Promise<void> {
    assert(this.#state === 'starting', 'a primary is started once')
    await this.#activate(() => true)
    if (this.#state !== 'starting') return
    this.#state = 'serving'
    this.#serving.resolve()
    void this.#follow()
    this.#tidyNowAndThen()
  }

  /** Settles once requests and FENCEs may come. */
  serving(): Promise<void> {
    return this.#serving.promise
  }

  get isServing(): boolean {
    return this.#state === 'serving'
  }

  close(): void {
    this.#state = 'closed'
  }

  /** 0: this member does not serve the slice. */
  epochOf(slice: SliceId): number {
    return this.#state === 'serving' ? (this.#epochs[slice] ?? 0) : 0
  }

  fence(session: SessionId, gen: number): void {
    assert(this.#state !== 'starting', 'V1: FENCEs wait until the generations are known')
    this.#marks.fence(session, gen)
  }

  /** The extent lies in one run, which is on `slice`. `stale` comes at once, never late. */
  read(
    origin: Origin,
    volume: VolumeId,
    slice: SliceId,
    offset: number,
    into: Uint8Array,
  ): ReadOutcome | 'refused' | 'gone' | Stale | Promise<ReadOutcome> {
    if (this.epochOf(slice) === 0) return 'stale'
    if (!this.#deps.group.volumes.has(volume)) return this.#unknown(volume)
    if (this.#marks.admit(origin.session, origin.gen) === null) return 'refused'
    const order = this.#orders[slice]
    const { store } = this.#deps
    if (order === undefined || order.isIdle) return store.read(volume, offset, into)
    return this.#readInTurn(order, volume, offset, into)
  }

  #readInTurn(
    order: BlockOrder,
    volume: VolumeId,
    offset: number,
    into: Uint8Array,
  ): ReadOutcome | Promise<ReadOutcome> {
    const { store } = this.#deps
    const { promise, resolve, reject } = Promise.withResolvers<ReadOutcome>()
    const extent = { volume, from: offset, to: offset + into.length }
    const waiting = order.readAfter(extent, () => {
      const read = store.read(volume, offset, into)
      if (typeof read === 'string') resolve(read)
      else read.then(resolve, reject)
    })
    return waiting === null ? store.read(volume, offset, into) : promise
  }

  /** `stale` comes at once, never late. */
  mutate(mutation: Mutation): CompareOutcome | Stale | Promise<CompareOutcome> {
    const { slice, volume, session, gen, number, acknowledged } = mutation
    assert(number > 0, 'V3: a mutation is numbered')
    if (this.epochOf(slice) === 0) return 'stale'
    const striped = this.#deps.group.volumes.get(volume)
    if (striped === undefined) return this.#unknown(volume)
    const mark = this.#marks.admit(session, gen)
    if (mark === null) return 'refused'
    const { store } = this.#deps
    const window = mark.window(slice)
    if (window.acknowledge(acknowledged)) store.acknowledge(session, gen, slice, acknowledged)
    // Its answer was acknowledged and is forgotten: nobody waits for this one, and it must not be carried out again.
    if (number <= window.acknowledged) return 'refused'
    const known = window.answers.get(number)
    if (known !== undefined) return known instanceof MutationTurn ? known.outcome : known // V3
    if (mark.isLoaded && store.remembered(session, gen, slice, number)) {
      window.answers.set(number, 'done')
      return 'done'
    }
    return this.#carryOut(mutation, window, striped)
  }

  /** What this member has of the slices that it serves. */
  async allocation(question: AllocationQuestion): Promise<SliceAllocation> {
    const { volume, from, to, most } = question
    const { group, store } = this.#deps
    const slices = question.slices.filter((slice) => this.epochOf(slice) > 0)
    if (!group.volumes.has(volume) || slices.length === 0)
      return { slices: [], upTo: to, extents: [] }
    try {
      const held = await store.held({ volume, slices: new Set(slices), from, to, most })
      return { slices, ...held }
    } catch {
      return new Promise(() => {}) // V5
    }
  }

  #carryOut(
    mutation: Mutation,
    window: OperationWindow<Remembered>,
    striped: Striped,
  ): Promise<CompareOutcome> {
    const { slice, number } = mutation
    let order = this.#orders[slice]
    if (order === undefined) {
      order = new BlockOrder()
      this.#orders[slice] = order
    }
    const seq = (this.#seqs[slice] ?? 0) + 1
    this.#seqs[slice] = seq
    const { store } = this.#deps
    const turn = new MutationTurn(mutation, {
      store,
      order,
      window,
      epoch: this.epochOf(slice),
      seq,
      striped,
    })
    window.answers.set(number, turn)
    order.enter(turn)
    return turn.outcome
  }

  /** A volume that this view does not have is new, or gone: the second after a look at what is committed. */
  #unknown(volume: VolumeId): 'gone' | Stale {
    if (this.#absent.has(volume)) return 'gone'
    if (!this.#isLookingForVolume) void this.#lookFor(volume)
    return 'stale'
  }

  async #lookFor(volume: VolumeId): Promise<void> {
    const { group } = this.#deps
    this.#isLookingForVolume = true
    const isFresh = await group.refresh()
    this.#isLookingForVolume = false
    if (!isFresh || group.volumes.has(volume)) return
    if (this.#absent.size >= ABSENT_MAX) this.#absent.clear()
    this.#absent.add(volume)
  }

  /** Slices that come to this member are activated, and those that leave it are let go. */
  async #follow(): Promise<void> {
    const { group, self } = this.#deps
    while (this.#state === 'serving') {
      const isNew = (slice: SliceId) => {
        const record = group.slices[slice]
        return record?.primary === self && record.epoch > (this.#epochs[slice] ?? 0)
      }
      for (const [slice, record] of group.slices.entries()) {
        if (record.primary !== self && record.epoch > (this.#epochs[slice] ?? 0))
          this.#epochs[slice] = 0
      }
      if (group.slices.some((_, slice) => isNew(slice))) {
        try {
          await this.#activate(isNew)
        } catch {
          return // V5: the member is about to stop.
        }
      } else if (!(await group.changed())) return
    }
  }

  async #activate(wanted: (slice: SliceId) => boolean): Promise<void> {
    const { self, clock, coordinator, store } = this.#deps
    const isClosed = () => this.#state === 'closed'
    const activation = await activate({ self, clock, coordinator, store, isClosed }, wanted)
    if (activation === null) return
    this.#load(activation.sessions, activation.rev)
    for (const [slice, epoch] of activation.epochs) this.#epochs[slice] = epoch
  }

  #load(sessions: Iterable<readonly [number, number]>, rev: number): void {
    const { store } = this.#deps
    this.#marks.load(sessions, rev)
    for (const session of store.rememberedSessions()) {
      if (this.#marks.isRetired(session)) store.forgetSession(session)
    }
  }

  /** Forgets what is over: sessions that were retired, and the pages of volumes that were deleted. */
  #tidyNowAndThen(): void {
    this.#deps.clock.after(TIDY_EVERY_MS, () => {
      if (this.#state === 'serving') void this.#tidy().then(() => this.#tidyNowAndThen())
    })
  }

  async #tidy(): Promise<void> {
    await this.#forgetRetired()
    const { group, store } = this.#deps
    for (const volume of store.volumes()) {
      if (group.volumes.has(volume) || !(await this.#isDeleted(volume))) continue
      // A write that was in its turn meanwhile may bring a page back, and a full store may not take the order: the next
      // time. A store that has failed stops the member (V5).
      await store.dropVolume(volume).catch(() => undefined)
    }
  }

  /** V7. A comparison is of now, while a list may be older. */
  async #isDeleted(volume: VolumeId): Promise<boolean> {
    return (await this.#deps.coordinator.txn(volumeIsAbsent(volume))).kind === 'done'
  }

  /** V7. */
  async #forgetRetired(): Promise<void> {
    const { group, store, coordinator } = this.#deps
    const isGone = (id: SessionId) => id <= group.rev && !group.sessions.has(id)
    if (![...this.#marks.sessions(), ...store.rememberedSessions()].some(isGone)) return
    const asked = await coordinator.txn({ read: [keys.sessions] })
    if (asked.kind === 'done') this.#load(generationsIn(asked.read[0] ?? []), asked.rev)
  }
}
