import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { epoch, generation, sessionId, sliceId, volumeId } from '../base/ids.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import {
  checksumsOf,
  FRAME,
  Frame,
  FrameReader,
  frameBytes,
  frameFields,
  frameKind,
  frameVersion,
  payloadBytesMax,
  writeFrame,
} from './frames.ts'

const u48 = fc.integer({ min: 0, max: 2 ** 48 - 1 })
const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const u16 = fc.integer({ min: 0, max: 2 ** 16 - 1 })
const u8 = fc.integer({ min: 0, max: 255 })

const text: ReadonlySet<number> = new Set([frameKind.hello, frameKind.refusal])

const frames: fc.Arbitrary<Frame> = fc
  .record({
    kind: fc.constantFrom(...Object.values(frameKind)),
    flags: u8,
    status: u8,
    slice: u16.map(sliceId),
    request: u32,
    epoch: u32.map(epoch),
    gen: u32.map(generation),
    session: u48.map(sessionId),
    offset: u48,
    number: u48,
    acknowledged: u48,
    volume: u32.map(volumeId),
    bytes: u32,
    view: u32,
    seq: u48,
    phase: fc.integer({ min: 0, max: 4095 }),
    payload: fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 10_000 })),
  })
  .map((fields) => Object.assign(new Frame(), fields, { payloadBytes: fields.payload.length }))
  .map((f) => (text.has(f.kind) ? Object.assign(f, { view: 0, seq: 0, phase: 0 }) : f))

function encode(frame: Frame): Uint8Array {
  const bytes = new Uint8Array(frameBytes(frame))
  writeFrame(bytes, 0, frame, frame.payload, { of: null, first: 0 })
  return bytes
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

/** Everything that the reader gives, copied; the pushed chunks are overwritten behind it, as a stream may do. */
function read(chunks: readonly Uint8Array[]): Frame[] {
  const reader = new FrameReader()
  const frames: Frame[] = []
  for (const chunk of chunks) {
    const lent = chunk.slice()
    reader.push(lent)
    for (let f = reader.next(); f !== null; f = reader.next()) {
      if (!f.isSound) throw new ProtocolError('not sound', 'the test')
      frames.push(Object.assign(new Frame(), f, { payload: f.payload.slice() }))
    }
    lent.fill(0xdd)
  }
  return frames
}

describe('frames', () => {
  it('F1 what was written is read back, however it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(frames, { minLength: 1, maxLength: 6 }),
        fc.array(fc.integer({ min: 0, max: 2000 }), { maxLength: 12 }),
        (written, cuts) => {
          const bytes = join(written.map(encode))
          const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
          const chunks = [0, ...at].map((from, i) => bytes.subarray(from, at[i] ?? bytes.length))
          expect(read(chunks)).toEqual(written)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('F1 two frames are read back whole when cut at every byte', () => {
    const one = Object.assign(new Frame(), {
      kind: frameKind.write,
      payload: Uint8Array.of(1, 2, 3),
      payloadBytes: 3,
    })
    const two = Object.assign(new Frame(), { kind: frameKind.ping, request: 7 })
    const bytes = join([encode(one), encode(two)])
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      expect(read([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual([one, two])
    }
    expect(read([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual([one, two])
  })

  it('F1 a frame of the longest payload goes through', () => {
    const payload = new Uint8Array(payloadBytesMax).map((_, i) => i * 7)
    const frame = Object.assign(new Frame(), {
      kind: frameKind.answer,
      payload,
      payloadBytes: payload.length,
    })
    const bytes = encode(frame)
    expect(read([bytes.subarray(0, 1000), bytes.subarray(1000)])).toEqual([frame])
  })

  it('F2 chance bytes are waited on or refused, never taken for a frame', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        try {
          expect(read([bytes])).toEqual([])
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('F2 a frame with any one byte changed is refused or waited on', () => {
    fc.assert(
      fc.property(frames, fc.nat(), fc.integer({ min: 1, max: 255 }), (frame, where, flip) => {
        const bytes = encode(frame)
        const at = where % bytes.length
        bytes[at] = (bytes[at] ?? 0) ^ flip
        try {
          expect(read([bytes])).toEqual([])
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('F2 each byte of a frame, flipped, is found: header, checksums and payload', () => {
    const payload = new Uint8Array(9_000).map((_, i) => i * 7)
    for (const kind of [frameKind.write, frameKind.answer, frameKind.hello]) {
      const fields = { kind, payload, payloadBytes: payload.length, phase: 512 }
      const bytes = encode(Object.assign(new Frame(), fields))
      for (let at = 0; at < bytes.length; at += 1) {
        bytes[at] = (bytes[at] ?? 0) ^ 0x10
        let got: readonly Frame[] = []
        try {
          got = read([bytes])
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
        expect(got.length, `byte ${at} of kind ${kind}`).toBe(0)
        bytes[at] = (bytes[at] ?? 0) ^ 0x10
      }
    }
  })

  it('F3 checksums go with their blocks and are not made anew: bytes that have changed since are found', () => {
    const payload = new Uint8Array(9_000).map((_, i) => i * 7)
    const checksums = checksumsOf(payload, 512)
    expect(checksums.length).toBe(3)
    const fields = { kind: frameKind.write, payload, payloadBytes: payload.length, phase: 512 }
    const frame = Object.assign(new Frame(), fields)
    const bytes = new Uint8Array(frameBytes(frame))
    writeFrame(bytes, 0, frame, payload, { of: checksums, first: 0 })
    const reader = new FrameReader()
    reader.push(bytes)
    expect(reader.next()?.isSound).toBe(true)
    expect(reader.checksums.subarray(0, 3)).toEqual(checksums)
    payload[5_000] = (payload[5_000] ?? 0) ^ 1
    writeFrame(bytes, 0, frame, payload, { of: checksums, first: 0 })
    expect(() => read([bytes])).toThrow('a frame that fails its checksum')
  })

  it('DESIGN.md draws every field where the code has it', async () => {
    const design = await readFile(new URL('./DESIGN.md', import.meta.url), 'utf8')
    const lines = new Set(design.split('\n').map((line) => line.replace(/ {2,}·.*$/, '')))
    const fields = Object.entries(FRAME)
    for (const [i, [name, at]] of fields.slice(0, -1).entries()) {
      const bytes = (fields[i + 1]?.[1] ?? at) - at
      const line = `${String(at).padStart(5)} ${String(bytes).padStart(5)}  ${name}`
      expect(lines, line).toContain(line)
    }
  })

  it('F2 only a hello and a refusal are read of another version', () => {
    for (const kind of Object.values(frameKind)) {
      const frame = Object.assign(new Frame(), frameFields(kind, 1), { version: frameVersion + 1 })
      if (kind === frameKind.hello || kind === frameKind.refusal) {
        expect(read([encode(frame)])[0]?.version).toBe(frameVersion + 1)
      } else expect(() => read([encode(frame)])).toThrow(`a frame of version ${frameVersion + 1}`)
    }
  })
})
