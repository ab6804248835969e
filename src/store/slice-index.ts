// What is known of each slice as a whole, beside its pages.
import { readU32, writeU32 } from '../base/bytes.ts'
import { epoch, type SliceId, sliceId } from '../base/ids.ts'
import { readU64, writeU64 } from './fields.ts'
import { SLICE_ENTRY } from './layout.ts'
import { Newest, type Stamp } from './stamp.ts'

export class SliceIndex {
  /** The newest change of each that is in the store, also if what it changed is gone since. */
  readonly #newest = new Map<SliceId, Newest>()

  /** Null: none yet. */
  newestOf(slice: SliceId): Stamp | null {
    return this.#newest.get(slice) ?? null
  }

  raise(slice: SliceId, stamp: Stamp): void {
    let newest = this.#newest.get(slice)
    if (newest === undefined) {
      newest = new Newest()
      this.#newest.set(slice, newest)
    }
    newest.raise(stamp)
  }

  encode(): Uint8Array {
    const bytes = new Uint8Array(this.#newest.size * SLICE_ENTRY.end)
    let at = 0
    for (const [slice, newest] of this.#newest) {
      writeU32(bytes, at + SLICE_ENTRY.slice, slice)
      writeU64(bytes, at + SLICE_ENTRY.newestEpoch, newest.epoch)
      writeU64(bytes, at + SLICE_ENTRY.newestSeq, newest.seq)
      at += SLICE_ENTRY.end
    }
    return bytes
  }

  /** Adds what `encode` gave. */
  decode(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += SLICE_ENTRY.end) {
      const newest = readU64(bytes, at + SLICE_ENTRY.newestEpoch)
      const seq = readU64(bytes, at + SLICE_ENTRY.newestSeq)
      this.raise(sliceId(readU32(bytes, at + SLICE_ENTRY.slice)), { epoch: epoch(newest), seq })
    }
  }
}
