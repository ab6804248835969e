// What a stream to another member still has to send: messages cut into frames, one frame of each in turn, so that small
// ones pass big ones. Bytes are copied into chunks, since a request can be withdrawn while its frames are on their way.
import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import type { Stream } from '../base/net.ts'
import { type FrameFields, frameKind, headerBytes, lastFlag, payloadBytesMax, writeHeader } from './frames.ts'

const CHUNK_BYTES = 256 * 1024
/** Handed to the stream and not yet written; what is beyond waits here, where it can still be withdrawn. */
const IN_FLIGHT_BYTES = 1024 * 1024

export interface Message {
  /** `payloadBytes` and the last flag are set frame by frame. */
  readonly fields: FrameFields
  readonly payload: Uint8Array | null
}

interface Sending extends Message {
  sent: number
  started: boolean
}

export class Sender {
  readonly #stream: Stream
  readonly #clock: Clock
  #queue: Sending[] = []
  readonly #free: Uint8Array[] = []
  readonly #unwritten: Uint8Array[] = []
  #chunk: Uint8Array | null = null
  #used = 0
  #scheduled = false

  constructor(stream: Stream, clock: Clock) {
    this.#stream = stream
    this.#clock = clock
  }

  /** The payload must not change before the message is answered or withdrawn. */
  send(message: Message): void {
    this.#queue.push({ ...message, sent: 0, started: false })
    if (this.#scheduled) return
    this.#scheduled = true
    this.#clock.soon(() => {
      this.#scheduled = false
      this.#pump()
    })
  }

  /** Takes back what was not sent; true: some frames of it are gone, and the receiver should be told. */
  withdraw(request: number): boolean {
    const found = this.#queue.find((one) => one.fields.request === request)
    if (found === undefined) return false
    this.#queue = this.#queue.filter((one) => one !== found)
    return found.started
  }

  written(): void {
    const chunk = this.#unwritten.shift()
    if (chunk?.length === CHUNK_BYTES) this.#free.push(chunk)
    this.#pump()
  }

  #pump(): void {
    while (this.#queue.length > 0 && this.#stream.unwrittenBytes + this.#used < IN_FLIGHT_BYTES) {
      const round = this.#queue
      this.#queue = []
      for (const message of round) {
        this.#frame(message)
        if (message.sent < (message.payload?.length ?? 0)) this.#queue.push(message)
      }
    }
    this.#flush()
  }

  #frame(message: Sending): void {
    const { fields, payload } = message
    const length = payload?.length ?? 0
    const bytes = Math.min(payloadBytesMax, length - message.sent)
    const { chunk, at } = this.#reserve(headerBytes + bytes)
    const isLast = message.sent + bytes === length
    // A request names its whole length in `bytes`; each frame of an answer where its own bytes belong.
    if (fields.kind === frameKind.answer) fields.bytes = message.sent
    fields.payloadBytes = bytes
    fields.flags = isLast ? lastFlag : 0
    writeHeader(chunk, at, fields)
    if (payload !== null) {
      chunk.set(payload.subarray(message.sent, message.sent + bytes), at + headerBytes)
    }
    message.sent += bytes
    message.started = true
  }

  #reserve(bytes: number): { chunk: Uint8Array; at: number } {
    assert(bytes <= CHUNK_BYTES, 'a frame fits a chunk')
    if (this.#chunk === null || this.#used + bytes > CHUNK_BYTES) {
      this.#flush()
      this.#chunk = this.#free.pop() ?? new Uint8Array(CHUNK_BYTES)
    }
    const at = this.#used
    this.#used += bytes
    return { chunk: this.#chunk, at }
  }

  #flush(): void {
    if (this.#chunk === null || this.#used === 0) return
    const chunk = this.#chunk
    this.#unwritten.push(chunk)
    this.#stream.write(chunk.subarray(0, this.#used))
    this.#chunk = null
    this.#used = 0
  }
}
