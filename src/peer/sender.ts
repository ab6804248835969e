// What a stream to another member still has to send. Short messages go first; the frames of long ones take turns and
// leave room, so that a 4 KiB request passes a megabyte. Bytes are copied into chunks, one write a turn of the event
// loop; but long payloads whose sender waits until they are gone are written from where they lie, between the chunks' parts.
//
// Invariants:
//   Q1. Short messages keep their order. A long one is whole after those that were sent before it began to be.
//   Q2. What is handed to the stream and not yet written is bounded; the rest waits here and can still be withdrawn.
//   Q3. A payload is its sender's again when the stream has written the last of it, and a chunk is used again when the
//       stream has written its last part.
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import type { Stream } from '../base/net.ts'
import {
  blocksOf,
  type FrameFields,
  frameBytes,
  frameKind,
  headBytes,
  lastFlag,
  payloadBytesMax,
  writeFrame,
  writeHead,
} from './frames.ts'

const nothing = new Uint8Array(0)

const CHUNK_BYTES = 256 * 1024
const FREE_CHUNKS = 4
/** A chunk may be nearly empty, so their number is bounded as well as their bytes. */
const UNWRITTEN_CHUNKS = 8
/** A message this long goes in one frame, ahead of longer ones. */
const SHORT_BYTES = 16 * 1024
/** Unwritten bytes up to which short messages are handed over, and long ones. */
const SHORT_UNWRITTEN_BYTES = 1024 * 1024
const LONG_UNWRITTEN_BYTES = 256 * 1024

interface Part {
  /** To be used again. */
  chunk: Uint8Array | null
  readonly sentAll: (() => void) | null
}

class Sending {
  readonly fields: FrameFields
  readonly payload: Uint8Array
  readonly checksums: Uint32Array | null
  readonly sentAll: (() => void) | null
  sent = 0
  /** Of `checksums`, those whose blocks are framed. */
  checksumsSent = 0
  isStarted = false

  constructor(
    fields: FrameFields,
    payload: Uint8Array | null,
    checksums: Uint32Array | null,
    sentAll: (() => void) | null,
  ) {
    this.fields = fields
    this.payload = payload ?? nothing
    this.checksums = checksums
    this.sentAll = sentAll
  }

  /** Its payload is written from where it lies. */
  get isLent(): boolean {
    return this.sentAll !== null && this.payload.length > SHORT_BYTES
  }

  get isWhole(): boolean {
    return this.sent === this.payload.length
  }
}

export class Sender {
  readonly #stream: Stream
  readonly #clock: Clock
  readonly #short: Sending[] = []
  readonly #long: Sending[] = []
  readonly #free: Uint8Array[] = []
  /** By part that was handed over and is not written: whose it is then, if it is the last one of anybody's. */
  readonly #unwritten: Part[] = []
  #chunksUnwritten = 0
  #chunk: Uint8Array | null = null
  #used = 0
  /** Of the chunk: where the bytes begin that are in no part yet. */
  #cut = 0
  /** To be handed over next, and what of them is known by now. */
  #parts: Uint8Array[] = []
  #next: Part[] = []
  #partBytes = 0
  #isScheduled = false
  #isEnding = false

  constructor(stream: Stream, clock: Clock) {
    this.#stream = stream
    this.#clock = clock
  }

  /**
   * `payloadBytes`, `phase` of all frames but the first, and the last flag are set frame by frame. The payload must not change
   * before it is answered or withdrawn, or `sentAll` is called: nothing of it is looked at any more (Q3). `checksums`: of its
   * blocks, if they are known (F3 of frames.ts).
   */
  send(
    fields: FrameFields,
    payload: Uint8Array | null,
    checksums: Uint32Array | null = null,
    sentAll: (() => void) | null = null,
  ): void {
    const isShort = payload === null || payload.length <= SHORT_BYTES
    const queue = isShort ? this.#short : this.#long
    queue.push(new Sending(fields, payload, checksums, sentAll))
    this.#schedule()
  }

  /** Takes back what was not sent of a request; true: a part of it is gone, and the receiver is to be told. */
  withdraw(request: number): boolean {
    for (const queue of [this.#short, this.#long]) {
      const at = queue.findIndex(({ fields }) => fields.request === request)
      const found = queue[at]
      if (found === undefined) continue
      queue.splice(at, 1)
      return found.isStarted
    }
    return false
  }

  /** Half-closes the stream when everything is sent. */
  end(): void {
    this.#isEnding = true
    this.#schedule()
  }

  /** The stream has written one part. */
  written(): void {
    const part = this.#unwritten.shift()
    assert(part !== undefined, 'Q2: one report for each write')
    const { chunk, sentAll } = part
    if (chunk !== null) {
      this.#chunksUnwritten -= 1
      if (this.#free.length < FREE_CHUNKS) this.#free.push(chunk)
    }
    sentAll?.()
    this.#pump()
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#clock.soon(() => {
      this.#isScheduled = false
      this.#pump()
    })
  }

  #pump(): void {
    if (this.#chunksUnwritten >= UNWRITTEN_CHUNKS) return // `written` pumps again
    let framed = 0
    for (const message of this.#short) {
      if (this.#ahead >= SHORT_UNWRITTEN_BYTES) break
      this.#frame(message)
      framed += 1
    }
    this.#short.splice(0, framed)
    // One frame of a long message in any case, so that short ones cannot hold it up for ever.
    let most = SHORT_UNWRITTEN_BYTES
    while (this.#long.length > 0 && this.#ahead < most) {
      most = LONG_UNWRITTEN_BYTES
      const message = this.#long.shift()
      if (message === undefined) break
      this.#frame(message)
      if (!message.isWhole) this.#long.push(message)
    }
    this.#flush()
    if (this.#isEnding && this.#short.length === 0 && this.#long.length === 0) this.#stream.end()
  }

  /** Bytes that go before whatever is framed now. */
  get #ahead(): number {
    return this.#stream.unwrittenBytes + this.#partBytes + this.#used - this.#cut
  }

  #frame(message: Sending): void {
    const { fields, payload, checksums, sent } = message
    const bytes = Math.min(payloadBytesMax - fields.phase, payload.length - sent)
    if (fields.kind === frameKind.answer) fields.bytes = sent
    fields.payloadBytes = bytes
    fields.flags = sent + bytes === payload.length ? lastFlag : 0
    const part = bytes === payload.length ? payload : payload.subarray(sent, sent + bytes)
    const sums = { of: checksums, first: message.checksumsSent }
    message.sent += bytes
    message.checksumsSent += blocksOf(fields.phase, bytes)
    message.isStarted = true
    if (message.isLent) {
      const chunk = this.#room(headBytes(fields))
      this.#used += writeHead(chunk, this.#used, fields, part, sums)
      this.#cutPart()
      this.#add(part, message.isWhole ? message.sentAll : null)
    } else {
      const whole = frameBytes(fields)
      writeFrame(this.#room(whole), this.#used, fields, part, sums)
      this.#used += whole
      if (message.isWhole) message.sentAll?.()
    }
    fields.phase = 0
  }

  #room(bytes: number): Uint8Array {
    assert(bytes <= CHUNK_BYTES, 'a frame fits a chunk')
    if (this.#chunk !== null && this.#used + bytes > CHUNK_BYTES) this.#flush()
    this.#chunk ??= this.#free.pop() ?? new Uint8Array(CHUNK_BYTES)
    return this.#chunk
  }

  #cutPart(): void {
    if (this.#chunk === null || this.#cut === this.#used) return
    this.#add(this.#chunk.subarray(this.#cut, this.#used), null)
    this.#cut = this.#used
  }

  #add(part: Uint8Array, sentAll: (() => void) | null): void {
    this.#parts.push(part)
    this.#next.push({ chunk: null, sentAll })
    this.#partBytes += part.length
  }

  /** Q3. Hands everything over; the chunk is free with the last part. */
  #flush(): void {
    this.#cutPart()
    const last = this.#next.at(-1)
    if (last === undefined) return
    last.chunk = this.#chunk
    this.#chunksUnwritten += 1
    this.#unwritten.push(...this.#next)
    const parts = this.#parts
    this.#chunk = null
    this.#used = 0
    this.#cut = 0
    this.#parts = []
    this.#next = []
    this.#partBytes = 0
    this.#stream.writeAll(parts)
  }
}
