// A volume that is not shared has one host at a time: one initiator name at one source address. Whether another host's
// session lives is read from the sessions' records; the claim is what two takes contend for.
//
// Invariants:
//   G11. A take on a volume that is not shared compares the volume's claim as it was in the instant in which its sessions
//        were read, and writes it. So of two takes that do not know of each other one is lost.
//   G20. No session of such a volume is taken while another one of another host is live, also one in an open move. The
//        record that is taken does not count: its own earlier connection is over.
import { NO_REVISION, type Revision, type SessionId, type VolumeId } from '../base/ids.ts'
import type { GroupChange } from './change.ts'
import { keys } from './record.ts'
import type { StoredSession } from './sessions.ts'

/** Default names are borne by many (every QEMU without an own one), so the address counts too. */
export interface Host {
  readonly initiator: string
  readonly source: string
}

/** `rev` 0: the volume was never claimed. */
export interface Claim {
  readonly volume: VolumeId
  readonly rev: Revision
}

/** The prefixes that one transaction reads, for `claimIn` and for `otherHosts`. */
export function claimReads(volume: VolumeId): readonly [claim: string, sessions: string] {
  return [keys.claim(volume), keys.sessionsOf(volume)]
}

export function claimIn(
  volume: VolumeId,
  items: readonly { readonly key: string; readonly rev: Revision }[],
): Claim {
  return { volume, rev: items.find(({ key }) => key === keys.claim(volume))?.rev ?? NO_REVISION }
}

/** G20: the living sessions that stand in the host's way. `taken`: the record that its login takes, null: a new one. */
export function otherHosts(
  sessions: readonly StoredSession[],
  { initiator, source }: Host,
  taken: SessionId | null,
): readonly StoredSession[] {
  return sessions.filter(
    ({ id, record }) =>
      record.state === 'live' &&
      id !== taken &&
      (record.initiator !== initiator || record.source !== source),
  )
}

/** G11. The value says which login came last; nothing is read from it. */
export function withClaim(
  change: GroupChange,
  claim: Claim | null,
  loginToken: string,
): GroupChange {
  if (claim === null) return change
  const key = keys.claim(claim.volume)
  return {
    compare: [...change.compare, { key, rev: claim.rev }],
    put: [...change.put, { key, value: loginToken }],
    remove: change.remove,
  }
}
