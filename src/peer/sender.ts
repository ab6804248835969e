// What a stream to another member still has to send. Short messages go first; the frames of long ones take turns and
// leave room, so that a 4 KiB request passes a megabyte. Bytes are copied into chunks, one write a turn of the event
// loop.
//
// Invariants:
//   Q1. Short messages keep their order. A long one is whole after those that were sent before it began to be.
//   Q2. What is handed to the stream and not yet written is bounded; the rest waits here and can still be withdrawn.
//   Q3. What copies are sent keeps its order among itself, short or long. A short one goes as short messages do unless a long
//       one is before it; a long one has every other frame of the long ones. So neither way holds the other one up for more
//       than is handed to the stream, and what copies are sent waits for its own.
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import type { Stream } from '../base/net.ts'
import {
  blocksOf,
  type FrameFields,
  frameBytes,
  frameKind,
  isOrdered,
  lastFlag,
  payloadBytesMax,
  writeFrame,
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

class Sending {
  readonly fields: FrameFields
  readonly payload: Uint8Array
  readonly checksums: Uint32Array | null
  readonly framed: (() => void) | null
  sent = 0
  /** Of `checksums`, those whose blocks are framed. */
  checksumsSent = 0
  isStarted = false

  constructor(
    fields: FrameFields,
    payload: Uint8Array | null,
    checksums: Uint32Array | null,
    framed: (() => void) | null,
  ) {
    this.fields = fields
    this.payload = payload ?? nothing
    this.checksums = checksums
    this.framed = framed
  }

  get isWhole(): boolean {
    return this.sent === this.payload.length
  }

  get isShort(): boolean {
    return this.payload.length <= SHORT_BYTES
  }
}

export class Sender {
  readonly #stream: Stream
  readonly #clock: Clock
  readonly #short: Sending[] = []
  readonly #long: Sending[] = []
  /** Q3 */
  readonly #ordered: Sending[] = []
  #isOrderedNext = false
  readonly #free: Uint8Array[] = []
  readonly #unwritten: Uint8Array[] = []
  #chunk: Uint8Array | null = null
  #used = 0
  #isScheduled = false
  #isEnding = false

  constructor(stream: Stream, clock: Clock) {
    this.#stream = stream
    this.#clock = clock
  }

  /**
   * `payloadBytes`, `phase` of all frames but the first, and the last flag are set frame by frame. The payload must not change
   * before it is answered or withdrawn, or `framed` is called: nothing of it is looked at any more. `checksums`: of its
   * blocks, if they are known (F3 of frames.ts).
   */
  send(
    fields: FrameFields,
    payload: Uint8Array | null,
    checksums: Uint32Array | null = null,
    framed: (() => void) | null = null,
  ): void {
    const message = new Sending(fields, payload, checksums, framed)
    if (isOrdered(fields.kind)) this.#ordered.push(message)
    else (message.isShort ? this.#short : this.#long).push(message)
    this.#schedule()
  }

  /** Takes back what was not sent of a request; true: a part of it is gone, and the receiver is to be told. */
  withdraw(request: number): boolean {
    for (const queue of [this.#short, this.#ordered, this.#long]) {
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

  /** The stream has written one chunk. */
  written(): void {
    const chunk = this.#unwritten.shift()
    assert(chunk !== undefined, 'Q2: one report for each write')
    if (this.#free.length < FREE_CHUNKS) this.#free.push(chunk)
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
    if (this.#unwritten.length >= UNWRITTEN_CHUNKS) return // `written` pumps again
    this.#frameShort()
    // One frame of a long message in any case, so that short ones cannot hold it up for ever.
    const inAnyCase = SHORT_UNWRITTEN_BYTES + payloadBytesMax
    for (let most = inAnyCase; this.#ahead < most; most = LONG_UNWRITTEN_BYTES)
      if (!this.#frameLong()) break
    this.#flush()
    if (this.#isEnding && this.#isEmpty) this.#stream.end()
  }

  get #isEmpty(): boolean {
    return this.#short.length === 0 && this.#long.length === 0 && this.#ordered.length === 0
  }

  /** Both kinds by turns, so that neither one takes all the room (Q3). */
  #frameShort(): void {
    let short = 0
    let ordered = 0
    while (this.#ahead < SHORT_UNWRITTEN_BYTES) {
      const one = this.#short[short]
      if (one !== undefined) {
        this.#frame(one)
        short += 1
      }
      const other = this.#ordered[ordered]
      if (other?.isShort) {
        this.#frame(other)
        ordered += 1
      } else if (one === undefined) break
    }
    this.#short.splice(0, short)
    this.#ordered.splice(0, ordered)
  }

  /** A frame of a message that is not short; of the ordered ones, of the first. False: there is none. */
  #frameLong(): boolean {
    const isOrdered = this.#ordered.length > 0 && (this.#isOrderedNext || this.#long.length === 0)
    this.#isOrderedNext = !isOrdered
    const queue = isOrdered ? this.#ordered : this.#long
    const message = isOrdered ? queue[0] : queue.shift()
    if (message === undefined) return false
    this.#frame(message)
    if (!isOrdered) {
      if (!message.isWhole) queue.push(message)
    } else if (message.isWhole) queue.shift()
    return true
  }

  /** Bytes that go before whatever is framed now. */
  get #ahead(): number {
    return this.#stream.unwrittenBytes + this.#used
  }

  #frame(message: Sending): void {
    const { fields, payload, checksums, sent } = message
    const bytes = Math.min(payloadBytesMax - fields.phase, payload.length - sent)
    if (fields.kind === frameKind.answer) fields.bytes = sent
    fields.payloadBytes = bytes
    fields.flags = sent + bytes === payload.length ? lastFlag : 0
    const part = bytes === payload.length ? payload : payload.subarray(sent, sent + bytes)
    const whole = frameBytes(fields)
    const chunk = this.#room(whole)
    writeFrame(chunk, this.#used, fields, part, { of: checksums, first: message.checksumsSent })
    this.#used += whole
    message.sent += bytes
    message.checksumsSent += blocksOf(fields.phase, bytes)
    fields.phase = 0
    message.isStarted = true
    if (message.isWhole) message.framed?.()
  }

  #room(bytes: number): Uint8Array {
    assert(bytes <= CHUNK_BYTES, 'a frame fits a chunk')
    if (this.#chunk !== null && this.#used + bytes > CHUNK_BYTES) this.#flush()
    this.#chunk ??= this.#free.pop() ?? new Uint8Array(CHUNK_BYTES)
    return this.#chunk
  }

  #flush(): void {
    const chunk = this.#chunk
    if (chunk === null || this.#used === 0) return
    const used = this.#used
    this.#chunk = null
    this.#used = 0
    this.#unwritten.push(chunk)
    this.#stream.write(chunk.subarray(0, used))
  }
}
