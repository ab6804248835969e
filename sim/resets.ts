// Watches that LOGICAL UNIT RESETs keep their word (Z1 of src/target/unit-reset.ts): a write that any member had begun
// before a reset was sent takes its place at no primary once that reset was answered as complete. Writes are known by the
// stamps of their blocks (src/initiator/pattern.ts), each transmission by its own.
import { readU32 } from '../src/base/bytes.ts'

const MAGIC = 0x45_4b_42_31
const HEAD_BYTES = 12

export class ResetWatch {
  readonly #begunMs = new Map<string, number>()
  /** What had begun before this is over. */
  #overMs = Number.NEGATIVE_INFINITY

  begins(data: Uint8Array, nowMs: number): void {
    const stamp = stampOf(data)
    if (stamp !== null && !this.#begunMs.has(stamp)) this.#begunMs.set(stamp, nowMs)
  }

  /** A reset that was sent then is answered as complete now. */
  complete(sentMs: number): void {
    this.#overMs = Math.max(this.#overMs, sentMs)
  }

  /** null: the write may be carried out; else why not. */
  objection(data: Uint8Array): string | null {
    const stamp = stampOf(data)
    const begunMs = stamp === null ? undefined : this.#begunMs.get(stamp)
    if (begunMs === undefined || begunMs >= this.#overMs) return null
    return `write ${stamp} began at ${begunMs} and is carried out after the reset of ${this.#overMs}`
  }
}

function stampOf(data: Uint8Array): string | null {
  if (data.length < HEAD_BYTES || readU32(data, 0) !== MAGIC) return null
  return `${readU32(data, 4)}.${readU32(data, 8)}`
}
