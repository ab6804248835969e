// Pages that were in a folder which was given up. Nobody knows which pages of a volume that folder had, so every page of
// the volumes of that time is lost, until it is at home here: written, or unmapped as a whole.
//
// Invariants:
//   LP1. What is lost is 'damaged' until it is overwritten or unmapped, block by block, through restarts; never zeros.
//        After an unmap zeros are right: that they are read does not depend on what was lost.
//   LP2. Volumes that were made later are not concerned, and a volume that is dropped is forgotten.
import { readU64, writeU64 } from './fields.ts'
import { LOST, LOST_CHUNK, LOST_CHUNK_PAGES } from './layout.ts'

/** By chunk of pages: one bit a page that is lost no more. */
type Found = Map<number, Uint8Array>

export class LostPages {
  readonly #volumes = new Map<number, Found>()

  add(volume: number): void {
    if (!this.#volumes.has(volume)) this.#volumes.set(volume, new Map())
  }

  isOf(volume: number): boolean {
    return this.#volumes.has(volume)
  }

  /** For a page that is not at home. */
  has(volume: number, page: number): boolean {
    if (this.#volumes.size === 0) return false
    const found = this.#volumes.get(volume)
    if (found === undefined) return false
    const chunk = found.get(Math.floor(page / LOST_CHUNK_PAGES))
    const bit = page % LOST_CHUNK_PAGES
    return chunk === undefined || (((chunk[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 0
  }

  /** The page is at home, or was unmapped as a whole. */
  found(volume: number, page: number): void {
    const found = this.#volumes.get(volume)
    if (found === undefined) return
    const number = Math.floor(page / LOST_CHUNK_PAGES)
    let chunk = found.get(number)
    if (chunk === undefined) {
      chunk = new Uint8Array(LOST_CHUNK_PAGES / 8)
      found.set(number, chunk)
    }
    const bit = page % LOST_CHUNK_PAGES
    chunk[bit >> 3] = (chunk[bit >> 3] ?? 0) | (1 << (bit & 7))
  }

  drop(volume: number): void {
    this.#volumes.delete(volume)
  }

  volumes(): number[] {
    return [...this.#volumes.keys()]
  }

  encode(): Uint8Array {
    let bytes = 0
    for (const found of this.#volumes.values()) bytes += LOST.end + found.size * LOST_CHUNK.end
    const encoded = new Uint8Array(bytes)
    let at = 0
    for (const [volume, found] of this.#volumes) {
      writeU64(encoded, at + LOST.volume, volume)
      writeU64(encoded, at + LOST.chunks, found.size)
      at += LOST.end
      for (const [number, chunk] of found) {
        writeU64(encoded, at + LOST_CHUNK.chunk, number)
        encoded.set(chunk, at + LOST_CHUNK.found)
        at += LOST_CHUNK.end
      }
    }
    return encoded
  }

  /** Adds what `encode` gave. */
  decode(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length) {
      const found: Found = new Map()
      this.#volumes.set(readU64(bytes, at + LOST.volume), found)
      const chunks = readU64(bytes, at + LOST.chunks)
      at += LOST.end
      for (let i = 0; i < chunks; i += 1) {
        const from = at + LOST_CHUNK.found
        found.set(readU64(bytes, at + LOST_CHUNK.chunk), bytes.slice(from, at + LOST_CHUNK.end))
        at += LOST_CHUNK.end
      }
    }
  }
}
