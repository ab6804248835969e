// What copies send each other as a whole, in bytes: a page (a block that says which blocks are there, and which are lost, then those
// that are there in their order) and the edges of an unmap.
import { readU32 } from '../base/bytes.ts'
import { crc32c } from '../base/crc32c.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../base/sizes.ts'
import type { UnmapEdges } from './operation.ts'

/** A bit for each block of a page, the first one lowest. */
export const PRESENT_BYTES = PAGE_BYTES / BLOCK_BYTES / 8
export const PAGE_PAYLOAD_MAX = BLOCK_BYTES + PAGE_BYTES

/** The blocks of a page that are there, by a bit each. */
export function countPresent(present: Uint8Array): number {
  let count = 0
  for (let at = 0; at < PRESENT_BYTES; at += 4) count += countBits(readU32(present, at))
  return count
}

function countBits(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555)
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

/** How long a page's payload is that begins so. */
export function pagePayloadBytes(payload: Uint8Array): number {
  return BLOCK_BYTES * (1 + countPresent(payload))
}

/** Puts a page into `into`, and gives back what it takes of it. */
export function pagePayload(into: Uint8Array, { present, blocks, lost }: PageContent): Uint8Array {
  into.fill(0, PRESENT_BYTES, BLOCK_BYTES)
  into.set(present)
  if (lost !== null) into.set(lost, PRESENT_BYTES)
  into.set(blocks, BLOCK_BYTES)
  return into.subarray(0, BLOCK_BYTES + blocks.length)
}

/** F3 of frames.ts: those of the page's blocks are the ones that it came with, behind that of its first one. */
export function pageChecksums(payload: Uint8Array, ofBlocks: Uint32Array): Uint32Array {
  const checksums = new Uint32Array(1 + ofBlocks.length)
  checksums[0] = crc32c(payload.subarray(0, BLOCK_BYTES))
  checksums.set(ofBlocks, 1)
  return checksums
}

export interface PageContent {
  readonly present: Uint8Array
  readonly blocks: Uint8Array
  /** Of these nothing is known (PC2 of store/page-copy.ts); null: of all there is. */
  readonly lost: Uint8Array | null
}

/** Views of the payload: they are valid as long as it is. */
export function pageOfPayload(payload: Uint8Array): PageContent {
  const lost = payload.subarray(PRESENT_BYTES, 2 * PRESENT_BYTES)
  return {
    present: payload.subarray(0, PRESENT_BYTES),
    lost: lost.some((byte) => byte !== 0) ? lost : null,
    blocks: payload.subarray(BLOCK_BYTES, pagePayloadBytes(payload)),
  }
}

const headEdge = 1
const tailEdge = 2

/** The status byte of a replicated unmap. */
export function edgeBits(edges: UnmapEdges | null): number {
  if (edges === null) return 0
  return (edges.head === null ? 0 : headEdge) | (edges.tail === null ? 0 : tailEdge)
}

export function areEdgeBits(bits: number): boolean {
  return bits <= (headEdge | tailEdge)
}

export function hasHead(bits: number): boolean {
  return (bits & headEdge) !== 0
}

/** How many blocks come with it. */
export function edgeBytes(bits: number): number {
  return BLOCK_BYTES * countBits(bits)
}

export function edgesPayload(edges: UnmapEdges | null): Uint8Array | null {
  if (edges === null || edges.head === null) return edges?.tail ?? null
  if (edges.tail === null) return edges.head
  const both = new Uint8Array(2 * BLOCK_BYTES)
  both.set(edges.head)
  both.set(edges.tail, BLOCK_BYTES)
  return both
}

/** Views of the payload. */
export function edgesOfPayload(bits: number, payload: Uint8Array | null): UnmapEdges | null {
  if (bits === 0 || payload === null) return null
  const head = hasHead(bits) ? payload.subarray(0, BLOCK_BYTES) : null
  const tail = (bits & tailEdge) === 0 ? null : payload.subarray(payload.length - BLOCK_BYTES)
  return { head, tail }
}
