// The keys of a Text Request in full feature phase (RFC 7143 §6.2, §13): which may come there, and what is said to them.
//
// Invariants:
//   FK1. Keys of the login and malformed text have no effect at all: the request is rejected.
//   FK2. What is declared holds from the answer on; a key that we do not know is NotUnderstood.
import { ProtocolError } from '../base/protocol-error.ts'
import { isLoginKey, segmentBytesOf } from './negotiate.ts'
import { type KeyValue, parseKeys } from './text-keys.ts'

export interface FullFeatureReply {
  readonly pairs: readonly KeyValue[]
  /** What SendTargets asks for (send-targets.ts); null: it does not ask. */
  readonly targets: string | null
  /** The longest data segment that the initiator takes from now on; null: as before. */
  readonly segmentBytes: number | null
}

/** null: to be rejected (FK1). */
export function replyTo(text: Uint8Array): FullFeatureReply | null {
  let asked: readonly KeyValue[]
  try {
    asked = parseKeys(text)
  } catch (error) {
    if (error instanceof ProtocolError) return null
    throw error
  }
  if (new Set(asked.map(({ key }) => key)).size < asked.length) return null
  const pairs: KeyValue[] = []
  let targets: string | null = null
  let segmentBytes: number | null = null
  for (const { key, value } of asked) {
    if (key === 'SendTargets') targets = value
    else if (key === 'MaxRecvDataSegmentLength') {
      segmentBytes = segmentBytesOf(value)
      if (segmentBytes === null) pairs.push({ key, value: 'Reject' })
    } else if (key === 'InitiatorAlias') continue
    else if (isLoginKey(key)) return null
    else pairs.push({ key, value: 'NotUnderstood' })
  }
  return { pairs, targets, segmentBytes }
}
