// Data of reads (data-in.ts) as a session sends it.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BufferPool } from '../base/buffer-pool.ts'
import { readU32 } from '../base/bytes.ts'
import type { ReadPart } from './data-in.ts'
import type { Negotiated } from './negotiate.ts'
import { opcode, reservedTag } from './pdu.ts'
import type { Task } from './task.ts'
import { commandBytes, concat, expectSame, pattern, type SeenPdu, Wire } from './wire.fixture.ts'

function reading(differing: Partial<Negotiated>, bytes: number): { wire: Wire; task: Task } {
  const wire = new Wire(differing)
  const shape = { tag: 7, cmdSn: 100, direction: 'read', bytes } as const
  const [action] = wire.send(commandBytes(shape, wire.parameters))
  if (action?.kind !== 'command') throw new Error('a command comes out')
  return { wire, task: action.task }
}

function fill(payloads: readonly Uint8Array[], data: Uint8Array): void {
  let from = 0
  for (const payload of payloads) {
    payload.set(data.subarray(from, from + payload.length))
    from += payload.length
  }
  expect(from).toBe(data.length)
}

/** In a buffer of a pool. */
function pooled(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const buffer = new BufferPool(0).take(data.length)
  buffer.set(data)
  return buffer.subarray(0, data.length)
}

/** All of a read. */
function whole(data: Uint8Array): ReadPart {
  return { data: pooled(data), from: 0, isLast: true }
}

/** I1 and I2 of one read; returns its bytes. */
function gathered(pdus: readonly SeenPdu[], limits: Negotiated): Uint8Array {
  const parts: Uint8Array[] = []
  let bytes = 0
  pdus.forEach((pdu, i) => {
    const last = i === pdus.length - 1
    expect([pdu.opcode, readU32(pdu.header, 16), readU32(pdu.header, 20)]).toEqual([
      0x25,
      7,
      reservedTag,
    ])
    expect([readU32(pdu.header, 36), readU32(pdu.header, 40)]).toEqual([i, bytes])
    expect(pdu.data.length).toBeLessThanOrEqual(limits.maxSendDataSegmentLength)
    parts.push(pdu.data)
    bytes += pdu.data.length
    const burstEnds = last || bytes % limits.maxBurstLength === 0
    expect([(pdu.flags & 0x80) !== 0, (pdu.flags & 1) !== 0]).toEqual([burstEnds, last])
  })
  return concat(parts)
}

describe('data of reads', () => {
  it('I2 answers a small read with one Data-In: F and S, GOOD, StatSN (§11.7)', () => {
    const { wire, task } = reading({}, 4096)
    const payloads: Uint8Array[] = []
    wire.session.reserveDataIn(task, 4096, payloads)
    fill(payloads, pattern(4096))
    wire.session.finishDataIn(task, 4096)
    const pdus = wire.seen()
    expectSame(gathered(pdus, wire.parameters), pattern(4096))
    expect([pdus[0]!.flags, pdus[0]!.header[3], readU32(pdus[0]!.header, 24)]).toEqual([0x81, 0, 2])
    expect([readU32(pdus[0]!.header, 28), readU32(pdus[0]!.header, 32)]).toEqual([101, 108])
    expect([wire.session.statSn, wire.session.outstanding]).toEqual([3, 0])
  })

  it('I1 sends what the initiator expects, and tells the rest as residual (§11.4.5)', () => {
    const { wire, task } = reading({}, 1000)
    const payloads: Uint8Array[] = []
    wire.session.reserveDataIn(task, 4096, payloads)
    fill(payloads, pattern(1000))
    wire.session.finishDataIn(task, 4096)
    const [pdu] = wire.seen()
    expect([pdu!.data.length, pdu!.flags, readU32(pdu!.header, 44)]).toEqual([1000, 0x85, 3096])
    const short = reading({}, 1000)
    short.wire.session.reserveDataIn(short.task, 36, [])
    short.wire.session.finishDataIn(short.task, 36)
    const [under] = short.wire.seen()
    expect([under!.data.length, under!.flags, readU32(under!.header, 44)]).toEqual([36, 0x83, 964])
  })

  it.each([0, 4096])(
    'answers a read of which the initiator expects nothing without Data-In: %i',
    (bytes) => {
      const { wire, task } = reading({}, 0)
      const payloads: Uint8Array[] = []
      wire.session.reserveDataIn(task, bytes, payloads)
      expect(payloads).toEqual([])
      wire.session.finishDataIn(task, bytes)
      const [pdu] = wire.seen()
      expect([pdu!.opcode, pdu!.header[3], readU32(pdu!.header, 44)]).toEqual([0x21, 0, bytes])
    },
  )

  it('I1 I2 a read in parts is as one in one go; what cannot be read ends it by a response that counts its Data-Ins', () => {
    const data = pattern(100_000)
    // By either way in turn.
    const part = (wire: Wire, task: Task, from: number, to: number) => {
      const isLast = to === data.length
      if (from !== 0) {
        wire.session.sendDataIn(
          task,
          { data: pooled(data.subarray(from, to)), from, isLast },
          data.length,
        )
        return
      }
      const payloads: Uint8Array[] = []
      wire.session.reserveDataIn(task, to - from, payloads, from, isLast)
      fill(payloads, data.subarray(from, to))
      wire.session.finishDataIn(task, data.length)
    }
    const limits = { maxBurstLength: 30_000, maxSendDataSegmentLength: 20_000 }
    const whole = reading(limits, data.length)
    for (const at of [0, 30_000, 70_000]) {
      part(whole.wire, whole.task, at, Math.min(data.length, at === 0 ? 30_000 : at + 40_000))
    }
    const pdus = whole.wire.seen()
    expectSame(gathered(pdus, whole.wire.parameters), data)
    expect([whole.wire.session.statSn, whole.wire.session.outstanding]).toEqual([3, 0])
    const broken = reading(limits, data.length)
    part(broken.wire, broken.task, 0, 50_000)
    broken.wire.session.respond(broken.task, 2, null, 0)
    const seen = broken.wire.seen()
    const last = seen.at(-1)!
    expect([last.opcode, readU32(last.header, 36)]).toEqual([opcode.scsiResponse, seen.length - 1])
    const aborted = reading(limits, data.length)
    part(aborted.wire, aborted.task, 0, 50_000)
    aborted.wire.session.abort(aborted.task)
    const before = aborted.wire.seen().length
    part(aborted.wire, aborted.task, 50_000, 60_000)
    expect([before, aborted.wire.seen()]).toEqual([3, []])
  })

  it('I1 I2 any lengths, any limits', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 140_000 }),
        fc.record({
          maxSendDataSegmentLength: fc.integer({ min: 512, max: 70_000 }),
          maxBurstLength: fc.integer({ min: 512, max: 70_000 }),
          headerDigest: fc.boolean(),
          dataDigest: fc.boolean(),
        }),
        (bytes, limits) => {
          const { wire, task } = reading(limits, bytes)
          const data = pattern(bytes)
          const payloads: Uint8Array[] = []
          wire.session.reserveDataIn(task, bytes, payloads)
          fill(payloads, data)
          wire.session.finishDataIn(task, bytes)
          const pdus = wire.seen()
          expectSame(gathered(pdus, wire.parameters), data)
          expect(wire.session.statSn).toBe(3)
          const other = reading(limits, bytes)
          expect(other.wire.session.isOneDataIn(other.task, bytes)).toBe(pdus.length === 1)
          expect(other.wire.session.sendDataIn(other.task, whole(data), bytes)).toBe(true)
          expect(other.wire.seen()).toEqual(pdus)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('what was reserved and dropped is not sent, and the task is as it was', () => {
    const { wire, task } = reading({}, 4096)
    wire.session.reserveDataIn(task, 4096, [])
    wire.session.dropDataIn()
    expect(wire.seen()).toEqual([])
    expect(wire.session.sendDataIn(task, whole(pattern(4096)), 4096)).toBe(true)
    expectSame(gathered(wire.seen(), wire.parameters), pattern(4096))
  })

  it('of what is sent from where it lies, nothing goes out when the read was aborted, after silence, or when nothing is expected', () => {
    const aborted = reading({}, 4096)
    aborted.wire.session.abort(aborted.task)
    expect(aborted.wire.session.sendDataIn(aborted.task, whole(pattern(4096)), 4096)).toBe(false)
    expect(aborted.wire.seen()).toEqual([])
    const silent = reading({}, 4096)
    silent.wire.session.silence()
    expect(silent.wire.session.sendDataIn(silent.task, whole(pattern(4096)), 4096)).toBe(false)
    expect(silent.wire.seen()).toEqual([])
    const none = reading({}, 0)
    expect(none.wire.session.isOneDataIn(none.task, 4096)).toBe(false)
    expect(none.wire.session.sendDataIn(none.task, whole(pattern(4096)), 4096)).toBe(false)
    expect(none.wire.seen().map((pdu) => pdu.opcode)).toEqual([opcode.scsiResponse])
  })
})
