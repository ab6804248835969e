// The data of reads (RFC 7143 §11.7): cut into Data-In PDUs of at most the initiator's MaxRecvDataSegmentLength, in
// bursts of at most MaxBurstLength, with GOOD status in the last one.
//
//   reserve ──views to fill──▶ finish | drop          the data comes straight into what is sent, in one part or more
//   send                                              the data is sent from where it lies
//
// Invariants:
//   I1. The payloads of one read are its bytes in order, each once, and no more than the initiator expects.
//   I2. F ends each burst, S comes in the last PDU only, and then with F.
import { assert } from '../base/assert.ts'
import { writeU32 } from '../base/bytes.ts'
import type { Negotiated } from './negotiate.ts'
import { bhsAt, dataInAt, dataInStatusBit, finalBit, opcode, reservedTag } from './pdu.ts'
import type { PduWriter } from './pdu-writer.ts'
import { type Responses, residualBits, residualCount } from './responses.ts'
import type { Task } from './task.ts'

/** Bytes of a read behind its first `from`, in a buffer of the pool. */
export interface ReadPart {
  readonly data: Uint8Array<ArrayBuffer>
  readonly from: number
  readonly isLast: boolean
}

export class DataIn {
  readonly #parameters: Negotiated
  readonly #writer: PduWriter
  readonly #responses: Responses
  #reservedAt = 0
  #from = 0
  #end = 0
  #isLast = true
  #reserved: Task | null = null

  constructor(parameters: Negotiated, responses: Responses) {
    this.#parameters = parameters
    this.#responses = responses
    this.#writer = responses.writer
  }

  hasReserved(task: Task): boolean {
    return this.#reserved === task
  }

  /** What is reserved ends its read. */
  get isLast(): boolean {
    return this.#isLast
  }

  /** Bytes that the initiator takes of a read of `bytes`. */
  takes(task: Task, bytes: number): number {
    return task.isRead ? Math.min(bytes, task.expectedDataTransferLength) : 0
  }

  /** Appends to `into` the payloads to fill with the read's bytes `first` … `end`, in order; the last part of a read carries its status. */
  reserve(task: Task, first: number, end: number, isLast: boolean, into: Uint8Array[]): void {
    assert(this.#reserved === null, 'one read at a time is reserved')
    const writer = this.#writer
    let wireBytes = 0
    for (let from = first; from < end; ) {
      const count = this.#segment(from, end)
      wireBytes += writer.wireBytes(count)
      from += count
    }
    let at = writer.reserve(wireBytes)
    this.#reserved = task
    this.#reservedAt = at
    this.#from = first
    this.#end = end
    this.#isLast = isLast
    if (first === 0) task.dataSn = 0
    for (let from = first; from < end; ) {
      const count = this.#segment(from, end)
      writer.writeHead(at, opcode.dataIn, this.#flags(from + count, end, isLast), count)
      this.#fill(task, at, from)
      into.push(writer.bytes.subarray(writer.dataAt, writer.dataAt + count))
      at += writer.wireBytes(count)
      from += count
    }
  }

  /** The payloads are filled: completes what was reserved, with GOOD status if it is the last part. */
  finish(task: Task, cdbTransferLength: number): void {
    assert(this.#reserved === task, 'the read that was reserved is finished')
    this.#reserved = null
    const end = this.#end
    let at = this.#reservedAt
    for (let from = this.#from; from < end; ) {
      const count = this.#segment(from, end)
      from += count
      this.#fillPresent(task, at, this.#isLast && from === end ? cdbTransferLength : null)
      this.#writer.seal(at, count)
      at += this.#writer.wireBytes(count)
    }
  }

  /** Whether a read of so many bytes is one PDU. */
  isOne(task: Task, bytes: number): boolean {
    const taken = this.takes(task, bytes)
    return taken > 0 && taken === bytes && this.#segment(0, bytes) === bytes
  }

  /** Sends the first `bytes` of the part from where they lie; the last part carries the status. */
  send(task: Task, part: ReadPart, bytes: number, cdbTransferLength: number): void {
    assert(this.#reserved === null, 'what is reserved is sent before')
    const writer = this.#writer
    const { data, from: first, isLast } = part
    const end = first + bytes
    if (first === 0) task.dataSn = 0
    for (let from = first; from < end; ) {
      const to = from + this.#segment(from, end)
      const at = writer.reserve(writer.headBytes)
      writer.writeHeader(at, opcode.dataIn, this.#flags(to, end, isLast), to - from)
      this.#fill(task, at, from)
      this.#fillPresent(task, at, isLast && to === end ? cdbTransferLength : null)
      writer.sealAroundLent(at, data.subarray(from - first, to - first))
      from = to
    }
  }

  /** Nothing of what is reserved, if anything is, will be sent; nothing else was written since. */
  drop(): void {
    if (this.#reserved === null) return
    this.#reserved = null
    this.#writer.unreserve(this.#reservedAt)
  }

  /** Bytes of the PDU that begins at offset `from`. */
  #segment(from: number, end: number): number {
    const { maxBurstLength, maxSendDataSegmentLength } = this.#parameters
    const burstLeft = maxBurstLength - (from % maxBurstLength)
    return Math.min(maxSendDataSegmentLength, burstLeft, end - from)
  }

  /** I2, of the PDU that ends at offset `to`. */
  #flags(to: number, end: number, isLast: boolean): number {
    if (isLast && to === end) return finalBit | dataInStatusBit
    return to % this.#parameters.maxBurstLength === 0 ? finalBit : 0
  }

  /** What does not depend on when it is sent. */
  #fill(task: Task, at: number, from: number): void {
    const { bytes } = this.#writer
    writeU32(bytes, at + bhsAt.initiatorTaskTag, task.initiatorTaskTag)
    writeU32(bytes, at + dataInAt.targetTransferTag, reservedTag)
    writeU32(bytes, at + dataInAt.dataSn, task.dataSn)
    writeU32(bytes, at + dataInAt.bufferOffset, from)
    task.dataSn += 1
  }

  /** What does; `cdbTransferLength` of the PDU with status, else null. */
  #fillPresent(task: Task, at: number, cdbTransferLength: number | null): void {
    const { bytes } = this.#writer
    this.#responses.writeWindow(bytes, at)
    if (cdbTransferLength === null) return
    bytes[at + bhsAt.flags] = (bytes[at + bhsAt.flags] ?? 0) | residualBits(task, cdbTransferLength)
    writeU32(bytes, at + dataInAt.statSn, this.#responses.takeStatSn(task))
    writeU32(bytes, at + dataInAt.residualCount, residualCount(task, cdbTransferLength))
  }
}
