// CRC32C (Castagnoli), one native routine for wire and disk: RFC 7143 digests, peer frames, journal and slots. For less
// than 100 bytes a call of it costs more than the sum (140 ns against 80 ns, measured), so headers have a loop here.
// Of blocks side by side one call is enough, if their own checksums are known: the CRC of the whole follows from them.
// Check value: crc32c('123456789') = e3069283.
import { crc32c as native } from '@node-rs/crc32'
import { BLOCK_BYTES } from './sizes.ts'

/** CRC32C of the bytes as an unsigned 32-bit number, continuing from the CRC of what came before. */
export function crc32c(bytes: Uint8Array, before = 0): number {
  return native(bytes as Parameters<typeof native>[0], before)
}

/**
 * The CRC of `count` whole blocks in a row whose own ones are those from `first` on. An error in one block changes it exactly
 * if it changes that block's; errors in several hide each other with a chance of 2^-32, as in one block.
 */
export function crc32cOfBlocks(checksums: Uint32Array, first: number, count: number): number {
  let crc = 0
  for (let block = first; block < first + count; block += 1) {
    const behind =
      (behindBlock[crc & 255] ?? 0) ^
      (behindBlock[256 + ((crc >>> 8) & 255)] ?? 0) ^
      (behindBlock[512 + ((crc >>> 16) & 255)] ?? 0) ^
      (behindBlock[768 + (crc >>> 24)] ?? 0)
    crc = behind ^ (checksums[block] ?? 0)
  }
  return crc >>> 0
}

/** Of bytes [from, to): the same number, for headers. */
export function crc32cOfHeader(bytes: Uint8Array, from: number, to: number): number {
  let crc = -1
  let at = from
  for (; at + 4 <= to; at += 4) {
    const word = crc ^ wordAt(bytes, at)
    crc =
      (tables[768 + (word & 255)] ?? 0) ^
      (tables[512 + ((word >>> 8) & 255)] ?? 0) ^
      (tables[256 + ((word >>> 16) & 255)] ?? 0) ^
      (tables[word >>> 24] ?? 0)
  }
  for (; at < to; at += 1) crc = (crc >>> 8) ^ (tables[(crc ^ (bytes[at] ?? 0)) & 255] ?? 0)
  return (crc ^ -1) >>> 0
}

function wordAt(b: Uint8Array, at: number): number {
  return (
    (b[at] ?? 0) | ((b[at + 1] ?? 0) << 8) | ((b[at + 2] ?? 0) << 16) | ((b[at + 3] ?? 0) << 24)
  )
}

/** Four tables of 256: what a byte adds with 0 to 3 bytes behind it. */
const tables = new Int32Array(1024)
for (let byte = 0; byte < 256; byte += 1) {
  let crc = byte
  for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  tables[byte] = crc
}
for (let at = 256; at < 1024; at += 1) {
  const before = tables[at - 256] ?? 0
  tables[at] = (before >>> 8) ^ (tables[before & 255] ?? 0)
}

/** What a CRC becomes in that of a block more: linear, so of each of its four bytes by itself. */
const behindBlock = new Int32Array(1024)
const block = new Uint8Array(BLOCK_BYTES)
for (let bit = 0; bit < 32; bit += 1) {
  const alone = crc32c(block, (1 << bit) >>> 0) ^ crc32c(block)
  const from = 256 * (bit >>> 3) + (1 << (bit & 7))
  for (let below = 0; below < 1 << (bit & 7); below += 1) {
    behindBlock[from + below] = alone ^ (behindBlock[from - (1 << (bit & 7)) + below] ?? 0)
  }
}
