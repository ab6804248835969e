// A member's way to every byte of every volume: extents are cut into pieces by lane, and each piece goes to the primary
// of its slice, which is this member (no promise where the store needs none) or another one over its peer link.
//
// Invariants:
//   W1. An operation never fails because a primary is away, or is none any more: it waits, and is sent again when the
//       primary is back, or to the slice's new primary, under the same number.
//   W2. Every mutation is numbered per session, generation and slice, whether its primary is this member or another one;
//       a number is acknowledged when it and all before it are answered.
//   W3. A fence goes to every primary, first on each stream, also to those that become primary later, until `unfence`.
//   W4. After `endSession` nothing of that generation is sent or answered: what is under way comes to `refused`, and
//       when it has, its buffers are not touched any more.
//   W5. Whether its generation has ended is asked each time an operation is given to a primary, here or elsewhere, also
//       when it has waited for the answer of another primary first.
//   W6. An unmap is one request for each slice, whatever it names, and moves no bytes: in windows, counters and the cost
//       model it counts as an operation, not by its length.

import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import {
  type Generation,
  type MemberId,
  revision,
  type SessionId,
  type SliceId,
  type VolumeId,
} from '../base/ids.ts'
import { OPERATION_BYTES_MAX, UNMAP_BYTES_MAX } from '../base/sizes.ts'
import type { VolumeRecord } from '../group/record.ts'
import type { SessionCounters } from '../load/counters.ts'
import type { PeerLinks } from '../peer/links.ts'
import type { Origin } from '../peer/operation.ts'
import { type Allocation, encodeQuestion, readAllocation } from '../slice/allocation.ts'
import type { GroupSlices } from '../slice/group-slices.ts'
import { pieceBytes, sliceAt } from '../slice/lanes.ts'
import type { CompareOutcome, Later, Outcome } from '../slice/outcome.ts'
import type { Slices } from '../slice/slices.ts'
import { allocationMs, together } from './allocation.ts'
import { Fences } from './fences.ts'
import { Forward, type Piece, Sending, type SendWindow } from './forward.ts'
import { PrimaryNumbers } from './primary-numbers.ts'

/** Ended sessions are looked through for retired ones when there are more than twice as many as were left last time. */
const ENDED_LEAST = 256

export interface GatewayDeps {
  readonly self: MemberId
  readonly clock: Clock
  readonly group: GroupSlices
  readonly slices: Slices
  readonly peers: Pick<PeerLinks, 'link'>
}

/** What a piece does; who asks and its number are added to it. */
type Doing = Omit<Piece, keyof Origin | 'number' | 'acknowledged' | 'seq' | 'checksums'>

export class Gateway {
  readonly #deps: GatewayDeps
  readonly #numbers = new PrimaryNumbers()
  readonly #fences: Fences
  readonly #sessions = new Map<SessionId, Sending>()
  /** The generation at which a session ended here: nothing of it or below is accepted again (W4). */
  readonly #ended = new Map<SessionId, Generation>()
  #endedMost = ENDED_LEAST
  #isClosed = false

  constructor(deps: GatewayDeps) {
    this.#deps = deps
    this.#fences = new Fences(deps)
    void this.#follow()
  }

  /** The member's place in `SessionCounters.piecesByPrimary`. */
  primaryIndex(member: MemberId): number {
    return this.#numbers.of(member)
  }

  read(
    origin: Origin,
    volume: VolumeRecord,
    offset: number,
    into: Uint8Array,
    counters: SessionCounters,
  ): Outcome | Promise<Outcome> {
    const bytes = into.length
    if (pieceBytes(offset, bytes) === bytes) {
      return this.#readPiece(origin, volume, offset, into, counters)
    }
    const outcomes: (Outcome | Promise<Outcome>)[] = []
    for (let at = 0; at < bytes; ) {
      const length = pieceBytes(offset + at, bytes - at)
      const part = into.subarray(at, at + length)
      outcomes.push(this.#readPiece(origin, volume, offset + at, part, counters))
      at += length
    }
    return joined(outcomes)
  }

  /** It lies in one run, of which this member is the primary: worth trying `readNow`. */
  isHere(volume: VolumeRecord, offset: number, bytes: number): boolean {
    return pieceBytes(offset, bytes) === bytes && this.#isLocal(sliceAt(volume, offset))
  }

  /** As `read`, if `isHere` and nothing need be waited for; 'later': nothing is under way, and what `into` holds means nothing. */
  readNow(
    origin: Origin,
    volume: VolumeRecord,
    offset: number,
    into: Uint8Array,
    counters: SessionCounters,
  ): Outcome | Later {
    const bytes = into.length
    if (pieceBytes(offset, bytes) !== bytes) return 'later'
    const slice = sliceAt(volume, offset)
    if (!this.#isLocal(slice)) return 'later'
    const outcome = this.#isEnded(origin)
      ? 'refused'
      : this.#deps.slices.readNow(origin, volume.id, slice, offset, into)
    if (outcome === 'later' || outcome === 'stale') return 'later'
    this.#count(counters, slice, bytes)
    return outcome
  }

  /** `data` must not change before the outcome. */
  write(
    origin: Origin,
    volume: VolumeRecord,
    offset: number,
    data: Uint8Array,
    counters: SessionCounters,
  ): Outcome | Promise<Outcome> {
    return this.#writeAll(origin, volume, offset, data, counters)
  }

  /** The bytes read as zeros afterwards, and whole blocks of 4 KiB give their space back. Needs no room (M1), and costs by what is there (W6). */
  unmap(
    origin: Origin,
    volume: VolumeRecord,
    offset: number,
    bytes: number,
    counters: SessionCounters,
  ): Outcome | Promise<Outcome> {
    assert(bytes <= UNMAP_BYTES_MAX, 'an unmap fits one request for each slice')
    const outcomes: (Outcome | Promise<Outcome>)[] = []
    for (const [slice, { from, to }] of reachBySlice(volume, offset, bytes)) {
      this.#count(counters, slice, 0)
      const extent = { volume: volume.id, slice, offset: from, bytes: to - from }
      const doing = { verb: 'unmap', ...extent, data: null, verify: null, into: null } as const
      outcomes.push(this.#mutate(origin, doing, plain))
    }
    return joined(outcomes)
  }

  /** Atomic; the extent lies in one run. `verify` and `data` must not change before the outcome. */
  compareAndWrite(
    origin: Origin,
    volume: VolumeRecord,
    offset: number,
    buffers: { readonly verify: Uint8Array; readonly data: Uint8Array },
    counters: SessionCounters,
  ): CompareOutcome | Promise<CompareOutcome> {
    const { verify, data } = buffers
    const bytes = data.length
    assert(verify.length === bytes, 'as many bytes are compared as are written')
    assert(bytes <= OPERATION_BYTES_MAX, 'a comparison fits one request')
    assert(pieceBytes(offset, bytes) === bytes, 'a comparison lies in one run')
    const slice = sliceAt(volume, offset)
    this.#count(counters, slice, bytes)
    const extent = { volume: volume.id, slice, offset, bytes }
    const doing = { verb: 'compareAndWrite', ...extent, data, verify, into: null } as const
    return this.#mutate(origin, doing, (outcome) => outcome)
  }

  /** Which of the bytes [from, to) are there, by the primaries' word (allocation.ts). */
  async allocation(
    volume: VolumeRecord,
    from: number,
    to: number,
    most: number,
  ): Promise<Allocation> {
    const { group, self, peers } = this.#deps
    const bySlices = new Map<MemberId, SliceId[]>()
    for (const slice of volume.lanes) {
      const member = group.slices[slice]?.primary ?? self
      const known = bySlices.get(member)
      if (known === undefined) bySlices.set(member, [slice])
      else known.push(slice)
    }
    const reach = { from, to, most }
    const told = await Promise.all(
      [...bySlices].map(async ([member, slices]) => {
        const question = { volume: volume.id, slices, ...reach }
        if (member === self) return this.#deps.slices.allocation(question)
        const link = peers.link(member)
        return readAllocation(await link.ask('allocation', encodeQuestion(question), allocationMs))
      }),
    )
    return together(
      volume,
      reach,
      told.filter((one) => one !== null),
    )
  }

  /** W3. */
  fence(session: SessionId, gen: Generation): void {
    this.#fences.fence(session, gen)
  }

  /** Every primary has acknowledged, or its slice has changed since `rev`, the revision of the session's death. */
  fenced(session: SessionId, gen: Generation, rev = revision(Number.POSITIVE_INFINITY)): boolean {
    return this.#fences.isKnownEverywhere(session, gen, rev)
  }

  unfence(session: SessionId): void {
    this.#fences.unfence(session)
  }

  fencedSessions(): ReadonlySet<SessionId> {
    return this.#fences.sessions
  }

  /** W4. */
  endSession(session: SessionId, gen: Generation): void {
    if (gen <= (this.#ended.get(session) ?? 0)) return
    this.#ended.set(session, gen)
    const sending = this.#sessions.get(session)
    if (sending === undefined || sending.gen > gen) return
    this.#sessions.delete(session)
    sending.drop()
  }

  /** Operations under way at other members, or that wait for their slice. */
  get waiting(): number {
    let waiting = 0
    for (const session of this.#sessions.values()) waiting += session.underWay.size
    return waiting
  }

  close(): void {
    this.#isClosed = true
  }

  #readPiece(
    origin: Origin,
    volume: VolumeRecord,
    offset: number,
    into: Uint8Array,
    counters: SessionCounters,
  ): Outcome | Promise<Outcome> {
    const slice = sliceAt(volume, offset)
    this.#count(counters, slice, into.length)
    if (this.#isEnded(origin)) return 'refused'
    if (this.#isLocal(slice)) {
      const read = this.#deps.slices.read(origin, volume.id, slice, offset, into)
      if (read instanceof Promise) {
        return read.then((late) =>
          late === 'stale' ? this.#forwardRead(origin, volume.id, offset, into, slice) : late,
        )
      }
      if (read !== 'stale') return read
    }
    return this.#forwardRead(origin, volume.id, offset, into, slice)
  }

  #forwardRead(
    origin: Origin,
    volume: VolumeId,
    offset: number,
    into: Uint8Array,
    slice: SliceId,
  ): Outcome | Promise<Outcome> {
    const outcomes: (Outcome | Promise<Outcome>)[] = []
    for (let at = 0; at < into.length; at += OPERATION_BYTES_MAX) {
      const part = into.subarray(at, at + OPERATION_BYTES_MAX)
      const doing: Doing = {
        verb: 'read',
        volume,
        slice,
        offset: offset + at,
        bytes: part.length,
        data: null,
        verify: null,
        into: part,
      }
      outcomes.push(this.#forward(pieceOf(origin, doing, 0, 0)).then(plain))
    }
    return joined(outcomes)
  }

  #writeAll(
    origin: Origin,
    volume: VolumeRecord,
    offset: number,
    data: Uint8Array,
    counters: SessionCounters,
  ): Outcome | Promise<Outcome> {
    const bytes = data.length
    const outcomes: (Outcome | Promise<Outcome>)[] = []
    for (let at = 0; at < bytes; ) {
      const length = pieceBytes(offset + at, Math.min(bytes - at, OPERATION_BYTES_MAX))
      const slice = sliceAt(volume, offset + at)
      const part = length === bytes ? data : data.subarray(at, at + length)
      this.#count(counters, slice, length)
      const doing: Doing = {
        verb: 'write',
        volume: volume.id,
        slice,
        offset: offset + at,
        bytes: length,
        data: part,
        verify: null,
        into: null,
      }
      outcomes.push(this.#mutate(origin, doing, plain))
      at += length
    }
    return joined(outcomes)
  }

  /** `as` is what its outcome may be. */
  #mutate<T>(
    origin: Origin,
    doing: Doing,
    as: (outcome: CompareOutcome) => T,
  ): T | Promise<T> | 'refused' {
    const sending = this.#sendingOf(origin)
    if (sending === null) return 'refused'
    const window = sending.window(doing.slice)
    const number = window.take()
    const piece = pieceOf(origin, doing, number, window.acknowledged)
    const outcome = this.#isLocal(doing.slice) ? this.#deps.slices.mutate(piece) : 'stale'
    if (outcome !== 'stale' && !(outcome instanceof Promise)) {
      window.answered(number)
      return as(outcome)
    }
    const coming = outcome === 'stale' ? this.#forward(piece) : outcome
    return coming.then((late) => {
      if (late === 'stale') return this.#mutateAgain(piece, window, as)
      window.answered(number)
      return as(late)
    })
  }

  /** W1: the slice has left this member meanwhile. */
  async #mutateAgain<T>(
    piece: Piece,
    window: SendWindow,
    as: (outcome: CompareOutcome) => T,
  ): Promise<T> {
    const outcome = await this.#forward(piece)
    window.answered(piece.number)
    return as(outcome)
  }

  /** To another member, or to this one once it serves the slice. */
  #forward(piece: Piece): Promise<CompareOutcome> {
    const sending = this.#sendingOf(piece)
    if (sending === null) return Promise.resolve('refused')
    return new Forward(this.#deps, sending, piece).outcome
  }

  /** null: this generation is over (W5). */
  #sendingOf(origin: Origin): Sending | null {
    if (this.#isEnded(origin)) return null
    const { session, gen } = origin
    let sending = this.#sessions.get(session)
    if (sending === undefined || sending.gen < gen) {
      sending?.drop()
      sending = new Sending(session, gen)
      this.#sessions.set(session, sending)
    }
    return sending.gen > gen ? null : sending
  }

  #isLocal(slice: SliceId): boolean {
    return this.#deps.group.slices[slice]?.primary === this.#deps.self
  }

  #isEnded(origin: Origin): boolean {
    if (this.#ended.size === 0) return false
    const gen = this.#ended.get(origin.session)
    return gen !== undefined && origin.gen <= gen
  }

  #count(counters: SessionCounters, slice: SliceId, bytes: number): void {
    const record = this.#deps.group.slices[slice]
    if (record === undefined) return
    counters.piece(this.#numbers.of(record.primary), bytes)
  }

  /** Operations and fences follow the slices to new primaries. */
  async #follow(): Promise<void> {
    while ((await this.#deps.group.changed()) && !this.#isClosed) {
      this.#fences.primariesChanged()
      for (const { underWay } of this.#sessions.values()) {
        for (const forward of [...underWay]) forward.follow()
      }
      if (this.#ended.size > this.#endedMost) this.#forgetRetired()
    }
  }

  #forgetRetired(): void {
    const { sessions, rev } = this.#deps.group
    for (const id of this.#ended.keys()) {
      if (id <= rev && !sessions.has(id)) this.#ended.delete(id)
    }
    this.#endedMost = 2 * this.#ended.size + ENDED_LEAST
  }
}

/** Field by field: it is made for each command, and a spread costs more than all else of it. */
function pieceOf(
  { session, gen }: Origin,
  { verb, volume, slice, offset, bytes, data, verify, into }: Doing,
  number: number,
  acknowledged: number,
): Piece {
  return {
    verb,
    volume,
    slice,
    offset,
    bytes,
    session,
    gen,
    number,
    acknowledged,
    seq: 0,
    checksums: null,
    data,
    verify,
    into,
  }
}

/** For each slice that has some of the extent: from the first byte of that to the last. */
function reachBySlice(
  volume: VolumeRecord,
  offset: number,
  bytes: number,
): ReadonlyMap<SliceId, { readonly from: number; to: number }> {
  const reach = new Map<SliceId, { readonly from: number; to: number }>()
  const end = offset + bytes
  for (let at = offset; at < end; ) {
    const to = at + pieceBytes(at, end - at)
    const slice = sliceAt(volume, at)
    const known = reach.get(slice)
    if (known === undefined) reach.set(slice, { from: at, to })
    else known.to = to
    at = to
  }
  return reach
}

/** The worst of the pieces' outcomes is the command's. */
const severity: readonly Outcome[] = ['done', 'full', 'damaged', 'gone', 'refused']

function worse(a: Outcome, b: Outcome): Outcome {
  return severity.indexOf(a) < severity.indexOf(b) ? b : a
}

function joined(outcomes: readonly (Outcome | Promise<Outcome>)[]): Outcome | Promise<Outcome> {
  const [only] = outcomes
  if (outcomes.length === 1 && only !== undefined) return only
  let worst: Outcome = 'done'
  const late: Promise<Outcome>[] = []
  for (const outcome of outcomes) {
    if (typeof outcome === 'string') worst = worse(worst, outcome)
    else late.push(outcome)
  }
  if (late.length === 0) return worst
  return Promise.all(late).then((all) => all.reduce(worse, worst))
}

function plain(outcome: CompareOutcome): Outcome {
  assert(typeof outcome === 'string', 'only a comparison miscompares')
  return outcome
}
