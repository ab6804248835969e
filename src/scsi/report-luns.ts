// REPORT LUNS (SPC-4 §6.33): a target has one logical unit, 0. Answered for any LUN.
import { byte, read32, write32 } from './cdb.ts'
import { dataIn, invalidInCdb, type Plan } from './plan.ts'

const ENTRY_BYTES = 8
const SELECT_WELL_KNOWN = 1

export function planReportLuns(cdb: Uint8Array): Plan {
  const select = byte(cdb, 2)
  if (select > 2) return invalidInCdb(2)
  const units = select === SELECT_WELL_KNOWN ? 0 : 1
  const data = new Uint8Array(8 + units * ENTRY_BYTES)
  write32(data, 0, units * ENTRY_BYTES)
  return dataIn(data, read32(cdb, 6))
}
