// Frames between members (DESIGN.md beside this file draws the bytes). Little-endian, a fixed header, at most 64 KiB of
// payload, so that a 4 KiB request never waits behind a megabyte. Encode and decode stand side by side, in wire order.
//
// Invariants:
//   F1. A frame that was written is read back as it was, however the stream cuts it.
//   F2. Whatever bytes come, the reader gives whole frames with a good checksum, waits, or throws a ProtocolError.
import { assert } from '../base/assert.ts'
import { crc32c } from '../base/crc32c.ts'
import { epoch, generation, sessionId, sliceId, volumeId } from '../base/ids.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import type { Operation } from './operation.ts'

/** Raised with any change of the bytes. Hello and refusal keep their form in every version, so that members can tell. */
export const frameVersion = 2
export const headerBytes = 60
export const payloadBytesMax = 64 * 1024
const MAGIC = 0x4b45 // 'EK'

export const frameKind = {
  hello: 1,
  welcome: 2,
  refusal: 3,
  confirm: 4,
  ready: 5,
  ping: 6,
  pong: 7,
  read: 10,
  write: 11,
  unmap: 12,
  compareAndWrite: 13,
  fence: 14,
  /** Forget the frames of a request whose rest will not come. */
  withdraw: 15,
  answer: 20,
  ask: 30,
  reply: 31,
  tell: 32,
} as const
const kinds: ReadonlySet<number> = new Set(Object.values(frameKind))

/** P12 of responder.ts: frames of these kinds wait until the member serves; the others only until its store is open. */
const served: ReadonlySet<number> = new Set([
  frameKind.read,
  frameKind.write,
  frameKind.unmap,
  frameKind.compareAndWrite,
  frameKind.fence,
])

export type Gate = 'open' | 'serving'

export function gateOf(kind: number): Gate {
  return served.has(kind) ? 'serving' : 'open'
}

/** The last frame of its message. */
export const lastFlag = 1

const nothing = new Uint8Array(0)

/** One frame. A reader's own is reused: valid until the next one. */
export class Frame implements Operation {
  version = frameVersion
  kind = 0
  flags = 0
  /** Of an answer: see `answerStatus`. */
  status = 0
  slice = sliceId(0)
  payloadBytes = 0
  /** Names the message on its stream; frames of several messages are mixed. */
  request = 0
  epoch = epoch(0)
  gen = generation(0)
  session = sessionId(0)
  /** Where the operation begins in the volume; of an answer, where a comparison differs. */
  offset = 0
  number = 0
  acknowledged = 0
  volume = volumeId(0)
  /** Of a request, the bytes of the whole operation; of an answer, where this payload belongs in it. */
  bytes = 0
  payload: Uint8Array = nothing
}

export type FrameFields = Omit<Frame, 'payload'>

/** A header field by field; `request` 0 belongs to the stream itself. */
export function frameFields(kind: number, request: number): FrameFields {
  const frame = new Frame()
  frame.kind = kind
  frame.request = request
  return frame
}

/** Writes the header; the payload follows it, and then `sealFrame` the checksum of both. */
export function writeHeader(into: Uint8Array, at: number, f: Readonly<FrameFields>): void {
  put16(into, at + 4, MAGIC)
  into[at + 6] = f.version
  into[at + 7] = f.kind
  into[at + 8] = f.flags
  into[at + 9] = f.status
  put16(into, at + 10, f.slice)
  put32(into, at + 12, f.payloadBytes)
  put32(into, at + 16, f.request)
  put32(into, at + 20, f.epoch)
  put32(into, at + 24, f.gen)
  put48(into, at + 28, f.session)
  put48(into, at + 34, f.offset)
  put48(into, at + 40, f.number)
  put48(into, at + 46, f.acknowledged)
  put32(into, at + 52, f.volume)
  put32(into, at + 56, f.bytes)
}

export function sealFrame(into: Uint8Array, at: number, payloadBytes: number): void {
  put32(into, at, crc32c(into.subarray(at + 4, at + headerBytes + payloadBytes)))
}

function readHeader(from: Uint8Array, at: number, f: Frame): void {
  if (get16(from, at + 4) !== MAGIC) throw broken('not a frame of a member')
  f.version = from[at + 6] ?? 0
  f.kind = from[at + 7] ?? 0
  const isLasting = f.kind === frameKind.hello || f.kind === frameKind.refusal
  if (f.version !== frameVersion && !isLasting) throw broken(`a frame of version ${f.version}`)
  if (!kinds.has(f.kind)) throw broken(`unknown frame kind ${f.kind}`)
  f.flags = from[at + 8] ?? 0
  f.status = from[at + 9] ?? 0
  f.slice = sliceId(get16(from, at + 10))
  f.payloadBytes = get32(from, at + 12)
  if (f.payloadBytes > payloadBytesMax) throw broken(`a frame of ${f.payloadBytes} bytes`)
  f.request = get32(from, at + 16)
  f.epoch = epoch(get32(from, at + 20))
  f.gen = generation(get32(from, at + 24))
  f.session = sessionId(get48(from, at + 28))
  f.offset = get48(from, at + 34)
  f.number = get48(from, at + 40)
  f.acknowledged = get48(from, at + 46)
  f.volume = volumeId(get32(from, at + 52))
  f.bytes = get32(from, at + 56)
}

function checkSeal(from: Uint8Array, at: number, whole: number): void {
  if (get32(from, at) !== crc32c(from.subarray(at + 4, at + whole))) {
    throw broken('a frame that fails its checksum')
  }
}

export function broken(reason: string): ProtocolError {
  return new ProtocolError(reason, 'peer/DESIGN.md')
}

/** Bytes in, frames out. Whole frames are read in place; only what is cut off by the end of a chunk is copied. */
export class FrameReader {
  readonly #frame = new Frame()
  readonly #carry = new Uint8Array(headerBytes + payloadBytesMax)
  #carried = 0
  #chunk: Uint8Array = nothing
  #at = 0

  /** Every frame of the last chunk must have been taken. */
  push(bytes: Uint8Array): void {
    assert(this.#at === this.#chunk.length, 'all frames of a chunk are taken before the next')
    this.#chunk = bytes
    this.#at = 0
  }

  /** The next whole frame, valid until the next call and only while the pushed bytes are; null: more are needed. */
  next(): Frame | null {
    return this.#carried > 0 ? this.#nextCarried() : this.#nextInPlace()
  }

  #nextInPlace(): Frame | null {
    const left = this.#chunk.length - this.#at
    if (left >= headerBytes) {
      readHeader(this.#chunk, this.#at, this.#frame)
      const whole = headerBytes + this.#frame.payloadBytes
      if (left >= whole) {
        checkSeal(this.#chunk, this.#at, whole)
        this.#frame.payload = this.#chunk.subarray(this.#at + headerBytes, this.#at + whole)
        this.#at += whole
        return this.#frame
      }
    }
    this.#take(left)
    return null
  }

  #nextCarried(): Frame | null {
    if (this.#carried < headerBytes) this.#take(headerBytes - this.#carried)
    if (this.#carried < headerBytes) return null
    readHeader(this.#carry, 0, this.#frame)
    const whole = headerBytes + this.#frame.payloadBytes
    this.#take(whole - this.#carried)
    if (this.#carried < whole) return null
    checkSeal(this.#carry, 0, whole)
    this.#carried = 0
    this.#frame.payload = this.#carry.subarray(headerBytes, whole)
    return this.#frame
  }

  /** Moves up to `bytes` of the chunk to what is carried over. */
  #take(bytes: number): void {
    const taken = Math.min(bytes, this.#chunk.length - this.#at)
    this.#carry.set(this.#chunk.subarray(this.#at, this.#at + taken), this.#carried)
    this.#carried += taken
    this.#at += taken
  }
}

function put16(b: Uint8Array, at: number, value: number): void {
  b[at] = value
  b[at + 1] = value >>> 8
}

function put32(b: Uint8Array, at: number, value: number): void {
  b[at] = value
  b[at + 1] = value >>> 8
  b[at + 2] = value >>> 16
  b[at + 3] = value >>> 24
}

function put48(b: Uint8Array, at: number, value: number): void {
  put32(b, at, value >>> 0)
  put16(b, at + 4, Math.floor(value / 0x1_0000_0000))
}

function get16(b: Uint8Array, at: number): number {
  return (b[at] ?? 0) | ((b[at + 1] ?? 0) << 8)
}

function get32(b: Uint8Array, at: number): number {
  return (get16(b, at) | (get16(b, at + 2) << 16)) >>> 0
}

function get48(b: Uint8Array, at: number): number {
  return get32(b, at) + get16(b, at + 4) * 0x1_0000_0000
}
