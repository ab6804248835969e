import { describe, expect, it } from 'vitest'
import type { VolumeRecord } from '../group/record.ts'
import { BufferPool } from '../iscsi/buffer-pool.ts'
import type { TaskManagementRequest } from '../iscsi/requests.ts'
import { Task } from '../iscsi/task.ts'
import { SessionCounters } from '../load/counters.ts'
import { logicalUnit } from '../scsi/logical-unit.ts'
import type { CompareOutcome, Outcome } from '../volume/outcome.ts'
import { TaskRunner, type TaskSession } from './task.ts'
import type { VolumeGateway } from './volume-access.ts'

const MIB = 1024 * 1024
const volume: VolumeRecord = {
  id: 3,
  name: 'v',
  iqn: 'iqn.2026-11.dev.evenkeel:demo-3',
  bytes: 64 * MIB,
  blockBytes: 512,
  shared: false,
  lanes: [0],
  view: 1,
  createdAt: '',
}
const origin = { sessionId: 11, gen: 2 }

interface Answer {
  readonly tag: number
  readonly status: number
  readonly sense: readonly number[] | null
  readonly transferBytes: number
  readonly data: readonly number[]
}

/** The session as the runner sees it: tasks in, answers written down. Data-In is cut into two payloads. */
class FakeSession implements TaskSession {
  readonly answers: Answer[] = []
  readonly managed: (readonly [number, number])[] = []
  readonly tasks = new Map<number, Task>()
  readonly solicited: number[] = []
  readonly released: number[] = []
  gone = false
  #payloads: Uint8Array[] = []

  solicit(task: Task, bytes: number): void {
    task.wantedBytes = Math.min(bytes, task.expectedDataTransferLength)
    this.solicited.push(bytes)
    if (this.gone) this.#leave(task)
    else task.state = 'collecting'
  }

  reserveDataIn(_task: Task, bytes: number, into: Uint8Array[]): void {
    const first = Math.min(300, bytes)
    this.#payloads = [new Uint8Array(first), new Uint8Array(bytes - first)]
    into.push(...this.#payloads.filter((payload) => payload.length > 0))
  }

  finishDataIn(task: Task, transferBytes: number): void {
    const data = this.#payloads.flatMap((payload) => [...payload])
    this.#settle(task, { status: 0, sense: null, transferBytes, data })
  }

  answer(task: Task, status: number, sense: Uint8Array | null, transferBytes: number): void {
    this.#settle(task, { status, sense: sense && [...sense], transferBytes, data: [] })
  }

  abort(task: Task): void {
    if (!this.tasks.delete(task.initiatorTaskTag))
      throw new Error('aborted twice or after its answer')
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

  answerTaskManagement(request: TaskManagementRequest, response: number): void {
    this.managed.push([request.initiatorTaskTag, response])
  }

  #settle(task: Task, answer: Omit<Answer, 'tag'>): void {
    if (task.state !== 'delivered') throw new Error(`answered while ${task.state}`)
    this.answers.push({ tag: task.initiatorTaskTag, ...answer })
    this.#leave(task)
  }

  #leave(task: Task): void {
    this.tasks.delete(task.initiatorTaskTag)
    task.free()
  }
}

/** A volume in memory. `hold` makes every outcome a promise that `settle` lets through, with its work done only then. */
class FakeGateway implements VolumeGateway {
  readonly bytes = new Uint8Array(volume.bytes)
  readonly unmapped: (readonly [number, number])[] = []
  calls = 0
  holding = false
  outcome: Outcome = 'done'
  readonly #held: (() => void)[] = []

  read(from: unknown, _volume: VolumeRecord, offset: number, into: Uint8Array) {
    expect(from).toBe(origin)
    return this.#run(() => into.set(this.bytes.subarray(offset, offset + into.length)))
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

  settle(): Promise<void> {
    for (const step of this.#held.splice(0)) step()
    return new Promise((resolve) => setImmediate(resolve))
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

function bench() {
  const session = new FakeSession()
  const gateway = new FakeGateway()
  const counters = new SessionCounters()
  const buffers = new BufferPool(16 * MIB)
  const told = { answered: 0, refused: 0 }
  const runner = new TaskRunner({
    session,
    unit: logicalUnit(volume),
    gateway,
    volume,
    origin,
    counters,
    buffers,
    nowMs: () => 5,
    answered: () => {
      told.answered += 1
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
    task.room(data.length, task.wantedBytes).set(data, task.dataBytes)
    task.dataBytes += data.length
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

  const last = () => session.answers.at(-1)
  return { session, gateway, counters, buffers, told, runner, command, start, arrive, last }
}

const filled = (bytes: number, value: number) => new Uint8Array(bytes).fill(value)
const read10 = (lba: number, blocks: number) => [
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
const write10 = (lba: number, blocks: number) => [0x2a, ...read10(lba, blocks).slice(1)]
const verify10 = (lba: number, blocks: number, check: number) => [
  0x2f,
  check << 1,
  ...read10(lba, blocks).slice(2),
]
const writeVerify10 = (lba: number, blocks: number, check: number) => [
  0x2e,
  check << 1,
  ...read10(lba, blocks).slice(2),
]
const compareAndWrite = (lba: number) => [0x89, 0, 0, 0, 0, 0, 0, 0, 0, lba, 0, 0, 0, 1]
const writeSame16 = (flags: number, lba: number, blocks: number) => [
  ...[0x93, flags, 0, 0, 0, 0, 0, 0, lba >> 8, lba & 255],
  ...[0, 0, blocks >> 8, blocks & 255],
]
/** Key, ASC and ASCQ of fixed sense data. */
const code = (answer: Answer | undefined) => [
  answer?.sense?.[2],
  answer?.sense?.[12],
  answer?.sense?.[13],
]
const manage = (fn: number, referencedTaskTag = 0, cmdSn = 1000): TaskManagementRequest => ({
  initiatorTaskTag: 0x99,
  cmdSn,
  immediate: true,
  function: fn,
  lun: 0,
  referencedTaskTag,
  refCmdSn: 0,
})

describe('reads', () => {
  it('X3 are answered in the call when the gateway answers at once', () => {
    const { gateway, start, last, counters, told, buffers } = bench()
    gateway.bytes.fill(7, 1024, 2048)
    start(read10(2, 2), 'in', 1024)
    expect(last()).toMatchObject({ status: 0, transferBytes: 1024, data: [...filled(1024, 7)] })
    expect(counters).toMatchObject({
      reads: 1,
      readBytes: 1024,
      outstanding: 0,
      deepest: 1,
      latencySumMs: 2,
    })
    expect(told.answered).toBe(0)
    expect(buffers.freeBytes).toBe(4096)
  })

  it('X4 are answered later when the gateway needs time, and their buffer is nobody else’s until then', async () => {
    const { gateway, start, last, session, told, counters } = bench()
    gateway.bytes.fill(7, 0, 512)
    gateway.bytes.fill(8, 512, 1024)
    gateway.holding = true
    start(read10(0, 1), 'in', 512)
    gateway.holding = false
    start(read10(1, 1), 'in', 512)
    expect(last()).toMatchObject({ tag: 2, data: [...filled(512, 8)] })
    expect(counters.outstanding).toBe(1)
    await gateway.settle()
    expect(last()).toMatchObject({ tag: 1, data: [...filled(512, 7)] })
    expect(session.answers.length).toBe(2)
    expect(told.answered).toBe(1)
    expect(counters.outstanding).toBe(0)
  })

  it.each([
    ['less than the CDB asks for', 200, 200],
    ['more', 10_000, 512],
  ])('bring what the initiator expects: %s', (_, expected, bytes) => {
    const { start, last } = bench()
    start(read10(0, 1), 'in', expected)
    expect(last()).toMatchObject({ status: 0, transferBytes: 512 })
    expect(last()?.data.length).toBe(bytes)
  })

  it('without any expected data, or announced as Data-Out, are GOOD and read nothing', () => {
    const { gateway, start, last } = bench()
    start(read10(0, 1), 'in', 0)
    expect(last()).toMatchObject({ status: 0, transferBytes: 512, data: [] })
    start(read10(0, 1), 'out', 512, filled(512, 1))
    expect(last()).toMatchObject({ status: 0, data: [] })
    expect(gateway.calls).toBe(0)
  })

  it('known answers are cut to the allocation length and to what is expected', () => {
    const { start, last } = bench()
    start([0x12, 0, 0, 0, 36], 'in', 255)
    expect(last()?.data.length).toBe(36)
    expect(last()?.transferBytes).toBe(36)
    start([0x12, 0, 0, 0, 96], 'in', 10)
    expect(last()?.data.length).toBe(10)
    expect(last()?.transferBytes).toBe(96)
  })
})

describe('writes', () => {
  it('with all data in the command are executed at once', () => {
    const { gateway, start, last, session, counters } = bench()
    start(write10(1, 2), 'out', 1024, filled(1024, 9))
    expect(gateway.bytes.subarray(512, 1536)).toEqual(filled(1024, 9))
    expect(last()).toMatchObject({ status: 0, transferBytes: 1024 })
    expect(session.solicited).toEqual([])
    expect(counters).toMatchObject({ writes: 1, writtenBytes: 1024 })
  })

  it('X2 change nothing before their last byte is here', () => {
    const { gateway, start, arrive, last, session } = bench()
    const task = start(write10(0, 4), 'out', 2048, filled(512, 9))
    expect(session.solicited).toEqual([2048])
    expect(gateway.calls).toBe(0)
    arrive(task, filled(1536, 9))
    expect(gateway.bytes.subarray(0, 2048)).toEqual(filled(2048, 9))
    expect(last()).toMatchObject({ status: 0, transferBytes: 2048 })
  })

  it('X2 of announced data that is less than the CDB asks for, the whole blocks are written', () => {
    const { gateway, start, last } = bench()
    start(write10(0, 2), 'out', 512, filled(512, 9))
    expect(last()).toMatchObject({ status: 0, transferBytes: 1024 })
    expect([gateway.bytes[511], gateway.bytes[512]]).toEqual([9, 0])
    start(write10(0, 1), 'out', 200, filled(200, 5))
    expect(code(last())).toEqual([5, 0x0e, 3])
    expect(last()?.transferBytes).toBe(512)
    start(write10(0, 1), 'out', 0)
    expect(last()).toMatchObject({ status: 0, transferBytes: 512 })
    expect(gateway.bytes[0]).toBe(9)
  })

  it('X2 of more data than the CDB asks for, the rest is left alone', () => {
    const { gateway, start, last, session } = bench()
    start(write10(0, 1), 'out', 10_000, filled(10_000, 9))
    expect([gateway.bytes[511], gateway.bytes[512]]).toEqual([9, 0])
    expect(last()).toMatchObject({ status: 0, transferBytes: 512 })
    start(write10(0, 1), 'out', 10_000, filled(8_192, 8))
    expect(session.solicited).toEqual([])
    expect([gateway.bytes[511], gateway.bytes[512]]).toEqual([8, 0])
  })

  it.each([
    ['damaged', [0x0b, 0x47, 0x05]],
    ['unexpected', [0x0b, 0x0c, 0x0c]],
    ['wrongAmount', [0x0b, 0x0c, 0x0d]],
  ] as const)('X2 data that is %s is refused and not written', (error, expected) => {
    const { gateway, start, arrive, last, command, runner, session } = bench()
    const late = start(write10(0, 2), 'out', 1024)
    late.dataError = error
    arrive(late, filled(1024, 9))
    expect(code(last())).toEqual(expected)
    const early = command(write10(0, 2), 'out', 1024, filled(1024, 9))
    early.dataError = error
    runner.start(early)
    expect(code(last())).toEqual(expected)
    const open = command(write10(0, 2), 'out', 1024)
    open.dataError = error
    open.unsolicitedOpen = true
    runner.start(open)
    expect(session.answers.length).toBe(2)
    arrive(open, filled(0, 0))
    expect(code(last())).toEqual(expected)
    expect(gateway.calls).toBe(0)
  })

  it('is asked for no data once the session is past it', () => {
    const { start, session, counters } = bench()
    session.gone = true
    start(write10(0, 2), 'out', 1024)
    expect(counters.outstanding).toBe(0)
    expect(session.answers).toEqual([])
  })
})

describe('outcomes', () => {
  it.each([
    ['full', write10(0, 1), [7, 0x27, 7]],
    ['damaged', write10(0, 1), [3, 0x11, 0]],
    ['gone', write10(0, 1), [5, 0x25, 0]],
    ['damaged', read10(0, 1), [3, 0x11, 0]],
  ] as const)('%s becomes sense', async (outcome, cdb, expected) => {
    for (const holding of [false, true]) {
      const { gateway, start, last, counters } = bench()
      gateway.outcome = outcome
      gateway.holding = holding
      start(cdb, cdb[0] === 0x28 ? 'in' : 'out', 512, cdb[0] === 0x28 ? undefined : filled(512, 1))
      await gateway.settle()
      expect(last()?.status).toBe(2)
      expect(code(last())).toEqual(expected)
      expect(counters).toMatchObject({ reads: 0, writes: 0, outstanding: 0 })
    }
  })

  it('X1 a refused generation is told once and nothing is answered any more', async () => {
    for (const holding of [false, true]) {
      const { gateway, start, session, told, counters } = bench()
      gateway.outcome = 'refused'
      gateway.holding = holding
      start(read10(0, 1), 'in', 512)
      start(write10(0, 1), 'out', 512, filled(512, 1))
      await gateway.settle()
      gateway.outcome = 'done'
      start(read10(0, 1), 'in', 512)
      await gateway.settle()
      expect(session.answers).toEqual([])
      expect(told).toEqual({ answered: 0, refused: 1 })
      expect(counters.outstanding).toBe(0)
    }
  })

  it('descriptor sense when the nexus asked for it by MODE SELECT', () => {
    const { start, last, runner } = bench()
    const list = [0, 0, 0, 0, 0x0a, 0x0a, 0x24, 0x10, 0, 0, 0, 0, 0, 0, 0, 0]
    start([0x15, 0x10, 0, 0, 16], 'out', 16, Uint8Array.from(list))
    expect(last()).toMatchObject({ status: 0, transferBytes: 16 })
    expect(runner.nexus.descriptorSense).toBe(true)
    start([0xff], 'none', 0)
    expect(last()?.sense?.slice(0, 4)).toEqual([0x72, 5, 0x20, 0])
  })

  it('another LUN is 5/25/00, and no command reaches the volume', () => {
    const { command, runner, last, gateway } = bench()
    const task = command(read10(0, 1), 'in', 512)
    task.lun = 1
    runner.start(task)
    expect(code(last())).toEqual([5, 0x25, 0])
    expect(gateway.calls).toBe(0)
  })
})

describe('other work on blocks', () => {
  it('VERIFY compares all, or each block with one, or nothing', async () => {
    const { gateway, start, last } = bench()
    gateway.bytes.fill(4, 0, 1536)
    start(verify10(0, 3, 0), 'none', 0)
    await gateway.settle()
    expect(last()).toMatchObject({ status: 0, transferBytes: 0 })
    start(verify10(0, 3, 1), 'out', 1536, filled(1536, 4))
    await gateway.settle()
    expect(last()).toMatchObject({ status: 0, transferBytes: 1536 })
    start(verify10(0, 3, 3), 'out', 512, filled(512, 4))
    await gateway.settle()
    expect(last()).toMatchObject({ status: 0 })
    const other = filled(1536, 4)
    other[1025] = 5
    start(verify10(0, 3, 1), 'out', 1536, other)
    await gateway.settle()
    expect(code(last())).toEqual([0x0e, 0x1d, 0])
    expect(last()?.sense?.slice(0, 7)).toEqual([0xf0, 0, 0x0e, 0, 0, 4, 1])
    start(verify10(0, 4, 3), 'out', 512, filled(512, 4))
    await gateway.settle()
    expect(code(last())).toEqual([0x0e, 0x1d, 0])
  })

  it('J2 VERIFY of more than a piece compares each byte with its own', async () => {
    const { gateway, start, last } = bench()
    const bytes = 3 * MIB
    const data = new Uint8Array(bytes).map((_, i) => (i * 7) >> 3)
    gateway.bytes.set(data)
    start(verify10(0, bytes / 512, 1), 'out', bytes, data)
    await gateway.settle()
    expect(last()).toMatchObject({ status: 0 })
    gateway.bytes[2 * MIB + 5] = (gateway.bytes[2 * MIB + 5] ?? 0) ^ 1
    start(verify10(0, bytes / 512, 1), 'out', bytes, data)
    await gateway.settle()
    expect(last()?.sense?.slice(3, 7)).toEqual([0, 0x20, 0, 5])
  })

  it('WRITE AND VERIFY writes, reads back, and says what differs', async () => {
    const { gateway, start, last, counters } = bench()
    start(writeVerify10(0, 2, 1), 'out', 1024, filled(1024, 6))
    await gateway.settle()
    expect(last()).toMatchObject({ status: 0, transferBytes: 1024 })
    expect(counters.writes).toBe(1)
    gateway.outcome = 'damaged'
    start(writeVerify10(0, 2, 0), 'out', 1024, filled(1024, 6))
    await gateway.settle()
    expect(code(last())).toEqual([3, 0x11, 0])
  })

  it('COMPARE AND WRITE writes if equal, else tells the offset; takes exactly two blocks of data', () => {
    const { gateway, start, last } = bench()
    const buffers = (compare: number, write: number) =>
      Uint8Array.from([...filled(512, compare), ...filled(512, write)])
    start(compareAndWrite(3), 'out', 1024, buffers(0, 1))
    expect(last()).toMatchObject({ status: 0, transferBytes: 1024 })
    expect(gateway.bytes.subarray(1536, 2048)).toEqual(filled(512, 1))
    const second = buffers(1, 2)
    second[485] = 9
    start(compareAndWrite(3), 'out', 1024, second)
    expect(code(last())).toEqual([0x0e, 0x1d, 0])
    expect(last()?.sense?.slice(0, 7)).toEqual([0xf0, 0, 0x0e, 0, 0, 1, 0xe5])
    for (const expected of [512, 2048]) {
      start(compareAndWrite(3), 'out', expected, filled(expected, 1))
      expect(code(last())).toEqual([5, 0x24, 0])
    }
    const none = compareAndWrite(3).with(13, 0)
    start(none, 'out', 1024, filled(1024, 1))
    expect(code(last())).toEqual([5, 0x24, 0])
    expect(last()?.sense?.slice(15)).toEqual([0xc0, 0, 13])
    start(none, 'none', 0)
    expect(last()).toMatchObject({ status: 0, transferBytes: 0 })
    expect(gateway.bytes.subarray(1536, 2048)).toEqual(filled(512, 1))
  })

  it('WRITE SAME repeats its block; zeros that may be unmapped are; other sizes of data are refused', async () => {
    const { gateway, start, last } = bench()
    const block = filled(512, 0).map((_, i) => i)
    start(writeSame16(0, 1, 5000), 'out', 512, block)
    await gateway.settle()
    expect(last()).toMatchObject({ status: 0, transferBytes: 512 })
    for (const lba of [1, 2, 2048, 2049, 5000]) {
      expect(gateway.bytes.subarray(lba * 512, lba * 512 + 512)).toEqual(block)
    }
    expect(gateway.bytes[5001 * 512 + 1]).toBe(0)
    start(writeSame16(0x08, 1, 5000), 'out', 512, filled(512, 0))
    await gateway.settle()
    expect(gateway.unmapped).toEqual([[512, 5000 * 512]])
    start(writeSame16(0x08, 1, 2), 'out', 512, block)
    await gateway.settle()
    expect(gateway.bytes.subarray(1024, 1536)).toEqual(block)
    start(writeSame16(0x01, 1, 2), 'none', 0)
    await gateway.settle()
    expect(gateway.bytes.subarray(512, 1536)).toEqual(filled(1024, 0))
    expect(gateway.unmapped.length).toBe(1)
    for (const expected of [256, 1024, 0]) {
      start(writeSame16(0x08, 0, 1), 'out', expected, filled(expected, 0))
      expect(code(last())).toEqual([5, 0x0e, 3])
    }
  })

  it('UNMAP unmaps its list when the list has come', async () => {
    const { gateway, start, arrive, last } = bench()
    const list = new Uint8Array(40)
    list[1] = 38
    list[3] = 32
    list[15] = 1
    list[19] = 2
    list[31] = 9
    list[35] = 1
    const task = start([0x42, 0, 0, 0, 0, 0, 0, 0, 40], 'out', 40)
    expect(gateway.calls).toBe(0)
    arrive(task, list)
    await gateway.settle()
    expect(gateway.unmapped).toEqual([
      [512, 1024],
      [4608, 512],
    ])
    expect(last()).toMatchObject({ status: 0, transferBytes: 40 })
  })
})

describe('task management', () => {
  it('U1 ABORT TASK is answered at once for a task that waits for data, which is never answered', () => {
    const { start, runner, session, gateway, counters } = bench()
    const task = start(write10(0, 2), 'out', 1024)
    runner.manage(manage(1, task.initiatorTaskTag))
    expect(session.managed).toEqual([[0x99, 0]])
    expect(session.answers).toEqual([])
    expect(gateway.calls).toBe(0)
    expect(counters.outstanding).toBe(0)
  })

  it('U1 ABORT TASK waits for what the gateway has; the task is released unanswered', async () => {
    const { start, runner, session, gateway, told, counters } = bench()
    gateway.holding = true
    const task = start(write10(0, 1), 'out', 512, filled(512, 1))
    runner.manage(manage(1, task.initiatorTaskTag))
    expect(session.managed).toEqual([])
    expect(counters.outstanding).toBe(1)
    await gateway.settle()
    expect(session.managed).toEqual([[0x99, 0]])
    expect(session.answers).toEqual([])
    expect(session.released).toEqual([1])
    expect(told.answered).toBe(1)
    expect(counters.outstanding).toBe(0)
  })

  it.each([2, 4, 5, 6])(
    'U2 function %i ends everything that came before it, and nothing that came after',
    async (fn) => {
      const { start, runner, session, gateway, command } = bench()
      start(write10(0, 2), 'out', 1024)
      gateway.holding = true
      start(read10(0, 1), 'in', 512)
      const queued = command(read10(0, 1), 'in', 512)
      queued.state = 'queued'
      const later = command(read10(0, 1), 'in', 512)
      later.cmdSn = 1001
      runner.manage(manage(fn))
      await gateway.settle()
      expect(session.managed).toEqual([[0x99, 0]])
      runner.start(later)
      await gateway.settle()
      expect(session.answers.map(({ tag }) => tag)).toEqual([4])
    },
  )

  it('a command that was aborted before it was started is not executed', () => {
    const { command, runner, session, gateway } = bench()
    const task = command(write10(0, 1), 'out', 512, filled(512, 1))
    session.abort(task)
    runner.start(task)
    expect(gateway.calls).toBe(0)
    expect(session.released).toEqual([1])
  })

  it('a reset puts the mode pages back', () => {
    const { runner } = bench()
    runner.nexus.softwareWriteProtect = true
    runner.manage(manage(5))
    expect(runner.nexus.softwareWriteProtect).toBe(false)
  })

  it('answers what it does not do, what is not there and other LUNs', () => {
    const { runner, session } = bench()
    runner.manage(manage(1, 77))
    runner.manage(manage(8))
    runner.manage(manage(3))
    runner.manage(manage(7))
    runner.manage({ ...manage(2), lun: 1 })
    expect(session.managed.map(([, response]) => response)).toEqual([1, 4, 5, 5, 2])
  })
})

describe('the end', () => {
  it('X1 nothing is answered after stop: not what works, what collects, nor what comes', async () => {
    const { start, arrive, runner, session, gateway, counters, told } = bench()
    const collecting = start(write10(0, 2), 'out', 1024)
    gateway.holding = true
    start(read10(0, 1), 'in', 512)
    start(write10(0, 1), 'out', 512, filled(512, 1))
    runner.manage(manage(2))
    runner.stop()
    await gateway.settle()
    start(read10(0, 1), 'in', 512)
    arrive(collecting, filled(1024, 1))
    runner.manage(manage(2))
    expect(session.answers).toEqual([])
    expect(session.managed).toEqual([])
    expect(session.released).toEqual([2, 3])
    expect(told.answered).toBe(0)
    expect(counters.outstanding).toBe(0)
  })
})
