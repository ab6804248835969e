// The layout of a group that `evenkeel up` runs on one machine: which member has which folder, ports and socket.
//
//   DATA/coordination.sqlite   what the members agree on
//   DATA/launcher.json          which members ended and were started again, written by the launcher
//   DATA/m1.json …             their configurations, outside of folders that may be disks which are not mounted
//   DATA/m1/, DATA/m2/ …       a data folder each, with member.log
//   ports: BASE the API that callers use (m1's), BASE+1 … BASE+N the portals of m1 … mN, then the APIs of m2 … mN; of a group
//   that stands already those that its members had, and for each one more the next two (PT1)
//
// Invariants:
//   PT1. A member keeps its ports, whoever joins: initiators and callers have written them down. Only another --base-port
//        than the group has deals all of them anew.

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { API_PORT_DEFAULT } from '../api/caller.ts'
import { type MemberId, memberId } from '../base/ids.ts'
import { type MemberConfigFile, SOCKET_PATH_BYTES_MAX } from '../member/config.ts'
import { LAUNCHER_RECORD } from '../operator/launcher-record.ts'
import type { Ports, Standing } from './standing.ts'

export const MEMBERS_MAX = 32
export const MEMBERS_DEFAULT = 3
/** Where there are as many members. */
export const COPIES_DEFAULT = 2
const HOST = '127.0.0.1'
const MIB = 1024 ** 2
export const JOURNAL_BYTES = 64 * MIB
export const COORDINATION_FILE = 'coordination.sqlite'

export interface GroupPlan {
  readonly members: number
  /** Absolute. */
  readonly dataFolder: string
  /** null: as the group has it, or API_PORT_DEFAULT in a new one. */
  readonly basePort: number | null
  /** Of each slice; null: as the group has it, or what is usual in a new one (`copiesOf`). */
  readonly copies: number | null
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

/** A group that stands keeps what it was founded with. */
export function copiesOf(
  { members, copies }: Pick<GroupPlan, 'members' | 'copies'>,
  standing: Pick<Standing, 'copies'> | null,
): number {
  return standing?.copies ?? copies ?? Math.min(COPIES_DEFAULT, members)
}

/** PT1. By member, in order. */
export function portsOf(
  { members, basePort }: Pick<GroupPlan, 'members' | 'basePort'>,
  standing: Pick<Standing, 'ports'> | null,
): readonly Ports[] {
  const had = standing?.ports ?? new Map<MemberId, Ports>()
  const names = memberNames(members)
  const hadBase = had.get(memberId('m1'))?.api
  if (hadBase === undefined || (basePort !== null && basePort !== hadBase))
    return portsFrom(basePort ?? API_PORT_DEFAULT, members)
  let next = Math.max(...[...had.values()].flatMap(({ portal, api }) => [portal, api])) + 1
  return names.map((id) => {
    const before = had.get(id)
    if (before !== undefined) return before
    next += 2
    return { portal: next - 2, api: next - 1 }
  })
}

function portsFrom(base: number, members: number): readonly Ports[] {
  return Array.from({ length: members }, (_, i) => ({
    portal: base + 1 + i,
    api: i === 0 ? base : base + members + i,
  }))
}

/** In order. */
export function portsInUse(ports: readonly Ports[]): readonly number[] {
  return ports.flatMap(({ portal, api }) => [portal, api]).sort((a, b) => a - b)
}

export function socketFolder(plan: GroupPlan): string {
  const longest = join(plan.dataFolder, `m${plan.members}`, 'peer.sock')
  if (Buffer.byteLength(longest) <= SOCKET_PATH_BYTES_MAX) return plan.dataFolder
  const name = createHash('sha256').update(plan.dataFolder).digest('hex').slice(0, 16)
  return join(plan.temporaryFolder, `evenkeel-${name}`)
}

export function planMembers(
  plan: GroupPlan,
  standing: Standing | null,
): readonly MemberConfigFile[] {
  const { members, dataFolder, placement, balance, policy, budgetBytes, cacheBytes } = plan
  const ports = portsOf(plan, standing)
  const copies = copiesOf(plan, standing)
  const founders = [...memberNames(members)]
  const sockets = socketFolder(plan)
  return founders.map((id, i) => ({
    memberId: id,
    dataFolder: join(dataFolder, id),
    coordinationFile: join(dataFolder, COORDINATION_FILE),
    launcherFile: join(dataFolder, LAUNCHER_RECORD),
    ...{ founders, copies },
    portal: { host: HOST, port: ports[i]?.portal },
    api: { host: HOST, port: ports[i]?.api },
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
