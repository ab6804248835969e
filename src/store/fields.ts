// 64-bit fields, big-endian like those of base/bytes.ts. They hold safe integers (< 2^53): positions, ids and counters
// never get near that, and plain numbers need no allocation.
import { assert } from '../base/assert.ts'
import { readU32, writeU32 } from '../base/bytes.ts'

const TWO_32 = 4294967296

/** A value that was never written by `writeU64` may exceed the safe integers; it then only fails to match. */
export function readU64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) * TWO_32 + readU32(bytes, at + 4)
}

export function writeU64(bytes: Uint8Array, at: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, 'a 64-bit field holds a safe integer')
  writeU32(bytes, at, Math.floor(value / TWO_32))
  writeU32(bytes, at + 4, value >>> 0)
}
