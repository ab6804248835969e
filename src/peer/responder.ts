// One incoming stream: another member's requests, assembled from their frames, carried out and answered.
//
//   fresh ──hello──▶ greeted ──confirm──▶ open (until this member serves) ──ready──▶ serving
//     └───────────────┴── bad bytes, a later stream of that member, or gone ──┴──────────▶ closed
//
// Invariants:
//   P5. A stream counts from its confirm on, which only a living process can send, and ends every older stream of its
//       member: nothing more is read from those, and an older one never counts after it.
//   P6. An operation reaches the primary only when it is complete (incoming.ts), and not before this member serves.
//   P7. What a member has half sent or unanswered here is bounded. What counts is the bytes that are kept for it, not those
//       that it names. Beyond the bound of what copies are asked, nothing more is read: that waits for this store alone.
//       What a gateway asks may wait for copies, and so for other members: beyond its bound it is answered `stale` and
//       not kept, so that two members whose writes wait for each other's copies always read on.
//   P12. There are two gates. Who is greeted finds the store open, as nobody listens before: questions and messages are
//       taken, and what copies are asked. Fences and a gateway's operations are taken when this member serves, which it
//       says by `ready`.
//   P8. The buffers of a request are another one's only when it is answered, and what was read is framed.

import type { Clock } from '../base/clock.ts'
import { type Epoch, epoch, type Generation, type MemberId, type SessionId } from '../base/ids.ts'
import type { Stream, StreamOwner } from '../base/net.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import { BLOCK_BYTES } from '../base/sizes.ts'
import {
  broken,
  type Frame,
  FrameReader,
  frameFields,
  frameKind,
  type Gate,
  gateOf,
  lastFlag,
} from './frames.ts'
import { Assembly, buffers, type Incoming, incoming, payloadBytesOf } from './incoming.ts'
import {
  answerStatus,
  encodeJson,
  type Hello,
  type Identity,
  type Json,
  parseControl,
  parseHello,
  parseJson,
  whyRefused,
} from './message.ts'
import { Reassembly } from './reassembly.ts'
import { costOf } from './request.ts'
import { Sender } from './sender.ts'

/** P7; twice what a link has under way, since withdrawn operations may still be carried out. */
const UNANSWERED_BYTES = 32 * 1024 * 1024
/** Half-sent operations: no gateway has more under way than fit P4 of link.ts. */
const ASSEMBLIES_MAX = 32 * 1024
const GREETING_MS = 5_000

export interface Answer {
  readonly status: number
  /** Of a miscompare. */
  readonly offset?: number
  /** Of a mutation: its place in the order of its slice. Of what a copy was sent: up to where it has all. Of a fetch: the page's stamp. */
  readonly epoch?: Epoch
  readonly seq?: number
  /** What was read: the request's `into`, of a fetch its beginning. */
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
  /** Away: it is not kept, and turned away when all of it has come (P7). */
  readonly #assembling = new Map<number, Assembly | 'away'>()
  readonly #unanswered: Record<Gate, number> = { open: 0, serving: 0 }
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
      case frameKind.write:
      case frameKind.compareAndWrite:
      case frameKind.replicate:
      case frameKind.replicateUnmap:
      case frameKind.install:
      case frameKind.fetch:
        this.#operation(from, f)
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

  /** P6 P7. */
  #operation(from: MemberId, f: Frame): void {
    const assembly = this.#assembling.get(f.request)
    if (assembly === undefined) {
      this.#begin(from, f)
      return
    }
    if (assembly === 'away') {
      if ((f.flags & lastFlag) === 0) return
      this.#assembling.delete(f.request)
      this.#turnAway(f.request)
      return
    }
    this.#add(from, f, assembly)
  }

  #begin(from: MemberId, f: Frame): void {
    const bytes = payloadBytesOf(f)
    const isFull = gateOf(f.kind) === 'serving' && this.#unanswered.serving >= UNANSWERED_BYTES
    if (bytes === 0) {
      if (f.payloadBytes > 0) throw broken('more bytes than the request named')
      if (isFull) this.#turnAway(f.request)
      else this.#carryOut(from, f.request, incoming(f, null, null))
      return
    }
    if (isFull && (f.flags & lastFlag) !== 0) {
      this.#turnAway(f.request)
      return
    }
    if (this.#assembling.size >= ASSEMBLIES_MAX) throw broken('too many half-sent writes')
    if (isFull) {
      this.#assembling.set(f.request, 'away')
      return
    }
    const assembly = new Assembly(f, bytes)
    this.#assembling.set(f.request, assembly)
    this.#took(f.kind, bytes)
    this.#add(from, f, assembly)
  }

  #add(from: MemberId, f: Frame, assembly: Assembly): void {
    if (!assembly.add(f, this.#reader.checksums)) return
    this.#forget(f.request)
    this.#carryOut(from, f.request, assembly.request)
  }

  /** P7: its gateway sends it again. */
  #turnAway(request: number): void {
    const fields = frameFields(frameKind.answer, request)
    fields.status = answerStatus.stale
    this.#sender.send(fields, null)
  }

  #forget(request: number): void {
    const assembly = this.#assembling.get(request)
    if (assembly === undefined) return
    this.#assembling.delete(request)
    if (assembly !== 'away') this.#gave(assembly.request.kind, assembly.payload.length)
  }

  #carryOut(from: MemberId, number: number, request: Incoming): void {
    const answer = this.#deps.server.operation(from, request)
    if (!(answer instanceof Promise)) {
      this.#answer(number, request, answer)
      return
    }
    const { kind, payload, into } = request
    const bytes = payload?.length ?? into?.length ?? 0
    this.#took(kind, bytes)
    answer.then(
      (late) => {
        this.#gave(kind, bytes)
        this.#answer(number, request, late)
      },
      // The store has failed, and says so to the member itself.
      () => this.close(),
    )
  }

  #took(kind: number, bytes: number): void {
    this.#unanswered[gateOf(kind)] += costOf(kind, bytes)
    if (this.#unanswered.open < UNANSWERED_BYTES || this.#isPaused) return
    this.#isPaused = true
    this.#stream.pause()
  }

  #gave(kind: number, bytes: number): void {
    this.#unanswered[gateOf(kind)] -= costOf(kind, bytes)
    if (!this.#isPaused || this.#unanswered.open >= UNANSWERED_BYTES || this.isClosed) return
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
