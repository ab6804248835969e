// The pages to which writes are on their way: admitted, and not yet in the index or the overlay. Who looks whether a page
// holds anything must ask here too, since a drop or an unmap before them in the queue may take what it holds today.
import type { VolumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../base/sizes.ts'
import { edgesOf, partsOf, type StoreWrite } from './record.ts'

/** Above every page number. */
const PAGES_A_VOLUME = 2 ** 28

export class ExpectedPages {
  readonly #writes = new Map<number, number>()

  add(write: StoreWrite): void {
    this.#count(write, 1)
  }

  remove(write: StoreWrite): void {
    this.#count(write, -1)
  }

  /** How many pages of the range are expected. */
  within(volume: VolumeId, offset: number, bytes: number): number {
    if (this.#writes.size === 0) return 0
    const first = keyOf(volume, offset)
    const last = keyOf(volume, offset + bytes - 1)
    let pages = 0
    for (const key of this.#writes.keys()) if (key >= first && key <= last) pages += 1
    return pages
  }

  #count(write: StoreWrite, more: 1 | -1): void {
    const { volume, offset, bytes, data } = write
    if (data === null) {
      if (edgesOf(write) === 0) return
      for (const part of partsOf(write)) if (part.data !== null) this.#count(part, more)
      return
    }
    const last = keyOf(volume, offset + bytes - BLOCK_BYTES)
    for (let key = keyOf(volume, offset); key <= last; key += 1) {
      const writes = (this.#writes.get(key) ?? 0) + more
      if (writes > 0) this.#writes.set(key, writes)
      else this.#writes.delete(key)
    }
  }
}

function keyOf(volume: VolumeId, offset: number): number {
  return volume * PAGES_A_VOLUME + Math.floor(offset / PAGE_BYTES)
}
