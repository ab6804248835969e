// The records of moves in the coordinator, for people: safety never depends on them. The old member begins a record and
// adds the drain; whoever settles the move adds the outcome, and the new member the pause. A move that nobody settled,
// since a member died in it before the commit or right after the return, is lost: the old member says so, later.
//
// Invariants:
//   ML1. A pause is time in which the initiator can have been waiting, by the wall clocks of both members: from the last
//        response at the old one, or from its freeze if the initiator was idle then, to the first at the new one, without
//        the time in which it was logged in there, owed nothing and asked for nothing.
import type { Clock } from '../base/clock.ts'
import type { MemberId, SessionId } from '../base/ids.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import type { GroupView, StoredSession } from '../coordination/group-view.ts'
import { retry } from '../coordination/retry.ts'
import type { GroupChange } from '../group/change.ts'
import { amendMove, beginMove } from '../group/moves.ts'
import { parseMove } from '../group/parse.ts'
import { keys, type MoveOutcome, type MoveRecord } from '../group/record.ts'
import type { MoveOrder } from './move-order.ts'

/** Older records are removed as new ones are written. */
const KEPT_MAX = 1_000
/** A transaction changes at most 100 keys. */
const REMOVED_AT_ONCE = 50
const PACE = { tries: 20, everyMs: 50, forMs: 60_000 }
/** Whoever settles a move has written the outcome by then, or has died. */
const UNSETTLED_MS = 5_000
/** An initiator that waits with something asks for it within this time of its login. */
const RESUMES_MS = 200
const NOBODY_SAID = 'a member ended during it'

export interface Committed {
  readonly drainMs: number
  readonly brokeAtWallMs: number
  /** Commands that were on the wire at the break, once all that was sent there has come. */
  readonly resent: Promise<number>
}

export class MoveLog {
  readonly #self: MemberId
  readonly #clock: Clock
  readonly #coordinator: Coordinator
  readonly #group: GroupView
  /** Moves from here that no session carries and that have no outcome: when that was first seen. */
  readonly #unsettled = new Map<string, number>()

  constructor(self: MemberId, clock: Clock, coordinator: Coordinator, group: GroupView) {
    this.#self = self
    this.#clock = clock
    this.#coordinator = coordinator
    this.#group = group
  }

  /** The change with which a move begins. */
  beginning(stored: StoredSession, order: MoveOrder): GroupChange {
    const record: MoveRecord = {
      id: order.id,
      session: stored.id,
      volume: stored.record.volume,
      initiator: stored.record.initiator,
      from: this.#self,
      to: order.to,
      reason: order.reason,
      code: order.code,
      by: order.by,
      predicted: order.predicted,
      at: new Date(this.#clock.wallMs()).toISOString(),
    }
    const surplus = this.#group.moves.size + 1 - KEPT_MAX
    const older = Math.min(Math.max(surplus, 0), REMOVED_AT_ONCE)
    return beginMove(stored, record, [...this.#group.moves.keys()].slice(0, older))
  }

  committed(id: string, committed: Committed): void {
    const { drainMs, brokeAtWallMs, resent } = committed
    void this.#amend(id, () => ({ drainMs: round(drainMs), brokeAtWallMs }))
    void resent.then((count) => this.#amend(id, () => ({ resent: count })))
  }

  /** `cause`: why it was abandoned or lost. */
  settled(id: string, outcome: MoveOutcome, cause?: string): void {
    void this.#amend(id, () => ({ outcome, ...(cause === undefined ? {} : { cause }) }))
  }

  /** Level-triggered, about once a second: settles as 'lost' what nobody else does. `isMoving`: a move of the session is under way here. */
  sweep(isMoving: (session: SessionId) => boolean): void {
    const { moves, sessions } = this.#group
    const now = this.#clock.nowMs()
    const carried = new Set([...sessions.values()].map(({ record }) => record.move?.id))
    const open = [...moves.values()].filter(
      ({ id, from, session, outcome }) =>
        from === this.#self && outcome === undefined && !carried.has(id) && !isMoving(session),
    )
    const ids = new Set(open.map(({ id }) => id))
    for (const id of this.#unsettled.keys()) if (!ids.has(id)) this.#unsettled.delete(id)
    for (const id of ids) {
      const since = this.#unsettled.get(id) ?? now
      this.#unsettled.set(id, since)
      if (now - since < UNSETTLED_MS) continue
      this.#unsettled.delete(id)
      void this.#amend(id, (record) =>
        record.outcome === undefined ? { outcome: 'lost', cause: NOBODY_SAID } : {},
      )
    }
  }

  /**
   * The new member's first response to a command. `idleMs`: from its login on, the initiator had asked for nothing for so
   * long. ML1.
   */
  firstResponse(id: string, atWallMs: number, idleMs: number): void {
    void this.#amend(id, ({ brokeAtWallMs, resent = 0 }) => {
      if (brokeAtWallMs === undefined) return null
      const idle = resent === 0 && idleMs > RESUMES_MS ? idleMs : 0
      return { pauseMs: round(Math.max(0, atWallMs - brokeAtWallMs - idle)) }
    })
  }

  observed(id: string, gain: number): void {
    void this.#amend(id, () => ({ observed: gain }))
  }

  /** Changes the record as it is; gives up after a while, as nothing depends on it. `change` gives null: not yet. */
  #amend(id: string, change: (record: MoveRecord) => Partial<MoveRecord> | null): Promise<unknown> {
    const key = keys.move(id)
    return retry(this.#clock, PACE, async () => {
      const listed = await this.#coordinator.list(key)
      if (listed.kind !== 'done') return null
      const item = listed.items.find((one) => one.key === key)
      if (item === undefined) return null
      const record = parseMove(item.value)
      if (typeof record === 'string') return true // it is skipped by every view (V4 of group-view.ts)
      const changes = change(record)
      if (changes === null) return null
      const stored = { key, rev: item.rev, record }
      const result = await this.#coordinator.txn(amendMove(stored, changes))
      return result.kind === 'done' ? true : null
    })
  }
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100
}
