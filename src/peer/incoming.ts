// A request of another member, from its first frame to its last: what it names is checked, and its buffers are taken.
//
// Invariants:
//   P6. An operation goes on only when it is complete: with as many bytes as it names, and blocks cut nowhere (F3).
//   P17. What a copy is asked is whole blocks with a place in an epoch, and a page has the blocks that it says; nothing else
//        reaches the copy.
import { BufferPool } from '../base/buffer-pool.ts'
import type { Epoch } from '../base/ids.ts'
import { BLOCK_BYTES, OPERATION_BYTES_MAX, PAGE_BYTES, UNMAP_BYTES_MAX } from '../base/sizes.ts'
import { blocksOf, broken, type Frame, frameKind, gateOf, lastFlag } from './frames.ts'
import { copyOperation, type Mutation, noOperation, type UnmapEdges } from './operation.ts'
import {
  areEdgeBits,
  edgeBytes,
  edgesOfPayload,
  hasHead,
  PAGE_PAYLOAD_MAX,
  pagePayloadBytes,
} from './page-payload.ts'

/** Of all streams: what is written until its answer, what is read until it is framed. As much as one link has under way. */
export const buffers = new BufferPool(16 * 1024 * 1024)

/** A whole request of another member. Its buffers are its own until its answer; `data`, `verify` and `edges` are parts of `payload`. */
export interface Incoming extends Mutation {
  readonly kind: number
  readonly epoch: Epoch
  readonly view: number
  /** Of `install`: pageOfPayload knows its parts; `checksums` are those of its first block, then of the page's. */
  readonly payload: Uint8Array<ArrayBuffer> | null
  /** Of a replicated unmap. */
  readonly edges: UnmapEdges | null
  /** Where a read or a fetch puts its bytes. */
  readonly into: Uint8Array<ArrayBuffer> | null
}

/** What comes with it, as its first frame names it. Throws a ProtocolError for what no member asks for. */
export function payloadBytesOf(f: Frame): number {
  const { kind, bytes } = f
  switch (kind) {
    case frameKind.read:
      if (bytes > OPERATION_BYTES_MAX) throw broken('too long a read')
      return 0
    case frameKind.write:
    case frameKind.compareAndWrite:
      if (bytes > OPERATION_BYTES_MAX) throw broken('too long a write')
      return kind === frameKind.write ? bytes : 2 * bytes
    case frameKind.replicate:
    case frameKind.replicateUnmap:
    case frameKind.install:
    case frameKind.fetch:
      return copyPayloadBytes(f)
    default:
      return 0
  }
}

/** P17 */
function copyPayloadBytes(f: Frame): number {
  const { kind, epoch, seq, offset, bytes } = f
  if (epoch === 0) throw broken('a copy is asked without an epoch')
  if (offset % BLOCK_BYTES !== 0 || bytes % BLOCK_BYTES !== 0)
    throw broken('a copy is asked for parts of blocks')
  if (kind === frameKind.fetch || kind === frameKind.install) return pageBytesOf(f)
  if (seq === 0) throw broken('a copy is sent what has no place')
  if (kind === frameKind.replicateUnmap) return edgeBytesOf(f)
  // One that begins inside a block takes a block more than it moves.
  if (bytes === 0 || bytes > OPERATION_BYTES_MAX + BLOCK_BYTES) throw broken('too long a write')
  return bytes
}

function pageBytesOf({ kind, offset, bytes }: Frame): number {
  const isInstall = kind === frameKind.install
  if (offset % PAGE_BYTES !== 0) throw broken('a page that begins inside one')
  if (bytes < (isInstall ? BLOCK_BYTES : PAGE_PAYLOAD_MAX) || bytes > PAGE_PAYLOAD_MAX)
    throw broken('a page of another length')
  return isInstall ? bytes : 0
}

function edgeBytesOf({ status, offset, bytes }: Frame): number {
  if (bytes > UNMAP_BYTES_MAX + 2 * BLOCK_BYTES) throw broken('too long an unmap')
  if (!areEdgeBits(status) || (bytes === 0 && status === 0)) throw broken('no such edges')
  if (hasHead(status) && offset === 0) throw broken('an edge before the volume')
  return edgeBytes(status)
}

/** A request with a payload, of which not every frame has come. */
export class Assembly {
  readonly request: Incoming
  readonly payload: Uint8Array<ArrayBuffer>
  /** Of its blocks; null: of a comparison. */
  readonly #checksums: Uint32Array | null
  #filled = 0

  constructor(f: Frame, payloadBytes: number) {
    const hasChecksums = f.kind !== frameKind.compareAndWrite
    this.payload = take(payloadBytes)
    this.#checksums = hasChecksums
      ? new Uint32Array(blocksOf(f.offset % BLOCK_BYTES, payloadBytes))
      : null
    this.request = incoming(f, this.payload, this.#checksums)
  }

  /** True: it is complete (P6). `checksums`: of the frame's blocks. */
  add(f: Frame, checksums: Uint32Array): boolean {
    const { payload } = this
    if (this.#filled + f.payloadBytes > payload.length)
      throw broken('more bytes than the write named')
    payload.set(f.payload, this.#filled)
    this.#keepChecksums(f, checksums)
    this.#filled += f.payloadBytes
    if ((f.flags & lastFlag) === 0) return false
    if (this.#filled !== payload.length) throw broken('fewer bytes than the write named')
    if (this.request.kind === frameKind.install && pagePayloadBytes(payload) !== payload.length)
      throw broken('a page without the blocks that it says') // P17
    return true
  }

  /** F3: of a part of a block there is no checksum by which the block could be told later. */
  #keepChecksums(f: Frame, from: Uint32Array): void {
    if (this.#checksums === null) return
    const phase = this.request.offset % BLOCK_BYTES
    const at = phase + this.#filled
    if (at % BLOCK_BYTES !== f.phase || f.phase !== (this.#filled === 0 ? phase : 0))
      throw broken('a write that is cut inside a block')
    const first = Math.floor(at / BLOCK_BYTES)
    for (let block = 0; block < blocksOf(f.phase, f.payloadBytes); block += 1) {
      this.#checksums[first + block] = from[block] ?? 0
    }
  }
}

function take(bytes: number): Uint8Array<ArrayBuffer> {
  const buffer = buffers.take(bytes)
  return buffer.length === bytes ? buffer : buffer.subarray(0, bytes)
}

/** `checksums` are filled in as the frames come. */
export function incoming(
  f: Frame,
  payload: Uint8Array<ArrayBuffer> | null,
  checksums: Uint32Array | null,
): Incoming {
  const { kind, epoch: asked, view, bytes } = f
  const compares = kind === frameKind.compareAndWrite && payload !== null
  const isUnmap = kind === frameKind.replicateUnmap
  const isPage = kind === frameKind.install || kind === frameKind.fetch
  const hasBytes = kind === frameKind.read || kind === frameKind.fetch
  const request = {
    ...noOperation,
    kind,
    epoch: asked,
    view,
    seq: gateOf(kind) === 'open' ? f.seq : 0,
    checksums,
    payload,
    data: compares ? payload.subarray(bytes) : isUnmap ? null : payload,
    verify: compares ? payload.subarray(0, bytes) : null,
    edges: isUnmap ? edgesOfPayload(f.status, payload) : null,
    into: hasBytes ? take(bytes) : null,
  }
  copyOperation(f, request)
  if (isPage) request.bytes = PAGE_BYTES
  return request
}
