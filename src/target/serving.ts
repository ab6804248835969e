// A session is carried by its connection here: what comes becomes tasks and responses; barriers, moves and the stop of the
// member hold it up.
//
// Invariants:
//   C1. Nothing is executed or answered for a session that has ended.
//   C4. What arrives while a barrier waits for this initiator, or a commit is under way, is kept: executed in order once
//       neither is the case any more, or never. A session with a barrier that waits does not become quiet.
//   C5. An initiator that is silent for too long (keep-alive.ts) loses its session; not while it is being moved.
//   C7. It is quiet when it has shown so (quiesce.ts): what it had sent, on however slow a line, was answered here.
import { unreachable } from '../base/assert.ts'
import type { BufferPool } from '../base/buffer-pool.ts'
import { type Clock, type Timer, untilBeat } from '../base/clock.ts'
import type { VolumeRecord } from '../group/record.ts'
import type { Pdu } from '../iscsi/framer.ts'
import { asyncEvent } from '../iscsi/pdu.ts'
import type { Session, SessionAction } from '../iscsi/session.ts'
import { type LogicalUnit, logicalUnit } from '../scsi/logical-unit.ts'
import { holdsState } from '../scsi/nexus-state.ts'
import type { VolumeGateway } from '../volume/access.ts'
import type { Contention } from './contention.ts'
import type { Incoming } from './incoming.ts'
import { KeepAlive, SIGN_OF_LIFE_TAG } from './keep-alive.ts'
import type { Carrier, EndReason, LiveSession, ProbeVerdict, SentAway } from './live-session.ts'
import type { Taken } from './logins.ts'
import type { Outgoing } from './outgoing.ts'
import { Quiesce, type QuiesceEnd, type Sight } from './quiesce.ts'
import { TaskRunner } from './task-runner.ts'

const TICK_MS = 1_000
/** Sessions tick at one of four beats, so that many neither wake a member each by itself nor tick all at once. */
const BEAT_MS = TICK_MS / 4

/** What it needs of the member. */
export interface ServingDeps {
  readonly clock: Clock
  readonly buffers: BufferPool
  readonly contention: Contention
  readonly gateway: VolumeGateway
  /** The volume, grown as far as this member has heard. */
  readonly grown: (volume: VolumeRecord) => VolumeRecord
  readonly resetOthers: (session: LiveSession) => Promise<boolean>
  /** The first response to a command of a session that came by this move has left; from its login on it had asked for nothing for `idleMs`. */
  readonly firstResponse: (move: string, idleMs: number) => void
  readonly ended: (session: LiveSession, reason: EndReason) => void
}

/** What it needs of its connection. */
export interface ServingHost {
  readonly incoming: Incoming
  readonly outgoing: Outgoing
  readonly lastArrivalMs: number
  /** The answer to SendTargets in a session of the target `own`. */
  discover(wanted: string, own: string): Uint8Array
  /** What was written leaves now, or at the end of the turn. */
  flush(): void
  flushSoon(): void
  /** Half-closes; settles when the connection is closed, with the commands that have come until then and were discarded. */
  leave(): Promise<number>
  close(reason: string): void
}

export class Serving implements Carrier {
  readonly #deps: ServingDeps
  readonly #host: ServingHost
  readonly #live: LiveSession
  readonly #iscsi: Session
  readonly #iqn: string
  readonly #runner: TaskRunner
  readonly #keepAlive = new KeepAlive()
  readonly #quiesce: Quiesce
  readonly probes = new Map<number, (verdict: ProbeVerdict) => void>()
  /** Tags of barriers that were not told yet that it is held: the others are not told again. */
  readonly #untold: number[] = []
  /** The move by which it came, and when it did. */
  readonly #cameBy: string | null
  readonly #cameMs: number
  #ticking: Timer
  #isCommitting = false
  #isOver = false
  /** Commands whose responses were sent. */
  #responses = 0
  pausedSinceWallMs = 0

  constructor(
    deps: ServingDeps,
    host: ServingHost,
    { session: live, volume, from }: Taken & { readonly kind: 'taken' },
    iscsi: Session,
  ) {
    this.#deps = deps
    this.#host = host
    this.#live = live
    this.#iscsi = iscsi
    this.#iqn = volume.iqn
    const move = from?.record.move
    this.#cameBy = move?.open === true ? move.id : null
    this.#cameMs = deps.clock.nowMs()
    const now = deps.grown(volume)
    this.#runner = new TaskRunner({
      session: iscsi,
      unit: logicalUnit(now),
      toldBytes: live.record.bytes ?? now.bytes,
      buffers: deps.buffers,
      contention: deps.contention,
      room: host.outgoing,
      gateway: deps.gateway,
      volume,
      origin: { session: live.id, gen: live.gen },
      counters: live.counters,
      nowMs: () => deps.clock.nowMs(),
      soon: (f) => deps.clock.soon(f),
      wrote: () => host.flushSoon(),
      resetOthers: () => deps.resetOthers(live),
      refused: () => deps.ended(live, 'fenced'),
    })
    this.#quiesce = new Quiesce(
      deps.clock,
      () => this.#sight(),
      (transferTag) => this.#ping(transferTag),
    )
    this.#ticking = this.#tickLater()
  }

  receive(pdu: Pdu): void {
    this.#iscsi.receive(pdu, this.#host.lastArrivalMs)
    this.#act()
  }

  #act(): void {
    const { actions } = this.#iscsi
    for (let i = 0; i < actions.length; i += 1) {
      const action = actions[i]
      if (action === undefined || this.#isOver) break // C1
      this.#carryOut(action)
    }
    this.#iscsi.clearActions()
  }

  #carryOut(action: SessionAction): void {
    switch (action.kind) {
      case 'command':
        return this.#runner.start(action.task)
      case 'data':
        return this.#runner.dataArrived(action.task)
      case 'taskManagement':
        return this.#runner.manage(action.request)
      case 'logout':
        if (this.#iscsi.respondToLogout(action.request)) this.#leave('logout')
        return
      case 'nopOut': {
        const { transferTag, cmdSn } = action
        const settle = this.probes.get(transferTag)
        this.probes.delete(transferTag)
        settle?.('alive')
        this.#quiesce.answered(transferTag, cmdSn)
        return this.#releaseHeld()
      }
      case 'text':
        return this.#iscsi.respondToKeys(action.request, (wanted) =>
          this.#host.discover(wanted, this.#iqn),
        )
      case 'close':
        return this.#leave('closed') // C3
      default:
        unreachable(action)
    }
  }

  /** The window forgets depths that are long past; a silent initiator is asked, and given up (C5). */
  #tick(): void {
    const { incoming, outgoing, lastArrivalMs } = this.#host
    this.#iscsi.tick(this.#deps.clock.nowMs())
    incoming.tick()
    if (this.#live.phase.kind !== 'moving') {
      const [owed = null] = this.probes.keys()
      const heardMs = Math.max(lastArrivalMs, outgoing.aliveMs)
      const next = this.#keepAlive.tick(heardMs, owed, incoming.owes(this.#iscsi))
      if (next === 'over') return this.#deps.ended(this.#live, 'silent')
      if (next === 'stalled') return this.#deps.ended(this.#live, 'stalled')
      if (next === 'ask') this.#ping(SIGN_OF_LIFE_TAG)
    }
    this.#ticking = this.#tickLater()
  }

  #tickLater(): Timer {
    const { clock } = this.#deps
    return clock.after(untilBeat(clock, TICK_MS, BEAT_MS), () => this.#tick())
  }

  #ping(transferTag: number): void {
    if (this.#isOver) return
    this.#iscsi.probe(transferTag)
    this.#host.flushSoon()
  }

  // What leaves

  /** What was written is about to leave. */
  flushing(): void {
    this.#host.incoming.look(this.#iscsi)
  }

  /** Something has left. */
  flushed(): void {
    if (this.#isOver) return
    const { latencyCount } = this.#live.counters
    if (latencyCount > this.#responses) {
      this.pausedSinceWallMs = this.#deps.clock.wallMs()
      if (this.#responses === 0) {
        if (this.#cameBy !== null) this.#deps.firstResponse(this.#cameBy, this.#idleMs())
        // Not before: with digests, an initiator may not yet read what comes right behind the final Login Response.
        this.#quiesce.acquaint()
      }
      this.#responses = latencyCount
    }
    this.#tellHeld()
    this.#quiesce.look()
  }

  /** From its login to its first command, as the first response leaves. */
  #idleMs(): number {
    const { latencySumMs, latencyCount } = this.#live.counters
    return this.#deps.clock.nowMs() - latencySumMs / latencyCount - this.#cameMs
  }

  /** The stream has taken a part of it. */
  written(): void {
    this.#runner.roomCame()
    if (this.#host.outgoing.isWritten) this.#quiesce.look()
  }

  // Barriers and resets

  probe(transferTag: number, settle: (verdict: ProbeVerdict) => void): void {
    this.probes.set(transferTag, settle)
    this.#iscsi.hold() // C4
    this.#untold.push(transferTag)
    this.#ping(transferTag)
    this.#tellHeld()
  }

  /** Nothing that was accepted is outstanding: what this connection has brought is harmless to those that ask. */
  #tellHeld(): void {
    if (this.#untold.length === 0 || this.#iscsi.outstanding > 0) return
    for (const tag of this.#untold.splice(0)) this.probes.get(tag)?.('held')
  }

  /** What was kept becomes actions, unless there is still a reason to keep it (C4). */
  #releaseHeld(): void {
    if (this.probes.size > 0 || this.#isCommitting) return
    this.#iscsi.releaseHeld()
    this.#quiesce.look()
  }

  resetByAnother(): Promise<boolean> {
    return this.#runner.resetByAnother()
  }

  grow(unit: LogicalUnit): void {
    this.#runner.grow(unit)
  }

  // Moves

  get holdsState(): boolean {
    return !this.#isOver && holdsState(this.#runner.nexus)
  }

  get toldBytes(): number {
    return this.#runner.toldBytes
  }

  narrow(): Promise<void> {
    this.#iscsi.window.narrow()
    return this.#quiesce.narrowed()
  }

  quiesce(limitMs: number): Promise<QuiesceEnd> {
    if (this.#isOver) return Promise.resolve('gone')
    this.#iscsi.window.freeze()
    this.pausedSinceWallMs = this.#deps.clock.wallMs()
    return this.#quiesce.wait(limitMs)
  }

  reopen(): void {
    if (this.#isOver) return
    this.#iscsi.reopen()
    this.#host.flushSoon()
  }

  hold(): void {
    this.#isCommitting = true
    this.#iscsi.hold()
  }

  release(): void {
    if (this.#isOver) return
    this.#isCommitting = false
    this.#releaseHeld()
    this.#act()
    this.#host.flushSoon()
  }

  sendAway(): SentAway {
    const held = this.#iscsi.discardHeld()
    this.#askToComeBack()
    this.#end()
    this.#host.flush()
    const left = this.#host.leave()
    return { held, resent: left.then((discarded) => held + discarded) }
  }

  /** Event 3 with Time2Wait 0: the initiator comes back to the group at once. */
  #askToComeBack(): void {
    this.#iscsi.asyncMessage(asyncEvent.sessionDrops, 0, 0, 0)
  }

  #sight(): Sight {
    const unwritten = !this.#host.outgoing.isWritten
    const { window, expCmdSn, outstanding } = this.#iscsi
    return {
      pending: this.#isOver || outstanding > 0 || this.probes.size > 0,
      unwritten,
      windowUsedUp: window.usedUp,
      windowNarrow: this.#isOver || window.isNarrow,
      expCmdSn,
      responses: this.#live.counters.latencyCount,
    }
  }

  // The end

  /** The member stops. */
  stop(): void {
    this.#askToComeBack()
    this.#leave('stopped')
  }

  /** Half-closes after what was written. */
  #leave(reason: EndReason): void {
    this.#host.flush()
    void this.#host.leave()
    this.over(reason)
  }

  close(reason: string): void {
    if (!this.#isOver) this.#host.close(reason)
  }

  /** The connection is closed, or carries it no more. */
  over(reason: EndReason): void {
    if (this.#isOver) return
    this.#end()
    this.#deps.ended(this.#live, reason)
  }

  /** C1. */
  #end(): void {
    this.#isOver = true
    this.#ticking.cancel()
    this.#iscsi.silence()
    this.#runner.stop()
    this.#iscsi.close()
    this.#quiesce.over('gone')
    const waiting = [...this.probes.values()]
    this.probes.clear()
    for (const settle of waiting) settle('dead')
  }
}
