// This member as the primary of one slice, from its activation until the slice leaves it: it alone orders the slice's
// writes and answers its reads.
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
import type { Epoch, VolumeId } from '../base/ids.ts'
import type { Mutation } from '../peer/operation.ts'
import { BlockOrder } from './block-order.ts'
import type { Striped } from './lanes.ts'
import { MutationTurn, type Remembered } from './mutation-turn.ts'
import type { CompareOutcome, Later, ReadOutcome, Stale } from './outcome.ts'
import type { OperationWindow } from './session-marks.ts'
import type { SliceStore } from './slice-store.ts'

export class Primary {
  readonly kind = 'primary'
  epoch: Epoch
  readonly store: SliceStore
  readonly order = new BlockOrder()
  #seq = 0
  #isOver = false
  /** One for all reads. */
  readonly #late = (outcome: ReadOutcome): ReadOutcome | Stale => (this.#isOver ? 'stale' : outcome)

  constructor(epoch: Epoch, store: SliceStore) {
    this.epoch = epoch
    this.store = store
  }

  /** The slice has left (V8). */
  get isOver(): boolean {
    return this.#isOver
  }

  read(
    volume: VolumeId,
    offset: number,
    into: Uint8Array,
  ): ReadOutcome | Promise<ReadOutcome | Stale> {
    const read = this.order.isIdle
      ? this.store.read(volume, offset, into)
      : this.#readInTurn(volume, offset, into)
    return typeof read === 'string' ? read : read.then(this.#late)
  }

  /** The same, if nothing need be waited for: neither a turn nor the medium. */
  readNow(volume: VolumeId, offset: number, into: Uint8Array): ReadOutcome | Later {
    const { order } = this
    if (!order.isIdle && order.isTaken({ volume, from: offset, to: offset + into.length }))
      return 'later'
    return this.store.readNow(volume, offset, into)
  }

  /** Whether it is to be carried out has been judged. */
  mutate(
    mutation: Mutation,
    window: OperationWindow<Remembered>,
    striped: Striped,
  ): Promise<CompareOutcome | Stale> {
    const turn = new MutationTurn(mutation, {
      primary: this,
      window,
      epoch: this.epoch,
      striped,
    })
    window.answers.set(mutation.number, turn)
    this.order.enter(turn)
    return turn.outcome
  }

  /** V10 */
  nextSeq(): number {
    this.#seq += 1
    return this.#seq
  }

  /** V8. Settles when nothing of it is under way any more. */
  leave(): Promise<void> {
    this.#isOver = true
    return this.order.idle()
  }

  #readInTurn(
    volume: VolumeId,
    offset: number,
    into: Uint8Array,
  ): ReadOutcome | Promise<ReadOutcome> {
    const { store } = this
    const { promise, resolve, reject } = Promise.withResolvers<ReadOutcome>()
    const extent = { volume, from: offset, to: offset + into.length }
    const waiting = this.order.readAfter(extent, () => {
      const read = store.read(volume, offset, into)
      if (typeof read === 'string') resolve(read)
      else read.then(resolve, reject)
    })
    return waiting === null ? store.read(volume, offset, into) : promise
  }
}
