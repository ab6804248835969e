// While a member is away, another one on its host answers at its portal: an initiator that has this one address finds the group
// there, and is served or sent on as at any portal. When the member comes back, it asks for its portal (own-portal.ts).
//
// Invariants:
//   SI1. A portal has one listener: whoever the host's system gave the address to. A stand-in tries and is refused while the
//        member's process listens, however long that is silent; it takes nothing from anybody.
//   SI2. It is given back when its member asks, and when that serves; after the member has asked, nobody who was asked tries
//        again before the member was seen to serve, or some time has passed.
//   SI3. Of those that live, one tries first, by a rule that is the same on all; the others later, one after another.
//   SI4. No more than `STAND_INS_MAX` portals; a try that failed is followed by a longer wait, until somebody else comes or goes.
//   SI5. A portal is held for the address that the record names: for another one, and for no member, it is given up.
import { type Clock, isoAt } from '../base/clock.ts'
import type { MemberId } from '../base/ids.ts'
import type { Address, Listener } from '../base/net.ts'
import type { MemberRecord } from '../group/record.ts'
import { type Portal, parsePortal } from '../iscsi/names.ts'
import { Body } from '../peer/controls.ts'
import type { PeerLinks } from '../peer/links.ts'
import type { Json } from '../peer/message.ts'
import type { TargetEvent } from './target-event.ts'

/** A member that ended is started again within about a second by its launcher: then nobody need stand in. */
const AWAY_MS = 2_000
/** SI3: so much later each of the others. */
const STEP_MS = 1_500
const RETRY_MS = 2_000
const RETRY_MOST_MS = 30_000
const REST_MS = 10_000
const ASK_MS = 500
const STAND_INS_MAX = 16

/** A portal that this member answers at for another one. */
export interface StandIn {
  readonly member: MemberId
  readonly portal: string
  /** ISO time. */
  readonly since: string
}

/** What the member whose portal it is asks the others. */
export interface PortalQuestion {
  /** It wants to listen there itself now. */
  readonly give: boolean
}

export interface StandInsDeps {
  readonly self: MemberId
  readonly clock: Clock
  readonly group: { readonly members: ReadonlyMap<MemberId, MemberRecord> }
  readonly peers: Pick<PeerLinks, 'ask' | 'link' | 'trouble'>
  readonly listen: (address: Address) => Promise<Listener>
  /** Whether this member may listen there; null: it stands in for nobody. */
  readonly mayListen: ((portal: Portal) => boolean) | null
  readonly tell: (event: TargetEvent) => void
}

interface Absent {
  readonly portal: string
  readonly sinceMs: number
  nextMs: number
  waitMs: number
  /** The try under way; null: there is none. */
  opening: Promise<void> | null
  held: { readonly listener: Listener; readonly sinceMs: number } | null
}

export class StandIns {
  readonly #deps: StandInsDeps
  readonly #absent = new Map<MemberId, Absent>()
  /** SI2: when a member asked for its portal. */
  readonly #asked = new Map<MemberId, number>()
  /** Who was away at the last look. */
  #away = ''

  constructor(deps: StandInsDeps) {
    this.#deps = deps
  }

  get all(): readonly StandIn[] {
    const { clock } = this.#deps
    return [...this.#absent].flatMap(([member, { portal, held }]) =>
      held === null ? [] : [{ member, portal, since: isoAt(clock, held.sinceMs) }],
    )
  }

  /** About once a second, while this member serves. */
  look(): void {
    const { self, clock, group, peers, mayListen } = this.#deps
    if (mayListen === null) return
    const others = [...group.members.values()].filter(({ id }) => id !== self)
    // A link that nothing needs stays as it was when it was lost: the question has it opened again.
    for (const { id } of others)
      if (!peers.link(id).isServing) void peers.ask(id, 'portal', { give: false }, ASK_MS)
    const away = new Set(others.filter(({ id }) => peers.trouble(id) !== null).map(({ id }) => id))
    this.#letGo(away)
    const names = [...away].sort().join()
    const isNews = names !== this.#away
    this.#away = names
    const nowMs = clock.nowMs()
    for (const record of others) {
      if (!away.has(record.id)) continue
      const absent = this.#absent.get(record.id) ?? this.#begin(record, nowMs)
      if (isNews) {
        const rank = rankIn(group.members, away, record, self)
        absent.nextMs = Math.max(nowMs, absent.sinceMs + AWAY_MS + rank * STEP_MS)
        absent.waitMs = RETRY_MS
      }
      if (nowMs >= absent.nextMs && this.#mayTry(record.id, absent, nowMs))
        absent.opening = this.#open(record.id, absent)
    }
  }

  /** SI2 SI5: of those that are there again. One that only starts keeps its stand-in until it asks. */
  #letGo(away: ReadonlySet<MemberId>): void {
    const { group, peers } = this.#deps
    for (const [id, { portal, held }] of this.#absent) {
      const isAway = away.has(id) || (held !== null && !peers.link(id).isServing)
      if (!isAway || group.members.get(id)?.portal !== portal) void this.#giveUp(id)
    }
    for (const id of this.#asked.keys()) if (peers.link(id).isServing) this.#asked.delete(id)
  }

  /** What a member is answered that asks for its own portal: whether it was held here. If it wants it, it is free then. */
  async answer(from: MemberId, { give }: PortalQuestion): Promise<{ readonly held: boolean }> {
    if (give) this.#asked.set(from, this.#deps.clock.nowMs())
    await this.#absent.get(from)?.opening
    const held = (this.#absent.get(from)?.held ?? null) !== null
    if (give) await this.#giveUp(from)
    return { held }
  }

  #begin({ id, portal }: MemberRecord, nowMs: number): Absent {
    const absent: Absent = {
      ...{ portal, sinceMs: nowMs, nextMs: nowMs + AWAY_MS, waitMs: RETRY_MS },
      ...{ opening: null, held: null },
    }
    this.#absent.set(id, absent)
    return absent
  }

  #mayTry(id: MemberId, { opening, held }: Absent, nowMs: number): boolean {
    if (opening !== null || held !== null) return false
    const askedMs = this.#asked.get(id)
    if (askedMs !== undefined && nowMs - askedMs < REST_MS) return false // SI2
    const count = [...this.#absent.values()].filter((one) => one.opening ?? one.held).length
    return count < STAND_INS_MAX
  }

  async #open(id: MemberId, absent: Absent): Promise<void> {
    const { clock, listen, mayListen, tell } = this.#deps
    const portal = parsePortal(absent.portal)
    if (portal !== null && mayListen?.(portal) === true) {
      const listener = await listen({ kind: 'tcp', ...portal }).catch(() => null) // SI1
      if (listener !== null && this.#absent.get(id) === absent) {
        absent.held = { listener, sinceMs: clock.nowMs() }
        tell({ kind: 'stand-in', member: id, portal: absent.portal, is: 'begun' })
      } else await listener?.close()
    }
    absent.opening = null
    absent.nextMs = clock.nowMs() + absent.waitMs
    absent.waitMs = Math.min(2 * absent.waitMs, RETRY_MOST_MS) // SI4
  }

  async #giveUp(id: MemberId): Promise<void> {
    const absent = this.#absent.get(id)
    if (absent === undefined) return
    this.#absent.delete(id)
    await absent.opening
    const { portal, held } = absent
    if (held === null) return
    await held.listener.close()
    this.#deps.tell({ kind: 'stand-in', member: id, portal, is: 'over' })
  }
}

/** SI3: how many try before `self`: who has its own portal at the same host, then who takes sessions, then by names, in a circle from the absent one. */
function rankIn(
  members: ReadonlyMap<MemberId, MemberRecord>,
  away: ReadonlySet<MemberId>,
  absent: MemberRecord,
  self: MemberId,
): number {
  const hostOf = ({ portal }: MemberRecord) => parsePortal(portal)?.host
  const weight = (one: MemberRecord) =>
    (hostOf(one) === hostOf(absent) ? 0 : 4) + (one.draining ? 2 : 0) + (one.id < absent.id ? 1 : 0)
  return [...members.values()]
    .filter(({ id }) => id !== absent.id && !away.has(id))
    .sort((a, b) => weight(a) - weight(b) || (a.id < b.id ? -1 : 1))
    .findIndex(({ id }) => id === self)
}

export function readPortalQuestion(json: Json): PortalQuestion {
  return { give: new Body(json).flag('give') }
}
