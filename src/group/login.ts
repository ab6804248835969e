// Which record a login belongs to (target/DESIGN.md): the same ISID, else an open move of an initiator
// that makes a new ISID at every login (libiscsi, QEMU), matched by where it comes from.
//
// Invariants:
//   G4. A record of a stable ISID is only ever matched by that very ISID.
//   G5. By address, the oldest open move that this member has not redirected yet comes first.
import { isRandomIsid } from '../base/isid.ts'
import type { StoredSession } from './sessions.ts'

export interface ArrivingLogin {
  readonly isid: string
  readonly source: string
}

/** `records`: those of the pair (volume, initiator name). null: a new session. */
export function matchLogin(
  records: readonly StoredSession[],
  login: ArrivingLogin,
  wasRedirected: (moveId: string) => boolean,
): StoredSession | null {
  const same = records.find(({ record }) => record.isid === login.isid)
  if (same !== undefined) return same
  if (!isRandomIsid(login.isid)) return null
  const moves = records.filter(({ record }) => {
    return record.move?.open === true && record.source === login.source && isRandomIsid(record.isid)
  })
  // The commit was the last change of an open move's record, so its revision orders the moves in time.
  moves.sort((a, b) => a.rev - b.rev)
  return moves.find(({ record }) => !wasRedirected(record.move?.id ?? '')) ?? moves[0] ?? null
}
