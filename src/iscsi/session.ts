// A session in full feature phase (RFC 7143 §4.2), the target's half of it: PDUs in, actions out, responses into the outbox.
// One connection, error recovery level 0. Never touches a socket or a clock, and knows no SCSI.
//
//   serving ──hold──▶ held ──releaseHeld──▶ serving       serving, held ──silence──▶ silent ──close──▶ closed
//
//   serving   commands are delivered in order and answered as the consumer says
//   held      what arrives is kept but a Logout; NOP-Outs are answered; what was accepted before is still answered
//   silent    nothing is read or written any more; the consumer's late responses lead nowhere
//   closed    silent, and every task that the consumer does not work on is gone
//
// Invariants:
//   S1. Commands reach the consumer in CmdSN order, each exactly once (command-order.ts).
//   S2. Every delivered task gets exactly one SCSI Response, or is aborted and gets none.
//   S3. MaxCmdSN is never lowered (window.ts).
//   S4. After `silence` nothing is written.
//   S5. Held commands are neither delivered nor answered (command-order.ts).
//   S6. No bytes of what was received are referred to after `receive`.
//   S7. Whatever is received is served, ignored, rejected or closes the connection: never an exception.
import { assert } from '../base/assert.ts'
import type { BufferPool } from '../base/buffer-pool.ts'
import { readU32 } from '../base/bytes.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import { readCommand } from './command.ts'
import { CommandOrder, type Delivery } from './command-order.ts'
import { DataIn, type ReadPart } from './data-in.ts'
import { DataOut, type WriteRoom } from './data-out.ts'
import type { Pdu } from './framer.ts'
import { replyTo } from './full-feature-keys.ts'
import type { Negotiated } from './negotiate.ts'
import type { Outbox } from './outbox.ts'
import {
  bhsAt,
  initiatorTaskTag,
  isImmediate,
  logoutReason,
  logoutResponse,
  nopOutAt,
  opcode,
  rejectReason,
  reservedTag,
  scsiCommandAt,
} from './pdu.ts'
import { PduWriter } from './pdu-writer.ts'
import {
  type LogoutRequest,
  readLogout,
  readTaskManagement,
  responseToLogout,
  type TaskManagementRequest,
  type TextRequest,
} from './requests.ts'
import { Responses } from './responses.ts'
import type { Task } from './task.ts'
import { TaskSet } from './task-set.ts'
import { TextExchange } from './text-exchange.ts'
import { printKeys } from './text-keys.ts'
import { CommandWindow } from './window.ts'

/** At the same place in every request that has one. */
const cmdSnAt = scsiCommandAt.cmdSn
/** Immediate commands and task management requests under way at once: they are outside the window (§4.2.2.1). */
const immediateMax = 32
const good = 0

export type SessionAction =
  | Delivery
  /** All data of a write that was solicited is here, or its data was bad: see `task.dataError`. */
  | { readonly kind: 'data'; readonly task: Task }
  /** The NOP-Out that `probe` asked for; `cmdSn` is that of the request that the initiator will send next. */
  | { readonly kind: 'nopOut'; readonly transferTag: number; readonly cmdSn: number }
  /** The initiator broke the protocol: the connection is to be closed once what is in the outbox was written. */
  | { readonly kind: 'close'; readonly reason: string }

export interface SessionStart {
  readonly parameters: Negotiated
  /** Of its only connection, as the login named it. */
  readonly cid: number
  /** As the login left them. */
  readonly expCmdSn: number
  readonly statSn: number
  readonly outbox: Outbox
  readonly buffers: BufferPool
  /** For the data of its writes. */
  readonly room: WriteRoom
}

export class Session {
  /** What happened, in order; the consumer works it off and calls `clearActions`. More is appended by `receive`, `solicit` and `releaseHeld`. */
  readonly actions: SessionAction[] = []
  readonly #parameters: Negotiated & { maxSendDataSegmentLength: number }
  readonly #cid: number
  readonly window: CommandWindow
  readonly #order: CommandOrder
  readonly #responses: Responses
  readonly #dataIn: DataIn
  readonly writes: DataOut
  readonly #texts: TextExchange
  readonly #tasks: TaskSet
  #openTaskManagement = 0
  #loggedOut = false
  /** A 'close' action was given: nothing more is read. */
  #broken = false

  constructor({ parameters, cid, expCmdSn, statSn, outbox, buffers, room }: SessionStart) {
    const writer = new PduWriter(outbox)
    writer.headerDigest = parameters.headerDigest
    writer.dataDigest = parameters.dataDigest
    this.#parameters = { ...parameters }
    this.#cid = cid
    this.window = new CommandWindow(expCmdSn, statSn)
    this.#order = new CommandOrder(this.window, this.actions)
    this.#responses = new Responses(writer, this.window, statSn)
    this.#dataIn = new DataIn(this.#parameters, this.#responses)
    this.writes = new DataOut(parameters, this.#responses, room)
    this.#texts = new TextExchange(this.#responses, this.#parameters)
    this.#tasks = new TaskSet(buffers, this.window, this.writes)
  }

  clearActions(): void {
    this.actions.length = 0
  }

  /** Commands and task management requests that were delivered, or wait for an earlier one, and are not answered. */
  get outstanding(): number {
    return this.#tasks.size + this.#openTaskManagement - this.#order.heldCount
  }

  get expCmdSn(): number {
    return this.window.expCmdSn
  }

  get statSn(): number {
    return this.#responses.statSn
  }

  get isSilent(): boolean {
    return this.#responses.writer.silent
  }

  /** Takes one PDU; what it leads to is in `actions` and in the outbox. */
  receive(pdu: Pdu, nowMs: number): void {
    if (this.#broken || this.isSilent) return
    switch (pdu.opcode) {
      case opcode.dataOut:
        this.#receiveData(pdu)
        return
      case opcode.scsiCommand:
        if (this.#isWanted(pdu)) this.#receiveCommand(pdu, nowMs)
        return
      case opcode.nopOut:
        this.#receiveNop(pdu)
        return
      case opcode.taskManagementRequest:
        if (this.#isWanted(pdu)) this.#receiveTaskManagement(pdu)
        return
      case opcode.textRequest:
        if (this.#isWanted(pdu)) this.#receiveText(pdu)
        return
      case opcode.logoutRequest:
        if (this.#isWanted(pdu)) this.#receiveLogout(pdu)
        return
      case opcode.snackRequest:
        // §11.16: never at error recovery level 0.
        this.#reject(pdu, rejectReason.snackReject)
        return
      case opcode.loginRequest:
        this.#reject(pdu, rejectReason.protocolError)
        this.#close('a Login Request in full feature phase')
        return
      default:
        this.#reject(pdu, rejectReason.commandNotSupported)
    }
  }

  /** The consumer works on a command that holds data. */
  get worksOnData(): boolean {
    return this.#tasks.worksOnData
  }

  /** For time-bound rules; call it about once a second. */
  tick(nowMs: number): void {
    this.window.tick(nowMs)
  }

  /** The command with this tag that was received and is neither answered nor aborted. */
  findTask(initiatorTaskTag: number): Task | null {
    return this.#tasks.get(initiatorTaskTag) ?? null
  }

  tasksOf(lun: number): Task[] {
    return this.#tasks.all().filter((task) => task.lun === lun)
  }

  /**
   * Asks for the first `bytes` of a write's data, or all of it if the initiator has less. A 'data' action follows, at once
   * if they are here or never will be (`task.dataError`). None follows, and the task is gone, if it was aborted, after a
   * Logout (§11.14), and when the session is silent.
   */
  solicit(task: Task, bytes: number): void {
    assert(task.state === 'delivered' || task.state === 'aborted', 'a delivered task is solicited')
    task.wantedBytes = Math.min(bytes, task.expectedDataTransferLength)
    const isSettled = this.writes.isSettled(task)
    if (task.state === 'aborted' || this.isSilent || (this.#loggedOut && !isSettled)) {
      this.#tasks.drop(task)
    } else if (isSettled) {
      this.actions.push(task.dataAction)
    } else {
      task.state = 'collecting'
      this.writes.ask(task)
    }
  }

  /** Gives the payloads to fill for `bytes` of a read behind its first `from`, less if the initiator expects less (then only the first of them are to be filled). Nothing else may be written before `finishDataIn`. */
  reserveDataIn(task: Task, bytes: number, into: Uint8Array[], from = 0, isLast = true): void {
    const end = this.#dataIn.takes(task, from + bytes)
    if (end > from) this.#dataIn.reserve(task, from, end, isLast, into)
  }

  /** A read of so many bytes is one PDU, and the initiator takes all of it: `reserveDataIn` will give one payload. */
  isOneDataIn(task: Task, bytes: number): boolean {
    return this.#dataIn.isOne(task, bytes)
  }

  /** What was reserved will not be filled; the task is as it was before. */
  dropDataIn(): void {
    this.#dataIn.drop()
  }

  /** Sends what was reserved, with status GOOD if that is its last part. `cdbTransferLength` is what its CDB asked for, for the residual count. */
  finishDataIn(task: Task, cdbTransferLength: number): void {
    const dataIn = this.#dataIn
    if (!dataIn.hasReserved(task)) return this.respond(task, good, null, cdbTransferLength)
    if (this.#isAwaited(task, dataIn.isLast)) dataIn.finish(task, cdbTransferLength)
    else dataIn.drop()
    if (dataIn.isLast) this.#tasks.give(task)
  }

  /** As it, with `part`, which is sent from where it lies. True: the part's buffer goes to the pool when it was sent; false: nothing of it is sent. */
  sendDataIn(task: Task, part: ReadPart, cdbTransferLength: number): boolean {
    const bytes = this.#dataIn.takes(task, part.from + part.data.length) - part.from
    if (bytes <= 0) {
      this.respond(task, good, null, cdbTransferLength)
      return false
    }
    const isSent = this.#isAwaited(task, part.isLast) && !this.isSilent
    if (isSent) this.#dataIn.send(task, part, bytes, cdbTransferLength)
    if (part.isLast) this.#tasks.give(task)
    return isSent
  }

  /** Whether a part of a read is to be sent; with the last one the task leaves the books. */
  #isAwaited(task: Task, isLast: boolean): boolean {
    return isLast ? this.#tasks.settle(task) : task.state !== 'aborted'
  }

  /** Sends the SCSI Response (§11.4); `cdbTransferLength` is what the command moved or would have, 0 if it failed. The task is another's afterwards. */
  respond(task: Task, status: number, sense: Uint8Array | null, cdbTransferLength: number): void {
    if (this.#tasks.settle(task))
      this.#responses.scsiResponse(task, status, sense, cdbTransferLength)
    this.#tasks.give(task)
  }

  /**
   * The task will never be answered. One that the consumer works on (`delivered`) stays the consumer's, as `aborted`, until
   * it calls `respond`, `finishDataIn` or `release`, none of which writes anything; any other is gone at once.
   */
  abort(task: Task): void {
    assert(this.#tasks.get(task.initiatorTaskTag) === task, 'S2 an unanswered task is aborted')
    if (task.state === 'delivered') {
      this.#tasks.strike(task)
      task.state = 'aborted'
      return
    }
    if (task.state === 'queued') this.#order.forget(task)
    this.#tasks.drop(task)
    this.#tellAborts()
  }

  /** D5: after the last response to what may have aborted them. */
  #tellAborts(): void {
    if (this.#openTaskManagement === this.#order.heldTaskManagement) this.writes.abortsTold()
  }

  /** The consumer works no more on an aborted task. */
  release(task: Task): void {
    assert(task.state === 'aborted', 'S2 only an aborted task is released unanswered')
    this.#tasks.give(task)
  }

  respondToTaskManagement(request: TaskManagementRequest, response: number): void {
    assert(this.#openTaskManagement > 0, 'a task management request is answered once')
    this.#openTaskManagement -= 1
    this.#responses.taskManagementResponse(request.initiatorTaskTag, response)
    this.#tellAborts()
  }

  /** §11.5.1: the task that the request names has not come. True if it counts as received now and the response is "function complete"; false: "task does not exist". */
  abortUnreceived(request: TaskManagementRequest): boolean {
    return this.#order.countUnreceived(request.refCmdSn, request.cmdSn)
  }

  /** Whether the session is over: the connection is to be left once the response was written (§11.15). */
  respondToLogout(request: LogoutRequest): boolean {
    const response = responseToLogout(request, this.#cid)
    this.#responses.logoutResponse(request.initiatorTaskTag, response)
    return response === logoutResponse.closed
  }

  respondToText(request: TextRequest, text: Uint8Array): void {
    this.#texts.respond(request, text)
  }

  /** Answers what its keys say; `targetsOf` has the answer to SendTargets. */
  respondToKeys(request: TextRequest, targetsOf: (wanted: string) => Uint8Array): void {
    const reply = replyTo(request.text)
    if (reply === null) {
      this.#texts.refuse(request, rejectReason.protocolError)
      return
    }
    const targets = reply.targets === null ? [] : targetsOf(reply.targets)
    this.respondToText(request, Uint8Array.from([...targets, ...printKeys(reply.pairs)]))
    if (reply.segmentBytes !== null) this.#parameters.maxSendDataSegmentLength = reply.segmentBytes
  }

  /** §11.9. */
  asyncMessage(event: number, parameter1: number, parameter2: number, parameter3: number): void {
    this.#responses.asyncMessage(event, parameter1, parameter2, parameter3)
  }

  /** Asks the initiator for a NOP-Out, once it owes no data (D5); 'nopOut' follows with this tag. */
  probe(transferTag: number): void {
    assert(transferTag !== reservedTag, 'a probe has a tag')
    this.writes.nopIn(transferTag)
  }

  reopen(): void {
    const waiting = this.window.frozen
    this.window.reopen()
    // An initiator that has used its window up is waiting for a PDU that tells of more.
    if (waiting) this.#responses.nopIn(reservedTag)
  }

  /** From now on commands, task management and Text Requests that arrive are kept and not delivered. A Logout is, and drops the commands that were kept. */
  hold(): void {
    this.#order.hold()
  }

  /** Delivers as actions what was kept. */
  releaseHeld(): void {
    this.#order.release()
  }

  /** Drops what was kept, unanswered; how many commands and task management requests that were. The session stays held. */
  discardHeld(): number {
    const count = this.#order.heldCount
    for (const delivery of this.#order.discard()) {
      if (delivery.kind === 'taskManagement') this.#openTaskManagement -= 1
      if (delivery.kind === 'command') this.#tasks.drop(delivery.task)
    }
    return count
  }

  /** The guard: from now on this session reads and writes nothing. */
  silence(): void {
    this.#dataIn.drop()
    this.#responses.writer.silence()
  }

  /** The connection is gone. Tasks that the consumer works on become `aborted`. */
  close(): void {
    this.silence()
    for (const task of this.#tasks.all()) this.abort(task)
    this.clearActions()
  }

  /** S1: whether a request is to be looked at. One with damaged data is rejected; in order, it leaves a gap that only a new session closes (§7.8, §7.15). */
  #isWanted(pdu: Pdu): boolean {
    if (this.#loggedOut) return false
    const immediate = isImmediate(pdu.header, pdu.at)
    if (!immediate && !this.#order.accepts(readU32(pdu.header, pdu.at + cmdSnAt))) return false
    if (!pdu.digestError) return true
    this.#reject(pdu, rejectReason.dataDigestError)
    if (!immediate) this.#close('a damaged request')
    return false
  }

  #receiveCommand(pdu: Pdu, nowMs: number): void {
    const tag = initiatorTaskTag(pdu.header, pdu.at)
    if (tag === reservedTag || this.#tasks.get(tag) !== undefined) {
      const inUse = tag !== reservedTag
      this.#refuse(pdu, inUse ? rejectReason.taskInProgress : rejectReason.invalidPduField)
      return
    }
    if (this.#isOverfull(pdu)) return
    const task = this.#tasks.take()
    if (!readCommand(task, pdu, nowMs)) {
      this.#tasks.give(task)
      this.#refuse(pdu, rejectReason.invalidPduField)
      return
    }
    this.writes.begin(task, pdu)
    this.#tasks.add(task)
    if (task.immediate) this.#order.takeImmediate(task.commandAction)
    else this.#order.take(task.cmdSn, task.commandAction)
  }

  #receiveData(pdu: Pdu): void {
    if (pdu.digestError) this.#reject(pdu, rejectReason.dataDigestError)
    // Data of a task that was answered or aborted is on its way for a while.
    const task = this.#tasks.get(initiatorTaskTag(pdu.header, pdu.at))
    if (task === undefined || this.#loggedOut) return
    if (!this.writes.take(task, pdu) || task.state !== 'collecting') return
    if (!this.writes.isSettled(task)) {
      this.writes.ask(task)
      return
    }
    task.state = 'delivered'
    this.actions.push(task.dataAction)
  }

  #receiveNop(pdu: Pdu): void {
    const { header, at } = pdu
    const tag = initiatorTaskTag(header, at)
    if (tag === reservedTag) {
      const transferTag = readU32(header, at + nopOutAt.targetTransferTag)
      if (transferTag === reservedTag) return
      this.actions.push({ kind: 'nopOut', transferTag, cmdSn: readU32(header, at + cmdSnAt) })
      return
    }
    if (!this.#isWanted(pdu)) return
    if (!isImmediate(header, at)) this.#order.take(readU32(header, at + cmdSnAt), null)
    const echoBytes = Math.min(pdu.dataBytes, this.#parameters.maxSendDataSegmentLength)
    const lun = header.subarray(at + bhsAt.lun, at + bhsAt.lun + 8)
    this.#responses.nopResponse(tag, lun, pdu.data.subarray(0, echoBytes))
  }

  #receiveTaskManagement(pdu: Pdu): void {
    if (this.#isOverfull(pdu)) return
    const request = readTaskManagement(pdu)
    this.#openTaskManagement += 1
    const delivery = { kind: 'taskManagement', request } as const
    if (request.immediate) this.#order.takeImmediate(delivery)
    else this.#order.take(request.cmdSn, delivery)
  }

  #receiveText(pdu: Pdu): void {
    const immediate = isImmediate(pdu.header, pdu.at)
    const cmdSn = readU32(pdu.header, pdu.at + cmdSnAt)
    let request: TextRequest | null
    try {
      request = this.#texts.receive(pdu)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#refuse(pdu, rejectReason.protocolError)
      return
    }
    const delivery = request === null ? null : ({ kind: 'text', request } as const)
    if (!immediate) this.#order.take(cmdSn, delivery)
    else if (delivery !== null) this.#order.takeImmediate(delivery)
  }

  #receiveLogout(pdu: Pdu): void {
    const request = readLogout(pdu)
    if (request.reason > logoutReason.removeForRecovery) {
      this.#refuse(pdu, rejectReason.invalidPduField)
      return
    }
    const delivery = { kind: 'logout', request } as const
    if (isImmediate(pdu.header, pdu.at)) this.#order.takeImmediate(delivery)
    else this.#order.take(readU32(pdu.header, pdu.at + cmdSnAt), delivery)
    if (responseToLogout(request, this.#cid) !== logoutResponse.closed) return
    // Neither libiscsi nor Linux sends Data-Outs after a Logout: what is not here will not come (§11.14).
    this.#loggedOut = true
    for (const task of this.#tasks.all()) if (task.state !== 'delivered') this.abort(task)
  }

  /** Immediate requests are bounded apart from the window. */
  #isOverfull(pdu: Pdu): boolean {
    if (!isImmediate(pdu.header, pdu.at)) return false
    if (this.#tasks.immediate + this.#openTaskManagement < immediateMax) return false
    this.#reject(pdu, rejectReason.tooManyImmediateCommands)
    return true
  }

  #reject(pdu: Pdu, reason: number): void {
    this.#responses.reject(reason, pdu.header, pdu.at)
  }

  /** Rejects a request whose CmdSN counts all the same: it was received. */
  #refuse(pdu: Pdu, reason: number): void {
    const { header, at } = pdu
    if (!isImmediate(header, at)) this.#order.take(readU32(header, at + cmdSnAt), null)
    this.#reject(pdu, reason)
  }

  #close(reason: string): void {
    this.#broken = true
    this.actions.push({ kind: 'close', reason })
  }
}
