// The initiator's half of login (RFC 7143 §6.3, §11.12): requests out, responses in. No sockets, no clock.
//
//   start ──▶ security ──▶ operational ──▶ ready | redirected | rejected
//
// The security stage is entered only if asked for; it offers AuthMethod=None. A target that insists on more rejects the
// login.
//
// Invariants:
//   L1. One request is out at a time, and every response is checked against it (§11.13).
//   L2. Nothing is ready before the target has agreed to the full feature phase.
import { readU16, readU32, writeU16, writeU32 } from '../base/bytes.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import type { Pdu } from './framer.ts'
import { writeIsid } from './names.ts'
import { KeyNegotiation, type KeySettings, type Negotiated } from './negotiate.ts'
import type { Outbox } from './outbox.ts'
import {
  continueBit,
  flagsOf,
  immediateBit,
  initiatorTaskTag,
  type LoginStage,
  loginRequestAt,
  loginResponseAt,
  loginStage,
  opcode,
  transitBit,
} from './pdu.ts'
import { PduWriter } from './pdu-writer.ts'
import { type KeyValue, parseKeys, parseNumber, printKeys, TextGatherer } from './text-keys.ts'

export interface InitiatorLoginSettings {
  readonly initiatorName: string
  /** Null for a discovery session. */
  readonly targetName: string | null
  /** Twelve hexadecimal digits. */
  readonly isid: string
  /** Of the Login Requests, and of the first command after them. */
  readonly cmdSn: number
  readonly cid: number
  /** As open-iscsi does: two stages. Otherwise one exchange, as libiscsi does. */
  readonly securityStage: boolean
  readonly keys: KeySettings
}

export type InitiatorLoginStep =
  /** The next request is in the outbox. */
  | { readonly kind: 'asked' }
  | { readonly kind: 'ready'; readonly session: ReadySession }
  /** `address` as sent: `host[:port][,tag]`, see `parsePortal`. */
  | { readonly kind: 'redirected'; readonly address: string; readonly permanently: boolean }
  /** `status` is class and detail in one word (`loginStatus`); class 3 may be tried again. */
  | { readonly kind: 'rejected'; readonly status: number }

export interface ReadySession {
  readonly parameters: Negotiated
  readonly tsih: number
  /** StatSN of the next response with status. */
  readonly expStatSn: number
  /** CmdSN of the next command. */
  readonly cmdSn: number
  readonly maxCmdSn: number
  /** TargetPortalGroupTag as the target told it, or null. */
  readonly targetPortalGroupTag: number | null
}

/** A login takes two to four PDUs. */
const requestsMax = 64

export class InitiatorLogin {
  readonly #settings: InitiatorLoginSettings
  readonly #writer: PduWriter
  readonly #negotiation: KeyNegotiation
  readonly #text = new TextGatherer()
  #stage: LoginStage
  /** Keys of the operational stage have been offered. */
  #offered = false
  #requests = 0
  #expStatSn = 0
  #tag: number | null = null
  #waiting = false

  constructor(settings: InitiatorLoginSettings, outbox: Outbox) {
    this.#settings = settings
    this.#writer = new PduWriter(outbox)
    this.#negotiation = new KeyNegotiation(settings.keys)
    this.#stage = settings.securityStage ? loginStage.security : loginStage.operational
  }

  /** Writes the first request. */
  start(): void {
    const { initiatorName, targetName } = this.#settings
    const pairs: KeyValue[] = [{ key: 'InitiatorName', value: initiatorName }]
    if (targetName !== null) pairs.push({ key: 'TargetName', value: targetName })
    const sessionType = targetName === null ? 'Discovery' : 'Normal'
    pairs.push({ key: 'SessionType', value: sessionType })
    if (this.#stage === loginStage.security) pairs.push({ key: 'AuthMethod', value: 'None' })
    this.#ask(pairs)
  }

  /** Takes a response. Throws ProtocolError: the connection is of no use then. */
  receive(pdu: Pdu): InitiatorLoginStep {
    this.#check(pdu)
    const { header, at } = pdu
    const status = readU16(header, at + loginResponseAt.statusClass)
    if (status >> 8 === 1) return redirected(pdu, status)
    if (status !== 0) return { kind: 'rejected', status }
    const flags = flagsOf(header, at)
    this.#expStatSn = (readU32(header, at + loginResponseAt.statSn) + 1) >>> 0
    this.#text.add(pdu.data)
    if ((flags & continueBit) !== 0) {
      this.#send(new Uint8Array(0), this.#stage << 2)
      return { kind: 'asked' }
    }
    const answers = this.#settle(parseKeys(this.#text.take()))
    if (((flags >> 2) & 3) !== this.#stage) throw broken('a response of another stage')
    if ((flags & transitBit) !== 0) {
      const next = flags & 3
      if (next === loginStage.fullFeature) return this.#ready(pdu, answers)
      if (next <= this.#stage || next !== loginStage.operational) throw broken('a step backwards')
      this.#stage = next
    }
    this.#ask(answers)
    return { kind: 'asked' }
  }

  /** L1. */
  #check(pdu: Pdu): void {
    const { header, at } = pdu
    if (pdu.opcode !== opcode.loginResponse) throw broken(`opcode ${pdu.opcode} during login`)
    if (!this.#waiting) throw broken('a response that nothing asked for')
    this.#waiting = false
    if (initiatorTaskTag(header, at) !== 0) throw broken('a response to another request')
    if ((header[at + loginResponseAt.versionActive] ?? 0) !== 0) throw broken('another version')
  }

  #settle(pairs: readonly KeyValue[]): KeyValue[] {
    const answers: KeyValue[] = []
    for (const pair of pairs) {
      if (pair.key === 'AuthMethod') {
        if (pair.value !== 'None') throw broken(`AuthMethod=${pair.value}`)
        continue
      }
      if (pair.key === 'TargetPortalGroupTag') {
        this.#tag = readTag(pair.value)
        continue
      }
      const answer = this.#negotiation.receive(pair)
      if (answer !== null) answers.push({ key: pair.key, value: answer })
    }
    return answers
  }

  /** Asks for the next stage with these pairs, and with our offer once the operational stage is reached. */
  #ask(pairs: readonly KeyValue[]): void {
    const all = [...pairs]
    if (this.#stage === loginStage.operational && !this.#offered) {
      this.#offered = true
      const sessionType = this.#settings.targetName === null ? 'discovery' : 'normal'
      all.push(...this.#negotiation.offer(sessionType))
    }
    const next =
      this.#stage === loginStage.security ? loginStage.operational : loginStage.fullFeature
    this.#send(printKeys(all), transitBit | (this.#stage << 2) | next)
  }

  #send(text: Uint8Array, flags: number): void {
    this.#requests += 1
    if (this.#requests > requestsMax) throw broken('a login without end')
    const writer = this.#writer
    const at = writer.begin(opcode.loginRequest | immediateBit, flags, text.length)
    const { bytes } = writer
    writeIsid(bytes, at + loginRequestAt.isid, this.#settings.isid)
    writeU16(bytes, at + loginRequestAt.cid, this.#settings.cid)
    writeU32(bytes, at + loginRequestAt.cmdSn, this.#settings.cmdSn)
    writeU32(bytes, at + loginRequestAt.expStatSn, this.#expStatSn)
    bytes.set(text, writer.dataAt)
    this.#waiting = true
  }

  #ready(pdu: Pdu, answers: readonly KeyValue[]): InitiatorLoginStep {
    // §6.2: what the target offers in its last response could not be answered any more.
    if (answers.length > 0) throw broken('keys offered in the last response')
    if (!this.#offered) throw broken('the operational stage was left out')
    const { header, at } = pdu
    const tsih = readU16(header, at + loginResponseAt.tsih)
    if (tsih === 0) throw broken('no TSIH')
    return {
      kind: 'ready',
      session: {
        parameters: this.#negotiation.result(),
        tsih,
        expStatSn: this.#expStatSn,
        cmdSn: this.#settings.cmdSn,
        maxCmdSn: readU32(header, at + loginResponseAt.maxCmdSn),
        targetPortalGroupTag: this.#tag,
      },
    }
  }
}

function redirected(pdu: Pdu, status: number): InitiatorLoginStep {
  for (const { key, value } of parseKeys(pdu.data)) {
    if (key === 'TargetAddress') {
      return { kind: 'redirected', address: value, permanently: (status & 0xff) === 2 }
    }
  }
  throw broken('a redirection without address')
}

function readTag(value: string): number {
  const tag = parseNumber(value)
  if (tag === null || tag > 0xffff) throw broken(`TargetPortalGroupTag=${value}`)
  return tag
}

function broken(reason: string): ProtocolError {
  return new ProtocolError(reason, 'RFC 7143 §11.13')
}
