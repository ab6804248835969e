// Our requests to one other member: one stream, opened again whenever it is lost, and what is unanswered on it.
//
//   idle ──something to send──▶ connecting ──▶ greeting ──welcome──▶ open
//     ▲                            │              │                   │
//     └────────── back-off ◀───────┴──────────────┴── closed, refused, or silent for 900 ms
//
// Invariants:
//   P1. Fences come first on a stream, and first again on every later one until they are acknowledged.
//   P2. An operation is sent again, in the order of its first sending, on every new stream until it is answered or
//       withdrawn; it never fails because the other member is away.
//   P3. A question is sent on one stream only and is null when that is lost or its time is up.
import type { Clock, Timer } from '../base/clock.ts'
import type { Address, Net, Stream, StreamOwner } from '../base/net.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import { decodeText, encodeText } from '../base/text.ts'
import type { MemberId } from '../group/record.ts'
import { Frame, type FrameFields, FrameReader, frameKind } from './frames.ts'
import type { Hello, Identity, Json } from './message.ts'
import { Sender } from './sender.ts'

const CONNECT_MS = 900
/** A stream on which something is unanswered and nothing arrives for so long is given up. */
const SILENT_MS = 900
const WATCH_MS = 300
const BACKOFF_MS = 20
const BACKOFF_MAX_MS = 500

/** An operation under way at another member. */
export interface Request {
  readonly kind: number
  readonly volume: number
  readonly offset: number
  readonly bytes: number
  readonly slice: number
  readonly epoch: number
  readonly session: number
  readonly gen: number
  readonly operation: number
  /** What is sent with it; must not change before it is answered or withdrawn. */
  readonly payload: Uint8Array | null
  /** Where the answer's bytes go. */
  readonly into: Uint8Array | null
  /** Everything up to this operation was answered; asked at each sending. */
  readonly acknowledged: () => number
  /** `status` of message.ts; `offset` of a miscompare. */
  readonly settle: (status: number, offset: number) => void
}

interface Asking {
  readonly settle: (reply: Json | null) => void
  readonly timer: Timer
}

interface Open {
  readonly stream: Stream
  readonly sender: Sender
  readonly reader: FrameReader
  welcome: boolean
  lastHeardMs: number
}

export interface LinkDeps {
  readonly self: Identity
  readonly to: MemberId
  readonly net: Net
  readonly clock: Clock
  readonly addressOf: (member: MemberId) => Address | null
  readonly nextStream: () => number
  readonly heard: (member: MemberId) => void
}

export class Link {
  readonly #deps: LinkDeps
  /** By request number, in the order of first sending. */
  readonly #requests = new Map<number, Request>()
  readonly #fences = new Map<number, { gen: number; acknowledged: () => void }>()
  readonly #fenceOf = new Map<number, { session: number; gen: number }>()
  readonly #asking = new Map<number, Asking>()
  #state: 'idle' | 'connecting' | 'closed' | Open = 'idle'
  #next = 0
  #backoffMs = BACKOFF_MS
  #pingSentMs = 0

  constructor(deps: LinkDeps) {
    this.#deps = deps
  }

  get isOpen(): boolean {
    return typeof this.#state === 'object' && this.#state.welcome
  }

  /** P2. Returns the number by which it is withdrawn. */
  request(request: Request): number {
    const number = this.#number()
    this.#requests.set(number, request)
    const open = this.#ready()
    if (open !== null) this.#sendRequest(open, number, request)
    return number
  }

  withdraw(number: number): void {
    if (!this.#requests.delete(number)) return
    const open = this.#ready()
    if (open?.sender.withdraw(number) === true) {
      open.sender.send({ fields: fields(frameKind.withdraw, number), payload: null })
    }
  }

  /** P1. `acknowledged` is called once, when the member knows; a higher gen replaces a lower one. */
  fence(session: number, gen: number, acknowledged: () => void): void {
    const known = this.#fences.get(session)
    if (known !== undefined && known.gen >= gen) return
    this.#fences.set(session, { gen, acknowledged })
    const open = this.#ready()
    if (open !== null) this.#sendFence(open, session, gen)
  }

  unfence(session: number): void {
    this.#fences.delete(session)
  }

  /** P3. */
  ask(kind: string, body: Json, timeoutMs: number): Promise<Json | null> {
    return new Promise((resolve) => {
      const number = this.#number()
      const timer = this.#deps.clock.after(timeoutMs, () => this.#answerAsk(number, null))
      this.#asking.set(number, { settle: resolve, timer })
      this.#sendText(frameKind.ask, number, { kind, body })
    })
  }

  tell(kind: string, body: Json): void {
    this.#sendText(frameKind.tell, this.#number(), { kind, body })
  }

  close(): void {
    const state = this.#state
    this.#state = 'closed'
    if (typeof state === 'object') state.stream.destroy()
    for (const number of [...this.#asking.keys()]) this.#answerAsk(number, null)
  }

  #number(): number {
    this.#next = (this.#next + 1) >>> 0 || 1
    return this.#next
  }

  /** The stream if it may be used; else begins to open one. */
  #ready(): Open | null {
    if (this.#state === 'idle') void this.#connect()
    return typeof this.#state === 'object' && this.#state.welcome ? this.#state : null
  }

  /** Questions and messages wait for the stream that is being opened, as long as they live. */
  readonly #waiting: { readonly number: number; readonly send: (open: Open) => void }[] = []

  #sendText(kind: number, number: number, message: Json): void {
    const send = (open: Open) =>
      open.sender.send({ fields: fields(kind, number), payload: encodeText(JSON.stringify(message)) })
    const open = this.#ready()
    if (open !== null) return send(open)
    this.#waiting.push({ number, send })
    if (this.#waiting.length > 256) this.#waiting.shift()
  }

  async #connect(): Promise<void> {
    const { net, addressOf, to, clock } = this.#deps
    this.#state = 'connecting'
    const address = addressOf(to)
    let stream: Stream
    try {
      if (address === null) throw new Error(`no address of ${to} is known`)
      stream = await net.connect(address, CONNECT_MS)
    } catch {
      // The world's doing: the member is away. What waits here is sent when it is back.
      return this.#lost()
    }
    if (this.#state !== 'connecting') return stream.destroy()
    const open: Open = {
      stream,
      sender: new Sender(stream, clock),
      reader: new FrameReader(),
      welcome: false,
      lastHeardMs: clock.nowMs(),
    }
    this.#state = open
    stream.own(this.#owner(open))
    const hello: Hello = { ...this.#deps.self, to, stream: this.#deps.nextStream() }
    open.sender.send({ fields: fields(frameKind.hello, 0), payload: encodeText(JSON.stringify(hello)) })
    this.#watch(open)
  }

  #owner(open: Open): StreamOwner {
    const drop = () => {
      if (this.#state === open) this.#drop(open)
    }
    return {
      received: (bytes) => {
        if (this.#state !== open) return
        open.lastHeardMs = this.#deps.clock.nowMs()
        try {
          open.reader.push(bytes)
          for (let f = open.reader.next(); f !== null && this.#state === open; f = open.reader.next()) {
            this.#receive(open, f)
          }
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error
          drop()
        }
      },
      ended: drop,
      written: () => open.sender.written(),
      closed: drop,
    }
  }

  /** Gives a stream up that is silent though something is unanswered on it. */
  #watch(open: Open): void {
    const { clock } = this.#deps
    clock.after(WATCH_MS, () => {
      if (this.#state !== open) return
      const now = clock.nowMs()
      const waits = !open.welcome || this.#requests.size > 0 || this.#fenceOf.size > 0 || this.#asking.size > 0
      if (waits && now - open.lastHeardMs >= SILENT_MS) return this.#drop(open)
      if (waits && open.welcome && now - this.#pingSentMs >= WATCH_MS) {
        this.#pingSentMs = now
        open.sender.send({ fields: fields(frameKind.ping, 0), payload: null })
      }
      if (!waits) open.lastHeardMs = now
      this.#watch(open)
    })
  }

  #drop(open: Open): void {
    open.stream.destroy()
    this.#lost()
  }

  #lost(): void {
    if (this.#state === 'closed') return
    this.#state = 'connecting'
    this.#fenceOf.clear()
    for (const number of [...this.#asking.keys()]) {
      if (!this.#waiting.some((one) => one.number === number)) this.#answerAsk(number, null)
    }
    const backoffMs = this.#backoffMs
    this.#backoffMs = Math.min(2 * backoffMs, BACKOFF_MAX_MS)
    this.#deps.clock.after(backoffMs, () => {
      if (this.#state !== 'connecting') return
      this.#state = 'idle'
      const wanted = this.#requests.size + this.#fences.size + this.#asking.size > 0
      if (wanted) void this.#connect()
      else this.#waiting.length = 0
    })
  }

  #welcomed(open: Open): void {
    open.welcome = true
    this.#backoffMs = BACKOFF_MS
    for (const [session, { gen }] of this.#fences) this.#sendFence(open, session, gen) // P1
    for (const [number, request] of this.#requests) this.#sendRequest(open, number, request) // P2
    for (const { send } of this.#waiting.splice(0)) send(open)
  }

  #receive(open: Open, f: Frame): void {
    this.#deps.heard(this.#deps.to)
    switch (f.kind) {
      case frameKind.welcome:
        return this.#welcomed(open)
      case frameKind.answer:
        return this.#answered(f)
      case frameKind.reply:
        return this.#answerAsk(f.request, JSON.parse(decodeText(f.payload)) as Json)
      case frameKind.pong:
        return
      case frameKind.refusal:
        this.#backoffMs = BACKOFF_MAX_MS
        return this.#drop(open)
      default:
        throw new ProtocolError(`frame kind ${f.kind} is not an answer`, 'peer/DESIGN.md')
    }
  }

  #answered(f: Frame): void {
    const fence = this.#fenceOf.get(f.request)
    if (fence !== undefined) {
      this.#fenceOf.delete(f.request)
      const known = this.#fences.get(fence.session)
      if (known?.gen !== fence.gen) return
      this.#fences.delete(fence.session)
      return known.acknowledged()
    }
    const request = this.#requests.get(f.request)
    if (request === undefined) return // withdrawn meanwhile
    if (f.payloadBytes > 0) {
      if (request.into === null || f.bytes + f.payloadBytes > request.into.length) {
        throw new ProtocolError('more bytes than were asked for', 'peer/DESIGN.md')
      }
      request.into.set(f.payload, f.bytes)
    }
    if ((f.flags & 1) === 0) return
    this.#requests.delete(f.request)
    request.settle(f.status, f.offset)
  }

  #answerAsk(number: number, reply: Json | null): void {
    const asking = this.#asking.get(number)
    if (asking === undefined) return
    this.#asking.delete(number)
    const waiting = this.#waiting.findIndex((one) => one.number === number)
    if (waiting >= 0) this.#waiting.splice(waiting, 1)
    asking.timer.cancel()
    asking.settle(reply)
  }

  #sendFence(open: Open, session: number, gen: number): void {
    const number = this.#number()
    this.#fenceOf.set(number, { session, gen })
    open.sender.send({ fields: { ...fields(frameKind.fence, number), session, gen }, payload: null })
  }

  #sendRequest(open: Open, number: number, request: Request): void {
    const message = new Frame()
    message.kind = request.kind
    message.request = number
    message.slice = request.slice
    message.epoch = request.epoch
    message.gen = request.gen
    message.session = request.session
    message.operation = request.operation
    message.acknowledged = request.acknowledged()
    message.offset = request.offset
    message.volume = request.volume
    message.bytes = request.bytes
    open.sender.send({ fields: message, payload: request.payload })
  }
}

function fields(kind: number, request: number): FrameFields {
  const frame = new Frame()
  frame.kind = kind
  frame.request = request
  return frame
}
