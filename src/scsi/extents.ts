// Commands on an extent of blocks: READ, WRITE, VERIFY, WRITE AND VERIFY, WRITE SAME, COMPARE AND WRITE, SYNCHRONIZE
// CACHE, PRE-FETCH (SBC-3 §5). The caching is write-through (WCE=0), so what was answered is durable: FUA, DPO and
// SYNCHRONIZE CACHE ask for nothing more.
import { byte, read16, read24, read32, read64 } from './cdb.ts'
import { type LogicalUnit, limits } from './logical-unit.ts'
import type { NexusState } from './nexus-state.ts'
import { good, invalidInCdb, type Plan, read, sense, write } from './plan.ts'
import { conditions } from './sense.ts'

/** Where the CDBs of one length keep the LBA and the number of blocks (SBC-3 §5, SPC-4 §4.3). */
export interface CdbForm {
  readonly lbaAt: number
  readonly lba: (cdb: Uint8Array) => number
  readonly countAt: number
  readonly count: (cdb: Uint8Array) => number
}

export const form6: CdbForm = {
  lbaAt: 1,
  lba: (cdb) => read24(cdb, 1) & 0x1fffff,
  countAt: 4,
  count: (cdb) => byte(cdb, 4) || 256,
}
export const form10: CdbForm = {
  lbaAt: 2,
  lba: (cdb) => read32(cdb, 2),
  countAt: 7,
  count: (cdb) => read16(cdb, 7),
}
export const form12: CdbForm = {
  lbaAt: 2,
  lba: (cdb) => read32(cdb, 2),
  countAt: 6,
  count: (cdb) => read32(cdb, 6),
}
export const form16: CdbForm = {
  lbaAt: 2,
  lba: (cdb) => read64(cdb, 2),
  countAt: 10,
  count: (cdb) => read32(cdb, 10),
}
/** COMPARE AND WRITE: a 64-bit LBA and one byte of blocks. */
const formCompareAndWrite: CdbForm = {
  lbaAt: 2,
  lba: (cdb) => read64(cdb, 2),
  countAt: 13,
  count: (cdb) => byte(cdb, 13),
}

type PlanCommand = (cdb: Uint8Array, unit: LogicalUnit, nexus: NexusState) => Plan

/** null: the extent is inside the unit and no longer than one command may ask for. */
function extentError(
  form: CdbForm,
  lba: number,
  count: number,
  unit: LogicalUnit,
  maxBytes: number,
): Plan | null {
  if (lba + count > unit.blocks) {
    return sense(conditions.lbaOutOfRange, { field: { inCdb: true, pointer: form.lbaAt } })
  }
  return count * unit.blockBytes > maxBytes ? invalidInCdb(form.countAt) : null
}

function writeProtected(nexus: NexusState): Plan | null {
  return nexus.softwareWriteProtect ? sense(conditions.softwareWriteProtected) : null
}

export function planRead(form: CdbForm): PlanCommand {
  return (cdb, unit) => {
    const lba = form.lba(cdb)
    const count = form.count(cdb)
    const error = extentError(form, lba, count, unit, limits.transferBytes)
    if (error !== null) return error
    return count === 0 ? good : read(lba * unit.blockBytes, count * unit.blockBytes)
  }
}

export function planWrite(form: CdbForm): PlanCommand {
  return (cdb, unit, nexus) => {
    const lba = form.lba(cdb)
    const count = form.count(cdb)
    const error = extentError(form, lba, count, unit, limits.transferBytes) ?? writeProtected(nexus)
    if (error !== null) return error
    return count === 0 ? good : write(lba * unit.blockBytes, count * unit.blockBytes)
  }
}

export function planWriteAndVerify(form: CdbForm): PlanCommand {
  const planPlain = planWrite(form)
  return (cdb, unit, nexus) => {
    const plan = planPlain(cdb, unit, nexus)
    if (plan.kind !== 'write') return plan
    const { direction, transferBytes, offset, bytes } = plan
    const compare = (byte(cdb, 1) & 0x02) !== 0 // BYTCHK
    return { kind: 'writeAndVerify', direction, transferBytes, offset, bytes, compare }
  }
}

/** BYTCHK (SBC-3 §5.36): 00 read only, 01 compare all, 10 reserved, 11 compare each block with one. */
export function planVerify(form: CdbForm): PlanCommand {
  return (cdb, unit) => {
    const byteCheck = (byte(cdb, 1) >> 1) & 0x3
    if (byteCheck === 2) return invalidInCdb(1, 2)
    const lba = form.lba(cdb)
    const count = form.count(cdb)
    const error = extentError(form, lba, count, unit, limits.transferBytes)
    if (error !== null) return error
    if (count === 0) return good
    const bytes = count * unit.blockBytes
    return {
      kind: 'verify',
      direction: byteCheck === 0 ? 'none' : 'out',
      transferBytes: byteCheck === 0 ? 0 : byteCheck === 1 ? bytes : unit.blockBytes,
      offset: lba * unit.blockBytes,
      bytes,
      compare: byteCheck === 0 ? 'nothing' : byteCheck === 1 ? 'data' : 'block',
    }
  }
}

/** WSNZ is 1: zero blocks do not mean "to the end". NDOB exists in the 16-byte form only; its mask keeps it out of the other. */
export function planWriteSame(form: CdbForm): PlanCommand {
  return (cdb, unit, nexus) => {
    const lba = form.lba(cdb)
    const count = form.count(cdb)
    if (count === 0) return invalidInCdb(form.countAt)
    const error =
      extentError(form, lba, count, unit, limits.writeSameBytes) ?? writeProtected(nexus)
    if (error !== null) return error
    const noDataOut = (byte(cdb, 1) & 0x01) !== 0
    return {
      kind: 'writeSame',
      direction: noDataOut ? 'none' : 'out',
      transferBytes: noDataOut ? 0 : unit.blockBytes,
      offset: lba * unit.blockBytes,
      bytes: count * unit.blockBytes,
      fill: noDataOut ? 'zeros' : 'data',
      unmap: (byte(cdb, 1) & 0x08) !== 0,
    }
  }
}

/** Also of no blocks, which is GOOD: only with its data is it known whether that is what the initiator meant. */
export const planCompareAndWrite: PlanCommand = (cdb, unit, nexus) => {
  const form = formCompareAndWrite
  const lba = form.lba(cdb)
  const count = form.count(cdb)
  const maxBytes = limits.compareAndWriteBlocks * unit.blockBytes
  const error = extentError(form, lba, count, unit, maxBytes) ?? writeProtected(nexus)
  if (error !== null) return error
  const bytes = count * unit.blockBytes
  return {
    kind: 'compareAndWrite',
    direction: 'out',
    transferBytes: 2 * bytes,
    offset: lba * unit.blockBytes,
    bytes,
  }
}

/** SYNCHRONIZE CACHE and PRE-FETCH: the extent must exist, and that is all. A count of 0 means "to the end". */
export function planNothing(form: CdbForm): PlanCommand {
  return (cdb, unit) =>
    extentError(form, form.lba(cdb), form.count(cdb), unit, Number.POSITIVE_INFINITY) ?? good
}
