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
//   D3. Data is asked for only when there is room for all of the write; writes wait for room in their order.
//   D4. Data that comes unsolicited and finds no room is discarded, and its command answered with TASK SET FULL.
//   D5. A NOP-In that asks for an answer leaves while no R2T is open, and R2Ts wait for it. libiscsi before 1.20 gives the
//       answer the CmdSN of a Data-Out that it has queued, finds that number spent, and gives its connection up. It forgets
//       an aborted task's data when it hears the response to the task management request, so that response goes first.
import type { Share } from '../base/budget.ts'
import { pooledBytes } from '../base/buffer-pool.ts'
import { readU32 } from '../base/bytes.ts'
import type { Pdu } from './framer.ts'
import type { Negotiated } from './negotiate.ts'
import { dataOutAt, finalBit, flagsOf, reservedTag } from './pdu.ts'
import type { Responses } from './responses.ts'
import { after } from './serial.ts'
import type { DataError, Task } from './task.ts'

/** Room made at once for data of which the consumer has not said how much it wants. */
const unaskedRoomBytesMax = 1024 * 1024

/** Where the data of one session's writes is counted. */
export interface WriteRoom {
  /** Of writes whose data was asked for: nothing else of the session needs to go on for them to be answered. */
  readonly asked: Share
  /** Of data that came unsolicited. */
  readonly unasked: Share
}

export class DataOut {
  readonly #parameters: Negotiated
  readonly #responses: Responses
  readonly #room: WriteRoom
  /** Those that wait for room, in order. */
  readonly #waiting: Task[] = []
  /** Those that have room and whose next R2T waits for NOP-Ins (D5). */
  readonly #paused: Task[] = []
  /** The tags of NOP-Ins that wait. */
  readonly #nopIns: number[] = []
  /** R2Ts whose data is still to come, or is not known to be forgotten. */
  #openR2ts = 0
  /** Those of them whose tasks were aborted. */
  #abortedR2ts = 0
  #lastTransferTag = 0
  /** Data-Outs that came; for who wants to know whether more do. */
  received = 0

  constructor(parameters: Negotiated, responses: Responses, room: WriteRoom) {
    this.#parameters = parameters
    this.#responses = responses
    this.#room = room
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
    task.isAsked = false
    task.unsolicitedOpen = task.isWrite && (flagsOf(pdu.header, pdu.at) & finalBit) === 0
    if (task.unsolicitedOpen && initialR2T) fail(task, 'unexpected')
    if (pdu.dataBytes === 0) return
    if (!task.isWrite || !immediateData) fail(task, 'unexpected')
    else if (pdu.dataBytes > this.#unsolicitedEnd(task)) fail(task, 'wrongAmount')
    else this.#append(task, pdu)
  }

  /** Takes a Data-Out of the task. True if it ended a burst: the task can go on. */
  take(task: Task, pdu: Pdu): boolean {
    const { header, at } = pdu
    this.received += 1
    const targetTransferTag = readU32(header, at + dataOutAt.targetTransferTag)
    const unsolicited = targetTransferTag === reservedTag
    if (unsolicited && !task.unsolicitedOpen) {
      fail(task, 'unexpected')
      return false
    }
    if (!unsolicited && targetTransferTag !== task.targetTransferTag) return false
    if (!task.discarding) {
      this.#takePiece(task, pdu, unsolicited ? this.#unsolicitedEnd(task) : task.r2tEnd)
    }
    if ((flagsOf(header, at) & finalBit) === 0) return false
    if (unsolicited) this.#endUnsolicited(task)
    else {
      if (task.dataBytes !== task.r2tEnd) fail(task, 'wrongAmount')
      this.#endR2t(task)
    }
    task.discarding = false
    return true
  }

  /** Between bursts: whether all that is wanted is here, or an error is. */
  isSettled(task: Task): boolean {
    if (task.unsolicitedOpen) return false
    return task.dataError !== 'none' || task.dataBytes >= task.wantedBytes
  }

  /** Asks for the next burst, unless the initiator still sends one of its own accord; when there is room (D3). */
  ask(task: Task): void {
    if (task.unsolicitedOpen) return
    if (!task.isAsked && (this.#waiting.length > 0 || !this.#makeRoom(task))) {
      this.#waiting.push(task)
      this.#room.asked.wait()
    } else this.#askNext(task)
  }

  /** Sends a NOP-In that asks for an answer, once no R2T is open (D5). */
  nopIn(transferTag: number): void {
    this.#nopIns.push(transferTag)
    this.#sendNopIns()
  }

  /** There may be room for those that wait. */
  roomCame(): void {
    const { asked } = this.#room
    while (this.isWaiting) {
      const [task] = this.#waiting
      if (task === undefined) return
      if (!this.#makeRoom(task)) return asked.wait()
      asked.leaveLine()
      this.#waiting.shift()
      this.#askNext(task)
    }
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0
  }

  /** No data is wanted of it any more; `abortsTold` has to follow. */
  forget(task: Task): void {
    if (task.targetTransferTag !== reservedTag) this.#abortedR2ts += 1
    task.targetTransferTag = reservedTag
    remove(this.#paused, task)
    if (remove(this.#waiting, task) && this.#waiting.length === 0) this.#room.asked.leaveLine()
  }

  /** The initiator knows of all tasks that were forgotten, or is not told of them. */
  abortsTold(): void {
    this.#openR2ts -= this.#abortedR2ts
    this.#abortedR2ts = 0
    this.#sendNopIns()
  }

  #endR2t(task: Task): void {
    task.targetTransferTag = reservedTag
    this.#openR2ts -= 1
    this.#sendNopIns()
  }

  #sendNopIns(): void {
    if (this.#openR2ts > 0 || this.#nopIns.length === 0) return
    for (const transferTag of this.#nopIns.splice(0)) this.#responses.nopIn(transferTag)
    for (const task of this.#paused.splice(0)) this.#askNext(task)
  }

  /** For all of a write whose data is asked for, or that is longer than what comes unsolicited. */
  #makeRoom(task: Task): boolean {
    const { asked } = this.#room
    const bytes = pooledBytes(task.wantedBytes)
    if (!asked.allows(bytes)) return false
    task.makeRoom(task.wantedBytes, asked)
    task.isAsked = true
    return true
  }

  #askNext(task: Task): void {
    if (this.#nopIns.length > 0) {
      this.#paused.push(task)
      return
    }
    const bytes = Math.min(this.#parameters.maxBurstLength, task.wantedBytes - task.dataBytes)
    this.#lastTransferTag = after(this.#lastTransferTag)
    if (this.#lastTransferTag === reservedTag) this.#lastTransferTag = 0
    task.targetTransferTag = this.#lastTransferTag
    task.dataSn = 0
    task.r2tEnd = task.dataBytes + bytes
    this.#openR2ts += 1
    this.#responses.r2t(task, bytes)
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

  #takePiece(task: Task, pdu: Pdu, end: number): void {
    const { header, at } = pdu
    const inOrder =
      readU32(header, at + dataOutAt.dataSn) === task.dataSn &&
      readU32(header, at + dataOutAt.bufferOffset) === task.dataBytes
    if (pdu.digestError || !inOrder) fail(task, 'damaged')
    else if (task.dataBytes + pdu.dataBytes > end) fail(task, 'wrongAmount')
    else this.#append(task, pdu)
    task.dataSn = after(task.dataSn)
  }

  #append(task: Task, pdu: Pdu): void {
    if (pdu.dataBytes === 0) return
    if (task.roomBytes < task.dataBytes + pdu.dataBytes && !this.#makeUnaskedRoom(task)) {
      fail(task, 'noRoom') // D4
    } else task.append(pdu.data)
  }

  /** For what comes unsolicited; or at once for all of the write, which saves a copy, if there is more to come. */
  #makeUnaskedRoom(task: Task): boolean {
    const { unasked } = this.#room
    const end = this.#unsolicitedEnd(task)
    const isLonger = task.wantedBytes > end && task.wantedBytes <= unaskedRoomBytesMax
    if (isLonger && this.#waiting.length === 0 && this.#makeRoom(task)) return true
    if (!unasked.allows(pooledBytes(end))) return false
    task.makeRoom(end, unasked)
    return true
  }
}

function remove(list: Task[], task: Task): boolean {
  const place = list.indexOf(task)
  if (place >= 0) list.splice(place, 1)
  return place >= 0
}

/** The first error is the one that is told. */
function fail(task: Task, error: DataError): void {
  if (task.dataError === 'none') task.dataError = error
  task.discarding = true
}
