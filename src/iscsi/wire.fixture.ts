// For the tests of this room: what an initiator would put on the wire, and what it would find there.

import { Budget } from '../base/budget.ts'
import { BufferPool } from '../base/buffer-pool.ts'
import { writeU32 } from '../base/bytes.ts'
import { digestBytes } from './digest.ts'
import { Framer, type FramerLimits, type Pdu } from './framer.ts'
import { type Negotiated, targetSettings } from './negotiate.ts'
import { Outbox } from './outbox.ts'
import {
  bhsAt,
  bhsBytes,
  dataOutAt,
  finalBit,
  immediateBit,
  opcode,
  padded,
  reservedTag,
  scsiCommandAt,
  taskManagementRequestAt,
  writeLun,
} from './pdu.ts'
import { PduWriter } from './pdu-writer.ts'
import { Session, type SessionAction } from './session.ts'
import type { Task } from './task.ts'

/** Of a session after a login of one exchange. */
export const firstStatSn = 2

export const wideLimits: FramerLimits = { maxDataBytes: 0xffffff, maxAhsBytes: 1020 }

/** Its one chunk is used again and again and never clean: what is sent must not depend on what it held. */
const dirtyPool = new BufferPool(1 << 20)
dirtyPool.give(new Uint8Array(512 * 1024).fill(0xdd))

export const parameters: Negotiated = {
  ...targetSettings,
  headerDigest: false,
  dataDigest: false,
  maxSendDataSegmentLength: 262_144,
}

/** A PDU of its own, copied out of the stream. */
export interface SeenPdu {
  readonly opcode: number
  readonly flags: number
  readonly header: Uint8Array
  readonly data: Uint8Array
}

export interface Digests {
  readonly headerDigest: boolean
  readonly dataDigest: boolean
}

export function fromHex(hex: string): Uint8Array {
  const digits = hex.replace(/\s/g, '')
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
    Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  )
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((bytes, part) => bytes + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

export function copyOf(pdu: Pdu): SeenPdu {
  const header = pdu.header.slice(pdu.at, pdu.at + bhsBytes)
  return { opcode: pdu.opcode, flags: header[1] ?? 0, header, data: pdu.data.slice() }
}

export function framerFor({ headerDigest, dataDigest }: Digests): Framer {
  const framer = new Framer(wideLimits)
  framer.headerDigest = headerDigest
  framer.dataDigest = dataDigest
  return framer
}

/** The bytes that wait in an outbox, taken and released as a stream would. */
export function takeBytes(outbox: Outbox): Uint8Array {
  const parts = outbox.take()
  const bytes = concat(parts)
  for (const part of parts) outbox.released(part)
  return bytes
}

export function pdusIn(bytes: Uint8Array, digests: Digests = parameters): SeenPdu[] {
  const framer = framerFor(digests)
  framer.push(bytes)
  const pdus: SeenPdu[] = []
  let ended = 0
  for (let pdu = framer.next(); pdu !== null; pdu = framer.next()) {
    const end = pdu.dataAt + pdu.dataBytes
    ended = pdu.dataAt + padded(pdu.dataBytes)
    const padding = pdu.header.subarray(end, ended)
    if (padding.some((byte) => byte !== 0)) throw new Error('padding that is not zero (§11.1)')
    if (digests.dataDigest && pdu.dataBytes > 0) ended += digestBytes
    pdus.push(copyOf(pdu))
  }
  if (ended !== bytes.length) throw new Error('half a PDU was sent')
  return pdus
}

/** One PDU as bytes; `fields` are words by their offset in the header. */
export function pduBytes(
  first: number,
  flags: number,
  fields: Readonly<Record<number, number>>,
  data: Uint8Array = new Uint8Array(0),
  digests: Digests = parameters,
): Uint8Array {
  const outbox = new Outbox(dirtyPool)
  const writer = new PduWriter(outbox)
  writer.headerDigest = digests.headerDigest
  writer.dataDigest = digests.dataDigest
  const at = writer.begin(first, flags, data.length)
  for (const [offset, word] of Object.entries(fields)) {
    writeU32(writer.bytes, at + Number(offset), word)
  }
  writer.bytes.set(data, writer.dataAt)
  writer.seal(at, data.length)
  return takeBytes(outbox)
}

export interface CommandShape {
  readonly tag: number
  readonly cmdSn: number
  readonly direction?: 'read' | 'write' | 'none'
  readonly bytes?: number
  readonly data?: Uint8Array
  /** Unsolicited Data-Outs follow. */
  readonly more?: boolean
  readonly immediate?: boolean
  readonly lun?: number
  /** Default: no answer was seen yet. */
  readonly expStatSn?: number
}

const directionBits = { read: 0x40, write: 0x20, none: 0 }

export function commandBytes(shape: CommandShape, digests: Digests = parameters): Uint8Array {
  const lun = new Uint8Array(8)
  writeLun(lun, 0, shape.lun ?? 0)
  const first = opcode.scsiCommand | (shape.immediate ? immediateBit : 0)
  const flags = (shape.more ? 0 : finalBit) | directionBits[shape.direction ?? 'none'] | 1
  const fields = {
    [bhsAt.lun]: ((lun[0] ?? 0) << 24) | ((lun[1] ?? 0) << 16),
    [bhsAt.initiatorTaskTag]: shape.tag,
    [scsiCommandAt.expectedDataTransferLength]: shape.bytes ?? 0,
    [scsiCommandAt.cmdSn]: shape.cmdSn,
    [scsiCommandAt.expStatSn]: shape.expStatSn ?? firstStatSn,
    [scsiCommandAt.cdb]: 0xa5000000 + shape.tag,
  }
  return pduBytes(first, flags, fields, shape.data, digests)
}

export interface DataOutShape {
  readonly tag: number
  readonly transferTag?: number
  readonly dataSn: number
  readonly offset: number
  readonly data: Uint8Array
  readonly final: boolean
}

export function dataOutBytes(shape: DataOutShape, digests: Digests = parameters): Uint8Array {
  const fields = {
    [bhsAt.initiatorTaskTag]: shape.tag,
    [dataOutAt.targetTransferTag]: shape.transferTag ?? reservedTag,
    [dataOutAt.dataSn]: shape.dataSn,
    [dataOutAt.bufferOffset]: shape.offset,
  }
  return pduBytes(opcode.dataOut, shape.final ? finalBit : 0, fields, shape.data, digests)
}

export interface ManagementShape {
  readonly tag: number
  readonly cmdSn: number
  readonly function: number
  readonly referencedTaskTag?: number
  readonly refCmdSn?: number
  readonly immediate?: boolean
}

export function managementBytes(shape: ManagementShape): Uint8Array {
  const first = opcode.taskManagementRequest | ((shape.immediate ?? true) ? immediateBit : 0)
  return pduBytes(first, finalBit | shape.function, {
    [bhsAt.initiatorTaskTag]: shape.tag,
    [taskManagementRequestAt.referencedTaskTag]: shape.referencedTaskTag ?? reservedTag,
    [taskManagementRequestAt.cmdSn]: shape.cmdSn,
    [taskManagementRequestAt.refCmdSn]: shape.refCmdSn ?? 0,
  })
}

const wide = { total: 2 ** 30, each: 2 ** 30, least: 0 }

/** A session with an initiator's end of its wire. */
/** Everything that the initiator offers to send is here, whole. */
export function isWhole(task: Task): boolean {
  if (!task.isWrite) return true
  if (task.unsolicitedOpen || task.dataError !== 'none') return false
  return task.dataBytes >= task.expectedDataTransferLength
}

export function tasksIn(actions: readonly SessionAction[]): Task[] {
  return actions.flatMap((action) => (action.kind === 'command' ? [action.task] : []))
}

export function tagsIn(actions: readonly SessionAction[]): number[] {
  return tasksIn(actions).map((task) => task.initiatorTaskTag)
}

export class Wire {
  readonly parameters: Negotiated
  readonly buffers = new BufferPool(1 << 24)
  readonly asked = new Budget(wide).share()
  readonly unasked = new Budget(wide).share()
  readonly outbox: Outbox
  readonly session: Session
  readonly #framer: Framer
  nowMs = 0

  constructor(differing: Partial<Negotiated> = {}, expCmdSn = 100) {
    this.parameters = { ...parameters, ...differing }
    this.outbox = new Outbox(dirtyPool)
    this.session = new Session({
      parameters: this.parameters,
      cid: 0,
      expCmdSn,
      statSn: firstStatSn,
      outbox: this.outbox,
      buffers: this.buffers,
      room: { asked: this.asked, unasked: this.unasked },
    })
    this.#framer = framerFor(this.parameters)
  }

  /** Delivers the bytes, wipes them, and returns what the session made of them. */
  send(...parts: readonly Uint8Array[]): SessionAction[] {
    const bytes = concat(parts)
    this.#framer.push(bytes)
    for (let pdu = this.#framer.next(); pdu !== null; pdu = this.#framer.next()) {
      this.session.receive(pdu, this.nowMs)
    }
    bytes.fill(0xee)
    return this.actions()
  }

  actions(): SessionAction[] {
    const actions = [...this.session.actions]
    this.session.clearActions()
    return actions
  }

  seen(): SeenPdu[] {
    return pdusIn(takeBytes(this.outbox), this.parameters)
  }
}

export function pattern(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 7 + seed) & 0xff)
}

/** `toEqual` takes seconds for what this takes microseconds. */
export function expectSame(got: Uint8Array, expected: Uint8Array): void {
  if (Buffer.compare(got, expected) !== 0) throw new Error('other bytes came than were expected')
}
