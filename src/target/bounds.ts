// The numbers that bound what initiators can make a member hold. Those of `Bounds` are settings of the member.
import type { BudgetLimits } from '../base/budget.ts'
import { targetSettings } from '../iscsi/negotiate.ts'

const KIB = 1024
const MIB = 1024 * KIB

export interface Bounds {
  /** Answers under way to all initiators: read, and not yet written to their sockets. */
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

export function sendLimits({ sendBytes, sendBytesPerConnection }: Bounds): BudgetLimits {
  return limitsOf(sendBytes, sendBytesPerConnection)
}

export function receiveLimits(bounds: Bounds): BudgetLimits {
  return limitsOf(bounds.receiveBytes, bounds.receiveBytesPerConnection)
}

export function unsolicitedLimits(bounds: Bounds): BudgetLimits {
  return limitsOf(bounds.unsolicitedBytes, bounds.receiveBytesPerConnection)
}

function limitsOf(total: number, each: number): BudgetLimits {
  return { total, each, least: Math.min(LEAST_BYTES, each * LEAST_PART) }
}

/** What comes unsolicited of one write at most, by our FirstBurstLength. */
export const FIRST_BURST_BYTES = targetSettings.firstBurstLength

/** Answers that need no room (NOP-In, Reject, Text, the status of writes) may wait beside Data-In, before reading stops. */
export const ANSWER_BYTES = MIB
/** What one read of a socket may still add to that; whoever makes it more is closed. */
export const ANSWER_BYTES_MAX = 8 * MIB

/** Data of one READ in one go. Two of the larger parts fit a buffer of 2 MiB with their headers, two of the smaller one of 512 KiB. */
export const READ_BYTES = MIB
export const READ_PART_BYTES = 1008 * KIB
export const READ_PART_LEAST_BYTES = 240 * KIB
