// READ CAPACITY (10) and (16), GET LBA STATUS (SBC-3 §5.15, §5.16, §5.8).

import { BLOCK_BYTES } from '../base/sizes.ts'
import { read32, read64, write32, write64 } from './cdb.ts'
import { type LogicalUnit, limits } from './logical-unit.ts'
import { dataIn, type LbaStatusPlan, type Plan, sense } from './plan.ts'
import { conditions } from './sense.ts'

/** PMI and LBA are obsolete and ignored: the last block of all is a right answer to them too. */
export function planReadCapacity10(_cdb: Uint8Array, unit: LogicalUnit): Plan {
  const data = new Uint8Array(8)
  write32(data, 0, Math.min(unit.blocks - 1, 0xffffffff))
  write32(data, 4, unit.blockBytes)
  return dataIn(data, data.length)
}

const LBPME = 0x80
const LBPRZ = 0x40

export function planReadCapacity16(cdb: Uint8Array, unit: LogicalUnit): Plan {
  const data = new Uint8Array(32)
  write64(data, 0, unit.blocks - 1)
  write32(data, 8, unit.blockBytes)
  data[13] = Math.log2(BLOCK_BYTES / unit.blockBytes)
  data[14] = LBPME | LBPRZ
  return dataIn(data, read32(cdb, 10))
}

/** Provisioning status (SBC-3 table 68). */
const MAPPED_OR_UNKNOWN = 0
const DEALLOCATED = 1
const LBA_STATUS_HEADER_BYTES = 8
const LBA_STATUS_BYTES = 16

export function planGetLbaStatus(cdb: Uint8Array, unit: LogicalUnit): Plan {
  const lba = read64(cdb, 2)
  const allocation = read32(cdb, 10)
  if (lba >= unit.blocks) {
    return sense(conditions.lbaOutOfRange, { field: { inCdb: true, pointer: 2 } })
  }
  const fits = Math.floor((allocation - LBA_STATUS_HEADER_BYTES) / LBA_STATUS_BYTES)
  const descriptors = Math.max(1, Math.min(fits, limits.lbaStatusDescriptors))
  const offset = lba * unit.blockBytes
  return {
    kind: 'lbaStatus',
    direction: 'in',
    transferBytes: Math.min(allocation, LBA_STATUS_HEADER_BYTES + descriptors * LBA_STATUS_BYTES),
    offset,
    bytes: Math.min(unit.blocks * unit.blockBytes - offset, limits.lbaStatusBytes),
    descriptors,
  }
}

/** The parameter data: descriptors without a gap, from the first block on, up to where something is known. */
export function lbaStatus(
  { offset, descriptors, transferBytes }: LbaStatusPlan,
  unit: LogicalUnit,
  {
    upTo,
    extents,
  }: { readonly upTo: number; readonly extents: readonly (readonly [number, number])[] },
): Uint8Array {
  const parts: { from: number; to: number; status: number }[] = []
  let at = offset
  const tell = (to: number, status: number) => {
    if (to > at && parts.length < descriptors) parts.push({ from: at, to, status })
    at = Math.max(at, to)
  }
  for (const [from, to] of extents) {
    tell(from, DEALLOCATED)
    tell(to, MAPPED_OR_UNKNOWN)
  }
  tell(upTo, DEALLOCATED)
  const data = new Uint8Array(LBA_STATUS_HEADER_BYTES + parts.length * LBA_STATUS_BYTES)
  write32(data, 0, data.length - 4)
  for (const [i, { from, to, status }] of parts.entries()) {
    const place = LBA_STATUS_HEADER_BYTES + i * LBA_STATUS_BYTES
    write64(data, place, from / unit.blockBytes)
    write32(data, place + 8, (to - from) / unit.blockBytes)
    data[place + 12] = status
  }
  return data.subarray(0, transferBytes)
}
