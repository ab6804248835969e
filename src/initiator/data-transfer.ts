// The data of commands on the initiator's side: immediate data, unsolicited and solicited Data-Outs, and Data-In
// (RFC 7143 §4.2.5.2, §11.7, §11.8).
//
// Invariants:
//   B1. No byte beyond FirstBurstLength is sent unasked, none beyond an R2T's length is sent for it, and no data segment
//       is longer than the target takes.
//   B2. A Data-In lands at its offset, in order and without gaps, or the connection is given up.
import { readU32, writeU32 } from '../base/bytes.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import type { Pdu } from '../iscsi/framer.ts'
import type { Negotiated } from '../iscsi/negotiate.ts'
import {
  bhsAt,
  dataInAt,
  dataOutAt,
  finalBit,
  opcode,
  r2tAt,
  reservedTag,
  writeLun,
} from '../iscsi/pdu.ts'
import type { PduWriter } from '../iscsi/pdu-writer.ts'
import type { PendingCommand } from './pending-command.ts'

/** Longer data is sent from where it is; shorter is copied, which is cheaper than a part of its own. */
const copyBytesMax = 16 * 1024

/** How much of the write goes out with the command itself. */
export function immediateBytes(expectedBytes: number, parameters: Negotiated): number {
  if (!parameters.immediateData) return 0
  const { firstBurstLength, maxSendDataSegmentLength } = parameters
  return Math.min(expectedBytes, firstBurstLength, maxSendDataSegmentLength)
}

/** Where unsolicited data ends; nothing but immediate data is sent unasked with InitialR2T=Yes. */
export function unsolicitedEnd(expectedBytes: number, parameters: Negotiated): number {
  if (parameters.initialR2T) return immediateBytes(expectedBytes, parameters)
  return Math.min(expectedBytes, parameters.firstBurstLength)
}

/** Begins a PDU whose data is `data`: returns where its header is; `finishPdu` follows once the header is filled in. */
export function beginPdu(
  writer: PduWriter,
  first: number,
  flags: number,
  data: Uint8Array,
): number {
  if (data.length <= copyBytesMax) {
    const at = writer.begin(first, flags, data.length)
    writer.bytes.set(data, writer.dataAt)
    return at
  }
  const at = writer.reserve(writer.headBytes)
  writer.writeHeader(at, first, flags, data.length)
  return at
}

export function finishPdu(writer: PduWriter, at: number, data: Uint8Array): void {
  if (data.length <= copyBytesMax) writer.seal(at, data.length)
  else writer.sealAround(at, data)
}

interface Burst {
  readonly targetTransferTag: number
  readonly from: number
  readonly to: number
}

/** Sends one burst of the command's data as Data-Outs; the last has the F bit. */
export function sendBurst(
  writer: PduWriter,
  command: PendingCommand,
  burst: Burst,
  parameters: Negotiated,
  expStatSn: number,
): void {
  const { write, lun = 0 } = command.request
  if (write === undefined) throw new ProtocolError('data asked of no write', 'RFC 7143 §11.8')
  let dataSn = 0
  for (let from = burst.from; from < burst.to; ) {
    const to = Math.min(burst.to, from + parameters.maxSendDataSegmentLength)
    const data = write.subarray(from, to)
    const at = beginPdu(writer, opcode.dataOut, to === burst.to ? finalBit : 0, data)
    const { bytes } = writer
    if (burst.targetTransferTag !== reservedTag) writeLun(bytes, at + bhsAt.lun, lun)
    writeU32(bytes, at + bhsAt.initiatorTaskTag, command.tag)
    writeU32(bytes, at + dataOutAt.targetTransferTag, burst.targetTransferTag)
    writeU32(bytes, at + dataOutAt.expStatSn, expStatSn)
    writeU32(bytes, at + dataOutAt.dataSn, dataSn)
    writeU32(bytes, at + dataOutAt.bufferOffset, from)
    finishPdu(writer, at, data)
    dataSn += 1
    from = to
  }
}

/** Answers an R2T. Throws ProtocolError if it asks for what is not there. */
export function readR2t(pdu: Pdu, command: PendingCommand, parameters: Negotiated): Burst {
  const { header, at } = pdu
  const from = readU32(header, at + r2tAt.bufferOffset)
  const length = readU32(header, at + r2tAt.desiredDataTransferLength)
  const targetTransferTag = readU32(header, at + r2tAt.targetTransferTag)
  const bytes = command.request.write?.length ?? 0
  if (length === 0 || length > parameters.maxBurstLength || from + length > bytes) {
    throw new ProtocolError(`R2T for ${length} bytes at ${from} of ${bytes}`, 'RFC 7143 §11.8.4')
  }
  return { targetTransferTag, from, to: from + length }
}

/** Puts a Data-In where it belongs. Throws ProtocolError. */
export function takeDataIn(pdu: Pdu, command: PendingCommand): void {
  const { header, at } = pdu
  const clause = 'RFC 7143 §11.7'
  // §7.8: at error recovery level 0 a damaged data segment ends the session.
  if (pdu.digestError) throw new ProtocolError('damaged data', 'RFC 7143 §7.8')
  if (pdu.dataBytes === 0) return
  const into = command.request.read
  if (into === undefined) throw new ProtocolError('data for a command that reads nothing', clause)
  const offset = readU32(header, at + dataInAt.bufferOffset)
  const dataSn = readU32(header, at + dataInAt.dataSn)
  if (dataSn !== command.dataSn || offset !== command.receivedBytes) {
    throw new ProtocolError(`Data-In ${dataSn} at ${offset} is out of order`, clause)
  }
  if (offset + pdu.dataBytes > into.length)
    throw new ProtocolError('more data than expected', clause)
  into.set(pdu.data, offset)
  command.receivedBytes += pdu.dataBytes
  command.dataSn += 1
}
