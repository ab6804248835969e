// What each operation of the API may refuse besides what any may (openapi.ts), once.
//
// Invariants:
//   RF1. An operation answers with no code but those that its document lists: the document is made from this table, and the
//        types of who carries an operation out (operator.ts) and of who answers for it (route.ts) allow no other one.
import type { ErrorCode, Refusal } from './errors.ts'

const MOVE = [
  'sessionNotFound',
  'memberNotFound',
  'alreadyThere',
  'sessionMoving',
  'sessionFixed',
  'sessionPinned',
  'memberNotReady',
  'memberSilent',
] as const
const PIN = [
  'sessionNotFound',
  'memberNotFound',
  'sessionMoving',
  'sessionFixed',
  'memberNotReady',
  'memberSilent',
] as const

export const REFUSALS = {
  listVolumes: [],
  createVolume: ['volumeExists', 'coordinatorDown', 'recordNotKept'],
  showVolume: ['volumeNotFound'],
  changeVolume: [
    'volumeNotFound',
    'volumeExists',
    'volumeShrinks',
    'coordinatorDown',
    'recordNotKept',
  ],
  deleteVolume: ['volumeNotFound', 'volumeInUse', 'coordinatorDown', 'recordNotKept'],
  listSessions: ['volumeNotFound', 'memberNotFound'],
  showSession: ['sessionNotFound'],
  foretellMove: MOVE,
  moveSession: [...MOVE, 'coordinatorDown'],
  foretellPin: PIN,
  pinSession: [...PIN, 'coordinatorDown'],
  unpinSession: ['sessionNotFound', 'sessionMoving', 'memberSilent', 'coordinatorDown'],
  listMoves: ['memberNotFound', 'moveNotFound'],
  whyNot: ['sessionNotFound', 'sessionNotMeasured', 'memberSilent'],
  whyMoved: ['moveNotFound', 'decisionNotKept', 'memberSilent'],
  showBalance: [],
  setBalance: ['coordinatorDown'],
  showRecording: ['memberNotFound', 'memberSilent'],
  showPlan: [],
  showLayout: [],
  planLayout: ['tooFewMembers'],
  applyLayout: [
    'tooFewMembers',
    'copiesMissing',
    'memberSilent',
    'coordinatorDown',
    'recordNotKept',
  ],
  listMembers: [],
  showMember: ['memberNotFound'],
  showDrain: ['memberNotFound', 'memberSilent', 'lastMember'],
  beginDrain: ['memberNotFound', 'lastMember', 'coordinatorDown'],
  endDrain: ['memberNotFound', 'coordinatorDown'],
  showStatus: [],
  showTop: [],
  showHistory: [],
  showMoment: [],
  watchEvents: ['tooManyStreams'],
  listEvents: [],
  probeMember: [],
  readMetrics: [],
} as const satisfies Record<string, readonly ErrorCode[]>

export type Operation = keyof typeof REFUSALS

/** What a request asks for may be refused as such by any operation. */
export type CodeOf<O extends Operation> = (typeof REFUSALS)[O][number] | 'badRequest'

export type Answered<T, C extends ErrorCode> =
  | { readonly kind: 'done'; readonly value: T }
  | Refusal<C>

/** What comes of an operation: its answer, or a refusal with a code that its document lists. */
export type Outcome<O extends Operation, T> = Answered<T, CodeOf<O>>

export function answered<T>(value: T): { readonly kind: 'done'; readonly value: T } {
  return { kind: 'done', value }
}
