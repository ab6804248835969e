// The PDUs that the target sends in full feature phase, but for Data-In (data-in.ts). It keeps StatSN, and puts into each
// PDU where the command window stands.
//
// Invariants:
//   A1. StatSN counts every PDU that carries status (§11.4.9 and its like), and no other.
import { writeU16, writeU32 } from '../base/bytes.ts'
import {
  asyncMessageAt,
  bhsAt,
  bhsBytes,
  finalBit,
  logoutResponseAt,
  nopInAt,
  opcode,
  r2tAt,
  rejectAt,
  reservedTag,
  residualOverflowBit,
  residualUnderflowBit,
  scsiResponseAt,
  textResponseAt,
} from './pdu.ts'
import type { PduWriter } from './pdu-writer.ts'
import { after } from './serial.ts'
import type { Task } from './task.ts'
import type { CommandWindow } from './window.ts'

/** At the same place in every PDU of a target. */
const statSnAt = scsiResponseAt.statSn
const expCmdSnAt = scsiResponseAt.expCmdSn
const maxCmdSnAt = scsiResponseAt.maxCmdSn

/** Sense data goes behind its length in two bytes (§11.4.7). */
const senseLengthBytes = 2

export class Responses {
  readonly writer: PduWriter
  readonly #window: CommandWindow
  #statSn: number

  constructor(writer: PduWriter, window: CommandWindow, statSn: number) {
    this.writer = writer
    this.#window = window
    this.#statSn = statSn
  }

  /** StatSN of the next PDU with status. */
  get statSn(): number {
    return this.#statSn
  }

  /** StatSN for a PDU with status, the response to `task` or to none; counts it. */
  takeStatSn(task: Task | null): number {
    const statSn = this.#statSn
    if (task === null || !task.counted) this.#window.otherStatus()
    this.#statSn = after(statSn)
    return statSn
  }

  /** Where the window stands, in the header at `at`. */
  writeWindow(bytes: Uint8Array, at: number): void {
    this.#window.advance()
    writeU32(bytes, at + expCmdSnAt, this.#window.expCmdSn)
    writeU32(bytes, at + maxCmdSnAt, this.#window.maxCmdSn)
  }

  scsiResponse(
    task: Task,
    status: number,
    sense: Uint8Array | null,
    cdbTransferLength: number,
  ): void {
    const dataBytes = sense === null ? 0 : senseLengthBytes + sense.length
    const flags = finalBit | residualBits(task, cdbTransferLength)
    const at = this.#begin(opcode.scsiResponse, flags, task.initiatorTaskTag, dataBytes)
    this.takeStatSn(task)
    const { bytes, dataAt } = this.writer
    bytes[at + scsiResponseAt.status] = status
    writeU32(bytes, at + scsiResponseAt.expDataSn, task.isRead ? task.dataSn : task.r2tSn)
    writeU32(bytes, at + scsiResponseAt.residualCount, residualCount(task, cdbTransferLength))
    if (sense !== null) {
      writeU16(bytes, dataAt, sense.length)
      bytes.set(sense, dataAt + senseLengthBytes)
    }
    this.writer.seal(at, dataBytes)
  }

  taskManagementResponse(initiatorTaskTag: number, response: number): void {
    const at = this.#beginStatus(opcode.taskManagementResponse, finalBit, initiatorTaskTag, 0)
    this.writer.bytes[at + scsiResponseAt.response] = response
    this.writer.seal(at, 0)
  }

  r2t(task: Task, desiredDataTransferLength: number): void {
    const at = this.#begin(opcode.r2t, finalBit, task.initiatorTaskTag, 0)
    const { bytes } = this.writer
    bytes.set(task.lunBytes, at + bhsAt.lun)
    writeU32(bytes, at + r2tAt.targetTransferTag, task.targetTransferTag)
    writeU32(bytes, at + r2tAt.r2tSn, task.r2tSn)
    writeU32(bytes, at + r2tAt.bufferOffset, task.dataBytes)
    writeU32(bytes, at + r2tAt.desiredDataTransferLength, desiredDataTransferLength)
    this.writer.seal(at, 0)
  }

  /** The echo of a NOP-Out; `data` is copied. */
  nopResponse(initiatorTaskTag: number, lun: Uint8Array, data: Uint8Array): void {
    const at = this.#beginStatus(opcode.nopIn, finalBit, initiatorTaskTag, data.length)
    const { bytes, dataAt } = this.writer
    bytes.set(lun, at + bhsAt.lun)
    writeU32(bytes, at + nopInAt.targetTransferTag, reservedTag)
    bytes.set(data, dataAt)
    this.writer.seal(at, data.length)
  }

  /** A NOP-In of our own: with a tag it asks for an answer, with the reserved one it only tells the window. */
  nopIn(targetTransferTag: number): void {
    const at = this.#begin(opcode.nopIn, finalBit, reservedTag, 0)
    writeU32(this.writer.bytes, at + nopInAt.targetTransferTag, targetTransferTag)
    this.writer.seal(at, 0)
  }

  /** `text` is copied. `flags` are F and C. */
  textResponse(
    request: { readonly initiatorTaskTag: number; readonly lunBytes: Uint8Array },
    flags: number,
    targetTransferTag: number,
    text: Uint8Array,
  ): void {
    const tag = request.initiatorTaskTag
    const at = this.#beginStatus(opcode.textResponse, flags, tag, text.length)
    const { bytes, dataAt } = this.writer
    bytes.set(request.lunBytes, at + bhsAt.lun)
    writeU32(bytes, at + textResponseAt.targetTransferTag, targetTransferTag)
    bytes.set(text, dataAt)
    this.writer.seal(at, text.length)
  }

  /** Time2Wait and Time2Retain are 0: come back at once, nothing is retained. */
  logoutResponse(initiatorTaskTag: number, response: number): void {
    const at = this.#beginStatus(opcode.logoutResponse, finalBit, initiatorTaskTag, 0)
    this.writer.bytes[at + logoutResponseAt.response] = response
    this.writer.seal(at, 0)
  }

  asyncMessage(event: number, parameter1: number, parameter2: number, parameter3: number): void {
    const at = this.#beginStatus(opcode.asyncMessage, finalBit, reservedTag, 0)
    const { bytes } = this.writer
    bytes[at + asyncMessageAt.asyncEvent] = event
    writeU16(bytes, at + asyncMessageAt.parameter1, parameter1)
    writeU16(bytes, at + asyncMessageAt.parameter2, parameter2)
    writeU16(bytes, at + asyncMessageAt.parameter3, parameter3)
    this.writer.seal(at, 0)
  }

  /** Answers the PDU whose header lies at `badAt` in `bad`. */
  reject(reason: number, bad: Uint8Array, badAt: number): void {
    const at = this.#beginStatus(opcode.reject, finalBit, reservedTag, bhsBytes)
    const { bytes, dataAt } = this.writer
    bytes[at + rejectAt.reason] = reason
    bytes.set(bad.subarray(badAt, badAt + bhsBytes), dataAt)
    this.writer.seal(at, bhsBytes)
  }

  #beginStatus(code: number, flags: number, initiatorTaskTag: number, dataBytes: number): number {
    const at = this.#begin(code, flags, initiatorTaskTag, dataBytes)
    this.takeStatSn(null)
    return at
  }

  #begin(code: number, flags: number, initiatorTaskTag: number, dataBytes: number): number {
    const at = this.writer.begin(code, flags, dataBytes)
    const { bytes } = this.writer
    writeU32(bytes, at + bhsAt.initiatorTaskTag, initiatorTaskTag)
    // Of a PDU without status this is the StatSN that the next one will have (§11.8.3, §11.19.2).
    writeU32(bytes, at + statSnAt, this.#statSn)
    this.writeWindow(bytes, at)
    return at
  }
}

/** §11.4.5: what the command would have moved against what the initiator expected. */
export function residualBits(task: Task, cdbTransferLength: number): number {
  if (cdbTransferLength > task.expectedDataTransferLength) return residualOverflowBit
  return cdbTransferLength < task.expectedDataTransferLength ? residualUnderflowBit : 0
}

export function residualCount(task: Task, cdbTransferLength: number): number {
  return Math.abs(cdbTransferLength - task.expectedDataTransferLength)
}
