// What an initiator hears of the end of a command: Data-In and SCSI Responses, their status and sense; and what the session's
// counters are told of it.
import { assert } from '../base/assert.ts'
import type { ReadPart } from '../iscsi/data-in.ts'
import type { Session } from '../iscsi/session.ts'
import type { Task } from '../iscsi/task.ts'
import { FAILED, type Op, OTHER, READ, type SessionCounters, WRITE } from '../load/counters.ts'
import type { NexusState } from '../scsi/nexus-state.ts'
import { type Condition, conditions, type SenseDetail, senseData } from '../scsi/sense.ts'
import type { CompareOutcome } from '../slice/outcome.ts'
import { failureOf, taskSetFull } from './failures.ts'
import { LONG_BYTES } from './memory-bounds.ts'
import { dataErrorSense } from './task-data.ts'

const GOOD = 0x00
const CHECK_CONDITION = 0x02
const TASK_SET_FULL = 0x28

/** What responses need of iscsi/session.ts. */
export type RespondingSession = Pick<
  Session,
  'isOneDataIn' | 'reserveDataIn' | 'finishDataIn' | 'dropDataIn' | 'sendDataIn' | 'respond'
>

export interface TaskResponsesDeps {
  readonly session: RespondingSession
  readonly nexus: NexusState
  readonly counters: SessionCounters
  readonly nowMs: () => number
}

/** An outcome of which the initiator hears: a refused generation is none of its matters. */
export type Failure = Exclude<CompareOutcome, 'done' | 'refused'>

/** It is copied, so it may be anybody's. */
interface CopiedPart extends Omit<ReadPart, 'data'> {
  readonly data: Uint8Array
}

/** `transferBytes` is what the command moved, or would have, for the residual count; 0 where nothing of it counts. */
export class TaskResponses {
  readonly #deps: TaskResponsesDeps
  /** Used again for each read. */
  readonly #payloads: Uint8Array[] = []

  constructor(deps: TaskResponsesDeps) {
    this.#deps = deps
  }

  good(task: Task, transferBytes: number): void {
    this.#deps.counters.others += 1
    this.#respond(task, OTHER, GOOD, null, transferBytes)
  }

  written(task: Task, transferBytes: number): void {
    const { counters } = this.#deps
    counters.writes += 1
    counters.writtenBytes += Math.min(transferBytes, task.expectedDataTransferLength)
    this.#respond(task, WRITE, GOOD, null, transferBytes)
  }

  /** Where all bytes of a read go, until `filled` or `notFilled`; null: it takes several PDUs, or more than the initiator does. */
  reserve(task: Task, bytes: number): Uint8Array | null {
    const { session } = this.#deps
    if (!session.isOneDataIn(task, bytes)) return null
    const payloads = this.#payloads
    session.reserveDataIn(task, bytes, payloads)
    const [payload = null] = payloads
    payloads.length = 0
    return payload
  }

  filled(task: Task, bytes: number, transferBytes: number): void {
    const { counters, session } = this.#deps
    counters.reads += 1
    counters.readBytes += bytes
    this.#count(task, READ)
    session.finishDataIn(task, transferBytes)
  }

  notFilled(): void {
    this.#deps.session.dropDataIn()
  }

  /** GOOD comes with the last part. True: it is sent from where it lies, and then its buffer is the pool's. */
  read(task: Task, part: ReadPart, transferBytes: number): boolean {
    const { counters, session } = this.#deps
    const { data, isLast } = part
    if (isLast) counters.reads += 1
    counters.readBytes += data.length
    if (data.length < LONG_BYTES) {
      this.#sendDataIn(task, READ, part, transferBytes)
      return false
    }
    if (isLast) this.#count(task, READ)
    return session.sendDataIn(task, part, transferBytes)
  }

  /** Of another command than a read. */
  dataIn(task: Task, data: Uint8Array): void {
    const bytes = task.isRead ? Math.min(data.length, task.expectedDataTransferLength) : 0
    if (bytes === 0) {
      this.good(task, task.isRead ? data.length : 0)
      return
    }
    this.#deps.counters.others += 1
    const part = { data: data.subarray(0, bytes), from: 0, isLast: true }
    this.#sendDataIn(task, OTHER, part, data.length)
  }

  fail(task: Task, condition: Condition, detail: SenseDetail, transferBytes: number): void {
    const { counters, nexus } = this.#deps
    const failure = failureOf(condition)
    if (failure !== null) counters.failed(failure)
    const sense = senseData(condition, nexus.descriptorSense, detail)
    this.#respond(task, FAILED, CHECK_CONDITION, sense, transferBytes)
  }

  failed(task: Task, outcome: Failure, transferBytes: number): void {
    if (typeof outcome === 'string') this.fail(task, outcomeSense[outcome], {}, transferBytes)
    else this.fail(task, conditions.miscompare, { information: outcome.offset }, transferBytes)
  }

  /** RFC 7143 §7.8, §11.4.7.2. */
  refuseData(task: Task): void {
    const { dataError } = task
    assert(dataError !== 'none', 'data is refused for an error in it')
    if (dataError !== 'noRoom') {
      this.fail(task, dataErrorSense[dataError], {}, 0)
      return
    }
    this.#deps.counters.failed(taskSetFull)
    this.#respond(task, FAILED, TASK_SET_FULL, null, 0)
  }

  /** By the reset of another nexus. */
  ended(task: Task): void {
    const { attentions } = this.#deps.nexus
    this.fail(task, attentions.take() ?? conditions.logicalUnitReset, {}, 0)
  }

  #respond(
    task: Task,
    op: Op,
    status: number,
    sense: Uint8Array | null,
    transferBytes: number,
  ): void {
    this.#count(task, op)
    this.#deps.session.respond(task, status, sense, transferBytes)
  }

  #sendDataIn(task: Task, op: Op, part: CopiedPart, transferBytes: number): void {
    const { data, from, isLast } = part
    const { session } = this.#deps
    const payloads = this.#payloads
    session.reserveDataIn(task, data.length, payloads, from, isLast)
    let at = 0
    for (const payload of payloads) {
      const to = at + payload.length
      payload.set(at === 0 && to === data.length ? data : data.subarray(at, to))
      at = to
    }
    payloads.length = 0
    if (isLast) this.#count(task, op)
    session.finishDataIn(task, transferBytes)
  }

  /** Before its response: after it, the task is another command's. */
  #count(task: Task, op: Op): void {
    const { counters, nowMs } = this.#deps
    counters.outstanding -= 1
    counters.answered(op, nowMs() - task.receivedAtMs)
  }
}

const outcomeSense = {
  full: conditions.spaceAllocationFailed,
  damaged: conditions.unrecoveredReadError,
  gone: conditions.logicalUnitNotSupported,
} as const
