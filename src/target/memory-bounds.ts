// The numbers that bound what initiators can make a member hold. Those of `Bounds` are settings of the member.
import { Budget, type BudgetLimits } from '../base/budget.ts'
import { targetSettings } from '../iscsi/negotiate.ts'

const KIB = 1024
const MIB = 1024 * KIB

export interface Bounds {
  /** Responses, with their data, under way to all initiators: read, and not yet written to their sockets. */
  readonly sendBytes: number
  /** To one connection. */
  readonly sendBytesPerConnection: number
  /** Data of writes for which R2Ts were sent, until they are answered. */
  readonly receiveBytes: number
  /** Data of writes that came unsolicited, until they are answered or the rest of it is asked for. */
  readonly unsolicitedBytes: number
  /** Each of the two, from one connection. */
  readonly receiveBytesPerConnection: number
}

export const boundsDefaults: Bounds = {
  sendBytes: 32 * MIB,
  sendBytesPerConnection: 8 * MIB,
  receiveBytes: 24 * MIB,
  unsolicitedBytes: 16 * MIB,
  receiveBytesPerConnection: 8 * MIB,
}

/** What every connection may have under way, whatever the others have: a session that behaves goes on. */
const LEAST_BYTES = 256 * KIB
/** Or this part of what one may have at most, if that is less. */
const LEAST_PART = 1 / 8

export interface Budgets {
  readonly sending: Budget
  /** What was asked for, and what came unsolicited (incoming.ts). */
  readonly receiving: { readonly asked: Budget; readonly unasked: Budget }
}

export function budgetsOf(bounds: Bounds): Budgets {
  const { receiveBytesPerConnection: each } = bounds
  return {
    sending: new Budget(limitsOf(bounds.sendBytes, bounds.sendBytesPerConnection)),
    receiving: {
      asked: new Budget(limitsOf(bounds.receiveBytes, each)),
      unasked: new Budget(limitsOf(bounds.unsolicitedBytes, each)),
    },
  }
}

function limitsOf(total: number, each: number): BudgetLimits {
  return { total, each, least: Math.min(LEAST_BYTES, each * LEAST_PART) }
}

/** What comes unsolicited of one write at most, by our FirstBurstLength. */
export const FIRST_BURST_BYTES = targetSettings.firstBurstLength

/** Responses that need no room (NOP-In, Reject, Text, the status of writes) may wait beside Data-In, before reading stops. */
export const RESPONSE_BYTES = MIB
/** What one read of a socket may still add to that; whoever makes it more is closed. */
export const RESPONSE_BYTES_MAX = 8 * MIB

/** Connections that have not logged in, and such from one address (doorway.ts). */
export const DOORWAY_MAX = 1024
export const DOORWAY_SOURCE_MAX = 256
/** Connections beside those. */
export const CONNECTIONS_MAX = 4096
/** Sessions that are new: the rest is for those that come back. */
export const NEW_SESSIONS_MAX = 3840

/** Data of one READ in one go. Two of the larger parts fit a buffer of 2 MiB with their headers, two of the smaller one of 512 KiB. */
export const READ_BYTES = MIB
export const READ_PART_BYTES = 1008 * KIB
export const READ_PART_LEAST_BYTES = 240 * KIB
/** Reads of less are copied into what is sent: a write of its own costs more than that. */
export const LONG_BYTES = 32 * KIB
