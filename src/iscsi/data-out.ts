// The data of writes: immediate data, unsolicited Data-Outs and those that an R2T asked for, put together in the task's
// buffer with one copy from where they were received (RFC 7143 §4.2.5.2, §11.7, §11.8).
//
// Data comes in order (DataPDUInOrder and DataSequenceInOrder are Yes, one R2T at a time), so a task has at most one open
// burst and its data grows from offset 0. At error recovery level 0 nothing is asked for twice: a burst with an error is
// discarded up to its F bit, and the task is answered with the error (§7.8 b).
//
// Invariants:
//   D1. What is handed over as complete is exactly what the initiator sent, in its order, once.
//   D2. No byte beyond the bounds of a burst is taken: FirstBurstLength, the R2T's length, the expected length.
import { readU32 } from '../base/bytes.ts'
import type { Answers } from './answers.ts'
import type { Pdu } from './framer.ts'
import type { Negotiated } from './negotiate.ts'
import { dataOutAt, finalBit, flagsOf, reservedTag } from './pdu.ts'
import { after } from './serial.ts'
import type { DataError, Task } from './task.ts'

/** Room made at once for data of which the consumer has not said how much it wants. */
const unaskedRoomBytesMax = 1024 * 1024

export class DataOut {
  readonly #parameters: Negotiated
  readonly #answers: Answers
  #lastTransferTag = 0

  constructor(parameters: Negotiated, answers: Answers) {
    this.#parameters = parameters
    this.#answers = answers
  }

  /** Prepares a task's data with what came in the command's own PDU. */
  begin(task: Task, pdu: Pdu): void {
    const { initialR2T, immediateData } = this.#parameters
    task.dataError = 'none'
    task.dataBytes = 0
    task.wantedBytes = task.expectedDataTransferLength
    task.dataSn = 0
    task.r2tSn = 0
    task.targetTransferTag = reservedTag
    task.discarding = false
    task.unsolicitedOpen = task.isWrite && (flagsOf(pdu.header, pdu.at) & finalBit) === 0
    if (task.unsolicitedOpen && initialR2T) fail(task, 'unexpected')
    if (pdu.dataBytes === 0) return
    if (!task.isWrite || !immediateData) fail(task, 'unexpected')
    else if (pdu.dataBytes > this.#unsolicitedEnd(task)) fail(task, 'wrongAmount')
    else append(task, pdu)
  }

  /** Takes a Data-Out of the task. True if it ended a burst: the task can go on. */
  take(task: Task, pdu: Pdu): boolean {
    const { header, at } = pdu
    const targetTransferTag = readU32(header, at + dataOutAt.targetTransferTag)
    const unsolicited = targetTransferTag === reservedTag
    if (unsolicited && !task.unsolicitedOpen) {
      fail(task, 'unexpected')
      return false
    }
    if (!unsolicited && targetTransferTag !== task.targetTransferTag) return false
    if (!task.discarding) {
      takePiece(task, pdu, unsolicited ? this.#unsolicitedEnd(task) : task.r2tEnd)
    }
    if ((flagsOf(header, at) & finalBit) === 0) return false
    if (unsolicited) this.#endUnsolicited(task)
    else if (task.dataBytes !== task.r2tEnd) fail(task, 'wrongAmount')
    task.targetTransferTag = reservedTag
    task.discarding = false
    return true
  }

  /** Between bursts: whether all that is wanted is here, or an error is. */
  isSettled(task: Task): boolean {
    if (task.unsolicitedOpen) return false
    return task.dataError !== 'none' || task.dataBytes >= task.wantedBytes
  }

  /** Asks for the next burst, unless the initiator still sends one of its own accord. */
  ask(task: Task): void {
    if (task.unsolicitedOpen) return
    const bytes = Math.min(this.#parameters.maxBurstLength, task.wantedBytes - task.dataBytes)
    this.#lastTransferTag = after(this.#lastTransferTag)
    if (this.#lastTransferTag === reservedTag) this.#lastTransferTag = 0
    task.targetTransferTag = this.#lastTransferTag
    task.dataSn = 0
    task.r2tEnd = task.dataBytes + bytes
    this.#answers.r2t(task, bytes)
    task.r2tSn = after(task.r2tSn)
  }

  /** §11.4.7.2: whoever sends unsolicited Data-Outs of a longer write sends all of the first burst. */
  #endUnsolicited(task: Task): void {
    const first = this.#parameters.firstBurstLength
    task.unsolicitedOpen = false
    if (task.expectedDataTransferLength > first && task.dataBytes !== first) {
      fail(task, 'wrongAmount')
    }
  }

  #unsolicitedEnd(task: Task): number {
    return Math.min(this.#parameters.firstBurstLength, task.expectedDataTransferLength)
  }
}

function takePiece(task: Task, pdu: Pdu, end: number): void {
  const { header, at } = pdu
  const inOrder =
    readU32(header, at + dataOutAt.dataSn) === task.dataSn &&
    readU32(header, at + dataOutAt.bufferOffset) === task.dataBytes
  if (pdu.digestError || !inOrder) fail(task, 'damaged')
  else if (task.dataBytes + pdu.dataBytes > end) fail(task, 'wrongAmount')
  else append(task, pdu)
  task.dataSn = after(task.dataSn)
}

function append(task: Task, pdu: Pdu): void {
  if (pdu.dataBytes === 0) return
  const asked = task.targetTransferTag !== reservedTag
  const expected = asked ? task.wantedBytes : Math.min(task.wantedBytes, unaskedRoomBytesMax)
  task.room(pdu.dataBytes, expected).set(pdu.data, task.dataBytes)
  task.dataBytes += pdu.dataBytes
}

/** The first error is the one that is told. */
function fail(task: Task, error: DataError): void {
  if (task.dataError === 'none') task.dataError = error
  task.discarding = true
}
