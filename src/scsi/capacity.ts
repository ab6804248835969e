// READ CAPACITY (10) and (16), GET LBA STATUS (SBC-3 §5.15, §5.16, §5.8).
import { read32, read64, write32, write64 } from './cdb.ts'
import { type LogicalUnit, PHYSICAL_BLOCK_BYTES } from './logical-unit.ts'
import { answer, type Plan, sense } from './plan.ts'
import { conditions } from './sense.ts'

/** PMI and LBA are obsolete and ignored: the last block of all is a right answer to them too. */
export function planReadCapacity10(_cdb: Uint8Array, unit: LogicalUnit): Plan {
  const data = new Uint8Array(8)
  write32(data, 0, Math.min(unit.blocks - 1, 0xffffffff))
  write32(data, 4, unit.blockBytes)
  return answer(data, data.length)
}

const LBPME = 0x80
const LBPRZ = 0x40

export function planReadCapacity16(cdb: Uint8Array, unit: LogicalUnit): Plan {
  const data = new Uint8Array(32)
  write64(data, 0, unit.blocks - 1)
  write32(data, 8, unit.blockBytes)
  data[13] = Math.log2(PHYSICAL_BLOCK_BYTES / unit.blockBytes)
  data[14] = LBPME | LBPRZ
  return answer(data, read32(cdb, 10))
}

const MAPPED_OR_UNKNOWN = 0

/** One descriptor for all that follows: which blocks have space is known to the primaries only, and 0h may always be said. */
export function planGetLbaStatus(cdb: Uint8Array, unit: LogicalUnit): Plan {
  const lba = read64(cdb, 2)
  if (lba >= unit.blocks) {
    return sense(conditions.lbaOutOfRange, { field: { inCdb: true, pointer: 2 } })
  }
  const data = new Uint8Array(24)
  write32(data, 0, data.length - 4)
  write64(data, 8, lba)
  write32(data, 16, Math.min(unit.blocks - lba, 0xffffffff))
  data[20] = MAPPED_OR_UNKNOWN
  return answer(data, read32(cdb, 10))
}
