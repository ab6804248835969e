// The initiator's half of one session in full feature phase, on one connection (RFC 7143 §4.2, error recovery level 0).
// PDUs in and out; it decides nothing about reconnecting.
//
//   serving ──logout──▶ leaving ──answered, or the connection ends──▶ over
//
// Invariants:
//   A1. No command is sent with a CmdSN beyond MaxCmdSN; each CmdSN is used once, in order.
//   A2. Every status has the StatSN that follows the last, or the connection is given up.
//   A3. An answer goes to the command of its tag on this connection; late ones go nowhere.
//   A4. After a Logout Request nothing but NOP-Outs is sent.
//   A5. A NOP-In that asks for an answer while data for an R2T of an unanswered command is unsent ends the connection, as it
//       does with libiscsi before 1.20, so that a target that asks so is found out.
//   A6. The response to a task management request ends no command that was sent again after the request.
import { readU16, readU32, writeU32 } from '../base/bytes.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import type { Pdu } from '../iscsi/framer.ts'
import type { ReadySession } from '../iscsi/initiator-login.ts'
import type { Negotiated } from '../iscsi/negotiate.ts'
import {
  asyncMessageAt,
  bhsAt,
  commandReadBit,
  commandWriteBit,
  dataInAt,
  dataInStatusBit,
  finalBit,
  flagsOf,
  immediateBit,
  initiatorTaskTag,
  logoutReason,
  logoutRequestAt,
  nopInAt,
  nopOutAt,
  opcode,
  rejectAt,
  reservedTag,
  residualOverflowBit,
  residualUnderflowBit,
  scsiCommandAt,
  scsiResponseAt,
  taskAttribute,
  taskManagementRequestAt,
  taskManagementResponseAt,
  writeLun,
} from '../iscsi/pdu.ts'
import { after, ahead } from '../iscsi/serial.ts'
import {
  beginPdu,
  finishPdu,
  immediateBytes,
  readR2t,
  sendBurst,
  takeDataIn,
  unsolicitedEnd,
} from './data-transfer.ts'
import type { Answer, PendingCommand } from './pending-command.ts'
import type { Wire, WireConsumer } from './wire.ts'

export interface AsyncMessage {
  /** `asyncEvent`. */
  readonly event: number
  /** In seconds; of events 2 and 3 the time to wait before coming back, of event 1 the time until the target drops. */
  readonly parameter2: number
  readonly parameter3: number
}

/** What the session tells the initiator that runs it. */
export interface SessionOwner {
  answered(command: PendingCommand, answer: Answer): void
  /** The window, or what is unsent, may have made room. */
  roomFor(session: ActiveSession): void
  asked(message: AsyncMessage): void
  /** The Logout Request was answered; the connection is still to be closed. */
  loggedOut(): void
  /** The connection is gone; `isBreach`: since the target broke the protocol. */
  over(reason: string, isBreach: boolean): void
}

export interface TaskManagement {
  readonly function: number
  readonly lun: number
  readonly task: PendingCommand | null
}

/** Of unsent bytes; more commands wait for `written`. */
const unsentBytesMax = 8 * 1024 * 1024
/** Task management requests under way at once; they are outside the window. */
const managementMax = 16

interface Management extends TaskManagement {
  /** Of the next command when it was sent: what comes from there on, it does not end. */
  readonly cmdSn: number
  readonly answered: (response: number | null) => void
}

export class ActiveSession implements WireConsumer {
  readonly parameters: Negotiated
  readonly wire: Wire
  lastReceivedMs: number
  readonly #owner: SessionOwner
  readonly #nowMs: () => number
  readonly #commands = new Map<number, PendingCommand>()
  readonly #managements = new Map<number, Management>()
  #state: 'serving' | 'leaving' | 'over' = 'serving'
  #cmdSn: number
  #expCmdSn: number
  #maxCmdSn: number
  #expStatSn: number
  #lastTag = 0
  #pingTag: number = reservedTag
  #logoutTag: number = reservedTag

  constructor(wire: Wire, ready: ReadySession, owner: SessionOwner, nowMs: () => number) {
    const { parameters } = ready
    this.wire = wire
    this.parameters = parameters
    this.#owner = owner
    this.#nowMs = nowMs
    this.lastReceivedMs = nowMs()
    this.#cmdSn = ready.cmdSn
    this.#expCmdSn = ready.cmdSn
    this.#maxCmdSn = ready.maxCmdSn
    this.#expStatSn = ready.expStatSn
    wire.consumer = this
    wire.framer.headerDigest = parameters.headerDigest
    wire.framer.dataDigest = parameters.dataDigest
    wire.framer.maxDataBytes = parameters.maxRecvDataSegmentLength
    wire.writer.headerDigest = parameters.headerDigest
    wire.writer.dataDigest = parameters.dataDigest
  }

  /** Of the next command. */
  get cmdSn(): number {
    return this.#cmdSn
  }

  /** Commands sent and not answered. */
  get outstanding(): number {
    return this.#commands.size
  }

  /** Sent and not answered, in the order in which they were sent. */
  unanswered(): PendingCommand[] {
    return [...this.#commands.values()]
  }

  /** Of the command that was sent first of those unanswered; infinity if there is none. */
  get oldestSentMs(): number {
    for (const command of this.#commands.values()) return command.sentAtMs
    return Number.POSITIVE_INFINITY
  }

  get hasRoom(): boolean {
    if (this.#state !== 'serving') return false
    return ahead(this.#cmdSn, this.#maxCmdSn) >= 0 && this.wire.unsentBytes < unsentBytesMax
  }

  /** A NOP-Out of ours is unanswered. */
  get isPinging(): boolean {
    return this.#pingTag !== reservedTag
  }

  /** Sends a command with what may go unasked; there must be room. */
  send(command: PendingCommand): void {
    const { parameters, wire } = this
    const { request } = command
    const expected = command.expectedBytes
    const isWrite = request.write !== undefined && expected > 0
    const immediate = isWrite ? immediateBytes(expected, parameters) : 0
    const unasked = isWrite ? unsolicitedEnd(expected, parameters) : 0
    command.tag = this.#takeTag()
    command.cmdSn = this.#cmdSn
    this.#cmdSn = after(this.#cmdSn)
    this.#commands.set(command.tag, command)
    let flags = taskAttribute.simple | (unasked > immediate ? 0 : finalBit)
    if (isWrite) flags |= commandWriteBit
    else if (request.read !== undefined && expected > 0) flags |= commandReadBit
    const data = immediate > 0 && request.write ? request.write.subarray(0, immediate) : nothing
    const { writer } = wire
    const at = beginPdu(writer, opcode.scsiCommand, flags, data)
    const { bytes } = writer
    writeLun(bytes, at + bhsAt.lun, request.lun ?? 0)
    writeU32(bytes, at + bhsAt.initiatorTaskTag, command.tag)
    writeU32(bytes, at + scsiCommandAt.expectedDataTransferLength, expected)
    writeU32(bytes, at + scsiCommandAt.cmdSn, command.cmdSn)
    writeU32(bytes, at + scsiCommandAt.expStatSn, this.#expStatSn)
    bytes.set(request.cdb, at + scsiCommandAt.cdb)
    finishPdu(writer, at, data)
    if (unasked > immediate) {
      const burst = { targetTransferTag: reservedTag, from: immediate, to: unasked }
      sendBurst(writer, command, burst, parameters, this.#expStatSn)
    }
    wire.flush()
  }

  /** The response code, or null if there is none to be had: too many are under way, or the session is ending. */
  manage(request: TaskManagement, answered: (response: number | null) => void): void {
    if (this.#state !== 'serving' || this.#managements.size >= managementMax) {
      answered(null)
      return
    }
    const tag = this.#takeTag()
    this.#managements.set(tag, { ...request, cmdSn: this.#cmdSn, answered })
    const flags = finalBit | request.function
    const at = this.#begin(opcode.taskManagementRequest | immediateBit, flags, tag)
    const { bytes } = this.wire.writer
    writeLun(bytes, at + bhsAt.lun, request.lun)
    const { task } = request
    writeU32(bytes, at + taskManagementRequestAt.referencedTaskTag, task?.tag ?? reservedTag)
    writeU32(bytes, at + taskManagementRequestAt.refCmdSn, task?.cmdSn ?? 0)
    this.#send(at)
  }

  /** Asks the target for a sign of life. */
  ping(): void {
    if (this.#state === 'over' || this.isPinging) return
    this.#pingTag = this.#takeTag()
    const at = this.#begin(opcode.nopOut | immediateBit, finalBit, this.#pingTag)
    writeU32(this.wire.writer.bytes, at + nopOutAt.targetTransferTag, reservedTag)
    this.#send(at)
  }

  logout(): void {
    if (this.#state !== 'serving') return
    this.#state = 'leaving'
    this.#logoutTag = this.#takeTag()
    const flags = finalBit | logoutReason.closeSession
    this.#send(this.#begin(opcode.logoutRequest | immediateBit, flags, this.#logoutTag))
  }

  receive(pdu: Pdu): void {
    this.lastReceivedMs = this.#nowMs()
    switch (pdu.opcode) {
      case opcode.scsiResponse:
        this.#receiveResponse(pdu)
        break
      case opcode.dataIn:
        this.#receiveDataIn(pdu)
        break
      case opcode.r2t:
        this.#receiveR2t(pdu)
        break
      case opcode.nopIn:
        this.#receiveNop(pdu)
        break
      case opcode.taskManagementResponse:
        this.#receiveManagement(pdu)
        break
      case opcode.asyncMessage:
        this.#receiveAsync(pdu)
        break
      case opcode.logoutResponse:
        this.#takeStatSn(pdu)
        if (initiatorTaskTag(pdu.header, pdu.at) === this.#logoutTag) this.#owner.loggedOut()
        return
      case opcode.reject:
        throw new ProtocolError(
          `the target rejected a PDU: ${pdu.header[pdu.at + rejectAt.reason] ?? 0}`,
          'RFC 7143 §11.17',
        )
      default:
        throw new ProtocolError(`opcode ${pdu.opcode} from a target`, 'RFC 7143 §11.2.1.2')
    }
    this.#owner.roomFor(this)
  }

  drained(): void {
    this.#owner.roomFor(this)
  }

  over(reason: string, isBreach: boolean): void {
    this.#state = 'over'
    for (const { answered } of this.#managements.values()) answered(null)
    this.#managements.clear()
    this.#owner.over(reason, isBreach)
  }

  #takeTag(): number {
    do {
      this.#lastTag = after(this.#lastTag)
    } while (this.#lastTag === reservedTag || this.#commands.has(this.#lastTag))
    return this.#lastTag
  }

  /** An immediate request without data: CmdSN is told and not used up. All of them have CmdSN and ExpStatSN at the same place. */
  #begin(first: number, flags: number, tag: number): number {
    const at = this.wire.writer.begin(first, flags, 0)
    const { bytes } = this.wire.writer
    writeU32(bytes, at + bhsAt.initiatorTaskTag, tag)
    writeU32(bytes, at + logoutRequestAt.cmdSn, this.#cmdSn)
    writeU32(bytes, at + logoutRequestAt.expStatSn, this.#expStatSn)
    return at
  }

  #send(at: number): void {
    this.wire.writer.seal(at, 0)
    this.wire.flush()
  }

  /** A2; every PDU of the target has its window at the same place. */
  #takeStatSn({ header, at }: Pdu): void {
    const statSn = readU32(header, at + scsiResponseAt.statSn)
    if (statSn !== this.#expStatSn) {
      throw new ProtocolError(`StatSN ${statSn} instead of ${this.#expStatSn}`, 'RFC 7143 §4.2.2.2')
    }
    this.#expStatSn = after(statSn)
    this.#takeWindow(header, at)
  }

  /** §4.2.2.1: numbers of PDUs that were overtaken are ignored. */
  #takeWindow(header: Uint8Array, at: number): void {
    const expCmdSn = readU32(header, at + scsiResponseAt.expCmdSn)
    const maxCmdSn = readU32(header, at + scsiResponseAt.maxCmdSn)
    if (ahead(expCmdSn, maxCmdSn) < -1) return
    if (ahead(this.#expCmdSn, expCmdSn) > 0) this.#expCmdSn = expCmdSn
    if (ahead(this.#maxCmdSn, maxCmdSn) > 0) this.#maxCmdSn = maxCmdSn
  }

  #receiveResponse(pdu: Pdu): void {
    const { header, at } = pdu
    this.#takeStatSn(pdu)
    const command = this.#commands.get(initiatorTaskTag(header, at))
    if (command === undefined) return
    const response = header[at + scsiResponseAt.response] ?? 0
    if (response !== 0) throw new ProtocolError('the target failed', 'RFC 7143 §11.4.3')
    const status = header[at + scsiResponseAt.status] ?? 0
    const residual = readU32(header, at + scsiResponseAt.residualCount)
    this.#answer(command, status, signedResidual(flagsOf(header, at), residual), readSense(pdu))
  }

  #receiveDataIn(pdu: Pdu): void {
    const { header, at } = pdu
    const flags = flagsOf(header, at)
    const hasStatus = (flags & dataInStatusBit) !== 0
    if (hasStatus) this.#takeStatSn(pdu)
    else this.#takeWindow(header, at)
    const command = this.#commands.get(initiatorTaskTag(header, at))
    if (command === undefined) return
    takeDataIn(pdu, command)
    if (!hasStatus) return
    if ((flags & finalBit) === 0) throw new ProtocolError('status without F', 'RFC 7143 §11.7.3')
    const residual = readU32(header, at + dataInAt.residualCount)
    const status = header[at + dataInAt.status] ?? 0
    this.#answer(command, status, signedResidual(flags, residual), null)
  }

  #answer(
    command: PendingCommand,
    status: number,
    residualBytes: number,
    sense: Uint8Array | null,
  ): void {
    const dataBytes = command.receivedBytes
    // A read that says GOOD and moved everything moved all of it.
    if (status === 0 && command.request.read !== undefined) {
      const moved = command.expectedBytes + Math.min(residualBytes, 0)
      if (dataBytes !== moved) {
        throw new ProtocolError(`${dataBytes} bytes of Data-In, ${moved} told`, 'RFC 7143 §11.4.5')
      }
    }
    this.#commands.delete(command.tag)
    this.#owner.answered(command, { kind: 'answered', status, sense, dataBytes, residualBytes })
  }

  #receiveR2t(pdu: Pdu): void {
    const { header, at } = pdu
    this.#takeWindow(header, at)
    const command = this.#commands.get(initiatorTaskTag(header, at))
    // A4: neither libiscsi nor Linux sends data after a Logout.
    if (command === undefined || this.#state !== 'serving') return
    const burst = readR2t(pdu, command, this.parameters)
    sendBurst(this.wire.writer, command, burst, this.parameters, this.#expStatSn)
    command.burstEnd = this.wire.writtenBytes
    this.wire.flush()
  }

  #receiveNop(pdu: Pdu): void {
    const { header, at } = pdu
    const tag = initiatorTaskTag(header, at)
    const transferTag = readU32(header, at + nopInAt.targetTransferTag)
    if (tag !== reservedTag) {
      this.#takeStatSn(pdu)
      if (tag === this.#pingTag) this.#pingTag = reservedTag
      return
    }
    this.#takeWindow(header, at)
    if (transferTag === reservedTag) return
    const { writtenBytes, unsentBytes } = this.wire
    const sentBytes = writtenBytes - unsentBytes
    if (this.unanswered().some(({ burstEnd }) => burstEnd > sentBytes)) {
      throw new ProtocolError('a NOP-In asks for an answer while data is to be sent', 'A5')
    }
    const answer = this.#begin(opcode.nopOut | immediateBit, finalBit, reservedTag)
    const { bytes } = this.wire.writer
    bytes.set(header.subarray(at + bhsAt.lun, at + bhsAt.lun + 8), answer + bhsAt.lun)
    writeU32(bytes, answer + nopOutAt.targetTransferTag, transferTag)
    this.#send(answer)
  }

  #receiveManagement(pdu: Pdu): void {
    const { header, at } = pdu
    this.#takeStatSn(pdu)
    const tag = initiatorTaskTag(header, at)
    const management = this.#managements.get(tag)
    if (management === undefined) return
    this.#managements.delete(tag)
    const response = header[at + taskManagementResponseAt.response] ?? 0
    // §11.5.1: a task that is not there any more was answered before, or never received.
    if (response <= 1) this.#abort(management)
    management.answered(response)
  }

  /** What a request ended will not be answered any more. */
  #abort({ task, lun, cmdSn }: Management): void {
    const before = (one: PendingCommand) => ahead(one.cmdSn, cmdSn) > 0
    const ended =
      task === null
        ? this.unanswered().filter((one) => (one.request.lun ?? 0) === lun && before(one))
        : [task].filter(before) // A6
    for (const command of ended) {
      if (!this.#commands.delete(command.tag)) continue
      this.#owner.answered(command, { kind: 'aborted' })
    }
  }

  #receiveAsync(pdu: Pdu): void {
    const { header, at } = pdu
    this.#takeStatSn(pdu)
    this.#owner.asked({
      event: header[at + asyncMessageAt.asyncEvent] ?? 0,
      parameter2: readU16(header, at + asyncMessageAt.parameter2),
      parameter3: readU16(header, at + asyncMessageAt.parameter3),
    })
  }
}

const nothing = new Uint8Array(0)
const senseLengthBytes = 2

function signedResidual(flags: number, count: number): number {
  if ((flags & residualOverflowBit) !== 0) return count
  return (flags & residualUnderflowBit) !== 0 ? -count : 0
}

/** A copy: the PDU is gone after the call (§11.4.7.1). */
function readSense(pdu: Pdu): Uint8Array | null {
  if (pdu.dataBytes < senseLengthBytes || pdu.digestError) return null
  const length = readU16(pdu.header, pdu.dataAt)
  const from = pdu.dataAt + senseLengthBytes
  const end = Math.min(from + length, pdu.dataAt + pdu.dataBytes)
  return length === 0 ? null : pdu.header.slice(from, end)
}
