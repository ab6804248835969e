// Gathers the facts of health.ts, at this member and from the others, and remembers what was found: looked at every few
// seconds, whether or not anybody asks, so that `since` is true and what comes and goes is told.
//
// Invariants:
//   HW1. Every problem that appears or goes is told once, by code and subject.
import type { HealthProblem } from '../api/health-schema.ts'
import type { SliceChangeCounts } from '../api/readings.ts'
import { Repeated } from '../balance/repeated.ts'
import { untilBeat } from '../base/clock.ts'
import type { MemberId, VolumeId } from '../base/ids.ts'
import type { SliceRecord } from '../group/record.ts'
import { missing } from '../group/slices.ts'
import { type Condition, parseCondition } from './condition.ts'
import { type HealthMemory, problemsOf } from './health.ts'
import type { GroupFacts } from './health-facts.ts'
import { type LaunchedMembers, readLauncherRecord } from './launcher-record.ts'
import { Restarts } from './restarts.ts'
import { ResyncPace } from './resync-pace.ts'
import type { ShownMember } from './shown-member.ts'
import { SliceChanges } from './slice-changes.ts'
import { standInOf } from './stand-in.ts'
import type { WatchedCoordinator } from './watched-coordinator.ts'

const EVERY_MS = 3_000
/** Members of one host start together, give or take; none is called down for starting a little later. */
const FIRST_MS = 5_000
/** The coordinator is asked at every third look; if it did not answer, at each. */
const LOOKS_PER_ASK = 3
const ASK_MS = 800

export interface HealthChange {
  readonly kind: 'appeared' | 'gone'
  readonly problem: HealthProblem
}

/** What is looked at besides the member itself. */
export interface HealthSources {
  readonly member: ShownMember
  readonly launcherFile: string | null
  readonly balancer: {
    isHeard(member: MemberId): boolean
    heardMsAgo(member: MemberId): number | null
    utilisationOf(member: MemberId): number | null
    readonly diskLatencyMs: number | null
    readonly mode: GroupFacts['balance']
    readonly trust: GroupFacts['trust']
    readonly drainer: { readonly state: Condition['drain'] }
  }
  readonly coordinator: Pick<WatchedCoordinator, 'trouble' | 'lost' | 'probe'>
  readonly tell: (change: HealthChange) => void
}

/** What each member said about itself; missing: it did not answer. */
export type Conditions = ReadonlyMap<MemberId, Condition>

export class HealthWatch {
  readonly #sources: HealthSources
  readonly #rounds: Repeated
  #memory: HealthMemory = new Map()
  #problems: readonly HealthProblem[] = []
  #looks = 0
  /** What the launcher's record said, and the starts of the members at which it was read. */
  #launched: LaunchedMembers = {}
  readonly #restarts = new Restarts()
  readonly #pace = new ResyncPace()
  readonly #sliceChanges: SliceChanges
  #starts = ''
  #conditions: Conditions = new Map()

  constructor(sources: HealthSources) {
    const { member } = sources
    this.#sources = sources
    this.#sliceChanges = new SliceChanges(member.id)
    const repetition = {
      clock: member.ports.clock,
      everyMs: () => untilBeat(member.ports.clock, EVERY_MS),
      work: () => this.#round(),
      failed: (error: unknown) => {
        throw error
      },
    }
    this.#rounds = new Repeated(repetition, FIRST_MS)
  }

  stop(): void {
    this.#rounds.stop()
  }

  /** As the last look found them, the worst first. */
  get problems(): readonly HealthProblem[] {
    return this.#problems
  }

  /** How often that member has started anew, as seen from here since the start. */
  restartsOf(id: MemberId): number {
    return this.#restarts.of(id)
  }

  /** Since the start. */
  get sliceChanges(): SliceChangeCounts {
    return this.#sliceChanges.counts
  }

  /** Who answers at the portal of that member, as the last look heard. */
  standInOf(id: MemberId): MemberId | null {
    return standInOf(id, this.#conditions)?.member ?? null
  }

  condition(): Condition {
    const { member, balancer, coordinator } = this.#sources
    const { store, freeBytes } = member
    const latencies = [balancer.diskLatencyMs, store.commitUnderWayMs].filter((ms) => ms !== null)
    return {
      usedBytes: store.usage().takenBytes,
      freeBytes,
      damaged: damagedByVolume(member),
      ...lossesOf(member),
      storeFailure: store.failure(),
      commitMs: latencies.length === 0 ? null : Math.max(...latencies),
      coordinator: coordinator.trouble,
      recordLost: coordinator.lost,
      drain: balancer.drainer.state,
      standIns: [...member.target.standIns.all],
    }
  }

  /** HW1. */
  async look(conditions: Conditions): Promise<readonly HealthProblem[]> {
    this.#conditions = conditions
    this.#lookAtPace(conditions)
    const facts = await this.#facts(conditions)
    const { problems, memory } = problemsOf(facts, this.#memory, this.#wallMs())
    const before = new Map(this.#problems.map((problem) => [keyOf(problem), problem]))
    this.#memory = memory
    this.#problems = problems
    for (const problem of problems) {
      if (!before.delete(keyOf(problem))) this.#sources.tell({ kind: 'appeared', problem })
    }
    for (const problem of before.values()) this.#sources.tell({ kind: 'gone', problem })
    return problems
  }

  #lookAtPace(conditions: Conditions): void {
    const { group, ports } = this.#sources.member
    const counts = new Map<MemberId, number>()
    for (const id of group.slices.flatMap(missing))
      if (conditions.has(id)) counts.set(id, (counts.get(id) ?? 0) + 1)
    this.#pace.look(counts, ports.clock.nowMs())
  }

  /** Of this member alone, as it is now: nobody is waited for. */
  own(): readonly HealthProblem[] {
    const { member } = this.#sources
    const conditions = new Map([[member.id, this.condition()]])
    const facts = this.#factsOf(conditions, {})
    const members = facts.members.filter(({ id }) => id === member.id)
    const own = { ...facts, members, slices: [] } // of copies it cannot judge without the others
    return problemsOf(own, this.#memory, this.#wallMs()).problems
  }

  async #round(): Promise<void> {
    const { member } = this.#sources
    this.#restarts.look(member.group.members)
    this.#sliceChanges.look(member.group.slices)
    const isDue = this.#looks % LOOKS_PER_ASK === 0 || this.#sources.coordinator.trouble !== null
    this.#looks += 1
    if (isDue) await this.#sources.coordinator.probe()
    const others = [...member.group.members.keys()].filter((id) => id !== member.id)
    const replies = await Promise.all(
      others.map((id) => member.peers.ask(id, 'condition', null, ASK_MS)),
    )
    const conditions = new Map([[member.id, this.condition()]])
    for (const [i, id] of others.entries()) {
      const condition = parseCondition(replies[i] ?? null)
      if (condition !== null) conditions.set(id, condition)
    }
    await this.look(conditions)
  }

  async #facts(conditions: Conditions): Promise<GroupFacts> {
    return this.#factsOf(conditions, await this.#readLaunched(conditions))
  }

  /** While all answer and none has started anew, there is nothing in it: an idle group reads no file. */
  async #readLaunched(conditions: Conditions): Promise<LaunchedMembers> {
    const { members } = this.#sources.member.group
    const starts = [...members.values()].map(({ bootId }) => bootId).join()
    const isSame = starts === this.#starts && conditions.size === members.size
    this.#starts = starts
    if (isSame && Object.keys(this.#launched).length === 0) return {}
    this.#launched = await readLauncherRecord(this.#sources.launcherFile)
    return this.#launched
  }

  #factsOf(conditions: Conditions, launched: LaunchedMembers): GroupFacts {
    const { member, balancer } = this.#sources
    const { group } = member
    const volumes = [...group.volumes.values()].map(({ id, name, lanes }) => ({
      ...{ id, name, lanes },
      members: new Set(lanes.flatMap((slice) => group.slices[slice]?.inSync ?? [])),
    }))
    const sessions = [...group.sessions.values()]
      .filter(({ record }) => record.state === 'live')
      .map(({ id, record }) => ({ id: String(id), volume: record.volume, member: record.owner }))
    const alone = ({ inSync }: SliceRecord) => inSync.length === 1
    const members = [...group.members.keys()].sort().map((id) => ({
      id,
      state: this.#stateOf(id, conditions),
      heardMs: this.#heardMs(id),
      link: member.peers.trouble(id),
      condition: conditions.get(id) ?? null,
      launched: launched[id] ?? null,
      draining: group.members.get(id)?.draining === true,
      slices: group.slices.filter(({ primary }) => primary === id).length,
      alone: group.slices.filter((slice) => slice.primary === id && alone(slice)).length,
      resyncMs: this.#pace.msLeft(id, member.ports.clock.nowMs()),
      utilisation: balancer.utilisationOf(id),
    }))
    const { slices } = group
    return { members, slices, volumes, sessions, balance: balancer.mode, trust: balancer.trust }
  }

  #stateOf(id: MemberId, conditions: Conditions): 'up' | 'slow' | 'down' {
    if (conditions.has(id)) return 'up'
    const { member, balancer } = this.#sources
    return balancer.isHeard(id) && member.peers.trouble(id) === null ? 'slow' : 'down'
  }

  #heardMs(id: MemberId): number | null {
    const ago = this.#sources.balancer.heardMsAgo(id)
    return ago === null ? null : Math.round(this.#wallMs() - ago)
  }

  #wallMs(): number {
    return this.#sources.member.ports.clock.wallMs()
  }
}

function damagedByVolume({ store, group, repairs }: ShownMember): Condition['damaged'] {
  const found = new Map<VolumeId, { pages: number; mendable: number }>()
  for (const { volume, page } of store.damagedPages()) {
    const judged = repairs.judge(volume, page)
    if (!group.volumes.has(volume) || judged === 'unused') continue
    const { pages, mendable } = found.get(volume) ?? { pages: 0, mendable: 0 }
    const more = judged === 'mendable' ? 1 : 0
    found.set(volume, { pages: pages + 1, mendable: mendable + more })
  }
  return [...found].map(([volume, counts]) => ({ volume, ...counts }))
}

function lossesOf({ store, group }: ShownMember): Pick<Condition, 'lostSegments' | 'lostVolumes'> {
  const { segments, volumes } = store.losses()
  const pages = segments.reduce((sum, segment) => sum + segment.pages, 0)
  return {
    lostSegments: { files: segments.length, pages },
    lostVolumes: volumes.filter((id) => group.volumes.has(id)),
  }
}

function keyOf({ code, subject }: HealthProblem): string {
  return `${code} ${subject}`
}
