// What another member asks for when it wants to move a session here, and who hears that the session has come.
import { type SessionId, sessionId } from '../base/ids.ts'
import { Body } from '../peer/controls.ts'
import type { Json } from '../peer/message.ts'
import type { LiveSession } from './live-session.ts'

/** What another member asks for one of its sessions; `proposal` null: an operator's move, which only safety can refuse. */
export interface GrantRequest {
  readonly move: string
  readonly session: SessionId
  readonly proposal: Json
  /** The session's estimator state, to be kept for its arrival. */
  readonly estimate: Json
}

export interface Grants {
  /** The session of a granted move has come. */
  arrived(move: string, session: LiveSession): void
}

export function readGrant(json: Json): GrantRequest {
  const body = new Body(json)
  const of = { move: body.text('move'), session: sessionId(body.whole('session')) }
  return { ...of, proposal: body.json('proposal'), estimate: body.json('estimate') }
}

/** Of a grant that is renewed or released. */
export function readMove(json: Json): string {
  return new Body(json).text('move')
}
