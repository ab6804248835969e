// The target's half of login (RFC 7143 §6.3, §11.12, §11.13): requests in, responses out, and the one question that only
// the target can answer: whether this initiator may come in here. No sockets, no clock, no CHAP yet: AuthMethod is None.
//
//   waiting ──first text whole──▶ asking ──admit──▶ prepared ──respond──▶ waiting … ──final respond──▶ over
//      └──── more, respond, ready, reject ─────────────▲              redirect, reject ──────────────▶ over
//
//   waiting   for the next request; the text of the last may go on in it (C bit)
//   asking    who it is is known; nothing has been answered, so it can still be redirected in the first response
//   prepared  the response is made, and sent when the target says so
//
// Invariants:
//   G1. Nothing leaves but one response for each request, in order.
//   G2. The target is asked exactly once, before the first response that is not empty.
//   G3. No login is ready that the target has not admitted.
//   G4. Whatever comes is answered or refused: never an exception.
import { assert } from '../base/assert.ts'
import { readU16, readU32, writeU16, writeU32 } from '../base/bytes.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import type { Pdu } from './framer.ts'
import { formatIsid, isidBytes, normalizeName } from './names.ts'
import { KeyNegotiation, type KeySettings, type Negotiated } from './negotiate.ts'
import type { Outbox } from './outbox.ts'
import {
  bhsAt,
  continueBit,
  flagsOf,
  initiatorTaskTag,
  loginRequestAt,
  loginResponseAt,
  loginStage,
  loginStatus,
  opcode,
  transitBit,
} from './pdu.ts'
import { PduWriter } from './pdu-writer.ts'
import { after } from './serial.ts'
import { type KeyValue, parseKeys, printKeys, TextGatherer } from './text-keys.ts'
import { leastWindow } from './window.ts'

export interface LoginSettings {
  /** The same on every member: the nexus must not change with a move. */
  readonly targetPortalGroupTag: number
  readonly keys: KeySettings
}

/** Who comes, and to what. */
export interface LoginRequest {
  /** In the form of `normalizeName`. */
  readonly initiatorName: string
  /** Null only in a discovery session. Normalized if it is an iSCSI name at all. */
  readonly targetName: string | null
  readonly sessionType: 'normal' | 'discovery'
  /** Twelve hexadecimal digits. */
  readonly isid: string
  /** 0 for a new session. */
  readonly tsih: number
  readonly cid: number
  readonly cmdSn: number
}

export type LoginStep =
  /** The text goes on; `respond` sends the empty response that asks for it. */
  | { readonly kind: 'more' }
  /** Answer with `admit`, `redirect` or `reject`, now or later. */
  | { readonly kind: 'ask'; readonly request: LoginRequest }
  /** `respond` sends the response; the login goes on. */
  | { readonly kind: 'respond' }
  /** `respond` sends the last response; the full feature phase begins behind it. */
  | { readonly kind: 'ready'; readonly parameters: Negotiated }
  /** `respond` sends the refusal; then the connection is closed. */
  | { readonly kind: 'reject'; readonly status: number; readonly reason: string }

interface Response {
  readonly flags: number
  readonly status: number
  readonly text: Uint8Array
  readonly last: boolean
}

type State =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'asking'; readonly flags: number; readonly pairs: readonly KeyValue[] }
  | { readonly kind: 'prepared'; readonly response: Response }
  | { readonly kind: 'over' }

/** A login takes two to four requests. */
const requestsMax = 64
const nothing = new Uint8Array(0)

class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number

  constructor(status: number, reason: string) {
    super(reason)
    this.status = status
  }
}

export class LoginNegotiation {
  readonly #settings: LoginSettings
  readonly #writer: PduWriter
  readonly #negotiation: KeyNegotiation
  readonly #text = new TextGatherer()
  readonly #isid = new Uint8Array(isidBytes)
  #state: State = { kind: 'waiting' }
  #requests = 0
  #stage: number = loginStage.security
  #request: LoginRequest | null = null
  #first: { readonly tag: number; readonly cid: number; readonly tsih: number } | null = null
  #initiatorTaskTag = 0
  #cmdSn = 0
  #statSn = 1
  #declared = false
  #tagTold = false

  constructor(settings: LoginSettings, outbox: Outbox) {
    this.#settings = settings
    this.#writer = new PduWriter(outbox)
    this.#negotiation = new KeyNegotiation(settings.keys)
  }

  /** CmdSN of the first command: Login Requests are immediate (§11.12.7). */
  get expCmdSn(): number {
    return this.#cmdSn
  }

  /** StatSN of the next response. Begins at 1: libiscsi takes a first StatSN only if it is above 0. */
  get statSn(): number {
    return this.#statSn
  }

  get cid(): number {
    return this.#first?.cid ?? 0
  }

  /** Nothing has been answered yet: it can still be redirected. */
  get isAsking(): boolean {
    return this.#state.kind === 'asking'
  }

  receive(pdu: Pdu): LoginStep {
    return this.#refusing(() => this.#take(pdu))
  }

  /** The answer to 'ask': it may come in. */
  admit(): LoginStep {
    const state = this.#state
    assert(state.kind === 'asking', 'G2 only an asking login is admitted')
    return this.#refusing(() => this.#answer(state.flags, state.pairs))
  }

  /** The answer to 'ask': go to `address` (`host:port`, see `formatPortal`) instead, this time (0101). Written at once. */
  redirect(address: string): void {
    assert(this.#state.kind === 'asking', 'G2 only an asking login is redirected')
    // §13.8: no portal group tag in a redirection. Temporary, because libiscsi knows no other.
    const text = printKeys([{ key: 'TargetAddress', value: address }])
    const status = loginStatus.movedTemporarily
    this.#state = { kind: 'prepared', response: { flags: 0, status, text, last: true } }
    this.respond(0)
  }

  /** The answer to 'ask', or the end of a login at any later time before it is ready. Written at once. */
  reject(status: number): void {
    assert(this.#state.kind !== 'over', 'G1 a login ends once')
    this.#state = refusal(status)
    this.respond(0)
  }

  /** Writes the response that was prepared; the last one of a login that is ready with the session's `tsih`, never 0. */
  respond(tsih: number): void {
    const state = this.#state
    assert(state.kind === 'prepared', 'G1 one response for each request')
    const { flags, status, text, last } = state.response
    assert(status !== 0 || !last || tsih !== 0, 'a session has a TSIH')
    const writer = this.#writer
    const at = writer.begin(opcode.loginResponse, flags, text.length)
    const { bytes } = writer
    bytes.set(this.#isid, at + loginResponseAt.isid)
    writeU16(bytes, at + loginResponseAt.tsih, last ? tsih : (this.#first?.tsih ?? 0))
    writeU32(bytes, at + bhsAt.initiatorTaskTag, this.#initiatorTaskTag)
    writeU32(bytes, at + loginResponseAt.statSn, this.#statSn)
    writeU32(bytes, at + loginResponseAt.expCmdSn, this.#cmdSn)
    writeU32(bytes, at + loginResponseAt.maxCmdSn, after(this.#cmdSn, leastWindow - 1))
    writeU16(bytes, at + loginResponseAt.statusClass, status)
    bytes.set(text, writer.dataAt)
    if (status === 0) this.#statSn = after(this.#statSn)
    this.#state = last ? { kind: 'over' } : { kind: 'waiting' }
  }

  /** G4: what is wrong with a request becomes its answer. */
  #refusing(step: () => LoginStep): LoginStep {
    try {
      return step()
    } catch (error) {
      let status: number
      if (error instanceof Refusal) status = error.status
      else if (error instanceof ProtocolError) status = loginStatus.initiatorError
      else throw error
      this.#state = refusal(status)
      return { kind: 'reject', status, reason: error.message }
    }
  }

  #take(pdu: Pdu): LoginStep {
    const { header, at } = pdu
    if (this.#state.kind !== 'waiting') throw wrong('a request before the last was answered')
    this.#initiatorTaskTag = initiatorTaskTag(header, at)
    if (pdu.opcode !== opcode.loginRequest) {
      throw new Refusal(loginStatus.invalidDuringLogin, `opcode ${pdu.opcode} during login`)
    }
    this.#requests += 1
    if (this.#requests > requestsMax) throw wrong('a login without end')
    if ((header[at + loginRequestAt.versionMin] ?? 0) !== 0) {
      throw new Refusal(loginStatus.unsupportedVersion, 'a later version of iSCSI')
    }
    const flags = flagsOf(header, at)
    this.#checkHeader(pdu, flags)
    this.#text.add(pdu.data)
    if ((flags & continueBit) !== 0) {
      this.#prepare(this.#stage << 2, nothing, false)
      return { kind: 'more' }
    }
    const pairs = parseKeys(this.#text.take())
    if (this.#request !== null) return this.#answer(flags, pairs)
    const request = this.#identify(pdu, pairs)
    this.#request = request
    this.#state = { kind: 'asking', flags, pairs }
    return { kind: 'ask', request }
  }

  /** §11.12: stages go forward, and what names the login stays. */
  #checkHeader(pdu: Pdu, flags: number): void {
    const { header, at } = pdu
    const current = (flags >> 2) & 3
    const next = flags & 3
    const cid = readU16(header, at + loginRequestAt.cid)
    const tsih = readU16(header, at + loginRequestAt.tsih)
    const isid = header.subarray(at + loginRequestAt.isid, at + loginRequestAt.isid + isidBytes)
    const first = this.#first
    if (first === null) {
      if (current > loginStage.operational) throw wrong('a login that begins in no stage')
      this.#stage = current
      this.#first = { tag: this.#initiatorTaskTag, cid, tsih }
      this.#isid.set(isid)
      this.#cmdSn = readU32(header, at + loginRequestAt.cmdSn)
    } else {
      const same = first.tag === this.#initiatorTaskTag && first.cid === cid && first.tsih === tsih
      if (!same || isid.some((byte, i) => byte !== this.#isid[i])) throw wrong('another login')
      if (current !== this.#stage) throw wrong('a request of another stage')
    }
    if ((flags & transitBit) === 0) return
    if ((flags & continueBit) !== 0) throw wrong('C and T together')
    if (next <= current || next === 2) throw wrong('a step to no stage')
  }

  #identify(pdu: Pdu, pairs: readonly KeyValue[]): LoginRequest {
    const { header, at } = pdu
    const name = findValue(pairs, 'InitiatorName')
    if (name === null) throw new Refusal(loginStatus.missingParameter, 'no InitiatorName')
    const initiatorName = normalizeName(name)
    if (initiatorName === null) throw wrong('InitiatorName is no iSCSI name')
    const type = findValue(pairs, 'SessionType') ?? 'Normal'
    if (type !== 'Normal' && type !== 'Discovery') {
      throw new Refusal(loginStatus.sessionTypeNotSupported, 'an unknown SessionType')
    }
    const target = findValue(pairs, 'TargetName')
    if (target === null && type === 'Normal') {
      throw new Refusal(loginStatus.missingParameter, 'no TargetName')
    }
    return {
      initiatorName,
      targetName: target === null ? null : (normalizeName(target) ?? target),
      sessionType: type === 'Normal' ? 'normal' : 'discovery',
      isid: formatIsid(header, at + loginRequestAt.isid),
      tsih: readU16(header, at + loginRequestAt.tsih),
      cid: readU16(header, at + loginRequestAt.cid),
      cmdSn: this.#cmdSn,
    }
  }

  #answer(flags: number, pairs: readonly KeyValue[]): LoginStep {
    const answers = this.#settle(pairs)
    const transit = (flags & transitBit) !== 0
    const next = flags & 3
    const responseFlags = (this.#stage << 2) | (transit ? transitBit | next : 0)
    const last = transit && next === loginStage.fullFeature
    if (transit) this.#stage = next
    this.#prepare(responseFlags, printKeys(answers), last)
    return last ? { kind: 'ready', parameters: this.#negotiation.result() } : { kind: 'respond' }
  }

  #settle(pairs: readonly KeyValue[]): KeyValue[] {
    const answers: KeyValue[] = []
    const request = this.#request
    assert(request !== null, 'G3 keys are settled for a known initiator')
    if (!this.#tagTold && request.targetName !== null) {
      this.#tagTold = true
      const value = String(this.#settings.targetPortalGroupTag)
      answers.push({ key: 'TargetPortalGroupTag', value })
    }
    for (const pair of pairs) {
      const value = this.#valueFor(pair, request)
      if (value !== null) answers.push({ key: pair.key, value })
    }
    if (this.#stage === loginStage.operational && !this.#declared) {
      this.#declared = true
      answers.push(this.#negotiation.declare())
    }
    return answers
  }

  #valueFor(pair: KeyValue, request: LoginRequest): string | null {
    switch (pair.key) {
      case 'InitiatorName':
        // libiscsi sends the names again in each stage.
        if (normalizeName(pair.value) !== request.initiatorName) throw wrong('another initiator')
        return null
      case 'TargetName':
        if ((normalizeName(pair.value) ?? pair.value) !== request.targetName) {
          throw wrong('another target')
        }
        return null
      case 'SessionType':
        if (pair.value.toLowerCase() !== request.sessionType) throw wrong('another session type')
        return null
      case 'AuthMethod':
        if (this.#stage !== loginStage.security) return 'Irrelevant'
        if (pair.value.split(',').includes('None')) return 'None'
        throw new Refusal(loginStatus.authenticationFailure, `AuthMethod=${pair.value}`)
      default:
        return this.#negotiation.receive(pair)
    }
  }

  #prepare(flags: number, text: Uint8Array, last: boolean): void {
    const status = loginStatus.success
    this.#state = { kind: 'prepared', response: { flags, status, text, last } }
  }
}

function refusal(status: number): State {
  return { kind: 'prepared', response: { flags: 0, status, text: nothing, last: true } }
}

function findValue(pairs: readonly KeyValue[], key: string): string | null {
  return pairs.find((pair) => pair.key === key)?.value ?? null
}

function wrong(reason: string): Refusal {
  return new Refusal(loginStatus.initiatorError, reason)
}
