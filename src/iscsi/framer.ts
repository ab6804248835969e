// A framer cuts a byte stream into PDUs (RFC 7143 §11.1): header, additional headers, header digest, data, padding, data
// digest.
//
// Invariants:
//   F1. The PDUs that come out do not depend on how the stream was cut into pushes.
//   F2. A PDU that lies whole in a pushed chunk is not copied; of one that does not, what has come is kept.
//   F3. Never more than one PDU is kept, and none larger than the limits: its header is judged before its data is
//       awaited.
import { assert } from '../base/assert.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import { digestBytes, rangeIsIntact } from './digest.ts'
import { ahsBytesOf, bhsBytes, dataSegmentLength, padded } from './pdu.ts'

/** One PDU where it lies. There is one per framer, valid until the next call of `next` and not after the turn in which its bytes were received. */
export class Pdu {
  /** Holds the whole PDU; its header begins at `at`. */
  header: Uint8Array = nothing
  at = 0
  /** Without the immediate bit. */
  opcode = 0
  /** Additional header segments begin at `at + 48`. */
  ahsBytes = 0
  /** Of the data segment in `header`, without padding. */
  dataAt = 0
  dataBytes = 0
  /** The data segment is not what was sent (§7.8); the header is. */
  digestError = false

  /** A view of the data segment, made at each call. */
  get data(): Uint8Array {
    return this.header.subarray(this.dataAt, this.dataAt + this.dataBytes)
  }
}

const nothing = new Uint8Array(0)
const leastKept = 4096

export interface FramerLimits {
  readonly maxDataBytes: number
  readonly maxAhsBytes: number
}

export class Framer {
  /** These three are settable between two PDUs: login runs without digests and with data segments of at most 8192 bytes (§13.12). */
  headerDigest = false
  dataDigest = false
  maxDataBytes: number
  readonly #maxAhsBytes: number
  readonly #pdu = new Pdu()
  #chunk: Uint8Array = nothing
  #at = 0
  /** The beginning of a PDU whose end has not come. */
  #kept: Uint8Array = nothing
  #keptBytes = 0

  constructor(limits: FramerLimits) {
    this.maxDataBytes = limits.maxDataBytes
    this.#maxAhsBytes = limits.maxAhsBytes
  }

  /** Takes the next chunk of the stream, once `next` has returned null for the one before. The chunk must stay as it is until then. */
  push(bytes: Uint8Array): void {
    assert(this.#at === this.#chunk.length, 'a chunk is pushed when the one before is used up')
    this.#chunk = bytes
    this.#at = 0
  }

  /** The next whole PDU, or null when more bytes are needed. Throws ProtocolError; nothing can be read after it. */
  next(): Pdu | null {
    if (this.#keptBytes > 0) return this.#completeKept()
    const left = this.#chunk.length - this.#at
    if (left >= bhsBytes) {
      const bytes = this.#bytesOf(this.#chunk, this.#at)
      if (left >= bytes) {
        const at = this.#at
        this.#at += bytes
        return this.#view(this.#chunk, at)
      }
      this.#keep(left, bytes)
    } else {
      this.#keep(left, bhsBytes)
    }
    return null
  }

  #completeKept(): Pdu | null {
    if (!this.#keep(bhsBytes - this.#keptBytes, bhsBytes)) return null
    const bytes = this.#bytesOf(this.#kept, 0)
    if (!this.#keep(bytes - this.#keptBytes, bytes)) return null
    this.#keptBytes = 0
    return this.#view(this.#kept, 0)
  }

  /** Moves up to `count` bytes of the chunk behind what is kept; true if that made `whole` bytes. */
  #keep(count: number, whole: number): boolean {
    const moved = Math.min(count, this.#chunk.length - this.#at)
    if (moved > 0) {
      if (whole > this.#kept.length) this.#grow(whole)
      this.#kept.set(this.#chunk.subarray(this.#at, this.#at + moved), this.#keptBytes)
      this.#keptBytes += moved
      this.#at += moved
    }
    if (this.#at === this.#chunk.length) this.#letGo()
    return this.#keptBytes >= whole
  }

  /** The chunk belongs to the stream again. */
  #letGo(): void {
    this.#chunk = nothing
    this.#at = 0
  }

  #grow(bytes: number): void {
    const larger = new Uint8Array(Math.max(leastKept, bytes))
    larger.set(this.#kept.subarray(0, this.#keptBytes))
    this.#kept = larger
  }

  /** The length on the wire of the PDU whose basic header begins at `at`. */
  #bytesOf(bytes: Uint8Array, at: number): number {
    const ahsBytes = ahsBytesOf(bytes, at)
    const dataBytes = dataSegmentLength(bytes, at)
    if (ahsBytes > this.#maxAhsBytes) {
      throw new ProtocolError(`${ahsBytes} bytes of additional headers`, 'RFC 7143 §11.2.1.5')
    }
    if (dataBytes > this.maxDataBytes) {
      throw new ProtocolError(`a data segment of ${dataBytes} bytes`, 'RFC 7143 §13.12')
    }
    const digests =
      (this.headerDigest ? digestBytes : 0) + (this.dataDigest && dataBytes > 0 ? digestBytes : 0)
    return bhsBytes + ahsBytes + padded(dataBytes) + digests
  }

  #view(bytes: Uint8Array, at: number): Pdu {
    const pdu = this.#pdu
    pdu.header = bytes
    pdu.at = at
    pdu.opcode = (bytes[at] ?? 0) & 0x3f
    pdu.ahsBytes = ahsBytesOf(bytes, at)
    pdu.dataBytes = dataSegmentLength(bytes, at)
    pdu.digestError = false
    let dataAt = at + bhsBytes + pdu.ahsBytes
    if (this.headerDigest) {
      if (!rangeIsIntact(bytes, at, dataAt)) {
        throw new ProtocolError('a header that does not match its digest', 'RFC 7143 §7.8')
      }
      dataAt += digestBytes
    }
    pdu.dataAt = dataAt
    if (this.dataDigest && pdu.dataBytes > 0) {
      pdu.digestError = !rangeIsIntact(bytes, dataAt, dataAt + padded(pdu.dataBytes))
    }
    return pdu
  }
}
