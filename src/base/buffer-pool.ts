// Byte buffers that are used again instead of being made anew: what is sent, and the data of writes while it is
// gathered. One pool serves all connections of a kind. Sizes are powers of two; what is given back beyond the bound is
// left to the collector. A new buffer of 256 KiB costs more than to fill it: it is mapped, cleared, and unmapped when
// it is collected.
//
// Invariants:
//   BP1. A buffer is taken by one taker at a time, and holds what was asked for.
//   BP2. The pool keeps no more than it was told.
//   BP3. What was not needed between two calls of `trim` is given up, half of it at each; its memory is free at once.
import { assert } from './assert.ts'

/** 4 KiB, the smallest write that matters, to 8 MiB, the largest; above that a buffer is made and forgotten. */
const leastShift = 12
const mostShift = 23

/** The length of the buffer that is taken for so many bytes. */
export function pooledBytes(bytes: number): number {
  const shift = shiftOf(bytes)
  return shift > mostShift ? bytes : 1 << shift
}

function shiftOf(bytes: number): number {
  return Math.max(leastShift, 32 - Math.clz32(Math.max(bytes, 1) - 1))
}

export class BufferPool {
  readonly #keepBytes: number
  readonly #free: Uint8Array<ArrayBuffer>[][] = []
  #freeBytes = 0
  /** The least of it since the last trim: so much was not needed. */
  #leastFreeBytes = 0

  constructor(keepBytes: number) {
    this.#keepBytes = keepBytes
    for (let shift = leastShift; shift <= mostShift; shift += 1) this.#free.push([])
  }

  /** Of at least `bytes`; what it holds is arbitrary. */
  take(bytes: number): Uint8Array<ArrayBuffer> {
    const shift = shiftOf(bytes)
    const free = this.#free[shift - leastShift]
    if (free === undefined) return new Uint8Array(bytes)
    const buffer = free.pop()
    if (buffer === undefined) return new Uint8Array(1 << shift)
    this.#freeBytes -= buffer.length
    if (this.#freeBytes < this.#leastFreeBytes) this.#leastFreeBytes = this.#freeBytes
    return buffer
  }

  /** What was taken, or a view of its beginning. The giver holds no view of it any more. */
  give(view: Uint8Array<ArrayBuffer>): void {
    const whole = view.buffer
    const buffer = view.length === whole.byteLength ? view : new Uint8Array(whole)
    const free = this.#free[31 - Math.clz32(buffer.length) - leastShift]
    if (free === undefined || buffer.length > 1 << mostShift) return
    if (this.#freeBytes + buffer.length > this.#keepBytes) return
    assert((buffer.length & (buffer.length - 1)) === 0, 'pooled buffers have sizes of the pool')
    free.push(buffer)
    this.#freeBytes += buffer.length
  }

  /** BP3; to be called now and then. */
  trim(): void {
    const keepBytes = this.#freeBytes - Math.ceil(this.#leastFreeBytes / 2)
    for (const free of this.#free.toReversed()) {
      while (this.#freeBytes > keepBytes) {
        const buffer = free.pop()
        if (buffer === undefined) break
        this.#freeBytes -= buffer.length
        buffer.buffer.transfer(0) // instead of waiting for the collector, which an idle process may not run for hours
      }
    }
    this.#leastFreeBytes = this.#freeBytes
  }

  get freeBytes(): number {
    return this.#freeBytes
  }
}
