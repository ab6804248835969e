// CRC32C (Castagnoli), one native routine for wire and disk: RFC 7143 digests, peer frames, journal and slots.
// Check value: crc32c('123456789') = e3069283.
import { crc32c as native } from '@node-rs/crc32'

/** CRC32C of the bytes as an unsigned 32-bit number, continuing from the CRC of what came before. */
export function crc32c(bytes: Uint8Array, before = 0): number {
  return native(bytes as Parameters<typeof native>[0], before)
}
