// Frames between members (peer/DESIGN.md draws the bytes). Little-endian, fixed header, at most 64 KiB of payload, so
// that a 4 KiB request never waits behind a megabyte. Encode and decode stand side by side, in wire order.
import { assert } from '../base/assert.ts'
import { ProtocolError } from '../base/protocol-error.ts'

export const FRAME_VERSION = 1
export const headerBytes = 56
export const payloadBytesMax = 64 * 1024
const MAGIC = 0x4b45 // "EK"

export const frameKind = {
  hello: 1,
  welcome: 2,
  refusal: 3,
  ping: 4,
  pong: 5,
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

/** The last frame of its message. */
export const lastFlag = 1

/** One frame as it is read: reused, valid until the next one. */
export class Frame {
  kind = 0
  flags = 0
  /** Answers: see `answerStatus`. */
  status = 0
  slice = 0
  payloadBytes = 0
  request = 0
  epoch = 0
  gen = 0
  session = 0
  /** Number of a write within its session and slice; 0: none. */
  operation = 0
  /** All operations up to this one were answered to the gateway. */
  acknowledged = 0
  offset = 0
  volume = 0
  /** Bytes of the whole operation, which may come in several frames. */
  bytes = 0
  payload: Uint8Array = new Uint8Array(0)
}

export type FrameFields = Omit<Frame, 'payload'>

export function writeHeader(into: Uint8Array, at: number, f: Readonly<FrameFields>): void {
  put16(into, at, MAGIC)
  into[at + 2] = FRAME_VERSION
  into[at + 3] = f.kind
  into[at + 4] = f.flags
  into[at + 5] = f.status
  put16(into, at + 6, f.slice)
  put32(into, at + 8, f.payloadBytes)
  put32(into, at + 12, f.request)
  put32(into, at + 16, f.epoch)
  put32(into, at + 20, f.gen)
  put48(into, at + 24, f.session)
  put16(into, at + 30, 0)
  put32(into, at + 32, f.operation)
  put32(into, at + 36, f.acknowledged)
  put48(into, at + 40, f.offset)
  put32(into, at + 46, f.volume)
  put32(into, at + 50, f.bytes)
  put16(into, at + 54, 0)
}

function readHeader(from: Uint8Array, at: number, f: Frame): void {
  if (get16(from, at) !== MAGIC) throw new ProtocolError('not a peer frame', 'peer/DESIGN.md')
  const version = from[at + 2] ?? 0
  if (version !== FRAME_VERSION) {
    throw new ProtocolError(`peer frames of version ${version}; this member speaks ${FRAME_VERSION}`, 'peer/DESIGN.md')
  }
  f.kind = from[at + 3] ?? 0
  if (!kinds.has(f.kind)) throw new ProtocolError(`unknown frame kind ${f.kind}`, 'peer/DESIGN.md')
  f.flags = from[at + 4] ?? 0
  f.status = from[at + 5] ?? 0
  f.slice = get16(from, at + 6)
  f.payloadBytes = get32(from, at + 8)
  if (f.payloadBytes > payloadBytesMax) {
    throw new ProtocolError(`a frame of ${f.payloadBytes} bytes`, 'peer/DESIGN.md')
  }
  f.request = get32(from, at + 12)
  f.epoch = get32(from, at + 16)
  f.gen = get32(from, at + 20)
  f.session = get48(from, at + 24)
  f.operation = get32(from, at + 32)
  f.acknowledged = get32(from, at + 36)
  f.offset = get48(from, at + 40)
  f.volume = get32(from, at + 46)
  f.bytes = get32(from, at + 50)
}

/** Bytes in, frames out. Whole frames are read in place; only what is cut off by the end of a chunk is copied. */
export class FrameReader {
  readonly #frame = new Frame()
  readonly #carry = new Uint8Array(headerBytes + payloadBytesMax)
  #carried = 0
  #chunk: Uint8Array = new Uint8Array(0)
  #at = 0

  /** Every frame of the last chunk must have been taken. */
  push(bytes: Uint8Array): void {
    assert(this.#at === this.#chunk.length, 'all frames of a chunk are taken before the next')
    this.#chunk = bytes
    this.#at = 0
  }

  /** The next whole frame, valid until the next call and not after the turn; null: more bytes are needed. */
  next(): Frame | null {
    return this.#carried > 0 ? this.#nextCarried() : this.#nextInPlace()
  }

  #nextInPlace(): Frame | null {
    const left = this.#chunk.length - this.#at
    if (left >= headerBytes) {
      readHeader(this.#chunk, this.#at, this.#frame)
      const whole = headerBytes + this.#frame.payloadBytes
      if (left >= whole) {
        this.#frame.payload = this.#chunk.subarray(this.#at + headerBytes, this.#at + whole)
        this.#at += whole
        return this.#frame
      }
    }
    this.#take(left)
    return null
  }

  #nextCarried(): Frame | null {
    if (this.#carried < headerBytes) this.#take(Math.min(headerBytes - this.#carried, this.#left()))
    if (this.#carried < headerBytes) return null
    readHeader(this.#carry, 0, this.#frame)
    const whole = headerBytes + this.#frame.payloadBytes
    this.#take(Math.min(whole - this.#carried, this.#left()))
    if (this.#carried < whole) return null
    this.#carried = 0
    this.#frame.payload = this.#carry.subarray(headerBytes, whole)
    return this.#frame
  }

  #left(): number {
    return this.#chunk.length - this.#at
  }

  #take(bytes: number): void {
    this.#carry.set(this.#chunk.subarray(this.#at, this.#at + bytes), this.#carried)
    this.#carried += bytes
    this.#at += bytes
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
