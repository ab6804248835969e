// The other end of a move: whether this member takes a session that another one wants to move here, the room that it keeps
// for it until it comes, and its arrival.
import type { MemberId, SessionId } from '../base/ids.ts'
import { barredFrom } from '../distribution/bounds.ts'
import type { Code } from '../distribution/code.ts'
import { grant, grantForced, type Receiver as Receiving } from '../distribution/grant.ts'
import { unpackAsk } from '../distribution/wire.ts'
import { asTable, shareAt } from '../load/load-table.ts'
import type { GrantRequest, Grants } from '../target/grants.ts'
import type { LiveSession } from '../target/live-session.ts'
import { factsOfRecord } from './session-facts.ts'
import type { Shared } from './shared-parts.ts'

export class Receiver implements Grants {
  readonly #shared: Shared
  readonly #isBusy: () => boolean
  #grantedThisRound = 0

  /** `isBusy`: this member is moving a session away itself. */
  constructor(shared: Shared, isBusy: () => boolean) {
    this.#shared = shared
    this.#isBusy = isBusy
  }

  newRound(): void {
    this.#grantedThisRound = 0
  }

  /** null: granted; else why not. */
  grant(from: MemberId, { move, session, proposal, estimate }: GrantRequest): string | null {
    const { member, monitor, others, sessions, reservations, arrivals } = this.#shared
    const { policy } = this.#shared.policy.settings
    const nowMs = this.#nowMs()
    const receiver: Receiving = {
      end: monitor.end(),
      view: others.view(),
      busy: this.#isBusy(),
      draining: !member.target.takesSessions,
      grantedThisRound: this.#grantedThisRound,
      barred: this.#barredHere(session, nowMs),
    }
    const asked = proposal === null ? null : unpackAsk(proposal, nowMs)
    if (asked !== null && 'refused' in asked) return `a malformed proposal: ${asked.refused}`
    const load = asked?.session.load ?? sessions.meanLoad()
    const answer =
      asked === null
        ? grantForced(receiver, { load }, policy)
        : grant(receiver, asked, nowMs, policy)
    if (answer.kind === 'denied') return answer.reason
    this.#grantedThisRound += 1
    const room = asTable(load, shareAt(load, member.id)).slow
    reservations.promise(move, room, nowMs, policy)
    arrivals.expect(move, from, estimate, nowMs)
    return null
  }

  renew(move: string): void {
    const { reservations, arrivals, policy } = this.#shared
    const nowMs = this.#nowMs()
    reservations.renew(move, nowMs, policy.settings.policy)
    arrivals.renew(move, nowMs)
  }

  release(move: string): void {
    this.#shared.reservations.release(move)
    this.#shared.arrivals.take(move)
  }

  arrived(move: string, session: LiveSession): void {
    const { reservations, arrivals, sessions, policy } = this.#shared
    const coming = arrivals.take(move)
    reservations.arrived(move, coming?.memory != null, this.#nowMs())
    if (coming !== null) sessions.came(session, coming, policy.settings.policy)
  }

  /** Why this member must not serve the session, by what it knows itself. */
  #barredHere(session: SessionId, nowMs: number): Code | null {
    const { member, badPaths } = this.#shared
    const stored = member.group.sessions.get(session)
    if (stored === undefined) return null
    if (member.target.isUnreached(stored.record)) return 'BAD_PATH'
    return barredFrom(factsOfRecord(member, stored), member.id, badPaths, nowMs)
  }

  #nowMs(): number {
    return this.#shared.member.ports.clock.nowMs()
  }
}
