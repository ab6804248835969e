// One incoming stream: another member's requests, assembled from their frames, carried out and answered.
//
//   fresh ──hello──▶ greeted ──confirm──▶ open (until this member serves) ──ready──▶ serving
//     └───────────────┴── bad bytes, a later stream of that member, or gone ──┴──────────▶ closed
//
// Invariants:
//   P5. A stream counts from its confirm on, which only a living process can send, and ends every older stream of its
//       member: nothing more is read from those, and an older one never counts after it.
//   P6. An operation reaches the primary only when it is complete, and not before this member serves.
//   P7. What a member has half sent or unanswered here is bounded: beyond, nothing more is read until some is answered.
//       What counts is the bytes that are kept for it, not those that it names.
//   P12. There are two gates. Who is greeted finds the store open, as nobody listens before: questions and messages are
//       taken. Fences and operations are taken when this member serves, which it says by `ready`.
//   P8. The buffers of a request are another one's only when it is answered, and what was read is framed.

import { BufferPool } from '../base/buffer-pool.ts'
import type { Clock } from '../base/clock.ts'
import { type Epoch, epoch, type Generation, type MemberId, type SessionId } from '../base/ids.ts'
import type { Stream, StreamOwner } from '../base/net.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import { BLOCK_BYTES, OPERATION_BYTES_MAX } from '../base/sizes.ts'
import {
  blocksOf,
  broken,
  type Frame,
  FrameReader,
  frameFields,
  frameKind,
  type Gate,
  gateOf,
  lastFlag,
} from './frames.ts'
import {
  encodeJson,
  type Hello,
  type Identity,
  type Json,
  parseControl,
  parseHello,
  parseJson,
  whyRefused,
} from './message.ts'
import { copyOperation, type Mutation, noOperation } from './operation.ts'
import { Reassembly } from './reassembly.ts'
import { Sender } from './sender.ts'

/** A gateway cuts what is longer. */
/** P7; twice what a link has under way, since withdrawn operations may still be carried out. */
const UNANSWERED_BYTES = 32 * 1024 * 1024
const OPERATION_LEAST_BYTES = 1024
/** Half-sent operations: no gateway has more under way than fit P4 of link.ts. */
const ASSEMBLIES_MAX = 32 * 1024
const GREETING_MS = 5_000
/** Of all streams: what is written until its answer, what is read until it is framed. As much as one link has under way. */
const buffers = new BufferPool(16 * 1024 * 1024)

/** A whole request of another member. Its buffers are its own until its answer; `data` and `verify` are parts of `payload`. */
export interface Incoming extends Mutation {
  readonly kind: number
  readonly epoch: Epoch
  readonly view: number
  readonly payload: Uint8Array<ArrayBuffer> | null
  /** Where a read puts its bytes. */
  readonly into: Uint8Array<ArrayBuffer> | null
}

export interface Answer {
  readonly status: number
  /** Of a miscompare. */
  readonly offset?: number
  /** Of a mutation: its place in the order of its slice. */
  readonly epoch?: Epoch
  readonly seq?: number
  /** What was read: the request's `into`. */
  readonly bytes?: Uint8Array
  /** Of the blocks of what was read, if they are known (F3 of frames.ts). */
  readonly checksums?: Uint32Array | null
}

/** What this member does for the others. A ProtocolError that it throws closes the stream. */
export interface PeerServer {
  control(from: MemberId, kind: string, body: Json | Uint8Array): Json | null | Promise<Json | null>
  /** A rejection closes the stream: the operation is unanswered, and will be sent again. */
  operation(from: MemberId, request: Incoming): Answer | Promise<Answer>
  fence(session: SessionId, gen: Generation): void
  /** Settles when operations may come: the generations are loaded. */
  serving(): Promise<void>
}

/** The newest stream of each member, open or not (P5); shared by all responders. */
export type Newest = Map<MemberId, { readonly hello: Hello; readonly responder: Responder }>

export interface ResponderDeps {
  readonly self: Identity
  readonly clock: Clock
  readonly server: PeerServer
  readonly newest: Newest
  readonly nextNonce: () => string
}

interface Assembly {
  readonly request: Incoming
  readonly payload: Uint8Array<ArrayBuffer>
  /** Of its blocks; null: of a comparison. */
  readonly checksums: Uint32Array | null
  filled: number
}

type State =
  | { readonly kind: 'fresh' }
  | { readonly kind: 'greeted'; readonly hello: Hello; readonly nonce: string }
  | { readonly kind: Gate; readonly from: MemberId }
  | { readonly kind: 'refusing' }
  | { readonly kind: 'closed' }

export class Responder implements StreamOwner {
  readonly #deps: ResponderDeps
  readonly #stream: Stream
  readonly #sender: Sender
  readonly #reader = new FrameReader()
  readonly #controls = new Reassembly()
  readonly #assembling = new Map<number, Assembly>()
  #unansweredBytes = 0
  #isPaused = false
  #state: State = { kind: 'fresh' }

  constructor(deps: ResponderDeps, stream: Stream) {
    this.#deps = deps
    this.#stream = stream
    this.#sender = new Sender(stream, deps.clock)
    stream.own(this)
    deps.clock.after(GREETING_MS, () => {
      const { kind } = this.#state
      if (kind === 'fresh' || kind === 'greeted' || kind === 'refusing') this.close()
    })
  }

  get isClosed(): boolean {
    return this.#state.kind === 'closed'
  }

  received(bytes: Uint8Array): void {
    if (this.isClosed) return
    try {
      this.#reader.push(bytes)
      for (let f = this.#reader.next(); f !== null; f = this.#reader.next()) {
        this.#receive(f)
        if (this.isClosed) return // P5
      }
    } catch (error) {
      this.#failed(error)
    }
  }

  ended(): void {
    this.close()
  }

  written(): void {
    if (!this.isClosed) this.#sender.written()
  }

  closed(): void {
    this.close()
  }

  close(): void {
    if (this.isClosed) return
    this.#state = { kind: 'closed' }
    this.#assembling.clear()
    this.#stream.destroy()
  }

  #failed(error: unknown): void {
    if (!(error instanceof ProtocolError)) throw error
    this.close()
  }

  #receive(f: Frame): void {
    const state = this.#state
    switch (state.kind) {
      case 'fresh':
        if (f.kind !== frameKind.hello) throw broken('the first frame is a hello')
        this.#greet(parseHello(parseJson(f.payload)), f.version)
        return
      case 'greeted':
        if (f.kind !== frameKind.confirm || parseJson(f.payload) !== state.nonce) {
          throw broken('the second frame is a confirm')
        }
        this.#count(state.hello)
        return
      case 'open':
        if (gateOf(f.kind) === 'serving') throw broken('an operation before this member serves')
        this.#serve(state.from, f)
        return
      case 'serving':
        this.#serve(state.from, f)
        return
      case 'refusing':
      case 'closed':
        return
    }
  }

  #greet(hello: Hello, version: number): void {
    const why = whyRefused(this.#deps.self, hello, version)
    if (why !== null) {
      this.#state = { kind: 'refusing' }
      this.#sender.send(frameFields(frameKind.refusal, 0), encodeJson(why))
      this.#sender.end()
      return
    }
    const nonce = this.#deps.nextNonce()
    this.#state = { kind: 'greeted', hello, nonce }
    const welcome = encodeJson({ ...this.#deps.self, nonce })
    this.#sender.send(frameFields(frameKind.welcome, 0), welcome)
  }

  /** P5. */
  #count(hello: Hello): void {
    const { newest, server } = this.#deps
    const from = hello.memberId
    const older = newest.get(from)
    if (older !== undefined) {
      if (older.hello.bootId === hello.bootId && older.hello.stream >= hello.stream) {
        this.close()
        return
      }
      older.responder.close()
    }
    newest.set(from, { hello, responder: this })
    this.#state = { kind: 'open', from }
    void server.serving().then(() => {
      if (this.#state.kind !== 'open') return
      this.#state = { kind: 'serving', from }
      this.#sender.send(frameFields(frameKind.ready, 0), null)
    })
  }

  #serve(from: MemberId, f: Frame): void {
    switch (f.kind) {
      case frameKind.read:
      case frameKind.unmap:
        if (f.kind === frameKind.read && f.bytes > OPERATION_BYTES_MAX)
          throw broken('too long a read')
        this.#carryOut(from, f.request, whole(f, null, null))
        return
      case frameKind.write:
      case frameKind.compareAndWrite:
        this.#assemble(from, f)
        return
      case frameKind.fence:
        this.#deps.server.fence(f.session, f.gen)
        this.#sender.send(frameFields(frameKind.answer, f.request), null)
        return
      case frameKind.ping:
        this.#sender.send(frameFields(frameKind.pong, 0), null)
        return
      case frameKind.withdraw:
        this.#forget(f.request)
        return
      default:
        this.#control(from, f)
        return
    }
  }

  /** P6. */
  #assemble(from: MemberId, f: Frame): void {
    let assembly = this.#assembling.get(f.request)
    if (assembly === undefined) {
      const bytes = f.kind === frameKind.compareAndWrite ? 2 * f.bytes : f.bytes
      if (f.bytes > OPERATION_BYTES_MAX) throw broken('too long a write')
      if (this.#assembling.size >= ASSEMBLIES_MAX) throw broken('too many half-sent writes')
      const payload = take(bytes)
      const checksums =
        f.kind === frameKind.write
          ? new Uint32Array(blocksOf(f.offset % BLOCK_BYTES, f.bytes))
          : null
      assembly = { request: whole(f, payload, checksums), payload, checksums, filled: 0 }
      this.#assembling.set(f.request, assembly)
      this.#took(bytes)
    }
    const { payload, filled } = assembly
    if (filled + f.payloadBytes > payload.length) throw broken('more bytes than the write named')
    payload.set(f.payload, filled)
    this.#keepChecksums(assembly, f)
    assembly.filled += f.payloadBytes
    if ((f.flags & lastFlag) === 0) return
    if (assembly.filled !== payload.length) throw broken('fewer bytes than the write named')
    this.#forget(f.request)
    this.#carryOut(from, f.request, assembly.request)
  }

  /** F3: of a part of a block there is no checksum by which the block could be told later. */
  #keepChecksums({ request, checksums, filled }: Assembly, f: Frame): void {
    if (checksums === null) return
    const phase = request.offset % BLOCK_BYTES
    const at = phase + filled
    if (at % BLOCK_BYTES !== f.phase || f.phase !== (filled === 0 ? phase : 0))
      throw broken('a write that is cut in a block')
    const first = Math.floor(at / BLOCK_BYTES)
    for (let block = 0; block < blocksOf(f.phase, f.payloadBytes); block += 1) {
      checksums[first + block] = this.#reader.checksums[block] ?? 0
    }
  }

  #forget(request: number): void {
    const assembly = this.#assembling.get(request)
    if (assembly === undefined) return
    this.#assembling.delete(request)
    this.#gave(assembly.payload.length)
  }

  #carryOut(from: MemberId, number: number, request: Incoming): void {
    const answer = this.#deps.server.operation(from, request)
    if (!(answer instanceof Promise)) {
      this.#answer(number, request, answer)
      return
    }
    const { payload, into } = request
    const bytes = Math.max(OPERATION_LEAST_BYTES, payload?.length ?? into?.length ?? 0)
    this.#took(bytes)
    answer.then(
      (late) => {
        this.#gave(bytes)
        this.#answer(number, request, late)
      },
      // The store has failed, and says so to the member itself.
      () => this.close(),
    )
  }

  #took(bytes: number): void {
    this.#unansweredBytes += bytes
    if (this.#unansweredBytes < UNANSWERED_BYTES || this.#isPaused) return
    this.#isPaused = true
    this.#stream.pause()
  }

  #gave(bytes: number): void {
    this.#unansweredBytes -= bytes
    if (!this.#isPaused || this.#unansweredBytes >= UNANSWERED_BYTES || this.isClosed) return
    this.#isPaused = false
    this.#stream.resume()
  }

  /** The primary is done with the request's buffers; what was read is still to be framed. */
  #answer(number: number, request: Incoming, answer: Answer): void {
    const { payload, into } = request
    if (payload !== null) buffers.give(payload)
    const { bytes } = answer
    if (into !== null && (bytes === undefined || this.isClosed)) buffers.give(into)
    if (this.isClosed) return
    const fields = frameFields(frameKind.answer, number)
    fields.status = answer.status
    fields.offset = answer.offset ?? 0
    fields.epoch = answer.epoch ?? epoch(0)
    fields.seq = answer.seq ?? 0
    if (bytes !== undefined) fields.phase = request.offset % BLOCK_BYTES
    if (into === null || bytes === undefined) this.#sender.send(fields, null)
    else this.#sender.send(fields, bytes, answer.checksums ?? null, () => buffers.give(into))
  }

  #control(from: MemberId, f: Frame): void {
    const { kind, request } = f
    if (kind !== frameKind.ask && kind !== frameKind.tell) {
      throw broken(`frame kind ${kind} is not a request`)
    }
    const message = this.#controls.add(f)
    if (message === null) return
    const control = parseControl(message)
    const reply = this.#deps.server.control(from, control.kind, control.body)
    if (!(reply instanceof Promise)) {
      this.#reply(kind, request, reply)
      return
    }
    reply.then(
      (late) => this.#reply(kind, request, late),
      (error: unknown) => this.#failed(error),
    )
  }

  #reply(kind: number, request: number, reply: Json | null): void {
    if (this.isClosed || kind === frameKind.tell) return
    this.#sender.send(frameFields(frameKind.reply, request), encodeJson(reply))
  }
}

function take(bytes: number): Uint8Array<ArrayBuffer> {
  const buffer = buffers.take(bytes)
  return buffer.length === bytes ? buffer : buffer.subarray(0, bytes)
}

function whole(
  f: Frame,
  payload: Uint8Array<ArrayBuffer> | null,
  checksums: Uint32Array | null,
): Incoming {
  const { kind, epoch: asked, view, bytes } = f
  const compares = kind === frameKind.compareAndWrite && payload !== null
  const incoming = {
    ...noOperation,
    kind,
    epoch: asked,
    view,
    seq: 0,
    checksums,
    payload,
    data: compares ? payload.subarray(bytes) : payload,
    verify: compares ? payload.subarray(0, bytes) : null,
    into: kind === frameKind.read ? take(bytes) : null,
  }
  copyOperation(f, incoming)
  return incoming
}
