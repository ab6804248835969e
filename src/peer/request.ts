// An operation under way at another member, as its link sends it.
import type { Epoch } from '../base/ids.ts'
import { BLOCK_BYTES } from '../base/sizes.ts'
import { checksumsOf, type FrameFields, frameFields, frameKind } from './frames.ts'
import { copyOperation, type Operation } from './operation.ts'

/** What an operation counts at least: the other member keeps something of each. */
const OPERATION_LEAST_BYTES = 1024

export interface Request {
  readonly kind: number
  readonly operation: Operation
  /** Of the slice; read at each sending, as it may have been raised since the last one. */
  readonly epoch: Epoch
  /** Of the volume, as this member knows it; read at each sending, like `epoch`. */
  readonly view: number
  /** What is sent with it; must not change before it is answered or withdrawn. */
  readonly payload: Uint8Array | null
  /** Of the payload's blocks, as they entered; null: they are made when it is sent. */
  readonly checksums: Uint32Array | null
  /** Where the answer's bytes go. */
  readonly into: Uint8Array | null
  /** Called once, with a status of message.ts; `offset` of a miscompare. */
  settle(status: number, offset: number): void
}

/** Its frame's header. */
export function fieldsOf(request: Request, number: number): FrameFields {
  const fields = frameFields(request.kind, number)
  copyOperation(request.operation, fields)
  fields.epoch = request.epoch
  fields.view = request.view
  // What is compared goes before what is written, so its blocks are not those of the volume.
  if (request.payload !== null && request.kind !== frameKind.compareAndWrite)
    fields.phase = request.operation.offset % BLOCK_BYTES
  return fields
}

/** What it moves, not what it names: an unmap moves nothing (P4). */
export function cost({ payload, into }: Request): number {
  return Math.max(OPERATION_LEAST_BYTES, payload?.length ?? into?.length ?? 0)
}

/** Since its checksums were made. */
export function hasChanged({ payload, checksums, operation }: Request): boolean {
  if (payload === null || checksums === null) return false
  const now = checksumsOf(payload, operation.offset % BLOCK_BYTES)
  return now.some((sum, block) => sum !== checksums[block])
}
