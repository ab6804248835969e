// A group of real members in one process and in virtual time: simulated clocks, network, disks and coordinator under the
// member's own wiring (src/member/member.ts). Members crash, lose what was not synced, pause, stop and start again.
//
// Invariants:
//   S1. With equal seeds two runs are equal, event for event (trace.ts).
//   S2. What a member's life left behind reaches nobody: its clock is dead, its files and streams are.
//   S3. The simulation itself writes to the record by `operator` alone, which holds to the store that it knows (C3, LR1).
import { Balancer } from '../src/balance/balancer.ts'
import type { DistributionSettings } from '../src/balance/policy-record.ts'
import type { Clock } from '../src/base/clock.ts'
import {
  type MemberId,
  NO_REVISION,
  type SessionId,
  sessionId,
  type VolumeId,
  volumeId,
} from '../src/base/ids.ts'
import type { Net } from '../src/base/net.ts'
import { Prng } from '../src/base/prng.ts'
import { RUN_BYTES } from '../src/base/sizes.ts'
import type { Coordinator } from '../src/coordination/coordinator.ts'
import { parseSession, parseSlice } from '../src/group/parse.ts'
import { keys, type SessionRecord, type VolumeRecord } from '../src/group/record.ts'
import { createVolume, volumeCounterKey } from '../src/group/volumes.ts'
import { Member } from '../src/member/member.ts'
import { RecordRefused } from '../src/member/record-check.ts'
import { laneOf } from '../src/slice/lanes.ts'
import { FolderRefused } from '../src/store/failure.ts'
import type { Bounds } from '../src/target/memory-bounds.ts'
import type { TargetEvent } from '../src/target/target-event.ts'
import { SimClock } from './clock.ts'
import { SimCoordination } from './coordinator.ts'
import { CopyWatch } from './copies.ts'
import { Deaths } from './deaths.ts'
import { SimDisk } from './disk.ts'
import { DistributionWatch, SimProbe, simDistribution } from './distribution.ts'
import { Monitor, type SeenWrites } from './monitor.ts'
import { SimNet } from './net.ts'
import { OneHost } from './one-host.ts'
import { ResetWatch } from './resets.ts'
import { settingsOf, simBounds } from './settings.ts'
import { clockSpread, type Shape, usualShape } from './shape.ts'
import { type SlowReads, slowReadsIn } from './store-settings.ts'
import { Timeline } from './timeline.ts'
import { noTotals, type Totals } from './totals.ts'
import { Trace } from './trace.ts'

const START_MS = 30_000
/** As src/member/main.ts: what has not stopped by then is ended. */
const STOP_MS = 10_000

export interface GroupSettings {
  readonly seed: number
  /** Sessions are moved and placed by load; absent: by hand alone. */
  readonly distributes?: boolean
  readonly bounds?: Bounds
  readonly shape?: Shape
  readonly print: ((line: string) => void) | null
}

export class SimGroup {
  readonly timeline = new Timeline()
  readonly seed: number
  readonly prng: Prng
  readonly net: SimNet
  readonly coordination: SimCoordination
  readonly trace: Trace
  readonly totals: Totals = noTotals()
  readonly violations: string[] = []
  readonly members: readonly SimMember[]
  readonly blockBytes: 512 | 4096
  /** As every member is started; null: without. */
  readonly distribution: DistributionSettings | null
  readonly bounds: Bounds
  readonly shape: Shape
  readonly watch: DistributionWatch
  readonly slowReads: SlowReads | null
  readonly resets = new ResetWatch()
  readonly copies = new CopyWatch(this)
  readonly deaths: Deaths
  /** Members of which something is lost: what they hold may be a MEDIUM ERROR, and nothing else that is wrong. */
  readonly lossy = new Set<MemberId>()
  /** Told of everything that targets tell. */
  readonly listeners: ((member: SimMember, event: TargetEvent) => void)[] = []
  /** Its operator has stopped it: no member starts. */
  isHeld = false
  /** S3. */
  operator: Coordinator
  #oneHost = new OneHost()
  #volumes: readonly [shared: VolumeRecord, own: VolumeRecord] | null = null
  #ids = 0

  constructor(settings: GroupSettings) {
    const { seed, print, distributes = false } = settings
    const { bounds = simBounds, shape = usualShape } = settings
    this.bounds = bounds
    this.shape = shape
    this.seed = seed
    this.deaths = new Deaths(this)
    this.prng = new Prng(seed)
    this.trace = new Trace(this.timeline, print)
    const { timeline, prng } = this
    const oneMachine = shape.standIns === true
    this.net = new SimNet(timeline, prng.fork(), { spikeOneIn: prng.pick([0, 0, 300]), oneMachine })
    this.coordination = new SimCoordination(new SimClock(timeline), prng.fork())
    this.slowReads = slowReadsIn(seed)
    this.blockBytes = prng.chance(0.3) ? 512 : 4096
    this.members = shape.members.map((id) => new SimMember(this, id, prng.fork()))
    this.operator = this.coordination.handle('operator')
    const distribution = simDistribution(prng.fork())
    this.distribution = distributes ? distribution : null
    this.watch = new DistributionWatch(this, prng.fork())
  }

  get volume(): VolumeRecord {
    return this.volumes[0]
  }

  /** The one that is not shared. */
  get ownVolume(): VolumeRecord {
    return this.volumes[1]
  }

  get volumes(): readonly [shared: VolumeRecord, own: VolumeRecord] {
    if (this.#volumes === null) throw new Error('the volumes are made by start()')
    return this.#volumes
  }

  /** Its members serve two volumes, each with a lane on each slice: one that is shared, and one that is not. */
  async start(): Promise<void> {
    for (const member of this.members) member.start()
    const serving = () => this.members.every(({ member }) => member?.target.takesSessions === true)
    await this.timeline.until(serving, START_MS, 'serving')
    const shared = await this.timeline.finish(this.#createVolume(volumeId(1), 'v', true), START_MS)
    const own = await this.timeline.finish(this.#createVolume(volumeId(2), 'own', false), START_MS)
    this.#volumes = [shared, own]
    const known = () => this.members.every(({ member }) => member?.group.volumes.has(own.id))
    await this.timeline.until(known, START_MS, 'volumes that all know')
    // As the API answers that a volume was made: the record may be lost at any time from now on (VD1).
    const kept = this.members.flatMap(({ member }) =>
      member === null ? [] : [member.keeper.written(this.coordination.rev)],
    )
    const isKept = await this.timeline.finish(Promise.race(kept), START_MS)
    if (!isKept) this.violation('no member could keep the volumes')
    this.#follow()
  }

  /** Whether blocks of this range of bytes may be lost. */
  mayBeLost(offset: number, bytes: number): boolean {
    for (let at = offset; at < offset + bytes; at = nextRun(at)) {
      const slice = this.volume.lanes[laneOf(this.volume, Math.floor(at / RUN_BYTES))]
      if (slice === undefined) continue
      const record = parseSlice(this.coordination.inspect(keys.slice(slice))[0]?.value ?? '')
      if (typeof record !== 'string' && this.lossy.has(record.primary)) return true
    }
    return false
  }

  member(id: MemberId): SimMember {
    const found = this.members.find((one) => one.id === id)
    if (found === undefined) throw new Error(`there is no member ${id}`)
    return found
  }

  /** By way of whichever member runs; the others learn of it from the group's record. */
  switchBalance(mode: 'on' | 'off'): void {
    this.trace.add('*', `balance ${mode}`)
    const running = this.members.filter(({ balancer, clock }) => balancer !== null && !clock.paused)
    if (running.length > 0) void this.prng.pick(running).balancer?.policy.write({ mode })
  }

  /** Another store has taken the place of the group record: what is judged of it begins anew. */
  recordReplaced(): void {
    void this.operator.close()
    this.operator = this.coordination.handle('operator')
    this.#oneHost = new OneHost()
    this.#follow()
  }

  #follow(): void {
    void this.#watch()
    void this.copies.follow()
  }

  violation(what: string): void {
    this.trace.add('!', what)
    this.violations.push(what)
  }

  newId(): string {
    this.#ids += 1
    return `id-${this.#ids}`
  }

  /** The sessions' records as they are, with their ids. */
  records(): { readonly id: SessionId; readonly record: SessionRecord }[] {
    return this.coordination
      .inspect(keys.sessions)
      .map(({ value, created }) => ({ id: sessionId(created), record: recordOf(value) }))
  }

  async #createVolume(id: VolumeId, name: string, shared: boolean): Promise<VolumeRecord> {
    const slices = this.coordination.inspect(keys.slices).map(({ value }) => {
      const slice = parseSlice(value)
      if (typeof slice === 'string') throw new Error(slice)
      return slice
    })
    const wish = { name, bytes: 3 * RUN_BYTES, blockBytes: this.blockBytes, shared }
    const group = this.members[0]?.member?.group.group
    if (group === undefined) throw new Error('no member is there')
    const at = new Date(0).toISOString()
    const counterRev = this.coordination.inspect(volumeCounterKey)[0]?.rev ?? NO_REVISION
    const { record, change } = createVolume({ group, id, wish, slices, counterRev, at })
    const result = await this.operator.txn(change)
    if (result.kind !== 'done') throw new Error(`${volumeCounterKey} is taken`)
    return record
  }

  /** Judges every change of a session's record, and counts how moves end. */
  async #watch(): Promise<void> {
    const watch = this.operator.watch(keys.sessions, NO_REVISION)
    const known = new Map<number, SessionRecord>()
    for (;;) {
      const batch = await watch.next()
      if (batch.kind !== 'changes') return
      for (const { value, created } of batch.changes) {
        const before = known.get(created)
        const record = value === null ? null : recordOf(value)
        this.#judgeHosts(created, record ?? before, record)
        if (record === null) known.delete(created)
        else {
          this.trace.add('record', `${created} ${value}`)
          if (before !== undefined) this.#judgeChange(created, before, record)
          known.set(created, record)
        }
      }
    }
  }

  #judgeHosts(id: number, of: SessionRecord | undefined, now: SessionRecord | null): void {
    if (of?.volume !== this.ownVolume.id) return
    const both = this.#oneHost.changed(id, now)
    if (both !== null) this.violation(`${both} have a volume that is not shared`)
  }

  #judgeChange(id: number, before: SessionRecord, now: SessionRecord): void {
    const { totals } = this
    if (now.gen < before.gen) this.violation(`the generation of session ${id} fell`)
    if (now.gen === before.gen && (now.owner !== before.owner || now.state !== before.state)) {
      this.violation(`session ${id} changed hands within generation ${now.gen}`)
    }
    if (before.move?.open !== true || now.gen === before.gen) return
    if (now.state === 'dead') totals.expired += 1
    else if (now.owner === before.move.to) totals.returned += 1
    else totals.reclaimed += 1
  }
}

function nextRun(offset: number): number {
  return (Math.floor(offset / RUN_BYTES) + 1) * RUN_BYTES
}

function recordOf(value: string): SessionRecord {
  const record = parseSession(value)
  if (typeof record === 'string') throw new Error(record)
  return record
}

export class SimMember {
  readonly id: MemberId
  /** What is mounted as its data folder. */
  disk: SimDisk
  /** Of its last life. */
  clock: SimClock
  /** null while it is down or opens its store. */
  member: Member | null = null
  balancer: Balancer | null = null
  readonly #group: SimGroup
  readonly #prng: Prng
  readonly #seen: SeenWrites = new Map()
  /** Its own disk, while another one is mounted: until it is back the member must not serve. */
  #right: SimDisk | null = null
  /** Segments with pages were taken away: the next start must say so. */
  lacksSegments = false
  /** The operator has said so, and says it again until the member has started. */
  #isLossAccepted = false
  #lives = 0
  #stopping: Member | null = null
  #stoppingSinceMs = 0

  constructor(group: SimGroup, id: MemberId, prng: Prng) {
    this.id = id
    this.#group = group
    this.#prng = prng
    this.clock = new SimClock(group.timeline)
    this.disk = this.#withLatency(new SimDisk(this.#hostClock()))
  }

  #withLatency(disk: SimDisk): SimDisk {
    const latency = this.#prng.fork()
    const read = this.#group.slowReads ?? (() => 0)
    disk.faults.latencyMs = (operation) => (operation === 'read' ? read() : latency.unit() * 1.5)
    return disk
  }

  /** While it is down: null is a folder without anything. */
  mountAnother(disk: SimDisk | null): void {
    this.#right ??= this.disk
    this.disk = this.#withLatency(disk ?? new SimDisk(this.#hostClock()))
  }

  get hasAnother(): boolean {
    return this.#right !== null
  }

  /** It has its own folder, or one in its place that it has started with. */
  get hasOwn(): boolean {
    return this.#right === null && !this.#isLossAccepted
  }

  /** It has opened its folder in this life, which voids what an earlier one said of it, and is not stopping: nobody says that it is closed. */
  get holdsFolder(): boolean {
    return this.member !== null && this.member !== this.#stopping
  }

  /** While it is down. */
  mountRight(): void {
    this.disk = this.#right ?? this.disk
    this.#right = null
  }

  /** Others have what it lacks, and it is to have it again. */
  #keepAnother(): void {
    this.#group.trace.add(this.id, 'goes on with that folder')
    this.#group.totals.foldersReplaced += 1
    this.#right = null
    this.#seen.clear()
  }

  /** What it held is given up, with the disk: what was answered before is known no more. */
  acceptLoss(): void {
    this.#group.trace.add(this.id, 'is given up')
    this.#group.totals.lossesAccepted += 1
    this.#group.lossy.add(this.id)
    this.#isLossAccepted = true
    this.#right = null
    this.#seen.clear()
  }

  get isUp(): boolean {
    return this.#lives > 0 && this.clock.alive
  }

  start(): void {
    const { timeline, net, coordination, isHeld } = this.#group
    if (isHeld) return
    this.#lives += 1
    this.clock = new SimClock(
      timeline,
      1 + (2 * this.#prng.unit() - 1) * clockSpread(this.#group.shape),
    )
    this.clock.wallOffsetMs = this.#prng.integer(-200, 200)
    const { clock, id } = this
    const network = net.host(id, clock)
    const handle = coordination.handle(id, (f) => clock.deliver(f))
    this.#group.trace.add(id, 'starts')
    void this.#open(clock, network, handle).catch((error: unknown) => {
      if (error instanceof RecordRefused && this.#group.coordination.isOlder) {
        this.#group.totals.recordsRefused += 1
        return this.#group.trace.add(this.id, 'refuses the group record')
      }
      if (error instanceof FolderRefused && this.hasAnother) return this.#refused(error)
      this.#group.violation(`${id} failed: ${error instanceof Error ? error.stack : String(error)}`)
    })
  }

  /** `power` loses what was not synced; `process` keeps it, as kill -9 does. */
  crash(how: 'process' | 'power'): void {
    if (!this.isUp) return
    const { trace, totals } = this.#group
    trace.add(this.id, `crashes (${how})`)
    totals.crashes += 1
    this.#ended(how)
  }

  #refused({ message }: FolderRefused): void {
    const { trace, totals } = this.#group
    trace.add(this.id, message)
    if (message.includes('is older than')) totals.oldFoldersRefused += 1
    else totals.foldersRefused += 1
    this.#ended('process')
  }

  #ended(how: 'process' | 'power'): void {
    this.#group.net.crash(this.id, how)
    if (how === 'process') this.#group.deaths.tell(this.member)
    this.member = null
    this.balancer = null
    const prng = this.#prng
    this.disk.crash((choices) => (how === 'power' ? prng.integer(0, choices - 1) : choices - 1))
  }

  /** As it is told to by its supervisor, which starts it again some time after it has ended: by itself, or killed since it took too long. */
  stop(againMs: number, meanwhile: (how: 'stopped' | 'killed') => void = () => {}): void {
    const { member, balancer, clock } = this
    if (member === null || !clock.alive || member === this.#stopping) return
    // As src/member/main.ts: half a start is not stopped.
    if (!member.slices.isServing) return
    const { trace, timeline, totals } = this.#group
    this.#stopping = member
    this.#stoppingSinceMs = timeline.nowMs
    trace.add(this.id, 'stops')
    balancer?.stop()
    const end = (how: 'stopped' | 'killed') => {
      // It may have crashed meanwhile, and live again.
      if (this.member !== member) return
      trace.add(this.id, how === 'stopped' ? 'has stopped' : 'has not stopped in time')
      this.#ended('process')
      meanwhile(how)
      timeline.after(againMs, () => {
        if (!this.isUp) this.start()
      })
    }
    const late = timeline.after(STOP_MS, () => end('killed'))
    void member.stop(this.#group.deaths.goOn()).then(() => {
      late.cancel()
      totals.stops += 1
      end('stopped')
    })
  }

  async #open(clock: SimClock, net: Net, coordinator: Coordinator): Promise<void> {
    const { id, disk } = this
    const group = this.#group
    const newId = () => group.newId()
    const tell = (event: TargetEvent) => {
      this.#tell(event)
      const { nowMs } = group.timeline
      if (event.kind !== 'end' || event.reason !== 'stopped') return
      monitor.stopped(event.session, nowMs - this.#stoppingSinceMs)
    }
    const monitor = new Monitor(group, this.#seen, (what) => group.violation(`${id}: ${what}`))
    const ports = {
      ...{ clock, net, disk, coordinator: monitor.coordinator(coordinator), newId },
      pageMended: (volume: VolumeId, page: number) => group.copies.mended(id, volume, page),
    }
    const accept = this.#isLossAccepted ? 'loss' : 'nothing'
    const member = await Member.open(ports, settingsOf(id, accept, this.#group), tell)
    if (this.hasAnother && !group.shape.relocates)
      group.violation(`${id} serves from a folder that is not its own`)
    else if (this.hasAnother) this.#keepAnother()
    this.#isLossAccepted = false
    if (this.lacksSegments && member.store.recovery.damage === null) {
      group.violation(`${id} does not say that segments are lost`)
    }
    this.lacksSegments = false
    monitor.watch(member)
    this.balancer = this.#distribute(member)
    this.member = member
    void member.store.failed.then((why) => group.violation(`the store of ${id} failed: ${why}`))
    void member.keeper.failed.then((why) => group.violation(`the copy of ${id} failed: ${why}`))
    await member.serve({ balancer: this.balancer, operator: null })
    group.trace.add(id, 'serves')
  }

  /** As src/member/start.ts does. */
  #distribute(member: Member): Balancer | null {
    const { distribution, watch } = this.#group
    if (distribution === null) return null
    const balancer = new Balancer(member, new SimProbe(member, this.#prng.fork()), distribution)
    watch.watch(member, balancer)
    return balancer
  }

  #tell(event: TargetEvent): void {
    const { totals, trace, listeners, watch } = this.#group
    watch.told(this.id, event)
    const text = JSON.stringify(event, (key, value) => (key === 'counters' ? null : value))
    trace.add(this.id, text)
    if (event.kind === 'login') totals.logins += 1
    if (event.kind === 'redirect') totals.redirects += 1
    if (event.kind === 'stand-in') totals.standIns += Number(event.is === 'begun')
    if (event.kind === 'barrier') totals.barrierClosed += 1
    if (event.kind === 'move' && event.end.kind === 'committed') totals.movesCommitted += 1
    if (event.kind === 'move' && event.end.kind === 'abandoned') totals.movesAbandoned += 1
    if (event.kind === 'move' && event.end.kind === 'lost') totals.movesLost += 1
    for (const listener of listeners) listener(this, event)
  }

  /** The disk answers this member alone, so it is as paused and as dead as its host. */
  #hostClock(): Clock {
    return {
      nowMs: () => this.clock.nowMs(),
      wallMs: () => this.clock.wallMs(),
      after: (delayMs, f) => this.clock.after(delayMs, f),
      soon: (f) => this.clock.soon(f),
    }
  }
}
