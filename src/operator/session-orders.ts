// What the member that serves a session is asked to do to it by a person at another member, and how it says no.
import type { ErrorCode } from '../api/errors.ts'
import { type MemberId, memberId, type SessionId, sessionId } from '../base/ids.ts'
import { Body } from '../peer/controls.ts'
import { fieldsOf, type Json } from '../peer/message.ts'

/** What the member that serves a session is asked to do. */
export type Order = {
  /** The id of the move; null: nothing is moved, and only what would come of it is asked. */
  readonly move: string | null
  readonly session: SessionId
  readonly to: MemberId
}

export function readOrder(json: Json): Order {
  const body = new Body(json)
  return {
    move: body.json('move') === null ? null : body.text('move'),
    session: sessionId(body.whole('session')),
    to: memberId(body.text('to')),
  }
}

export type Denied = {
  readonly code: ErrorCode
  readonly why: string
}

/** `codes`: those that the operation may refuse with; another one is none that this version knows. */
export function deniedIn<C extends ErrorCode>(
  reply: Json,
  codes: readonly C[],
): { readonly code: C | 'memberSilent'; readonly why: string } {
  const { code, why } = fieldsOf(reply) ?? {}
  const known: C | 'memberSilent' = codes.find((one) => one === code) ?? 'memberSilent'
  return { code: known, why: typeof why === 'string' ? why : 'its member does not say why' }
}

export type PinOrder = {
  readonly session: SessionId
  /** null: it is pinned no more. */
  readonly to: MemberId | null
}

export function readPin(json: Json): PinOrder {
  const body = new Body(json)
  const to = body.json('to') === null ? null : memberId(body.text('to'))
  return { session: sessionId(body.whole('session')), to }
}
