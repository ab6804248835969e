// What leaves on one connection: the responses of a turn go to the stream, and what is under way is counted until the
// stream has written it.
//
// Invariants:
//   C6. What is under way to an initiator is bounded, for each connection and for all of the member's: data is read only
//       when there is room to send it (reads.ts), and a connection on which other responses pile up is not read any more
//       until they have left.
import type { Budget, Share } from '../base/budget.ts'
import type { BufferPool } from '../base/buffer-pool.ts'
import type { Stream } from '../base/net.ts'
import { Outbox } from '../iscsi/outbox.ts'
import type { Valve } from './incoming.ts'
import { RESPONSE_BYTES, RESPONSE_BYTES_MAX } from './memory-bounds.ts'
import type { ReadRoom } from './reads.ts'

export class Outgoing implements ReadRoom {
  readonly outbox: Outbox
  readonly leastBytes: number
  readonly #stream: Stream
  readonly #valve: Valve
  readonly #share: Share
  readonly #stopBytes: number
  /** Parts given to the stream and not yet written, in order. */
  readonly #unwritten: Uint8Array[] = []
  /** Bytes of reads that are under way and not yet in the outbox. */
  #readingBytes = 0
  #isGone = false
  /** When a response left last while reading was stopped: as good a sign of life as an arrival. */
  aliveMs = Number.NEGATIVE_INFINITY

  constructor(stream: Stream, valve: Valve, buffers: BufferPool, sending: Budget) {
    this.outbox = new Outbox(buffers)
    this.#stream = stream
    this.#valve = valve
    this.#share = sending.share()
    this.leastBytes = sending.limits.least
    this.#stopBytes = this.leastBytes + RESPONSE_BYTES
  }

  /** Within one read of the socket more was asked for than an initiator that obeys the protocol could. */
  get isBeyondBounds(): boolean {
    return this.#responseBytes > this.#share.limits.each + RESPONSE_BYTES_MAX
  }

  /** The stream has taken all that was given to it. */
  get isWritten(): boolean {
    return this.#unwritten.length === 0
  }

  allows(bytes: number): boolean {
    // The usual case, for every READ: what is allowed in any case need not be counted first.
    if (this.#responseBytes + this.#readingBytes + bytes <= this.leastBytes) return true
    this.#count()
    return this.#share.allows(bytes)
  }

  reading(bytes: number): void {
    this.#readingBytes += bytes
    this.#count()
  }

  /** Whether anything was sent. */
  flush(): boolean {
    const parts = this.outbox.take()
    for (const part of parts) this.#unwritten.push(part)
    this.#stream.writeAll(parts)
    this.#count()
    if (this.#pilesUp) this.#valve.close('responses')
    return parts.length > 0
  }

  written(nowMs: number): void {
    if (this.#valve.isClosedFor('responses')) this.aliveMs = nowMs
    const part = this.#unwritten.shift()
    if (part !== undefined) this.outbox.released(part)
    this.#count()
    if (!this.#pilesUp) this.#valve.open('responses')
  }

  /** Nothing more is answered: what still comes may be read and discarded. */
  readOn(): void {
    this.#valve.open('responses')
    this.#valve.open('data')
  }

  /** The stream is closed, and touches nothing of what it had not written. */
  gone(): void {
    this.#isGone = true
    for (const part of [...this.#unwritten, ...this.outbox.take()]) this.outbox.released(part)
    this.#unwritten.length = 0
    this.#count()
  }

  /** More is under way than was admitted, or more than others leave room for. */
  get #pilesUp(): boolean {
    return this.#responseBytes > this.#stopBytes && !this.#share.allows(0)
  }

  get #responseBytes(): number {
    if (this.#isGone) return 0
    return this.outbox.waitingBytes + this.#stream.unwrittenBytes
  }

  #count(): void {
    this.#share.held = this.#responseBytes + this.#readingBytes
  }
}
