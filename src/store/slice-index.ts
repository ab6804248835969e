// What is known of each slice as a whole, beside its pages.
//
// Invariants:
//   SI1. A tombstone that is listed no more is folded into its slice: a page of it that has none was never there, or was
//        vacated at the folded stamp or before it, if the store had all changes of the slice up to there.
//   SI2. A slice that was dropped has no change and nothing folded, but the epoch under which it was dropped, with seq 0,
//        stays: a group's record that has not come to it is an older one (G26), by which the pages would be missed here.
import { readU32, writeU32 } from '../base/bytes.ts'
import { type Epoch, epoch, type SliceId, sliceId } from '../base/ids.ts'
import { readU64, writeU64 } from './fields.ts'
import { SLICE_ENTRY } from './layout.ts'
import { Newest, type Stamp } from './stamp.ts'

interface Known {
  /** The newest change that is in the store, also if what it changed is gone since; the drop, if there is none since. */
  readonly newest: Newest
  /** The newest of the tombstones that are listed no more. */
  readonly folded: Newest
}

export class SliceIndex {
  readonly #slices = new Map<SliceId, Known>()

  /** Null: none yet. */
  newestOf(slice: SliceId): Stamp | null {
    return this.#slices.get(slice)?.newest ?? null
  }

  foldedOf(slice: SliceId): Stamp | null {
    const folded = this.#slices.get(slice)?.folded
    return folded === undefined || folded.epoch === 0 ? null : folded
  }

  raise(slice: SliceId, stamp: Stamp): void {
    this.#at(slice).newest.raise(stamp)
  }

  /** SI1 */
  fold(slice: SliceId, stamp: Stamp): void {
    this.#at(slice).folded.raise(stamp)
  }

  /** SI2 */
  drop(slice: SliceId, under: Epoch): void {
    const { newest, folded } = this.#at(slice)
    const last = newest.epoch > under ? newest.epoch : under
    folded.clear()
    newest.clear()
    newest.raise({ epoch: last, seq: 0 })
  }

  /** Of the newest change of each. */
  *epochs(): Generator<readonly [SliceId, Epoch]> {
    for (const [slice, { newest }] of this.#slices) yield [slice, newest.epoch]
  }

  /** That have had a change since they were dropped. */
  *changed(): Generator<SliceId> {
    for (const [slice, { newest }] of this.#slices) if (newest.seq > 0) yield slice
  }

  encode(): Uint8Array {
    const bytes = new Uint8Array(this.#slices.size * SLICE_ENTRY.end)
    let at = 0
    for (const [slice, { newest, folded }] of this.#slices) {
      writeU32(bytes, at + SLICE_ENTRY.slice, slice)
      writeU64(bytes, at + SLICE_ENTRY.newestEpoch, newest.epoch)
      writeU64(bytes, at + SLICE_ENTRY.newestSeq, newest.seq)
      writeU64(bytes, at + SLICE_ENTRY.foldedEpoch, folded.epoch)
      writeU64(bytes, at + SLICE_ENTRY.foldedSeq, folded.seq)
      at += SLICE_ENTRY.end
    }
    return bytes
  }

  /** Adds what `encode` gave. */
  decode(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += SLICE_ENTRY.end) {
      const stamp = (epochAt: number, seqAt: number) => ({
        epoch: epoch(readU64(bytes, at + epochAt)),
        seq: readU64(bytes, at + seqAt),
      })
      const slice = sliceId(readU32(bytes, at + SLICE_ENTRY.slice))
      this.raise(slice, stamp(SLICE_ENTRY.newestEpoch, SLICE_ENTRY.newestSeq))
      this.fold(slice, stamp(SLICE_ENTRY.foldedEpoch, SLICE_ENTRY.foldedSeq))
    }
  }

  #at(slice: SliceId): Known {
    let known = this.#slices.get(slice)
    if (known === undefined) {
      known = { newest: new Newest(), folded: new Newest() }
      this.#slices.set(slice, known)
    }
    return known
  }
}
