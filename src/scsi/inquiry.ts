// INQUIRY (SPC-4 §6.6): standard data, or a VPD page.
import { byte, read16, write16, writeAscii } from './cdb.ts'
import type { LogicalUnit } from './logical-unit.ts'
import { dataIn, invalidInCdb, type Plan } from './plan.ts'
import { vpdPage } from './vpd-pages.ts'

export const vendor = 'EVENKEEL'
const product = 'VOLUME'
/** Of the interface, not of the release: a change would be reported as 3F/03 to every initiator. */
const revision = '1'

const STANDARD_BYTES = 96
const DIRECT_ACCESS = 0x00
/** Qualifier 3, type 1Fh: no logical unit can be here. */
const NO_UNIT = 0x7f
const SPC_4 = 0x06
const HISUP_AND_FORMAT_2 = 0x12
const CMDQUE = 0x02
/** SAM-5, iSCSI, SPC-4, SBC-3. */
const versionDescriptors = [0x00a0, 0x0960, 0x0460, 0x04c0]

export function planInquiry(cdb: Uint8Array, unit: LogicalUnit): Plan {
  const allocationBytes = read16(cdb, 3)
  const code = byte(cdb, 2)
  const wantsPage = (byte(cdb, 1) & 0x01) !== 0 // EVPD
  if (!wantsPage) {
    return code === 0 ? dataIn(standardData(DIRECT_ACCESS), allocationBytes) : invalidInCdb(2)
  }
  const page = vpdPage(code, unit)
  return page === null ? invalidInCdb(2) : dataIn(page, allocationBytes)
}

/** INQUIRY to a LUN that does not exist. */
export function planInquiryWithoutUnit(cdb: Uint8Array): Plan {
  const refused = (byte(cdb, 1) & 0x01) !== 0 || byte(cdb, 2) !== 0
  return refused ? invalidInCdb(2) : dataIn(standardData(NO_UNIT), read16(cdb, 3))
}

function standardData(peripheral: number): Uint8Array {
  const data = new Uint8Array(STANDARD_BYTES)
  data[0] = peripheral
  data[2] = SPC_4
  data[3] = HISUP_AND_FORMAT_2
  data[4] = STANDARD_BYTES - 5
  data[7] = CMDQUE
  writeAscii(data, 8, vendor.padEnd(8))
  writeAscii(data, 16, product.padEnd(16))
  writeAscii(data, 32, revision.padEnd(4))
  for (const [i, descriptor] of versionDescriptors.entries()) write16(data, 58 + 2 * i, descriptor)
  return data
}
