// A session and a volume in memory for the tests of task-runner.ts and what belongs to it.

import { Budget } from '../base/budget.ts'
import { BufferPool } from '../base/buffer-pool.ts'
import { generation, sessionId, sliceId, volumeId } from '../base/ids.ts'
import type { VolumeRecord } from '../group/record.ts'
import type { ReadPart } from '../iscsi/data-in.ts'
import type { TaskManagementRequest } from '../iscsi/requests.ts'
import { Task } from '../iscsi/task.ts'
import { SessionCounters } from '../load/counters.ts'
import { logicalUnit } from '../scsi/logical-unit.ts'
import type { CompareOutcome, Outcome } from '../slice/outcome.ts'
import type { VolumeGateway } from '../volume/access.ts'
import { Contention } from './contention.ts'
import type { ReadRoom } from './reads.ts'
import { TaskRunner, type TaskSession } from './task-runner.ts'

export const MIB = 1024 * 1024
export const volume: VolumeRecord = {
  id: volumeId(3),
  name: 'v',
  iqn: 'iqn.2026-11.dev.evenkeel:demo-3',
  bytes: 64 * MIB,
  blockBytes: 512,
  shared: false,
  lanes: [sliceId(0)],
  view: 1,
  createdAt: '',
}
/** More than any command here awaits in a row. */
const TURNS = 100
const origin = { session: sessionId(11), gen: generation(2) }

export interface ScsiResponse {
  readonly tag: number
  readonly status: number
  readonly sense: readonly number[] | null
  readonly transferBytes: number
  readonly data: readonly number[]
}

/** The session as the runner sees it: tasks in, responses written down. Data-In is cut into two payloads at most. */
export class FakeSession implements TaskSession {
  readonly responses: ScsiResponse[] = []
  readonly managed: (readonly [number, number])[] = []
  readonly tasks = new Map<number, Task>()
  readonly solicited: number[] = []
  readonly released: number[] = []
  gone = false
  /** Tag, offset and length of what was sent of reads. */
  readonly parts: (readonly [number, number, number])[] = []
  /** Of the first payload, at most. */
  segmentBytes = Number.POSITIVE_INFINITY
  #payloads: Uint8Array[] = []
  #isLast = true
  readonly #sent = new Map<Task, number[]>()

  solicit(task: Task, bytes: number): void {
    task.wantedBytes = Math.min(bytes, task.expectedDataTransferLength)
    this.solicited.push(bytes)
    if (this.gone) this.#leave(task)
    else task.state = 'collecting'
  }

  isOneDataIn({ expectedDataTransferLength }: Task, bytes: number): boolean {
    return bytes <= this.segmentBytes && bytes <= expectedDataTransferLength
  }

  reserveDataIn(task: Task, bytes: number, into: Uint8Array[], from = 0, isLast = true): void {
    const first = Math.min(this.segmentBytes, bytes)
    this.#payloads = [new Uint8Array(first), new Uint8Array(bytes - first)]
    into.push(...this.#payloads.filter((payload) => payload.length > 0))
    this.parts.push([task.initiatorTaskTag, from, bytes])
    this.#isLast = isLast
  }

  finishDataIn(task: Task, transferBytes: number): void {
    const part = this.#payloads.flatMap((payload) => [...payload])
    const data = [...(this.#sent.get(task) ?? []), ...part]
    if (this.#isLast) this.#sent.delete(task)
    else this.#sent.set(task, data)
    if (!this.#isLast) return
    this.#settle(task, { status: 0, sense: null, transferBytes, data })
  }

  dropDataIn(): void {
    this.#payloads = []
  }

  sendDataIn(task: Task, { data, from, isLast }: ReadPart, transferBytes: number): boolean {
    this.#payloads = [data.slice()]
    this.parts.push([task.initiatorTaskTag, from, data.length])
    this.#isLast = isLast
    this.finishDataIn(task, transferBytes)
    return true
  }

  respond(task: Task, status: number, sense: Uint8Array | null, transferBytes: number): void {
    this.#settle(task, { status, sense: sense && [...sense], transferBytes, data: [] })
  }

  abort(task: Task): void {
    if (!this.tasks.delete(task.initiatorTaskTag))
      throw new Error('aborted twice or after its response')
    if (task.state === 'delivered') task.state = 'aborted'
    else task.free()
  }

  release(task: Task): void {
    if (task.state !== 'aborted') throw new Error(`released while ${task.state}`)
    this.released.push(task.initiatorTaskTag)
    task.free()
  }

  findTask(tag: number): Task | null {
    return this.tasks.get(tag) ?? null
  }

  tasksOf(lun: number): Task[] {
    return [...this.tasks.values()].filter((task) => task.lun === lun)
  }

  abortUnreceived(): boolean {
    return false
  }

  respondToTaskManagement(request: TaskManagementRequest, response: number): void {
    this.managed.push([request.initiatorTaskTag, response])
  }

  #settle(task: Task, response: Omit<ScsiResponse, 'tag'>): void {
    if (task.state !== 'delivered') throw new Error(`answered while ${task.state}`)
    this.responses.push({ tag: task.initiatorTaskTag, ...response })
    this.#leave(task)
  }

  #leave(task: Task): void {
    this.tasks.delete(task.initiatorTaskTag)
    task.free()
  }
}

/** A volume in memory. `hold` makes every outcome a promise that `settle` lets through, with its work done only then. */
export class FakeGateway implements VolumeGateway {
  readonly bytes = new Uint8Array(volume.bytes)
  readonly unmapped: (readonly [number, number])[] = []
  /** For `allocation`. */
  extents: readonly (readonly [number, number])[] = []
  calls = 0
  holding = false
  outcome: Outcome = 'done'
  readonly #held: (() => void)[] = []

  read(from: unknown, _volume: VolumeRecord, offset: number, into: Uint8Array) {
    if (from !== origin) throw new Error('read for another session')
    return this.#run(() => into.set(this.bytes.subarray(offset, offset + into.length)))
  }

  isHere(): boolean {
    return true
  }

  readNow(from: unknown, volume: VolumeRecord, offset: number, into: Uint8Array) {
    if (this.holding) {
      into.fill(0xee) // what it holds means nothing
      return 'later'
    }
    const outcome = this.read(from, volume, offset, into)
    if (typeof outcome !== 'string') throw new Error('it is not held')
    return outcome
  }

  write(_from: unknown, _volume: VolumeRecord, offset: number, data: Uint8Array) {
    return this.#run(() => this.bytes.set(data, offset))
  }

  unmap(_from: unknown, _volume: VolumeRecord, offset: number, bytes: number) {
    this.unmapped.push([offset, bytes])
    return this.#run(() => this.bytes.fill(0, offset, offset + bytes))
  }

  compareAndWrite(
    _from: unknown,
    _volume: VolumeRecord,
    offset: number,
    { verify, data }: { readonly verify: Uint8Array; readonly data: Uint8Array },
  ): CompareOutcome | Promise<CompareOutcome> {
    const differs = verify.findIndex((value, i) => this.bytes[offset + i] !== value)
    if (differs >= 0) return { kind: 'miscompare', offset: differs }
    return this.#run(() => this.bytes.set(data, offset))
  }

  async allocation(_volume: VolumeRecord, _from: number, to: number, most: number) {
    return { upTo: to, extents: this.extents.slice(0, most) }
  }

  async settle(): Promise<void> {
    for (const step of this.#held.splice(0)) step()
    for (let turn = 0; turn < TURNS; turn += 1) await Promise.resolve()
  }

  #run(work: () => void): Outcome | Promise<Outcome> {
    this.calls += 1
    const { outcome } = this
    const step = () => {
      if (outcome === 'done') work()
    }
    if (!this.holding) {
      step()
      return outcome
    }
    return new Promise((resolve) => {
      this.#held.push(() => {
        step()
        resolve(outcome)
      })
    })
  }
}

/** Room for `freeBytes`, as the test says; `underWay` is being read. */
export class FakeRoom implements ReadRoom {
  readonly leastBytes = 64 * 1024
  freeBytes = Number.POSITIVE_INFINITY
  underWay = 0

  allows(bytes: number): boolean {
    return this.underWay + bytes <= this.freeBytes
  }

  reading(bytes: number): void {
    this.underWay += bytes
  }
}

/** Of the event loop, one after the other as the test says. */
class Turns {
  readonly #waiting: (() => void)[] = []

  readonly soon = (f: () => void): void => {
    this.#waiting.push(f)
  }

  readonly turn = (): void => {
    for (const f of this.#waiting.splice(0)) f()
  }
}

export function bench({ toldBytes = volume.bytes } = {}) {
  const [session, gateway] = [new FakeSession(), new FakeGateway()]
  const counters = new SessionCounters()
  const buffers = new BufferPool(16 * MIB)
  const [room, turns, contention] = [new FakeRoom(), new Turns(), new Contention()]
  const share = new Budget({ total: 64 * MIB, each: 64 * MIB, least: 0 }).share()
  const told = { wrote: 0, refused: 0, resets: 0 }
  const others = Promise.withResolvers<boolean>()
  const runner = new TaskRunner({
    session,
    unit: logicalUnit(volume),
    toldBytes,
    gateway,
    volume,
    origin,
    counters,
    buffers,
    contention,
    room,
    nowMs: () => 5,
    soon: turns.soon,
    wrote: () => {
      told.wrote += 1
    },
    resetOthers: () => {
      told.resets += 1
      return others.promise
    },
    refused: () => {
      told.refused += 1
    },
  })
  let tag = 0

  /** A command as the session delivers it; `immediate` data is in it already. */
  function command(
    cdb: readonly number[],
    way: 'in' | 'out' | 'none',
    expected: number,
    immediate: Uint8Array = new Uint8Array(0),
  ): Task {
    const task = new Task(buffers)
    tag += 1
    task.initiatorTaskTag = tag
    task.cmdSn = tag
    task.takeCdb(Uint8Array.from(cdb), 0)
    task.expectedDataTransferLength = expected
    task.isRead = way === 'in'
    task.isWrite = way === 'out'
    task.wantedBytes = expected
    task.receivedAtMs = 3
    task.state = 'delivered'
    append(task, immediate)
    session.tasks.set(tag, task)
    return task
  }

  function append(task: Task, data: Uint8Array): void {
    if (data.length === 0) return
    task.makeRoom(Math.max(task.wantedBytes, task.dataBytes + data.length), share)
    task.append(data)
  }

  function start(...args: Parameters<typeof command>): Task {
    const task = command(...args)
    runner.start(task)
    return task
  }

  /** The rest of the data of a task that was solicited. */
  function arrive(task: Task, data: Uint8Array): void {
    append(task, data)
    task.state = 'delivered'
    runner.dataArrived(task)
  }

  const last = () => session.responses.at(-1)
  const bases = { session, gateway, counters, buffers, contention, room, told, runner, others }
  return { ...bases, ...turns, command, start, arrive, last }
}

export const filled = (bytes: number, value: number) => new Uint8Array(bytes).fill(value)
export const read10 = (lba: number, blocks: number) => [
  0x28,
  0,
  0,
  0,
  lba >> 8,
  lba & 255,
  0,
  blocks >> 8,
  blocks & 255,
]
export const write10 = (lba: number, blocks: number) => [0x2a, ...read10(lba, blocks).slice(1)]
export const verify10 = (lba: number, blocks: number, check: number) => [
  0x2f,
  check << 1,
  ...read10(lba, blocks).slice(2),
]
export const writeVerify10 = (lba: number, blocks: number, check: number) => [
  0x2e,
  check << 1,
  ...read10(lba, blocks).slice(2),
]
export const compareAndWrite = (lba: number) => [0x89, 0, 0, 0, 0, 0, 0, 0, 0, lba, 0, 0, 0, 1]
export const writeSame16 = (flags: number, lba: number, blocks: number) => [
  ...[0x93, flags, 0, 0, 0, 0, 0, 0, lba >> 8, lba & 255],
  ...[0, 0, blocks >> 8, blocks & 255],
]
/** Key, ASC and ASCQ of fixed sense data. */
export const code = (response: ScsiResponse | undefined) => [
  response?.sense?.[2],
  response?.sense?.[12],
  response?.sense?.[13],
]
export const manage = (fn: number, referencedTaskTag = 0, cmdSn = 1000): TaskManagementRequest => ({
  initiatorTaskTag: 0x99,
  cmdSn,
  immediate: true,
  function: fn,
  lun: 0,
  referencedTaskTag,
  refCmdSn: 0,
})
