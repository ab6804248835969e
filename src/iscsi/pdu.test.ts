// PDUs as they are on the wire, in hex, and what we read from them; and what we write, byte by byte.
import { describe, expect, it } from 'vitest'
import { readU16, readU32 } from '../base/bytes.ts'
import {
  asyncEvent,
  dataSegmentLength,
  initiatorTaskTag,
  isImmediate,
  loginRequestAt,
  logoutRequestAt,
  opcode,
  readLun,
  scsiCommandAt,
  writeLun,
} from './pdu.ts'
import { fromHex, isWhole, takeBytes, toHex, Wire } from './wire.fixture.ts'

/** WRITE(10) of one block of 4096 at LBA 8, all of it immediate data. */
const writeHeader = `
  01 a1 00 00  00 00 10 00  00 00 00 00 00 00 00 00  00 00 00 2a  00 00 10 00
  00 00 00 64  00 00 00 01  2a 00 00 00 00 08 00 00 01 00 00 00 00 00 00 00`

describe('PDU layouts', () => {
  it('SCSI Command (§11.3)', () => {
    const bytes = fromHex(writeHeader)
    expect((bytes[0] ?? 0) & 0x3f).toBe(opcode.scsiCommand)
    expect(isImmediate(bytes, 0)).toBe(false)
    expect(dataSegmentLength(bytes, 0)).toBe(4096)
    expect(initiatorTaskTag(bytes, 0)).toBe(42)
    expect(readU32(bytes, scsiCommandAt.expectedDataTransferLength)).toBe(4096)
    expect(readU32(bytes, scsiCommandAt.cmdSn)).toBe(100)
    const wire = new Wire()
    const [action] = wire.send(bytes, new Uint8Array(4096).fill(7))
    if (action?.kind !== 'command') throw new Error('a command comes out')
    const { task } = action
    expect(toHex(task.cdb)).toBe('2a000000000800000100000000000000')
    expect([task.isWrite, task.isRead, task.attribute, task.lun]).toEqual([true, false, 1, 0])
    expect(isWhole(task)).toBe(true)
    expect(task.data).toEqual(new Uint8Array(4096).fill(7))
  })

  it('Login Request of libiscsi (§11.12): 43 87, ISID of the random kind', () => {
    const bytes = fromHex(`
      43 87 00 00  00 00 00 00  80 12 34 56 00 00 00 00  00 00 00 00  00 01 00 00
      00 00 00 05  00 00 00 00  ${'00'.repeat(16)}`)
    expect((bytes[0] ?? 0) & 0x3f).toBe(opcode.loginRequest)
    expect(isImmediate(bytes, 0)).toBe(true)
    expect(readU16(bytes, loginRequestAt.cid)).toBe(1)
    expect(readU32(bytes, loginRequestAt.cmdSn)).toBe(5)
  })

  it('Logout Request (§11.14): 46 80, and its response (§11.15): 26 80', () => {
    const bytes = fromHex(`
      46 80 00 00  00 00 00 00  00 00 00 00 00 00 00 00  00 00 00 09  00 01 00 00
      00 00 00 64  00 00 00 02  ${'00'.repeat(16)}`)
    expect(readU16(bytes, logoutRequestAt.cid)).toBe(1)
    const wire = new Wire()
    const [action] = wire.send(bytes)
    if (action?.kind !== 'logout') throw new Error('a logout comes out')
    expect(action.request).toEqual({ initiatorTaskTag: 9, reason: 0, cid: 1 })
    wire.session.respondToLogout(action.request)
    expect(toHex(takeBytes(wire.outbox))).toBe(
      `2680000000000000${'00'.repeat(8)}0000000900000000000000020000006400000 06b`.replace(
        ' ',
        '',
      ) + '00'.repeat(12),
    )
  })

  it('Asynchronous Message, event 3 with Time2Wait 0 (§11.9)', () => {
    const wire = new Wire()
    wire.session.asyncMessage(asyncEvent.sessionDrops, 0, 0, 0)
    expect(toHex(takeBytes(wire.outbox))).toBe(
      '3280000000000000' +
        '0000000000000000' +
        'ffffffff00000000' +
        '000000020000006400000 06b'.replace(' ', '') +
        '03000000000000000000 0000'.replace(' ', ''),
    )
    expect(wire.session.statSn).toBe(3)
  })

  it('LUNs in the addressing that initiators use, and none other (SAM-5 §4.7)', () => {
    for (const lun of [0, 1, 255, 256, 0x3fff]) {
      const bytes = new Uint8Array(8)
      writeLun(bytes, 0, lun)
      expect(readLun(bytes, 0)).toBe(lun)
    }
    for (const hex of [
      '0100000000000000',
      'c101000000000000',
      '0001000100000000',
      '0000000000000001',
    ]) {
      expect(readLun(fromHex(hex), 0)).toBe(-1)
    }
  })
})
