// What members say to each other besides bytes of volumes, and who they are when they meet.
import { type MemberId, memberId } from '../base/ids.ts'
import { decodeText, encodeText } from '../base/text.ts'
import { broken, frameVersion } from './frames.ts'

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
} as const

const statuses: ReadonlySet<number> = new Set(Object.values(answerStatus))

export function isStatus(status: number): boolean {
  return statuses.has(status)
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

/** A question or message: what it is about and its body. */
export function parseControl(json: Json): { readonly kind: string; readonly body: Json } {
  const fields = messageFields(json)
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
