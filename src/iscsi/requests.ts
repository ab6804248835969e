// The requests of an initiator that are not commands, as the session hands them out. They are rare, so they are objects.
import { readU16, readU32 } from '../base/bytes.ts'
import type { Pdu } from './framer.ts'
import {
  bhsAt,
  flagsOf,
  initiatorTaskTag,
  isImmediate,
  logoutReason,
  logoutRequestAt,
  logoutResponse,
  opcode,
  readLun,
  taskManagementRequestAt,
} from './pdu.ts'

/** RFC 7143 §11.5. */
export interface TaskManagementRequest {
  readonly initiatorTaskTag: number
  readonly cmdSn: number
  readonly immediate: boolean
  /** `taskManagementFunction`, or one that we do not know. */
  readonly function: number
  readonly lun: number
  readonly referencedTaskTag: number
  readonly refCmdSn: number
}

/** RFC 7143 §11.14. */
export interface LogoutRequest {
  readonly initiatorTaskTag: number
  /** `logoutReason`. */
  readonly reason: number
  readonly cid: number
}

/** RFC 7143 §11.10, once its text is whole. */
export interface TextRequest {
  readonly initiatorTaskTag: number
  readonly lunBytes: Uint8Array
  /** The initiator has nothing to say after it (F). */
  readonly final: boolean
  readonly text: Uint8Array
  /** Of its last PDU. */
  readonly header: Uint8Array
}

export function readTaskManagement({ header, at }: Pdu): TaskManagementRequest {
  return {
    initiatorTaskTag: initiatorTaskTag(header, at),
    cmdSn: readU32(header, at + taskManagementRequestAt.cmdSn),
    immediate: isImmediate(header, at),
    function: flagsOf(header, at) & 0x7f,
    lun: readLun(header, at + bhsAt.lun),
    referencedTaskTag: readU32(header, at + taskManagementRequestAt.referencedTaskTag),
    refCmdSn: readU32(header, at + taskManagementRequestAt.refCmdSn),
  }
}

export function readLogout({ header, at }: Pdu): LogoutRequest {
  return {
    initiatorTaskTag: initiatorTaskTag(header, at),
    reason: flagsOf(header, at) & 0x7f,
    cid: readU16(header, at + logoutRequestAt.cid),
  }
}

/** §11.15.1, of a session of the connection `own`: it closes with that. At error recovery level 0 nothing is recovered. */
export function responseToLogout({ reason, cid }: LogoutRequest, own: number): number {
  if (reason === logoutReason.removeForRecovery) return logoutResponse.recoveryNotSupported
  const closes = reason === logoutReason.closeSession || cid === own
  return closes ? logoutResponse.closed : logoutResponse.cidNotFound
}

/** What an initiator sends again on another connection if it was not answered; a ping or the data of a command is not. */
export function isSentAgain(pdu: Pdu): boolean {
  return pdu.opcode === opcode.scsiCommand || pdu.opcode === opcode.taskManagementRequest
}
