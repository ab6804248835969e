// A session is held by the member that serves it with its record, and in one phase at a time: what belongs to a phase lies
// in it.
//
//   login ──final Login Response──▶ live ◀──a move begins, is given up──▶ moving
//     │                               │                                    │
//     └───────────────────────────────┴──────────────▶ ended ◀─────────────┘
//
//   login   its record is taken and counts as alive everywhere; the barrier may still be running
//   live    its carrier executes commands
//   moving  as live, and a planned move to another member is under way; it is live again if that is given up
//   ended   terminal: nothing is executed or answered any more, and its connection is closed or closing
//
// Invariants:
//   N1. A member executes and answers only under the generation it took; after a committed move it answers nothing.
//   N2. A session is registered from the moment its record is taken until it has ended, so that nobody at this member
//       takes it for dead in between.
import type { Generation, Revision, SessionId } from '../base/ids.ts'
import type { SessionRecord } from '../group/record.ts'
import type { SessionCounters } from '../load/counters.ts'
import type { LogicalUnit } from '../scsi/logical-unit.ts'
import type { MoveOrder } from './move-order.ts'
import type { QuiesceEnd } from './quiesce.ts'

/** Why a session ends, in words. */
export const whyEnded = {
  closed: 'its connection was closed',
  logout: 'its initiator logged out',
  silent: 'its initiator gave no sign of life for a minute',
  stalled:
    'its initiator did not send the data that it was asked for, and others waited for the room',
  /** A primary refused its generation. */
  fenced: 'another member has the session now',
  reinstated: 'a later login took its place',
  lost: 'its record was changed by another member',
  moved: 'it was moved',
  stopped: 'the member stops',
} as const

export type EndReason = keyof typeof whyEnded

export type Phase =
  | { readonly kind: 'login' }
  | { readonly kind: 'live'; readonly carrier: Carrier }
  | { readonly kind: 'moving'; readonly carrier: Carrier; readonly order: MoveOrder }
  | { readonly kind: 'ended'; readonly reason: EndReason }

export interface LiveSession {
  readonly id: SessionId
  readonly key: string
  readonly gen: Generation
  readonly loginToken: string
  /** When this member began to have it, by its clock. */
  readonly beganMs: number
  /** As last written by this member; `rev` is its revision. */
  record: SessionRecord
  rev: Revision
  readonly counters: SessionCounters
  phase: Phase
}

/** What executes the session's commands; null: nothing does, before the final Login Response and after its end. */
export function carrierOf({ phase }: LiveSession): Carrier | null {
  return phase.kind === 'live' || phase.kind === 'moving' ? phase.carrier : null
}

/** A session as its connection carries it (serving.ts), for barriers, moves and resets. */
export interface Carrier {
  /**
   * For a barrier: keeps what arrives from now on, and sends a NOP-In with this tag. `settle` hears 'held' once nothing
   * is outstanding, 'alive' when the answer has come, and 'dead' when the session has ended.
   */
  probe(transferTag: number, settle: (verdict: ProbeVerdict) => void): void
  /** NOP-Ins of barriers that wait for their answer, by tag, the oldest first: while there are any, nothing new is executed. */
  readonly probes: ReadonlyMap<number, (verdict: ProbeVerdict) => void>
  /** Another nexus resets the logical unit (task-runner.ts). */
  resetByAnother(): Promise<boolean>
  /** The volume has grown. */
  grow(unit: LogicalUnit): void
  /** Closes at once: nothing more is answered on it. */
  close(reason: string): void

  // For moves

  /** Gives the initiator no more credit than it needs from now on; settles when little is left of what it was given before, or it is idle. */
  narrow(): Promise<void>
  /** Stops the command window; 'quiet' once nothing is outstanding and the initiator has shown that it sends no more (quiesce.ts). */
  quiesce(limitMs: number): Promise<QuiesceEnd>
  reopen(): void
  hold(): void
  /** Runs what was held. */
  release(): void
  /** Asynchronous Message 3 with Time2Wait 0, half-close, then reads and discards. */
  sendAway(): SentAway
  /** Its nexus has what another member would not know of (DESIGN.md, what may not be moved). */
  readonly holdsState: boolean
  /** The size of the volume that its initiator knows of: what is still to be told, the destination tells. */
  readonly toldBytes: number
  /** Wall-clock time of the last response to a command, or of the freeze if nothing was outstanding then, ms. */
  readonly pausedSinceWallMs: number
}

/** Commands and task management requests that are never executed here: the initiator sends them again. */
export interface SentAway {
  /** Those that were held. */
  readonly held: number
  /** With those that have come until the connection was closed: known then. */
  readonly resent: Promise<number>
}

export type ProbeVerdict =
  | 'alive'
  /** Nothing of it is outstanding, and nothing more is executed before its initiator answers. */
  | 'held'
  | 'dead'
