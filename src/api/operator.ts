// What the API asks of a member: the operator's commands, each for the whole group, whichever member is asked. A refusal
// is a value with a code of the catalogue, by each operation one that refusals.ts lists for it; an exception is a fault and becomes `internal`.

import type { BalancePlan, MoveWhy, RecordingPage, StayReason } from './balance-schema.ts'
import type { MemberApi } from './doors.ts'
import type { BalanceBrief, MemberBrief, SessionBrief } from './event-schema.ts'
import type { HealthProblem } from './health-schema.ts'
import type { History, Moment } from './history-schema.ts'
import type { Drain } from './keeping-schema.ts'
import type { Layout, LayoutPlan, LayoutRequest } from './layout-schema.ts'
import type { Readings } from './readings.ts'
import type { Outcome } from './refusals.ts'
import type {
  Balance,
  BalanceRequest,
  Health,
  Member,
  Move,
  MovePlan,
  MoveRequest,
  Pin,
  PinRequest,
  Session,
  SessionDetail,
  Status,
  Top,
  Volume,
  VolumeChange,
  VolumeDetail,
  VolumeRequest,
} from './schema.ts'

export interface Glance {
  readonly members: readonly MemberBrief[]
  readonly sessions: readonly SessionBrief[]
  readonly balance: BalanceBrief
}

export interface HistorySpan {
  /** Since 1970. */
  readonly fromMs: number
  readonly stepSeconds: number
  readonly count: number
}

export interface Operator {
  volumes(): Promise<readonly Volume[]>
  /** With what each takes, for which all members are asked. */
  volumesWithUsage(): Promise<readonly Volume[]>
  createVolume(request: VolumeRequest): Promise<Outcome<'createVolume', VolumeDetail>>
  /** By name. */
  volume(name: string): Promise<Outcome<'showVolume', VolumeDetail>>
  /** A new name or a larger size. */
  changeVolume(name: string, change: VolumeChange): Promise<Outcome<'changeVolume', VolumeDetail>>
  /** Answers with what was deleted. */
  deleteVolume(name: string): Promise<Outcome<'deleteVolume', Volume>>

  sessions(): Promise<readonly Session[]>
  session(id: string): Promise<Outcome<'showSession', SessionDetail>>
  /**
   * With `wait`, answers when the outcome, drain and pause are known or will not be; else when the move has begun. An outcome other than
   * 'returned' is an answer, not a refusal.
   */
  moveSession(id: string, request: MoveRequest): Promise<Outcome<'moveSession', Move>>
  /** What a move would bring; nothing moves. Refused as a move by hand is, as far as that is known before. */
  foretellMove(id: string, to: string): Promise<Outcome<'foretellMove', MovePlan>>
  /**
   * It stays where it is, or at the member that is named, to which it is moved first, until it is unpinned. Refused as a move by
   * hand is.
   */
  pinSession(id: string, request: PinRequest): Promise<Outcome<'pinSession', Pin>>
  /** What a pin would do; nothing is changed. */
  foretellPin(id: string, member?: string): Promise<Outcome<'foretellPin', Pin>>
  unpinSession(id: string): Promise<Outcome<'unpinSession', Pin>>
  /** The newest first, at most `limit`. */
  moves(limit: number): Promise<readonly Move[]>

  balance(): Promise<Balance>
  /** Holds for the group; a move under way is let finish. */
  setBalance(request: BalanceRequest): Promise<Outcome<'setBalance', Balance>>

  /** What this member has kept of its load after that entry. */
  recording(member: string, after: number): Promise<Outcome<'showRecording', RecordingPage>>

  /** What would be moved next, by all members that answer. */
  plan(): Promise<BalancePlan>
  /** Which rule holds it back now. */
  whyNot(id: string): Promise<Outcome<'whyNot', StayReason>>
  /** What its decision had seen. */
  whyMoved(move: string): Promise<Outcome<'whyMoved', MoveWhy>>

  /** How far a drain is, or what one would find. */
  drain(member: string): Promise<Outcome<'showDrain', Drain>>
  beginDrain(member: string): Promise<Outcome<'beginDrain', Drain>>
  endDrain(member: string): Promise<Outcome<'endDrain', Drain>>
  members(): Promise<readonly Member[]>
  /** Which member has how much of the slices. */
  layout(): Promise<Layout>
  /** What would move to make that level, with so many copies; nothing does. */
  layoutPlan(request: LayoutRequest): Promise<Outcome<'planLayout', LayoutPlan>>
  /** Orders it. What moves is served meanwhile; it is answered when all is written down, and not when all has moved. */
  applyLayout(request: LayoutRequest): Promise<Outcome<'applyLayout', LayoutPlan>>
  top(): Promise<Top>
  status(): Promise<Status>
  /** What each member kept of its past, in `count` buckets of `stepSeconds` from `fromMs` on. */
  history(span: HistorySpan): Promise<History>
  /** Which sessions each member had at that time, in ms since 1970. */
  moment(atMs: number): Promise<Moment>
  /** Of this member alone; synchronous, so that it tells a stuck group from a stuck member. */
  health(): Health
  /** What is wrong with the group, as it was last seen here. */
  problems(): readonly HealthProblem[]
  /** Another one whenever something may have changed that events are told of (event-feed.ts). */
  mark(): string
  /** What the group record, and what was heard here, says of members, sessions and the balance: nobody is asked. */
  glance(): Glance
  /** Which group it is, and where its members' APIs are: in the headers of every answer. */
  apis(): { readonly group: string; readonly members: readonly MemberApi[] }
  /** Counters of this member as they stand, for a scrape. */
  readings(): Readings
}
