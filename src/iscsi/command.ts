// A SCSI Command PDU becomes a task here (RFC 7143 §11.3, §11.2.2). The data that came with it is data-out.ts' affair.
import { readU16, readU32 } from '../base/bytes.ts'
import type { Pdu } from './framer.ts'
import {
  ahsType,
  bhsAt,
  bhsBytes,
  commandReadBit,
  commandWriteBit,
  flagsOf,
  initiatorTaskTag,
  isImmediate,
  readLun,
  scsiCommandAt,
} from './pdu.ts'
import type { Task } from './task.ts'

const lunBytes = 8
const ahsHeadBytes = 4

/** False if its additional headers are malformed; the task is of no use then. */
export function readCommand(task: Task, pdu: Pdu, nowMs: number): boolean {
  const { header, at } = pdu
  const flags = flagsOf(header, at)
  task.state = 'queued'
  task.counted = false
  task.initiatorTaskTag = initiatorTaskTag(header, at)
  task.immediate = isImmediate(header, at)
  task.cmdSn = readU32(header, at + scsiCommandAt.cmdSn)
  task.expStatSn = readU32(header, at + scsiCommandAt.expStatSn)
  task.attribute = flags & 7
  task.isRead = (flags & commandReadBit) !== 0
  task.isWrite = (flags & commandWriteBit) !== 0
  // §11.3.4: without a direction there is no length to expect.
  const expected = readU32(header, at + scsiCommandAt.expectedDataTransferLength)
  task.expectedDataTransferLength = task.isRead || task.isWrite ? expected : 0
  task.receivedAtMs = nowMs
  task.lun = readLun(header, at + bhsAt.lun)
  for (let i = 0; i < lunBytes; i += 1) task.lunBytes[i] = header[at + bhsAt.lun + i] ?? 0
  task.takeCdb(header, at + scsiCommandAt.cdb)
  return pdu.ahsBytes === 0 || readAdditionalHeaders(task, pdu)
}

/** Takes the rest of an extended CDB. The length of a bidirectional read is ignored: no command here moves data both ways. */
function readAdditionalHeaders(task: Task, pdu: Pdu): boolean {
  const { header } = pdu
  let at = pdu.at + bhsBytes
  const end = at + pdu.ahsBytes
  while (at + ahsHeadBytes <= end) {
    // AHSLength counts from the byte behind the type, padding not included (§11.2.2.2).
    const length = readU16(header, at)
    const next = at + ((3 + length + 3) & ~3)
    if (length === 0 || next > end) return false
    if (header[at + 2] === ahsType.extendedCdb) {
      task.extendCdb(header.slice(at + ahsHeadBytes, at + 3 + length))
    }
    at = next
  }
  return at === end
}
