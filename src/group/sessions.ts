// Transitions of a session's record (target/DESIGN.md), as transactions compared with the record as it was read.
//
// Invariants:
//   G1. The generation only rises: at every take, return, reclaim, commit and close.
//   G2. At most one record exists for (volume, initiator name, ISID): its index key is created and removed with it.
//   G3. A record changes only as it was read.
//   G10. While a move is open its record changes no more, but by a take or by its close.
//   G13. `bytes` is what the initiator has been told of its volume's size. The owner that told it writes it, and it goes
//       with the session: the next owner knows whether a growth is still to be told.
//   G29. A record that was not taken by its ISID says that a barrier is due until that is complete, through every take and
//       close: the login may die in its barrier, and the next one by the same ISID, anywhere, must not do without it.
//   G35. A pin stays with its session through every take, move and close, and goes only with the operator's word or the record.
import { assert } from '../base/assert.ts'
import {
  generation,
  type MemberId,
  NO_REVISION,
  type Revision,
  type SessionId,
  type VolumeId,
} from '../base/ids.ts'
import type { GroupChange } from './change.ts'
import { keys, type OpenMove, type SessionRecord } from './record.ts'

export interface StoredSession {
  readonly id: SessionId
  readonly key: string
  readonly rev: Revision
  readonly record: SessionRecord
}

export interface Taking {
  readonly owner: MemberId
  readonly isid: string
  readonly source: string
  readonly loginToken: string
  /** ISO time, for people. */
  readonly at: string
}

export interface Creating extends Taking {
  readonly volume: VolumeId
  /** The volume's revision as it was read: no session begins on a volume that is gone. */
  readonly volumeRev?: Revision
  /** The volume's size in that revision. */
  readonly bytes?: number
  readonly initiator: string
}

/** The initiator's first login, or its first since the record was retired. */
export function createSession(who: Creating): GroupChange {
  const { volume, volumeRev, bytes, initiator, isid, source, owner, loginToken, at } = who
  const key = keys.session(volume, initiator, loginToken)
  const index = keys.isid(volume, initiator, isid)
  const record: SessionRecord = {
    volume,
    initiator,
    isid,
    source,
    owner,
    gen: generation(1),
    loginToken,
    state: 'live',
    ...(bytes === undefined ? {} : { bytes }),
    barrierDue: true,
    since: at,
  }
  return {
    compare: [
      { key, rev: NO_REVISION },
      { key: index, rev: NO_REVISION },
      ...(volumeRev === undefined ? [] : [{ key: keys.volume(volume), rev: volumeRev }]),
    ],
    put: [
      { key, value: JSON.stringify(record) },
      { key: index, value: key },
    ],
    remove: [],
  }
}

/** Reinstates, revives, returns or reclaims: the same session, under a new generation, at `owner`. */
export function takeSession(stored: StoredSession, who: Taking): GroupChange {
  const { volume, initiator, isid, gen, since, bytes, pinned } = stored.record
  const isDue = isid !== who.isid || stored.record.barrierDue === true // G29
  const record: SessionRecord = {
    volume,
    initiator,
    isid: who.isid,
    source: who.source,
    owner: who.owner,
    gen: generation(gen + 1),
    loginToken: who.loginToken,
    state: 'live',
    ...(bytes === undefined ? {} : { bytes }),
    ...(isDue ? { barrierDue: true } : {}),
    ...(pinned === undefined ? {} : { pinned }), // G35
    since,
  }
  const change = rewrite(stored, record)
  if (isid === who.isid) return change
  const index = keys.isid(volume, initiator, who.isid)
  return {
    compare: [...change.compare, { key: index, rev: NO_REVISION }],
    put: [...change.put, { key: index, value: stored.key }],
    remove: [keys.isid(volume, initiator, isid)],
  }
}

/** The barrier of its login is complete. */
export function completeBarrier(stored: StoredSession): GroupChange {
  assertServed(stored)
  const { barrierDue: _, ...record } = stored.record
  return rewrite(stored, record)
}

/** Where an operator wants it to stay; null: wherever it is best. */
export function pinSession(stored: StoredSession, to: MemberId | null): GroupChange {
  assertServed(stored)
  const { pinned: _, ...record } = stored.record
  return rewrite(stored, to === null ? record : { ...record, pinned: to })
}

/** The intent of a move: for people; the session goes on. */
export function noteIntent(stored: StoredSession, move: Omit<OpenMove, 'open'>): GroupChange {
  assertServed(stored)
  return rewrite(stored, { ...stored.record, move: { ...move, open: false } })
}

/** Also settles an unknown commit: once it has changed the record, the commit can no longer be applied. */
export function clearIntent(stored: StoredSession): GroupChange {
  assertServed(stored)
  const { move: _, ...record } = stored.record
  return rewrite(stored, record)
}

/** The session belongs to `move.to` from now on, and a login is awaited. */
export function commitMove(
  stored: StoredSession,
  move: Omit<OpenMove, 'open'>,
  toldBytes: number,
): GroupChange {
  assertServed(stored)
  const { record } = stored
  return rewrite(stored, {
    ...record,
    bytes: toldBytes,
    owner: move.to,
    gen: generation(record.gen + 1),
    move: { ...move, open: true },
  })
}

/** The session is over, and so is its open move. */
export function closeSession(stored: StoredSession): GroupChange {
  assert(stored.record.state === 'live', 'a session dies once in a generation')
  const { move: _, ...record } = stored.record
  return rewrite(stored, { ...record, gen: generation(record.gen + 1), state: 'dead' })
}

/** Every primary knows of its death: nothing is left to remember. */
export function retireSession(stored: StoredSession): GroupChange {
  assert(stored.record.state === 'dead', 'only a dead session is retired')
  const { volume, initiator, isid } = stored.record
  return {
    compare: [{ key: stored.key, rev: stored.rev }],
    put: [],
    remove: [stored.key, keys.isid(volume, initiator, isid)],
  }
}

function assertServed({ record }: StoredSession): void {
  const served = record.state === 'live' && record.move?.open !== true
  assert(served, 'a move begins and ends at a member that serves the session (G10)')
}

function rewrite(stored: StoredSession, record: SessionRecord): GroupChange {
  return {
    compare: [{ key: stored.key, rev: stored.rev }],
    put: [{ key: stored.key, value: JSON.stringify(record) }],
    remove: [],
  }
}
