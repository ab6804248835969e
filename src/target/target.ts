// The target of one member wires what serves its sessions, begins and ends them, and answers what other members ask about
// them. Everything that changes a session of this member goes through here or through what is wired here.
//
// Invariants:
//   T1. No login is accepted before this member has loaded the records (its primaries serve).
//   T3. A target that was told to stop takes no logins any more, also if it was told before it served.
//   T4. A volume that grows grows for every session of it here, once this member has heard of it; one that is taken here
//       has at least the size that any owner has told its initiator.
import { type Clock, untilBeat } from '../base/clock.ts'
import type { MemberId, SessionId } from '../base/ids.ts'
import type { Address, Net } from '../base/net.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import type { GroupView } from '../coordination/group-view.ts'
import type { SessionRecord } from '../group/record.ts'
import type { Portal } from '../iscsi/names.ts'
import type { PeerLinks } from '../peer/links.ts'
import type { Json } from '../peer/message.ts'
import { logicalUnit } from '../scsi/logical-unit.ts'
import type { Gateway } from '../volume/gateway.ts'
import { Barrier, type ProbeQuestion } from './barrier.ts'
import { Ending } from './ending.ts'
import type { Grants } from './grants.ts'
import { carrierOf, type EndReason, type LiveSession } from './live-session.ts'
import type { Placement } from './login-routes.ts'
import { Logins, type Taken, type TakenSession } from './logins.ts'
import type { Bounds } from './memory-bounds.ts'
import { Mover } from './move.ts'
import { MoveLog } from './move-log.ts'
import type { MoveEnd, MoveOrder } from './move-order.ts'
import { OwnPortal } from './own-portal.ts'
import { type PinEnd, Pins } from './pins.ts'
import { TargetPortal } from './portal.ts'
import { type RedirectQuestion, RedirectQuestions, returnKey } from './redirect-questions.ts'
import { Registry } from './registry.ts'
import { SessionHandles } from './session-handles.ts'
import { StandIns } from './stand-ins.ts'
import type { TargetEvent } from './target-event.ts'
import { type ResetQuestion, UnitResets } from './unit-reset.ts'

const SWEEP_MS = 1_000

export interface TargetDeps {
  readonly self: MemberId
  readonly clock: Clock
  readonly net: Net
  readonly coordinator: Coordinator
  readonly group: GroupView
  readonly peers: PeerLinks
  readonly gateway: Gateway
  readonly placement: Placement
  readonly grants: Grants
  readonly newToken: () => string
  /** Discovery answers with this instead of the address that the initiator came to. */
  readonly groupAddress: string | null
  readonly bounds: Bounds
  /** At whose portals it may listen while another member is away; null: at none. */
  readonly standsIn: ((portal: Portal) => boolean) | null
  readonly tell: (event: TargetEvent) => void
}

/** The session's record is another login's or member's now. */
const isOfAnother: ReadonlySet<EndReason> = new Set(['moved', 'reinstated', 'lost'])

export class Target {
  readonly registry = new Registry()
  readonly ending: Ending
  readonly logins: Logins
  readonly log: MoveLog
  readonly standIns: StandIns
  readonly #deps: TargetDeps
  readonly #questions: RedirectQuestions
  readonly #barrier: Barrier
  readonly #mover: Mover
  readonly #pins: Pins
  readonly #resets: UnitResets
  readonly #handles = new SessionHandles()
  readonly #portal: TargetPortal
  readonly #ownPortal: OwnPortal
  /** It is drained since it is about to stop. */
  isLeaving = false
  #state: 'starting' | 'serving' | 'stopping' = 'starting'

  constructor(deps: TargetDeps) {
    this.#deps = deps
    const { self, clock, coordinator, group, peers, gateway, newToken, placement } = deps
    const { registry } = this
    const end = (session: LiveSession, reason: EndReason) => this.#end(session, reason)
    this.log = new MoveLog(self, clock, coordinator, group)
    this.ending = new Ending({ self, clock, coordinator, group, gateway, registry })
    this.#questions = new RedirectQuestions(clock, peers)
    this.#barrier = new Barrier({
      self,
      clock,
      peers,
      gateway,
      registry,
      ending: this.ending,
      end,
      closed: ({ id, record }) =>
        deps.tell({
          kind: 'barrier',
          session: id,
          initiator: record.initiator,
          owner: record.owner,
        }),
    })
    this.logins = new Logins({
      self,
      clock,
      coordinator,
      group,
      peers,
      questions: this.#questions,
      barrier: this.#barrier,
      registry,
      placement,
      end,
      isServing: () => this.#state === 'serving',
      isDraining: () => this.isDraining,
      newToken,
    })
    this.#resets = new UnitResets({ self, clock, coordinator, peers, gateway, registry })
    this.#mover = new Mover({ self, clock, coordinator, peers, log: this.log, end })
    this.#pins = new Pins({ clock, coordinator })
    this.#portal = new TargetPortal({
      ...deps,
      registry,
      logins: this.logins,
      handles: this.#handles,
      resetOthers: (session) => this.#resets.reset(session.record.volume, session),
      firstResponse: (move, idleMs) => this.log.firstResponse(move, clock.wallMs(), idleMs),
      began: (taken) => this.#began(taken),
      ended: end,
    })
    const listen = (address: Address) => this.#portal.listen(address)
    this.standIns = new StandIns({ ...deps, listen, mayListen: deps.standsIn })
    this.#ownPortal = new OwnPortal({ ...deps, listen })
  }

  /** The portal's address; while another member stands in there, this one listens when it serves. */
  listen(address: Address): Promise<Address> {
    return this.#ownPortal.open(address)
  }

  /** T1: the records are loaded; closes what the last run of this member left, then accepts logins. */
  async serve(): Promise<void> {
    await this.ending.closeLeftovers([...this.#deps.group.sessions.values()])
    await this.#ownPortal.take(() => this.#state === 'stopping')
    if (this.#state === 'stopping') return // T3
    this.#state = 'serving'
    this.#sweepLater()
    void this.#followVolumes()
  }

  /** T4: sessions learn that their volume has grown. */
  async #followVolumes(): Promise<void> {
    const { group } = this.#deps
    let seen = -1
    do {
      if (group.volumesRev === seen) continue
      seen = group.volumesRev
      for (const session of this.registry.all()) {
        const volume = group.volumes.get(session.record.volume)
        if (volume !== undefined) carrierOf(session)?.grow(logicalUnit(volume))
      }
    } while ((await group.changed()) && this.#state === 'serving')
  }

  stop(byMs: number): Promise<void> {
    this.#state = 'stopping'
    return this.#portal.stop(byMs)
  }

  /** Moves a session that this member serves. */
  async move(id: SessionId, order: MoveOrder): Promise<MoveEnd> {
    for (let one = this.#pins.underWay(id); one; one = this.#pins.underWay(id)) await one // PN1
    const session = this.registry.get(id)
    const carrier = session === undefined ? null : carrierOf(session)
    if (session === undefined || carrier === null) {
      return { kind: 'denied', reason: `session ${id} is not served here` }
    }
    if (session.phase.kind === 'moving') {
      return { kind: 'denied', reason: `session ${id} is already being moved` }
    }
    if (this.#state === 'stopping') return { kind: 'denied', reason: 'its member stops' }
    const end = await this.#mover.move(session, carrier, order)
    this.#deps.tell({ kind: 'move', move: order.id, session: id, to: order.to, end })
    return end
  }

  /** Pins a session that this member serves to a member, or unpins it (null). */
  async pin(id: SessionId, to: MemberId | null): Promise<PinEnd> {
    const session = this.registry.get(id)
    return session === undefined ? 'ended' : this.#pins.pin(session, to)
  }

  /** The session has state that only its nexus has: changed mode pages, or unit attentions that its initiator has not been told. */
  holdsState(id: SessionId): boolean {
    const session = this.registry.get(id)
    return session !== undefined && (carrierOf(session)?.holdsState ?? false)
  }

  get takesSessions(): boolean {
    return this.#state === 'serving' && !this.isDraining
  }

  /** It takes no new sessions, and gives away those that it has: by an operator's word, or since it is about to stop. */
  get isDraining(): boolean {
    return this.isLeaving || (this.#deps.group.members.get(this.#deps.self)?.draining ?? false)
  }

  /** From now on it is drained, until it stops. */
  leave(): void {
    this.isLeaving = true
  }

  // What other members ask and tell

  /** Whether a login may be sent here. */
  mayCome(question: RedirectQuestion): boolean {
    if (this.#state !== 'serving') return false
    const { yes } = this.#questions.answer(question, this.takesSessions)
    if (yes && question.reserve) this.logins.routes.reserve(question)
    return yes
  }

  /** A session would not come by a move now: its login is awaited here since longer. */
  isUnreached(record: SessionRecord): boolean {
    return this.#questions.isUnreached(returnKey(record))
  }

  /** The login was not sent. */
  comesNot(question: RedirectQuestion): void {
    this.logins.routes.unreserve(this.#questions.takenBack(question))
  }

  probe(probes: ProbeQuestion): Promise<Json> {
    return this.#barrier.answer(probes)
  }

  reset(reset: ResetQuestion): Promise<Json> {
    return this.#resets.answer(reset)
  }

  /** A later login took this session's record: only saves time (its generation is refused in any case). */
  taken({ id, gen }: TakenSession): void {
    const session = this.registry.get(id)
    if (session !== undefined && session.gen < gen) this.#end(session, 'reinstated')
  }

  /** A session's final Login Response is about to leave. */
  #began(taken: Taken & { readonly kind: 'taken' }): void {
    const { session } = taken
    const { record, id, gen } = session
    this.#deps.tell({
      kind: 'login',
      session: id,
      initiator: record.initiator,
      source: record.source,
      volume: record.volume,
      why: taken.why,
      gen,
    })
    const move = taken.from?.record.move
    if (move === undefined || !move.open) return
    this.log.settled(move.id, taken.why === 'returned' ? 'returned' : 'reclaimed')
    if (taken.why === 'returned') this.#deps.grants.arrived(move.id, session)
  }

  /** Ends a session of this member: nothing more is executed, its record is closed unless it is somebody else's now. */
  #end(session: LiveSession, reason: EndReason): void {
    if (session.phase.kind === 'ended') return
    const carrier = carrierOf(session)
    session.phase = { kind: 'ended', reason }
    this.registry.remove(session)
    if (carrier !== null) session.record = { ...session.record, bytes: carrier.toldBytes }
    this.#handles.ended(session)
    this.#deps.gateway.endSession(session.id, session.gen)
    const { volume, initiator, source } = session.record
    const { id, counters } = session
    this.#deps.tell({ kind: 'end', session: id, initiator, source, reason, volume, counters })
    carrier?.close(reason)
    if (!isOfAnother.has(reason)) void this.ending.closeEnded(session)
  }

  #sweepLater(): void {
    const { clock } = this.#deps
    clock.after(untilBeat(clock, SWEEP_MS), () => {
      void this.#sweep()
    })
  }

  async #sweep(): Promise<void> {
    if (this.#state !== 'serving') return
    this.#portal.trim()
    this.#letGo()
    this.standIns.look()
    this.log.sweep((id) => this.registry.get(id)?.phase.kind === 'moving')
    const expired = await this.ending.sweep()
    for (const { record } of expired)
      if (record.move !== undefined) this.log.settled(record.move.id, 'expired')
    this.#sweepLater()
  }

  /**
   * Sessions whose record is somebody else's or gone: the owner was not told, and a half-open connection sends nothing that
   * a primary could refuse. One in a move is settled by its mover.
   */
  #letGo(): void {
    const { group } = this.#deps
    for (const session of [...this.registry.all()]) {
      if (session.phase.kind !== 'live' || group.rev < session.rev) continue
      const gen = group.sessions.get(session.id)?.record.gen
      if (gen === undefined || gen > session.gen) this.#end(session, 'lost')
    }
  }
}
