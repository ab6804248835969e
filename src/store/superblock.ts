// The superblock: whose data folder this is and how it is laid out. Written once, when the folder is made; its presence
// says that the folder was made completely. Two copies; either one suffices.
import { readU32, writeU32 } from '../base/bytes.ts'
import { crc32c } from '../base/crc32c.ts'
import { decodeText, encodeText } from '../base/text.ts'
import { readU64, writeU64 } from './fields.ts'
import { FORMAT, SUPER, SUPER_COPY_BYTES, SUPER_MAGIC, SUPER_NAME_BYTES } from './layout.ts'

export interface Superblock {
  readonly groupId: string
  readonly memberId: string
  /** Random for each folder; seeds every checksum in it, so that bytes of another folder never pass for this one's. */
  readonly folderId: string
  readonly journalBytes: number
  readonly slotsPerSegment: number
}

export type SuperblockReading =
  | { readonly kind: 'good'; readonly superblock: Superblock }
  | { readonly kind: 'otherFormat'; readonly format: number }
  | { readonly kind: 'damaged' }

export function checksumSeed(folderId: string): number {
  return crc32c(encodeText(folderId))
}

/** Both copies. */
export function encodeSuperblock(superblock: Superblock): Uint8Array {
  const bytes = new Uint8Array(2 * SUPER_COPY_BYTES)
  const copy = bytes.subarray(0, SUPER_COPY_BYTES)
  writeU32(copy, SUPER.magic, SUPER_MAGIC)
  writeU32(copy, SUPER.format, FORMAT)
  writeU64(copy, SUPER.journalBytes, superblock.journalBytes)
  writeU32(copy, SUPER.slotsPerSegment, superblock.slotsPerSegment)
  putName(copy, SUPER.folderId, superblock.folderId)
  putName(copy, SUPER.groupId, superblock.groupId)
  putName(copy, SUPER.memberId, superblock.memberId)
  writeU32(copy, SUPER.checksum, crc32c(copy.subarray(0, SUPER.checksum)))
  bytes.copyWithin(SUPER_COPY_BYTES, 0, SUPER_COPY_BYTES)
  return bytes
}

export function decodeSuperblock(bytes: Uint8Array): SuperblockReading {
  let other = 0
  for (let at = 0; at + SUPER_COPY_BYTES <= bytes.length; at += SUPER_COPY_BYTES) {
    const copy = bytes.subarray(at, at + SUPER_COPY_BYTES)
    if (readU32(copy, SUPER.magic) !== SUPER_MAGIC) continue
    const format = readU32(copy, SUPER.format)
    const whole = crc32c(copy.subarray(0, SUPER.checksum)) === readU32(copy, SUPER.checksum)
    if (whole && format === FORMAT) return { kind: 'good', superblock: superblockOf(copy) }
    // A newer format may keep its checksum elsewhere, so its number is believed without.
    if (whole || format > FORMAT) other = Math.max(other, format)
  }
  return other > 0 ? { kind: 'otherFormat', format: other } : { kind: 'damaged' }
}

function superblockOf(copy: Uint8Array): Superblock {
  return {
    groupId: nameAt(copy, SUPER.groupId),
    memberId: nameAt(copy, SUPER.memberId),
    folderId: nameAt(copy, SUPER.folderId),
    journalBytes: readU64(copy, SUPER.journalBytes),
    slotsPerSegment: readU32(copy, SUPER.slotsPerSegment),
  }
}

function putName(copy: Uint8Array, at: number, name: string): void {
  const bytes = encodeText(name)
  if (bytes.length === 0 || bytes.length > SUPER_NAME_BYTES) {
    throw new RangeError(`a name in the superblock is 1 to ${SUPER_NAME_BYTES} bytes: '${name}'`)
  }
  copy.set(bytes, at)
}

function nameAt(copy: Uint8Array, at: number): string {
  const field = copy.subarray(at, at + SUPER_NAME_BYTES)
  const end = field.indexOf(0)
  return decodeText(end < 0 ? field : field.subarray(0, end))
}
