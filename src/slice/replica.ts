// A member as one copy of a slice that another member serves: of which epoch it takes mutations, and which one comes next. What
// must be durable before what is in the types: a `Promised` epoch comes only from the store that has promised it. Pure.
//
// Invariants (R2: PacificA, as docs/decisions/0012 has it):
//   R2.  A copy's store has promised an epoch before the copy acts on it; it refuses every lower one, and takes mutations only
//        of the epoch in which it was activated since its own start.
//   RL1. What comes again is not taken again, and said to be had only once it is durable.
//   RL2. A copy takes mutations once it is aligned: what the activation pushed to it is durable.
//   RL3. Mutations are taken in the primary's order (R3 of replica-set.ts): a gap is refused, not left open.
import { assert } from '../base/assert.ts'
import { type Epoch, epoch } from '../base/ids.ts'

declare const durable: unique symbol

/** An epoch that the store of this member has promised, durably. */
export type Promised = Epoch & { readonly [durable]: true }

/** `promise` of the store has resolved. */
export function promised(durably: Epoch): Promised {
  return durably as Promised
}

export type Judged =
  /** The next one: to the store with it, and then `stored`. */
  | 'take'
  /** It was taken before: what the copy has is said again. */
  | 'had'
  /** Something before it is missing: what the copy has is said, and the primary sends from there. */
  | 'gap'
  /** Of another epoch than the one in which the copy is active. */
  | 'refused'

const NONE = epoch(0)

export class Replica {
  /** The highest that was asked for: nothing lower is acted on, also while the promise is under way. */
  #asked: Epoch
  #active = NONE
  #isAligned = false
  #taken = 0
  #has = 0

  /** `before`: what the store has promised before this start. */
  constructor(before: Epoch) {
    this.#asked = before
  }

  /** The epoch in which it takes mutations, or will once it is aligned; 0: none. */
  get active(): Epoch {
    return this.#active
  }

  /** Every mutation of the epoch up to this one is durable here. */
  get has(): number {
    return this.#has
  }

  /** A primary asks for the epoch. True: the store is to promise it, and `activate` comes then; false: a lower one, refused. */
  ask(asked: Epoch): boolean {
    if (asked < this.#asked) return false
    this.#asked = asked
    this.#active = NONE
    this.#isAligned = false
    return true
  }

  /** R2. The promise is durable, and everything taken before is over: its versions may be told. False: it has been asked for a higher one since. */
  activate(durably: Promised): boolean {
    if (durably !== this.#asked) return false
    this.#active = durably
    this.#isAligned = false
    return true
  }

  /** RL2. What the primary pushed is durable. False: it has been asked for another epoch since, or once more for this one. */
  aligned(of: Epoch): boolean {
    if (of !== this.#active) return false
    this.#isAligned = true
    this.#taken = 0
    this.#has = 0
    return true
  }

  judge(of: Epoch, seq: number): Judged {
    if (of !== this.#active || !this.#isAligned) return 'refused'
    if (seq <= this.#taken) return 'had'
    if (seq > this.#taken + 1) return 'gap'
    this.#taken = seq
    return 'take'
  }

  /** RL3. One of them could not be kept: nothing behind it is taken. */
  stop(): void {
    this.#active = NONE
    this.#isAligned = false
  }

  /** RL1. The store has it, in the order in which they were taken. False: it has been asked for another epoch since, and nothing is said. */
  stored(of: Epoch, seq: number): boolean {
    if (of !== this.#active || !this.#isAligned) return false
    assert(seq <= this.#taken, 'RL1: only what was taken is stored')
    if (seq > this.#has) this.#has = seq
    return true
  }
}
