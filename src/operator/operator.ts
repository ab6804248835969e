// The operator's commands at one member, for the whole group: what is common is read from the group record, what others
// know is asked from them when it is needed.

import type { BalancePlan, MoveWhy, RecordingPage, StayReason } from '../api/balance-schema.ts'
import type { HealthProblem } from '../api/health-schema.ts'
import type { History, Moment, PastSessions } from '../api/history-schema.ts'
import type { Drain, DrainState } from '../api/keeping-schema.ts'
import type { Layout, LayoutPlan, LayoutRequest } from '../api/layout-schema.ts'
import type { Glance, HistorySpan, Operator } from '../api/operator.ts'
import type { Readings } from '../api/readings.ts'
import { answered, type Outcome } from '../api/refusals.ts'
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
} from '../api/schema.ts'
import type { Json } from '../peer/message.ts'
import { BalanceDesk } from './balance-desk.ts'
import type { Condition } from './condition.ts'
import { DrainDesk } from './drain-desk.ts'
import { Glances } from './glance.ts'
import { GroupDesk } from './group-desk.ts'
import type { Span } from './history.ts'
import { LayoutDesk } from './layout-desk.ts'
import { type FigureSources, OwnFigures } from './own-figures.ts'
import { momentOfAll, type Past, pastHere, pastOfAll, type Told } from './past.ts'
import { SessionDesk } from './session-desk.ts'
import type { Order, PinOrder } from './session-orders.ts'
import { askAll, type Summary } from './summary.ts'
import { VolumeDesk } from './volume-desk.ts'

const MOVES_UNDER_WAY_MAX = 50

export class MemberOperator implements Operator {
  readonly #sources: FigureSources
  readonly #figures: OwnFigures
  readonly #glances: Glances
  readonly #group: GroupDesk
  readonly #balance: BalanceDesk
  readonly #layout: LayoutDesk
  readonly #drains: DrainDesk
  readonly #volumes: VolumeDesk
  readonly #sessions: SessionDesk
  readonly #past: Past

  constructor(sources: FigureSources) {
    const { member, balancer, past } = sources
    this.#sources = sources
    this.#past = { member, ...past, isHeard: (id) => balancer.isHeard(id) }
    this.#figures = new OwnFigures(sources)
    this.#glances = new Glances(sources)
    const own = () => this.#figures.summary()
    const summaries = () => askAll(member, own, (id) => balancer.isHeard(id))
    this.#group = new GroupDesk({ ...sources, summaries })
    this.#balance = new BalanceDesk(member, balancer)
    this.#layout = new LayoutDesk(member, summaries)
    this.#drains = new DrainDesk(member, balancer)
    this.#volumes = new VolumeDesk(member, summaries)
    this.#sessions = new SessionDesk(member, balancer, summaries)
  }

  stop(): void {
    this.#figures.stop()
  }

  // The group

  status(): Promise<Status> {
    return this.#group.status()
  }

  members(): Promise<readonly Member[]> {
    return this.#group.members()
  }

  drain(member: string): Promise<Outcome<'showDrain', Drain>> {
    return this.#drains.show(member)
  }

  beginDrain(member: string): Promise<Outcome<'beginDrain', Drain>> {
    return this.#drains.begin(member)
  }

  endDrain(member: string): Promise<Outcome<'endDrain', Drain>> {
    return this.#drains.undo(member)
  }

  layout(): Promise<Layout> {
    return this.#layout.show()
  }

  layoutPlan(request: LayoutRequest): Promise<Outcome<'planLayout', LayoutPlan>> {
    return this.#layout.plan(request)
  }

  applyLayout(request: LayoutRequest): Promise<Outcome<'applyLayout', LayoutPlan>> {
    return this.#layout.apply(request)
  }

  top(): Promise<Top> {
    return this.#group.top((summaries) => this.#sessions.loads(summaries))
  }

  async balance(): Promise<Balance> {
    const moves = this.#sessions.moves(MOVES_UNDER_WAY_MAX)
    return this.#group.balance(moves.filter(({ outcome }) => outcome === null))
  }

  async setBalance(request: BalanceRequest): Promise<Outcome<'setBalance', Balance>> {
    const set = await this.#group.setPolicy(request)
    return set.kind === 'done' ? answered(await this.balance()) : set
  }

  plan(): Promise<BalancePlan> {
    return this.#balance.plan()
  }

  whyNot(id: string): Promise<Outcome<'whyNot', StayReason>> {
    return this.#balance.whyNot(id)
  }

  whyMoved(move: string): Promise<Outcome<'whyMoved', MoveWhy>> {
    return this.#balance.whyMoved(move)
  }

  recording(member: string, after: number): Promise<Outcome<'showRecording', RecordingPage>> {
    return this.#balance.recording(member, after)
  }

  history(span: HistorySpan): Promise<History> {
    return pastOfAll(this.#past, span)
  }

  moment(atMs: number): Promise<Moment> {
    return momentOfAll(this.#past, atMs)
  }

  apis() {
    return this.#group.apis()
  }

  problems(): readonly HealthProblem[] {
    return this.#sources.health.problems
  }

  mark(): string {
    return this.#glances.mark()
  }

  glance(): Glance {
    return this.#glances.glance()
  }

  // This member

  health(): Health {
    return this.#figures.health()
  }

  readings(): Readings {
    return this.#figures.readings()
  }

  // Volumes

  async volumes(): Promise<readonly Volume[]> {
    return this.#volumes.list()
  }

  volumesWithUsage(): Promise<readonly Volume[]> {
    return this.#volumes.listWithUsage()
  }

  createVolume(request: VolumeRequest): Promise<Outcome<'createVolume', VolumeDetail>> {
    return this.#volumes.create(request)
  }

  volume(name: string): Promise<Outcome<'showVolume', VolumeDetail>> {
    return this.#volumes.show(name)
  }

  changeVolume(name: string, change: VolumeChange): Promise<Outcome<'changeVolume', VolumeDetail>> {
    return this.#volumes.change(name, change)
  }

  deleteVolume(name: string): Promise<Outcome<'deleteVolume', Volume>> {
    return this.#volumes.delete(name)
  }

  // Sessions and moves

  sessions(): Promise<readonly Session[]> {
    return this.#sessions.list()
  }

  session(id: string): Promise<Outcome<'showSession', SessionDetail>> {
    return this.#sessions.show(id)
  }

  moveSession(id: string, request: MoveRequest): Promise<Outcome<'moveSession', Move>> {
    return this.#sessions.move(id, request)
  }

  foretellMove(id: string, to: string): Promise<Outcome<'foretellMove', MovePlan>> {
    return this.#sessions.foretell(id, to)
  }

  pinSession(id: string, request: PinRequest): Promise<Outcome<'pinSession', Pin>> {
    return this.#sessions.pin(id, request)
  }

  foretellPin(id: string, member?: string): Promise<Outcome<'foretellPin', Pin>> {
    return this.#sessions.foretellPin(id, member)
  }

  unpinSession(id: string): Promise<Outcome<'unpinSession', Pin>> {
    return this.#sessions.unpin(id)
  }

  async moves(limit: number): Promise<readonly Move[]> {
    return this.#sessions.moves(limit)
  }

  // For other members

  /** What they are told of this one when a person has asked them. */
  summary(): Summary {
    return this.#figures.summary()
  }

  condition(): Condition {
    return this.#sources.health.condition()
  }

  /** What a drain of this member finds, or would. */
  drainHere(): DrainState {
    return this.#sources.balancer.drainer.plan()
  }

  pastHere(span: Span): Promise<Told> {
    return pastHere(this.#past, span)
  }

  momentHere(atMs: number): Promise<PastSessions | null> {
    return this.#past.history.sessionsAt(atMs)
  }

  /** A move that another member was asked for by a person: this one serves the session. */
  moveHere(order: Order): Promise<Json> {
    return this.#sessions.moveHere(order)
  }

  /** The same of a pin. */
  pinHere(pin: PinOrder): Promise<Json> {
    return this.#sessions.pinHere(pin)
  }
}
