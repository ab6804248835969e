// What this member's primary does for the gateways of the others: the requests of their streams, in the primary's words.
import { assert } from '../base/assert.ts'
import { UNMAP_BYTES_MAX } from '../base/sizes.ts'
import { broken, frameKind, gateOf } from '../peer/frames.ts'
import type { Incoming } from '../peer/incoming.ts'
import { answerStatus } from '../peer/message.ts'
import type { Answer } from '../peer/responder.ts'
import { answerOf } from './answers.ts'
import { pieceBytes } from './lanes.ts'
import type { CompareOutcome, Stale } from './outcome.ts'
import type { Slices } from './slices.ts'

type Asked = Pick<Slices, 'epochOf' | 'isOfView' | 'read' | 'checksums' | 'mutate'> & {
  readonly copies: Pick<Slices['copies'], 'answer'>
}

const stale: Answer = { status: answerStatus.stale }

export class PeerRequests {
  /** Since the start. An unmap moves no bytes, whatever it names (W6 of volume/gateway.ts). */
  readonly handled = { pieces: 0, bytes: 0 }
  readonly #slices: Asked

  constructor(slices: Asked) {
    this.#slices = slices
  }

  /** Throws a ProtocolError for what a gateway never asks for. */
  answer(request: Incoming): Answer | Promise<Answer> {
    const { epoch, view, volume, slice, kind, bytes } = request
    if (gateOf(kind) === 'open') return this.#slices.copies.answer(request)
    this.handled.pieces += 1
    if (kind !== frameKind.unmap) this.handled.bytes += bytes
    check(request)
    if (epoch === 0 || epoch !== this.#slices.epochOf(slice)) return stale
    if (!this.#slices.isOfView(volume, view)) return stale // V9
    if (kind === frameKind.read) return answerRead(this.#slices, request)
    const outcome = this.#slices.mutate(request)
    if (!(outcome instanceof Promise)) return answerMutation(request, outcome)
    return outcome.then((late) => answerMutation(request, late))
  }
}

/** With its place in the order of its slice, if it has one. */
function answerMutation(
  { epoch, seq }: Pick<Incoming, 'epoch' | 'seq'>,
  outcome: CompareOutcome | Stale,
): Answer {
  if (outcome === 'stale' || seq === 0) return answerOf(outcome)
  if (outcome === 'done') return { status: answerStatus.done, epoch, seq }
  return { ...answerOf(outcome), epoch, seq }
}

function answerRead(slices: Asked, request: Incoming): Answer | Promise<Answer> {
  const { volume, slice, offset, into } = request
  assert(into !== null, 'a read has somewhere to put its bytes')
  const read = slices.read(request, volume, slice, offset, into)
  if (read === 'done') {
    const checksums = slices.checksums(volume, offset, into.length)
    return { status: answerStatus.done, bytes: into, checksums }
  }
  if (typeof read === 'string') return answerOf(read)
  return read.then((late) =>
    late === 'done' ? { status: answerStatus.done, bytes: into } : answerOf(late),
  )
}

function check({ kind, offset, bytes, number, acknowledged }: Incoming): void {
  const isUnmap = kind === frameKind.unmap
  if (bytes === 0 || bytes > UNMAP_BYTES_MAX || (!isUnmap && pieceBytes(offset, bytes) !== bytes))
    throw broken('a request is not inside one run')
  if (kind === frameKind.read) return
  if (number === 0) throw broken('a write without a number')
  if (acknowledged >= number) throw broken('a write that was acknowledged before it was sent')
}
