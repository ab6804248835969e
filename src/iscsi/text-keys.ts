// The text of Login and Text PDUs: `key=value` pairs, each ended by a zero byte (RFC 7143 §6.1).

import { ProtocolError } from '../base/protocol-error.ts'
import { decodeTextStrictly, encodeText } from '../base/text.ts'

export interface KeyValue {
  readonly key: string
  readonly value: string
}

/** §6.1: a key is at most 63 bytes. */
const keyBytesMax = 63
/** Names, addresses and lists are at most 255 bytes; only encoded binary values (CHAP) are longer, up to 1024 bytes before encoding. */
const valueBytesMax = 8192
/** No initiator sends a third of this; the whole negotiation of one side stays below it. */
const pairsMax = 128
/** Of one side's text that goes over several PDUs with the C bit. */
export const textBytesMax = 65_536

/** §6.1 wants a capital first, §13.24 names a key iSCSIProtocolLevel. */
const keyForm = /^[A-Za-z][A-Za-z0-9.\-+@_#]*$/

/** Throws ProtocolError. A final pair without its zero byte is taken as if it had one. */
export function parseKeys(bytes: Uint8Array): KeyValue[] {
  const text = decodeTextStrictly(bytes)
  if (text === null) throw new ProtocolError('text that is not UTF-8', 'RFC 7143 §6.1')
  const pairs: KeyValue[] = []
  for (const item of text.split('\0')) {
    if (item === '') continue
    if (pairs.length === pairsMax) throw new ProtocolError('too many keys', 'RFC 7143 §6.1')
    pairs.push(parsePair(item))
  }
  return pairs
}

function parsePair(item: string): KeyValue {
  const equals = item.indexOf('=')
  const key = item.slice(0, Math.max(equals, 0))
  const value = item.slice(equals + 1)
  if (!keyForm.test(key) || key.length > keyBytesMax) {
    throw new ProtocolError('a malformed key', 'RFC 7143 §6.1')
  }
  if (value.length > valueBytesMax) throw new ProtocolError('an oversized value', 'RFC 7143 §6.1')
  return { key, value }
}

export function printKeys(pairs: readonly KeyValue[]): Uint8Array<ArrayBuffer> {
  return encodeText(pairs.map(({ key, value }) => `${key}=${value}\0`).join(''))
}

const decimalForm = /^(0|[1-9][0-9]*)$/
const hexForm = /^0[xX][0-9a-fA-F]+$/

/** §6.1 numerical-value, or null if it is none or beyond 2^53. */
export function parseNumber(value: string): number | null {
  if (!decimalForm.test(value) && !hexForm.test(value)) return null
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : null
}

/** Gathers text that comes in several PDUs with the C bit (§6.2). */
export class TextGatherer {
  #parts: Uint8Array[] = []
  #bytes = 0

  /** Copies the piece. Throws ProtocolError when the text grows beyond its bound. */
  add(piece: Uint8Array): void {
    this.#bytes += piece.length
    if (this.#bytes > textBytesMax) throw new ProtocolError('a text without end', 'RFC 7143 §6.2')
    if (piece.length > 0) this.#parts.push(piece.slice())
  }

  /** The whole text; begins anew. */
  take(): Uint8Array {
    const whole = new Uint8Array(this.#bytes)
    let at = 0
    for (const part of this.#parts) {
      whole.set(part, at)
      at += part.length
    }
    this.#parts = []
    this.#bytes = 0
    return whole
  }
}
