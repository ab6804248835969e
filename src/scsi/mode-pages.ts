// MODE SENSE and MODE SELECT, (6) and (10) (SPC-4 §6.11–6.14, §7.5; SBC-3 §6.4): pages 08h caching, 0Ah control, 1Ch
// informational exceptions. D_SENSE and SWP may be changed, for the nexus that asks; nothing is saved.
//
// Invariants:
//   M1. A MODE SELECT that is refused has changed nothing.
import { byte, read16, write16, write24, write32, write64 } from './cdb.ts'
import { type LogicalUnit, limits } from './logical-unit.ts'
import { type NexusState, newNexusState } from './nexus-state.ts'
import { dataIn, good, invalidInCdb, invalidInList, type Plan, parameters, sense } from './plan.ts'
import { conditions } from './sense.ts'

interface ModePage {
  readonly code: number
  /** Whole page with its two bytes of header. */
  readonly current: (nexus: NexusState) => Uint8Array
  readonly changeable: Uint8Array
  readonly change: (page: Uint8Array, nexus: NexusState) => void
}

/** TST=001b: a task set for each nexus. */
const TST = 0x20
const D_SENSE = 0x04
const SWP = 0x08
/** QUEUE ALGORITHM MODIFIER 1h: commands of a nexus may be reordered. */
const UNRESTRICTED_REORDERING = 0x10
const DEXCPT = 0x08

const noChange = () => undefined

function page(code: number, bytes: number, fields: Readonly<Record<number, number>>): Uint8Array {
  const whole = new Uint8Array(bytes)
  whole[0] = code
  whole[1] = bytes - 2
  for (const [at, value] of Object.entries(fields)) whole[Number(at)] = value
  return whole
}

/** In ascending order, as 3Fh returns them. */
const modePages: readonly ModePage[] = [
  {
    code: 0x08, // WCE=0: a write that was answered is durable
    current: () => page(0x08, 20, {}),
    changeable: page(0x08, 20, {}),
    change: noChange,
  },
  {
    code: 0x0a,
    current: (nexus) =>
      page(0x0a, 12, {
        2: TST | (nexus.descriptorSense ? D_SENSE : 0),
        3: UNRESTRICTED_REORDERING,
        4: nexus.softwareWriteProtect ? SWP : 0,
      }),
    changeable: page(0x0a, 12, { 2: D_SENSE, 4: SWP }),
    change: (whole, nexus) => {
      nexus.descriptorSense = (byte(whole, 2) & D_SENSE) !== 0
      nexus.softwareWriteProtect = (byte(whole, 4) & SWP) !== 0
    },
  },
  {
    code: 0x1c,
    current: () => page(0x1c, 12, { 2: DEXCPT }),
    changeable: page(0x1c, 12, {}),
    change: noChange,
  },
]

const ALL_PAGES = 0x3f
const ALL_SUBPAGES = 0xff

/** What differs between the six and the ten byte forms: size of the header and where the lengths are. */
interface Form {
  readonly headerBytes: 4 | 8
  readonly lengthAt: number
  readonly length: (cdb: Uint8Array) => number
}

const form6: Form = { headerBytes: 4, lengthAt: 4, length: (cdb) => byte(cdb, 4) }
const form10: Form = { headerBytes: 8, lengthAt: 7, length: (cdb) => read16(cdb, 7) }

// MODE SENSE

const PC_CHANGEABLE = 1
const PC_DEFAULT = 2
const PC_SAVED = 3

export function planModeSense6(cdb: Uint8Array, unit: LogicalUnit, nexus: NexusState): Plan {
  return planModeSense(form6, cdb, unit, nexus)
}

export function planModeSense10(cdb: Uint8Array, unit: LogicalUnit, nexus: NexusState): Plan {
  return planModeSense(form10, cdb, unit, nexus)
}

function planModeSense(form: Form, cdb: Uint8Array, unit: LogicalUnit, nexus: NexusState): Plan {
  const control = byte(cdb, 2) >> 6
  const code = byte(cdb, 2) & 0x3f
  const subpage = byte(cdb, 3)
  if (control === PC_SAVED) return sense(conditions.savingParametersNotSupported)
  if (subpage !== 0 && subpage !== ALL_SUBPAGES) return invalidInCdb(3)
  const wanted = modePages.filter((entry) => code === ALL_PAGES || entry.code === code)
  if (wanted.length === 0) return invalidInCdb(2, 5)
  const values = wanted.map((entry) => {
    if (control === PC_CHANGEABLE) return entry.changeable
    return entry.current(control === PC_DEFAULT ? newNexusState() : nexus)
  })
  const flags = byte(cdb, 1)
  const descriptor = (flags & 0x08) !== 0 ? null : blockDescriptor(unit, (flags & 0x10) !== 0)
  return dataIn(modeData(form, descriptor, values, nexus), form.length(cdb))
}

/** Short form, or with LLBAA the long one (SBC-3 §6.4.2). */
function blockDescriptor(unit: LogicalUnit, long: boolean): Uint8Array {
  const descriptor = new Uint8Array(long ? 16 : 8)
  if (long) {
    write64(descriptor, 0, unit.blocks)
    write32(descriptor, 12, unit.blockBytes)
  } else {
    write32(descriptor, 0, Math.min(unit.blocks, 0xffffffff))
    write24(descriptor, 5, unit.blockBytes)
  }
  return descriptor
}

const WP = 0x80
const DPOFUA = 0x10

function modeData(
  form: Form,
  descriptor: Uint8Array | null,
  values: readonly Uint8Array[],
  nexus: NexusState,
): Uint8Array {
  const descriptorBytes = descriptor?.length ?? 0
  const bytes = values.reduce(
    (sum, value) => sum + value.length,
    form.headerBytes + descriptorBytes,
  )
  const data = new Uint8Array(bytes)
  const deviceSpecific = DPOFUA | (nexus.softwareWriteProtect ? WP : 0)
  if (form.headerBytes === 4) {
    data[0] = bytes - 1
    data[2] = deviceSpecific
    data[3] = descriptorBytes
  } else {
    write16(data, 0, bytes - 2)
    data[3] = deviceSpecific
    data[4] = descriptorBytes === 16 ? 0x01 : 0 // LONGLBA
    write16(data, 6, descriptorBytes)
  }
  let at: number = form.headerBytes
  if (descriptor !== null) data.set(descriptor, at)
  at += descriptorBytes
  for (const value of values) {
    data.set(value, at)
    at += value.length
  }
  return data
}

// MODE SELECT

export function planModeSelect6(cdb: Uint8Array): Plan {
  return planModeSelect(form6, cdb)
}

export function planModeSelect10(cdb: Uint8Array): Plan {
  return planModeSelect(form10, cdb)
}

function planModeSelect(form: Form, cdb: Uint8Array): Plan {
  if ((byte(cdb, 1) & 0x01) !== 0) return invalidInCdb(1, 0) // SP: nothing can be saved
  const bytes = form.length(cdb)
  if (bytes === 0) return good
  if (bytes < form.headerBytes) return sense(conditions.parameterListLength)
  if (bytes > limits.modeSelectBytes) return invalidInCdb(form.lengthAt)
  return parameters(bytes, form === form6 ? parseList6 : parseList10)
}

function parseList6(list: Uint8Array, unit: LogicalUnit, nexus: NexusState): Plan {
  if (list.length < form6.headerBytes) return sense(conditions.parameterListLength)
  return parseList(list, form6.headerBytes, byte(list, 3), unit, nexus)
}

function parseList10(list: Uint8Array, unit: LogicalUnit, nexus: NexusState): Plan {
  if (list.length < form10.headerBytes) return sense(conditions.parameterListLength)
  return parseList(list, form10.headerBytes, read16(list, 6), unit, nexus)
}

function parseList(
  list: Uint8Array,
  headerBytes: 4 | 8,
  descriptorBytes: number,
  unit: LogicalUnit,
  nexus: NexusState,
): Plan {
  const pagesAt = headerBytes + descriptorBytes
  if (list.length < pagesAt) return sense(conditions.parameterListLength)
  const geometry = descriptorError(list, headerBytes, descriptorBytes, unit)
  if (geometry !== null) return geometry
  const changes: { readonly entry: ModePage; readonly whole: Uint8Array }[] = []
  for (let at = pagesAt; at < list.length; ) {
    const entry = modePages.find(({ code }) => code === (byte(list, at) & 0x7f))
    if (entry === undefined) return invalidInList(at, 5)
    const bytes = entry.changeable.length
    if (list.length < at + bytes) return sense(conditions.parameterListLength)
    if (byte(list, at + 1) !== bytes - 2) return invalidInList(at + 1)
    const whole = list.subarray(at, at + bytes)
    const fixed = unchangeableAt(whole, entry, nexus)
    if (fixed !== null) return invalidInList(at + fixed)
    changes.push({ entry, whole })
    at += bytes
  }
  for (const { entry, whole } of changes) entry.change(whole, nexus) // M1
  return good
}

/** The geometry is fixed: a block descriptor may only repeat it; a number of blocks of 0 leaves it alone (SBC-3 §6.4.2). */
function descriptorError(
  list: Uint8Array,
  at: 4 | 8,
  bytes: number,
  unit: LogicalUnit,
): Plan | null {
  if (bytes === 0) return null
  const long = at === 8 && (byte(list, 4) & 0x01) !== 0
  const expected = blockDescriptor(unit, long)
  if (bytes !== expected.length) return invalidInList(at === 4 ? 3 : 6)
  const countBytes = long ? 8 : 4
  const sameCount = list.subarray(at, at + countBytes).every((value, i) => value === expected[i])
  const noCount = list.subarray(at, at + countBytes).every((value) => value === 0)
  if (!sameCount && !noCount) return invalidInList(at)
  for (let i = countBytes; i < bytes; i += 1) {
    if (byte(list, at + i) !== expected[i]) return invalidInList(at + i)
  }
  return null
}

/** The first byte in which the page differs from the current one in a bit that may not be changed. */
function unchangeableAt(whole: Uint8Array, entry: ModePage, nexus: NexusState): number | null {
  const current = entry.current(nexus)
  for (let i = 2; i < whole.length; i += 1) {
    const changed = byte(whole, i) ^ byte(current, i)
    if ((changed & ~byte(entry.changeable, i)) !== 0) return i
  }
  return null
}
