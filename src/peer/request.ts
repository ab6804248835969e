// An operation under way at another member, as its link sends it.
import { pooledBytes } from '../base/buffer-pool.ts'
import type { Epoch } from '../base/ids.ts'
import { BLOCK_BYTES } from '../base/sizes.ts'
import {
  blocksOf,
  broken,
  checksumsOf,
  type Frame,
  type FrameFields,
  frameFields,
  frameKind,
  gateOf,
} from './frames.ts'
import { copyOperation, type Operation, type UnmapEdges } from './operation.ts'
import { edgeBits, PAGE_PAYLOAD_MAX, pagePayloadBytes } from './page-payload.ts'

/** What an operation counts at least: the other member keeps something of each. */
const OPERATION_LEAST_BYTES = 1024

export interface Request {
  readonly kind: number
  readonly operation: Operation
  /** Of the slice; read at each sending, as it may have been raised since the last one. */
  readonly epoch: Epoch
  /** Of the volume, as this member knows it; read at each sending, like `epoch`. */
  readonly view: number
  /** Of what a copy is sent: which mutation of the epoch it is; of `install`, of the page's stamp. Not there: 0. */
  readonly seq?: number
  /** What is sent with it; must not change before it is answered or withdrawn. */
  readonly payload: Uint8Array | null
  /** Of the payload's blocks, as they entered; null: they are made when it is sent. */
  readonly checksums: Uint32Array | null
  /** Of `replicateUnmap`, which has them as its payload (`edgesPayload`). */
  readonly edges?: UnmapEdges | null
  /** Where the answer's bytes go; of `fetch`, which may answer with less, PAGE_PAYLOAD_MAX. */
  readonly into: Uint8Array | null
  /** Where the checksums go that come with the blocks of a `fetch`, those of its first block too. */
  readonly intoChecksums?: Uint32Array
  /**
   * Called once, with a status of message.ts; `offset` of a miscompare. `seq` and `epoch`: of a mutation, its place in its slice;
   * of what a copy was sent, up to where the copy has all; of `fetch`, the page's stamp.
   */
  settle(status: number, offset: number, seq: number, epoch: Epoch): void
}

/** Its frame's header. */
export function fieldsOf(request: Request, number: number): FrameFields {
  const { kind, operation, payload } = request
  const fields = frameFields(kind, number)
  copyOperation(operation, fields)
  fields.epoch = request.epoch
  fields.view = request.view
  // What is compared goes before what is written, so its blocks are not those of the volume.
  if (payload !== null && kind !== frameKind.compareAndWrite)
    fields.phase = operation.offset % BLOCK_BYTES
  if (gateOf(kind) === 'serving') return fields
  fields.seq = request.seq ?? 0
  fields.status = edgeBits(request.edges ?? null)
  if (kind === frameKind.install) fields.bytes = payload?.length ?? 0
  if (kind === frameKind.fetch) fields.bytes = PAGE_PAYLOAD_MAX
  return fields
}

/** What it moves, not what it names: an unmap moves nothing (P4). */
export function cost({ kind, payload, into }: Request): number {
  return costOf(kind, payload?.length ?? into?.length ?? 0)
}

/** P4 P7. What goes between copies counts as the buffer that is kept for it: a page with its first block takes two megabytes. */
export function costOf(kind: number, bytes: number): number {
  if (bytes > 0 && gateOf(kind) === 'open') return pooledBytes(bytes)
  return Math.max(OPERATION_LEAST_BYTES, bytes)
}

/** What an answer brings, into the request's buffers. */
export function keepAnswer(request: Request, f: Frame, checksums: Uint32Array): void {
  const { into, intoChecksums } = request
  into?.set(f.payload, f.bytes)
  if (intoChecksums === undefined) return
  if (f.bytes % BLOCK_BYTES !== 0 || f.phase !== 0) throw broken('a page that is cut in a block')
  const first = f.bytes / BLOCK_BYTES
  for (let block = 0; block < blocksOf(0, f.payloadBytes); block += 1)
    intoChecksums[first + block] = checksums[block] ?? 0
}

/** What the answer has when it is done: of a page as much as it says itself. */
export function answerBytes({ kind, into }: Request): number {
  if (into === null) return 0
  return kind === frameKind.fetch ? pagePayloadBytes(into) : into.length
}

/** Since its checksums were made. */
export function hasChanged({ payload, checksums, operation }: Request): boolean {
  if (payload === null || checksums === null) return false
  const now = checksumsOf(payload, operation.offset % BLOCK_BYTES)
  return now.some((sum, block) => sum !== checksums[block])
}
