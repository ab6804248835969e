// Header and data digests: CRC32C with its least significant byte first on the wire (RFC 7143 §13.1).
// Vectors (RFC 3720 §B.4): 32 bytes of 00 give aa 36 91 8a, of ff give 43 ab a8 62.
import { crc32c } from '../base/crc32c.ts'

export const digestBytes = 4

export function writeDigest(bytes: Uint8Array, at: number, crc: number): void {
  bytes[at] = crc
  bytes[at + 1] = crc >>> 8
  bytes[at + 2] = crc >>> 16
  bytes[at + 3] = crc >>> 24
}

export function readDigest(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24)) >>>
    0
  )
}

/** Writes the digest of bytes [from, to) right behind them. */
export function sealRange(bytes: Uint8Array, from: number, to: number): void {
  writeDigest(bytes, to, crc32c(bytes.subarray(from, to)))
}

/** Whether the digest right behind bytes [from, to) is theirs. */
export function rangeIsIntact(bytes: Uint8Array, from: number, to: number): boolean {
  return readDigest(bytes, to) === crc32c(bytes.subarray(from, to))
}
