// An outbox gathers what one turn of the event loop sends on a connection, so that it leaves in one write.
//
//   reserve, attach, lend … take ──parts──▶ stream.write … stream.written ──released(part)──▶ chunk back to the pool
//
// Invariants:
//   O1. Bytes leave in the order in which they were reserved or attached.
//   O2. A chunk, or a buffer that was lent, goes back to the pool when all parts of it were released, and not before.
//   O3. An idle outbox holds no chunk.
import { assert } from '../base/assert.ts'
import type { BufferPool } from '../base/buffer-pool.ts'

/** Holds one Data-In of our largest data segment, or the responses to over a hundred reads of 4 KiB. */
const chunkBytes = 512 * 1024

const nothing = new Uint8Array(0)

interface Chunk {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Where the next reservation begins. */
  used: number
  /** Where the bytes begin that are in no part yet. */
  cut: number
  /** Parts that were cut and not released, taken or not. */
  parts: number
}

export class Outbox {
  /** The chunk of the last reservation: what `reserve` returns is an offset in it. */
  bytes: Uint8Array<ArrayBuffer> = nothing
  readonly #pool: BufferPool
  #chunk: Chunk | null = null
  #parts: Uint8Array[] = []
  /** The chunks that parts were cut from, and what was lent, by their buffer. */
  readonly #owners = new Map<ArrayBufferLike, Chunk>()
  #waitingBytes = 0

  constructor(pool: BufferPool) {
    this.#pool = pool
  }

  /** Bytes reserved or attached and not taken. */
  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** Room for `count` bytes, in one piece, in `bytes` at the returned offset; to be filled before the next `take`. Holds whatever was there before. */
  reserve(count: number): number {
    let chunk = this.#chunk
    if (chunk === null || chunk.used + count > chunk.bytes.length) {
      this.#leaveChunk()
      chunk = {
        bytes: this.#pool.take(Math.max(chunkBytes, count)),
        used: 0,
        cut: 0,
        parts: 0,
      }
      this.#chunk = chunk
      this.bytes = chunk.bytes
    }
    const at = chunk.used
    chunk.used += count
    this.#waitingBytes += count
    return at
  }

  /** Takes the last reservation back: it began at `at`, and nothing was attached or taken since. */
  unreserve(at: number): void {
    const chunk = this.#chunk
    assert(chunk !== null && at >= chunk.cut && at <= chunk.used, 'only the last is taken back')
    this.#waitingBytes -= chunk.used - at
    chunk.used = at
    if (chunk.parts === 0 && chunk.used === chunk.cut) this.#leaveChunk()
  }

  /** Sends bytes from where they are; they must not change until their part is released. */
  attach(view: Uint8Array): void {
    this.#cutPart()
    this.#parts.push(view)
    this.#waitingBytes += view.length
  }

  /** Attaches a part of a buffer of the pool, to which it goes when all that was lent of it is released. */
  lend(view: Uint8Array<ArrayBuffer>): void {
    this.attach(view)
    const { buffer } = view
    const owner = this.#owners.get(buffer)
    if (owner !== undefined) owner.parts += 1
    else this.#owners.set(buffer, { bytes: new Uint8Array(buffer), used: 0, cut: 0, parts: 1 })
  }

  /** What is to be written, in order. The array is the caller's; each part is given to `released` when it was written. */
  take(): Uint8Array[] {
    this.#cutPart()
    const parts = this.#parts
    this.#parts = []
    this.#waitingBytes = 0
    return parts
  }

  /** The stream does not need the bytes of this part any more. Attached views may be given too. */
  released(part: Uint8Array): void {
    const chunk = this.#owners.get(part.buffer)
    if (chunk === undefined) return
    assert(chunk.parts > 0, 'O2 a part is released once')
    chunk.parts -= 1
    if (chunk.parts > 0) return
    this.#owners.delete(part.buffer)
    if (chunk !== this.#chunk) this.#pool.give(chunk.bytes)
    else if (chunk.cut === chunk.used) this.#leaveChunk()
  }

  #cutPart(): void {
    const chunk = this.#chunk
    if (chunk === null || chunk.cut === chunk.used) return
    this.#parts.push(chunk.bytes.subarray(chunk.cut, chunk.used))
    chunk.cut = chunk.used
    chunk.parts += 1
    this.#owners.set(chunk.bytes.buffer, chunk)
  }

  #leaveChunk(): void {
    this.#cutPart()
    if (this.#chunk !== null && this.#chunk.parts === 0) this.#pool.give(this.#chunk.bytes)
    this.#chunk = null
    this.bytes = nothing
  }
}
