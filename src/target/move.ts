// A planned move of one session from this member to another (DESIGN.md), carried out step by step.
//
//   grant ──▶ intent ──▶ quiesce ──▶ commit ──▶ ask ──▶ (returned | reclaimed | expired: seen by whoever settles it)
//     │         │           │          │
//     ▼         ▼           ▼          └─ unknown: settled by a compare-and-swap of our own ──▶ committed | abandoned | lost
//   denied   not begun  abandoned
//
// Invariants:
//   M1. The record changes owner only after everything that was accepted has been answered.
//   M2. From the moment the commit is sent, commands that arrive are held: run if it did not take effect, else discarded,
//       never both; after a committed move this member answers nothing on that session.
//   M3. An unknown commit is settled by our own compare-and-swap, never by a read alone.
//   M4. A planned move never breaks a connection: if the initiator does not fall silent within 4 s, its window is
//       reopened, whether the coordinator answers or not, and nothing has changed.
//   M5. What holds state that would not go with it is not moved, however late that state came.
//   M6. A move whose intent was not written has not begun: nothing is told of it, and no record of it exists (G27).
//   M7. A move that is abandoned or lost says why, to whoever ordered it and in its record: why its session has ended, if
//       that is why.
import { type Clock, sleep, type Timer } from '../base/clock.ts'
import type { MemberId, Revision } from '../base/ids.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import { type StoredSession, storedSession } from '../coordination/group-view.ts'
import { clearIntent, commitMove } from '../group/sessions.ts'
import type { PeerLinks } from '../peer/links.ts'
import { type Carrier, type EndReason, type LiveSession, whyEnded } from './live-session.ts'
import type { MoveLog } from './move-log.ts'
import type { MoveEnd, MoveOrder } from './move-order.ts'

const GRANT_MS = 1_500
const RENEW_MS = 1_000
/** Below the 5 s after which initiators take an unanswered NOP-Out for a dead connection. */
export const QUIESCE_MS = 4_000
const SETTLE_AGAIN_MS = 100
const NOT_SILENT = 'the initiator did not fall silent in time'
const HOLDS_STATE = 'it came to hold state that would not go with it'
const NO_OUTCOME = 'the coordinator did not say in time whether it had happened'

export interface MoverDeps {
  readonly self: MemberId
  readonly clock: Clock
  readonly coordinator: Coordinator
  readonly peers: Pick<PeerLinks, 'ask' | 'tell'>
  readonly log: MoveLog
  readonly end: (session: LiveSession, reason: EndReason) => void
}

export class Mover {
  readonly #deps: MoverDeps

  constructor(deps: MoverDeps) {
    this.#deps = deps
  }

  /** Moves a session of this member, which its carrier makes live. Settles when the session is away, or stays. */
  async move(session: LiveSession, carrier: Carrier, order: MoveOrder): Promise<MoveEnd> {
    session.phase = { kind: 'moving', carrier, order }
    try {
      const denied = await this.#grant(session, order)
      if (denied !== null) return { kind: 'denied', reason: denied }
      const renewing = this.#renew(session, order)
      try {
        return await this.#granted(session, carrier, order)
      } finally {
        renewing.cancel()
      }
    } finally {
      if (whyOver(session) === null) session.phase = { kind: 'live', carrier }
    }
  }

  /** null: the destination has reserved room; else why not. */
  async #grant(session: LiveSession, order: MoveOrder): Promise<string | null> {
    const { peers } = this.#deps
    const reply = await peers.ask(
      order.to,
      'grant',
      {
        move: order.id,
        session: session.id,
        proposal: order.proposal,
        estimate: order.estimate,
      },
      GRANT_MS,
    )
    if (reply === null) return `${order.to} does not answer`
    if (reply === 'granted') return null
    return typeof reply === 'string' ? reply : `${order.to} refuses`
  }

  #renew(session: LiveSession, order: MoveOrder): Timer {
    const { clock, peers } = this.#deps
    let timer = clock.after(RENEW_MS, again)
    function again() {
      peers.tell(order.to, 'renew', { move: order.id, session: session.id })
      timer = clock.after(RENEW_MS, again)
    }
    return { cancel: () => timer.cancel() }
  }

  async #granted(session: LiveSession, carrier: Carrier, order: MoveOrder): Promise<MoveEnd> {
    const { clock, coordinator, log } = this.#deps
    const intent = await coordinator.txn(log.beginning(stored(session), order))
    if (intent.kind === 'lost') {
      this.#deps.end(session, 'lost') // unless it has ended already
      return this.#notBegun(order, whyOver(session) ?? whyEnded.lost)
    }
    const over = whyOver(session)
    if (over !== null) return this.#ended(order, 'lost', over)
    if (intent.kind === 'unknown') {
      return this.#settle(session, carrier, order, { drainMs: 0, why: NO_OUTCOME, begun: false })
    }
    this.#wrote(session, intent.rev, {
      ...session.record,
      move: { ...openMove(order), open: false },
    })

    await carrier.narrow()
    const frozenMs = clock.nowMs()
    const quiet = await carrier.quiesce(QUIESCE_MS)
    const drainMs = clock.nowMs() - frozenMs
    if (quiet === 'gone') return this.#ended(order, 'lost', whyOver(session) ?? whyEnded.closed)
    const why = quiet === 'busy' ? NOT_SILENT : carrier.holdsState ? HOLDS_STATE : null // M5
    if (why !== null) {
      carrier.reopen() // M4
      return this.#settle(session, carrier, order, { drainMs, why, begun: true })
    }

    carrier.hold() // M2
    const commit = await coordinator.txn(
      commitMove(stored(session), openMove(order), carrier.toldBytes),
    )
    const overNow = whyOver(session)
    if (overNow !== null) return this.#ended(order, 'lost', overNow)
    if (commit.kind === 'lost') return this.#lose(session, order)
    if (commit.kind === 'unknown') {
      return this.#settle(session, carrier, order, { drainMs, why: NO_OUTCOME, begun: true })
    }
    return this.#committed(session, carrier, order, drainMs)
  }

  /** M3: takes the intent back by our own compare-and-swap, or finds that the commit took effect. `begun`: it is known to have. */
  async #settle(
    session: LiveSession,
    carrier: Carrier,
    order: MoveOrder,
    known: { readonly drainMs: number; readonly why: string; readonly begun: boolean },
  ): Promise<MoveEnd> {
    const { clock, coordinator } = this.#deps
    const { drainMs, why } = known
    let { begun } = known
    for (;;) {
      const found = await this.#find(session, order)
      const over = whyOver(session)
      if (over !== null) return this.#ended(order, 'lost', over)
      if (found === 'ours') return this.#committed(session, carrier, order, drainMs)
      if (found === 'gone') return this.#lose(session, order)
      if (found !== 'unknown') {
        begun ||= found.record.move?.id === order.id
        const cleared = await coordinator.txn(clearIntent(found))
        const overNow = whyOver(session)
        if (overNow !== null) return this.#ended(order, 'lost', overNow)
        if (cleared.kind === 'done') {
          const { move: _, ...record } = found.record
          this.#wrote(session, cleared.rev, record)
          carrier.reopen()
          carrier.release()
          return begun ? this.#ended(order, 'abandoned', why) : this.#notBegun(order, why)
        }
      }
      await sleep(clock, SETTLE_AGAIN_MS)
    }
  }

  /** The record as it is, if it is still this session's; 'ours': the commit took effect; 'gone': somebody else changed it. */
  async #find(
    session: LiveSession,
    order: MoveOrder,
  ): Promise<StoredSession | 'ours' | 'gone' | 'unknown'> {
    const listed = await this.#deps.coordinator.list(session.key)
    if (listed.kind === 'unknown') return 'unknown'
    const item = listed.items.find(({ key }) => key === session.key)
    if (item === undefined) return 'gone'
    const now = storedSession(item)
    const { gen, loginToken, move } = now.record
    if (gen === session.gen && loginToken === session.loginToken) return now
    return move?.id === order.id && move.open ? 'ours' : 'gone'
  }

  #committed(session: LiveSession, carrier: Carrier, order: MoveOrder, drainMs: number): MoveEnd {
    const { log, end } = this.#deps
    const { held, resent } = carrier.sendAway() // M2
    end(session, 'moved')
    log.committed(order.id, {
      drainMs,
      brokeAtWallMs: carrier.pausedSinceWallMs,
      resent,
    })
    return { kind: 'committed', drainMs, held }
  }

  #lose(session: LiveSession, order: MoveOrder): MoveEnd {
    this.#deps.end(session, 'lost')
    return this.#ended(order, 'lost', whyEnded.lost)
  }

  /** M6. */
  #notBegun(order: MoveOrder, reason: string): MoveEnd {
    this.#deps.peers.tell(order.to, 'release', { move: order.id })
    return { kind: 'not begun', reason }
  }

  #ended(order: MoveOrder, outcome: 'lost' | 'abandoned', reason: string): MoveEnd {
    const { log, peers } = this.#deps
    // A lost move's commit may yet take effect: what was promised then is for who arrives, and runs out if nobody does.
    if (outcome === 'abandoned') peers.tell(order.to, 'release', { move: order.id })
    log.settled(order.id, outcome, reason)
    return { kind: outcome, reason }
  }

  #wrote(session: LiveSession, rev: Revision, record: StoredSession['record']): void {
    session.rev = rev
    session.record = record
  }
}

/** Whatever was awaited may have seen its end. null: it has not ended. */
function whyOver({ phase }: LiveSession): string | null {
  return phase.kind === 'ended' ? whyEnded[phase.reason] : null
}

function stored(session: LiveSession): StoredSession {
  return { id: session.id, key: session.key, rev: session.rev, record: session.record }
}

function openMove({ id, to }: MoveOrder) {
  return { id, to }
}
