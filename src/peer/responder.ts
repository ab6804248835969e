// One incoming stream: another member's requests, assembled from their frames, carried out and answered.
//
//   greeting ──hello──▶ waiting (until this member serves) ──▶ serving ──▶ closed
//
// Invariants:
//   P4. A hello ends every older stream of that member: nothing more is read from it.
//   P5. A request reaches the volume only when it is complete.
import type { Clock } from '../base/clock.ts'
import type { Stream, StreamOwner } from '../base/net.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import { decodeText, encodeText } from '../base/text.ts'
import type { MemberId } from '../group/record.ts'
import { Frame, type FrameFields, FrameReader, frameKind, lastFlag } from './frames.ts'
import { type Hello, type Identity, type Json, parseHello } from './message.ts'
import { Sender } from './sender.ts'

/** A run of 16 pages is the longest extent that one slice holds in one piece. */
const OPERATION_BYTES_MAX = 16 * 1024 * 1024
/** What one member may have half sent: a window of 128 commands of 1 MiB, with room. */
const ASSEMBLING_BYTES_MAX = 256 * 1024 * 1024

/** A whole request of another member. `payload` is its own and stays valid. */
export interface Incoming {
  readonly kind: number
  readonly volume: number
  readonly offset: number
  readonly bytes: number
  readonly slice: number
  readonly epoch: number
  readonly session: number
  readonly gen: number
  readonly operation: number
  readonly acknowledged: number
  readonly payload: Uint8Array | null
}

export interface Answer {
  readonly status: number
  /** Of a miscompare. */
  readonly offset?: number
  /** What was read. */
  readonly bytes?: Uint8Array
}

/** What this member does for the others. */
export interface PeerServer {
  control(from: MemberId, kind: string, body: Json): Json | null | Promise<Json | null>
  operation(from: MemberId, request: Incoming): Answer | Promise<Answer>
  fence(session: number, gen: number): void
  /** Settles when requests may be answered: the generations are loaded. */
  serving(): Promise<void>
}

/** The newest stream of each member; shared by all responders of this member (P4). */
export type Newest = Map<MemberId, { readonly responder: Responder; readonly hello: Hello }>

interface Assembly {
  readonly request: Incoming
  readonly payload: Uint8Array
  filled: number
}

export class Responder implements StreamOwner {
  readonly #self: Identity
  readonly #clock: Clock
  readonly #server: PeerServer
  readonly #newest: Newest
  readonly #stream: Stream
  readonly #sender: Sender
  readonly #reader = new FrameReader()
  readonly #assembling = new Map<number, Assembly>()
  #assemblingBytes = 0
  #from: MemberId | null = null
  #isClosed = false

  constructor(deps: { self: Identity; clock: Clock; server: PeerServer; newest: Newest }, stream: Stream) {
    this.#self = deps.self
    this.#clock = deps.clock
    this.#server = deps.server
    this.#newest = deps.newest
    this.#stream = stream
    this.#sender = new Sender(stream, deps.clock)
    stream.own(this)
  }

  received(bytes: Uint8Array): void {
    if (this.#isClosed) return
    try {
      this.#reader.push(bytes)
      for (let f = this.#reader.next(); f !== null; f = this.#reader.next()) {
        if (this.#isClosed) return // P4
        this.#receive(f)
      }
    } catch (error) {
      if (!(error instanceof ProtocolError) && !(error instanceof SyntaxError)) throw error
      this.close()
    }
  }

  ended(): void {
    this.close()
  }

  written(): void {
    if (!this.#isClosed) this.#sender.written()
  }

  closed(): void {
    this.close()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#assembling.clear()
    this.#stream.destroy()
    if (this.#from !== null && this.#newest.get(this.#from)?.responder === this) {
      this.#newest.delete(this.#from)
    }
  }

  #receive(f: Frame): void {
    if (this.#from === null && f.kind !== frameKind.hello) {
      throw new ProtocolError('the first frame is a hello', 'peer/DESIGN.md')
    }
    switch (f.kind) {
      case frameKind.hello:
        return this.#greet(parseHello(JSON.parse(decodeText(f.payload)) as Json))
      case frameKind.ping:
        return this.#sender.send({ fields: fields(frameKind.pong, 0), payload: null })
      case frameKind.fence:
        this.#server.fence(f.session, f.gen)
        return this.#answer(f.request, { status: 0 })
      case frameKind.read:
      case frameKind.unmap:
        return this.#carryOut(f.request, whole(f, null))
      case frameKind.write:
      case frameKind.compareAndWrite:
        return this.#assemble(f)
      case frameKind.withdraw:
        return this.#forget(f.request)
      case frameKind.ask:
      case frameKind.tell:
        return this.#control(f.request, f.kind, JSON.parse(decodeText(f.payload)) as Json)
      default:
        throw new ProtocolError(`frame kind ${f.kind} is not a request`, 'peer/DESIGN.md')
    }
  }

  #greet(hello: Hello | null): void {
    if (hello === null || this.#from !== null) throw new ProtocolError('a bad hello', 'peer/DESIGN.md')
    const why =
      hello.groupId !== this.#self.groupId
        ? 'this member belongs to another group'
        : hello.to !== this.#self.memberId
          ? `this is ${this.#self.memberId}, not ${hello.to}`
          : null
    if (why !== null) {
      this.#sender.send({ fields: fields(frameKind.refusal, 0), payload: encodeText(why) })
      return
    }
    const older = this.#newest.get(hello.memberId)
    if (older !== undefined) {
      const sameBoot = older.hello.bootId === hello.bootId
      if (sameBoot && older.hello.stream > hello.stream) return this.close()
      older.responder.close()
    }
    this.#from = hello.memberId
    this.#newest.set(hello.memberId, { responder: this, hello })
    void this.#welcome()
  }

  async #welcome(): Promise<void> {
    await this.#server.serving()
    if (!this.#isClosed) this.#sender.send({ fields: fields(frameKind.welcome, 0), payload: null })
  }

  #assemble(f: Frame): void {
    let assembly = this.#assembling.get(f.request)
    if (assembly === undefined) {
      const length = f.kind === frameKind.compareAndWrite ? 2 * f.bytes : f.bytes
      if (f.bytes > OPERATION_BYTES_MAX || this.#assemblingBytes + length > ASSEMBLING_BYTES_MAX) {
        throw new ProtocolError('more bytes than a member may have under way', 'peer/DESIGN.md')
      }
      const payload = new Uint8Array(length)
      assembly = { request: whole(f, payload), payload, filled: 0 }
      this.#assembling.set(f.request, assembly)
      this.#assemblingBytes += length
    }
    if (assembly.filled + f.payloadBytes > assembly.payload.length) {
      throw new ProtocolError('more bytes than the request named', 'peer/DESIGN.md')
    }
    assembly.payload.set(f.payload, assembly.filled)
    assembly.filled += f.payloadBytes
    if ((f.flags & lastFlag) === 0) return
    const complete = assembly.filled === assembly.payload.length
    this.#forget(f.request)
    if (!complete) throw new ProtocolError('fewer bytes than the request named', 'peer/DESIGN.md')
    this.#carryOut(f.request, { ...assembly.request, acknowledged: f.acknowledged }) // P5
  }

  #forget(request: number): void {
    const assembly = this.#assembling.get(request)
    if (assembly === undefined) return
    this.#assembling.delete(request)
    this.#assemblingBytes -= assembly.payload.length
  }

  #carryOut(number: number, request: Incoming): void {
    const answer = this.#server.operation(this.#from ?? '', request)
    if (answer instanceof Promise) void answer.then((late) => this.#answer(number, late))
    else this.#answer(number, answer)
  }

  #answer(request: number, answer: Answer): void {
    if (this.#isClosed) return
    const head = fields(frameKind.answer, request)
    head.status = answer.status
    head.offset = answer.offset ?? 0
    this.#sender.send({ fields: head, payload: answer.bytes ?? null })
  }

  #control(number: number, kind: number, message: Json): void {
    if (message === null || typeof message !== 'object' || Array.isArray(message)) {
      throw new ProtocolError('a bad question', 'peer/DESIGN.md')
    }
    const { kind: name, body } = message as { readonly [name: string]: Json }
    if (typeof name !== 'string') throw new ProtocolError('a bad question', 'peer/DESIGN.md')
    const reply = this.#server.control(this.#from ?? '', name, body ?? null)
    if (kind === frameKind.tell) return
    if (reply instanceof Promise) void reply.then((late) => this.#reply(number, late))
    else this.#reply(number, reply)
  }

  #reply(number: number, reply: Json | null): void {
    if (this.#isClosed) return
    this.#sender.send({ fields: fields(frameKind.reply, number), payload: encodeText(JSON.stringify(reply)) })
  }
}

function whole(f: Frame, payload: Uint8Array | null): Incoming {
  const { kind, volume, offset, bytes, slice, epoch, session, gen, operation, acknowledged } = f
  return { kind, volume, offset, bytes, slice, epoch, session, gen, operation, acknowledged, payload }
}

function fields(kind: number, request: number): FrameFields {
  const frame = new Frame()
  frame.kind = kind
  frame.request = request
  return frame
}
