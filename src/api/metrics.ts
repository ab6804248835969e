// Prometheus' text, made anew from the readings at each scrape: names, help and units live here and nowhere else, and
// nothing of it is on the data path.
import { Counter, Gauge, Registry } from 'prom-client'
import type { DurationCounts, Readings, VolumeReadings } from './readings.ts'

export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE

const startedSeconds = Math.round(Date.now() - process.uptime() * 1_000) / 1_000

type Labels = Readonly<Record<string, string>>
interface Value {
  readonly labels?: Labels
  readonly value: number
}

export async function metricsText(readings: Readings): Promise<string> {
  const registry = new Registry()
  const gauge = (name: string, help: string, values: readonly Value[]): void => {
    const metric = new Gauge({ name, help, labelNames: labelsOf(values), registers: [registry] })
    for (const { labels = {}, value } of values) metric.set(labels, value)
  }
  const counter = (name: string, help: string, values: readonly Value[]): void => {
    const metric = new Counter({ name, help, labelNames: labelsOf(values), registers: [registry] })
    for (const { labels = {}, value } of values) metric.inc(labels, value)
  }
  describeMember(readings, gauge, counter)
  describeSystem(readings, gauge, counter)
  describeMoves(readings, counter)
  describeVolumes(readings, gauge, counter)
  const histograms = [
    histogram(
      'evenkeel_io_duration_seconds',
      'Commands from first byte to response',
      readings,
      readings.latency,
    ),
    histogram(
      'evenkeel_session_drain_duration_seconds',
      'Moves: window frozen to nothing outstanding',
      readings,
      readings.drain,
    ),
    histogram(
      'evenkeel_session_move_duration_seconds',
      'Moves: last response at the old member to the first at the new',
      readings,
      readings.pause,
    ),
  ]
  return `${await registry.metrics()}\n${histograms.join('\n')}`
}

type Describe = (name: string, help: string, values: readonly Value[]) => void

function describeMember(readings: Readings, gauge: Describe, counter: Describe): void {
  const { member, version } = readings
  const one = (value: number): readonly Value[] => [{ labels: { member }, value }]
  gauge('evenkeel_build_info', 'Version in use', [{ labels: { member, version }, value: 1 }])
  gauge(
    'evenkeel_member_state',
    'Members as this one sees them: 1 for the state they are in',
    readings.members.flatMap(({ id, up }) => [
      { labels: { member: id, state: 'up' }, value: up ? 1 : 0 },
      { labels: { member: id, state: 'silent' }, value: up ? 0 : 1 },
    ]),
  )
  gauge(
    'evenkeel_coordination_up',
    'Whether the coordination file answered this member when it last asked',
    one(readings.coordinationUp ? 1 : 0),
  )
  gauge(
    'evenkeel_problem',
    'What is wrong with the group, as this member sees it: 1 while it is',
    readings.problems.map(({ code, severity, subject }) => ({
      labels: { member, code, severity, subject },
      value: 1,
    })),
  )
  gauge(
    'evenkeel_member_load_ratio',
    'Load over capacity',
    readings.loadRatio.map(({ resource, ratio }) => ({
      labels: { member, resource },
      value: ratio,
    })),
  )
  gauge('evenkeel_sessions', 'Sessions that this member holds', one(readings.sessions))
  counter('evenkeel_logins_total', 'Logins that this member took', one(readings.logins))
  counter(
    'evenkeel_login_redirects_total',
    'Logins that this member sent elsewhere',
    one(readings.loginRedirects),
  )
  counter(
    'evenkeel_login_barriers_total',
    'Login barriers that this member ran',
    one(readings.barriers),
  )
  gauge('evenkeel_pages', 'Pages stored on this member', one(readings.pages))
  gauge('evenkeel_store_used_bytes', 'Bytes of the data folder in use', one(readings.usedBytes))
  gauge('evenkeel_store_free_bytes', 'Bytes that pages may still take', one(readings.freeBytes))
  gauge(
    'evenkeel_cache_bytes',
    'Bytes of the blocks that are kept in memory since they are read often',
    one(readings.cache.bytes),
  )
  counter(
    'evenkeel_cache_hits_total',
    'Blocks of 4 KiB, of reads, that came from memory',
    one(readings.cache.hits),
  )
  counter(
    'evenkeel_cache_misses_total',
    'Blocks of 4 KiB, of reads, that came from the disk, or from the page cache of the kernel',
    one(readings.cache.misses),
  )
  gauge(
    'evenkeel_store_tombstone_runs',
    'Runs of 16 pages of which nothing is kept but when they were unmapped',
    one(readings.tombstoneRuns),
  )
  gauge(
    'evenkeel_store_damaged_pages',
    'Pages of which a read found a block that has no good copy here, since the start',
    one(readings.damagedPages),
  )
}

function describeSystem(readings: Readings, gauge: Describe, counter: Describe): void {
  const { member } = readings
  const one = (value: number): readonly Value[] => [{ labels: { member }, value }]
  counter(
    'evenkeel_journal_commits_total',
    'Batches of changes made durable together',
    one(readings.commits),
  )
  counter(
    'evenkeel_journal_commit_seconds_total',
    'Time that the disk took to make them durable',
    one(readings.commitSeconds),
  )
  gauge(
    'evenkeel_journal_queue',
    'Changes that waited for the journal, mean of the last sample',
    one(readings.diskQueue),
  )
  counter(
    'evenkeel_network_bytes_total',
    'Bytes on the sockets of initiators and members',
    Object.entries(readings.networkBytes).map(([direction, value]) => ({
      labels: { member, direction },
      value,
    })),
  )
  gauge('evenkeel_host_cpu_ratio', 'CPU of the host in use', one(readings.hostCpu))
  gauge(
    'evenkeel_event_loop_delay_seconds',
    'Event-loop delay at the last sample',
    one(readings.eventLoopDelaySeconds),
  )
  gauge(
    'evenkeel_event_loop_utilisation_ratio',
    'Event-loop utilisation',
    one(readings.eventLoopUtilisation),
  )
  const { user, system } = process.cpuUsage()
  counter('process_cpu_seconds_total', 'User and system CPU of the process', [
    { value: (user + system) / 1e6 },
  ])
  gauge('process_start_time_seconds', 'When the process started, in seconds since 1970', [
    { value: startedSeconds },
  ])
  gauge('process_resident_memory_bytes', 'Resident memory of the process', [
    { value: process.memoryUsage.rss() },
  ])
}

function describeMoves(readings: Readings, counter: Describe): void {
  counter(
    'evenkeel_session_moves_total',
    'Moves of sessions that this member held',
    readings.moves.map(({ from, to, by, outcome, count }) => ({
      labels: { member: readings.member, from, to, reason: by, result: outcome },
      value: count,
    })),
  )
  counter(
    'evenkeel_forwarded_pieces_total',
    'Pieces of commands that this member sent to the primary of their slice',
    readings.forwarded.map(({ to, pieces }) => ({
      labels: { member: readings.member, to },
      value: pieces,
    })),
  )
}

function describeVolumes({ member, volumes }: Readings, gauge: Describe, counter: Describe): void {
  const each = (of: (volume: VolumeReadings) => number): readonly Value[] =>
    volumes.map((volume) => ({ labels: { member, volume: volume.name }, value: of(volume) }))
  const eachOp = (of: (volume: VolumeReadings) => Readonly<Record<string, number>>) =>
    volumes.flatMap((volume) =>
      Object.entries(of(volume)).map(([op, value]) => ({
        labels: { member, volume: volume.name, op },
        value,
      })),
    )
  gauge(
    'evenkeel_volume_size_bytes',
    'Size as initiators see it: of the volume, and the same from each member',
    each(({ sizeBytes }) => sizeBytes),
  )
  gauge(
    'evenkeel_volume_held_bytes',
    'Bytes of the blocks of the volume that this member has',
    each(({ heldBytes }) => heldBytes),
  )
  gauge(
    'evenkeel_volume_taken_bytes',
    'What they take of the disk of this member',
    each(({ takenBytes }) => takenBytes),
  )
  counter(
    'evenkeel_volume_io_total',
    'Commands of sessions of this member',
    eachOp(({ reads, writes, others }) => ({ read: reads, write: writes, other: others })),
  )
  counter(
    'evenkeel_volume_io_errors_total',
    'Commands of sessions of this member that ended with CHECK CONDITION, by what their sense says',
    volumes.flatMap(({ name, errors }) =>
      Object.entries(errors).map(([sense, value]) => ({
        labels: { member, volume: name, sense },
        value,
      })),
    ),
  )
  counter(
    'evenkeel_volume_io_bytes_total',
    'Bytes of sessions of this member',
    eachOp(({ readBytes, writtenBytes }) => ({ read: readBytes, write: writtenBytes })),
  )
}

function labelsOf(values: readonly Value[]): string[] {
  return Object.keys(values[0]?.labels ?? {})
}

/** prom-client can only observe one value at a time; these were counted in buckets. */
function histogram(
  name: string,
  help: string,
  { member }: Readings,
  counts: DurationCounts,
): string {
  const own = `member="${member}"`
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`]
  let below = 0
  for (let i = 0; i + 1 < counts.buckets.length; i += 1) {
    below += counts.buckets[i] ?? 0
    lines.push(`${name}_bucket{${own},le="${2 ** i / 64_000}"} ${below}`)
  }
  lines.push(`${name}_bucket{${own},le="+Inf"} ${counts.count}`)
  lines.push(`${name}_sum{${own}} ${counts.sumMs / 1000}`)
  lines.push(`${name}_count{${own}} ${counts.count}`, '')
  return lines.join('\n')
}
