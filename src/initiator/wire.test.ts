import { expect, test } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { Timeline } from '../../sim/timeline.ts'
import { BufferPool } from '../base/buffer-pool.ts'
import type { Stream } from '../base/net.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import { finalBit, opcode } from '../iscsi/pdu.ts'
import { pduBytes } from '../iscsi/wire.fixture.ts'
import { Wire } from './wire.ts'

class Recorded implements Stream {
  readonly remoteHost = 'target'
  readonly localHost = 'initiator'
  readonly localPort = 1
  readonly unwrittenBytes = 0
  readonly writes: Uint8Array[] = []
  destroyed = 0
  own(): void {}
  writeAll(parts: readonly Uint8Array[]): void {
    for (const part of parts) this.write(part)
  }

  write(bytes: Uint8Array): void {
    this.writes.push(bytes)
  }
  end(): void {}
  destroy(): void {
    this.destroyed++
  }
  pause(): void {}
  resume(): void {}
}

function open(onPdu: () => void = () => {}) {
  const timeline = new Timeline()
  const stream = new Recorded()
  const log: string[] = []
  const wire = new Wire(stream, new SimClock(timeline), new BufferPool(1 << 20), {
    receive(pdu) {
      log.push(`pdu ${pdu.opcode}`)
      onPdu()
    },
    drained: () => log.push('drained'),
    over: (reason) => log.push(`over: ${reason}`),
  })
  return { timeline, stream, log, wire }
}

const nop = () => pduBytes(opcode.nopIn, finalBit, {})

test('E2 what one turn wrote leaves in one write, in order', async () => {
  const { timeline, stream, wire, log } = open()
  for (let i = 1; i <= 20; i++) {
    const at = wire.writer.begin(i, finalBit, 0)
    wire.writer.seal(at, 0)
    wire.flush()
  }
  expect(stream.writes).toHaveLength(0)
  await timeline.run(0)
  expect(stream.writes).toHaveLength(1)
  const sent = stream.writes[0] ?? new Uint8Array(0)
  expect(Array.from({ length: 20 }, (_, i) => sent[48 * i])).toEqual(
    Array.from({ length: 20 }, (_, i) => i + 1),
  )
  wire.written()
  expect(log).toEqual(['drained'])
})

test('E1 the consumer hears of the end once, whoever brings it about, and of nothing after it', async () => {
  const ends: ((wire: Wire) => void)[] = [
    (wire) => wire.destroy('enough'),
    (wire) => wire.ended(),
    (wire) => wire.closed('gone'),
    (wire) => wire.received(new Uint8Array(48).fill(0xff)),
  ]
  for (const end of ends) {
    const { stream, log, wire, timeline } = open()
    end(wire)
    for (const again of ends) again(wire)
    wire.written()
    wire.received(nop())
    wire.writer.begin(1, 0, 0)
    wire.flush()
    await timeline.run(10)
    expect(log).toHaveLength(1)
    expect(log[0]).toMatch(/^over: /)
    expect(stream.writes).toHaveLength(0)
    expect(stream.destroyed).toBeLessThan(2)
  }
})

test('E1 a consumer that finds a PDU wrong, or ends the connection, gets no more of the same bytes', () => {
  const wrong = open(() => {
    throw new ProtocolError('nonsense', 'RFC 7143')
  })
  const two = new Uint8Array([...nop(), ...nop()])
  wrong.wire.received(two)
  expect(wrong.log).toEqual([`pdu ${opcode.nopIn}`, 'over: nonsense (RFC 7143)'])
  const ending = open(() => ending.wire.destroy('enough'))
  ending.wire.received(two)
  expect(ending.log).toEqual([`pdu ${opcode.nopIn}`, 'over: enough'])
})

test('E1 an exception that is no ProtocolError is a bug, and not swallowed', () => {
  const buggy = open(() => {
    throw new Error('bug')
  })
  expect(() => buggy.wire.received(nop())).toThrow('bug')
})
