// One TCP connection of ours: bytes into PDUs for whoever consumes them at the time (first the login, then the session),
// and what one turn of the event loop wrote out in one go.
//
//   open ──destroy | closed by the other side | bytes that are no PDU──▶ over
//
// Invariants:
//   E1. The consumer is told once that the connection is over, and nothing afterwards.
//   E2. All PDUs written in one turn leave together, in order.

import type { BufferPool } from '../base/buffer-pool.ts'
import type { Clock } from '../base/clock.ts'
import type { Stream, StreamOwner } from '../base/net.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import { Framer, type Pdu } from '../iscsi/framer.ts'
import { Outbox } from '../iscsi/outbox.ts'
import { PduWriter } from '../iscsi/pdu-writer.ts'

export interface WireConsumer {
  /** The PDU is valid during the call. May throw ProtocolError: the connection is over then. */
  receive(pdu: Pdu): void
  /** What was sent has been written to the stream; there may be room for more. */
  drained(): void
  /** `isBreach`: the other side broke the protocol. */
  over(reason: string, isBreach: boolean): void
}

/** Before anything else is negotiated a data segment has at most 8192 bytes (RFC 7143 §13.12). */
const loginDataBytes = 8192
const maxAhsBytes = 1020

export class Wire implements StreamOwner {
  readonly outbox: Outbox
  readonly writer: PduWriter
  readonly framer = new Framer({ maxDataBytes: loginDataBytes, maxAhsBytes })
  consumer: WireConsumer
  readonly #clock: Clock
  readonly #stream: Stream
  readonly #soon = () => this.#flush()
  readonly #parts: Uint8Array[] = []
  #takenBytes = 0
  #flushing = false
  #over = false

  /** Owns the stream. */
  constructor(stream: Stream, clock: Clock, buffers: BufferPool, consumer: WireConsumer) {
    this.#stream = stream
    this.#clock = clock
    this.consumer = consumer
    this.outbox = new Outbox(buffers)
    this.writer = new PduWriter(this.outbox)
    stream.own(this)
  }

  get isOver(): boolean {
    return this.#over
  }

  get unsentBytes(): number {
    return this.outbox.waitingBytes + this.#stream.unwrittenBytes
  }

  /** All that was ever written into the outbox. */
  get writtenBytes(): number {
    return this.#takenBytes + this.outbox.waitingBytes
  }

  /** Sends at the end of this turn what was written into the outbox. */
  flush(): void {
    if (this.#flushing || this.#over) return
    this.#flushing = true
    this.#clock.soon(this.#soon)
  }

  /** Closes at once; the consumer is told. */
  destroy(reason: string, isBreach = false): void {
    if (this.#over) return
    this.#over = true
    this.#stream.destroy()
    this.consumer.over(reason, isBreach)
  }

  received(bytes: Uint8Array): void {
    if (this.#over) return
    try {
      this.framer.push(bytes)
      for (let pdu = this.framer.next(); pdu !== null; pdu = this.framer.next()) {
        this.consumer.receive(pdu)
        if (this.#over) return
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.destroy(error.message, true)
    }
  }

  ended(): void {
    this.destroy('the target closed the connection')
  }

  written(): void {
    const part = this.#parts.shift()
    if (part !== undefined) this.outbox.released(part)
    if (!this.#over && this.#parts.length === 0) this.consumer.drained()
  }

  closed(reason: string): void {
    if (this.#over) return
    this.#over = true
    this.consumer.over(`the connection is gone: ${reason}`, false)
  }

  #flush(): void {
    this.#flushing = false
    if (this.#over) return
    const parts = this.outbox.take()
    for (const part of parts) {
      this.#parts.push(part)
      this.#takenBytes += part.length
    }
    this.#stream.writeAll(parts)
  }
}
