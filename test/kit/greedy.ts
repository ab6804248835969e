// Initiators that take without giving: they ask for data and do not read it, ask to write and do not send it, or make a
// target answer without end. Bytes by hand on plain sockets, for bounds that our own initiator would never come near.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { encodeText } from '../../src/base/text.ts'
import { readCdb, writeCdb } from '../../src/initiator/cdb.ts'
import { opcode, reservedTag } from '../../src/iscsi/pdu.ts'
import { pduBytes } from '../../src/iscsi/wire.fixture.ts'

const MIB = 2 ** 20
const BLOCK_BYTES = 512
/** MAXIMUM TRANSFER LENGTH of the block limits VPD page. */
const READ_BYTES = 8 * MIB
const WRITE_BYTES = 4 * MIB
/** All that a target takes unsolicited of one write. */
const FIRST_BURST_BYTES = 256 * 1024
const COMMANDS = 150
const EVERY_MS = 100
/** What comes with data is sent again more seldom: the wire is not what is to be filled. */
const DATA_EVERY_MS = 5_000
const FLOODED_AT_ONCE = 64
const UNKNOWN_OPCODE = 0x1c
const CDB_AT = 32

export type Greed =
  /** READs of 8 MiB of which nothing is read. */
  | 'reads'
  /** WRITEs of 4 MiB whose data is never sent. */
  | 'writes'
  /** WRITEs of 4 MiB of which only what needs no R2T is sent. */
  | 'halfWrites'
  /** NOP-Outs with 8 KiB, their answers never read. */
  | 'nops'
  /** PDUs that nobody knows, their Rejects never read. */
  | 'rejects'

export class Greedy {
  readonly #socket: Socket
  readonly #greed: Greed
  readonly #timer: NodeJS.Timeout
  closed = false

  static async connect(port: number, iqn: string, name: string, greed: Greed): Promise<Greedy> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const keys = [
      ...[`InitiatorName=iqn.2026-11.test.evenkeel:${name}`, `TargetName=${iqn}`],
      ...['InitialR2T=No', 'ImmediateData=Yes', 'FirstBurstLength=262144'],
      ...['MaxBurstLength=1048576', 'MaxRecvDataSegmentLength=262144'],
    ]
    const isid = { 8: 0x80000000 + Math.floor(Math.random() * 0xffffff), 16: 1, 24: 1 }
    const text = encodeText(keys.map((key) => `${key}\0`).join(''))
    socket.write(pduBytes(opcode.loginRequest | 0x40, 0x87, isid, text))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    if (answer[0] !== opcode.loginResponse || answer[36] !== 0) throw new Error(`${name}: no login`)
    return new Greedy(socket, greed)
  }

  private constructor(socket: Socket, greed: Greed) {
    this.#socket = socket
    this.#greed = greed
    socket.pause()
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
    })
    const everyMs = greed === 'halfWrites' ? DATA_EVERY_MS : EVERY_MS
    this.#timer = setInterval(() => this.#ask(), everyMs)
    this.#ask()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#socket.destroy()
  }

  #ask(): void {
    if (this.#greed === 'nops' || this.#greed === 'rejects') return this.#flood()
    // All of them each time: those that were taken count as repeated, and are ignored.
    if (this.#socket.writableNeedDrain) return
    for (let cmdSn = 1; cmdSn <= COMMANDS; cmdSn += 1) this.#socket.write(this.#command(cmdSn))
  }

  #command(cmdSn: number): Uint8Array {
    const isRead = this.#greed === 'reads'
    const bytes = isRead ? READ_BYTES : WRITE_BYTES
    const unsent = new Uint8Array(this.#greed === 'halfWrites' ? FIRST_BURST_BYTES : 0)
    const fields = { 16: cmdSn, 20: bytes, 24: cmdSn, 28: 2 }
    const pdu = pduBytes(opcode.scsiCommand, isRead ? 0xc1 : 0xa1, fields, unsent)
    const blocks = bytes / BLOCK_BYTES
    pdu.set(isRead ? readCdb(0, blocks) : writeCdb(0, blocks), CDB_AT)
    return pdu
  }

  #flood(): void {
    const isNop = this.#greed === 'nops'
    const first = isNop ? opcode.nopOut : UNKNOWN_OPCODE
    const fields = { 16: 7, 20: reservedTag, 24: 1 }
    const pdu = pduBytes(first | 0x40, 0x80, fields, new Uint8Array(isNop ? 8192 : 0))
    while (!this.#socket.writableNeedDrain && !this.closed) {
      for (let i = 0; i < FLOODED_AT_ONCE; i += 1) this.#socket.write(pdu)
    }
  }
}

/** Resident memory of a process, in MiB. */
export function residentMiB(pid: number): number {
  const [, kib = '0'] =
    /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) / 1024
}

/** Looks at it now and then: the most there was. */
export class MostResident {
  readonly #pid: number
  readonly #timer: NodeJS.Timeout
  mib = 0

  constructor(pid: number) {
    this.#pid = pid
    this.#timer = setInterval(() => this.#look(), 50)
    this.#look()
  }

  stop(): number {
    clearInterval(this.#timer)
    this.#look()
    return this.mib
  }

  #look(): void {
    this.mib = Math.max(this.mib, residentMiB(this.#pid))
  }
}
