// Our requests to one other member: one stream, opened again whenever it is lost, and what is unanswered on it.
//
//   idle ──something to send──▶ connecting ──▶ greeting ──welcome──▶ open ──ready──▶ serving
//     ▲                            │              │                     │                 │
//     └──── back-off ◀─────────────┴──────────────┴── closed, refused, or silent for 900 ms
//
//   open      the other member knows us, and its store is open: questions, messages and what copies are asked are sent
//   serving   its slices are activated: fences and a gateway's operations are sent (P12 of responder.ts)
//
// Invariants:
//   P1. Fences come first on a stream, and first again on every later one, until they are taken back.
//   P2. An operation is sent again, in the order of its first sending, on every new stream until it is answered or
//       withdrawn; it never fails because the other member is away.
//   P3. A question is sent on one stream only and comes to null when that is lost or its time is up.
//   P11. Silence is counted in turns, and so is the time of a question: a member that stood still itself has read what came
//       meanwhile before it gives anybody up.
//   P13. Bytes of an answer that are not those of their checksums are asked for once more, on a new stream; then the operation
//       is `damaged`. So is a write whose bytes have changed since its checksums were made, when it is sent again.
//   P14. Bytes of an answer count only in their order: what lacks some is no answer, whatever it says of itself.
//   P15. A refusal is told in the other member's words, once: nothing else says why two members cannot speak.
//   P4. The bytes under way are bounded, those of each gate by themselves; operations beyond wait their turn, and none is sent
//       before one of its gate that was asked for earlier. What counts is the bytes that go with an operation or come back, not
//       those that it names. So what a gateway has under way, which may wait for copies, never keeps the way to them.
import type { Clock } from '../base/clock.ts'
import { epoch, type Generation, type MemberId, type SessionId } from '../base/ids.ts'
import type { Address, Net, Stream, StreamOwner } from '../base/net.ts'
import { ProtocolError } from '../base/protocol-error.ts'
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
import {
  answerStatus,
  encodeControl,
  encodeJson,
  type Hello,
  type Identity,
  isStatusOf,
  type Json,
  parseJson,
  parseRefusal,
  parseWelcome,
} from './message.ts'
import { type Control, Questions } from './questions.ts'
import { Reassembly } from './reassembly.ts'
import { answerBytes, cost, fieldsOf, hasChanged, keepAnswer, type Request } from './request.ts'
import { Sender } from './sender.ts'

const CONNECT_MS = 900
const WATCH_MS = 300
/** A stream on which something is unanswered and nothing arrives for so many looks is given up: after 900 to 1,200 ms. */
const SILENT_LOOKS = 3
const BACKOFF_MS = 20
const BACKOFF_MAX_MS = 500
/** Of the operations that are sent and unanswered (P4). */
const UNDER_WAY_BYTES = 16 * 1024 * 1024

/** How an answer settles its request. */
type Answered = Pick<Frame, 'status' | 'offset' | 'seq' | 'epoch'>

/** P13: it came to nothing by itself. */
const damaged: Answered = { status: answerStatus.damaged, offset: 0, seq: 0, epoch: epoch(0) }

interface Open {
  readonly stream: Stream
  readonly sender: Sender
  readonly reader: FrameReader
  readonly replies: Reassembly
  phase: 'greeting' | Gate
  /** Looks at which something was awaited, since something came. */
  silentLooks: number
  /** A look is due. */
  isWatched: boolean
  readonly underWay: Record<Gate, number>
  /** Operations that were sent on it and are unanswered: how many bytes of its answer have come (P14). */
  readonly sent: Map<number, number>
  readonly fenceOf: Map<number, { readonly session: SessionId; readonly gen: Generation }>
}

export interface LinkDeps {
  readonly self: Identity
  readonly to: MemberId
  readonly net: Net
  readonly clock: Clock
  readonly addressOf: (member: MemberId) => Address | null
  /** Rises with every stream of this boot. */
  readonly nextStream: () => number
  /** It serves, or does not any more and why. */
  readonly told?: LinkTold | undefined
}

export type LinkTold = (state: 'serves' | 'lost' | 'refused', why: string) => void

export class Link {
  readonly #deps: LinkDeps
  /** By number, in the order of first sending. */
  readonly #requests = new Map<number, Request>()
  readonly #fences = new Map<
    SessionId,
    { readonly gen: Generation; isAcknowledged: boolean; readonly acknowledged: () => void }
  >()
  readonly #questions: Questions
  /** Requests of which an answer was not sound (P13). */
  readonly #doubted = new Set<number>()
  #state: 'idle' | 'connecting' | 'closed' | Open = 'idle'
  #next = 0
  #backoffMs = BACKOFF_MS
  #trouble: string | null = null
  /** P15: as it was told. */
  #refusal: string | null = null

  constructor(deps: LinkDeps) {
    this.#deps = deps
    this.#questions = new Questions(deps.clock)
  }

  get isServing(): boolean {
    return typeof this.#state === 'object' && this.#state.phase === 'serving'
  }

  /** Why the last attempt to open a stream failed, as a sentence; null while there is one. */
  get trouble(): string | null {
    return this.#trouble
  }

  /** Bytes of operations that are sent and unanswered. */
  get underWayBytes(): number {
    if (typeof this.#state !== 'object') return 0
    const { open, serving } = this.#state.underWay
    return open + serving
  }

  /** P2. Returns the number by which it is withdrawn. */
  request(request: Request): number {
    const number = this.#number()
    this.#requests.set(number, request)
    const open = this.#open()
    if (open !== null) this.#sendRequest(open, number, request)
    this.#awaits(open)
    return number
  }

  /** Nothing of it is read or written any more; it is not settled. */
  withdraw(number: number): void {
    const request = this.#requests.get(number)
    if (request === undefined) return
    this.#requests.delete(number)
    this.#doubted.delete(number)
    if (typeof this.#state !== 'object') return
    const open = this.#state
    if (open.sender.withdraw(number))
      open.sender.send(frameFields(frameKind.withdraw, number), null)
    this.#answeredOn(open, number, request)
  }

  /** P1. `acknowledged` is called at least once when the member knows; a higher gen replaces a lower one. */
  fence(session: SessionId, gen: Generation, acknowledged: () => void): void {
    const known = this.#fences.get(session)
    if (known !== undefined && known.gen >= gen) return
    this.#fences.set(session, { gen, isAcknowledged: false, acknowledged })
    const open = this.#open()
    if (open?.phase === 'serving') sendFence(open, this.#number(), session, gen)
    this.#awaits(open)
  }

  unfence(session: SessionId): void {
    this.#fences.delete(session)
  }

  /** P3. */
  ask(kind: string, body: Json, timeoutMs: number): Promise<Json | null> {
    const number = this.#number()
    const reply = this.#questions.ask(number, timeoutMs)
    this.#control({ kind: frameKind.ask, request: number, payload: encodeJson({ kind, body }) })
    this.#awaits(typeof this.#state === 'object' ? this.#state : null)
    return reply
  }

  tell(kind: string, body: Json | Uint8Array): void {
    const payload = encodeControl({ kind, body })
    this.#control({ kind: frameKind.tell, request: this.#number(), payload })
  }

  close(): void {
    const state = this.#state
    this.#state = 'closed'
    if (typeof state === 'object') state.stream.destroy()
    this.#questions.close()
  }

  /** Not used by anything unanswered; 0 belongs to the stream. */
  #number(): number {
    do {
      this.#next = (this.#next + 1) >>> 0
    } while (this.#next === 0 || this.#requests.has(this.#next) || this.#questions.has(this.#next))
    return this.#next
  }

  /** The stream if there is one; else begins to open it. */
  #open(): Open | null {
    if (this.#state === 'idle') void this.#connect()
    return typeof this.#state === 'object' ? this.#state : null
  }

  #control(control: Control): void {
    const open = this.#open()
    if (open !== null && open.phase !== 'greeting') sendControl(open, control)
    else this.#questions.wait(control)
  }

  async #connect(): Promise<void> {
    const { net, addressOf, to } = this.#deps
    this.#state = 'connecting'
    const address = addressOf(to)
    if (address === null) return this.#lost(`no address of ${to} is known`)
    let stream: Stream
    try {
      stream = await net.connect(address, CONNECT_MS)
    } catch (error) {
      return this.#lost(error instanceof Error ? error.message : String(error))
    }
    if (this.#state === 'connecting') this.#greet(stream)
    else stream.destroy()
  }

  #greet(stream: Stream): void {
    const { clock, self, to, nextStream } = this.#deps
    const open: Open = {
      stream,
      sender: new Sender(stream, clock),
      reader: new FrameReader(),
      replies: new Reassembly(),
      phase: 'greeting',
      silentLooks: 0,
      isWatched: false,
      underWay: { open: 0, serving: 0 },
      sent: new Map(),
      fenceOf: new Map(),
    }
    this.#state = open
    stream.own(this.#owner(open))
    const hello: Hello = { ...self, to, stream: nextStream() }
    open.sender.send(frameFields(frameKind.hello, 0), encodeJson({ ...hello }))
    this.#watch(open)
  }

  #owner(open: Open): StreamOwner {
    const { to } = this.#deps
    return {
      received: (bytes) => this.#received(open, bytes),
      ended: () => this.#drop(open, `${to} closed the stream`),
      written: () => {
        if (this.#state === open) open.sender.written()
      },
      closed: (reason) => this.#drop(open, `the stream to ${to} is gone: ${reason}`),
    }
  }

  #received(open: Open, bytes: Uint8Array): void {
    if (this.#state !== open) return
    open.silentLooks = 0
    try {
      open.reader.push(bytes)
      for (let f = open.reader.next(); f !== null; f = open.reader.next()) {
        this.#receive(open, f)
        if (this.#state !== open) return
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#drop(open, error.message)
    }
  }

  #receive(open: Open, f: Frame): void {
    switch (f.kind) {
      case frameKind.welcome:
        this.#greeted(open, f)
        return
      case frameKind.ready:
        this.#serving(open)
        return
      case frameKind.answer:
        this.#answered(open, f)
        return
      case frameKind.reply: {
        const whole = open.replies.add(f)
        if (whole !== null) this.#questions.settle(f.request, parseJson(whole))
        return
      }
      case frameKind.pong:
        return
      case frameKind.refusal:
        this.#refused(open, parseRefusal(parseJson(f.payload)))
        return
      default:
        throw broken(`frame kind ${f.kind} is not an answer`)
    }
  }

  #greeted(open: Open, f: Frame): void {
    const welcome = parseWelcome(parseJson(f.payload))
    const { self, to } = this.#deps
    if (welcome.memberId !== to || welcome.groupId !== self.groupId) {
      throw broken(`${welcome.memberId} of ${welcome.groupId} answers where ${to} should`)
    }
    if (open.phase !== 'greeting') throw broken('a second welcome')
    this.#passes(open, 'open')
    if (this.#state !== open) return
    this.#backoffMs = BACKOFF_MS
    this.#trouble = null
    this.#refusal = null
    open.sender.send(frameFields(frameKind.confirm, 0), encodeJson(welcome.nonce))
    for (const control of this.#questions.takeWaiting()) sendControl(open, control)
    this.#sendRequests(open, 'open')
  }

  #serving(open: Open): void {
    if (open.phase !== 'open') throw broken('ready before its time')
    this.#passes(open, 'serving')
    if (this.#state !== open) return
    for (const [session, { gen }] of this.#fences) sendFence(open, this.#number(), session, gen) // P1
    this.#sendRequests(open, 'serving')
    this.#deps.told?.('serves', '')
  }

  /** P13, before anything of the gate is sent: what is asked for meanwhile waits behind what was before it (P4). */
  #passes(open: Open, gate: Gate): void {
    for (const [number, request] of this.#requests) {
      if (gateOf(request.kind) !== gate || open.sent.has(number) || !hasChanged(request)) continue
      this.#settle(open, number, request, damaged)
    }
    open.phase = gate
  }

  /** P2 P4: those of one gate, in order. */
  #sendRequests(open: Open, gate: Gate): void {
    for (const [number, request] of this.#requests) {
      if (open.underWay[gate] >= UNDER_WAY_BYTES) return
      if (gateOf(request.kind) !== gate || open.sent.has(number)) continue
      this.#sendRequest(open, number, request)
    }
  }

  #answered(open: Open, f: Frame): void {
    const fence = open.fenceOf.get(f.request)
    if (fence !== undefined) {
      open.fenceOf.delete(f.request)
      const known = this.#fences.get(fence.session)
      if (known?.gen !== fence.gen) return
      known.isAcknowledged = true
      known.acknowledged()
      return
    }
    const request = this.#requests.get(f.request)
    if (request === undefined) return // withdrawn meanwhile
    const expected = request.into?.length ?? 0
    const end = f.bytes + f.payloadBytes
    if (end > expected) throw broken('more bytes than were asked for')
    if (f.bytes !== open.sent.get(f.request)) throw broken('an answer that lacks bytes') // P14
    open.sent.set(f.request, end)
    if (!f.isSound) {
      this.#unsound(open, f.request, request)
      return
    }
    if (f.payloadBytes > 0) keepAnswer(request, f, open.reader.checksums)
    if ((f.flags & lastFlag) === 0) return
    if (!isStatusOf(request.kind, f.status)) throw broken(`unknown status ${f.status}`)
    if (f.status === answerStatus.done && end !== answerBytes(request))
      throw broken('fewer bytes than were asked for')
    this.#settle(open, f.request, request, f)
  }

  #settle(open: Open, number: number, request: Request, answer: Answered): void {
    const { status, offset, seq, epoch } = answer
    this.#requests.delete(number)
    this.#doubted.delete(number)
    this.#answeredOn(open, number, request)
    request.settle(status, offset, seq, epoch)
  }

  /** P15 */
  #refused(open: Open, why: string): void {
    this.#backoffMs = BACKOFF_MAX_MS
    if (why !== this.#refusal) this.#deps.told?.('refused', why)
    this.#refusal = why
    this.#drop(open, why)
  }

  /** P13 */
  #unsound(open: Open, number: number, request: Request): void {
    if (this.#doubted.has(number)) {
      this.#settle(open, number, request, damaged)
      return
    }
    this.#doubted.add(number)
    throw broken('an answer that fails its checksums')
  }

  #sendRequest(open: Open, number: number, request: Request): void {
    const gate = gateOf(request.kind)
    if (open.underWay[gate] >= UNDER_WAY_BYTES) return // P4
    if (open.phase !== 'serving' && open.phase !== gate) return // P12
    open.underWay[gate] += cost(request)
    open.sent.set(number, 0)
    open.sender.send(fieldsOf(request, number), request.payload, request.checksums)
  }

  /** What it had under way is free for those that wait (P4). */
  #answeredOn(open: Open, number: number, request: Request): void {
    if (!open.sent.delete(number)) return
    const gate = gateOf(request.kind)
    const wasFull = open.underWay[gate] >= UNDER_WAY_BYTES
    open.underWay[gate] -= cost(request)
    if (wasFull) this.#sendRequests(open, gate)
  }

  /** Gives a stream up that is silent though something is unanswered on it. */
  #watch(open: Open): void {
    const { clock, to } = this.#deps
    open.isWatched = true
    clock.after(WATCH_MS, () => {
      open.isWatched = false
      if (this.#state !== open) return
      open.silentLooks = this.#isAwaiting(open) ? open.silentLooks + 1 : 0
      // What is awaited next has it watched again: a link that rests wakes nobody.
      if (open.silentLooks === 0) return
      if (open.silentLooks > SILENT_LOOKS)
        return this.#drop(open, `nothing comes on the stream to ${to}`) // P11
      if (open.phase !== 'greeting') open.sender.send(frameFields(frameKind.ping, 0), null)
      this.#watch(open)
    })
  }

  /** Something is awaited from now on. */
  #awaits(open: Open | null): void {
    if (open !== null && !open.isWatched) this.#watch(open)
  }

  #isAwaiting(open: Open): boolean {
    return open.phase === 'greeting' || open.fenceOf.size > 0 || this.#wantsStream
  }

  get #wantsStream(): boolean {
    if (this.#requests.size > 0 || !this.#questions.isEmpty) return true
    for (const { isAcknowledged } of this.#fences.values()) if (!isAcknowledged) return true
    return false
  }

  #drop(open: Open, why: string): void {
    if (this.#state !== open) return
    open.stream.destroy()
    if (open.phase === 'serving') this.#deps.told?.('lost', why)
    this.#lost(why)
  }

  #lost(why: string): void {
    if (this.#state === 'closed') return
    this.#state = 'connecting'
    this.#trouble = why
    this.#questions.lost() // P3
    const backoffMs = this.#backoffMs
    this.#backoffMs = Math.min(2 * backoffMs, BACKOFF_MAX_MS)
    this.#deps.clock.after(backoffMs, () => {
      if (this.#state !== 'connecting') return
      this.#state = 'idle'
      if (this.#wantsStream) void this.#connect()
      else this.#questions.takeWaiting()
    })
  }
}

function sendControl(open: Open, { kind, request, payload }: Control): void {
  open.sender.send(frameFields(kind, request), payload)
}

function sendFence(open: Open, number: number, session: SessionId, gen: Generation): void {
  open.fenceOf.set(number, { session, gen })
  const fields = frameFields(frameKind.fence, number)
  fields.session = session
  fields.gen = gen
  open.sender.send(fields, null)
}
