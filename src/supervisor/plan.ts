// The layout of a group that `evenkeel up` runs on one machine: which member has which folder, ports and socket.
//
//   DATA/coordination.sqlite   what the members agree on
//   DATA/launcher.json          which members ended and were started again, written by the launcher
//   DATA/m1.json …             their configurations, outside of folders that may be disks which are not mounted
//   DATA/m1/, DATA/m2/ …       a data folder each, with member.log
//   ports: BASE the API that callers use (m1's), BASE+1 … BASE+N the portals of m1 … mN, then the APIs of m2 … mN

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type MemberId, memberId } from '../base/ids.ts'
import { type MemberConfigFile, SOCKET_PATH_BYTES_MAX } from '../member/config.ts'
import { LAUNCHER_RECORD } from '../operator/launcher-record.ts'

export const MEMBERS_MAX = 32
export const MEMBERS_DEFAULT = 3
const HOST = '127.0.0.1'
const MIB = 1024 ** 2
export const JOURNAL_BYTES = 64 * MIB
export const COORDINATION_FILE = 'coordination.sqlite'

export interface GroupPlan {
  readonly members: number
  /** Absolute. */
  readonly dataFolder: string
  readonly basePort: number
  readonly placement: 'on' | 'off'
  readonly balance: 'on' | 'off' | 'advise' | null
  readonly policy: Readonly<Record<string, unknown>>
  /** What the pages of all members may take together, an equal part each; null: each counts on all that is free. */
  readonly budgetBytes: number | null
  /** What they may keep in memory together of blocks that are read often, an equal part each; 0: nothing. */
  readonly cacheBytes: number
  /** Members whose folders are used although acknowledged writes are missing from them, or given up: for their first start. */
  readonly acceptDamage: readonly MemberId[]
  readonly acceptLoss: readonly MemberId[]
  /** Absolute; for sockets whose path in the data folder would be too long. */
  readonly temporaryFolder: string
}

export function memberNames(members: number): readonly MemberId[] {
  return Array.from({ length: members }, (_, i) => memberId(`m${i + 1}`))
}

export function portsInUse(plan: Pick<GroupPlan, 'members' | 'basePort'>): readonly number[] {
  return Array.from({ length: 2 * plan.members }, (_, i) => plan.basePort + i)
}

export function socketFolder(plan: GroupPlan): string {
  const longest = join(plan.dataFolder, `m${plan.members}`, 'peer.sock')
  if (Buffer.byteLength(longest) <= SOCKET_PATH_BYTES_MAX) return plan.dataFolder
  const name = createHash('sha256').update(plan.dataFolder).digest('hex').slice(0, 16)
  return join(plan.temporaryFolder, `evenkeel-${name}`)
}

export function planMembers(plan: GroupPlan): readonly MemberConfigFile[] {
  const { members, dataFolder, basePort, placement, balance, policy, budgetBytes, cacheBytes } =
    plan
  const founders = [...memberNames(members)]
  const sockets = socketFolder(plan)
  return founders.map((id, i) => ({
    memberId: id,
    dataFolder: join(dataFolder, id),
    coordinationFile: join(dataFolder, COORDINATION_FILE),
    launcherFile: join(dataFolder, LAUNCHER_RECORD),
    founders,
    portal: { host: HOST, port: basePort + 1 + i },
    api: { host: HOST, port: i === 0 ? basePort : basePort + members + i },
    peer: sockets === dataFolder ? join(dataFolder, id, 'peer.sock') : join(sockets, `${id}.sock`),
    placement,
    balance,
    policy: { ...policy },
    journalBytes: JOURNAL_BYTES,
    slotsPerSegment: 64,
    budgetBytes: budgetBytes === null ? null : Math.floor(budgetBytes / members),
    cacheBytes: Math.floor(cacheBytes / members),
  }))
}

/** What an operator said about the member's folder, as options of `serve`. */
export function wordsFor(plan: GroupPlan, id: MemberId): readonly string[] {
  if (plan.acceptLoss.includes(id)) return ['--accept-loss']
  return plan.acceptDamage.includes(id) ? ['--accept-damage'] : []
}
