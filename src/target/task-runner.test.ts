import { describe, expect, it } from 'vitest'
import { DURATION_BUCKETS } from '../base/durations.ts'
import { FAILED } from '../load/counters.ts'
import { logicalUnit } from '../scsi/logical-unit.ts'
import { holdsState } from '../scsi/nexus-state.ts'
import { bench, code, filled, manage, read10, volume, write10 } from './task-runner.fixture.ts'

describe('a volume that grows', () => {
  const readCapacity16 = [0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0]
  const last = volume.bytes / volume.blockBytes

  it('X5 has its new size from then on, and each command that may tell it finds the unit attention once', () => {
    const { runner, start, last: answer } = bench()
    const beyond = [0x28, 0, 0, last >> 16, 0, 0, 0, 0, 1, 0]
    start(beyond, 'in', 512)
    expect(code(answer())).toEqual([5, 0x21, 0])
    runner.grow(logicalUnit({ ...volume, bytes: 2 * volume.bytes }))
    expect(runner.toldBytes).toBe(volume.bytes)
    start(readCapacity16, 'in', 32)
    expect(code(answer())).toEqual([6, 0x2a, 9])
    expect(runner.toldBytes).toBe(2 * volume.bytes)
    start(readCapacity16, 'in', 32)
    expect(answer()?.status).toBe(0)
    const told = Buffer.from(answer()?.data ?? []).readBigUInt64BE(0)
    expect(told).toBe(BigInt(2 * last - 1))
    runner.grow(logicalUnit(volume)) // old news
    start(readCapacity16, 'in', 32)
    expect(answer()?.status).toBe(0)
  })

  it('X5 an initiator that was told of less at another member is told here', () => {
    const { runner, start, last: answer } = bench({ toldBytes: volume.bytes / 2 })
    expect(runner.toldBytes).toBe(volume.bytes / 2)
    expect(holdsState(runner.nexus)).toBe(false)
    start(readCapacity16, 'in', 32)
    expect(code(answer())).toEqual([6, 0x2a, 9])
    expect(runner.toldBytes).toBe(volume.bytes)
  })
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
    expect(told.wrote).toBe(0)
    expect(buffers.freeBytes).toBe(0)
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
    expect(session.responses.length).toBe(2)
    expect(told.wrote).toBe(1)
    expect(counters.outstanding).toBe(0)
  })

  it('X4 are read into a buffer of their own, and sent from there, when they are long; cut into PDUs they are copied', () => {
    const { gateway, start, last, session, buffers } = bench()
    gateway.bytes.fill(7, 0, 65_536)
    start(read10(0, 128), 'in', 65_536)
    expect(last()?.data).toEqual([...filled(65_536, 7)])
    session.segmentBytes = 300
    start(read10(0, 1), 'in', 512)
    expect(last()?.data).toEqual([...filled(512, 7)])
    expect(gateway.calls).toBe(2)
    expect(buffers.freeBytes).toBe(4096) // the long one is the outbox's
  })

  it('X4 what fails when it is read at once leaves nothing in the Data-In', () => {
    const { gateway, start, last, session } = bench()
    gateway.outcome = 'damaged'
    start(read10(0, 1), 'in', 512)
    expect(last()).toMatchObject({ status: 2, data: [] })
    gateway.outcome = 'done'
    start(read10(0, 1), 'in', 512)
    expect(last()).toMatchObject({ status: 0 })
    expect(session.responses.length).toBe(2)
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

  it('known data is cut to the allocation length and to what is expected', () => {
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
    expect(session.responses.length).toBe(2)
    arrive(open, filled(0, 0))
    expect(code(last())).toEqual(expected)
    expect(gateway.calls).toBe(0)
  })

  it('that found no room for their data are answered with TASK SET FULL', () => {
    const { command, runner, last, gateway, counters } = bench()
    const task = command(write10(0, 2), 'out', 1024)
    task.dataError = 'noRoom'
    runner.start(task)
    expect(last()).toMatchObject({ status: 0x28, sense: null })
    expect([gateway.calls, counters.outstanding]).toEqual([0, 0])
  })

  it('is asked for no data once the session is past it', () => {
    const { start, session, counters } = bench()
    session.gone = true
    start(write10(0, 2), 'out', 1024)
    expect(counters.outstanding).toBe(0)
    expect(session.responses).toEqual([])
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
      const sense = { 7: '7/27/07', 3: '3/11/00', 5: '5/25/00' }[expected[0]]
      expect([...(counters.failures ?? [])]).toEqual([[{ status: 'check_condition', sense }, 1]])
      expect(counters.opBuckets.slice(FAILED * DURATION_BUCKETS).some((one) => one === 1)).toBe(
        true,
      )
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
      expect(session.responses).toEqual([])
      expect(told).toMatchObject({ wrote: 0, refused: 1 })
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
    expect(session.responses).toEqual([])
    expect(session.managed).toEqual([])
    expect(session.released).toEqual([2, 3])
    expect(told.wrote).toBe(0)
    expect(counters.outstanding).toBe(0)
  })
})
