import { describe, expect, it } from 'vitest'
import { readU32 } from '../base/bytes.ts'
import { decodeText, encodeText } from '../base/text.ts'
import { replyTo } from './full-feature-keys.ts'
import { opcode, rejectReason, reservedTag } from './pdu.ts'
import { sendTargetsRequest } from './send-targets.ts'
import { commandBytes, pduBytes, Wire } from './wire.fixture.ts'

const keys = (...pairs: string[]) => encodeText(pairs.map((pair) => `${pair}\0`).join(''))

describe('keys in full feature phase', () => {
  it.each([
    ['a key of the login', keys('MaxBurstLength=4096')],
    ['a digest', keys('HeaderDigest=CRC32C')],
    ['a name', keys('InitiatorName=iqn.t:x')],
    [
      'a key of the login behind a good one',
      keys('MaxRecvDataSegmentLength=4096', 'InitialR2T=No'),
    ],
    ['a key without a value', encodeText('SendTargets\0')],
    ['bytes that are no text', Uint8Array.of(0xff, 0xfe, 0)],
    ['a key twice', keys('SendTargets=All', 'SendTargets=')],
  ])('FK1 %s is rejected', (_, text) => {
    expect(replyTo(text)).toBeNull()
  })

  it('FK2 what is declared is taken, what is unknown is NotUnderstood, and what is no length is refused', () => {
    expect(replyTo(keys('MaxRecvDataSegmentLength=4096', 'X-test=1', 'InitiatorAlias=me'))).toEqual(
      {
        pairs: [{ key: 'X-test', value: 'NotUnderstood' }],
        targets: null,
        segmentBytes: 4096,
      },
    )
    for (const wrong of ['511', '16777216', 'no']) {
      expect(replyTo(keys(`MaxRecvDataSegmentLength=${wrong}`))).toEqual({
        pairs: [{ key: 'MaxRecvDataSegmentLength', value: 'Reject' }],
        targets: null,
        segmentBytes: null,
      })
    }
    expect(replyTo(sendTargetsRequest('All'))?.targets).toBe('All')
    expect(replyTo(new Uint8Array(0))).toEqual({ pairs: [], targets: null, segmentBytes: null })
  })
})

describe('a session', () => {
  const ask = (wire: Wire, tag: number, text: Uint8Array) => {
    const fields = { 16: tag, 20: reservedTag, 24: 100 }
    for (const action of wire.send(pduBytes(opcode.textRequest | 0x40, 0x80, fields, text))) {
      if (action.kind !== 'text') continue
      wire.session.respondToKeys(action.request, (wanted) => encodeText(`TargetName=${wanted}\0`))
    }
    return wire.seen()
  }

  it('FK2 sends no longer data segments than were declared last', () => {
    const wire = new Wire()
    const [answer] = ask(wire, 5, keys('MaxRecvDataSegmentLength=1024', 'X-a=b'))
    expect([answer?.opcode, decodeText(answer!.data)]).toEqual([
      opcode.textResponse,
      'X-a=NotUnderstood\0',
    ])
    const read = commandBytes({ tag: 1, cmdSn: 100, direction: 'read', bytes: 4096 })
    const [action] = wire.send(read)
    if (action?.kind !== 'command') throw new Error('no command')
    wire.session.reserveDataIn(action.task, 4096, [])
    wire.session.finishDataIn(action.task, 4096)
    expect(wire.seen().map(({ data }) => data.length)).toEqual([1024, 1024, 1024, 1024])
    const [targets] = ask(wire, 6, sendTargetsRequest('t:1'))
    expect(decodeText(targets!.data)).toBe('TargetName=t:1\0')
  })

  it('FK1 rejects what has no place there with the header that it came with, and goes on', () => {
    const wire = new Wire()
    const [rejected] = ask(wire, 7, keys('MaxRecvDataSegmentLength=1024', 'MaxBurstLength=4096'))
    expect([rejected?.opcode, rejected?.header[2]]).toEqual([
      opcode.reject,
      rejectReason.protocolError,
    ])
    expect(readU32(rejected!.data, 16)).toBe(7)
    const [answer] = ask(wire, 8, keys('X-a=b'))
    expect(answer?.opcode).toBe(opcode.textResponse)
  })
})
