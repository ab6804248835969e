// Questions, messages and replies that come in several frames.
import { broken, type Frame, lastFlag } from './frames.ts'

/** More than any report of a member; bounds what another one can make us keep. */
const BYTES_MAX = 4 * 1024 * 1024

export class Reassembly {
  readonly #parts = new Map<number, Uint8Array[]>()
  #bytes = 0

  /** The whole payload once its last frame is there, valid only while the frame is. */
  add(f: Frame): Uint8Array | null {
    const isLast = (f.flags & lastFlag) !== 0
    const parts = this.#parts.get(f.request)
    if (isLast && parts === undefined) return f.payload
    this.#bytes += f.payloadBytes
    if (this.#bytes > BYTES_MAX) throw broken('more text than a member may have under way')
    const mine = parts ?? []
    mine.push(f.payload.slice())
    if (!isLast) {
      this.#parts.set(f.request, mine)
      return null
    }
    this.#parts.delete(f.request)
    return this.#whole(mine)
  }

  #whole(parts: readonly Uint8Array[]): Uint8Array {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0)
    this.#bytes -= bytes
    const whole = new Uint8Array(bytes)
    let at = 0
    for (const part of parts) {
      whole.set(part, at)
      at += part.length
    }
    return whole
  }
}
