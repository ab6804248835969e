// The highest epoch of each slice that this member was about to raise the slice to, written before the group's record has it.
// So a store that has promised less than the record has is an older copy.
import { readU32, writeU32 } from '../base/bytes.ts'
import { type Epoch, epoch, type SliceId, sliceId } from '../base/ids.ts'
import { readU64, writeU64 } from './fields.ts'
import { PROMISE } from './layout.ts'

/** What a slice has when the group is founded: nobody raised it to that. */
const FOUNDED = epoch(1)

export class Promises {
  readonly #epochs = new Map<SliceId, Epoch>()

  get isEmpty(): boolean {
    return this.#epochs.size === 0
  }

  get all(): ReadonlyMap<SliceId, Epoch> {
    return this.#epochs
  }

  of(slice: SliceId): Epoch {
    return this.#epochs.get(slice) ?? FOUNDED
  }

  /** Never lowers one. */
  add(epochs: ReadonlyMap<SliceId, Epoch>): void {
    for (const [slice, epoch] of epochs) {
      if (epoch > this.of(slice)) this.#epochs.set(slice, epoch)
    }
  }

  /** A slice that has a higher epoch there than was promised here; null: there is none. */
  behind(epochs: ReadonlyMap<SliceId, Epoch>): SliceId | null {
    for (const [slice, epoch] of epochs) if (epoch > this.of(slice)) return slice
    return null
  }

  encode(): Uint8Array {
    return encodeEpochs(this.#epochs)
  }
}

export function encodeEpochs(epochs: ReadonlyMap<SliceId, Epoch>): Uint8Array {
  const bytes = new Uint8Array(epochs.size * PROMISE.end)
  let at = 0
  for (const [slice, epoch] of epochs) {
    writeU32(bytes, at + PROMISE.slice, slice)
    writeU64(bytes, at + PROMISE.epoch, epoch)
    at += PROMISE.end
  }
  return bytes
}

export function decodeEpochs(bytes: Uint8Array): Map<SliceId, Epoch> {
  const epochs = new Map<SliceId, Epoch>()
  for (let at = 0; at < bytes.length; at += PROMISE.end) {
    epochs.set(
      sliceId(readU32(bytes, at + PROMISE.slice)),
      epoch(readU64(bytes, at + PROMISE.epoch)),
    )
  }
  return epochs
}
