// What a primary knows of the copies of its slice in one epoch: which mutations each of them has, and so which are durable on
// all. A copy is sent the mutations in their order and says up to which one it has them; whoever drives this keeps those that
// are not committed. Pure: instants are handed in.
//
// Invariants (R3, R4: PacificA, as docs/decisions/0012 has it):
//   R3.  The primary alone gives a mutation its place: seq counts from 1 in each epoch, without a gap.
//   R4.  A mutation is committed when the store of every in-sync member has it, the primary's own too, and there are at
//        least `min` of them. Never by majority, and never by time: a silent member is first taken out of the record.
//   RS1. What a member says it has never shrinks, and is nothing that was not given a place.
//   RS2. Who has a mutation unanswered for more than twice SILENT_AFTER_MS is silent, and nobody is who has answered within it.
import { assert } from '../base/assert.ts'
import type { Epoch } from '../base/ids.ts'
import type { Activated } from './lease.ts'

/** A member that has a mutation unanswered for so long is silent. */
export const SILENT_AFTER_MS = 1_500

/** What one in-sync member has of the epoch's mutations. */
interface Progress {
  readonly replica: Activated
  /** It has every one up to this. */
  has: number
  /** The newest when its answer was last looked for, and since when that is; 0: nothing is awaited. */
  awaited: number
  awaitedMs: number
}

export class ReplicaSet {
  readonly epoch: Epoch
  /** All in-sync members but the primary, as they were activated. */
  readonly others: readonly Activated[]
  readonly #progress: readonly Progress[]
  readonly #isEnough: boolean
  #given = 0
  #own = 0
  #committed = 0

  /** `min`: the least number of in-sync members, with the primary, with which writes are answered. */
  constructor(epoch: Epoch, others: readonly Activated[], min: number) {
    this.epoch = epoch
    this.others = others
    this.#progress = others.map((replica) => ({ replica, has: 0, awaited: 0, awaitedMs: 0 }))
    this.#isEnough = others.length + 1 >= min
  }

  /** Every mutation up to this one is durable on all in-sync members, and there are enough of them. */
  get committed(): number {
    return this.#committed
  }

  /** The newest mutation that has a place. */
  get given(): number {
    return this.#given
  }

  /** R3. The place of the next mutation. */
  place(nowMs: number): number {
    this.#given += 1
    for (const one of this.#progress) {
      if (one.awaited > one.has) continue
      one.awaited = this.#given
      one.awaitedMs = nowMs
    }
    return this.#given
  }

  /** The primary's own store has every mutation up to `seq`. True: more is committed. */
  ownHas(seq: number): boolean {
    assert(seq <= this.#given, 'RS1: only what has a place is stored')
    if (seq > this.#own) this.#own = seq
    return this.#commit()
  }

  /** A member says that its store has every mutation up to `seq`. True: more is committed. */
  has(index: number, seq: number, nowMs: number): boolean {
    const one = this.#progress[index]
    assert(one !== undefined && seq <= this.#given, 'RS1: only what has a place is stored')
    if (seq <= one.has) return false
    one.has = seq
    if (one.has >= one.awaited && one.has < this.#given) {
      one.awaited = this.#given
      one.awaitedMs = nowMs
    }
    return this.#commit()
  }

  /** One that is silent, or null. */
  silent(nowMs: number): Activated | null {
    for (const { replica, has, awaited, awaitedMs } of this.#progress)
      if (awaited > has && nowMs - awaitedMs > SILENT_AFTER_MS) return replica
    return null
  }

  /** R4 */
  #commit(): boolean {
    if (!this.#isEnough) return false
    let least = this.#own
    for (const { has } of this.#progress) if (has < least) least = has
    const isMore = least > this.#committed
    this.#committed = least
    return isMore
  }
}
