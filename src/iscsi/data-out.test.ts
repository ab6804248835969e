// Data of writes (data-out.ts) as a session gathers it.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readU32 } from '../base/bytes.ts'
import type { Negotiated } from './negotiate.ts'
import { opcode, rejectReason, reservedTag } from './pdu.ts'
import type { Task } from './task.ts'
import {
  type CommandShape,
  commandBytes,
  type DataOutShape,
  dataOutBytes,
  expectSame,
  isWhole,
  pattern,
  Wire,
} from './wire.fixture.ts'

const allDigests = { headerDigest: true, dataDigest: true }

class Writing {
  readonly wire: Wire
  task: Task | null = null
  transferTag = 0

  constructor(differing: Partial<Negotiated>, command: Partial<CommandShape>) {
    this.wire = new Wire(differing)
    const shape: CommandShape = { tag: 1, cmdSn: 100, direction: 'write', ...command }
    for (const action of this.wire.send(commandBytes(shape, this.wire.parameters))) {
      if (action.kind === 'command') this.task = action.task
    }
  }

  /** The task, when all its data is there. */
  data(shape: Partial<DataOutShape>): Task | null {
    const whole = { tag: 1, dataSn: 0, offset: 0, data: new Uint8Array(0), final: true, ...shape }
    const actions = this.wire.send(dataOutBytes(whole, this.wire.parameters))
    expect(actions.length).toBeLessThanOrEqual(1)
    return actions[0]?.kind === 'data' ? actions[0].task : null
  }

  solicit(bytes: number): boolean {
    this.wire.session.solicit(this.task!, bytes)
    return this.wire.actions().length > 0
  }

  /** The one R2T that was sent: offset, length and number. */
  r2t(): [number, number, number] {
    const pdus = this.wire.seen()
    expect(pdus.map((pdu) => pdu.opcode)).toEqual([opcode.r2t])
    const { header, flags } = pdus[0]!
    expect(flags).toBe(0x80)
    this.transferTag = readU32(header, 20)
    expect(this.transferTag).not.toBe(reservedTag)
    return [readU32(header, 40), readU32(header, 44), readU32(header, 36)]
  }
}

describe('data of writes', () => {
  it('D1 takes a write in its own PDU, without R2T', () => {
    const data = pattern(4096)
    const { task, wire } = new Writing(allDigests, { bytes: 4096, data })
    expect([isWhole(task!), task!.dataError]).toEqual([true, 'none'])
    expectSame(task!.data, data)
    wire.session.solicit(task!, 4096)
    expect(wire.actions()).toEqual([{ kind: 'data', task }])
    expect(wire.outbox.waitingBytes).toBe(0)
  })

  it('D1 takes immediate data, unsolicited Data-Outs, then what it solicits', () => {
    const data = pattern(600_000)
    const part = (from: number, to: number) => data.subarray(from, to)
    const writing = new Writing(
      { maxBurstLength: 300_000, ...allDigests },
      { bytes: 600_000, data: part(0, 100_000), more: true },
    )
    expect(writing.solicit(600_000)).toBe(false)
    expect(writing.wire.outbox.waitingBytes).toBe(0)
    expect(
      writing.data({ dataSn: 0, offset: 100_000, data: part(100_000, 200_000), final: false }),
    ).toBeNull()
    expect(writing.data({ dataSn: 1, offset: 200_000, data: part(200_000, 262_144) })).toBeNull()
    expect(writing.r2t()).toEqual([262_144, 300_000, 0])
    const { transferTag } = writing
    const first = {
      transferTag,
      dataSn: 0,
      offset: 262_144,
      data: part(262_144, 500_000),
      final: false,
    }
    expect(writing.data(first)).toBeNull()
    expect(
      writing.data({ transferTag, dataSn: 1, offset: 500_000, data: part(500_000, 562_144) }),
    ).toBeNull()
    expect(writing.r2t()).toEqual([562_144, 37_856, 1])
    const last = {
      transferTag: writing.transferTag,
      dataSn: 0,
      offset: 562_144,
      data: part(562_144, 600_000),
    }
    const task = writing.data(last)
    expect(task?.dataError).toBe('none')
    expectSame(task!.data, data)
    expect(writing.wire.session.outstanding).toBe(1)
  })

  it('D2 solicits only what is wanted of a longer write, and more room than the pool has', () => {
    const writing = new Writing({ maxBurstLength: 0xffffff }, { bytes: 0x40000000 })
    expect(writing.solicit(6_000_000)).toBe(false)
    expect(writing.r2t()).toEqual([0, 6_000_000, 0])
    const { transferTag } = writing
    const data = pattern(6_000_000)
    let task: Task | null = null
    for (let from = 0, dataSn = 0; from < data.length; from += 1_000_000, dataSn += 1) {
      const piece = data.subarray(from, from + 1_000_000)
      task = writing.data({
        transferTag,
        dataSn,
        offset: from,
        data: piece,
        final: from === 5_000_000,
      })
    }
    expectSame(task!.data, data)
  })

  it('D3 asks for data when there is room for all of the write, in order, and for none of one that was aborted', () => {
    const wire = new Wire()
    wire.asked.held = 2 ** 30 - 5000
    const shape = { direction: 'write', bytes: 8192 } as const
    const tasks = [1, 2, 3].map((tag) => {
      const [action] = wire.send(commandBytes({ ...shape, tag, cmdSn: 99 + tag }, wire.parameters))
      if (action?.kind !== 'command') throw new Error('no command')
      wire.session.solicit(action.task, tag === 2 ? 4096 : 8192)
      return action.task
    })
    expect([wire.seen(), wire.session.writes.isWaiting]).toEqual([[], true])
    wire.session.writes.roomCame()
    expect(wire.seen()).toEqual([]) // the second would fit, and does not overtake
    wire.session.abort(tasks[0]!)
    wire.asked.held = 0
    wire.session.writes.roomCame()
    const asked = wire.seen().map(({ opcode: code, header }) => [code, readU32(header, 16)])
    expect(asked).toEqual([2, 3].map((tag) => [opcode.r2t, tag]))
    expect(wire.asked.held).toBe(4096 + 8192)
    wire.session.close()
    expect(wire.asked.held).toBe(0)
  })

  it('D4 discards data that comes unsolicited and finds no room, and says so; what has room is not concerned', () => {
    const wire = new Wire()
    const first = commandBytes({
      ...{ tag: 1, cmdSn: 100, direction: 'write', bytes: 4096, data: pattern(4096) },
    })
    const [has] = wire.send(first)
    wire.unasked.held = 2 ** 30
    const second = commandBytes({
      ...{ tag: 2, cmdSn: 101, direction: 'write', bytes: 8192, data: pattern(4096), more: true },
    })
    const [lacks] = wire.send(second)
    if (has?.kind !== 'command' || lacks?.kind !== 'command') throw new Error('no command')
    expect([has.task.dataError, lacks.task.dataError]).toEqual(['none', 'noRoom'])
    wire.session.solicit(lacks.task, 8192)
    const rest = { tag: 2, dataSn: 0, offset: 4096, data: pattern(4096), final: true }
    expect(wire.send(dataOutBytes(rest))).toEqual([{ kind: 'data', task: lacks.task }])
    expect([lacks.task.dataError, lacks.task.roomBytes]).toEqual(['noRoom', 0])
    expectSame(has.task.data, pattern(4096))
  })

  it('gives only what is wanted of data that came unsolicited', () => {
    const writing = new Writing({}, { bytes: 8192, data: pattern(8192) })
    expect(writing.solicit(4096)).toBe(true)
    expectSame(writing.task!.data, pattern(8192).subarray(0, 4096))
  })

  const unexpected: [string, Partial<Negotiated>, Partial<CommandShape>][] = [
    [
      'immediate data that was not agreed',
      { immediateData: false },
      { bytes: 8, data: pattern(8) },
    ],
    ['data with a read', {}, { direction: 'read', bytes: 8, data: pattern(8) }],
    ['unsolicited data that was not agreed', { initialR2T: true }, { bytes: 8, more: true }],
  ]
  it.each(unexpected)('D2 tells %s (0B/0C/0C)', (_, differing, command) => {
    const writing = new Writing(differing, command)
    expect(writing.task!.dataError).toBe('unexpected')
    expect(isWhole(writing.task!)).toBe(command.direction === 'read')
    if (command.more) {
      expect(writing.solicit(8)).toBe(false)
      expect(writing.data({ data: pattern(8) })?.dataError).toBe('unexpected')
    }
    expect(writing.task!.dataBytes).toBe(0)
  })

  it('D2 tells unsolicited data behind the end of its burst', () => {
    const writing = new Writing({}, { bytes: 8192 })
    writing.solicit(8192)
    writing.r2t()
    expect(writing.data({ data: pattern(8) })).toBeNull()
    const { transferTag } = writing
    expect(writing.data({ transferTag, data: pattern(8192) })?.dataError).toBe('unexpected')
  })

  it('D2 tells immediate data beyond the first burst or the command (0B/0C/0D)', () => {
    expect(new Writing({}, { bytes: 4, data: pattern(8) }).task!.dataError).toBe('wrongAmount')
    const burst = { firstBurstLength: 512 }
    expect(new Writing(burst, { bytes: 8192, data: pattern(513) }).task!.dataError).toBe(
      'wrongAmount',
    )
  })

  it('D2 tells a first burst that is too short or too long (§11.4.7.2)', () => {
    for (const length of [511, 513]) {
      const writing = new Writing({ firstBurstLength: 512 }, { bytes: 8192, more: true })
      expect(writing.solicit(8192)).toBe(false)
      expect(writing.data({ data: pattern(length) })?.dataError).toBe('wrongAmount')
    }
    const writing = new Writing({ firstBurstLength: 512 }, { bytes: 400, more: true })
    expect(writing.solicit(400)).toBe(false)
    expect(writing.data({ data: pattern(300) })).toBeNull()
    expect(writing.r2t()).toEqual([300, 100, 0])
  })

  it.each([100, 300])('D2 tells %i bytes in answer to an R2T of 200', (length) => {
    const writing = new Writing({ immediateData: false }, { bytes: 200 })
    writing.solicit(200)
    expect(writing.r2t()).toEqual([0, 200, 0])
    const { transferTag } = writing
    expect(writing.data({ transferTag, data: pattern(length) })?.dataError).toBe('wrongAmount')
  })

  it('D1 discards a burst with a wrong DataSN up to its F bit, then tells (§7.8 b)', () => {
    const writing = new Writing({}, { bytes: 3000 })
    writing.solicit(3000)
    writing.r2t()
    const { transferTag } = writing
    const piece = { transferTag, data: pattern(1000), final: false }
    expect(writing.data({ ...piece, dataSn: 0, offset: 0 })).toBeNull()
    expect(writing.data({ ...piece, dataSn: 2, offset: 1000 })).toBeNull()
    expect(writing.task!.dataBytes).toBe(1000)
    const task = writing.data({ ...piece, dataSn: 2, offset: 2000, final: true })
    expect(task?.dataError).toBe('damaged')
    expect(writing.wire.outbox.waitingBytes).toBe(0)
  })

  it('D1 rejects a damaged Data-Out (02h), and tells behind the F bit', () => {
    const writing = new Writing(allDigests, { bytes: 2000 })
    writing.solicit(2000)
    writing.r2t()
    const { transferTag } = writing
    const shape = { tag: 1, transferTag, dataSn: 0, offset: 0, data: pattern(1000), final: false }
    const bad = dataOutBytes(shape, allDigests)
    bad[500] = (bad[500] ?? 0) ^ 1
    expect(writing.wire.send(bad)).toEqual([])
    const [reject] = writing.wire.seen()
    expect([reject!.opcode, reject!.header[2]]).toEqual([0x3f, rejectReason.dataDigestError])
    const task = writing.data({ ...shape, dataSn: 1, offset: 1000, final: true })
    expect([task?.dataError, task?.dataBytes]).toEqual(['damaged', 0])
  })

  it('ignores data for an R2T that is not out', () => {
    const writing = new Writing({}, { bytes: 2000 })
    writing.solicit(2000)
    writing.r2t()
    const stale = { transferTag: writing.transferTag + 1, data: pattern(2000, 9) }
    expect(writing.data(stale)).toBeNull()
    const task = writing.data({ transferTag: writing.transferTag, data: pattern(2000) })
    expectSame(task!.data, pattern(2000))
  })

  it('D1 any lengths, any limits: what is gathered is what was sent', () => {
    const length = fc.integer({ min: 512, max: 5000 })
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 20_000 }),
        fc.record({
          maxBurstLength: length,
          firstBurstLength: fc.integer({ min: 1, max: 512 }),
          initialR2T: fc.boolean(),
          immediateData: fc.boolean(),
          ...{ headerDigest: fc.boolean(), dataDigest: fc.boolean() },
        }),
        fc.integer({ min: 1, max: 3000 }),
        fc.nat(20_000),
        (bytes, limits, segment, wanted) => {
          const data = pattern(bytes, wanted)
          const task = transfer(data, limits, segment, Math.min(wanted, bytes))
          expect(task.dataError).toBe('none')
          expectSame(task.data, data.subarray(0, Math.min(wanted, bytes)))
        },
      ),
      { numRuns: 150 },
    )
  })
})

/** A correct initiator writes `data`; the consumer wants the first `wanted` bytes. */
function transfer(
  data: Uint8Array,
  limits: Partial<Negotiated>,
  segment: number,
  wanted: number,
): Task {
  const first = Math.min(limits.firstBurstLength ?? 0, data.length)
  const immediate = limits.immediateData ? Math.min(segment, first) : 0
  const more = !limits.initialR2T && immediate < first
  const writing = new Writing(limits, { bytes: data.length, data: data.slice(0, immediate), more })
  let done: Task | null = writing.solicit(wanted) ? writing.task : null
  const burst = (from: number, to: number, transferTag: number) => {
    for (let at = from, dataSn = 0; at < to; dataSn += 1) {
      const end = Math.min(at + segment, to)
      const shape = {
        transferTag,
        dataSn,
        offset: at,
        data: data.slice(at, end),
        final: end === to,
      }
      done = writing.data(shape) ?? done
      at = end
    }
  }
  if (more) burst(immediate, first, reservedTag)
  while (done === null) {
    const [offset, length] = writing.r2t()
    burst(offset, offset + length, writing.transferTag)
  }
  return done
}
