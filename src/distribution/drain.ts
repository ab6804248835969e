// What is said of a drain: why a session cannot leave its member and what to do about that, and how long the rest takes. Pure.
import type { MemberId, SessionId } from '../base/ids.ts'
import type { Code } from './code.ts'
import { whyNotByHand } from './explain.ts'
import type { Policy } from './policy.ts'

/** `answer`: a code, or a sentence of whoever refused. */
export interface Stuck {
  readonly session: SessionId
  readonly answer: string
  readonly to: MemberId | null
}

export interface StuckInWords {
  readonly session: string
  readonly code: string
  readonly why: string
  readonly action: string
}

export function stuckInWords(
  { session, answer, to }: Stuck,
  self: MemberId,
  policy: Policy,
): StuckInWords {
  const why = OWN_WORDS[answer] ?? whyNotByHand(answer, { self, to }, policy)
  const action = ACTIONS[answer as Code] ?? 'It is tried again by itself.'
  const code = answer in ACTIONS || answer in OWN_WORDS ? answer : 'FAILED'
  return { session: String(session), code, why, action: action.replace('ID', String(session)) }
}

const OWN_WORDS: Readonly<Record<string, string>> = {
  DEST_CAP: 'each member that was asked would become too full with it',
}

const ACTIONS: Partial<Readonly<Record<Code, string>>> = {
  PINNED: "Unpin it ('evenkeel session unpin ID'), or pin it to another member.",
  HOLDS_STATE:
    'Let its initiator log out and in again: it comes back elsewhere. After a reset by another host any command of its own is enough.',
  SIBLING_SILENT: 'Start the member that is silent, or let the initiator log out and in again.',
  MULTIPATH:
    'The other members serve other paths of the same host: log this path out there, the host goes on by the others.',
  BAD_PATH: "See to the network between the initiator and the other members' portals.",
  DEST_CAP: 'Lower the load, or start another member; it is tried again by itself.',
  NO_DESTINATION: 'Start another member, or let one take sessions that is drained itself.',
  NOT_PARTITIONED: "Let any member have it: 'partitionedOnly' of the policy forbids it.",
}

/** null: nothing has left yet, or nothing that is left can. */
export function secondsLeft(
  moved: number,
  elapsedMs: number,
  left: number,
  stuck: number,
): number | null {
  const movable = left - stuck
  if (left === 0) return 0
  return moved === 0 || movable <= 0 ? null : Math.ceil((movable * elapsedMs) / moved / 1_000)
}
