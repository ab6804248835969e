// REPORT SUPPORTED OPERATION CODES (SPC-4 §6.35), from the command table itself.
import { byte, read16, read32, write16, write32 } from './cdb.ts'
import { dataIn, invalidInCdb, type Plan } from './plan.ts'

export interface Described {
  readonly opcode: number
  /** null: the opcode has no service actions. */
  readonly serviceAction: number | null
  /** CDB usage data: one byte a CDB byte, a set bit for every bit that is looked at. Its length is the CDB's. */
  readonly usage: Uint8Array
}

const ALL = 0
const ONE_OPCODE = 1
const ONE_SERVICE_ACTION = 2
const ONE_OF_EITHER = 3

export function planReportOpcodes(cdb: Uint8Array, commands: readonly Described[]): Plan {
  const options = byte(cdb, 2) & 0x07
  const withTimeouts = (byte(cdb, 2) & 0x80) !== 0 // RCTD
  const allocationBytes = read32(cdb, 6)
  if (options === ALL) return dataIn(allCommands(commands, withTimeouts), allocationBytes)
  if (options > ONE_OF_EITHER) return invalidInCdb(2, 2)
  const opcode = byte(cdb, 3)
  const serviceAction = read16(cdb, 4)
  const hasActions = commands.some((c) => c.opcode === opcode && c.serviceAction !== null)
  const known = commands.some((c) => c.opcode === opcode)
  if (options === ONE_OPCODE && hasActions) return invalidInCdb(2, 2)
  if (options === ONE_SERVICE_ACTION && known && !hasActions) return invalidInCdb(2, 2)
  const action = hasActions ? serviceAction : null
  const command = commands.find((c) => c.opcode === opcode && c.serviceAction === action)
  return dataIn(oneCommand(command, withTimeouts), allocationBytes)
}

const TIMEOUTS_BYTES = 12

/** No timeout is named: all zeros behind the length. */
function writeTimeouts(data: Uint8Array, at: number): void {
  write16(data, at, TIMEOUTS_BYTES - 2)
}

function allCommands(commands: readonly Described[], withTimeouts: boolean): Uint8Array {
  const entryBytes = 8 + (withTimeouts ? TIMEOUTS_BYTES : 0)
  const data = new Uint8Array(4 + commands.length * entryBytes)
  write32(data, 0, data.length - 4)
  let at = 4
  for (const { opcode, serviceAction, usage } of commands) {
    data[at] = opcode
    write16(data, at + 2, serviceAction ?? 0)
    data[at + 5] = (withTimeouts ? 0x02 : 0) | (serviceAction === null ? 0 : 0x01) // CTDP, SERVACTV
    write16(data, at + 6, usage.length)
    if (withTimeouts) writeTimeouts(data, at + 8)
    at += entryBytes
  }
  return data
}

const NOT_SUPPORTED = 0x01
const SUPPORTED = 0x03

function oneCommand(command: Described | undefined, withTimeouts: boolean): Uint8Array {
  if (command === undefined) return Uint8Array.of(0, NOT_SUPPORTED, 0, 0)
  const { usage } = command
  const data = new Uint8Array(4 + usage.length + (withTimeouts ? TIMEOUTS_BYTES : 0))
  data[1] = SUPPORTED | (withTimeouts ? 0x80 : 0) // CTDP
  write16(data, 2, usage.length)
  data.set(usage, 4)
  if (withTimeouts) writeTimeouts(data, 4 + usage.length)
  return data
}
