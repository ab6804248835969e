// The operational keys of RFC 7143 §13 as one table of result functions, used by both halves of a login.
// Names of initiators and targets, SessionType and AuthMethod belong to the login itself (login-negotiation.ts,
// initiator-login.ts).
//
// Invariants:
//   K1. Both sides compute the same result from one offer and one answer.
//   K2. A result lies within the bounds of its key, whatever the other side sends.
//   K3. A key is settled once: offered again with another value it ends the login (§6.2). Of keys that we do not know
//       nothing is remembered: there is no end to them.
import { BrokenInvariant } from '../base/assert.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import { type KeyValue, parseNumber } from './text-keys.ts'

export type Digest = 'None' | 'CRC32C'

/** What holds in full feature phase, seen from one side. */
export interface Negotiated {
  readonly headerDigest: boolean
  readonly dataDigest: boolean
  /** Of data segments that we receive: our declaration. */
  readonly maxRecvDataSegmentLength: number
  /** Of data segments that we send: the other side's declaration. */
  readonly maxSendDataSegmentLength: number
  readonly maxBurstLength: number
  /** Never above maxBurstLength. */
  readonly firstBurstLength: number
  readonly initialR2T: boolean
  readonly immediateData: boolean
  readonly maxOutstandingR2T: number
  readonly dataPduInOrder: boolean
  readonly dataSequenceInOrder: boolean
  readonly defaultTime2Wait: number
  readonly defaultTime2Retain: number
  readonly maxConnections: number
  readonly errorRecoveryLevel: number
  readonly protocolLevel: number
}

type NumberField =
  | 'maxBurstLength'
  | 'firstBurstLength'
  | 'maxOutstandingR2T'
  | 'defaultTime2Wait'
  | 'defaultTime2Retain'
  | 'maxConnections'
  | 'errorRecoveryLevel'
  | 'protocolLevel'
type BooleanField = 'initialR2T' | 'immediateData' | 'dataPduInOrder' | 'dataSequenceInOrder'
type DigestField = 'headerDigest' | 'dataDigest'

/** What one side would like: its part of each result function. Digests in the order in which we offer them. */
export type KeySettings = Pick<
  Negotiated,
  NumberField | BooleanField | 'maxRecvDataSegmentLength'
> & { readonly headerDigest: readonly Digest[]; readonly dataDigest: readonly Digest[] }

const segmentBytes = 262_144

/** A write up to 256 KiB needs no R2T with these. */
export const targetSettings: KeySettings = {
  headerDigest: ['None', 'CRC32C'],
  dataDigest: ['None', 'CRC32C'],
  maxRecvDataSegmentLength: segmentBytes,
  maxBurstLength: 1024 * 1024,
  firstBurstLength: segmentBytes,
  initialR2T: false,
  immediateData: true,
  maxOutstandingR2T: 1,
  dataPduInOrder: true,
  dataSequenceInOrder: true,
  defaultTime2Wait: 0,
  defaultTime2Retain: 0,
  maxConnections: 1,
  errorRecoveryLevel: 0,
  protocolLevel: 1,
}

/** Our initiator's offer; it takes the same defaults as the target would choose. */
export const initiatorSettings: KeySettings = targetSettings

/** What holds for a key that nobody offered. */
const defaults: Negotiated = {
  headerDigest: false,
  dataDigest: false,
  maxRecvDataSegmentLength: 8192,
  maxSendDataSegmentLength: 8192,
  maxBurstLength: 262_144,
  firstBurstLength: 65_536,
  initialR2T: true,
  immediateData: true,
  maxOutstandingR2T: 1,
  dataPduInOrder: true,
  dataSequenceInOrder: true,
  defaultTime2Wait: 2,
  defaultTime2Retain: 20,
  maxConnections: 1,
  errorRecoveryLevel: 0,
  protocolLevel: 1,
}

type Rule =
  | { readonly kind: 'digest'; readonly field: DigestField }
  | { readonly kind: 'boolean'; readonly field: BooleanField; readonly result: 'and' | 'or' }
  | {
      readonly kind: 'number'
      readonly field: NumberField
      readonly result: 'least' | 'most'
      readonly low: number
      readonly high: number
    }
  | { readonly kind: 'segment'; readonly low: number; readonly high: number }
  | { readonly kind: 'choice'; readonly ours: string }
  /** Markers are obsolete: answered No, never NotUnderstood (§13.25). */
  | { readonly kind: 'no' }
  | { readonly kind: 'reject' }
  /** A declaration that changes nothing here. */
  | { readonly kind: 'noted' }

const lengthMax = 0xffffff

const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['HeaderDigest', { kind: 'digest', field: 'headerDigest' }],
  ['DataDigest', { kind: 'digest', field: 'dataDigest' }],
  ['MaxConnections', least('maxConnections', 1, 65_535)],
  ['InitialR2T', { kind: 'boolean', field: 'initialR2T', result: 'or' }],
  ['ImmediateData', { kind: 'boolean', field: 'immediateData', result: 'and' }],
  ['MaxRecvDataSegmentLength', { kind: 'segment', low: 512, high: lengthMax }],
  ['MaxBurstLength', least('maxBurstLength', 512, lengthMax)],
  ['FirstBurstLength', least('firstBurstLength', 512, lengthMax)],
  [
    'DefaultTime2Wait',
    { kind: 'number', field: 'defaultTime2Wait', result: 'most', low: 0, high: 3600 },
  ],
  ['DefaultTime2Retain', least('defaultTime2Retain', 0, 3600)],
  ['MaxOutstandingR2T', least('maxOutstandingR2T', 1, 65_535)],
  ['DataPDUInOrder', { kind: 'boolean', field: 'dataPduInOrder', result: 'or' }],
  ['DataSequenceInOrder', { kind: 'boolean', field: 'dataSequenceInOrder', result: 'or' }],
  ['ErrorRecoveryLevel', least('errorRecoveryLevel', 0, 2)],
  ['iSCSIProtocolLevel', least('protocolLevel', 0, 31)],
  ['TaskReporting', { kind: 'choice', ours: 'RFC3720' }],
  ['IFMarker', { kind: 'no' }],
  ['OFMarker', { kind: 'no' }],
  ['IFMarkInt', { kind: 'reject' }],
  ['OFMarkInt', { kind: 'reject' }],
  ['InitiatorAlias', { kind: 'noted' }],
  ['TargetAlias', { kind: 'noted' }],
  ['TargetPortalGroupTag', { kind: 'noted' }],
])

function least(field: NumberField, low: number, high: number): Rule {
  return { kind: 'number', field, result: 'least', low, high }
}

/** Keys that mean nothing in a discovery session (§13, "Irrelevant when"). */
const normalOnly = new Set([
  'MaxConnections',
  'InitialR2T',
  'ImmediateData',
  'MaxBurstLength',
  'FirstBurstLength',
  'MaxOutstandingR2T',
  'DataPDUInOrder',
  'DataSequenceInOrder',
])

/** Our initiator offers these; the others have no meaning beside our settings. */
const offeredKeys = [
  'HeaderDigest',
  'DataDigest',
  'MaxConnections',
  'InitialR2T',
  'ImmediateData',
  'MaxRecvDataSegmentLength',
  'MaxBurstLength',
  'FirstBurstLength',
  'DefaultTime2Wait',
  'DefaultTime2Retain',
  'MaxOutstandingR2T',
  'DataPDUInOrder',
  'DataSequenceInOrder',
  'ErrorRecoveryLevel',
] as const

const clause = 'RFC 7143 §6.2'

/** Keys of the login that are not in the table: they belong to login-negotiation.ts. */
const namingKeys = new Set([
  'InitiatorName',
  'TargetName',
  'TargetAddress',
  'SessionType',
  'AuthMethod',
])

/** It comes in the login or from the target alone. */
export function isLoginKey(key: string): boolean {
  return rules.has(key) || namingKeys.has(key)
}

/** A declaration of MaxRecvDataSegmentLength (§13.12); null: it is none. */
export function segmentBytesOf(value: string): number | null {
  const bytes = parseNumber(value)
  return bytes !== null && bytes >= 512 && bytes <= lengthMax ? bytes : null
}

/** One side of one login's operational negotiation. */
export class KeyNegotiation {
  readonly #settings: KeySettings
  readonly #draft: { -readonly [K in keyof Negotiated]: Negotiated[K] } = { ...defaults }
  /** What we sent of our own accord, by key. */
  readonly #offered = new Map<string, string>()
  /** What the other side sent, and what we answered. */
  readonly #settled = new Map<string, { readonly value: string; readonly answer: string | null }>()

  constructor(settings: KeySettings) {
    this.#settings = settings
  }

  /** The initiator's keys, all in its first request of the operational stage. */
  offer(sessionType: 'normal' | 'discovery'): KeyValue[] {
    const keys = offeredKeys.filter((key) => sessionType === 'normal' || !normalOnly.has(key))
    return keys.map((key) => {
      const value = this.#wish(key)
      this.#offered.set(key, value)
      return { key, value }
    })
  }

  /** The target's only key of its own accord. */
  declare(): KeyValue {
    const key = 'MaxRecvDataSegmentLength'
    const value = this.#wish(key)
    this.#offered.set(key, value)
    return { key, value }
  }

  /** Takes a pair of the other side. What is to be sent back for it, or null: it was an answer or a declaration. Throws ProtocolError. */
  receive({ key, value }: KeyValue): string | null {
    const rule = rules.get(key)
    if (rule === undefined) return 'NotUnderstood'
    const before = this.#settled.get(key)
    if (before !== undefined) {
      if (before.value === value) return before.answer
      throw new ProtocolError(`${key} negotiated twice`, clause)
    }
    const offered = this.#offered.get(key)
    let answer: string | null
    if (offered === undefined || rule.kind === 'segment') answer = this.#answerTo(rule, value)
    else answer = this.#accept(rule, { key, value }, offered)
    this.#settled.set(key, { value, answer })
    return answer
  }

  /** Once both sides are done. */
  result(): Negotiated {
    const draft = this.#draft
    return { ...draft, firstBurstLength: Math.min(draft.firstBurstLength, draft.maxBurstLength) }
  }

  #wish(key: string): string {
    const rule = rules.get(key)
    switch (rule?.kind) {
      case 'digest':
        return this.#settings[rule.field].join(',')
      case 'boolean':
        return yesNo(this.#settings[rule.field])
      case 'number':
        return String(this.#settings[rule.field])
      case 'segment':
        // What we declare holds from here on, whatever is answered.
        this.#draft.maxRecvDataSegmentLength = this.#settings.maxRecvDataSegmentLength
        return String(this.#settings.maxRecvDataSegmentLength)
      default:
        throw new BrokenInvariant(`${key} is no key of ours`)
    }
  }

  /** The other side offers: compute the result and say it. */
  #answerTo(rule: Rule, value: string): string | null {
    switch (rule.kind) {
      case 'digest': {
        const ours = this.#settings[rule.field]
        // §6.2.1: the first of the other side's list that we have, whatever we prefer.
        const chosen = value.split(',').find((one) => ours.some((digest) => digest === one))
        if (chosen === undefined) return 'Reject'
        this.#draft[rule.field] = chosen === 'CRC32C'
        return chosen
      }
      case 'boolean': {
        if (value !== 'Yes' && value !== 'No') return 'Reject'
        const theirs = value === 'Yes'
        const ours = this.#settings[rule.field]
        const result = rule.result === 'and' ? theirs && ours : theirs || ours
        this.#draft[rule.field] = result
        return yesNo(result)
      }
      case 'number': {
        const theirs = numberWithin(rule, value)
        if (theirs === null) return 'Reject'
        const ours = this.#settings[rule.field]
        const result = rule.result === 'least' ? Math.min(theirs, ours) : Math.max(theirs, ours)
        this.#draft[rule.field] = result
        return String(result)
      }
      case 'segment': {
        const theirs = numberWithin(rule, value)
        if (theirs === null) throw new ProtocolError(`MaxRecvDataSegmentLength=${value}`, clause)
        this.#draft.maxSendDataSegmentLength = theirs
        return null
      }
      case 'choice':
        return value.split(',').includes(rule.ours) ? rule.ours : 'Reject'
      case 'no':
        return 'No'
      case 'reject':
        return 'Reject'
      case 'noted':
        return null
    }
  }

  /** The other side answers what we offered. */
  #accept(rule: Rule, { key, value }: KeyValue, offered: string): null {
    const refused = value === 'Reject' || value === 'NotUnderstood' || value === 'Irrelevant'
    // A refused key keeps its default; only with digests may our offer exclude the default.
    const allowed = refused
      ? rule.kind !== 'digest' || offered.split(',').includes('None')
      : answerIsAllowed(rule, offered, value)
    if (!allowed) {
      throw new ProtocolError(`${key}=${value} as answer to ${offered}`, clause)
    }
    if (refused) return null
    if (rule.kind === 'digest') this.#draft[rule.field] = value === 'CRC32C'
    else if (rule.kind === 'boolean') this.#draft[rule.field] = value === 'Yes'
    else if (rule.kind === 'number') this.#draft[rule.field] = parseNumber(value) ?? 0
    return null
  }
}

/** Whether the key's result function can come from our offer to this answer. */
function answerIsAllowed(rule: Rule, offered: string, value: string): boolean {
  switch (rule.kind) {
    case 'digest':
      return offered.split(',').includes(value)
    case 'boolean':
      if (value !== 'Yes' && value !== 'No') return false
      return offered === value || offered !== (rule.result === 'and' ? 'No' : 'Yes')
    case 'number': {
      const number = numberWithin(rule, value)
      if (number === null) return false
      return rule.result === 'least' ? number <= Number(offered) : number >= Number(offered)
    }
    default:
      return true
  }
}

function yesNo(value: boolean): string {
  return value ? 'Yes' : 'No'
}

function numberWithin(
  bounds: { readonly low: number; readonly high: number },
  value: string,
): number | null {
  const number = parseNumber(value)
  return number !== null && number >= bounds.low && number <= bounds.high ? number : null
}
