// Sessions and moves as people see them: what the group record says of them, with what their members tell. Pure.

import type { Move, MovePlan, Pin, Session } from '../api/schema.ts'
import { formatAmount, formatPercent } from '../base/figures.ts'
import type { MemberId } from '../base/ids.ts'
import { isRandomIsid } from '../base/isid.ts'
import { span } from '../distribution/explain.ts'
import type { MovePrediction, MoveRecord } from '../group/record.ts'
import type { StoredSession } from '../group/sessions.ts'
import type { SessionSummary, Summary } from './summary.ts'

/** What is told of a session by the member that has it. */
export type ToldOf = (session: StoredSession) => SessionSummary | undefined

/** Looked through once, however many sessions are looked up. */
export function toldIn(summaries: ReadonlyMap<MemberId, Summary>): ToldOf {
  const byMember = new Map(
    [...summaries].map(([id, { sessions }]) => [id, new Map(sessions.map((one) => [one.id, one]))]),
  )
  return ({ id, record }) => byMember.get(record.owner)?.get(id)
}

/** `volume`: its name. */
export function sessionView(
  { id, record }: StoredSession,
  summary: SessionSummary | undefined,
  volume: string,
): Session {
  const { initiator, isid, source, owner, pinned = null, since, move } = record
  return {
    id: String(id),
    initiator,
    isid,
    source,
    volume,
    member: owner,
    state: move === undefined ? (summary?.state ?? 'login') : 'moving',
    pinned,
    since,
    iops: summary?.iops ?? 0,
    bytesPerSecond: summary?.bytesPerSecond ?? 0,
    forwardedShare: summary?.forwardedShare ?? 0,
  }
}

/** What `top` and `session show` add. */
export function loadView(summary: SessionSummary | undefined) {
  const { queueDepth = 0, latencyMs = null, load = null } = summary ?? {}
  return { queueDepth, latencyMs, load }
}

/** `volume`: its name. */
export function moveView(record: MoveRecord, volume: string): Move {
  const { id, initiator, from, to, by, code, reason, predicted, at } = record
  return {
    id,
    session: String(record.session),
    volume,
    initiator,
    from,
    to,
    by,
    code,
    reason,
    predicted,
    observed: record.observed ?? null,
    drainMs: record.drainMs ?? null,
    pauseMs: record.pauseMs ?? null,
    resent: record.resent ?? null,
    outcome: record.outcome ?? null,
    cause: causeOf(record),
    at,
  }
}

/** One that came back after all has none: who lost it has spoken too early. */
function causeOf({ outcome, cause }: MoveRecord): string | null {
  return outcome === 'abandoned' || outcome === 'lost' ? (cause ?? null) : null
}

/** `last`: its last move; `placed`: its login was sent to where it is. */
export function whyHere(
  { record }: StoredSession,
  last: MoveRecord | undefined,
  placed: boolean,
  wallMs: number,
): string {
  if (last?.outcome === 'returned' && last.to === record.owner) {
    return `It is on ${record.owner} because it was moved there from ${last.from} ${span((wallMs - Date.parse(last.at)) / 1000)} ago: ${last.reason.replace(/\.$/, '')}.`
  }
  return placed
    ? `It is on ${record.owner} because its login was sent there, where the load was lower.`
    : `It is on ${record.owner} because its initiator logged in there.`
}

/** Of a move from one member to another that nobody has made. */
export function whatWouldCome(from: string, to: string, predicted: MovePrediction | null): string {
  if (predicted === null) return 'Too little is known of its load yet to say what would come of it.'
  const { from: left, to: joined, gain } = predicted
  const change = ({ before, after }: typeof left) =>
    `${formatPercent(before)} to ${formatPercent(after)}`
  const loads = `${from} would go from ${change(left)}, and ${to} from ${change(joined)}`
  return gain > 0
    ? `${loads}. On average ${formatAmount(gain)} fewer requests would wait.`
    : `${loads}. No fewer requests would wait: by load it is better where it is.`
}

/**
 * `to`: the member that it stays at, null: it is not pinned. `says`: that it is so, or would be. `plan`: of the move that is needed
 * first.
 */
export function pinView(
  { id, record }: StoredSession,
  to: MemberId | null,
  says: 'is' | 'would',
  plan: MovePlan | null,
): Pin {
  const session = `Session ${id}`
  const predicted = plan?.predicted ?? null
  if (to === null) {
    const sentence = `${session} is not pinned: it may be moved by load, and by hand.`
    return { session: String(id), member: to, predicted, sentence }
  }
  const first =
    says === 'is'
      ? `${session} is pinned to ${to}: no load moves it, and it stays there until it is unpinned.`
      : `${session} would stay at ${to} until it is unpinned.`
  const move = plan === null ? '' : ` It would be moved there first: ${plan.sentence}`
  return {
    session: String(id),
    member: to,
    predicted,
    sentence: `${first}${move} ${lasts(record)}`,
  }
}

function lasts({ isid }: StoredSession['record']): string {
  return isRandomIsid(isid)
    ? 'Its initiator makes a new ISID at each login, as QEMU and libiscsi do: the pin holds as long as the connection, and a login after that is a new session, which is not pinned.'
    : 'When its initiator logs in again within an hour, it comes back there, still pinned.'
}

/** The pin is written, and the move there has not been made. */
export function whyPinnedElsewhere(id: string, to: MemberId, why: string | null): string {
  return `Session ${id} is pinned to ${to}, and has not come there: ${why ?? 'it is not known why'}.`
}

/** The drain, the pause and what was sent again are known. */
export function isMeasured({ pauseMs, resent }: MoveRecord): boolean {
  return pauseMs !== undefined && resent !== undefined
}
