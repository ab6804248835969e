// Pages that were in a folder which was given up. Nobody knows which pages of a volume that folder had, so every page that
// could be in it, of the volumes of that time, is lost, until it is at home here: written, or unmapped as a whole.
//
// Invariants:
//   LP1. What is lost is 'damaged' until it is overwritten or unmapped, block by block, through restarts; never zeros.
//        After an unmap zeros are right: that they are read does not depend on what was lost.
//   LP2. Volumes that were made later are not concerned, nor what a volume has grown by; a volume that is dropped is
//        forgotten, and one of which nothing is lost any more.
//   LP3. Pages that were not only in that folder are not lost: another member gives them.
import { readU32, writeU32 } from '../base/bytes.ts'
import { type VolumeId, volumeId } from '../base/ids.ts'
import { readU64, writeU64 } from './fields.ts'
import { judgeLayer } from './identity.ts'
import { BASE_LAYER, LOST, LOST_CHUNK, LOST_CHUNK_PAGES } from './layout.ts'

/** A volume of which pages may be in a folder that is given up. */
export interface HeldVolume {
  readonly volume: VolumeId
  /** Of the volume. */
  readonly pages: number
  /** As many of them belong in the folder, whether or not anything was written to them. */
  readonly held: number
  /** Which; absent: all of the volume may be. */
  readonly isHeld?: (page: number) => boolean
}

interface LostVolume extends Omit<HeldVolume, 'isHeld'> {
  /** By chunk of pages: one bit a page that is lost no more. */
  readonly found: Map<number, Uint8Array>
  count: number
}

export class LostPages {
  readonly #volumes = new Map<VolumeId, LostVolume>()

  add(held: HeldVolume): void {
    if (held.held === 0) return
    const { volume, pages, isHeld } = held
    const lost = { volume, pages, held: held.held, found: new Map<number, Uint8Array>(), count: 0 }
    this.#volumes.set(volume, lost)
    if (isHeld === undefined) return
    lost.held = pages
    for (let page = 0; page < pages; page += 1)
      if (!isHeld(page) && mark(lost, page)) lost.count += 1 // LP3
  }

  isOf(volume: VolumeId): boolean {
    return this.#volumes.has(volume)
  }

  /** For a page that is not at home. */
  has(volume: VolumeId, page: number): boolean {
    if (this.#volumes.size === 0) return false
    const lost = this.#volumes.get(volume)
    if (lost === undefined || page >= lost.pages) return false
    const chunk = lost.found.get(Math.floor(page / LOST_CHUNK_PAGES))
    return chunk === undefined || !hasPage(chunk, page)
  }

  /** The page is at home, or was unmapped as a whole. */
  found(volume: VolumeId, page: number): void {
    const lost = this.#volumes.get(volume)
    if (lost === undefined || page >= lost.pages) return
    if (!mark(lost, page)) return
    lost.count += 1
    if (lost.count === lost.held) this.#volumes.delete(volume)
  }

  drop(volume: VolumeId): void {
    this.#volumes.delete(volume)
  }

  volumes(): VolumeId[] {
    return [...this.#volumes.keys()]
  }

  encode(): Uint8Array {
    let bytes = 0
    for (const { found } of this.#volumes.values()) bytes += LOST.end + found.size * LOST_CHUNK.end
    const encoded = new Uint8Array(bytes)
    let at = 0
    for (const { volume, pages, held, found } of this.#volumes.values()) {
      writeU64(encoded, at + LOST.volume, volume)
      writeU32(encoded, at + LOST.layer, BASE_LAYER)
      writeU64(encoded, at + LOST.pages, pages)
      writeU64(encoded, at + LOST.held, held)
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
      const volume = volumeId(readU64(bytes, at + LOST.volume))
      judgeLayer(readU32(bytes, at + LOST.layer), volume)
      const [pages, held] = [readU64(bytes, at + LOST.pages), readU64(bytes, at + LOST.held)]
      const found = new Map<number, Uint8Array>()
      let count = 0
      const chunks = readU64(bytes, at + LOST.chunks)
      at += LOST.end
      for (let i = 0; i < chunks; i += 1) {
        const chunk = bytes.slice(at + LOST_CHUNK.found, at + LOST_CHUNK.end)
        found.set(readU64(bytes, at + LOST_CHUNK.chunk), chunk)
        for (const byte of chunk) count += onesIn(byte)
        at += LOST_CHUNK.end
      }
      this.#volumes.set(volume, { volume, pages, held, found, count })
    }
  }
}

/** False: it was marked. */
function mark({ found }: LostVolume, page: number): boolean {
  const number = Math.floor(page / LOST_CHUNK_PAGES)
  let chunk = found.get(number)
  if (chunk === undefined) {
    chunk = new Uint8Array(LOST_CHUNK_PAGES / 8)
    found.set(number, chunk)
  }
  if (hasPage(chunk, page)) return false
  const bit = page % LOST_CHUNK_PAGES
  chunk[bit >> 3] = (chunk[bit >> 3] ?? 0) | (1 << (bit & 7))
  return true
}

function hasPage(chunk: Uint8Array, page: number): boolean {
  const bit = page % LOST_CHUNK_PAGES
  return (((chunk[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 1
}

function onesIn(byte: number): number {
  let ones = 0
  for (let bits = byte; bits > 0; bits &= bits - 1) ones += 1
  return ones
}
