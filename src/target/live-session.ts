// One established session as the member that serves it holds it: the record it took, the connection that carries it, and
// what is under way with it.
//
//   login ──final Login Response──▶ live ──▶ ended
//
//   login   its record is taken and counts as alive everywhere; the barrier may still be running
//   live    commands are executed; `guarded` once another member owns it: nothing is executed or answered any more
//   ended   terminal; the connection is closed or closing
//
// Invariants:
//   N1. A member executes and answers only under the generation it took; after a committed move it answers nothing.
//   N2. A session is registered from the moment its record is taken until it has ended, so that nobody at this member
//       takes it for dead in between.
import type { SessionId, SessionRecord } from '../group/record.ts'
import type { SessionCounters } from '../load/counters.ts'

/** What a session needs of the connection that carries it. */
export interface Carrier {
  /**
   * For a barrier: keeps what arrives from now on, and sends a NOP-In with this tag. The tag's entry in
   * `LiveSession.probes` hears 'held' once nothing is outstanding, and 'alive' when the answer has come.
   */
  probe(transferTag: number): void
  /** Closes at once: nothing more is answered on it. */
  close(reason: string): void
}

export type EndReason =
  | 'closed' // the connection is gone, or left because the protocol was broken
  | 'logout'
  | 'silent' // its initiator gave no sign of life
  | 'stalled' // its initiator did not send the data that it was asked for, and others waited for the room
  | 'fenced' // a primary refused its generation
  | 'reinstated' // a later login took its record
  | 'lost' // its record was changed by somebody else
  | 'moved'
  | 'stopped' // the member stops

export interface LiveSession {
  readonly id: SessionId
  readonly key: string
  readonly gen: number
  readonly loginToken: string
  /** As last written by this member; `rev` is its revision. */
  record: SessionRecord
  rev: number
  readonly carrier: Carrier
  readonly counters: SessionCounters
  phase: 'login' | 'live' | 'ended'
  /** N1: another member owns it. */
  guarded: boolean
  /** A planned move of it is under way here. */
  moving: boolean
  /** NOP-Ins of barriers that wait for their answer, by tag, the oldest first: while there are any, nothing new is executed. */
  readonly probes: Map<number, (verdict: ProbeVerdict) => void>
  readonly sinceMs: number
}

export type ProbeVerdict =
  | 'alive'
  /** Nothing of it is outstanding, and nothing more is executed before its initiator answers. */
  | 'held'
  | 'dead'

export function settleProbes(session: LiveSession, verdict: ProbeVerdict): void {
  const waiting = [...session.probes.values()]
  session.probes.clear()
  for (const settle of waiting) settle(verdict)
}
