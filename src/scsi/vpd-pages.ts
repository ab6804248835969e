// Vital product data pages: 00h, 80h, 83h, 87h (SPC-4 §7.8), B0h, B1h, B2h (SBC-3 §6.5). The same bytes at every member
// (L1).

import { BLOCK_BYTES } from '../base/sizes.ts'
import { write16, write32, write64, writeAscii } from './cdb.ts'
import { type LogicalUnit, limits, PORTAL_GROUP_TAG, RELATIVE_PORT } from './logical-unit.ts'

type Body = (unit: LogicalUnit) => Uint8Array

const pages: ReadonlyMap<number, Body> = new Map<number, Body>([
  [0x00, () => Uint8Array.from(pages.keys())],
  [0x80, unitSerialNumber],
  [0x83, deviceIdentification],
  [0x87, modePagePolicy],
  [0xb0, blockLimits],
  [0xb1, blockDeviceCharacteristics],
  [0xb2, logicalBlockProvisioning],
])

export function vpdPage(code: number, unit: LogicalUnit): Uint8Array | null {
  const body = pages.get(code)?.(unit)
  if (body === undefined) return null
  const page = new Uint8Array(4 + body.length)
  page[1] = code
  write16(page, 2, body.length)
  page.set(body, 4)
  return page
}

function unitSerialNumber(unit: LogicalUnit): Uint8Array {
  return ascii(unit.serial)
}

// Device identification

const CODE_BINARY = 1
const CODE_ASCII = 2
const CODE_UTF8 = 3
const UNIT = 0x00
/** PIV with the protocol identifier of iSCSI (5h) in the byte before. */
const PORT = 0x90
const DEVICE = 0xa0
const T10_VENDOR_ID = 0x01
const NAA = 0x03
const RELATIVE_TARGET_PORT = 0x04
const SCSI_NAME_STRING = 0x08

function deviceIdentification(unit: LogicalUnit): Uint8Array {
  const port = new Uint8Array(4)
  write16(port, 2, RELATIVE_PORT)
  const tag = PORTAL_GROUP_TAG.toString(16).padStart(4, '0')
  return joined([
    designator(CODE_BINARY, UNIT | NAA, unit.naa),
    designator(CODE_ASCII, UNIT | T10_VENDOR_ID, ascii(`EVENKEEL${unit.serial}`)),
    designator(CODE_UTF8, PORT | SCSI_NAME_STRING, nameString(`${unit.iqn},t,0x${tag}`)),
    designator(CODE_BINARY, PORT | RELATIVE_TARGET_PORT, port),
    designator(CODE_UTF8, DEVICE | SCSI_NAME_STRING, nameString(unit.iqn)),
  ])
}

const ISCSI_PROTOCOL = 0x50

function designator(codeSet: number, association: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + value.length)
  bytes[0] = codeSet | (association & 0x80 ? ISCSI_PROTOCOL : 0)
  bytes[1] = association
  bytes[3] = value.length
  bytes.set(value, 4)
  return bytes
}

/** SCSI name strings end in a NUL and are padded with more to a multiple of four (SPC-4 §7.8.6.11). */
function nameString(name: string): Uint8Array {
  const bytes = new Uint8Array((name.length + 4) & ~3)
  writeAscii(bytes, 0, name)
  return bytes
}

// The others

/** One descriptor for all pages and subpages: policy 3h, one copy for each I_T nexus. */
function modePagePolicy(): Uint8Array {
  return Uint8Array.of(0x3f, 0xff, 0x03, 0x00)
}

const LIMITS_BYTES = 0x3c
const WSNZ = 0x01
const UGAVALID = 0x80
/** libiscsi's conformance tests take more for a mistake. */
const UNMAP_BLOCKS_MAX = 1024 * 1024

function blockLimits({ blockBytes }: LogicalUnit): Uint8Array {
  const body = new Uint8Array(LIMITS_BYTES)
  const at = (pageOffset: number) => pageOffset - 4
  body[at(4)] = WSNZ
  body[at(5)] = limits.compareAndWriteBlocks
  write16(body, at(6), BLOCK_BYTES / blockBytes)
  write32(body, at(8), limits.transferBytes / blockBytes)
  write32(body, at(12), limits.optimalTransferBytes / blockBytes)
  write32(body, at(20), Math.min(limits.unmapBytes / blockBytes, UNMAP_BLOCKS_MAX))
  write32(body, at(24), limits.unmapDescriptors)
  write32(body, at(28), limits.optimalUnmapBytes / blockBytes)
  body[at(32)] = UGAVALID
  write64(body, at(36), limits.writeSameBytes / blockBytes)
  return body
}

const NON_ROTATING = 0x0001

function blockDeviceCharacteristics(): Uint8Array {
  const body = new Uint8Array(0x3c)
  write16(body, 0, NON_ROTATING)
  return body
}

const LBPU = 0x80
const LBPWS = 0x40
const LBPWS10 = 0x20
const LBPRZ = 0x04
const THIN = 0x02

function logicalBlockProvisioning(): Uint8Array {
  return Uint8Array.of(0, LBPU | LBPWS | LBPWS10 | LBPRZ, THIN, 0)
}

function ascii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  writeAscii(bytes, 0, text)
  return bytes
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
