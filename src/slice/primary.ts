// This member as the primary of one slice, from its activation until the slice leaves it: it alone orders the slice's
// writes and answers its reads.
//
//   active ──its in-sync members are about to change──▶ pausing ──the next epoch is activated──▶ active      any ──▶ over
//
// Invariants:
//   V2. Session, generation and number are judged when a request takes its place in the order of its blocks; what comes
//       later to the same blocks sees it (block-order.ts), whatever becomes of its session meanwhile.
//   V3. A mutation is numbered and carried out once: sent again, it is answered with the first one's answer, also after a
//       restart.
//   V4. A write of part of a store block keeps the rest of it, and compares (COMPARE AND WRITE) inside its turn.
//   V8. What is under way when the slice leaves comes to `stale`, late: nothing more is written, and whoever asked goes to
//       the new primary. The slice comes back only when all of it is over.
//   V10. The numbers of a slice's mutations (seq) count what is handed to the store, in that order: a COMPARE AND WRITE that
//        miscompares, an unmap that finds nothing and what comes to `stale` or to a damaged block before that have none.
//   V11. While it pauses nothing is numbered, and what was read is not answered: both wait for the next epoch, or for the end.
//   V14. While a page is copied to a learner no write of it is numbered, and none that was is still on its way into the own store.
//        Those that wait for copies alone do not hold it up: with too few in sync they wait for that very learner.
//   V15. Behind what its own store has refused (GC6 of store/commit-queue.ts) nothing more is handed to it until the next epoch, in which
//        what it lacks comes from a copy, or again from the gateway: so its stamps say what its pages hold, also after a restart.
//   V12. What was read is answered when the leases hold after it was read (R5 of lease.ts): also that a comparison found
//        something else, and that an unmap found nothing. With one copy there is nothing to wait for, and nothing is asked.
import type { Epoch, VolumeId } from '../base/ids.ts'
import { PAGE_BYTES } from '../base/sizes.ts'
import type { Mutation } from '../peer/operation.ts'
import type { StoreWrite } from '../store/record.ts'
import type { Reservation } from '../store/room.ts'
import { BlockOrder, type Extent, overlap } from './block-order.ts'
import type { CopiedOutcome, CopySet } from './copy-set.ts'
import type { Striped } from './lanes.ts'
import type { Activated } from './lease.ts'
import { MutationTurn, type Remembered } from './mutation-turn.ts'
import type { CompareOutcome, Later, ReadOutcome, Stale } from './outcome.ts'
import type { OperationWindow } from './session-marks.ts'
import type { SliceStore } from './slice-store.ts'

/** The other in-sync members have granted what they must. */
export type LeasesHold = (others: readonly Activated[]) => boolean

export class Primary {
  readonly kind = 'primary'
  epoch: Epoch
  readonly store: SliceStore
  readonly order = new BlockOrder()
  /** The store may remember operations of the slice that were never asked of this primary: it is asked about each. */
  readonly asksStore: boolean
  readonly #hold: LeasesHold
  /** Null: this member has the only copy, and one is enough. */
  #copies: CopySet | null
  #seq = 0
  #isOver = false
  #isPausing = false
  #whenActive: (() => void)[] = []
  readonly #mend: MendPage
  #whenFree: (() => void)[] = []
  #held: { readonly extent: Extent; readonly waiting: (() => void)[] } | null = null
  #whenCurrent: (() => void)[] = []

  constructor(epoch: Epoch, store: SliceStore, { copies, hold, asksStore, mend }: PrimaryCopies) {
    this.epoch = epoch
    this.store = store
    this.#copies = copies
    this.#hold = hold
    this.#mend = mend
    this.asksStore = asksStore
  }

  /** The slice has left (V8). */
  get isOver(): boolean {
    return this.#isOver
  }

  get copies(): CopySet | null {
    return this.#copies
  }

  read(
    volume: VolumeId,
    offset: number,
    into: Uint8Array,
  ): ReadOutcome | Promise<ReadOutcome | Stale> {
    const read = this.order.isIdle
      ? this.readOwn(volume, offset, into)
      : this.#readInTurn(volume, offset, into)
    if (typeof read !== 'string') return read.then(this.#late)
    return this.isCurrent ? read : this.#waitCurrent(read)
  }

  /** The same, if nothing need be waited for: neither a turn, nor the medium, nor a lease. */
  readNow(volume: VolumeId, offset: number, into: Uint8Array): ReadOutcome | Later {
    const { order } = this
    if (!order.isIdle && order.isTaken({ volume, from: offset, to: offset + into.length }))
      return 'later'
    const read = this.store.readNow(volume, offset, into)
    if (read === 'damaged' && this.#copies !== null) return 'later'
    return this.isCurrent ? read : 'later'
  }

  /** What the own store has: mended first, where it is damaged and a copy in sync has it (mending.ts). */
  readOwn(volume: VolumeId, offset: number, into: Uint8Array): ReadOutcome | Promise<ReadOutcome> {
    const read = this.store.read(volume, offset, into)
    if (this.#copies === null) return read
    const orMended = (outcome: ReadOutcome) =>
      outcome === 'damaged' ? this.#mended(volume, offset, into) : outcome
    return typeof read === 'string' ? orMended(read) : read.then(orMended)
  }

  mendPage(volume: VolumeId, page: number): Promise<boolean> {
    return this.#mend(this, volume, page)
  }

  async #mended(volume: VolumeId, offset: number, into: Uint8Array): Promise<ReadOutcome> {
    const last = Math.floor((offset + into.length - 1) / PAGE_BYTES)
    for (let page = Math.floor(offset / PAGE_BYTES); page <= last; page += 1)
      if (!(await this.mendPage(volume, page))) return 'damaged'
    return this.store.read(volume, offset, into)
  }

  /** Whether it is to be carried out has been judged. */
  mutate(
    mutation: Mutation,
    window: OperationWindow<Remembered>,
    striped: Striped,
  ): Promise<CompareOutcome | Stale> {
    const turn = new MutationTurn(mutation, { primary: this, window, striped })
    window.answers.set(mutation.number, turn)
    this.order.enter(turn)
    return turn.outcome
  }

  /** V10 */
  nextSeq(): number {
    if (this.#copies !== null) return this.#copies.place()
    this.#seq += 1
    return this.#seq
  }

  /** Under its number, at once. */
  write(write: StoreWrite, room: Reservation): Promise<CopiedOutcome | 'full'> {
    const copies = this.#copies
    return copies === null ? this.store.write(write, room) : copies.write(write, room)
  }

  /** V12. What was read until now may be answered. */
  get isCurrent(): boolean {
    if (this.#isPausing) return false
    return this.#copies === null || this.#hold(this.#copies.others)
  }

  /** V12. Calls once that what was read may be answered, or that the slice has left. */
  whenCurrent(f: () => void): void {
    this.#whenCurrent.push(f)
  }

  /** V11, V14, V15. Whether a write of these bytes is to be numbered later. */
  mustWait(extent: Extent): boolean {
    if (this.#numbersNothing) return true
    return this.#held !== null && overlap(this.#held.extent, extent)
  }

  /** V11, V15. */
  get #numbersNothing(): boolean {
    return this.#isPausing || this.#copies?.isOwnFull === true
  }

  /** Calls when it is worth asking again: the next epoch is activated, the page is copied, or the slice has left. */
  whenMayWrite(f: () => void): void {
    if (this.#numbersNothing || this.#held === null) this.#whenActive.push(f)
    else this.#held.waiting.push(f)
  }

  /** V14. One at a time. Settles when all writes of these bytes that had a number are in the own store. */
  async hold(extent: Extent): Promise<void> {
    while (this.#held !== null) await new Promise<void>((resolve) => this.#whenFree.push(resolve))
    this.#held = { extent, waiting: [] }
    await this.#copies?.stored(extent)
  }

  release(): void {
    const waiting = this.#held?.waiting ?? []
    this.#held = null
    for (const f of waiting) f()
    this.#whenFree.shift()?.()
  }

  /** A lease was renewed. */
  renewed(): void {
    if (this.#whenCurrent.length > 0 && this.isCurrent) this.#wakeCurrent()
  }

  /** V11. Settles when the own store is done with what it was handed; with one copy, what it promises next is behind all that. */
  async pause(): Promise<void> {
    this.#isPausing = true
    this.#copies?.end()
    await this.#copies?.drained()
  }

  /** The next epoch is activated: all that the own store has is at each of its copies. */
  resume(epoch: Epoch, copies: CopySet | null): void {
    const before = this.#copies
    this.epoch = epoch
    this.#copies = copies
    this.#isPausing = false
    if (before !== null && copies !== null && !copies.isEnough) copies.inherit(before)
    else before?.finish('done')
    for (const f of this.#whenActive.splice(0)) f()
    this.renewed()
  }

  /** V8. Settles when nothing of it is under way any more. */
  async leave(): Promise<void> {
    this.#isOver = true
    for (const f of this.#whenActive.splice(0)) f()
    for (const f of this.#held?.waiting.splice(0) ?? []) f()
    this.#wakeCurrent()
    if (this.#copies !== null) {
      this.#copies.end()
      await this.#copies.drained()
      this.#copies.finish('stale')
    }
    await this.order.idle()
  }

  readonly #late = (outcome: ReadOutcome): ReadOutcome | Stale | Promise<ReadOutcome | Stale> => {
    if (this.#isOver) return 'stale'
    return this.isCurrent ? outcome : this.#waitCurrent(outcome)
  }

  #waitCurrent(outcome: ReadOutcome): Promise<ReadOutcome | Stale> {
    return new Promise((resolve) => {
      this.whenCurrent(() => resolve(this.#isOver ? 'stale' : outcome))
    })
  }

  #wakeCurrent(): void {
    for (const f of this.#whenCurrent.splice(0)) f()
  }

  #readInTurn(
    volume: VolumeId,
    offset: number,
    into: Uint8Array,
  ): ReadOutcome | Promise<ReadOutcome> {
    const { promise, resolve, reject } = Promise.withResolvers<ReadOutcome>()
    const extent = { volume, from: offset, to: offset + into.length }
    const waiting = this.order.readAfter(extent, () => {
      const read = this.readOwn(volume, offset, into)
      if (typeof read === 'string') resolve(read)
      else read.then(resolve, reject)
    })
    return waiting === null ? this.readOwn(volume, offset, into) : promise
  }
}

export interface PrimaryCopies {
  readonly copies: CopySet | null
  readonly hold: LeasesHold
  readonly asksStore: boolean
  readonly mend: MendPage
}

/** False: no copy in sync has the page. */
export type MendPage = (primary: Primary, volume: VolumeId, page: number) => Promise<boolean>
