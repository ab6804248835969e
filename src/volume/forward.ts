// An operation under way at another member, or that waits until this one serves its slice, until it is answered or its
// session has ended here.
//
//   sent ──answer──▶ over            sent ──stale, or the slice's primary changed──▶ looking again ──▶ sent
//
// Its link sends it again whenever the stream is lost; the operation itself only chooses the member (W1, W2 of
// gateway.ts).
import type { Clock } from '../base/clock.ts'
import {
  type Epoch,
  epoch,
  type Generation,
  type MemberId,
  type SessionId,
  type SliceId,
} from '../base/ids.ts'
import { BLOCK_BYTES } from '../base/sizes.ts'
import { checksumsOf, frameKind } from '../peer/frames.ts'
import type { Link } from '../peer/link.ts'
import type { PeerLinks } from '../peer/links.ts'
import { answerStatus } from '../peer/message.ts'
import type { Mutation } from '../peer/operation.ts'
import type { Request } from '../peer/request.ts'
import { outcomeOf } from '../slice/answers.ts'
import type { GroupSlices } from '../slice/group-slices.ts'
import type { CompareOutcome } from '../slice/outcome.ts'
import type { Slices } from '../slice/slices.ts'

/** How long an operation waits before it looks again for the primary of its slice. */
const lookAgainMs = 20

export interface ForwardDeps {
  readonly self: MemberId
  readonly clock: Clock
  readonly group: GroupSlices
  readonly slices: Slices
  readonly peers: Pick<PeerLinks, 'link'>
}

/** The mutations of one session to one slice by number (W2). */
export class SendWindow {
  #last = 0
  /** Every one up to this is answered. */
  acknowledged = 0
  /** Those behind an unanswered one. */
  readonly #answered = new Set<number>()

  take(): number {
    this.#last += 1
    return this.#last
  }

  answered(number: number): void {
    if (number !== this.acknowledged + 1) {
      this.#answered.add(number)
      return
    }
    let upTo = number
    while (this.#answered.delete(upTo + 1)) upTo += 1
    this.acknowledged = upTo
  }
}

/** A session's operations under one generation. */
export class Sending {
  readonly session: SessionId
  readonly gen: Generation
  /** At other members, or waiting for their slices. */
  readonly underWay = new Set<Forward>()
  readonly #windows = new Map<SliceId, SendWindow>()

  constructor(session: SessionId, gen: Generation) {
    this.session = session
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

/** The part of a command that has one slice and fits one request. */
export interface Piece extends Mutation {
  readonly verb: 'read' | 'write' | 'unmap' | 'compareAndWrite'
  /** Where the bytes of a read go. */
  readonly into: Uint8Array | null
}

export class Forward implements Request {
  readonly kind: number
  readonly operation: Piece
  readonly payload: Uint8Array | null
  readonly checksums: Uint32Array | null
  readonly into: Uint8Array | null
  readonly outcome: Promise<CompareOutcome>
  readonly #resolve: (outcome: CompareOutcome) => void
  readonly #deps: ForwardDeps
  readonly #sending: Sending
  #at: { readonly member: MemberId; readonly link: Link; readonly number: number } | null = null
  /** The primary of this member has it, and its buffers. */
  #isHere = false
  #isDropped = false
  #isOver = false

  constructor(deps: ForwardDeps, sending: Sending, piece: Piece) {
    this.#deps = deps
    this.#sending = sending
    this.operation = piece
    this.kind = frameKind[piece.verb]
    this.payload = piece.verify === null ? piece.data : pair(piece.verify, piece.data)
    // F3 of peer/frames.ts: the bytes enter here.
    const isWrite = piece.verify === null && piece.data !== null
    this.checksums = isWrite ? checksumsOf(piece.data, piece.offset % BLOCK_BYTES) : null
    this.into = piece.into
    const { promise, resolve } = Promise.withResolvers<CompareOutcome>()
    this.outcome = promise
    this.#resolve = resolve
    sending.underWay.add(this)
    this.send()
  }

  /** As known when it is sent: a slice that was raised meanwhile is asked under its new epoch. */
  get epoch(): Epoch {
    return this.#deps.group.slices[this.operation.slice]?.epoch ?? epoch(0)
  }

  get view(): number {
    return this.#deps.group.volumes.get(this.operation.volume)?.view ?? 0
  }

  send(): void {
    const { group, self, peers } = this.#deps
    const member = group.slices[this.operation.slice]?.primary
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
    const member = this.#deps.group.slices[this.operation.slice]?.primary
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

  /** The slice is this member's, or has come to it while the operation was under way. */
  async #carryOutHere(): Promise<void> {
    const { slices } = this.#deps
    const { operation, into } = this
    const { volume, slice, offset } = operation
    this.#isHere = true
    const outcome = await (into === null
      ? slices.mutate(operation)
      : slices.read(operation, volume, slice, offset, into))
    this.#isHere = false
    if (this.#isDropped) this.#finish('refused')
    else if (outcome === 'stale') this.#lookAgain()
    else this.#finish(outcome)
  }

  #finish(outcome: CompareOutcome): void {
    if (this.#isOver) return
    this.#isOver = true
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
