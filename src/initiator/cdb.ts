// The few CDBs that an initiator of ours sends by itself (SBC-4, SPC-5), and what it reads in the answers.
import { readU32, writeU16, writeU32 } from '../base/bytes.ts'

const operation = {
  testUnitReady: 0x00,
  inquiry: 0x12,
  read10: 0x28,
  write10: 0x2a,
  synchronizeCache10: 0x35,
  unmap: 0x42,
  read16: 0x88,
  compareAndWrite: 0x89,
  write16: 0x8a,
  writeSame16: 0x93,
  serviceActionIn16: 0x9e,
} as const
const readCapacity16 = 0x10

export const scsiStatus = {
  good: 0x00,
  checkCondition: 0x02,
  busy: 0x08,
  reservationConflict: 0x18,
  taskSetFull: 0x28,
  taskAborted: 0x40,
} as const

const unitAttention = 6
const miscompare = 14
const unmapBit = 0x08
const twoTo32 = 0x1_0000_0000

export function readCdb(lba: number, blocks: number): Uint8Array {
  return transferCdb(operation.read10, operation.read16, lba, blocks)
}

export function writeCdb(lba: number, blocks: number): Uint8Array {
  return transferCdb(operation.write10, operation.write16, lba, blocks)
}

function transferCdb(short: number, long: number, lba: number, blocks: number): Uint8Array {
  if (lba >= twoTo32 || blocks > 0xffff) {
    const cdb = longCdb(long, lba)
    writeU32(cdb, 10, blocks)
    return cdb
  }
  const cdb = new Uint8Array(10)
  cdb[0] = short
  writeU32(cdb, 2, lba)
  writeU16(cdb, 7, blocks)
  return cdb
}

function longCdb(code: number, lba: number): Uint8Array {
  const cdb = new Uint8Array(16)
  cdb[0] = code
  writeU32(cdb, 2, Math.floor(lba / twoTo32))
  writeU32(cdb, 6, lba % twoTo32)
  return cdb
}

/** The data is what is compared, then what is written: twice `blocks`. */
export function compareAndWriteCdb(lba: number, blocks: number): Uint8Array {
  const cdb = longCdb(operation.compareAndWrite, lba)
  cdb[13] = blocks
  return cdb
}

/** With one block of data. `unmap`: zeros may give their space back. */
export function writeSameCdb(lba: number, blocks: number, unmap: boolean): Uint8Array {
  const cdb = longCdb(operation.writeSame16, lba)
  if (unmap) cdb[1] = unmapBit
  writeU32(cdb, 10, blocks)
  return cdb
}

export function testUnitReadyCdb(): Uint8Array {
  return new Uint8Array([operation.testUnitReady, 0, 0, 0, 0, 0])
}

/** `vpdPage` null: standard INQUIRY data. */
export function inquiryCdb(vpdPage: number | null, bytes: number): Uint8Array {
  const cdb = new Uint8Array([operation.inquiry, vpdPage === null ? 0 : 1, vpdPage ?? 0, 0, 0, 0])
  writeU16(cdb, 3, bytes)
  return cdb
}

export function synchronizeCacheCdb(): Uint8Array {
  const cdb = new Uint8Array(10)
  cdb[0] = operation.synchronizeCache10
  return cdb
}

/** With the parameter list of `unmapList`. */
export function unmapCdb(): Uint8Array {
  const cdb = new Uint8Array(10)
  cdb[0] = operation.unmap
  writeU16(cdb, 7, unmapListBytes)
  return cdb
}

const unmapListBytes = 24

/** One descriptor (SBC-4 §5.37.2). */
export function unmapList(lba: number, blocks: number): Uint8Array {
  const list = new Uint8Array(unmapListBytes)
  writeU16(list, 0, unmapListBytes - 2)
  writeU16(list, 2, 16)
  writeU32(list, 8, Math.floor(lba / twoTo32))
  writeU32(list, 12, lba % twoTo32)
  writeU32(list, 16, blocks)
  return list
}

export const capacityBytes = 32

export function readCapacityCdb(): Uint8Array {
  const cdb = new Uint8Array(16)
  cdb[0] = operation.serviceActionIn16
  cdb[1] = readCapacity16
  writeU32(cdb, 10, capacityBytes)
  return cdb
}

export interface Capacity {
  readonly blocks: number
  readonly blockBytes: number
}

export function parseCapacity(data: Uint8Array): Capacity {
  const lastLba = readU32(data, 0) * twoTo32 + readU32(data, 4)
  return { blocks: lastLba + 1, blockBytes: readU32(data, 8) }
}

export interface Sense {
  readonly key: number
  readonly asc: number
  readonly ascq: number
}

/** Fixed and descriptor format (SPC-5 §4.4); null for anything else. */
export function parseSense(sense: Uint8Array): Sense | null {
  const code = (sense[0] ?? 0) & 0x7f
  const byte = (at: number) => sense[at] ?? 0
  if (code === 0x70 || code === 0x71) return { key: byte(2) & 15, asc: byte(12), ascq: byte(13) }
  if (code === 0x72 || code === 0x73) return { key: byte(1) & 15, asc: byte(2), ascq: byte(3) }
  return null
}

export function isUnitAttention(sense: Uint8Array | null): boolean {
  return sense !== null && parseSense(sense)?.key === unitAttention
}

/** A comparison found something else. */
export function isMiscompare(sense: Uint8Array | null): boolean {
  return sense !== null && parseSense(sense)?.key === miscompare
}
