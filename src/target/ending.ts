// The end of a session (DESIGN.md): its owner closes the record by compare-and-swap (gen + 1,
// dead) and fences it at the primaries. What a crash or an unknown outcome left behind, the sweep closes about once a
// second; a dead record is retired when every primary knows, or has started anew since.
//
// Invariants:
//   E1. A record is closed only as it was read: a member never closes a session or a login of its own that lives.
//   E2. A closed generation is fenced by the member that closed it, and by every later barrier, until it is retired.
//   E3. An open move ends: its owner closes it 10 s after it first saw that generation; time in which it stood still itself,
//       and the login may lie unread, does not count.
//   E4. A stable ISID's dead record is kept an hour as the memory of its last owner; one of the random kind is not.
import { AwakeTime } from '../base/awake-time.ts'
import type { Clock } from '../base/clock.ts'
import { type Generation, generation, type MemberId, sessionId } from '../base/ids.ts'
import { isRandomIsid } from '../base/isid.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import { type GroupView, type StoredSession, storedSession } from '../coordination/group-view.ts'
import { closeSession, retireSession } from '../group/sessions.ts'
import type { Gateway } from '../volume/gateway.ts'
import type { LiveSession } from './live-session.ts'
import type { Registry } from './registry.ts'

export const MOVE_EXPIRES_MS = 10_000
const KEEP_DEAD_MS = 3_600_000
/** A sweep is a second after the last, which may have waited for the coordinator. */
const AWAKE_MS = 3_000

export interface EndingDeps {
  readonly self: MemberId
  readonly clock: Clock
  readonly coordinator: Coordinator
  readonly group: GroupView
  readonly gateway: Pick<Gateway, 'fence' | 'fenced' | 'unfence' | 'fencedSessions'>
  readonly registry: Registry
}

export type CloseResult =
  | { readonly kind: 'closed'; readonly gen: Generation }
  /** Somebody changed it since it was read. */
  | { readonly kind: 'changed' }
  | { readonly kind: 'unknown' }

export class Ending {
  readonly #deps: EndingDeps
  /** When this member first saw a generation in a state that ends after a while: `id:gen:state`. */
  readonly #firstSeen = new Map<string, number>()
  /** Sessions whose open move this member has expired, for the moves' records. */
  readonly #expired: StoredSession[] = []
  readonly #awake: AwakeTime
  #sweeping = false

  constructor(deps: EndingDeps) {
    this.#deps = deps
    this.#awake = new AwakeTime(deps.clock, AWAKE_MS)
  }

  /** E1, E2: closes the record exactly as read. */
  async close(stored: StoredSession): Promise<CloseResult> {
    const { coordinator, gateway } = this.#deps
    const result = await coordinator.txn(closeSession(stored))
    if (result.kind === 'unknown') return { kind: 'unknown' }
    if (result.kind === 'lost') return { kind: 'changed' }
    const gen = generation(stored.record.gen + 1)
    gateway.fence(stored.id, gen)
    return { kind: 'closed', gen }
  }

  /** The record as it is now; null: it does not exist. 'unknown': ask again. */
  async reread(key: string): Promise<StoredSession | null | 'unknown'> {
    const listed = await this.#deps.coordinator.list(key)
    if (listed.kind === 'unknown') return 'unknown'
    const item = listed.items.find((one) => one.key === key)
    return item === undefined ? null : storedSession(item)
  }

  /** Closes the record of a session of this member that has ended. The sweep repeats what came back unknown. */
  async closeEnded(session: LiveSession): Promise<void> {
    const { id, key, rev, record } = session
    const current = this.#deps.group.sessions.get(id)
    // An intent or its removal may have raised the revision since: the session is the same while its token is.
    const stored =
      current?.record.loginToken === session.loginToken && current.record.gen === session.gen
        ? { ...current, record: { ...current.record, ...toldOf(session) } }
        : { id, key, rev, record }
    if (stored.record.state === 'dead' || stored.record.move?.open === true) return
    await this.close(stored)
  }

  /** Records that name this member at its start, and are in no open move, belong to sessions that died with its last run. */
  async closeLeftovers(stored: readonly StoredSession[]): Promise<void> {
    for (const one of stored) {
      const { owner, state, move, loginToken } = one.record
      if (owner !== this.#deps.self || state === 'dead' || move?.open === true) continue
      if (this.#deps.registry.isUnderWay(loginToken) || this.#deps.registry.get(one.id)) continue
      await this.close(one)
    }
  }

  /** One round over all records. Level-triggered: it reads the state as it is and may be repeated at any time. */
  async sweep(): Promise<readonly StoredSession[]> {
    this.#awake.tick()
    if (this.#sweeping) return []
    this.#sweeping = true
    try {
      const { group } = this.#deps
      for (const stored of [...group.sessions.values()]) {
        if (stored.record.state === 'dead') await this.#bury(stored)
        else if (stored.record.owner === this.#deps.self) await this.#closeUnlessAlive(stored)
      }
      this.#forget()
      return this.#expired.splice(0)
    } finally {
      this.#sweeping = false
    }
  }

  async #closeUnlessAlive(stored: StoredSession): Promise<void> {
    const { registry } = this.#deps
    const { record, id } = stored
    if (record.move?.open === true) {
      if (this.#age(`${id}:${record.gen}:move`, this.#awake) < MOVE_EXPIRES_MS) return
      const closed = await this.close(stored)
      if (closed.kind === 'closed') this.#expired.push(stored)
      return
    }
    const session = registry.get(id)
    if (session !== undefined && session.gen === record.gen) return
    if (registry.isUnderWay(record.loginToken)) return
    await this.close(stored)
  }

  /** E2, E4: fence until every primary knows, then delete. */
  async #bury(stored: StoredSession): Promise<void> {
    const { self, gateway, coordinator } = this.#deps
    const { id, record } = stored
    if (record.owner !== self && !gateway.fencedSessions().has(id)) return
    gateway.fence(id, record.gen)
    if (!isRandomIsid(record.isid) && this.#age(`${id}:${record.gen}:dead`) < KEEP_DEAD_MS) return
    if (!gateway.fenced(id, record.gen, stored.rev)) return
    await coordinator.txn(retireSession(stored))
  }

  #age(key: string, time: Pick<Clock, 'nowMs'> = this.#deps.clock): number {
    const now = time.nowMs()
    const first = this.#firstSeen.get(key)
    if (first !== undefined) return now - first
    this.#firstSeen.set(key, now)
    return 0
  }

  /** Drops what is remembered of sessions that have no record any more. */
  #forget(): void {
    const { group, gateway, registry } = this.#deps
    for (const id of [...gateway.fencedSessions()]) {
      if (id <= group.rev && !group.sessions.has(id) && !registry.get(id)) gateway.unfence(id)
    }
    for (const key of this.#firstSeen.keys()) {
      const id = sessionId(Number(key.slice(0, key.indexOf(':'))))
      if (!group.sessions.has(id)) this.#firstSeen.delete(key)
    }
  }
}

/** What its initiator was told here of the volume's size. */
function toldOf({ record: { bytes } }: LiveSession): { readonly bytes?: number } {
  return bytes === undefined ? {} : { bytes }
}
