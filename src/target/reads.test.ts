// READs that wait for room, in the runner that they belong to.
import { describe, expect, it } from 'vitest'
import { taskManagementFunction } from '../iscsi/pdu.ts'
import { READ_PART_BYTES } from './memory-bounds.ts'
import { bench, code, MIB, manage, read10 } from './task-runner.fixture.ts'

const KIB = 1024
const BLOCK = 512
const PART = 64 * KIB
const blocks = (bytes: number) => bytes / BLOCK

/** Every block begins with its number. */
function numbered() {
  const made = bench()
  const { bytes } = made.gateway
  for (let at = 0; at < bytes.length; at += BLOCK) bytes[at] = (at / BLOCK) & 0xff
  const read = (lba: number, bytesOf: number) =>
    made.start(read10(lba, blocks(bytesOf)), 'in', bytesOf)
  const isRight = (tag: number, lba: number, bytesOf: number) => {
    const answer = made.session.responses.find((one) => one.tag === tag)
    if (answer?.data.length !== bytesOf) return false
    const from = made.gateway.bytes.subarray(lba * BLOCK, lba * BLOCK + bytesOf)
    return Buffer.compare(Uint8Array.from(answer.data), from) === 0
  }
  return { ...made, read, isRight }
}

describe('READs', () => {
  it('R1 nothing is read while there is no room, and all is answered when there is', () => {
    const { room, gateway, runner, session, counters, read, isRight } = numbered()
    room.freeBytes = 0
    read(3, 4096)
    expect(gateway.calls).toBe(0)
    expect([session.responses.length, counters.outstanding]).toEqual([0, 1])
    room.freeBytes = 4096
    runner.roomCame()
    expect(isRight(1, 3, 4096)).toBe(true)
    expect(counters).toMatchObject({ outstanding: 0, reads: 1, readBytes: 4096 })
  })

  it('R1 R3 a long READ goes on as room comes, with parts of no more than there is room for', () => {
    const { room, turn, session, counters, told, read, isRight } = numbered()
    room.freeBytes = PART
    const { sendDataIn } = session
    session.sendDataIn = (...args) => {
      room.freeBytes -= args[1].data.length
      return sendDataIn.apply(session, args)
    }
    read(0, MIB)
    expect(session.parts).toEqual([[1, 0, PART]])
    expect(session.responses).toEqual([])
    for (let left = MIB / PART - 1; left > 0; left -= 1) {
      room.freeBytes = PART
      turn()
    }
    expect(session.parts.map(([, from]) => from)).toEqual(
      Array.from({ length: MIB / PART }, (_, i) => i * PART),
    )
    expect(isRight(1, 0, MIB)).toBe(true)
    expect(counters).toMatchObject({ outstanding: 0, reads: 1, readBytes: MIB })
    expect(told.wrote).toBe(MIB / PART - 1)
  })

  it('R2 no READ overtakes one that waits, however small', () => {
    const { room, runner, session, read } = numbered()
    room.freeBytes = 4096
    read(0, PART)
    read(0, BLOCK)
    expect(session.responses).toEqual([])
    room.freeBytes = MIB
    runner.roomCame()
    expect(session.responses.map(({ tag }) => tag)).toEqual([1, 2])
  })

  it('R3 the parts of one are under way together, and are sent in order', async () => {
    const { gateway, session, room, read, turn, isRight } = numbered()
    gateway.holding = true
    read(0, 2 * MIB)
    turn()
    turn()
    expect(gateway.calls).toBe(3)
    expect(room.underWay).toBe(2 * MIB)
    expect(session.parts).toEqual([])
    await gateway.settle()
    const expected = [0, 1, 2].map((i) => i * READ_PART_BYTES)
    expect(session.parts.map(([, from]) => from)).toEqual(expected)
    expect(isRight(1, 0, 2 * MIB)).toBe(true)
    expect(room.underWay).toBe(0)
  })

  it('R3 one of which a part cannot be read is answered with that, once, and reads no further', async () => {
    const { gateway, session, room, runner, read, turn, last, counters } = numbered()
    room.freeBytes = MIB
    gateway.holding = true
    read(0, 4 * MIB)
    gateway.outcome = 'damaged'
    await gateway.settle()
    expect(session.parts.length).toBe(1)
    expect(session.responses).toEqual([])
    turn()
    const { calls } = gateway
    await gateway.settle()
    room.freeBytes = 4 * MIB
    runner.roomCame()
    expect(code(last())).toEqual([3, 0x11, 0])
    expect([session.responses.length, gateway.calls, counters.outstanding]).toEqual([1, calls, 0])
    expect(room.underWay).toBe(0)
  })

  it('R4 one that is aborted while it waits is answered by nothing, and the abort does not wait for room', () => {
    const { room, runner, session, gateway, counters, read } = numbered()
    room.freeBytes = 0
    read(0, MIB)
    read(0, BLOCK)
    runner.manage(manage(taskManagementFunction.abortTask, 1))
    expect(session.managed).toEqual([[0x99, 0]])
    expect(session.released).toEqual([1])
    expect(counters.outstanding).toBe(1)
    room.freeBytes = MIB
    runner.roomCame()
    expect(session.responses.map(({ tag }) => tag)).toEqual([2])
    expect(gateway.calls).toBe(1)
  })

  it('R4 one that is aborted between its parts sends no more of them, and its buffers come back', async () => {
    const { room, runner, session, gateway, counters, read, turn } = numbered()
    gateway.holding = true
    room.freeBytes = 2 * MIB
    read(0, 4 * MIB)
    turn()
    runner.manage(manage(taskManagementFunction.abortTaskSet))
    expect(session.managed).toEqual([[0x99, 0]])
    await gateway.settle()
    expect(session.parts).toEqual([])
    expect([session.responses.length, session.released.length]).toEqual([0, 1])
    expect([room.underWay, counters.outstanding]).toEqual([0, 0])
  })

  it('R4 one that another nexus resets while it waits is answered with the unit attention when its turn has come', async () => {
    const { room, runner, session, gateway, read, last } = numbered()
    room.freeBytes = 0
    read(0, MIB)
    expect(await runner.resetByAnother()).toBe(true)
    room.freeBytes = MIB
    runner.roomCame()
    expect(code(last())).toEqual([6, 0x29, 3])
    expect([session.responses.length, gateway.calls]).toEqual([1, 0])
  })

  it('R4 nothing is read or sent after the end of the session', async () => {
    const { room, runner, session, gateway, read, turn } = numbered()
    gateway.holding = true
    room.freeBytes = 2 * MIB
    read(0, 4 * MIB)
    read(0, BLOCK)
    turn()
    const { calls } = gateway
    runner.stop()
    room.freeBytes = 8 * MIB
    await gateway.settle()
    runner.roomCame()
    turn()
    expect([session.responses.length, session.parts.length, gateway.calls]).toEqual([0, 0, calls])
    expect(session.released).toEqual([2, 1])
    expect(room.underWay).toBe(0)
  })

  it('R3 a refused generation ends the session, and nothing of what waits is answered', async () => {
    const { room, runner, session, gateway, told, read, turn } = numbered()
    gateway.holding = true
    gateway.outcome = 'refused'
    room.freeBytes = 2 * MIB
    read(0, 4 * MIB)
    read(0, BLOCK)
    turn()
    await gateway.settle()
    room.freeBytes = 8 * MIB
    runner.roomCame()
    expect([session.responses.length, session.parts.length, told.refused]).toEqual([0, 0, 1])
  })

  it('R5 beside others one long READ is read in a turn of the event loop, and as many short ones as there are', () => {
    const { session, contention, read, turn } = numbered()
    const answered = () => session.responses.length
    for (let i = 0; i < 8; i += 1) read(i, 4096)
    for (let i = 0; i < 3; i += 1) read(0, PART)
    read(0, BLOCK)
    expect(answered()).toBe(9)
    contention.came({})
    turn()
    expect(answered()).toBe(10)
    contention.came({})
    turn()
    expect(answered()).toBe(12)
  })

  it('R5 who asks alone has all long READs at once, until somebody else asks', () => {
    const { session, contention, read, turn } = numbered()
    const answered = () => session.responses.length
    read(0, PART)
    turn()
    for (let i = 0; i < 3; i += 1) read(0, PART)
    expect(answered()).toBe(4)
    contention.came({})
    read(0, PART)
    expect(answered()).toBe(4)
    turn()
    expect(answered()).toBe(5)
  })
})
