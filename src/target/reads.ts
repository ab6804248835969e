// READs that cannot be answered at once because there is no room to send their data, or because they are long. They wait
// in their order, and are read in parts as room comes; the parts of one may be under way together, and are sent in order.
//
//   queue ──room──▶ parts under way ──all sent──▶ answered
//     └── aborted or ended before, or a part failed: no more parts; over when none is under way
//
// Invariants:
//   R1. Data is read only when there is room to send it.
//   R2. No READ overtakes one that waits.
//   R3. The data of a READ is sent once, in order; its status comes with the last part, or instead of what is missing.
//   R4. A READ that was aborted, or whose session is over, is read no further, and sends nothing more.
//   R5. While several sessions ask, each has one long READ, or part of one, in a turn of the event loop: what others ask for
//       meanwhile waits for that, not for all that is in its queue. One that asks alone has as many as there is room for.
import type { BufferPool } from '../base/buffer-pool.ts'
import type { ReadPart } from '../iscsi/data-in.ts'
import type { Task } from '../iscsi/task.ts'
import type { Outcome } from '../slice/outcome.ts'
import type { Contention } from './contention.ts'
import { READ_BYTES, READ_PART_BYTES, READ_PART_LEAST_BYTES } from './memory-bounds.ts'
import type { Waiting } from './task-management.ts'

/** R5: what is no longer than this costs no more than it would cost to let others in before it. */
const SHORT_BYTES = 32 * 1024

/** The room of one connection for data on its way to the initiator. */
export interface ReadRoom {
  /** There is always room for so many when nothing is under way. */
  readonly leastBytes: number
  /** Whether so many bytes may be read now. */
  allows(bytes: number): boolean
  /** So many bytes more, or less, are being read: they count until they are in the outbox. */
  reading(bytes: number): void
}

export interface ReadsDeps {
  readonly room: ReadRoom
  readonly buffers: BufferPool
  /** Of the member. */
  readonly contention: Contention
  /** The runner's; a READ that waits here, or of which parts are under way, is 'queued'. */
  readonly waiting: Map<Task, Waiting>
  readonly read: (offset: number, into: Uint8Array) => Outcome | Promise<Outcome>
  /** `transferBytes`: what the CDB asks for. Whether the buffer of the part is sent, and goes to the pool then. */
  readonly send: (task: Task, part: ReadPart, transferBytes: number) => boolean
  readonly fail: (task: Task, outcome: Exclude<Outcome, 'done'>) => void
  /** Ended by the reset of another nexus. */
  readonly ended: (task: Task) => void
  /** Nobody is to hear of it any more. */
  readonly discard: (task: Task) => void
  /** Something was written outside of `queue` and `look`. */
  readonly wrote: () => void
  /** In the next turn of the event loop. */
  readonly soon: (f: () => void) => void
}

interface Part {
  readonly from: number
  readonly buffer: Uint8Array<ArrayBuffer>
  readonly into: Uint8Array<ArrayBuffer>
  outcome: Outcome | null
}

class Reading {
  readonly task: Task
  readonly offset: number
  readonly bytes: number
  readonly transferBytes: number
  begun = 0
  underWay = 0
  failure: Exclude<Outcome, 'done'> | null = null
  isOver = false
  /** Begun and not sent, in order. */
  readonly parts: Part[] = []

  constructor(task: Task, offset: number, bytes: number, transferBytes: number) {
    this.task = task
    this.offset = offset
    this.bytes = bytes
    this.transferBytes = transferBytes
  }
}

export class Reads {
  readonly #deps: ReadsDeps
  readonly #queue: Reading[] = []
  /** R5: there was a long one in this turn. */
  #hadLong = false
  /** R5: of the member, at the first long one of the last turn that had one. */
  #turnovers = -1
  #isAlone = false

  constructor(deps: ReadsDeps) {
    this.#deps = deps
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0
  }

  /** A READ that need not be queued: it takes its turn, and is to be read now, and at once. */
  admits(bytes: number): boolean {
    if (bytes > READ_BYTES || this.#queue.length > 0 || !this.#deps.room.allows(bytes)) return false
    return this.#takesTurn(bytes)
  }

  /** Reads `bytes` from `offset` on, more than 0, when its turn has come. */
  queue(task: Task, offset: number, bytes: number, transferBytes: number): void {
    this.#deps.waiting.set(task, 'queued')
    this.#queue.push(new Reading(task, offset, bytes, transferBytes))
    this.look()
  }

  /** There may be room, or what waits may be over. */
  look(): void {
    for (;;) {
      const [first] = this.#queue
      if (first === undefined || !this.#goOn(first)) return
      this.#queue.shift()
    }
  }

  /** The session is over: of what is under way only the buffers come back. */
  stop(): void {
    for (const { isOver, underWay, task } of this.#queue.splice(0)) {
      if (!isOver && underWay === 0) this.#deps.discard(task)
    }
  }

  /** True: all of it has begun, or nothing more will. */
  #goOn(reading: Reading): boolean {
    while (reading.begun < reading.bytes && this.#isWanted(reading)) {
      const bytes = this.#next(reading)
      if (bytes === 0) return false // R1
      this.#begin(reading, bytes)
    }
    return true
  }

  /** R4. */
  #isWanted(reading: Reading): boolean {
    if (!reading.isOver && reading.underWay === 0) this.#settle(reading)
    if (reading.isOver || reading.failure !== null) return false
    return this.#deps.waiting.get(reading.task) === 'queued'
  }

  #next({ bytes, begun }: Reading): number {
    const { room } = this.#deps
    const large = Math.min(bytes - begun, READ_PART_BYTES)
    const small = Math.min(large, READ_PART_LEAST_BYTES, room.leastBytes)
    const next = room.allows(large) ? large : room.allows(small) ? small : 0
    return this.#takesTurn(next) ? next : 0
  }

  /** R5. Whether it may be read in this turn, which is then its own; if not, what waits is looked at again in the next one. */
  #takesTurn(bytes: number): boolean {
    if (bytes <= SHORT_BYTES) return true
    const { turnovers } = this.#deps.contention
    if (this.#hadLong) return this.#isAlone && turnovers === this.#turnovers
    this.#isAlone = turnovers === this.#turnovers
    this.#turnovers = turnovers
    this.#hadLong = true
    this.#deps.soon(this.#nextTurn)
    return true
  }

  readonly #nextTurn = (): void => {
    this.#hadLong = false
    if (this.isEmpty) return
    this.look()
    this.#deps.wrote()
  }

  #begin(reading: Reading, bytes: number): void {
    const { buffers, room, read } = this.#deps
    const from = reading.begun
    const buffer = buffers.take(bytes)
    const into = buffer.length === bytes ? buffer : buffer.subarray(0, bytes)
    const part: Part = { from, buffer, into, outcome: null }
    reading.begun += bytes
    reading.underWay += 1
    reading.parts.push(part)
    room.reading(bytes)
    const outcome = read(reading.offset + from, into)
    if (typeof outcome === 'string') {
      this.#came(reading, part, outcome)
      return
    }
    void outcome.then((known) => {
      this.#came(reading, part, known)
      this.#deps.wrote()
      this.look()
    })
  }

  #came(reading: Reading, part: Part, outcome: Outcome): void {
    part.outcome = outcome
    reading.underWay -= 1
    if (outcome === 'refused') reading.failure = outcome
    else if (outcome !== 'done') reading.failure ??= outcome
    this.#sendInOrder(reading)
    if (reading.underWay === 0 && !reading.isOver) this.#settle(reading)
  }

  /** R3. */
  #sendInOrder(reading: Reading): void {
    const { room, buffers, waiting, send } = this.#deps
    const { task, parts, bytes, transferBytes } = reading
    for (;;) {
      const [part] = parts
      if (part === undefined || part.outcome === null) return
      parts.shift()
      const { from, into: data } = part
      room.reading(-data.length)
      const isWanted = !reading.isOver && waiting.get(task) === 'queued' // R4
      let isLent = false
      if (isWanted && reading.failure === null) {
        const isLast = from + data.length === bytes
        reading.isOver = isLast
        if (isLast) waiting.delete(task)
        isLent = send(task, { data, from, isLast }, transferBytes)
      }
      if (!isLent) buffers.give(part.buffer)
    }
  }

  /** Nothing of it is under way: whether it is over. */
  #settle(reading: Reading): void {
    const { waiting, discard, ended, fail } = this.#deps
    const { task, failure } = reading
    const state = waiting.get(task)
    if (state === 'queued' && failure === null) return
    reading.isOver = true
    waiting.delete(task)
    if (state === undefined) discard(task)
    else if (state === 'ended') ended(task)
    else if (failure !== null) fail(task, failure)
  }
}
