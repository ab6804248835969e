// UNMAP and its parameter list (SBC-3 §5.28).
import { read16, read32, read64 } from './cdb.ts'
import { type LogicalUnit, limits } from './logical-unit.ts'
import type { NexusState } from './nexus-state.ts'
import {
  good,
  invalidInCdb,
  invalidInList,
  type Plan,
  parameters,
  type Range,
  sense,
} from './plan.ts'
import { conditions } from './sense.ts'

const HEADER_BYTES = 8
const DESCRIPTOR_BYTES = 16

export function planUnmap(cdb: Uint8Array, _unit: LogicalUnit, nexus: NexusState): Plan {
  const bytes = read16(cdb, 7)
  if (nexus.softwareWriteProtect) return sense(conditions.softwareWriteProtected)
  if (bytes === 0) return good
  if (bytes < HEADER_BYTES) return sense(conditions.parameterListLength)
  if (bytes > HEADER_BYTES + (limits.unmapDescriptors + 1) * DESCRIPTOR_BYTES) {
    return invalidInCdb(7)
  }
  return parameters(bytes, parseUnmap)
}

/** A last, incomplete descriptor is ignored; nothing is unmapped unless every descriptor is acceptable. */
function parseUnmap(list: Uint8Array, unit: LogicalUnit): Plan {
  if (list.length < HEADER_BYTES) return sense(conditions.parameterListLength)
  const described = read16(list, 2)
  if (described > list.length - HEADER_BYTES) return sense(conditions.parameterListLength)
  const count = Math.floor(described / DESCRIPTOR_BYTES)
  if (count > limits.unmapDescriptors) return invalidInList(2)
  const ranges: Range[] = []
  let total = 0
  for (let i = 0; i < count; i += 1) {
    const at = HEADER_BYTES + i * DESCRIPTOR_BYTES
    const lba = read64(list, at)
    const blocks = read32(list, at + 8)
    if (lba + blocks > unit.blocks) {
      return sense(conditions.lbaOutOfRange, { field: { inCdb: false, pointer: at } })
    }
    total += blocks * unit.blockBytes
    if (total > limits.unmapBytes) return invalidInList(at + 8)
    if (blocks > 0) append(ranges, lba * unit.blockBytes, blocks * unit.blockBytes)
  }
  if (ranges.length === 0) return good
  return { kind: 'unmap', direction: 'none', transferBytes: 0, ranges }
}

/** Neighbours become one range: initiators list block after block. */
function append(ranges: Range[], offset: number, bytes: number): void {
  const last = ranges.at(-1)
  if (last === undefined || last.offset + last.bytes !== offset) ranges.push({ offset, bytes })
  else ranges[ranges.length - 1] = { offset: last.offset, bytes: last.bytes + bytes }
}
