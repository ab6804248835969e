// A small file that says by itself whether it is whole: a line with a word for its kind, the format, the CRC32C and the
// length of what follows; then JSON, for people too. DESIGN.md beside this file shows them.
//
//   evenkeel-seen 2 1f3c09aa 113
//   {"groupId": …
import { crc32c } from '../base/crc32c.ts'
import { decodeText, encodeText } from '../base/text.ts'

const FORMAT = 2
const HEAD_BYTES_MAX = 64

export type SealedKind = 'evenkeel-seen' | 'evenkeel-record'

export function seal(kind: SealedKind, value: object): Uint8Array {
  const body = encodeText(JSON.stringify(value))
  const head = encodeText(`${headOf(kind, body)}\n`)
  const bytes = new Uint8Array(head.length + body.length)
  bytes.set(head)
  bytes.set(body, head.length)
  return bytes
}

/** What was sealed; null: the bytes are not, or not only, what `seal` gave for this kind. What comes after them does not count. */
export function unseal(kind: SealedKind, bytes: Uint8Array): unknown {
  const end = bytes.subarray(0, HEAD_BYTES_MAX).indexOf(0x0a)
  if (end < 0) return null
  const head = String.fromCharCode(...bytes.subarray(0, end))
  const length = Number(head.slice(head.lastIndexOf(' ')))
  if (!Number.isSafeInteger(length)) return null
  const body = bytes.subarray(end + 1, end + 1 + length)
  return head === headOf(kind, body) ? JSON.parse(decodeText(body)) : null
}

function headOf(kind: SealedKind, body: Uint8Array): string {
  const sum = crc32c(body).toString(16).padStart(8, '0')
  return `${kind} ${FORMAT} ${sum} ${body.length}`
}
