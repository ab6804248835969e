// An operation under way at another member, until it is answered there or its session has ended here.
//
//   sent ──answer──▶ over            sent ──stale, or the slice's primary changed──▶ looking again ──▶ sent
//
// Its link sends it again whenever the stream is lost; the operation itself only chooses the member (W1, W2 of
// gateway.ts).
import type { Clock } from '../base/clock.ts'
import type { MemberId, SessionId, SliceId, VolumeId } from '../group/record.ts'
import { frameKind } from '../peer/frames.ts'
import type { Link, Request } from '../peer/link.ts'
import type { PeerLinks } from '../peer/links.ts'
import { answerStatus } from '../peer/message.ts'
import { outcomeOf } from './answers.ts'
import type { GroupSlices } from './group-slices.ts'
import type { CompareOutcome } from './outcome.ts'
import type { Mutation, Primary } from './primary.ts'

/** How long an operation waits before it looks again for the primary of its slice. */
export const lookAgainMs = 20

export interface ForwardDeps {
  readonly self: MemberId
  readonly clock: Clock
  readonly group: GroupSlices
  readonly primary: Primary
  readonly peers: Pick<PeerLinks, 'link'>
}

/** The writes of one session to one slice by number, as this member has sent them. */
class SendWindow {
  #last = 0
  readonly #unanswered = new Set<number>()

  take(): number {
    this.#last += 1
    this.#unanswered.add(this.#last)
    return this.#last
  }

  answered(operation: number): void {
    this.#unanswered.delete(operation)
  }

  /** Numbers are taken in order, so the first unanswered one is the lowest. */
  get acknowledged(): number {
    for (const lowest of this.#unanswered) return lowest - 1
    return this.#last
  }
}

/** A session's operations at other members under one generation. */
export class Sending {
  readonly sessionId: SessionId
  readonly gen: number
  readonly underWay = new Set<Forward>()
  readonly #windows = new Map<SliceId, SendWindow>()

  constructor(sessionId: SessionId, gen: number) {
    this.sessionId = sessionId
    this.gen = gen
  }

  window(slice: SliceId): SendWindow {
    let window = this.#windows.get(slice)
    if (window === undefined) {
      window = new SendWindow()
      this.#windows.set(slice, window)
    }
    return window
  }

  drop(): void {
    for (const forward of [...this.underWay]) forward.drop()
  }
}

export interface ForwardedPiece {
  readonly verb: 'read' | 'write' | 'unmap' | 'compareAndWrite'
  readonly volume: VolumeId
  readonly slice: SliceId
  readonly offset: number
  readonly bytes: number
  readonly data: Uint8Array | null
  readonly verify: Uint8Array | null
  /** Of a read. */
  readonly into: Uint8Array | null
}

export class Forward implements Request {
  readonly kind: number
  readonly volume: VolumeId
  readonly offset: number
  readonly bytes: number
  readonly slice: SliceId
  readonly operation: number
  readonly payload: Uint8Array | null
  readonly into: Uint8Array | null
  readonly outcome: Promise<CompareOutcome>
  readonly #resolve: (outcome: CompareOutcome) => void
  readonly #deps: ForwardDeps
  readonly #sending: Sending
  readonly #window: SendWindow | null
  readonly #piece: ForwardedPiece
  #at: { readonly member: MemberId; readonly link: Link; readonly number: number } | null = null
  /** The primary of this member has it, and its buffers. */
  #isHere = false
  #isDropped = false
  #isOver = false

  constructor(deps: ForwardDeps, sending: Sending, piece: ForwardedPiece) {
    this.#deps = deps
    this.#sending = sending
    this.#piece = piece
    this.kind = frameKind[piece.verb]
    this.volume = piece.volume
    this.offset = piece.offset
    this.bytes = piece.bytes
    this.slice = piece.slice
    this.payload = piece.verify === null ? piece.data : pair(piece.verify, piece.data)
    this.into = piece.into
    this.#window = piece.verb === 'read' ? null : sending.window(piece.slice)
    this.operation = this.#window?.take() ?? 0
    const { promise, resolve } = Promise.withResolvers<CompareOutcome>()
    this.outcome = promise
    this.#resolve = resolve
    sending.underWay.add(this)
    this.send()
  }

  get session(): SessionId {
    return this.#sending.sessionId
  }

  get gen(): number {
    return this.#sending.gen
  }

  /** As known when it is sent: a slice that was raised meanwhile is asked under its new epoch. */
  get epoch(): number {
    return this.#deps.group.slices[this.slice]?.epoch ?? 0
  }

  get acknowledged(): number {
    return this.#window?.acknowledged ?? 0
  }

  send(): void {
    const { group, self, peers } = this.#deps
    const member = group.slices[this.slice]?.primary
    if (member === undefined) {
      this.#lookAgain()
      return
    }
    if (member === self) return void this.#carryOutHere()
    const link = peers.link(member)
    this.#at = { member, link, number: link.request(this) }
  }

  settle(status: number, offset: number): void {
    this.#at = null
    if (status === answerStatus.stale) {
      this.#lookAgain()
      return
    }
    this.#finish(outcomeOf(status, offset))
  }

  /** Goes to another member if the slice has: what was sent is taken back. */
  follow(): void {
    const member = this.#deps.group.slices[this.slice]?.primary
    if (this.#at === null || this.#at.member === member) return
    this.#at.link.withdraw(this.#at.number)
    this.#at = null
    this.send()
  }

  /** W4: what is carried out here keeps its buffers until that is over. */
  drop(): void {
    this.#isDropped = true
    if (this.#isHere) return
    this.#at?.link.withdraw(this.#at.number)
    this.#at = null
    this.#finish('refused')
  }

  #lookAgain(): void {
    this.#deps.clock.after(lookAgainMs, () => {
      if (!this.#isOver) this.send()
    })
  }

  /** The slice has come to this member while the operation was under way. */
  async #carryOutHere(): Promise<void> {
    const { primary } = this.#deps
    const { volume, slice, offset, bytes, into, operation, acknowledged } = this
    const { data, verify } = this.#piece
    const origin = { sessionId: this.session, gen: this.gen }
    const mutation: Mutation = {
      origin,
      volume,
      slice,
      offset,
      bytes,
      data,
      verify,
      operation,
      acknowledged,
    }
    this.#isHere = true
    const outcome = await (into === null
      ? primary.mutate(mutation)
      : primary.read(origin, volume, slice, offset, into))
    this.#isHere = false
    if (this.#isDropped) this.#finish('refused')
    else if (outcome === 'stale') this.#lookAgain()
    else this.#finish(outcome)
  }

  #finish(outcome: CompareOutcome): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#window?.answered(this.operation)
    this.#sending.underWay.delete(this)
    this.#resolve(outcome)
  }
}

/** COMPARE AND WRITE sends what is compared, then what is written. */
function pair(verify: Uint8Array, data: Uint8Array | null): Uint8Array {
  const both = new Uint8Array(verify.length + (data?.length ?? 0))
  both.set(verify)
  if (data !== null) both.set(data, verify.length)
  return both
}
