// A member on real ports: disk, sockets, clock and the coordination file of its configuration; with its load monitor, its
// distribution process and its API.
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { type Call, startApi } from '../api/server.ts'
import { Balancer } from '../balance/balancer.ts'
import { Repeated } from '../balance/repeated.ts'
import { formatAddress } from '../base/net.ts'
import { EmbeddedCoordinator } from '../coordination/embedded.ts'
import { DEFAULT_POLICY, parsePolicy } from '../distribution/policy.ts'
import type { MemberId, VolumeId } from '../group/record.ts'
import { SystemClock } from '../io/clock.ts'
import { FolderDisk } from '../io/disk.ts'
import { listenError, SystemNet } from '../io/net.ts'
import { SqliteWorker } from '../io/sqlite-worker.ts'
import { RealSystemProbe } from '../io/system-probe.ts'
import { type HealthChange, HealthWatch } from '../operator/health-watch.ts'
import type { Log } from '../operator/log.ts'
import { lineOf } from '../operator/log-lines.ts'
import { MemberOperator } from '../operator/operator.ts'
import { Tally } from '../operator/tally.ts'
import { type SlowAnswer, WatchedCoordinator } from '../operator/watched-coordinator.ts'
import { storeDefaults } from '../store/settings.ts'
import type { TargetEvent } from '../target/target.ts'
import { ConfigError, type MemberConfig } from './config.ts'
import type { RunningMember } from './main.ts'
import { Member, type MemberSettings } from './member.ts'
import { bearsGroup } from './record-check.ts'

const LOOK_EVERY_MS = 5_000
/** Damaged pages that are read again at each look. */
const DAMAGED_AT_ONCE = 8

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
  const tally = new Tally()
  const opened: { member: Member | null } = { member: null }
  const nameOf = (id: VolumeId) => opened.member?.group.volumes.get(id)?.name ?? `volume ${id}`
  const tell = (event: TargetEvent) => {
    tally.tell(event)
    const { sentence, fields } = lineOf(event, nameOf)
    log.info(event.kind, sentence, fields)
  }
  const net = new SystemNet({
    tell: (sentence) => log.error('socket', new Error(sentence)),
  })
  const member = await Member.open(
    { clock, net, disk, coordinator, newId: randomUUID },
    settingsOf(config),
    tell,
  )
  opened.member = member
  member.linkTold = (...how) => tellLink(log, ...how)
  tellRecovery(member, log)
  const looks = await lookNowAndThen(member, disk, log)
  const mode = config.balance ?? parsed.policy.mode
  const policy = { ...parsed.policy, mode }
  const initial = { mode, placement: config.placement === 'on', policy }
  const balancer = new Balancer(member, new RealSystemProbe(net.traffic), initial)
  const { traffic } = net
  const { pid } = process
  const health = new HealthWatch({
    member,
    launcherFile: config.launcherFile,
    balancer,
    coordinator,
    tell: (change) => tellHealth(log, config.memberId, change),
  })
  const operator = new MemberOperator({ member, balancer, health, tally, traffic, version, pid })
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
    portal: member.portal,
    api: apiUrl(config, api.port),
    failed,
    stop: async () => {
      looks.stop()
      balancer.stop()
      operator.stop()
      health.stop()
      await api.close()
      await member.stop()
    },
  }
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
    slices: config.slices,
    namingAuthority: config.namingAuthority,
    portal: { kind: 'tcp', host, port },
    peer: { kind: 'unix', path: config.peer },
    announce: config.announce,
    api: apiUrl(config, config.api.port),
    groupAddress: config.groupAddress,
    bounds: config.bounds,
    store: {
      ...storeDefaults,
      journalBytes: config.journalBytes,
      slotsPerSegment: config.slotsPerSegment,
      budgetBytes: config.budgetBytes,
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

function tellRecovery({ store }: Member, log: Log): void {
  const { damage, ...recovered } = store.recovery
  log.info('recovered', 'the data folder is open', recovered)
  if (damage !== null) log.error('damage', damage)
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

/** At the free space, at what is damaged, and at records that are skipped. */
async function lookNowAndThen(member: Member, disk: FolderDisk, log: Log): Promise<Repeated> {
  const told = new Set<string>()
  const toldDamaged = new Set<string>()
  const look = async () => {
    await member.store.lookAtDamaged(DAMAGED_AT_ONCE)
    tellDamage(member, log, toldDamaged)
    tellSkipped(member, log, told)
    await lookFree(member, disk)
  }
  await look()
  return new Repeated({
    clock: member.ports.clock,
    everyMs: () => LOOK_EVERY_MS,
    work: look,
    failed: (error) => log.error('look', error),
  })
}

/** What pages may still take: of the disk, and of the budget. */
async function lookFree(member: Member, disk: FolderDisk): Promise<void> {
  const { atMostBytes, takenBytes } = member.store.usage()
  const left = Math.max(0, atMostBytes - takenBytes)
  member.freeBytes = Math.min(await disk.freeBytes(), left)
}

/** Each page once, until it is mended. */
function tellDamage(member: Member, log: Log, told: Set<string>): void {
  const damaged = new Map(
    member.store.damagedPages().map((one) => [`${one.volume}/${one.page}`, one]),
  )
  for (const key of told) if (!damaged.has(key)) told.delete(key)
  for (const [key, { volume, page }] of damaged) {
    if (told.has(key)) continue
    told.add(key)
    const name = member.group.volumes.get(volume)?.name ?? String(volume)
    const sentence = `blocks of page ${page} of volume ${name} cannot be read: overwrite them, or restore them from a backup`
    log.error('damage', sentence, { volume: name, page })
  }
}

/** Each record once. */
function tellSkipped(member: Member, log: Log, told: Set<string>): void {
  for (const [key, why] of member.group.skipped) {
    if (told.has(key)) continue
    told.add(key)
    const sentence = `the record ${key} is skipped, since it cannot be read: ${why} It is only for people: no data depends on it`
    log.error('skipped', sentence, { key })
  }
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

/** What it sees of the others is logged, but not what each of them logs about itself. */
function tellHealth(log: Log, self: MemberId, { kind, problem }: HealthChange): void {
  const { code, severity, subject, since, sentence } = problem
  const isAnothers = subject !== self && !code.startsWith('MEMBER_') && /^m\d+$/.test(subject)
  if (isAnothers) return
  const fields = { change: kind, code, severity, subject, since }
  if (kind === 'gone') log.info('problem', `over: ${code} ${subject}: ${sentence}`, fields)
  else if (severity === 'warning') log.warn('problem', `${code} ${subject}: ${sentence}`, fields)
  else log.error('problem', `${code} ${subject}: ${sentence}`, fields)
}

function tellLink(log: Log, to: MemberId, state: 'serves' | 'lost', why: string): void {
  if (state === 'serves') log.info('link', `${to} is reached`, { to, state })
  else log.warn('link', `${to} is lost: ${why}`, { to, state, why })
}

function tellSlow(log: Log, { what, ms }: SlowAnswer): void {
  const sentence = `the coordination file took ${Math.round(ms)} ms for a ${what}`
  log.warn('slow', sentence, { what, ms: Math.round(ms) })
}

/** Who asked for which change, and what came of it. */
function tellCall(log: Log, { caller, agent, method, url, body, status }: Call): void {
  const what = body === '' ? `${method} ${url}` : `${method} ${url} ${body}`
  const sentence = `${caller} (${agent}) asked ${what}: ${status}`
  log.info('api', sentence, { caller, agent, method, url, body, status })
}
