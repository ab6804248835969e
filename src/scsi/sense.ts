// Sense data (SPC-4 §4.5): every condition that this target reports, by name, and its bytes in fixed or descriptor
// format.
//
// Invariants:
//   E1. ILLEGAL REQUEST for a field of the CDB or of the parameter list carries SKSV=1 and the real field pointer, since
//       without it initiators take a refused field of a service action for a missing command.
//   E2. The format is the nexus's D_SENSE; nothing else depends on it.
import { write16, write32, write64 } from './cdb.ts'

export interface Condition {
  readonly key: number
  readonly asc: number
  readonly ascq: number
}

/** Key, additional sense code and qualifier (SPC-4 annex F). */
export const conditions = {
  noSense: { key: 0x0, asc: 0x00, ascq: 0x00 },
  unrecoveredReadError: { key: 0x3, asc: 0x11, ascq: 0x00 },
  /** The data that came do not fit the CDB and no part of it may be executed. */
  invalidFieldInInformationUnit: { key: 0x5, asc: 0x0e, ascq: 0x03 },
  parameterListLength: { key: 0x5, asc: 0x1a, ascq: 0x00 },
  invalidOperationCode: { key: 0x5, asc: 0x20, ascq: 0x00 },
  lbaOutOfRange: { key: 0x5, asc: 0x21, ascq: 0x00 },
  invalidFieldInCdb: { key: 0x5, asc: 0x24, ascq: 0x00 },
  logicalUnitNotSupported: { key: 0x5, asc: 0x25, ascq: 0x00 },
  invalidFieldInParameterList: { key: 0x5, asc: 0x26, ascq: 0x00 },
  savingParametersNotSupported: { key: 0x5, asc: 0x39, ascq: 0x00 },
  powerOnOrReset: { key: 0x6, asc: 0x29, ascq: 0x00 },
  logicalUnitReset: { key: 0x6, asc: 0x29, ascq: 0x03 },
  nexusLoss: { key: 0x6, asc: 0x29, ascq: 0x07 },
  modeParametersChanged: { key: 0x6, asc: 0x2a, ascq: 0x01 },
  capacityChanged: { key: 0x6, asc: 0x2a, ascq: 0x09 },
  commandsCleared: { key: 0x6, asc: 0x2f, ascq: 0x00 },
  softwareWriteProtected: { key: 0x7, asc: 0x27, ascq: 0x02 },
  spaceAllocationFailed: { key: 0x7, asc: 0x27, ascq: 0x07 },
  unexpectedUnsolicitedData: { key: 0xb, asc: 0x0c, ascq: 0x0c },
  notEnoughUnsolicitedData: { key: 0xb, asc: 0x0c, ascq: 0x0d },
  protocolServiceCrcError: { key: 0xb, asc: 0x47, ascq: 0x05 },
  miscompare: { key: 0xe, asc: 0x1d, ascq: 0x00 },
} as const satisfies Record<string, Condition>

/** Where in the CDB or in the parameter list the offending field begins; `bit` is its highest bit, if it is not a whole byte. */
export interface Field {
  readonly inCdb: boolean
  readonly pointer: number
  readonly bit?: number
}

export interface SenseDetail {
  readonly field?: Field
  /** INFORMATION: for MISCOMPARE the offset of the first differing byte in the Data-Out buffer. */
  readonly information?: number
}

export function senseData(
  condition: Condition,
  descriptorFormat: boolean,
  detail: SenseDetail = {},
): Uint8Array {
  return descriptorFormat ? descriptorSense(condition, detail) : fixedSense(condition, detail)
}

const FIXED_BYTES = 18

function fixedSense(condition: Condition, { field, information }: SenseDetail): Uint8Array {
  const sense = new Uint8Array(FIXED_BYTES)
  sense[0] = 0x70
  sense[2] = condition.key
  sense[7] = FIXED_BYTES - 8
  sense[12] = condition.asc
  sense[13] = condition.ascq
  if (information !== undefined && information <= 0xffffffff) {
    sense[0] = 0xf0 // VALID
    write32(sense, 3, information)
  }
  if (field !== undefined) writeFieldPointer(sense, 15, field)
  return sense
}

const INFORMATION_BYTES = 12
const KEY_SPECIFIC_BYTES = 8

function descriptorSense(condition: Condition, { field, information }: SenseDetail): Uint8Array {
  const descriptors =
    (information === undefined ? 0 : INFORMATION_BYTES) +
    (field === undefined ? 0 : KEY_SPECIFIC_BYTES)
  const sense = new Uint8Array(8 + descriptors)
  sense[0] = 0x72
  sense[1] = condition.key
  sense[2] = condition.asc
  sense[3] = condition.ascq
  sense[7] = descriptors
  let at = 8
  if (information !== undefined) {
    sense[at + 1] = INFORMATION_BYTES - 2
    sense[at + 2] = 0x80 // VALID
    write64(sense, at + 4, information)
    at += INFORMATION_BYTES
  }
  if (field !== undefined) {
    sense[at] = 0x02
    sense[at + 1] = KEY_SPECIFIC_BYTES - 2
    writeFieldPointer(sense, at + 4, field)
  }
  return sense
}

/** SKSV, C/D, BPV and bit pointer, then the field pointer (SPC-4 §4.5.2.4.2). */
function writeFieldPointer(sense: Uint8Array, at: number, field: Field): void {
  const bit = field.bit === undefined ? 0 : 0x08 | field.bit
  sense[at] = 0x80 | (field.inCdb ? 0x40 : 0) | bit
  write16(sense, at + 1, field.pointer)
}
