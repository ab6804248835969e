// The PDUs of RFC 7143 §11 as numbers: opcodes, bits, and where each field lies in the 48 bytes of the basic header
// segment. Nothing is decoded into objects: whoever needs a field reads it from the header where it was received,
//   readU32(pdu.header, pdu.at + scsiCommandAt.cmdSn)
// and whoever sends one writes it where it will be sent from (pdu-writer.ts).
//
//   0        1        2        3        4        5 .. 7            8 .. 15   16 .. 19            20 .. 47
//   I|opcode F|flags  specific specific ahsWords dataSegmentLength LUN/ISID  initiatorTaskTag   specific
import { readU16, readU24, readU32, writeU16, writeU32 } from '../base/bytes.ts'

export const bhsBytes = 48
/** No task, or no answer wanted: the reserved value of both tags. */
export const reservedTag = 0xffffffff

/** §11.2.1.2. The initiator's have bit 20h clear, the target's have it set. */
export const opcode = {
  nopOut: 0x00,
  scsiCommand: 0x01,
  taskManagementRequest: 0x02,
  loginRequest: 0x03,
  textRequest: 0x04,
  dataOut: 0x05,
  logoutRequest: 0x06,
  snackRequest: 0x10,
  nopIn: 0x20,
  scsiResponse: 0x21,
  taskManagementResponse: 0x22,
  loginResponse: 0x23,
  textResponse: 0x24,
  dataIn: 0x25,
  logoutResponse: 0x26,
  r2t: 0x31,
  asyncMessage: 0x32,
  reject: 0x3f,
} as const

/** §11.2.1.1, in byte 0 beside the opcode. */
export const immediateBit = 0x40
/** §11.2.1.3, in byte 1: the last PDU of a sequence. Set in every PDU that has no sequence. */
export const finalBit = 0x80

/** Fields that every PDU has at the same place (§11.2.1). */
export const bhsAt = { flags: 1, ahsWords: 4, dataSegmentLength: 5, lun: 8, initiatorTaskTag: 16 }

/** §11.3; byte 1 also holds the task attribute in its low three bits. */
export const scsiCommandAt = {
  expectedDataTransferLength: 20,
  cmdSn: 24,
  expStatSn: 28,
  cdb: 32,
} as const
export const commandReadBit = 0x40
export const commandWriteBit = 0x20
export const taskAttribute = {
  untagged: 0,
  simple: 1,
  ordered: 2,
  headOfQueue: 3,
  aca: 4,
} as const

/** §11.4; Residual Count of reads when both directions are used lies at 40. */
export const scsiResponseAt = {
  response: 2,
  status: 3,
  snackTag: 20,
  statSn: 24,
  expCmdSn: 28,
  maxCmdSn: 32,
  expDataSn: 36,
  bidirectionalResidualCount: 40,
  residualCount: 44,
} as const
/** In byte 1 of SCSI Response and of Data-In with status (§11.4.1, §11.7.3). */
export const residualOverflowBit = 0x04
export const residualUnderflowBit = 0x02

/** §11.5; the function is in the low seven bits of byte 1. */
export const taskManagementRequestAt = {
  referencedTaskTag: 20,
  cmdSn: 24,
  expStatSn: 28,
  refCmdSn: 32,
  expDataSn: 36,
} as const
export const taskManagementFunction = {
  abortTask: 1,
  abortTaskSet: 2,
  clearAca: 3,
  clearTaskSet: 4,
  logicalUnitReset: 5,
  targetWarmReset: 6,
  targetColdReset: 7,
  taskReassign: 8,
} as const

/** §11.6. */
export const taskManagementResponseAt = {
  response: 2,
  statSn: 24,
  expCmdSn: 28,
  maxCmdSn: 32,
} as const
export const taskManagementResponse = {
  complete: 0,
  noSuchTask: 1,
  noSuchLun: 2,
  taskStillAllegiant: 3,
  reassignNotSupported: 4,
  notSupported: 5,
  authorizationFailed: 6,
  rejected: 255,
} as const

/** §11.7. */
export const dataOutAt = { targetTransferTag: 20, expStatSn: 28, dataSn: 36, bufferOffset: 40 }
/** §11.7; status, StatSN and Residual Count mean something only with the S bit. */
export const dataInAt = {
  status: 3,
  targetTransferTag: 20,
  statSn: 24,
  expCmdSn: 28,
  maxCmdSn: 32,
  dataSn: 36,
  bufferOffset: 40,
  residualCount: 44,
} as const
export const dataInStatusBit = 0x01

/** §11.8. */
export const r2tAt = {
  targetTransferTag: 20,
  statSn: 24,
  expCmdSn: 28,
  maxCmdSn: 32,
  r2tSn: 36,
  bufferOffset: 40,
  desiredDataTransferLength: 44,
} as const

/** §11.9. */
export const asyncMessageAt = {
  statSn: 24,
  expCmdSn: 28,
  maxCmdSn: 32,
  asyncEvent: 36,
  asyncVCode: 37,
  parameter1: 38,
  parameter2: 40,
  parameter3: 42,
} as const
export const asyncEvent = {
  scsiEvent: 0,
  logoutRequested: 1,
  connectionDrops: 2,
  sessionDrops: 3,
  renegotiate: 4,
} as const

/** §11.10. */
export const textRequestAt = { targetTransferTag: 20, cmdSn: 24, expStatSn: 28 } as const
/** §11.11. */
export const textResponseAt = {
  targetTransferTag: 20,
  statSn: 24,
  expCmdSn: 28,
  maxCmdSn: 32,
} as const
/** In byte 1 of Text and Login PDUs: the text goes on in the next PDU. */
export const continueBit = 0x40

/** §11.12. */
export const loginRequestAt = {
  versionMax: 2,
  versionMin: 3,
  isid: 8,
  tsih: 14,
  cid: 20,
  cmdSn: 24,
  expStatSn: 28,
} as const
/** §11.13. */
export const loginResponseAt = {
  versionMax: 2,
  versionActive: 3,
  isid: 8,
  tsih: 14,
  statSn: 24,
  expCmdSn: 28,
  maxCmdSn: 32,
  statusClass: 36,
  statusDetail: 37,
} as const
/** In byte 1 of Login PDUs; the current stage is in bits 3-2, the next in bits 1-0. */
export const transitBit = 0x80
export const loginStage = { security: 0, operational: 1, fullFeature: 3 } as const
export type LoginStage = (typeof loginStage)[keyof typeof loginStage]
/** §11.13.5, class and detail in one word. */
export const loginStatus = {
  success: 0x0000,
  movedTemporarily: 0x0101,
  movedPermanently: 0x0102,
  initiatorError: 0x0200,
  authenticationFailure: 0x0201,
  authorizationFailure: 0x0202,
  notFound: 0x0203,
  targetRemoved: 0x0204,
  unsupportedVersion: 0x0205,
  tooManyConnections: 0x0206,
  missingParameter: 0x0207,
  cannotIncludeInSession: 0x0208,
  sessionTypeNotSupported: 0x0209,
  sessionDoesNotExist: 0x020a,
  invalidDuringLogin: 0x020b,
  targetError: 0x0300,
  serviceUnavailable: 0x0301,
  outOfResources: 0x0302,
} as const

/** §11.14; the reason is in the low seven bits of byte 1. */
export const logoutRequestAt = { cid: 20, cmdSn: 24, expStatSn: 28 } as const
export const logoutReason = { closeSession: 0, closeConnection: 1, removeForRecovery: 2 } as const
/** §11.15. */
export const logoutResponseAt = {
  response: 2,
  statSn: 24,
  expCmdSn: 28,
  maxCmdSn: 32,
  time2Wait: 40,
  time2Retain: 42,
} as const
export const logoutResponse = {
  closed: 0,
  cidNotFound: 1,
  recoveryNotSupported: 2,
  cleanupFailed: 3,
} as const

/** §11.17; the data segment is the header of the PDU that was rejected. */
export const rejectAt = {
  reason: 2,
  statSn: 24,
  expCmdSn: 28,
  maxCmdSn: 32,
  dataSn: 36,
} as const
export const rejectReason = {
  dataDigestError: 0x02,
  snackReject: 0x03,
  protocolError: 0x04,
  commandNotSupported: 0x05,
  tooManyImmediateCommands: 0x06,
  taskInProgress: 0x07,
  invalidPduField: 0x09,
  longOperationReject: 0x0a,
  waitingForLogout: 0x0c,
} as const

/** §11.18. */
export const nopOutAt = { targetTransferTag: 20, cmdSn: 24, expStatSn: 28 } as const
/** §11.19. */
export const nopInAt = { targetTransferTag: 20, statSn: 24, expCmdSn: 28, maxCmdSn: 32 } as const

/** §11.2.2.1, in the third byte of each additional header segment. */
export const ahsType = { extendedCdb: 1, bidirectionalReadLength: 2 } as const

/** A data segment is padded with zeros to a multiple of four bytes (§11.1). */
export function padded(bytes: number): number {
  return (bytes + 3) & ~3
}

export function flagsOf(bytes: Uint8Array, at: number): number {
  return bytes[at + 1] ?? 0
}

export function isImmediate(bytes: Uint8Array, at: number): boolean {
  return ((bytes[at] ?? 0) & immediateBit) !== 0
}

export function dataSegmentLength(bytes: Uint8Array, at: number): number {
  return readU24(bytes, at + bhsAt.dataSegmentLength)
}

export function ahsBytesOf(bytes: Uint8Array, at: number): number {
  return (bytes[at + bhsAt.ahsWords] ?? 0) * 4
}

export function initiatorTaskTag(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + bhsAt.initiatorTaskTag)
}

/**
 * The logical unit number in the eight bytes at `at` (SAM-5 §4.7), in single-level peripheral or flat addressing.
 * -1 for any other form: no logical unit of ours has it.
 */
export function readLun(bytes: Uint8Array, at: number): number {
  const first = readU16(bytes, at)
  const rest = readU16(bytes, at + 2) | readU32(bytes, at + 4)
  if (rest !== 0) return -1
  if (first < 0x100) return first
  return first >> 14 === 1 ? first & 0x3fff : -1
}

/** Peripheral addressing up to 255, as every initiator sends it; flat above. */
export function writeLun(bytes: Uint8Array, at: number, lun: number): void {
  writeU16(bytes, at, lun < 0x100 ? lun : 0x4000 | lun)
  writeU16(bytes, at + 2, 0)
  writeU32(bytes, at + 4, 0)
}
