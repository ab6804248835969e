// The group record: everything the members must agree on, and nothing else. One coordinator key each; values are JSON.
// Members, volumes and slices change only by compare-and-swap on what was read. Keys are built here and nowhere else.
import {
  type Epoch,
  type Generation,
  type MemberId,
  type Revision,
  type SessionId,
  type SliceId,
  sliceId,
  type VolumeId,
} from '../base/ids.ts'
import type { LogicalBlockBytes } from '../base/sizes.ts'

/** Bumped with any change of a key's form or meaning; a member refuses a group of another format. */
export const RECORD_FORMAT = 4

/** A life of the record before this one: `evenkeel recover` ended it. */
export interface EarlierIncarnation {
  readonly incarnation: string
  /** No member that recovery heard of had seen a later revision of it. */
  readonly endedAt: Revision
}

export interface GroupRecord {
  /** A record of another format never becomes a GroupRecord. */
  readonly format: typeof RECORD_FORMAT
  readonly name: string
  /** Random, so that members and peer links of different groups never mix. */
  readonly groupId: string
  /** Random; new with the group and with every recovery of its record. What bears a revision bears this: no revision is given twice, since a recovery begins above all that were seen. */
  readonly incarnation: string
  /** Oldest first. */
  readonly lineage: readonly EarlierIncarnation[]
  /** Fixed at creation. */
  readonly slices: number
  /** 'iqn.2026-11.dev.evenkeel' unless configured; fixed at creation. */
  readonly namingAuthority: string
}

export interface MemberRecord {
  readonly id: MemberId
  /** Changes at every start. */
  readonly bootId: string
  /** host:port where initiators reach this very member; what a redirect names. */
  readonly portal: string
  /** Where peers reach it, as `formatAddress` prints it. */
  readonly peer: string
  /** http://host:port */
  readonly api: string
  /** Takes no new sessions and keeps none. */
  readonly draining: boolean
}

/** The data folder of a member: a member with another one, or with an older copy of it, does not serve. */
export interface FolderRecord {
  readonly folderId: string
  /** The mark: everything before this position of its journal was durable at `at`. */
  readonly position: number
  /** While a member has it open, and after one that did not stop cleanly: which file its superblock is (Disk.identityOf); else null. */
  readonly openAs: string | null
  /** ISO time, by the clock of the member; for people. */
  readonly at: string
}

export interface VolumeRecord {
  readonly id: VolumeId
  readonly name: string
  readonly iqn: string
  readonly bytes: number
  readonly blockBytes: LogicalBlockBytes
  /** Sessions of several hosts are welcome: of several initiator names, or addresses of one name. */
  readonly shared: boolean
  /** Lane l is slice lanes[l]; slice/lanes.ts says which run is on which lane. Fixed at creation. */
  readonly lanes: readonly SliceId[]
  /** Counts its growths. */
  readonly view: number
  readonly createdAt: string
}

/** slices.ts says what it may become. */
export interface SliceRecord {
  readonly epoch: Epoch
  readonly primary: MemberId
  /** Those that have all that was answered. */
  readonly inSync: readonly MemberId[]
  /** Those that are to have a copy; the first one is to be the primary. */
  readonly want: readonly MemberId[]
  /** Least size of `inSync` with which writes go on. */
  readonly min: number
}

/** An I_T nexus that logged in, under our own id (the key's `created` revision); target/DESIGN.md. */
export interface SessionRecord {
  readonly volume: VolumeId
  readonly initiator: string
  /** Twelve hex digits. */
  readonly isid: string
  /** The initiator's address without port, as the portal saw it at the last login. */
  readonly source: string
  readonly owner: MemberId
  /** Raised at every take, return, close: a request with a lower one is refused by the primaries. */
  readonly gen: Generation
  /** Fresh at every take; settles an unknown outcome. */
  readonly loginToken: string
  readonly state: 'live' | 'dead'
  /** The size of the volume that the initiator has been told, as far as its last owner wrote it down; absent: not known. */
  readonly bytes?: number
  /** The barrier of the login that took it is not known to be complete: one that comes by its ISID runs one, too (G29). */
  readonly barrierDue?: true
  /** An operator's word: it belongs there and stays there until he takes that back (G35). */
  readonly pinned?: MemberId
  readonly move?: OpenMove
  /** ISO time of the first login. */
  readonly since: string
}

export interface OpenMove {
  readonly id: string
  readonly to: MemberId
  /**
   * false: intended, and the session goes on; true: committed, `owner` is already `to`, and a login is awaited. Then the
   * revision of the record is that of the commit, and orders moves in time.
   */
  readonly open: boolean
}

export type MoveOutcome = 'returned' | 'abandoned' | 'reclaimed' | 'expired' | 'lost'

/** What people read about a move; safety never depends on it. */
export interface MoveRecord {
  readonly id: string
  readonly session: SessionId
  readonly volume: VolumeId
  readonly initiator: string
  readonly from: MemberId
  readonly to: MemberId
  /** A sentence: why this session, why there. */
  readonly reason: string
  readonly code: string
  readonly by: 'balance' | 'operator' | 'drain'
  /** Predicted gain in waiting requests, and both ends' utilisation before and after; null for a move by hand. */
  readonly predicted: MovePrediction | null
  /** Gain by the same formula on what both ends measured once the session had settled. */
  readonly observed?: number
  /** From the frozen window to nothing outstanding. */
  readonly drainMs?: number
  /** Wall clock of the old member at its last response to a command; at the freeze if nothing was outstanding then. */
  readonly brokeAtWallMs?: number
  /** From the last response to a command at the old member, or the freeze if that was later, to the first at the new one; without time in which nothing was asked there (ML1 of target/move-log.ts). */
  readonly pauseMs?: number
  /** Commands and task management requests on the wire at the break: sent again by the initiator, never executed by the old member. */
  readonly resent?: number
  readonly outcome?: MoveOutcome
  /** Why it was abandoned or lost: the end of a sentence. */
  readonly cause?: string
  readonly at: string
}

export interface MovePrediction {
  readonly gain: number
  readonly price: number
  readonly from: { readonly before: number; readonly after: number }
  readonly to: { readonly before: number; readonly after: number }
}

export const keys = {
  group: 'group',
  /** Never written. */
  probe: 'probe',
  member: (id: MemberId) => `member/${id}`,
  members: 'member/',
  folder: (id: MemberId) => `folder/${id}`,
  volume: (id: VolumeId) => `volume/${String(id).padStart(10, '0')}`,
  volumes: 'volume/',
  /** Holds the id of the volume with this name, so that a name is taken once. */
  volumeName: (name: string) => `volumename/${name}`,
  slice: (id: SliceId) => `slice/${String(id).padStart(5, '0')}`,
  slices: 'slice/',
  /** Of a key that `slice` has made. */
  sliceOf: (key: string): SliceId => sliceId(Number(key.slice(keys.slices.length))),
  /** `pair` is what the barrier ranges over: (volume, initiator name). `uid` is the first login's token. */
  session: (volume: VolumeId, initiator: string, uid: string) =>
    `${keys.pair(volume, initiator)}${uid}`,
  pair: (volume: VolumeId, initiator: string) =>
    `session/${volume}/${encodeURIComponent(initiator)}/`,
  sessionsOf: (volume: VolumeId) => `session/${volume}/`,
  sessions: 'session/',
  /** Holds the session's key: at most one record for (volume, initiator name, ISID). */
  isid: (volume: VolumeId, initiator: string, isid: string) =>
    `isid/${volume}/${encodeURIComponent(initiator)}/${isid}`,
  /** What takes of a volume that is not shared contend for (G11); holds the login token of the last one. */
  claim: (volume: VolumeId) => `claim/${volume}`,
  move: (id: string) => `move/${id}`,
  moves: 'move/',
  /** The group's distribution policy; see distribution/policy.ts. */
  policy: 'policy',
} as const

/**
 * What members keep copies of, and a lost coordination file is rebuilt from. The rest ends with the file: sessions with their
 * index, claims and moves are made anew as initiators log in again.
 */
export const durablePrefixes: readonly string[] = [
  'counter/',
  'folder/',
  keys.group,
  keys.members,
  keys.policy,
  keys.slices,
  keys.volumes,
  'volumename/',
]

export function isDurable(key: string): boolean {
  return durablePrefixes.some((prefix) => key.startsWith(prefix))
}
