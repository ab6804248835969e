// Frames between members (DESIGN.md beside this file draws the bytes). Little-endian: a head, which is a fixed header and a
// checksum for each block of the payload, and at most 64 KiB of payload, so that a 4 KiB request never waits behind a
// megabyte. Encode and decode stand side by side, in wire order.
//
// Invariants:
//   F1. A frame that was written is read back as it was, however the stream cuts it.
//   F2. Whatever bytes come, the reader gives whole frames with a good checksum, waits, or throws a ProtocolError.
//   F3. A block's checksum is of its bytes as they were where they entered: it is checked at the other end, and nobody in
//       between makes it anew. A payload is cut only between blocks.
import { assert } from '../base/assert.ts'
import { crc32c, crc32cOfBlocks, crc32cOfHeader } from '../base/crc32c.ts'
import { epoch, generation, sessionId, sliceId, volumeId } from '../base/ids.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import { BLOCK_BYTES } from '../base/sizes.ts'
import type { Operation } from './operation.ts'

/** Raised with any change of the bytes. Hello and refusal keep their form in every version, so that members can tell. */
export const frameVersion = 5
export const payloadBytesMax = 64 * 1024
/** Of a payload that begins inside a block: one more than the longest whole one has. */
const blocksMax = payloadBytesMax / BLOCK_BYTES + 1

/** Where the fields of a header are; `end` is where the checksums of the blocks begin. */
export const FRAME = {
  checksum: 0,
  magic: 4,
  version: 6,
  kind: 7,
  flags: 8,
  status: 9,
  slice: 10,
  length: 12,
  request: 16,
  epoch: 20,
  gen: 24,
  session: 28,
  offset: 34,
  number: 40,
  acknowledged: 46,
  volume: 52,
  bytes: 56,
  view: 60,
  seq: 64,
  phase: 70,
  end: 72,
} as const
/** Hello and refusal end there, in every version. */
export const lastingHeaderBytes = FRAME.view
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
  /** A write in its place in the order of its slice, for a copy. */
  replicate: 16,
  replicateUnmap: 17,
  /** A page as a whole, for a copy. */
  install: 18,
  /** What a member's store has of a page, as a copy. */
  fetch: 19,
  answer: 20,
  ask: 30,
  reply: 31,
  tell: 32,
} as const
/** They are read whatever version they are of: no blocks, one checksum of everything behind it. */
function isLasting(kind: number): boolean {
  return kind === frameKind.hello || kind === frameKind.refusal
}

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

/** Q3 of sender.ts: what these do to a copy is done in the order in which it was sent. */
export function isOrdered(kind: number): boolean {
  return (
    kind === frameKind.replicate || kind === frameKind.replicateUnmap || kind === frameKind.install
  )
}

/** The last frame of its message. */
export const lastFlag = 1

const nothing = new Uint8Array(0)

/** One frame. A reader's own is reused: valid until the next one. */
export class Frame implements Operation {
  version = frameVersion
  kind = 0
  flags = 0
  /** Of an answer: see `answerStatus`; of a replicated unmap, which edges come with it: see page-payload.ts. */
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
  /** Of a request: the volume's, as the sender knows it. */
  view = 0
  /** Which mutation of its slice's epoch it is; 0: none, or not known any more. */
  seq = 0
  /** Where the payload begins in its block. */
  phase = 0
  payload: Uint8Array = nothing
  /** F3; false is for answers only, of which one knows what to do (P13 of link.ts). */
  isSound = true
}

export type FrameFields = Omit<Frame, 'payload' | 'isSound'>

/** A header field by field; `request` 0 belongs to the stream itself. */
export function frameFields(kind: number, request: number): FrameFields {
  const frame = new Frame()
  frame.kind = kind
  frame.request = request
  return frame
}

/** How many blocks so many bytes touch that begin at `phase` of one. */
export function blocksOf(phase: number, bytes: number): number {
  return Math.ceil((phase + bytes) / BLOCK_BYTES)
}

/** Of each block that is touched, the checksum of the bytes in it. */
export function checksumsOf(bytes: Uint8Array, phase: number): Uint32Array<ArrayBuffer> {
  const checksums = new Uint32Array(blocksOf(phase, bytes.length))
  for (let block = 0; block < checksums.length; block += 1) {
    checksums[block] = checksumOf(bytes, phase, block)
  }
  return checksums
}

function checksumOf(bytes: Uint8Array, phase: number, block: number): number {
  const from = Math.max(0, block * BLOCK_BYTES - phase)
  const to = Math.min(bytes.length, (block + 1) * BLOCK_BYTES - phase)
  return crc32c(to - from === bytes.length ? bytes : bytes.subarray(from, to))
}

/** The checksums of the payload's blocks are those from `first` on; null: made here. */
export interface Checksums {
  readonly of: Uint32Array | null
  readonly first: number
}

/** Header, checksums and payload of a frame. */
export function frameBytes({ kind, phase, payloadBytes }: Readonly<FrameFields>): number {
  if (isLasting(kind)) return lastingHeaderBytes + payloadBytes
  return FRAME.end + 4 * blocksOf(phase, payloadBytes) + payloadBytes
}

/** F3. */
export function writeFrame(
  into: Uint8Array,
  at: number,
  f: Readonly<FrameFields>,
  payload: Uint8Array,
  checksums: Checksums,
): void {
  assert(payload.length === f.payloadBytes, 'a frame has the payload that it names')
  writeHeader(into, at, f)
  if (isLasting(f.kind)) {
    const end = at + lastingHeaderBytes
    into.set(payload, end)
    put32(into, at, crc32c(into.subarray(at + FRAME.magic, end + payload.length)))
    return
  }
  put32(into, at + FRAME.view, f.view)
  put48(into, at + FRAME.seq, f.seq)
  put16(into, at + FRAME.phase, f.phase)
  const blocks = blocksOf(f.phase, payload.length)
  for (let block = 0; block < blocks; block += 1) {
    const sum = checksums.of?.[checksums.first + block] ?? checksumOf(payload, f.phase, block)
    put32(into, at + FRAME.end + 4 * block, sum)
  }
  const end = at + FRAME.end + 4 * blocks
  put32(into, at, crc32cOfHeader(into, at + FRAME.magic, end))
  if (payload.length > 0) into.set(payload, end)
}

function writeHeader(into: Uint8Array, at: number, f: Readonly<FrameFields>): void {
  put16(into, at + FRAME.magic, MAGIC)
  into[at + FRAME.version] = f.version
  into[at + FRAME.kind] = f.kind
  into[at + FRAME.flags] = f.flags
  into[at + FRAME.status] = f.status
  put16(into, at + FRAME.slice, f.slice)
  put32(into, at + FRAME.length, f.payloadBytes)
  put32(into, at + FRAME.request, f.request)
  put32(into, at + FRAME.epoch, f.epoch)
  put32(into, at + FRAME.gen, f.gen)
  put48(into, at + FRAME.session, f.session)
  put48(into, at + FRAME.offset, f.offset)
  put48(into, at + FRAME.number, f.number)
  put48(into, at + FRAME.acknowledged, f.acknowledged)
  put32(into, at + FRAME.volume, f.volume)
  put32(into, at + FRAME.bytes, f.bytes)
}

/** Of the frame that begins there with `have` bytes at least: the bytes before its payload; 0: more are needed to know. */
function headBytes(from: Uint8Array, at: number, have: number): number {
  if (have < lastingHeaderBytes) return 0
  if (get16(from, at + FRAME.magic) !== MAGIC) throw broken('not a frame of a member')
  const kind = from[at + FRAME.kind] ?? 0
  const version = from[at + FRAME.version] ?? 0
  if (version !== frameVersion && !isLasting(kind)) throw broken(`a frame of version ${version}`)
  if (!kinds.has(kind)) throw broken(`unknown frame kind ${kind}`)
  const length = get32(from, at + FRAME.length)
  if (length > payloadBytesMax) throw broken(`a frame of ${length} bytes`)
  if (isLasting(kind)) return lastingHeaderBytes
  if (have < FRAME.end) return 0
  const phase = get16(from, at + FRAME.phase)
  if (phase >= BLOCK_BYTES) throw broken(`a payload that begins at ${phase} of a block`)
  return FRAME.end + 4 * blocksOf(phase, length)
}

function readHeader(from: Uint8Array, at: number, head: number, f: Frame): void {
  f.version = from[at + FRAME.version] ?? 0
  f.kind = from[at + FRAME.kind] ?? 0
  f.flags = from[at + FRAME.flags] ?? 0
  f.status = from[at + FRAME.status] ?? 0
  f.slice = sliceId(get16(from, at + FRAME.slice))
  f.payloadBytes = get32(from, at + FRAME.length)
  f.request = get32(from, at + FRAME.request)
  f.epoch = epoch(get32(from, at + FRAME.epoch))
  f.gen = generation(get32(from, at + FRAME.gen))
  f.session = sessionId(get48(from, at + FRAME.session))
  f.offset = get48(from, at + FRAME.offset)
  f.number = get48(from, at + FRAME.number)
  f.acknowledged = get48(from, at + FRAME.acknowledged)
  f.volume = volumeId(get32(from, at + FRAME.volume))
  f.bytes = get32(from, at + FRAME.bytes)
  const hasMore = head > lastingHeaderBytes
  f.view = hasMore ? get32(from, at + FRAME.view) : 0
  f.seq = hasMore ? get48(from, at + FRAME.seq) : 0
  f.phase = hasMore ? get16(from, at + FRAME.phase) : 0
  if (hasMore && get32(from, at) !== crc32cOfHeader(from, at + FRAME.magic, at + head)) {
    throw unsound()
  }
}

function unsound(): ProtocolError {
  return broken('a frame that fails its checksum')
}

export function broken(reason: string): ProtocolError {
  return new ProtocolError(reason, 'peer/DESIGN.md')
}

/** Bytes in, frames out. Whole frames are read in place; only what is cut off by the end of a chunk is copied. */
export class FrameReader {
  readonly #frame = new Frame()
  readonly #carry = new Uint8Array(FRAME.end + 4 * blocksMax + payloadBytesMax)
  #carried = 0
  #chunk: Uint8Array = nothing
  #at = 0
  /** Of the frame's payload, one a block, valid as long as the frame is. */
  readonly checksums = new Uint32Array(blocksMax)

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
    const head = headBytes(this.#chunk, this.#at, left)
    if (head > 0 && left >= head) {
      readHeader(this.#chunk, this.#at, head, this.#frame)
      const whole = head + this.#frame.payloadBytes
      if (left >= whole) {
        this.#at += whole
        return this.#check(this.#chunk, this.#at - whole, head)
      }
    }
    this.#take(left)
    return null
  }

  #nextCarried(): Frame | null {
    if (!this.#fill(lastingHeaderBytes)) return null
    let head = headBytes(this.#carry, 0, this.#carried)
    if (head === 0) {
      if (!this.#fill(FRAME.end)) return null
      head = headBytes(this.#carry, 0, this.#carried)
    }
    if (!this.#fill(head)) return null
    readHeader(this.#carry, 0, head, this.#frame)
    if (!this.#fill(head + this.#frame.payloadBytes)) return null
    this.#carried = 0
    return this.#check(this.#carry, 0, head)
  }

  /** F2 F3. */
  #check(from: Uint8Array, at: number, head: number): Frame {
    const f = this.#frame
    const start = at + head
    f.payload = f.payloadBytes === 0 ? nothing : from.subarray(start, start + f.payloadBytes)
    if (head === lastingHeaderBytes) {
      f.isSound = true
      const sum = crc32c(from.subarray(at + FRAME.magic, start + f.payloadBytes))
      if (get32(from, at) !== sum) throw unsound()
      return f
    }
    const blocks = blocksOf(f.phase, f.payloadBytes)
    for (let block = 0; block < blocks; block += 1) {
      this.checksums[block] = get32(from, at + FRAME.end + 4 * block)
    }
    f.isSound = areTheirs(this.checksums, f.payload, f.phase)
    if (!f.isSound && f.kind !== frameKind.answer) throw unsound()
    return f
  }

  #fill(upTo: number): boolean {
    if (this.#carried < upTo) this.#take(upTo - this.#carried)
    return this.#carried >= upTo
  }

  /** Moves up to `bytes` of the chunk to what is carried over. */
  #take(bytes: number): void {
    const taken = Math.min(bytes, this.#chunk.length - this.#at)
    this.#carry.set(this.#chunk.subarray(this.#at, this.#at + taken), this.#carried)
    this.#carried += taken
    this.#at += taken
  }
}

/** Whether all blocks of the payload have their checksums: whole ones are looked at together. */
function areTheirs(checksums: Uint32Array, payload: Uint8Array, phase: number): boolean {
  if (phase === 0 && payload.length % BLOCK_BYTES === 0) {
    const count = payload.length / BLOCK_BYTES
    return count === 0 || crc32c(payload) === crc32cOfBlocks(checksums, 0, count)
  }
  for (let block = 0; block < blocksOf(phase, payload.length); block += 1) {
    if (checksumOf(payload, phase, block) !== checksums[block]) return false
  }
  return true
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
