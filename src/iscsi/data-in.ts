// The data of reads (RFC 7143 §11.7): cut into Data-In PDUs of at most the initiator's MaxRecvDataSegmentLength, in
// bursts of at most MaxBurstLength, with GOOD status in the last one.
//
//   reserve ──views to fill──▶ finish | drop          the data is read straight into what is sent
//   send                                              the data came later
//
// Invariants:
//   I1. The payloads of one read are its bytes in order, each once, and no more than the initiator expects.
//   I2. F ends each burst, S comes in the last PDU only, and then with F.
import { assert } from '../base/assert.ts'
import { writeU32 } from '../base/bytes.ts'
import { type Answers, residualBits, residualCount } from './answers.ts'
import type { Negotiated } from './negotiate.ts'
import { bhsAt, dataInAt, dataInStatusBit, finalBit, opcode, reservedTag } from './pdu.ts'
import type { PduWriter } from './pdu-writer.ts'
import type { Task } from './task.ts'

/** Up to here a copy is cheaper than a write of its own for each part. */
const copyBytesMax = 64 * 1024

export class DataIn {
  readonly #parameters: Negotiated
  readonly #writer: PduWriter
  readonly #answers: Answers
  #reservedAt = 0
  #bytes = 0
  #dataSn = 0
  #reserved: Task | null = null

  constructor(parameters: Negotiated, answers: Answers) {
    this.#parameters = parameters
    this.#answers = answers
    this.#writer = answers.writer
  }

  hasReserved(task: Task): boolean {
    return this.#reserved === task
  }

  /** Bytes that the initiator takes of a read of `bytes`. */
  takes(task: Task, bytes: number): number {
    return task.isRead ? Math.min(bytes, task.expectedDataTransferLength) : 0
  }

  /** Appends the payloads to fill to `into`: `bytes` in all, more than 0, in order. */
  reserve(task: Task, bytes: number, into: Uint8Array[]): void {
    assert(this.#reserved === null, 'one read at a time is reserved')
    const writer = this.#writer
    let wireBytes = 0
    for (let from = 0; from < bytes; ) {
      const count = this.#segment(from, bytes)
      wireBytes += writer.wireBytes(count)
      from += count
    }
    let at = writer.reserve(wireBytes)
    this.#reserved = task
    this.#reservedAt = at
    this.#bytes = bytes
    this.#dataSn = 0
    for (let from = 0; from < bytes; ) {
      const count = this.#segment(from, bytes)
      writer.writeHead(at, opcode.dataIn, this.#flags(from + count, bytes), count)
      this.#fill(task, at, from)
      into.push(writer.bytes.subarray(writer.dataAt, writer.dataAt + count))
      at += writer.wireBytes(count)
      from += count
    }
  }

  /** The payloads are filled: completes what was reserved, with GOOD status. */
  finish(task: Task, cdbTransferLength: number): void {
    assert(this.#reserved === task, 'the read that was reserved is finished')
    this.#reserved = null
    const bytes = this.#bytes
    let at = this.#reservedAt
    for (let from = 0; from < bytes; ) {
      const count = this.#segment(from, bytes)
      from += count
      this.#fillPresent(task, at, from === bytes ? cdbTransferLength : null)
      this.#writer.seal(at, count)
      at += this.#writer.wireBytes(count)
    }
  }

  /** Nothing of what is reserved, if anything is, will be sent; nothing else was written since. */
  drop(): void {
    if (this.#reserved === null) return
    this.#reserved = null
    this.#writer.unreserve(this.#reservedAt)
  }

  /** `data`, more than 0 bytes, is copied if it is small; else it is sent from where it is, and must not change until it was written. */
  send(task: Task, data: Uint8Array, cdbTransferLength: number): void {
    if (data.length <= copyBytesMax) this.#sendCopy(task, data, cdbTransferLength)
    else this.#sendInPlace(task, data, cdbTransferLength)
  }

  #sendCopy(task: Task, data: Uint8Array, cdbTransferLength: number): void {
    const into: Uint8Array[] = []
    this.reserve(task, data.length, into)
    let from = 0
    for (const payload of into) {
      payload.set(data.subarray(from, from + payload.length))
      from += payload.length
    }
    this.finish(task, cdbTransferLength)
  }

  #sendInPlace(task: Task, data: Uint8Array, cdbTransferLength: number): void {
    const writer = this.#writer
    this.#dataSn = 0
    for (let from = 0; from < data.length; ) {
      const to = from + this.#segment(from, data.length)
      const at = writer.reserve(writer.headBytes)
      writer.writeHeader(at, opcode.dataIn, this.#flags(to, data.length), to - from)
      this.#fill(task, at, from)
      this.#fillPresent(task, at, to === data.length ? cdbTransferLength : null)
      writer.sealAround(at, data.subarray(from, to))
      from = to
    }
  }

  /** Bytes of the PDU that begins at offset `from`. */
  #segment(from: number, bytes: number): number {
    const { maxBurstLength, maxSendDataSegmentLength } = this.#parameters
    const burstLeft = maxBurstLength - (from % maxBurstLength)
    return Math.min(maxSendDataSegmentLength, burstLeft, bytes - from)
  }

  /** I2, of the PDU that ends at offset `to`. */
  #flags(to: number, bytes: number): number {
    if (to === bytes) return finalBit | dataInStatusBit
    return to % this.#parameters.maxBurstLength === 0 ? finalBit : 0
  }

  /** What does not depend on when it is sent. */
  #fill(task: Task, at: number, from: number): void {
    const { bytes } = this.#writer
    writeU32(bytes, at + bhsAt.initiatorTaskTag, task.initiatorTaskTag)
    writeU32(bytes, at + dataInAt.targetTransferTag, reservedTag)
    writeU32(bytes, at + dataInAt.dataSn, this.#dataSn)
    writeU32(bytes, at + dataInAt.bufferOffset, from)
    this.#dataSn += 1
  }

  /** What does; `cdbTransferLength` of the PDU with status, else null. */
  #fillPresent(task: Task, at: number, cdbTransferLength: number | null): void {
    const { bytes } = this.#writer
    this.#answers.writeWindow(bytes, at)
    if (cdbTransferLength === null) return
    bytes[at + bhsAt.flags] = (bytes[at + bhsAt.flags] ?? 0) | residualBits(task, cdbTransferLength)
    writeU32(bytes, at + dataInAt.statSn, this.#answers.takeStatSn(task))
    writeU32(bytes, at + dataInAt.residualCount, residualCount(task, cdbTransferLength))
  }
}
