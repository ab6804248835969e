// How many reads may wait for the medium together: they share the threads of libuv's pool with the journal's writes and with
// syncs, which must find one free.
//
// Invariants:
//   CR1. No more than so many are under way, whatever is asked for.
//   CR2. Volumes are served in turn: much that is asked of one holds up another by one read for each place.
import type { VolumeId } from '../base/ids.ts'

/** Of the eight threads that bin/evenkeel asks for: two batches of the journal, with what goes straight beside them, and two syncs share the others. */
const COLD_READS = 4

export class ColdReads {
  #underWay = 0
  /** By volume, the one whose turn is next first. */
  readonly #waiting = new Map<VolumeId, (() => void)[]>()

  /** Others wait for their turn. */
  get isWanted(): boolean {
    return this.#waiting.size > 0
  }

  /** Settles when the read may begin; `ended` must follow. */
  async begun(volume: VolumeId): Promise<void> {
    if (this.#underWay < COLD_READS) {
      this.#underWay += 1
      return
    }
    await new Promise<void>((begin) => {
      const others = this.#waiting.get(volume)
      if (others === undefined) this.#waiting.set(volume, [begin])
      else others.push(begin)
    })
  }

  /** Its place goes to the next that waits. */
  ended(): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#underWay -= 1
      return
    }
    const [volume, reads] = next
    const begin = reads.shift()
    this.#waiting.delete(volume) // CR2
    if (reads.length > 0) this.#waiting.set(volume, reads)
    begin?.()
  }
}
