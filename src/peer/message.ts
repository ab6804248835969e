// What members say to each other besides bytes of volumes, and who they are when they meet.
import { type MemberId, memberId } from '../base/ids.ts'
import { decodeText, encodeText } from '../base/text.ts'
import { broken, frameVersion, gateOf } from './frames.ts'

/** Forms that are sent are declared with `type`, not `interface`: only of those is it known that they have no other fields. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [name: string]: Json }

export interface Identity {
  readonly groupId: string
  readonly memberId: MemberId
  /** Changes at every start. */
  readonly bootId: string
}

/** The first frame of a stream. */
export interface Hello extends Identity {
  readonly to: MemberId
  /** Rises with every stream that this boot opens: of two of one member, the later one counts. */
  readonly stream: number
}

/** The answer to it; the asker sends `nonce` back, which no process can that has ended meanwhile. */
export interface Welcome extends Identity {
  readonly nonce: string
}

export const answerStatus = {
  done: 0,
  /** The session's generation is over. */
  refused: 1,
  /** Not the primary of the slice, or in another epoch: look again and send anew. */
  stale: 2,
  full: 3,
  damaged: 4,
  gone: 5,
  /** COMPARE AND WRITE: `offset` is the first byte that differs. */
  miscompare: 6,
  /** A copy lacks what comes before it: `seq` is up to where it has all. */
  behind: 7,
} as const

const statuses: ReadonlySet<number> = new Set(Object.values(answerStatus))

/** What a request of this kind may come to: a gateway knows nothing of copies, and copies compare nothing. */
export function isStatusOf(kind: number, status: number): boolean {
  const never = gateOf(kind) === 'serving' ? answerStatus.behind : answerStatus.miscompare
  return status !== never && statuses.has(status)
}

export function encodeJson(json: Json): Uint8Array {
  return encodeText(JSON.stringify(json))
}

/** Throws a ProtocolError for what is not JSON. */
export function parseJson(bytes: Uint8Array): Json {
  try {
    return JSON.parse(decodeText(bytes)) as Json
  } catch (error) {
    if (error instanceof SyntaxError) throw broken('a message that is not JSON')
    throw error
  }
}

/** The fields of a JSON object, of which any may be missing; null: it is something else. */
export function fieldsOf(json: Json): Fields | null {
  return json === null || typeof json !== 'object' || isList(json) ? null : json
}

/** Array.isArray, which tells a list that may not be changed from a record. */
export function isList(json: Json): json is readonly Json[] {
  return Array.isArray(json)
}

export type Fields = { readonly [name: string]: Json | undefined }

function messageFields(json: Json): { readonly [name in FieldName]?: Json } {
  const fields = fieldsOf(json)
  if (fields === null) throw broken('a message that is not an object')
  return fields
}

type FieldName = keyof Hello | keyof Welcome | 'kind' | 'body'

function text(value: Json | undefined): string {
  if (typeof value !== 'string') throw broken('a message without a name that it needs')
  return value
}

function identity(fields: { readonly [name in keyof Identity]?: Json }): Identity {
  return {
    groupId: text(fields.groupId),
    memberId: memberId(text(fields.memberId)),
    bootId: text(fields.bootId),
  }
}

export function parseHello(json: Json): Hello {
  const fields = messageFields(json)
  const { stream } = fields
  if (typeof stream !== 'number') throw broken('a hello without a stream number')
  return { ...identity(fields), to: memberId(text(fields.to)), stream }
}

export function parseWelcome(json: Json): Welcome {
  const fields = messageFields(json)
  return { ...identity(fields), nonce: text(fields.nonce) }
}

export function parseRefusal(json: Json): string {
  return typeof json === 'string' ? json : 'refused without a sentence'
}

/** What a question or message is about, and what it says: JSON, or bytes of a form of its own. */
export interface Control {
  readonly kind: string
  readonly body: Json | Uint8Array
}

/** No JSON begins so. */
const BYTES_FOLLOW = 0

export function encodeControl({ kind, body }: Control): Uint8Array {
  if (!(body instanceof Uint8Array)) return encodeJson({ kind, body })
  const name = encodeText(kind)
  const bytes = new Uint8Array(2 + name.length + body.length)
  bytes.set([BYTES_FOLLOW, name.length])
  bytes.set(name, 2)
  bytes.set(body, 2 + name.length)
  return bytes
}

/** Its bytes are the caller's: valid as long as those that were given. */
export function parseControl(bytes: Uint8Array): Control {
  if (bytes[0] === BYTES_FOLLOW) {
    const end = 2 + (bytes[1] ?? 0)
    if (bytes.length < end) throw broken('a message without its name')
    return { kind: decodeText(bytes.subarray(2, end)), body: bytes.subarray(end) }
  }
  const fields = messageFields(parseJson(bytes))
  return { kind: text(fields.kind), body: fields.body ?? null }
}

/** Why a stream is refused, as a sentence for people; null: it is not. */
export function whyRefused(self: Identity, hello: Hello, version: number): string | null {
  if (version !== frameVersion) {
    return `${self.memberId} speaks version ${frameVersion} between members, ${hello.memberId} version ${version}`
  }
  if (hello.groupId !== self.groupId) {
    return `${self.memberId} belongs to the group ${self.groupId}, not to ${hello.groupId}`
  }
  if (hello.to !== self.memberId) return `this is ${self.memberId}, not ${hello.to}`
  return null
}
