// Where a login goes that is new to the group, and the room for one that another member has sent here.
import type { MemberId } from '../base/ids.ts'
import { barredBy } from '../distribution/bounds.ts'
import { membersToAsk, placeLogin } from '../distribution/place.ts'
import type { End } from '../distribution/view.ts'
import { unpackEnd } from '../distribution/wire.ts'
import { asTable, shareAt } from '../load/load-table.ts'
import type { LoginAttempt, Placement } from '../target/login-routes.ts'
import { factsOfNewcomer } from './session-facts.ts'
import { ASK_MS, type Shared } from './shared-parts.ts'

export class Placer implements Placement {
  readonly #shared: Shared
  readonly #seed: () => number

  /** `seed`: of the draws of this member in this round. */
  constructor(shared: Shared, seed: () => number) {
    this.#shared = shared
    this.#seed = seed
  }

  /** null: here, where it came to. */
  async choose(attempt: LoginAttempt): Promise<MemberId | null> {
    const { member, monitor, others, sessions, badPaths } = this.#shared
    const { placement, policy } = this.#shared.policy.settings
    const here = monitor.end()
    const draining = !member.target.takesSessions
    if (!placement && !draining) return null
    const view = others.view()
    const facts = factsOfNewcomer(member, attempt)
    const barred = barredBy(facts, badPaths, this.#nowMs())
    const asked = membersToAsk(view, barred, this.#seed(), policy)
    const fresh = await Promise.all(asked.map((id) => member.peers.ask(id, 'end', null, ASK_MS)))
    const ends = fresh
      .map(unpackEnd)
      .filter((end, at): end is End => !('refused' in end) && end.member === asked[at])
    const load = sessions.meanLoad()
    const placed = placeLogin({ load, barred }, { ...here, draining }, ends, policy)
    return placed?.to ?? null
  }

  /** A new session is expected here: its room is promised until it has been measured. */
  expect(key: string): void {
    const { member, sessions, arrivals, reservations, policy } = this.#shared
    arrivals.place(key)
    const load = sessions.meanLoad()
    const room = asTable(load, shareAt(load, member.id)).slow
    reservations.promise(key, room, this.#nowMs(), policy.settings.policy)
  }

  unexpect(key: string): void {
    this.#shared.arrivals.unplace(key)
    this.#shared.reservations.release(key)
  }

  markBadPath(initiator: string, member: MemberId): void {
    const { badPathSeconds } = this.#shared.policy.settings.policy
    this.#shared.badPaths.mark(initiator, member, this.#nowMs() + badPathSeconds * 1_000)
  }

  #nowMs(): number {
    return this.#shared.member.ports.clock.nowMs()
  }
}
