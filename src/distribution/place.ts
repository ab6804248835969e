// Placement of a new session, and of the sessions of a member that is being emptied: of a few members, asked for their
// fresh loads, the one that is least utilised with the newcomer. It reserves; without that a storm of logins all goes
// to the same member.
//
// P1. A new session is sent away only for a clear difference (`placementStep`): a redirect costs the initiator a login.
// P2. Never onto a member that the session is barred from (bounds.ts).
import type { MemberId } from '../base/ids.ts'
import { Prng } from '../base/prng.ts'
import type { SessionLoad } from '../load/load-table.ts'
import { utilisationWith } from './grant.ts'
import type { Policy } from './policy.ts'
import type { End, SessionView, View } from './view.ts'

export interface Newcomer {
  /** What is remembered of (initiator, volume), else the mean session; see `meanSession`. */
  readonly load: SessionLoad
  readonly barred: SessionView['barred']
}

/** Whom to ask: up to `candidates` members at random, by seed. */
export function membersToAsk(
  view: View,
  barred: SessionView['barred'],
  seed: number,
  policy: Policy,
): MemberId[] {
  const open = [...view.members.keys()].filter((id) => barred.get(id) === undefined)
  const random = new Prng(seed)
  const asked: MemberId[] = []
  while (asked.length < policy.candidates && open.length > 0) {
    const [id] = open.splice(random.integer(0, open.length - 1), 1)
    if (id !== undefined) asked.push(id)
  }
  return asked
}

export interface Placed {
  readonly to: MemberId
  /** Utilisation of the chosen member and of this one, each with the newcomer. */
  readonly there: number
  readonly here: number
}

/** Where a login that arrived here goes; null: it stays. `fresh` are the answers of those asked. */
export function placeLogin(
  newcomer: Newcomer,
  here: End & { readonly draining: boolean },
  fresh: readonly End[],
  policy: Policy,
): Placed | null {
  const best = leastUtilised(newcomer, fresh, policy)
  if (best === null) return null
  const mine = utilisationWith(here, newcomer, policy)
  const barredHere = newcomer.barred.get(here.member) !== undefined
  const step = here.draining || barredHere ? Number.NEGATIVE_INFINITY : policy.placementStep
  if (mine - best.there < step) return null
  return { to: best.to, there: best.there, here: mine }
}

/** The destination of a session that must go, or null if all that were asked are barred or would be saturated. */
export function placeDrained(
  session: Newcomer,
  fresh: readonly End[],
  policy: Policy,
): MemberId | null {
  const best = leastUtilised(session, fresh, policy)
  return best !== null && best.there < 1 ? best.to : null
}

function leastUtilised(
  newcomer: Newcomer,
  ends: readonly End[],
  policy: Policy,
): { to: MemberId; there: number } | null {
  let best: { to: MemberId; there: number } | null = null
  for (const end of ends) {
    if (newcomer.barred.get(end.member) !== undefined) continue
    const there = utilisationWith(end, newcomer, policy)
    const better =
      best === null || there < best.there || (there === best.there && end.member < best.to)
    if (better) best = { to: end.member, there }
  }
  return best
}

/** Which sessions a member that is being emptied gives away this round: the largest first, at most max(10, a third). */
export function drainRound<S extends Pick<SessionView, 'id' | 'load' | 'held'>>(
  sessions: readonly S[],
): S[] {
  const size = (s: S) => s.load.slow.remote[0] ?? 0
  return [...sessions]
    .filter((s) => s.held === null)
    .sort((a, b) => size(b) - size(a) || a.id - b.id)
    .slice(0, Math.max(10, Math.ceil(sessions.length / 3)))
}

/** The mean of the sessions at hand, as a guess at one that nobody has seen before. */
export function meanSession(loads: readonly SessionLoad[], members: number): SessionLoad {
  const resources = loads[0]?.slow.remote.length ?? 1
  const mean = (pick: (load: SessionLoad) => readonly number[]) =>
    Array.from({ length: resources }, (_, r) => {
      const sum = loads.reduce((s, load) => s + (pick(load)[r] ?? 0), 0)
      return loads.length === 0 ? 0 : sum / loads.length
    })
  return {
    slow: { remote: mean((l) => l.slow.remote), local: mean((l) => l.slow.local) },
    long: { remote: mean((l) => l.long.remote), local: mean((l) => l.long.local) },
    fast: { remote: mean((l) => l.fast.remote), local: mean((l) => l.fast.local) },
    variance: 0,
    owners: [],
    elsewhere: 1 / Math.max(1, members),
  }
}
