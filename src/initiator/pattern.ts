// Blocks that say who wrote them, so that whatever is read can be judged: which write it is of, whether it is whole, and
// whether it lies where it was written.
//
//   0     4        8         12 .. 17   18       20 .. 27   28      32 ..
//   magic writer   sequence  0          0        lba        crc     copies of bytes 0 to 31, to the end of the block
//
// `crc` is the CRC32C of the block with zeros in its place; numbers are big-endian.
//
// Invariants:
//   P1. A block that was stamped is read as exactly that stamp; any changed bit makes it 'damaged' or another's.
//   P2. Two stamps that differ give different bytes in every 32 bytes of the block.
import { readU32, writeU32 } from '../base/bytes.ts'
import { crc32c } from '../base/crc32c.ts'

export interface Stamp {
  /** 1 to 2^20 - 1. */
  readonly writer: number
  /** 1 to 2^32 - 1: counts the transmissions of a writer. */
  readonly sequence: number
  readonly lba: number
}

export type Reading =
  | { readonly kind: 'stamped'; readonly stamp: Stamp }
  | { readonly kind: 'zero' }
  | { readonly kind: 'damaged'; readonly reason: string }

const magic = 0x45_4b_42_31
const headBytes = 32
const crcAt = 28
const twoTo32 = 0x1_0000_0000

/** Stamps one block of `blockBytes`, a multiple of 32, at `at`. */
export function writePattern(
  bytes: Uint8Array,
  at: number,
  blockBytes: number,
  stamp: Stamp,
): void {
  bytes.fill(0, at, at + headBytes)
  writeU32(bytes, at, magic)
  writeU32(bytes, at + 4, stamp.writer)
  writeU32(bytes, at + 8, stamp.sequence)
  writeU32(bytes, at + 20, Math.floor(stamp.lba / twoTo32))
  writeU32(bytes, at + 24, stamp.lba % twoTo32)
  // Doubling copies a block of 4 KiB in seven steps.
  for (let filled = headBytes; filled < blockBytes; filled *= 2) {
    const end = at + Math.min(filled, blockBytes - filled)
    bytes.copyWithin(at + filled, at, end)
  }
  writeU32(bytes, at + crcAt, crc32c(bytes.subarray(at, at + blockBytes)))
}

export function readPattern(bytes: Uint8Array, at: number, blockBytes: number): Reading {
  const block = bytes.subarray(at, at + blockBytes)
  if (readU32(block, 0) !== magic) {
    return isZero(block) ? { kind: 'zero' } : { kind: 'damaged', reason: 'not a stamped block' }
  }
  const crc = readU32(block, crcAt)
  const head = crc32c(block.subarray(0, crcAt))
  const whole = crc32c(block.subarray(headBytes), crc32c(noCrc, head))
  if (whole !== crc) return { kind: 'damaged', reason: 'a checksum that is not the block’s' }
  const lba = readU32(block, 20) * twoTo32 + readU32(block, 24)
  const stamp = { writer: readU32(block, 4), sequence: readU32(block, 8), lba }
  return { kind: 'stamped', stamp }
}

const noCrc = new Uint8Array(4)

function isZero(block: Uint8Array): boolean {
  for (const byte of block) if (byte !== 0) return false
  return true
}
