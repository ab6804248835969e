// An operator's pin on a session, written into its record by the member that serves it: nobody else may change the record
// of a session that is served, since its member would take that for the end of it.
//
// Invariants:
//   PN1. While a pin is being written nothing else of this member writes that record: a move waits for it, and a pin waits for
//        nothing that could wait for it.
//   PN2. An outcome that the coordinator did not tell is settled by our own compare-and-swap, as a move's is (M3 of move.ts):
//        this member always knows the revision by which it writes next.
import { type Clock, sleep } from '../base/clock.ts'
import type { MemberId, SessionId } from '../base/ids.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import { type StoredSession, storedSession } from '../coordination/group-view.ts'
import { pinSession } from '../group/sessions.ts'
import type { LiveSession } from './live-session.ts'

const AGAIN_MS = 100

export interface PinsDeps {
  readonly clock: Clock
  readonly coordinator: Coordinator
}

/** `busy`: it is in its login or in a move. `ended`: it is over, or another member's. */
export type PinEnd = 'done' | 'busy' | 'ended'

export class Pins {
  readonly #deps: PinsDeps
  readonly #underWay = new Map<SessionId, Promise<PinEnd>>()

  constructor(deps: PinsDeps) {
    this.#deps = deps
  }

  /** PN1: that of this session which is being written; undefined: none. Whoever has waited for it looks again. */
  underWay(id: SessionId): Promise<PinEnd> | undefined {
    return this.#underWay.get(id)
  }

  /** `to`: null: it is pinned no more. */
  async pin(session: LiveSession, to: MemberId | null): Promise<PinEnd> {
    for (let one = this.underWay(session.id); one; one = this.underWay(session.id)) await one
    if (session.phase.kind !== 'live') return session.phase.kind === 'ended' ? 'ended' : 'busy'
    const writing = this.#write(session, to).finally(() => this.#underWay.delete(session.id))
    this.#underWay.set(session.id, writing)
    return writing
  }

  /** PN2. */
  async #write(session: LiveSession, to: MemberId | null): Promise<PinEnd> {
    const { clock, coordinator } = this.#deps
    const { id, key, rev, record } = session
    let stored: StoredSession | null = { id, key, rev, record }
    for (;;) {
      if (stored !== null) {
        const result = await coordinator.txn(pinSession(stored, to))
        if (session.phase.kind === 'ended') return 'ended'
        if (result.kind === 'done') {
          const { pinned: _, ...rest } = stored.record
          session.record = to === null ? rest : { ...rest, pinned: to }
          session.rev = result.rev
          return 'done'
        }
      }
      const found = await this.#find(session)
      if (session.phase.kind === 'ended' || found === 'gone') return 'ended'
      stored = found
      if (stored === null) await sleep(clock, AGAIN_MS)
    }
  }

  /** The record as it is, if it is still this session's; null: the coordinator does not tell. */
  async #find(session: LiveSession): Promise<StoredSession | null | 'gone'> {
    const listed = await this.#deps.coordinator.list(session.key)
    if (listed.kind === 'unknown') return null
    const item = listed.items.find(({ key }) => key === session.key)
    if (item === undefined) return 'gone'
    const now = storedSession(item)
    const { gen, loginToken } = now.record
    return gen === session.gen && loginToken === session.loginToken ? now : 'gone'
  }
}
