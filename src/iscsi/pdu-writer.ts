// Writes PDUs into an outbox, for both halves: `begin` reserves one and clears its header, the caller fills in fields and
// data, `seal` adds the digests. Additional header segments are never sent: libiscsi gives the connection up over them.
//
// Invariants:
//   W1. After `silence` nothing is written any more: `begin` gives a place that leads nowhere.
import { writeU24 } from '../base/bytes.ts'
import { digestBytes, sealRange } from './digest.ts'
import type { Outbox } from './outbox.ts'
import { bhsAt, bhsBytes, padded } from './pdu.ts'

export class PduWriter {
  /** Where the PDU that was begun last lies. */
  bytes: Uint8Array = new Uint8Array(0)
  dataAt = 0
  /** Settable after login, between two PDUs. */
  headerDigest = false
  dataDigest = false
  readonly #outbox: Outbox
  #silent = false

  constructor(outbox: Outbox) {
    this.#outbox = outbox
  }

  get silent(): boolean {
    return this.#silent
  }

  silence(): void {
    this.#silent = true
    this.bytes = new Uint8Array(0)
  }

  /** Bytes from the start of a PDU to its data segment. */
  get headBytes(): number {
    return this.headerDigest ? bhsBytes + digestBytes : bhsBytes
  }

  /** Bytes behind a data segment of this length: padding and digest. */
  tailBytes(dataBytes: number): number {
    const digest = this.dataDigest && dataBytes > 0 ? digestBytes : 0
    return padded(dataBytes) - dataBytes + digest
  }

  /** `first` and `flags` are the header's first two bytes. Returns where the header begins in `bytes`; its other fields are zero, its data (from `dataAt`) is arbitrary. */
  begin(first: number, flags: number, dataBytes: number): number {
    const wireBytes = this.headBytes + dataBytes + this.tailBytes(dataBytes)
    if (this.#silent) {
      if (this.bytes.length < wireBytes) this.bytes = new Uint8Array(wireBytes)
      this.writeHead(0, first, flags, dataBytes)
      return 0
    }
    const at = this.#outbox.reserve(wireBytes)
    this.bytes = this.#outbox.bytes
    this.writeHead(at, first, flags, dataBytes)
    return at
  }

  /** Completes a PDU whose header begins at `at` in `bytes`, once all its other bytes are there. */
  seal(at: number, dataBytes: number): void {
    if (this.headerDigest) sealRange(this.bytes, at, at + bhsBytes)
    if (this.dataDigest && dataBytes > 0) {
      const dataAt = at + this.headBytes
      sealRange(this.bytes, dataAt, dataAt + padded(dataBytes))
    }
  }

  /** Clears a header in `bytes` and the padding behind its data, for callers that reserved the room themselves. */
  writeHead(at: number, first: number, flags: number, dataBytes: number): void {
    const bytes = this.bytes
    bytes.fill(0, at, at + bhsBytes)
    bytes[at] = first
    bytes[at + 1] = flags
    writeU24(bytes, at + bhsAt.dataSegmentLength, dataBytes)
    this.dataAt = at + this.headBytes
    const end = this.dataAt + dataBytes
    bytes.fill(0, end, this.dataAt + padded(dataBytes))
  }
}
