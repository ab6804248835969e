// The writes of one epoch of a slice at its primary, on their way into its own store and to the other in-sync members. What is
// committed is decided by replica-set.ts.
//
//   handed in ──▶ own store, and each copy ──all have it──▶ 'done'
//                            └── the epoch ends first ──▶ waits for the next one: `finish` says what has become of it
//
// Invariants:
//   CS1. A write is answered when it is committed, in the order of the numbers (R3, R4 of replica-set.ts).
//   CS2. After `end` nothing of the epoch is sent or counted any more. What the own store had taken by then settles first
//        (`drained`); whether it stands is decided by the activation of the next epoch, or nobody knows it here (`finish`).
//        One that the own store had no room for (GC3 of store/commit-queue.ts) is sent again under its number either way.
//   CS4. A learner is sent the writes of pages that are equal at it; a write of any other page makes those that it touches
//        unequal, and they are copied (learner.ts). What was sent to it holds its buffers until it is answered, or the learner is
//        given up: nothing that was answered waits for it in the record.
//   CS3. A copy that cannot take what it is sent is told of once, with what it said.
import type { Clock } from '../base/clock.ts'
import type { Epoch, MemberId } from '../base/ids.ts'
import { BLOCK_BYTES } from '../base/sizes.ts'
import type { PeerLinks } from '../peer/links.ts'
import { answerStatus } from '../peer/message.ts'
import type { StoreWrite } from '../store/record.ts'
import type { Reservation } from '../store/room.ts'
import type { Extent } from './block-order.ts'
import { CopyRequest } from './copy-request.ts'
import { type CopyWork, countCopied } from './copy-work.ts'
import { Learner, type OwnRuns } from './learner.ts'
import type { Activated } from './lease.ts'
import { Reached } from './reached.ts'
import { ReplicaSet } from './replica-set.ts'
import type { SliceStore } from './slice-store.ts'

/** 'stale': whether it stands is not known here; the same number is to be sent again. */
export type CopiedOutcome = 'done' | 'stale'

/** Why a copy is not to go on as it is. */
export type Trouble =
  /** It does not take this epoch: it has started again, or has promised another. */
  | 'refuses'
  /** It has no room, or its store cannot keep what it was sent. */
  | 'cannot'

interface Waiting {
  readonly seq: number
  readonly write: StoreWrite
  isStored: boolean
  readonly whenStored: (() => void)[]
  /** CS4. Under which number the learner's link has it; null: it has not, or it is answered. */
  learning: number | null
  readonly resolve: (outcome: CopiedOutcome) => void
  /** By copy: under which number its link has it. */
  readonly sent: number[]
}

export interface CopySetDeps {
  readonly clock: Clock
  readonly store: Pick<SliceStore, 'write'>
  readonly peers: Pick<PeerLinks, 'link'>
  /** CS3 */
  readonly troubled: (member: MemberId, trouble: Trouble) => void
  readonly work: CopyWork
}

export class CopySet {
  readonly set: ReplicaSet
  readonly min: number
  /** The own store refused what had its number: the disk has no room to write home. */
  isOwnFull = false
  readonly #deps: CopySetDeps
  readonly #own = new Reached()
  #learner: Learner | null = null
  #inherited: CopySet | null = null
  /** In the order of their numbers. */
  #waiting: Waiting[] = []
  #underWay = 0
  #isOver = false
  readonly #troubled = new Set<MemberId>()
  readonly #whenDrained: (() => void)[] = []

  constructor(epoch: Epoch, others: readonly Activated[], min: number, deps: CopySetDeps) {
    this.set = new ReplicaSet(epoch, others, min)
    this.min = min
    this.#deps = deps
  }

  get others(): readonly Activated[] {
    return this.set.others
  }

  /** R4: as many are in sync as are needed; else nothing is committed. */
  get isEnough(): boolean {
    return this.others.length + 1 >= this.min
  }

  /** R3. The place of the next write, which is handed in at once. */
  place(): number {
    return this.set.place(this.#deps.clock.nowMs())
  }

  write(write: StoreWrite, room: Reservation): Promise<CopiedOutcome> {
    return new Promise((resolve, reject) => {
      const { seq } = write
      const waiting: Waiting = {
        ...{ seq, write, isStored: false, learning: null, resolve },
        ...{ sent: [], whenStored: [] },
      }
      this.#waiting.push(waiting)
      this.#countWaiting(1)
      this.#underWay += 1
      for (const [at, { member }] of this.others.entries()) {
        const request = new CopyRequest(write, (status, has) => this.#answered(at, status, has))
        waiting.sent.push(this.#deps.peers.link(member).request(request))
      }
      countCopied(this.#deps.work, write.data, this.others.length)
      if (this.#learner !== null) this.#teach(this.#learner, waiting)
      this.#deps.store.write(write, room).then((result) => this.#stored(waiting, result), reject)
    })
  }

  get learner(): Learner | null {
    return this.#learner
  }

  /** CS4. From now on what is written is sent to this member, or noted as unequal. */
  learn(member: MemberId, runs: OwnRuns): Learner {
    const learner = new Learner(member, this.#deps.clock, runs)
    for (const { write } of this.#waiting) learner.isEqual(write)
    this.#learner = learner
    return learner
  }

  /** CS4 */
  giveUpLearner(): void {
    const learner = this.#learner
    if (learner === null) return
    this.#learner = null
    learner.isOver = true
    for (const waiting of this.#waiting) {
      if (waiting.learning === null) continue
      this.#deps.peers.link(learner.member).withdraw(waiting.learning)
      waiting.learning = null
    }
    this.#release()
  }

  /** CS4. Looked at now and then. */
  lookAtLearner(): void {
    const isAwaited = this.#waiting.some(({ learning }) => learning !== null)
    if (this.#learner?.isSilent(isAwaited) === true) this.giveUpLearner()
  }

  #teach(learner: Learner, waiting: Waiting): void {
    if (!learner.isEqual(waiting.write)) {
      if (learner.isOver) this.giveUpLearner() // LN1 of learner.ts
      return
    }
    const request = new CopyRequest(waiting.write, (status) => {
      if (learner.isOver) return
      if (status !== answerStatus.done) {
        this.giveUpLearner()
        return
      }
      learner.heardMs = this.#deps.clock.nowMs()
      waiting.learning = null
      this.#release()
    })
    waiting.learning = this.#deps.peers.link(learner.member).request(request)
    countCopied(this.#deps.work, waiting.write.data)
  }

  /** A member that is silent (RS2 of replica-set.ts), or null. */
  silent(): MemberId | null {
    return this.set.silent(this.#deps.clock.nowMs())?.member ?? null
  }

  /** CS2 */
  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.giveUpLearner()
    for (const { sent } of this.#waiting) {
      for (const [at, number] of sent.entries()) {
        const copy = this.others[at]
        if (copy !== undefined) this.#deps.peers.link(copy.member).withdraw(number)
      }
    }
  }

  /** CS2. Settles when the own store is done with all that it was handed. */
  drained(): Promise<void> {
    if (this.#underWay === 0) return Promise.resolve()
    return new Promise((resolve) => this.#whenDrained.push(resolve))
  }

  /** Settles when the own store has every write of these bytes that was handed in. */
  stored({ volume, from, to }: Extent): Promise<void> {
    const left = this.#waiting.filter(
      ({ write, isStored }) =>
        !isStored &&
        write.volume === volume &&
        write.offset - BLOCK_BYTES < to &&
        from <= endOf(write),
    )
    if (left.length === 0) return Promise.resolve()
    return Promise.all(
      left.map(({ whenStored }) => new Promise<void>((told) => whenStored.push(told))),
    ).then(() => undefined)
  }

  /** R4. What waited in the epoch before goes on waiting: with too few in sync nothing is answered. */
  inherit(before: CopySet): void {
    this.#inherited = before
  }

  /** CS2. After `end` and `drained`. */
  finish(outcome: 'done' | 'stale'): void {
    this.#inherited?.finish(outcome)
    this.#inherited = null
    const waiting = this.#waiting
    this.#waiting = []
    this.#countWaiting(-waiting.length)
    for (const { isStored, resolve } of waiting) resolve(isStored ? outcome : 'stale')
  }

  /** What waits for too few in sync waits for the very copying that is to give way to others. */
  #countWaiting(more: number): void {
    if (this.isEnough) this.#deps.work.waiting += more
  }

  #stored(waiting: Waiting, result: 'done' | 'full'): void {
    if (result === 'full') this.isOwnFull = true
    else {
      waiting.isStored = true
      if (!this.#isOver && this.set.ownHas(this.#own.add(waiting.seq))) this.#release()
    }
    for (const told of waiting.whenStored) told()
    this.#underWay -= 1
    if (this.#underWay > 0) return
    for (const told of this.#whenDrained.splice(0)) told()
  }

  #answered(at: number, status: number, has: number): void {
    if (this.#isOver) return
    const copy = this.others[at]
    if (copy === undefined) return
    if (status === answerStatus.done && has <= this.set.given) {
      if (this.set.has(at, has, this.#deps.clock.nowMs())) this.#release()
      return
    }
    if (this.#troubled.has(copy.member)) return
    this.#troubled.add(copy.member)
    const cannot = status === answerStatus.full || status === answerStatus.damaged
    this.#deps.troubled(copy.member, cannot ? 'cannot' : 'refuses')
  }

  /** CS1 */
  #release(): void {
    if (this.#isOver) return
    const upTo = this.set.committed
    let count = 0
    for (const { seq, learning, resolve } of this.#waiting) {
      if (seq > upTo || learning !== null) break
      resolve('done')
      count += 1
    }
    this.#waiting.splice(0, count)
    this.#countWaiting(-count)
  }
}

/** With the edge behind it. */
function endOf({ offset, bytes }: StoreWrite): number {
  return offset + bytes + BLOCK_BYTES
}
