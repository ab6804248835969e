// The highest revision that a handle has seen: a store that answers with a lower one has gone back (G6).
//
// What was asked before a revision was seen may well be answered with one before it, so an answer is judged by what was
// known when its question was sent.
import { NO_REVISION, type Revision } from '../base/ids.ts'

export class RevisionFloor {
  #highest = NO_REVISION
  #lost: string | null = null

  /** As it is when a question is sent. */
  get highest(): Revision {
    return this.#highest
  }

  /** Why the store is not used any more; null: it has not gone back. */
  get lost(): string | null {
    return this.#lost
  }

  /** False: the answer, to a question that was sent at `floor`, is of a store that has gone back, and so is every later one. */
  admits(floor: Revision, rev: Revision): boolean {
    if (rev < floor) {
      this.#lost ??=
        `The group record has gone back from revision ${floor} to ${rev}: an older coordination file was put back. ` +
        "Stop the group and rebuild the file with 'evenkeel recover'."
    }
    if (this.#lost !== null) return false
    if (rev > this.#highest) this.#highest = rev
    return true
  }
}
