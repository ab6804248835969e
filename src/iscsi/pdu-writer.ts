// A PDU writer lays PDUs out in an outbox, for both halves: `begin` reserves one and clears its header, the caller fills in
// fields and data, `seal` adds the digests. Additional header segments are never sent: libiscsi gives the connection up over
// them.
//
// Invariants:
//   W1. After `silence` nothing is written any more: what is reserved leads nowhere.
import { writeU24 } from '../base/bytes.ts'
import { crc32c } from '../base/crc32c.ts'
import { digestBytes, sealRange, writeDigest } from './digest.ts'
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

  /** Bytes of a whole PDU. */
  wireBytes(dataBytes: number): number {
    return this.headBytes + dataBytes + this.tailBytes(dataBytes)
  }

  /** Room in `bytes` for PDUs that the caller lays out with `writeHead` and completes with `seal`. */
  reserve(count: number): number {
    if (this.#silent) {
      if (this.bytes.length < count) this.bytes = new Uint8Array(count)
      return 0
    }
    const at = this.#outbox.reserve(count)
    this.bytes = this.#outbox.bytes
    return at
  }

  /** Takes the last reservation back. */
  unreserve(at: number): void {
    if (!this.#silent) this.#outbox.unreserve(at)
  }

  /** Sends bytes from where they are; see Outbox. */
  attach(view: Uint8Array): void {
    if (!this.#silent) this.#outbox.attach(view)
  }

  /** The same of a part of a buffer of the pool; see Outbox. */
  lend(view: Uint8Array<ArrayBuffer>): void {
    if (!this.#silent) this.#outbox.lend(view)
  }

  /** `first` and `flags` are the header's first two bytes. Returns where the header begins in `bytes`; its other fields are zero, its data (from `dataAt`) is arbitrary. */
  begin(first: number, flags: number, dataBytes: number): number {
    const at = this.reserve(this.wireBytes(dataBytes))
    this.writeHead(at, first, flags, dataBytes)
    return at
  }

  /** Begins a PDU in room that was reserved for all of it: a clear header, and zeros as padding. */
  writeHead(at: number, first: number, flags: number, dataBytes: number): void {
    this.writeHeader(at, first, flags, dataBytes)
    const end = this.dataAt + dataBytes
    this.bytes.fill(0, end, this.dataAt + padded(dataBytes))
  }

  /** Completes a PDU whose header begins at `at` in `bytes`, once all its other bytes are there. */
  seal(at: number, dataBytes: number): void {
    if (this.headerDigest) sealRange(this.bytes, at, at + bhsBytes)
    if (this.dataDigest && dataBytes > 0) {
      const dataAt = at + this.headBytes
      sealRange(this.bytes, dataAt, dataAt + padded(dataBytes))
    }
  }

  /** Begins a PDU whose data is elsewhere, in `headBytes` that were reserved: a clear header. */
  writeHeader(at: number, first: number, flags: number, dataBytes: number): void {
    const bytes = this.bytes
    bytes.fill(0, at, at + bhsBytes)
    bytes[at] = first
    bytes[at + 1] = flags
    writeU24(bytes, at + bhsAt.dataSegmentLength, dataBytes)
    this.dataAt = at + this.headBytes
  }

  /** Completes such a PDU: its header begins at `at`, `data` is sent from where it is and must not change until then. */
  sealAround(at: number, data: Uint8Array): void {
    if (this.headerDigest) sealRange(this.bytes, at, at + bhsBytes)
    this.attach(data)
    this.#writeTail(data)
  }

  /** The same with a part of a buffer of the pool. */
  sealAroundLent(at: number, data: Uint8Array<ArrayBuffer>): void {
    if (this.headerDigest) sealRange(this.bytes, at, at + bhsBytes)
    this.lend(data)
    this.#writeTail(data)
  }

  #writeTail(data: Uint8Array): void {
    const padBytes = padded(data.length) - data.length
    const tailBytes = this.tailBytes(data.length)
    if (tailBytes === 0) return
    const tailAt = this.reserve(tailBytes)
    this.bytes.fill(0, tailAt, tailAt + padBytes)
    if (!this.dataDigest) return
    const padding = this.bytes.subarray(tailAt, tailAt + padBytes)
    writeDigest(this.bytes, tailAt + padBytes, crc32c(padding, crc32c(data)))
  }
}
