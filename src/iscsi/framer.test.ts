import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../base/protocol-error.ts'
import { Framer } from './framer.ts'
import { opcode } from './pdu.ts'
import {
  commandBytes,
  concat,
  copyOf,
  type Digests,
  dataOutBytes,
  framerFor,
  pduBytes,
  type SeenPdu,
  toHex,
  wideLimits,
} from './wire.fixture.ts'

const digestChoices: Digests[] = [
  { headerDigest: false, dataDigest: false },
  { headerDigest: true, dataDigest: false },
  { headerDigest: false, dataDigest: true },
  { headerDigest: true, dataDigest: true },
]

function bytesOf(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 0xff)
}

function stream(digests: Digests): Uint8Array {
  return concat([
    commandBytes({ tag: 1, cmdSn: 1, direction: 'read', bytes: 4096 }, digests),
    commandBytes({ tag: 2, cmdSn: 2, direction: 'write', bytes: 5, data: bytesOf(5) }, digests),
    dataOutBytes({ tag: 3, dataSn: 0, offset: 0, data: bytesOf(64), final: true }, digests),
    pduBytes(opcode.nopOut, 0x80, { 16: 9 }, bytesOf(1), digests),
  ])
}

function drain(framer: Framer, into: SeenPdu[]): void {
  for (let pdu = framer.next(); pdu !== null; pdu = framer.next()) into.push(copyOf(pdu))
}

function cutAt(bytes: Uint8Array, cuts: readonly number[], digests: Digests): SeenPdu[] {
  const framer = framerFor(digests)
  const seen: SeenPdu[] = []
  let from = 0
  for (const cut of [...cuts, bytes.length]) {
    const piece = bytes.slice(from, cut)
    framer.push(piece)
    drain(framer, seen)
    piece.fill(0xee)
    from = cut
  }
  return seen
}

describe('Framer', () => {
  it.each(digestChoices)('F1 gives the same PDUs wherever the stream is cut: %o', (digests) => {
    const bytes = stream(digests)
    const whole = cutAt(bytes, [], digests)
    expect(whole.map((pdu) => pdu.opcode)).toEqual([1, 1, 5, 0])
    expect(whole.map((pdu) => pdu.data.length)).toEqual([0, 5, 64, 1])
    for (let cut = 1; cut < bytes.length; cut += 1) {
      expect(cutAt(bytes, [cut], digests)).toEqual(whole)
    }
    const everyByte = Array.from({ length: bytes.length - 1 }, (_, i) => i + 1)
    expect(cutAt(bytes, everyByte, digests)).toEqual(whole)
  })

  it('F2 parses a whole PDU in place', () => {
    const bytes = stream({ headerDigest: false, dataDigest: false })
    const framer = new Framer(wideLimits)
    framer.push(bytes)
    const first = framer.next()
    expect(first?.header).toBe(bytes)
    expect(first?.at).toBe(0)
    const second = framer.next()
    expect(second?.header).toBe(bytes)
    expect(second?.data.byteOffset).toBe(bytes.byteOffset + 96)
  })

  it('F3 refuses a PDU beyond the limits as soon as its header is there (§13.12, §11.2.1.5)', () => {
    const long = pduBytes(opcode.nopOut, 0x80, {}, bytesOf(100)).slice(0, 48)
    const framer = new Framer({ maxDataBytes: 99, maxAhsBytes: 0 })
    framer.push(long)
    expect(() => framer.next()).toThrow(ProtocolError)
    const withAhs = new Uint8Array(48)
    withAhs[4] = 1
    const strict = new Framer({ maxDataBytes: 99, maxAhsBytes: 0 })
    strict.push(withAhs)
    expect(() => strict.next()).toThrow(/additional headers/)
  })

  it('tells a damaged data segment from a damaged header (§7.8)', () => {
    const digests = { headerDigest: true, dataDigest: true }
    const bytes = commandBytes(
      { tag: 2, cmdSn: 2, direction: 'write', bytes: 5, data: bytesOf(5) },
      digests,
    )
    for (let at = 0; at < bytes.length; at += 1) {
      const bad = bytes.slice()
      bad[at] = (bad[at] ?? 0) ^ 0x10
      const framer = framerFor(digests)
      const inLength = at >= 4 && at <= 7
      framer.push(bad)
      if (at < 52) {
        let pdu = null
        let thrown = false
        try {
          pdu = framer.next()
        } catch (error) {
          thrown = error instanceof ProtocolError
        }
        // A longer length waits for bytes that never come; it is judged when they do.
        expect(thrown || (inLength && pdu === null)).toBe(true)
      } else {
        expect(framer.next()?.digestError).toBe(true)
      }
    }
    const good = framerFor(digests)
    good.push(bytes)
    expect(good.next()?.digestError).toBe(false)
  })

  it('writes digests least significant byte first (§13.1 and its vectors)', () => {
    const zeros = pduBytes(opcode.nopOut, 0x80, {}, new Uint8Array(32), {
      headerDigest: false,
      dataDigest: true,
    })
    expect(toHex(zeros.subarray(80))).toBe('aa36918a')
    const ones = pduBytes(opcode.nopOut, 0x80, {}, new Uint8Array(32).fill(0xff), {
      headerDigest: false,
      dataDigest: true,
    })
    expect(toHex(ones.subarray(80))).toBe('43aba862')
  })

  it('F1 round trip: any PDUs, any cuts, any digests', () => {
    const pdu = fc.record({
      first: fc.integer({ min: 0, max: 0x7f }),
      flags: fc.integer({ min: 0, max: 0xff }),
      word: fc.integer({ min: 0, max: 0xffffffff }),
      data: fc.uint8Array({ maxLength: 200 }),
    })
    const digestsOf = fc.constantFrom(...digestChoices)
    fc.assert(
      fc.property(
        fc.array(pdu, { maxLength: 6 }),
        digestsOf,
        fc.array(fc.nat(2000)),
        (pdus, digests, cuts) => {
          const bytes = concat(
            pdus.map(({ first, flags, word, data }) =>
              pduBytes(first, flags, { 20: word }, data, digests),
            ),
          )
          const places = [...new Set(cuts)]
            .filter((cut) => cut < bytes.length)
            .sort((a, b) => a - b)
          const seen = cutAt(bytes, places, digests)
          expect(seen.map(({ data }) => toHex(data))).toEqual(pdus.map(({ data }) => toHex(data)))
          expect(seen.map(({ opcode: code }) => code)).toEqual(
            pdus.map(({ first }) => first & 0x3f),
          )
        },
      ),
      { numRuns: 200 },
    )
  })

  it('F3 random bytes give PDUs within the limits or a ProtocolError, never anything else', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }),
        fc.constantFrom(...digestChoices),
        (pieces, digests) => {
          const framer = new Framer({ maxDataBytes: 512, maxAhsBytes: 64 })
          framer.headerDigest = digests.headerDigest
          framer.dataDigest = digests.dataDigest
          try {
            for (const piece of pieces) {
              framer.push(piece)
              for (let pdu = framer.next(); pdu !== null; pdu = framer.next()) {
                expect(pdu.dataBytes).toBeLessThanOrEqual(512)
                expect(pdu.ahsBytes).toBeLessThanOrEqual(64)
                expect(pdu.data.length).toBe(pdu.dataBytes)
              }
            }
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError)
          }
        },
      ),
      { numRuns: 300 },
    )
  })
})
