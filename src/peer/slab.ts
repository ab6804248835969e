// Small buffers cut from big ones: an ArrayBuffer of its own costs a 4 KiB request more than the copy into it
// (bench/peer.ts: 15 % of a forwarded read). A slab lives until its last part does, so parts must be short-lived.

const SLAB_BYTES = 256 * 1024
/** Beyond it a buffer of its own is cheap enough. */
const PART_BYTES_MAX = 16 * 1024

export class Slab {
  #slab: Uint8Array = new Uint8Array(0)
  #used = 0

  /** Zeros, nobody else's. */
  take(bytes: number): Uint8Array {
    if (bytes > PART_BYTES_MAX) return new Uint8Array(bytes)
    if (this.#used + bytes > this.#slab.length) {
      this.#slab = new Uint8Array(SLAB_BYTES)
      this.#used = 0
    }
    const part = this.#slab.subarray(this.#used, this.#used + bytes)
    this.#used += bytes
    return part
  }
}
