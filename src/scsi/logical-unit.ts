// A volume as the logical unit that initiators see.
//
// Invariants:
//   L1. Identity (serial, designators) is computed from the target name and the volume id alone, so it is the same at
//       every member and after every restart: initiators drop a disk whose identity changes.
import { assert } from '../base/assert.ts'
import { BLOCK_BYTES, type LogicalBlockBytes, PAGE_BYTES } from '../base/sizes.ts'

export interface LogicalUnit {
  readonly volumeId: number
  /** The target name. */
  readonly iqn: string
  /** VPD page 80h: sixteen hex digits. */
  readonly serial: string
  /** VPD page 83h: NAA 3h, locally assigned, eight bytes. */
  readonly naa: Uint8Array
  readonly blockBytes: LogicalBlockBytes
  readonly blocks: number
}

/** Every target port of the group is one and the same port. */
export const PORTAL_GROUP_TAG = 1
export const RELATIVE_PORT = 1

const MIB = 1024 * 1024

/** What one command may ask for, in bytes: bounds the memory and the time that it can take here. */
export const limits = {
  transferBytes: 8 * MIB,
  optimalTransferBytes: MIB,
  writeSameBytes: 16 * MIB,
  /** mke2fs and QEMU ask for so much at once: what it costs is what is there. */
  unmapBytes: 2048 * MIB,
  unmapDescriptors: 256,
  /** A page: what unmapping gives back to the file system. */
  optimalUnmapBytes: PAGE_BYTES,
  /** What one GET LBA STATUS tells about, and in how many descriptors. */
  lbaStatusBytes: 256 * 1024 * MIB,
  lbaStatusDescriptors: 256,
  compareAndWriteBlocks: 1,
  /** Parameter lists of MODE SELECT. */
  modeSelectBytes: 512,
} as const

export function logicalUnit(volume: {
  readonly id: number
  readonly iqn: string
  readonly bytes: number
  readonly blockBytes: LogicalBlockBytes
}): LogicalUnit {
  assert(volume.bytes >= BLOCK_BYTES, 'a volume has at least one physical block')
  assert(volume.bytes % volume.blockBytes === 0, 'a volume is a whole number of blocks')
  const identity = `${volume.iqn}#${volume.id}`
  const naa = new Uint8Array(8)
  putHash(naa, 0, identity, 0x9e3779b9)
  putHash(naa, 4, identity, 0x7f4a7c15)
  naa[0] = 0x30 | ((naa[0] ?? 0) & 0x0f)
  return {
    volumeId: volume.id,
    iqn: volume.iqn,
    serial: [...naa].map((part) => part.toString(16).padStart(2, '0')).join(''),
    naa,
    blockBytes: volume.blockBytes,
    blocks: volume.bytes / volume.blockBytes,
  }
}

export function bytesOf({ blocks, blockBytes }: LogicalUnit): number {
  return blocks * blockBytes
}

/** 32 bits of a seeded multiply-and-rotate hash (the steps of MurmurHash3) over the characters. */
function putHash(into: Uint8Array, at: number, text: string, seed: number): void {
  let hash = seed
  for (let i = 0; i < text.length; i += 1) {
    const mixed = Math.imul(text.charCodeAt(i), 0xcc9e2d51)
    hash ^= Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593)
    hash = Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64
  }
  hash ^= text.length
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  hash ^= hash >>> 16
  for (let i = 0; i < 4; i += 1) into[at + i] = hash >>> (24 - 8 * i)
}
