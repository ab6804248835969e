// A member on real ports: disk, sockets, clock and the coordination file of its configuration; with its load monitor, its
// distribution process and its API.
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { isIP } from 'node:net'
import { dirname } from 'node:path'
import type { PastSession } from '../api/history-schema.ts'
import { startApi } from '../api/server.ts'
import { Balancer } from '../balance/balancer.ts'
import type { DistributionSettings } from '../balance/policy-record.ts'
import type { VolumeId } from '../base/ids.ts'
import { formatAddress } from '../base/net.ts'
import { EmbeddedCoordinator } from '../coordination/embedded.ts'
import { DEFAULT_POLICY, type Policy, parsePolicy } from '../distribution/policy.ts'
import { SystemClock } from '../io/clock.ts'
import { FolderDisk } from '../io/disk.ts'
import { machineMemoryBytes } from '../io/machine-memory.ts'
import { listenError, SystemNet } from '../io/net.ts'
import { SqliteWorker } from '../io/sqlite-worker.ts'
import { RealSystemProbe } from '../io/system-probe.ts'
import { parsePortal } from '../iscsi/names.ts'
import { HealthWatch } from '../operator/health-watch.ts'
import { History } from '../operator/history.ts'
import type { Figures } from '../operator/history-record.ts'
import type { Log } from '../operator/log.ts'
import { lineOf } from '../operator/log-lines.ts'
import {
  tellCall,
  tellHealth,
  tellHistory,
  tellLink,
  tellRecovery,
  tellSlow,
} from '../operator/member-log.ts'
import { MemberOperator } from '../operator/operator.ts'
import type { KeptPast } from '../operator/past.ts'
import { PastProblems } from '../operator/past-problems.ts'
import { Tally } from '../operator/tally.ts'
import { WatchedCoordinator } from '../operator/watched-coordinator.ts'
import { storeDefaults } from '../store/settings.ts'
import type { TargetEvent } from '../target/target-event.ts'
import { isLoopback, isWildcard } from './addresses.ts'
import { defaultCacheBytes } from './cache-size.ts'
import type { MemberConfig } from './config.ts'
import { ConfigError } from './config-file.ts'
import { lookNowAndThen } from './looks.ts'
import type { RunningMember } from './main.ts'
import { Member } from './member.ts'
import type { MemberPorts, MemberSettings } from './member-settings.ts'
import { OwnNetwork } from './own-network.ts'
import { bearsGroup } from './record-check.ts'

const DAY_MS = 86_400_000

export const version: string = (
  createRequire(import.meta.url)('../../package.json') as { version: string }
).version

export async function startMember(config: MemberConfig, log: Log): Promise<RunningMember> {
  const parsed = parsePolicy(config.policy, DEFAULT_POLICY)
  if (parsed.kind === 'wrong') throw new ConfigError(`policy: ${parsed.reasons.join(' ')}`)
  const clock = new SystemClock()
  const disk = new FolderDisk(config.dataFolder)
  const coordinator = new WatchedCoordinator(
    await openCoordinator(config, disk, clock, log),
    clock,
    (answer) => tellSlow(log, answer),
  )
  const tally = new Tally(clock.wallMs())
  const opened: { member: Member | null } = { member: null }
  const nameOf = (id: VolumeId) => opened.member?.group.volumes.get(id)?.name ?? `volume ${id}`
  const tell = (event: TargetEvent) => {
    tally.tell(event)
    const { sentence, fields } = lineOf(event, nameOf)
    log.info(event.kind, sentence, fields)
  }
  const net = new SystemNet({
    tell: (sentence) => log.warn('socket', sentence),
  })
  const ports = { clock, net, disk, coordinator, newId: randomUUID, ...toldTo(log) }
  const member = await Member.open(ports, settingsOf(config), tell)
  opened.member = member
  tellRecovery(member, log)
  const looks = await lookNowAndThen(member, disk, log)
  const probe = new RealSystemProbe(net.traffic, ownNetworkOf(config, member))
  const balancer = new Balancer(member, probe, initialOf(config, parsed.policy))
  const { traffic } = net
  const { pid } = process
  const past = await openPast(config, member, balancer, log)
  const health = new HealthWatch({
    member,
    launcherFile: config.launcherFile,
    balancer,
    coordinator,
    tell: (change) => {
      tellHealth(log, member, change)
      past.problems.tell(change)
    },
  })
  const operator = new MemberOperator({
    ...{ member, balancer, health, tally, traffic, coordinator, past, version, pid },
  })
  const api = await startApi(operator, {
    host: config.api.host,
    port: config.api.port,
    announced: config.announce,
    version,
    failed: (error) => log.error('api', error),
    changed: (call) => tellCall(log, call),
  }).catch((cause: unknown) => {
    throw listenError({ kind: 'tcp', ...config.api }, cause)
  })
  const failed = failureOf(member, disk)
  await Promise.race([
    member.serve({ balancer, operator }).then(() => settle(config, balancer)),
    failed.then((why) => Promise.reject(new Error(why))),
  ])
  return {
    boot: member.bootId,
    portal: member.portal,
    api: apiUrl(config, api.port),
    failed,
    drain: async (withinMs) => {
      member.target.leave()
      await balancer.drainer.drained(withinMs)
    },
    died: (process) => member.slices.copies.died(process),
    stop: async (othersGoOn) => {
      looks.stop()
      balancer.stop()
      operator.stop()
      health.stop()
      await past.close()
      await api.close()
      await member.stop(othersGoOn)
    },
  }
}

function toldTo(log: Log): Pick<MemberPorts, 'linkTold' | 'folderTold' | 'pageMended'> {
  return {
    linkTold: (...how) => tellLink(log, ...how),
    pageMended: (volume, page) =>
      log.warn('mended', `page ${page} of volume ${volume} was damaged, and is as a copy has it`, {
        volume,
        page,
      }),
    folderTold: (sentence) => log.warn('folder', sentence),
  }
}

async function openPast(
  { dataFolder }: MemberConfig,
  member: Member,
  balancer: Balancer,
  log: Log,
): Promise<KeptPast & { close(): Promise<void> }> {
  const keeping = {
    folder: dataFolder,
    group: member.group.group.groupId,
    member: member.id,
    clock: member.ports.clock,
    failed: (why: unknown) => tellHistory(log, why),
  }
  const problems = await PastProblems.open(keeping)
  const history = await History.open({
    ...keeping,
    now: () => figuresOf(member, balancer),
    sessions: () => sessionsOf(member, balancer),
  })
  const close = async () => {
    await history.close()
    await problems.close()
  }
  return { history, problems, close }
}

/** What is kept of now. */
function figuresOf(member: Member, balancer: Balancer): Figures | null {
  const load = balancer.memberLoad()
  if (load === null) return null
  const { utilisation, cpu, memoryBytes, iops, bytesPerSecond, latencyMs } = load
  return {
    ...{ utilisation, cpu, memoryBytes, iops, bytesPerSecond, latencyMs },
    sessions: member.target.registry.size,
    usedBytes: member.store.usage().takenBytes,
  }
}

/** Which sessions are here now. */
function sessionsOf({ target, group }: Member, balancer: Balancer): readonly PastSession[] {
  return [...target.registry.all()].flatMap((session) => {
    const { id, phase, record } = session
    const volume = group.volumes.get(record.volume)?.name
    if (phase.kind === 'ended' || volume === undefined) return []
    const { load } = balancer.session(session)
    return [{ id: String(id), initiator: record.initiator, volume, load }]
  })
}

/** What the distribution begins with. */
function initialOf({ balance, placement }: MemberConfig, policy: Policy): DistributionSettings {
  const mode = balance ?? policy.mode
  return { mode, placement: placement === 'on', policy: { ...policy, mode } }
}

function ownNetworkOf(config: MemberConfig, { id, group, ports }: Member): OwnNetwork {
  const { host } = config.portal
  return new OwnNetwork({
    configured: config.networkBitsPerSecond,
    host: isWildcard(host) ? (config.announce ?? host) : host,
    others: () =>
      [...group.members.values()].flatMap((other) =>
        other.id === id ? [] : [parsePortal(other.portal)?.host ?? ''],
      ),
    nowMs: () => ports.clock.nowMs(),
  })
}

/** As others reach it. */
function apiUrl({ announce, api }: MemberConfig, port: number): string {
  return `http://${formatAddress({ kind: 'tcp', host: announce ?? api.host, port })}`
}

function settingsOf(config: MemberConfig): MemberSettings {
  const { host, port } = config.portal
  return {
    memberId: config.memberId,
    groupName: config.groupName,
    founders: config.founders,
    copies: config.copies,
    slices: config.slices,
    namingAuthority: config.namingAuthority,
    portal: { kind: 'tcp', host, port },
    peer: { kind: 'unix', path: config.peer },
    announce: config.announce,
    api: apiUrl(config, config.api.port),
    groupAddress: config.groupAddress,
    // C1: not beyond loopback either, unless that is meant.
    ...(config.standIn === 'on'
      ? { standsIn: ({ host }) => isIP(host) !== 0 && (config.insecure || isLoopback(host)) }
      : {}),
    bounds: config.bounds,
    store: {
      ...storeDefaults,
      journalBytes: config.journalBytes,
      slotsPerSegment: config.slotsPerSegment,
      budgetBytes: config.budgetBytes,
      cacheBytes: config.cacheBytes ?? defaultCacheBytes(machineMemoryBytes(), 1),
      scrubEveryMs: config.scrubDays * DAY_MS,
      accept: config.accept,
    },
  }
}

/** A member whose folder is of a group makes no coordination file: there is one, or it was lost. */
async function openCoordinator(
  { coordinationFile }: MemberConfig,
  disk: FolderDisk,
  clock: SystemClock,
  log: Log,
): Promise<EmbeddedCoordinator> {
  const folder = dirname(coordinationFile)
  if (!existsSync(folder)) {
    throw new ConfigError(
      `coordinationFile: the folder ${folder} does not exist. Is its disk mounted? For a new group, make it`,
    )
  }
  const make = !(await bearsGroup(disk))
  const waits = (reason: string) =>
    log.warn('waits', `waits for the coordination file: ${reason}`, { reason })
  return EmbeddedCoordinator.open(new SqliteWorker(coordinationFile), clock, { make, waits })
}

/** Settles with why it must stop. */
function failureOf(
  { id, store, group, folder, keeper }: Member,
  disk: FolderDisk,
): Promise<string> {
  return Promise.race([
    disk.moved.then((why) => `the data folder of ${id} cannot be used any more: ${why}`),
    store.failed.then((why) => `the store of ${id} has failed: ${why}`),
    group.failed,
    folder.failed,
    keeper.failed,
  ])
}

/** What the configuration says of the group's policy holds for the group from now on. */
async function settle(config: MemberConfig, balancer: Balancer): Promise<void> {
  const placement = config.placement === 'on'
  const now = balancer.policy.settings
  const says = config.balance !== null || Object.keys(config.policy).length > 0
  const mode = config.balance ?? now.mode
  if (says || placement !== now.placement)
    await balancer.policy.write({ mode, placement, policy: config.policy })
}
