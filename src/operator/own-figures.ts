// What a member tells of itself: to other members that were asked by a person, to whoever probes it, and to the metrics.
import type { CacheFigures, Readings, ScrubFigures } from '../api/readings.ts'
import type { Health } from '../api/schema.ts'
import type { Balancer } from '../balance/balancer.ts'
import { missing } from '../group/slices.ts'
import type { Traffic } from '../io/net.ts'
import type { Condition } from './condition.ts'
import { sliceCountsOf } from './copies.ts'
import { stateOf } from './glance.ts'
import { healthOf } from './health.ts'
import type { HealthWatch } from './health-watch.ts'
import type { KeptPast } from './past.ts'
import { Rates } from './rates.ts'
import type { ShownMember } from './shown-member.ts'
import { type SessionSummary, SUMMARY_FORMAT, type Summary } from './summary.ts'
import type { Tally } from './tally.ts'
import type { WatchedCoordinator } from './watched-coordinator.ts'

export interface FigureSources {
  readonly past: KeptPast
  readonly member: ShownMember
  readonly balancer: Balancer
  readonly health: HealthWatch
  readonly tally: Tally
  readonly coordinator: Pick<WatchedCoordinator, 'answered'>
  readonly traffic: Readonly<Traffic>
  readonly version: string
  readonly pid: number
}

export class OwnFigures {
  readonly #sources: FigureSources
  readonly #rates: Rates
  readonly #startedMs: number

  constructor(sources: FigureSources) {
    const { member } = sources
    this.#sources = sources
    this.#startedMs = member.ports.clock.nowMs()
    const own = member.gateway.primaryIndex(member.id)
    this.#rates = new Rates(member.ports.clock, () => member.target.registry.all(), own)
  }

  stop(): void {
    this.#rates.stop()
  }

  summary(): Summary {
    const { member, balancer, health, version, pid } = this.#sources
    const usageOf = member.store.volumeUsages()
    return {
      format: SUMMARY_FORMAT,
      member: member.id,
      pid,
      version,
      usedBytes: member.store.usage().takenBytes,
      freeBytes: member.freeBytes,
      cache: cacheOf(member),
      tombstones: member.store.tombstones,
      volumes: [...member.group.volumes.keys()].map((id) => ({
        id,
        ...usageOf(id),
      })),
      sessions: [...member.target.registry.all()].flatMap((session): SessionSummary[] => {
        const { id, phase } = session
        if (phase.kind === 'ended') return []
        const { load, placed, decided } = balancer.session(session)
        return [{ id, state: phase.kind, load, placed, decided, ...this.#rates.of(session) }]
      }),
      load: balancer.memberLoad(),
      condition: health.condition(),
    }
  }

  health(): Health {
    const { member, balancer, health, version } = this.#sources
    const problems = health.own()
    return {
      ok: member.store.failure() === null,
      health: healthOf(problems),
      member: member.id,
      version,
      uptimeSeconds: (member.ports.clock.nowMs() - this.#startedMs) / 1_000,
      problems: [...problems],
      sessions: member.target.registry.size,
      load: balancer.memberLoad(),
    }
  }

  readings(): Readings {
    const { member, tally, traffic, version, balancer, health, coordinator } = this.#sources
    const usage = member.store.usage()
    const load = balancer.memberLoad()
    const own = member.group.slices.filter(({ primary }) => primary === member.id)
    const others = [...member.group.members.keys()].filter((id) => id !== member.id)
    return {
      member: member.id,
      version,
      group: member.group.group.name,
      coordinationUp: isUp(health.condition()),
      coordination: Object.entries(coordinator.answered).map(([ask, durations]) => ({
        ...{ ask, durations },
      })),
      problems: health.problems,
      members: [...member.group.members.values()].map((one) => ({
        id: one.id,
        state: stateOf(this.#sources, one),
        restarts: health.restartsOf(one.id),
      })),
      balance: balancer.mode,
      predictions: balancer.trust,
      loadRatio: balancer.loadRatios(),
      sessions: member.target.registry.size,
      standIns: member.target.standIns.all.map((one) => one.member),
      ...tally.readings(member),
      slices: sliceCountsOf(own),
      copiesMissing: others.map((at) => ({
        at,
        slices: own.filter((slice) => missing(slice).includes(at)).length,
      })),
      sliceChanges: health.sliceChanges,
      pages: usage.pages,
      usedBytes: usage.takenBytes,
      freeBytes: member.freeBytes,
      cache: cacheOf(member),
      tombstoneRuns: member.store.tombstones.runs,
      damagedPages: member.store.damagedPages().length,
      scrub: scrubOf(member),
      commits: member.store.commitWork.durations,
      diskQueue: load?.diskQueue ?? 0,
      networkBytes: {
        received: traffic.tcp.receivedBytes + traffic.unix.receivedBytes,
        sent: traffic.tcp.sentBytes + traffic.unix.sentBytes,
      },
      networkSpeedBytes: load?.networkBitsPerSecond == null ? null : load.networkBitsPerSecond / 8,
      hostCpu: load?.hostCpu ?? 0,
      eventLoopDelaySeconds: (load?.eventLoopDelayMs ?? 0) / 1_000,
      eventLoopUtilisation: load?.eventLoop ?? 0,
    }
  }
}

function cacheOf({ store }: ShownMember): CacheFigures {
  const { cachedBytes, cachedMostBytes } = store.usage()
  return { bytes: cachedBytes, mostBytes: cachedMostBytes, ...store.cacheWork }
}

/** The coordinator answers, with the group's own record. */
export function isUp({ coordinator, recordLost }: Condition): boolean {
  return coordinator === null && recordLost === null
}

function scrubOf({ store, ports: { clock } }: ShownMember): ScrubFigures {
  const { blocks, badPages, done, allReadSinceMs } = store.scrub.progress
  const ageMs = allReadSinceMs === null ? null : Math.max(0, clock.wallMs() - allReadSinceMs)
  return { blocks, badPages, done, allReadAgeSeconds: ageMs === null ? null : ageMs / 1_000 }
}
