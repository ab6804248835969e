// A session's SCSI commands are carried out here, from the action that delivers one to its SCSI Response or its last Data-In
// (task-responses.ts): the one place where a plan meets the volume.
//
//   start ──plan──▶ answered                                      no data, or data at once
//     │   ──plan──▶ collecting ──data──▶ dataArrived ──plan──▶    Data-Out is missing
//     │   ──plan──▶ queued ──room (reads.ts)──▶ answered             a READ that has to wait, or is long
//     └──────────────────────────────────▶ working ──outcome──▶ answered | dropped
//
//   working   the gateway has it; an abort waits until its outcome is known, since it may still reach the volume
//   dropped   aborted, refused, or the session is over: nothing is answered
//
// Invariants:
//   X1. A command gets one SCSI Response, or none: not if it was aborted, its generation was refused, or the session is over.
//   X2. Blocks are changed only by a command whose data came whole; of a WRITE that announced less than its CDB asks for,
//       the whole blocks of it (RFC 7143 §11.4.5).
//   X3. Between the PDU of a read that is answered at once and its response there is no promise and no closure.
//   X4. What is here is read straight into its Data-In, as nothing else is written in that turn. What has to be waited for
//       is read into a buffer of the task's own, since the gateway keeps that until its outcome, and the outbox is other
//       commands' by then; so is what is long, which is sent from there.
//   X5. From the moment the volume has grown its new size holds, and the next command that may report it finds the unit
//       attention 2A/09; of what the initiator was told is kept account until then.
import { assert } from '../base/assert.ts'
import type { BufferPool } from '../base/buffer-pool.ts'
import { BLOCK_BYTES } from '../base/sizes.ts'
import type { VolumeRecord } from '../group/record.ts'
import type { TaskManagementRequest } from '../iscsi/requests.ts'
import type { Session } from '../iscsi/session.ts'
import type { Task } from '../iscsi/task.ts'
import type { SessionCounters } from '../load/counters.ts'
import type { Origin } from '../peer/operation.ts'
import { lbaStatus } from '../scsi/capacity.ts'
import { plan, planCommand, planWithoutUnit } from '../scsi/commands.ts'
import { bytesOf, type LogicalUnit } from '../scsi/logical-unit.ts'
import { type NexusState, newNexusState } from '../scsi/nexus-state.ts'
import { type LbaStatusPlan, type Plan, planData } from '../scsi/plan.ts'
import type { CompareOutcome, Outcome } from '../slice/outcome.ts'
import { VolumeAccess, type VolumeGateway } from '../volume/access.ts'
import type { Contention } from './contention.ts'
import { LONG_BYTES } from './memory-bounds.ts'
import { type ReadRoom, Reads } from './reads.ts'
import { misfit, type OutPlan, wantedBytes } from './task-data.ts'
import { type ManagedSession, TaskManagement, type Waiting } from './task-management.ts'
import { type RespondingSession, TaskResponses } from './task-responses.ts'
import { perform, type WorkPlan } from './task-write.ts'

const nothing = new Uint8Array(0)

/** What commands need of iscsi/session.ts. */
export type TaskSession = ManagedSession & RespondingSession & Pick<Session, 'solicit' | 'release'>

export interface TaskDeps {
  readonly session: TaskSession
  readonly unit: LogicalUnit
  /** The size that the initiator was told before this connection: less than the unit's if the volume has grown since. */
  readonly toldBytes: number
  readonly gateway: VolumeGateway
  readonly volume: VolumeRecord
  readonly origin: Origin
  readonly counters: SessionCounters
  readonly buffers: BufferPool
  /** Of its connection. */
  readonly room: ReadRoom
  readonly contention: Contention
  readonly nowMs: () => number
  /** In the next turn of the event loop. */
  readonly soon: (f: () => void) => void
  /** Something was written outside of `start`, `dataArrived` and `manage`. */
  readonly wrote: () => void
  /** U3 of task-management.ts. */
  readonly resetOthers: () => Promise<boolean>
  /** A primary refused the session's generation: its connection must be closed, and nothing is answered any more. */
  readonly refused: () => void
}

interface BufferedRead {
  readonly buffer: Uint8Array<ArrayBuffer>
  /** The beginning of it. */
  readonly into: Uint8Array<ArrayBuffer>
  readonly transferBytes: number
}

export class TaskRunner {
  readonly nexus: NexusState = newNexusState()
  readonly #deps: TaskDeps
  readonly #access: VolumeAccess
  readonly #responses: TaskResponses
  readonly #waiting = new Map<Task, Waiting>()
  readonly #management: TaskManagement
  readonly #reads: Reads
  #isOver = false
  #unit: LogicalUnit
  /** While the growth of the unit is to be told. */
  #toldBytes: number

  constructor(deps: TaskDeps) {
    const { gateway, origin, volume, counters, session, resetOthers } = deps
    this.#deps = deps
    this.#unit = deps.unit
    this.#toldBytes = deps.toldBytes
    if (deps.toldBytes < bytesOf(deps.unit)) this.nexus.attentions.raise('capacityChanged')
    this.#access = new VolumeAccess(gateway, origin, volume, counters)
    const { nexus } = this
    this.#responses = new TaskResponses({ session, nexus, counters, nowMs: deps.nowMs })
    const wrote = () => {
      if (!this.#isOver) deps.wrote()
    }
    const resets = { resetOthers, wrote, counters }
    this.#management = new TaskManagement(session, this.nexus, this.#waiting, resets)
    this.#reads = new Reads({
      room: deps.room,
      buffers: deps.buffers,
      contention: deps.contention,
      waiting: this.#waiting,
      read: (offset, into) => this.#access.read(offset, into),
      send: (task, part, transferBytes) => this.#responses.read(task, part, transferBytes),
      fail: (task, outcome) => this.#failOutcome(task, outcome, 0),
      ended: (task) => this.#responses.ended(task),
      discard: (task) => this.#discard(task),
      wrote,
      soon: deps.soon,
    })
  }

  /** A command came, in its order. */
  start(task: Task): void {
    if (this.#isOver) return
    if (task.state === 'aborted') {
      this.#deps.session.release(task)
      return
    }
    const { counters, contention } = this.#deps
    contention.came(this)
    counters.outstanding += 1
    if (counters.outstanding > counters.deepest) counters.deepest = counters.outstanding
    if (task.dataError === 'none') {
      this.#carryOut(
        task,
        task.lun === 0 ? plan(task.cdb, this.#unit, this.nexus) : planWithoutUnit(task.cdb),
      )
    } else if (task.unsolicitedOpen) {
      this.#await(task, 0) // the burst with the error is let run to its end
    } else {
      this.#responses.refuseData(task)
    }
  }

  /** The data that was solicited is here, or an error was found in it. */
  dataArrived(task: Task): void {
    if (this.#isOver) return
    const waiting = this.#waiting.get(task)
    if (waiting === undefined) {
      if (task.state === 'aborted') this.#deps.session.release(task)
      return
    }
    this.#waiting.delete(task)
    if (waiting === 'ended') {
      this.#responses.ended(task)
      return
    }
    if (task.dataError !== 'none') {
      this.#responses.refuseData(task)
      return
    }
    const made = planCommand(task.cdb, this.#unit, this.nexus)
    if (made.kind === 'sense') {
      this.#responses.fail(task, made.condition, made.detail, 0)
      return
    }
    assert(made.direction === 'out', 'only a command with Data-Out solicits')
    this.#execute(task, made, wantedBytes(task, made.transferBytes))
  }

  manage(request: TaskManagementRequest): void {
    if (this.#isOver) return
    this.#management.manage(request)
    this.#reads.look()
  }

  /** Responses have left: READs that wait may go on. */
  roomCame(): void {
    if (this.#isOver || this.#reads.isEmpty) return
    this.#reads.look()
    if (!this.#isOver) this.#deps.wrote()
  }

  /** Another nexus resets the logical unit: settles when no command that was started before can reach the volume any more; false: the session is over, and its generation not yet refused everywhere. */
  resetByAnother(): Promise<boolean> {
    return this.#isOver ? Promise.resolve(false) : this.#management.resetByAnother()
  }

  /** X5. */
  grow(unit: LogicalUnit): void {
    if (bytesOf(unit) <= bytesOf(this.#unit)) return
    this.#toldBytes = this.toldBytes
    this.#unit = unit
    this.nexus.attentions.raise('capacityChanged')
  }

  /** The size of the volume that its initiator knows of. */
  get toldBytes(): number {
    return this.nexus.attentions.waits('capacityChanged') ? this.#toldBytes : bytesOf(this.#unit)
  }

  /** The session is over: what is under way may still reach the volume, but nothing is answered. */
  stop(): void {
    this.#isOver = true
    this.#waiting.clear()
    this.#reads.stop()
    this.#management.stop()
    this.#deps.counters.outstanding = 0
  }

  #carryOut(task: Task, made: Plan): void {
    switch (made.kind) {
      case 'read':
        this.#read(task, made.offset, made.transferBytes)
        break
      case 'good':
        this.#responses.good(task, 0)
        break
      case 'sense':
        this.#responses.fail(task, made.condition, made.detail, 0)
        break
      case 'dataIn':
        this.#responses.dataIn(task, made.data)
        break
      case 'lbaStatus':
        this.#sendLbaStatus(task, made)
        break
      default:
        if (made.direction === 'none') this.#execute(task, made, 0)
        else this.#collect(task, made)
    }
  }

  // Data-In

  /** The path of most commands: X3. */
  #read(task: Task, offset: number, transferBytes: number): void {
    // Data cannot be sent for a command that announced Data-Out.
    const bytes = task.isRead ? Math.min(transferBytes, task.expectedDataTransferLength) : 0
    if (bytes === 0) {
      this.#responses.good(task, task.isRead ? transferBytes : 0)
      return
    }
    const { buffers } = this.#deps
    if (!this.#reads.admits(bytes)) {
      this.#reads.queue(task, offset, bytes, transferBytes)
      return
    }
    if (bytes < LONG_BYTES && this.#readNow(task, offset, bytes, transferBytes)) return
    const buffer = buffers.take(bytes)
    const into = buffer.length === bytes ? buffer : buffer.subarray(0, bytes)
    const outcome = this.#access.read(offset, into)
    const read = { buffer, into, transferBytes }
    if (typeof outcome === 'string') this.#finishRead(task, outcome, read)
    else this.#readLater(task, outcome, read)
  }

  /** X4. Whether it was answered. */
  #readNow(task: Task, offset: number, bytes: number, transferBytes: number): boolean {
    if (!this.#access.isHere(offset, bytes)) return false
    const payload = this.#responses.reserve(task, bytes)
    if (payload === null) return false
    const outcome = this.#access.readNow(offset, payload)
    if (outcome === 'done') {
      this.#responses.filled(task, bytes, transferBytes)
      return true
    }
    this.#responses.notFilled()
    if (outcome === 'later') return false
    this.#failOutcome(task, outcome, 0)
    return true
  }

  #readLater(task: Task, outcome: Promise<Outcome>, read: BufferedRead): void {
    const { room, buffers } = this.#deps
    this.#waiting.set(task, 'working')
    room.reading(read.into.length)
    void outcome.then((known) => {
      room.reading(-read.into.length)
      if (this.#wasDropped(task)) buffers.give(read.buffer)
      else {
        this.#finishRead(task, known, read)
        if (!this.#isOver) this.#deps.wrote()
      }
      this.roomCame()
    })
  }

  /** The buffer goes to the pool, now or when it was sent. */
  #finishRead(task: Task, outcome: Outcome, { buffer, into, transferBytes }: BufferedRead): void {
    let isLent = false
    const part = { data: into, from: 0, isLast: true }
    if (outcome === 'done') isLent = this.#responses.read(task, part, transferBytes)
    else this.#failOutcome(task, outcome, 0)
    if (!isLent) this.#deps.buffers.give(buffer)
  }

  #sendLbaStatus(task: Task, made: LbaStatusPlan): void {
    const { offset, bytes, descriptors } = made
    const from = offset - (offset % BLOCK_BYTES)
    this.#waiting.set(task, 'working')
    void this.#access.allocation(from, offset + bytes, descriptors).then((known) => {
      if (this.#wasDropped(task)) return
      this.#responses.dataIn(task, lbaStatus(made, this.#unit, known))
      if (!this.#isOver) this.#deps.wrote()
    })
  }

  // Data-Out

  #collect(task: Task, made: OutPlan): void {
    const { transferBytes } = made
    const wanted = wantedBytes(task, transferBytes)
    const wrong = misfit(task, made, wanted, this.#unit)
    if (wrong !== null) {
      this.#responses.fail(task, wrong.condition, wrong.detail, transferBytes)
    } else if (wanted === 0 || (!task.unsolicitedOpen && task.dataBytes >= wanted)) {
      this.#execute(task, made, wanted)
    } else {
      this.#await(task, wanted)
    }
  }

  /** Until its data is here; unless the session is past asking for any: then the task is another's already. */
  #await(task: Task, wanted: number): void {
    this.#waiting.set(task, 'collecting')
    this.#deps.session.solicit(task, wanted)
    if (task.state === 'collecting' || task.state === 'delivered') return
    this.#waiting.delete(task)
    this.#deps.counters.outstanding -= 1
  }

  /** `bytes` of the task's data are here and wanted. */
  #execute(task: Task, made: OutPlan, bytes: number): void {
    const whole = task.data
    const data = whole.length === bytes ? whole : whole.subarray(0, bytes)
    const { transferBytes } = made
    if (made.kind !== 'parameters') {
      if (made.direction === 'out' && bytes === 0) this.#responses.good(task, transferBytes)
      else this.#work(task, made, data, transferBytes)
      return
    }
    const next = planData(made, data, this.#unit, this.nexus)
    if (next.kind === 'unmap') this.#work(task, next, nothing, transferBytes)
    else if (next.kind === 'sense')
      this.#responses.fail(task, next.condition, next.detail, transferBytes)
    else this.#responses.good(task, transferBytes)
  }

  #work(task: Task, made: WorkPlan, data: Uint8Array, transferBytes: number): void {
    const isWrite = made.kind !== 'verify' && made.kind !== 'unmap'
    const outcome = perform(this.#access, made, data)
    if (typeof outcome === 'string' || 'kind' in outcome) {
      this.#finishWork(task, outcome, isWrite, transferBytes)
      return
    }
    this.#waiting.set(task, 'working')
    void outcome.then((known) => {
      if (this.#wasDropped(task)) return
      this.#finishWork(task, known, isWrite, transferBytes)
      if (!this.#isOver) this.#deps.wrote()
    })
  }

  #finishWork(task: Task, outcome: CompareOutcome, isWrite: boolean, transferBytes: number): void {
    if (outcome !== 'done') this.#failOutcome(task, outcome, transferBytes)
    else if (isWrite) this.#responses.written(task, transferBytes)
    else this.#responses.good(task, transferBytes)
  }

  #failOutcome(task: Task, outcome: Exclude<CompareOutcome, 'done'>, transferBytes: number): void {
    if (outcome !== 'refused') {
      this.#responses.failed(task, outcome, transferBytes)
      return
    }
    this.stop()
    this.#discard(task)
    this.#deps.refused()
  }

  /** The outcome of a command is known that was working: whether nobody is to hear of it (X1). */
  #wasDropped(task: Task): boolean {
    if (this.#waiting.delete(task) && task.state === 'delivered') {
      if (!this.#management.isIdle) this.#management.settled(task)
      return false
    }
    this.#discard(task)
    if (this.#isOver) return true
    this.#deps.counters.outstanding -= 1
    if (this.#management.settled(task)) this.#deps.wrote()
    return true
  }

  /** The task goes back to the session, unanswered. */
  #discard(task: Task): void {
    const { session } = this.#deps
    if (task.state === 'delivered') session.abort(task)
    session.release(task)
  }
}
