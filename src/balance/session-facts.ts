// What the distribution must know of a session besides its load: its siblings, its state, where its volume lives.

import type { SessionId, VolumeId } from '../base/ids.ts'
import { isRandomIsid } from '../base/isid.ts'
import type { SessionFacts } from '../distribution/bounds.ts'
import { type MoveHistory, pausedMsLately } from '../distribution/history.ts'
import type { Policy } from '../distribution/policy.ts'
import type { StoredSession } from '../group/sessions.ts'
import type { LiveSession } from '../target/live-session.ts'
import type { LoginAttempt } from '../target/login-routes.ts'
import type { MemberParts } from './member-parts.ts'

/** Of a session that this member serves. */
export function factsOf(
  member: MemberParts,
  { id, record, phase }: LiveSession,
  history: MoveHistory,
  nowMs: number,
  policy: Policy,
): SessionFacts {
  const stableIsid = !isRandomIsid(record.isid)
  return {
    initiator: record.initiator,
    pinned: record.pinned !== undefined,
    moving: phase.kind === 'moving',
    stableIsid,
    holdsState: member.target.holdsState(id),
    suspectUntilMs: history.suspectUntilMs,
    pausedEnough: pausedMsLately(history, nowMs) >= policy.pauseMsPerHour,
    siblings: siblings(member, record.volume, record.initiator, id),
    partitionedOn: policy.partitionedOnly ? primariesOf(member, record.volume) : null,
  }
}

/** Of a login that is new to the group. */
export function factsOfNewcomer(
  member: MemberParts,
  { volume, initiator, isid }: LoginAttempt,
): SessionFacts {
  return plainFacts(initiator, isid, siblings(member, volume.id, initiator, null))
}

/** Of a session that another member serves: what its record tells. */
export function factsOfRecord(member: MemberParts, { id, record }: StoredSession): SessionFacts {
  const { initiator, isid, volume } = record
  return plainFacts(initiator, isid, siblings(member, volume, initiator, id))
}

function plainFacts(
  initiator: string,
  isid: string,
  others: SessionFacts['siblings'],
): SessionFacts {
  return {
    initiator,
    pinned: false,
    moving: false,
    stableIsid: !isRandomIsid(isid),
    holdsState: false,
    suspectUntilMs: 0,
    pausedEnough: false,
    siblings: others,
    partitionedOn: null,
  }
}

function siblings(
  member: MemberParts,
  volume: VolumeId,
  initiator: string,
  but: SessionId | null,
): SessionFacts['siblings'] {
  return [...member.group.sessionsOf(volume, initiator)]
    .filter(({ id, record }) => id !== but && record.state === 'live')
    .map(({ record }) => ({ member: record.owner, stableIsid: !isRandomIsid(record.isid) }))
}

function primariesOf({ group }: MemberParts, volume: VolumeId): SessionFacts['partitionedOn'] {
  const lanes = group.volumes.get(volume)?.lanes ?? []
  return { has: (member) => lanes.some((slice) => group.slices[slice]?.primary === member) }
}
