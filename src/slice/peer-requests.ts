// What this member's primary does for the gateways of the others: the requests of their streams, in the primary's words.
import { assert } from '../base/assert.ts'
import { UNMAP_BYTES_MAX } from '../base/sizes.ts'
import { broken, frameKind } from '../peer/frames.ts'
import { answerStatus } from '../peer/message.ts'
import type { Answer, Incoming } from '../peer/responder.ts'
import { answerOf } from './answers.ts'
import { pieceBytes } from './lanes.ts'
import type { Slices } from './slices.ts'

const stale: Answer = { status: answerStatus.stale }

/** Throws a ProtocolError for what a gateway never asks for. */
export function answerRequest(
  slices: Pick<Slices, 'epochOf' | 'read' | 'mutate'>,
  request: Incoming,
): Answer | Promise<Answer> {
  check(request)
  const { epoch, slice, kind } = request
  if (epoch === 0 || epoch !== slices.epochOf(slice)) return stale
  if (kind === frameKind.read) return answerRead(slices, request)
  const outcome = slices.mutate(request)
  return outcome instanceof Promise ? outcome.then(answerOf) : answerOf(outcome)
}

/** W6 of gateway.ts: what counts as work done for another member. */
export function movedBytes({ kind, bytes }: Incoming): number {
  return kind === frameKind.unmap ? 0 : bytes
}

function answerRead(slices: Pick<Slices, 'read'>, request: Incoming): Answer | Promise<Answer> {
  const { volume, slice, offset, into } = request
  assert(into !== null, 'a read has somewhere to put its bytes')
  const read = slices.read(request, volume, slice, offset, into)
  if (read === 'done') return { status: answerStatus.done, bytes: into }
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
