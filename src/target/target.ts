// The target of one member: its portal, its connections and sessions, and what other members ask about them. Everything
// that changes a session of this member goes through here or through what is wired here.
//
// Invariants:
//   T1. No login is accepted before this member has loaded the records (its primaries serve).
//   T2. A stop answers what was accepted, sends event 3 and closes, by the moment that it was given.
//   T3. A target that was told to stop takes no logins any more, also if it was told before it served.
//   T4. A volume that grows grows for every session of it here, once this member has heard of it; one that is taken here
//       has at least the size that any owner has told its initiator.

import { BufferPool } from '../base/buffer-pool.ts'
import { type Clock, sleep } from '../base/clock.ts'
import type { Address, Listener, Net } from '../base/net.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import { type GroupView, storedSession } from '../coordination/group-view.ts'
import type { MemberId, SessionId } from '../group/record.ts'
import { formatPortal, type Portal } from '../iscsi/names.ts'
import { isAskedFor, printTargets } from '../iscsi/send-targets.ts'
import type { SessionCounters } from '../load/counters.ts'
import { Body } from '../peer/controls.ts'
import type { Json, PeerLinks } from '../peer/links.ts'
import { logicalUnit } from '../scsi/logical-unit.ts'
import type { Gateway } from '../volume/gateway.ts'
import { Barrier, type ProbeQuestion } from './barrier.ts'
import {
  type Bounds,
  type Budgets,
  budgetsOf,
  CONNECTIONS_MAX,
  NEW_SESSIONS_MAX,
} from './bounds.ts'
import { Connection, type ConnectionDeps } from './connection.ts'
import { Doorway } from './doorway.ts'
import { Ending } from './ending.ts'
import type { Grants } from './grants.ts'
import { carrierOf, type EndReason, type LiveSession } from './live-session.ts'
import { Logins, type Placement, type Taken } from './login.ts'
import { targetPortalGroupTag } from './login-phase.ts'
import { Mover } from './move.ts'
import { MoveLog } from './move-log.ts'
import type { MoveEnd, MoveOrder } from './move-order.ts'
import { type Question, Questions } from './questions.ts'
import { Registry } from './registry.ts'
import { SessionHandles } from './session-handles.ts'
import { type ResetQuestion, UnitResets } from './unit-reset.ts'

const SWEEP_MS = 1_000
/** For an initiator to fall silent, before it is told that the member stops. */
const STOP_MS = 4_000
/** A reason may quote what an initiator sent. */
const REASON_MAX = 400
/** What the pool keeps for the answers and write data of all connections, while it is needed. */
const BUFFER_BYTES = 32 * 1024 * 1024

/** One line for people about something that happened here; see operator/log.ts. */
export type TargetEvent =
  | {
      readonly kind: 'login'
      readonly session: SessionId
      readonly initiator: string
      readonly source: string
      readonly volume: number
      readonly why: string
      readonly gen: number
    }
  | {
      readonly kind: 'end'
      readonly session: SessionId
      readonly initiator: string
      readonly source: string
      readonly reason: EndReason
      readonly volume: number
      readonly counters: SessionCounters
    }
  | {
      readonly kind: 'redirect'
      readonly initiator: string
      readonly source: string
      readonly to: MemberId
      readonly why: string
    }
  /** Another member sent what could not be read: it has no effect. */
  | {
      readonly kind: 'malformed'
      readonly from: MemberId
      readonly of: string
      readonly why: string
    }
  | {
      readonly kind: 'reject'
      readonly initiator: string
      readonly source: string
      readonly reason: string
    }
  | {
      readonly kind: 'barrier'
      readonly session: SessionId
      readonly initiator: string
      readonly owner: MemberId
    }
  | {
      readonly kind: 'move'
      readonly move: string
      readonly session: SessionId
      readonly to: MemberId
      readonly end: MoveEnd
    }

export interface TargetDeps {
  readonly self: MemberId
  readonly clock: Clock
  readonly net: Net
  readonly coordinator: Coordinator
  readonly group: GroupView
  readonly peers: PeerLinks
  readonly gateway: Gateway
  readonly placement: Placement
  readonly grants: Pick<Grants, 'arrived'>
  readonly newToken: () => string
  /** Discovery answers with this instead of the address that the initiator came to. */
  readonly groupAddress: string | null
  readonly bounds: Bounds
  readonly tell: (event: TargetEvent) => void
}

/** The session's record is another login's or member's now. */
const isOfAnother: ReadonlySet<EndReason> = new Set(['moved', 'reinstated', 'lost'])

export class Target {
  readonly registry = new Registry()
  readonly ending: Ending
  readonly logins: Logins
  readonly log: MoveLog
  readonly #deps: TargetDeps
  readonly #questions: Questions
  readonly #barrier: Barrier
  readonly #mover: Mover
  readonly #connections = new Set<Connection>()
  readonly #resets: UnitResets
  readonly #buffers = new BufferPool(BUFFER_BYTES)
  readonly #budgets: Budgets
  #listener: Listener | null = null
  #state: 'starting' | 'serving' | 'stopping' = 'starting'
  readonly #doorway = new Doorway()
  readonly #handles = new SessionHandles()

  constructor(deps: TargetDeps) {
    this.#deps = deps
    const { self, clock, coordinator, group, peers, gateway, newToken, placement } = deps
    const { registry } = this
    this.#budgets = budgetsOf(deps.bounds)
    const end = (session: LiveSession, reason: EndReason) => this.#end(session, reason)
    this.log = new MoveLog(self, clock, coordinator, group)
    this.ending = new Ending({ self, clock, coordinator, group, gateway, registry })
    this.#questions = new Questions(clock, peers)
    this.#barrier = new Barrier({
      self,
      clock,
      peers,
      gateway,
      registry,
      ending: this.ending,
      end,
      reread: (key) => this.#reread(key),
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
      newToken,
    })
    this.#resets = new UnitResets({ self, clock, coordinator, peers, gateway, registry })
    this.#mover = new Mover({ self, clock, coordinator, peers, log: this.log, end })
  }

  async listen(address: Address): Promise<Address> {
    const deps = this.#connectionDeps()
    this.#listener = await this.#deps.net.listen(address, (stream) => {
      if (this.registry.carried >= CONNECTIONS_MAX || this.#state === 'stopping') {
        stream.own({ received() {}, ended() {}, written() {}, closed() {} })
        stream.destroy()
        return
      }
      const connection = new Connection(deps, stream)
      this.#connections.add(connection)
      this.#doorway.came(connection)
    })
    return this.#listener.address
  }

  /** T1: the records are loaded; closes what the last run of this member left, then accepts logins. */
  async serve(): Promise<void> {
    await this.ending.closeLeftovers([...this.#deps.group.sessions.values()])
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

  /** T2. Whoever has not closed its connection by then is closed. */
  async stop(byMs: number): Promise<void> {
    const { clock } = this.#deps
    this.#state = 'stopping'
    await this.#listener?.close()
    await Promise.all(
      [...this.#connections].map(async (connection) => {
        await connection.serving?.quiesce(STOP_MS)
        connection.stop()
      }),
    )
    while (this.#connections.size > 0 && clock.nowMs() < byMs) await sleep(clock, 10)
    for (const connection of [...this.#connections]) connection.close('the member stops')
  }

  /** Moves a session that this member serves. */
  async move(id: SessionId, order: MoveOrder): Promise<MoveEnd> {
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

  /** The session has state that only its nexus has: changed mode pages, or unit attentions that its initiator has not been told. */
  holdsState(id: SessionId): boolean {
    const session = this.registry.get(id)
    return session !== undefined && (carrierOf(session)?.holdsState ?? false)
  }

  get takesSessions(): boolean {
    const draining = this.#deps.group.members.get(this.#deps.self)?.draining ?? false
    return this.#state === 'serving' && !draining
  }

  // What other members ask and tell

  /** Whether a login may be sent here. */
  mayCome(question: Question): boolean {
    if (this.#state !== 'serving') return false
    const { yes } = this.#questions.answer(question, this.takesSessions)
    if (yes && question.reserve) this.logins.reserve(question)
    return yes
  }

  /** The login was not sent. */
  comesNot(question: Question): void {
    this.logins.unreserve(this.#questions.takenBack(question))
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

  #connectionDeps(): ConnectionDeps {
    const { clock, group, gateway, tell } = this.#deps
    return {
      clock,
      gateway,
      buffers: this.#buffers,
      ...this.#budgets,
      logins: this.logins,
      volumeByIqn: (iqn) => group.volumeByIqn(iqn),
      discover: (wanted, at, own) => this.#discover(wanted, at, own),
      grown: (volume) => {
        const seen = group.volumes.get(volume.id)
        return seen !== undefined && seen.bytes > volume.bytes ? seen : volume // T4
      },
      resetOthers: (session) => this.#resets.reset(session.record.volume, session),
      handles: this.#handles,
      isFull: () => this.registry.carried >= NEW_SESSIONS_MAX,
      began: (taken, connection) => this.#began(taken, connection),
      ended: (session, reason) => this.#end(session, reason),
      firstAnswer: (move) => this.log.answered(move, clock.wallMs()),
      rejected: (initiator, reason, source) =>
        tell({ kind: 'reject', initiator, source, reason: reason.slice(0, REASON_MAX) }),
      redirected: (attempt, to, why) =>
        tell({ kind: 'redirect', initiator: attempt.initiator, source: attempt.source, to, why }),
      gone: (connection) => {
        this.#connections.delete(connection)
        this.#doorway.left(connection)
      },
    }
  }

  #began(taken: Taken & { readonly kind: 'taken' }, connection: Connection): void {
    const { session } = taken
    this.#doorway.left(connection)
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

  /** One portal for each volume: the one that was asked, or the configured address of the group. */
  #discover(wanted: string, at: Portal, own: string | null): Uint8Array {
    const { group, groupAddress } = this.#deps
    const address = groupAddress ?? formatPortal(at.host, at.port)
    const targets = [...group.volumes.values()]
      .filter(({ iqn }) => isAskedFor(iqn, wanted, own))
      .map(({ iqn }) => ({ name: iqn, addresses: [address] }))
    return printTargets(targets, targetPortalGroupTag)
  }

  #sweepLater(): void {
    this.#deps.clock.after(SWEEP_MS, () => {
      void this.#sweep()
    })
  }

  async #sweep(): Promise<void> {
    if (this.#state !== 'serving') return
    this.#buffers.trim()
    this.#letGo()
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

  async #reread(key: string) {
    const listed = await this.#deps.coordinator.list(key)
    if (listed.kind === 'unknown') return 'unknown' as const
    const item = listed.items.find((one) => one.key === key)
    return item === undefined ? null : storedSession(item)
  }
}

export interface TakenSession {
  readonly id: SessionId
  readonly gen: number
}

export function readTaken(json: Json): TakenSession {
  const body = new Body(json)
  return { id: body.whole('id'), gen: body.whole('gen') }
}
