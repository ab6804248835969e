// The command table: everything this target executes, by opcode and service action. A command that is not here is
// refused with 5/20/00 and needs no code; REPORT SUPPORTED OPERATION CODES answers from the table.
//
// Invariants:
//   K1. A bit that is set in a CDB outside of its command's usage mask refuses the command with 5/24/00 and points at
//       that bit: protection fields, anchors and reserved values need no code of their own.
//   K2. INQUIRY, REPORT LUNS and REQUEST SENSE never end in CHECK CONDITION for a unit attention (SAM-5 §5.14), and are
//       answered for any LUN.

import { planGetLbaStatus, planReadCapacity10, planReadCapacity16 } from './capacity.ts'
import { byte } from './cdb.ts'
import {
  form6,
  form10,
  form12,
  form16,
  planCompareAndWrite,
  planNothing,
  planRead,
  planVerify,
  planWrite,
  planWriteAndVerify,
  planWriteSame,
} from './extents.ts'
import { planInquiry, planInquiryWithoutUnit } from './inquiry.ts'
import type { LogicalUnit } from './logical-unit.ts'
import { planModeSelect6, planModeSelect10, planModeSense6, planModeSense10 } from './mode-pages.ts'
import type { NexusState } from './nexus-state.ts'
import { invalidInCdb, type Plan, sense } from './plan.ts'
import {
  planRequestSense,
  planSendDiagnostic,
  planStartStopUnit,
  planTestUnitReady,
  requestSense,
} from './readiness.ts'
import { planReportLuns } from './report-luns.ts'
import { type Described, planReportOpcodes } from './report-opcodes.ts'
import { conditions } from './sense.ts'
import { planUnmap } from './unmap.ts'

export interface Command extends Described {
  readonly name: string
  readonly plan: (cdb: Uint8Array, unit: LogicalUnit, nexus: NexusState) => Plan
}

const INQUIRY = 0x12
const REQUEST_SENSE = 0x03
const REPORT_LUNS = 0xa0

/** The usage masks leave the control byte at 0: only its NACA bit is looked at, and refused. Group numbers are accepted. */
export const commands: readonly Command[] = [
  command(0x00, 'TEST UNIT READY', '00 00 00 00 00', planTestUnitReady),
  command(REQUEST_SENSE, 'REQUEST SENSE', '01 00 00 ff 00', planRequestSense),
  command(0x08, 'READ (6)', '1f ff ff ff 00', planRead(form6)),
  command(0x0a, 'WRITE (6)', '1f ff ff ff 00', planWrite(form6)),
  command(INQUIRY, 'INQUIRY', '01 ff ff ff 00', planInquiry),
  command(0x15, 'MODE SELECT (6)', '11 00 00 ff 00', planModeSelect6),
  command(0x1a, 'MODE SENSE (6)', '08 ff ff ff 00', planModeSense6),
  command(0x1b, 'START STOP UNIT', '01 00 0f f7 00', planStartStopUnit),
  command(0x1d, 'SEND DIAGNOSTIC', '17 00 00 00 00', planSendDiagnostic),
  command(0x25, 'READ CAPACITY (10)', '00 ff ff ff ff 00 00 01 00', planReadCapacity10),
  command(0x28, 'READ (10)', '1e ff ff ff ff 3f ff ff 00', planRead(form10)),
  command(0x2a, 'WRITE (10)', '1a ff ff ff ff 3f ff ff 00', planWrite(form10)),
  command(0x2e, 'WRITE AND VERIFY (10)', '12 ff ff ff ff 3f ff ff 00', planWriteAndVerify(form10)),
  command(0x2f, 'VERIFY (10)', '16 ff ff ff ff 3f ff ff 00', planVerify(form10)),
  command(0x34, 'PRE-FETCH (10)', '02 ff ff ff ff 3f ff ff 00', planNothing(form10)),
  command(0x35, 'SYNCHRONIZE CACHE (10)', '06 ff ff ff ff 3f ff ff 00', planNothing(form10)),
  command(0x41, 'WRITE SAME (10)', '08 ff ff ff ff 3f ff ff 00', planWriteSame(form10)),
  command(0x42, 'UNMAP', '00 00 00 00 00 3f ff ff 00', planUnmap),
  command(0x55, 'MODE SELECT (10)', '11 00 00 00 00 00 ff ff 00', planModeSelect10),
  command(0x5a, 'MODE SENSE (10)', '18 ff ff 00 00 00 ff ff 00', planModeSense10),
  command(0x88, 'READ (16)', '1e ff ff ff ff ff ff ff ff ff ff ff ff 3f 00', planRead(form16)),
  command(
    0x89,
    'COMPARE AND WRITE',
    '1a ff ff ff ff ff ff ff ff 00 00 00 ff 3f 00',
    planCompareAndWrite,
  ),
  command(0x8a, 'WRITE (16)', '1a ff ff ff ff ff ff ff ff ff ff ff ff 3f 00', planWrite(form16)),
  command(
    0x8e,
    'WRITE AND VERIFY (16)',
    '12 ff ff ff ff ff ff ff ff ff ff ff ff 3f 00',
    planWriteAndVerify(form16),
  ),
  command(0x8f, 'VERIFY (16)', '16 ff ff ff ff ff ff ff ff ff ff ff ff 3f 00', planVerify(form16)),
  command(
    0x90,
    'PRE-FETCH (16)',
    '02 ff ff ff ff ff ff ff ff ff ff ff ff 3f 00',
    planNothing(form16),
  ),
  command(
    0x91,
    'SYNCHRONIZE CACHE (16)',
    '06 ff ff ff ff ff ff ff ff ff ff ff ff 3f 00',
    planNothing(form16),
  ),
  command(
    0x93,
    'WRITE SAME (16)',
    '09 ff ff ff ff ff ff ff ff ff ff ff ff 3f 00',
    planWriteSame(form16),
  ),
  action(
    0x9e,
    0x10,
    'READ CAPACITY (16)',
    'ff ff ff ff ff ff ff ff ff ff ff ff 01 00',
    planReadCapacity16,
  ),
  action(
    0x9e,
    0x12,
    'GET LBA STATUS',
    'ff ff ff ff ff ff ff ff ff ff ff ff 00 00',
    planGetLbaStatus,
  ),
  command(REPORT_LUNS, 'REPORT LUNS', '00 ff 00 00 00 ff ff ff ff 00 00', planReportLuns),
  action(0xa3, 0x0c, 'REPORT SUPPORTED OPERATION CODES', '87 ff ff ff ff ff ff ff 00 00', (cdb) =>
    planReportOpcodes(cdb, commands),
  ),
  command(0xa8, 'READ (12)', '1e ff ff ff ff ff ff ff ff 3f 00', planRead(form12)),
  command(0xaa, 'WRITE (12)', '1a ff ff ff ff ff ff ff ff 3f 00', planWrite(form12)),
  command(
    0xae,
    'WRITE AND VERIFY (12)',
    '12 ff ff ff ff ff ff ff ff 3f 00',
    planWriteAndVerify(form12),
  ),
  command(0xaf, 'VERIFY (12)', '16 ff ff ff ff ff ff ff ff 3f 00', planVerify(form12)),
]

/** `mask` is the usage of the bytes behind the opcode. */
function command(opcode: number, name: string, mask: string, plan: Command['plan']): Command {
  const usage = Uint8Array.from([opcode, ...masks(mask)])
  return { opcode, serviceAction: null, name, usage, plan }
}

/** `mask` is the usage of the bytes behind the opcode and the service action. */
function action(
  opcode: number,
  serviceAction: number,
  name: string,
  mask: string,
  plan: Command['plan'],
): Command {
  const usage = Uint8Array.from([opcode, serviceAction, ...masks(mask)])
  return { opcode, serviceAction, name, usage, plan }
}

function masks(text: string): number[] {
  return text.split(' ').map((part) => Number.parseInt(part, 16))
}

type Entry = Command | readonly Command[] | undefined

const byOpcode: readonly Entry[] = Array.from({ length: 256 }, (_, opcode) => {
  const entries = commands.filter((entry) => entry.opcode === opcode)
  return entries[0]?.serviceAction === null ? entries[0] : entries.length > 0 ? entries : undefined
})

/** The plan of a command that has just arrived at LUN 0; a unit attention that waits comes first. */
export function plan(cdb: Uint8Array, unit: LogicalUnit, nexus: NexusState): Plan {
  if (nexus.attentions.count > 0 && !answersAlways(byte(cdb, 0))) {
    const attention = nexus.attentions.take()
    if (attention !== null) return sense(attention)
  }
  return planCommand(cdb, unit, nexus)
}

/** The plan without regard to unit attentions: for a command that was accepted and is planned again with its data. */
export function planCommand(cdb: Uint8Array, unit: LogicalUnit, nexus: NexusState): Plan {
  const entry = byOpcode[byte(cdb, 0)]
  if (entry === undefined) {
    return sense(conditions.invalidOperationCode, { field: { inCdb: true, pointer: 0 } })
  }
  const found = 'plan' in entry ? entry : withAction(entry, byte(cdb, 1) & 0x1f)
  if (found === undefined) return invalidInCdb(1, 4)
  return forbiddenBit(cdb, found) ?? found.plan(cdb, unit, nexus)
}

/** The plan of a command to a LUN where there is nothing (SAM-5 §4.6.4). */
export function planWithoutUnit(cdb: Uint8Array): Plan {
  switch (byte(cdb, 0)) {
    case INQUIRY:
      return planInquiryWithoutUnit(cdb)
    case REQUEST_SENSE:
      return requestSense(cdb, conditions.logicalUnitNotSupported)
    case REPORT_LUNS:
      return planReportLuns(cdb)
    default:
      return sense(conditions.logicalUnitNotSupported)
  }
}

function answersAlways(opcode: number): boolean {
  return opcode === INQUIRY || opcode === REQUEST_SENSE || opcode === REPORT_LUNS // K2
}

function withAction(entries: readonly Command[], serviceAction: number): Command | undefined {
  return entries.find((entry) => entry.serviceAction === serviceAction)
}

const NACA = 0x04

/** K1. Byte 1 of a service action holds its number, which the lookup has checked. */
function forbiddenBit(cdb: Uint8Array, { usage, serviceAction }: Command): Plan | null {
  const controlAt = usage.length - 1
  for (let i = 1; i < controlAt; i += 1) {
    const allowed = i === 1 && serviceAction !== null ? 0x1f : byte(usage, i)
    const forbidden = byte(cdb, i) & ~allowed
    if (forbidden !== 0) return invalidInCdb(i, 31 - Math.clz32(forbidden))
  }
  return (byte(cdb, controlAt) & NACA) === 0 ? null : invalidInCdb(controlAt, 2)
}
