// What /metrics tells, made anew from the readings at each scrape: names, help and units live here and nowhere else, and
// nothing of it is on the data path.
//
// Invariants:
//   ME1. A series is of this member, and one `sum` over members is right; what every member tells alike says so in its help.
//   ME2. Labels are bounded: by the members, by what this software knows (ops, senses, codes), and by the number of volumes
//        that are told by name.
import { Exposition, type Value } from './exposition.ts'
import { MEMBER_STATES, type Readings, type VolumeReadings } from './readings.ts'

const startedSeconds = Math.round(Date.now() - process.uptime() * 1_000) / 1_000
/** No volume can be called so. */
const REST = '(rest)'
/** There from the beginning, so that their first is seen: no room, and what cannot be read. */
const FAILURES_AT_LEAST = [
  { status: 'check_condition', sense: '7/27/07', count: 0 },
  { status: 'check_condition', sense: '3/11/00', count: 0 },
]

const REASONS = ['balance', 'operator', 'drain']

interface MoveKind {
  readonly to: string
  readonly by: string
  readonly outcome: string
}

export function metricsText(readings: Readings): Promise<string> {
  const text = new Exposition()
  describeMember(readings, text)
  describeGroup(readings, text)
  describeStore(readings, text)
  describeSlices(readings, text)
  describeMachine(readings, text)
  describeMoves(readings, text)
  describeVolumes(readings, text)
  describeCommands(readings, text)
  return text.text()
}

function describeMember(readings: Readings, text: Exposition): void {
  const { member, version, group } = readings
  const one = (value: number): readonly Value[] => [{ labels: { member }, value }]
  text.gauge('evenkeel_build_info', 'Version in use, and the name of the group', [
    { labels: { member, version, group }, value: 1 },
  ])
  text.gauge(
    'evenkeel_member_load_ratio',
    'Load over capacity',
    readings.loadRatio.map(({ resource, ratio }) => ({
      labels: { member, resource },
      value: ratio,
    })),
  )
  text.gauge('evenkeel_sessions', 'Sessions that this member holds', one(readings.sessions))
  text.gauge(
    'evenkeel_stand_in',
    'Members that are away, and at whose portals this member answers: 1 for each',
    readings.standIns.map((of) => ({ labels: { member, of }, value: 1 })),
  )
  text.counter('evenkeel_logins_total', 'Logins that this member took', one(readings.logins))
  text.counter(
    'evenkeel_login_redirects_total',
    'Logins that this member sent elsewhere',
    one(readings.loginRedirects),
  )
  text.counter(
    'evenkeel_login_barriers_total',
    'Login barriers that this member ran',
    one(readings.barriers),
  )
  text.counter(
    'evenkeel_forwarded_pieces_total',
    'Pieces of commands that this member sent to the primary of their slice',
    readings.forwarded.map(({ to, pieces }) => ({ labels: { member, to }, value: pieces })),
  )
}

/** As this member sees it; the others tell the same (ME1). */
function describeGroup(readings: Readings, text: Exposition): void {
  const { member, members, balance, predictions } = readings
  text.gauge(
    'evenkeel_member_state',
    'Members as the one that is asked sees them, itself included: 1 for the state they are in',
    members.flatMap(({ id, state }) =>
      MEMBER_STATES.map((one) => ({
        labels: { member: id, state: one },
        value: Number(one === state),
      })),
    ),
  )
  text.counter(
    'evenkeel_member_restarts_total',
    'How often members have started anew, as the one that is asked has seen since it started: take the maximum by member',
    members.map(({ id, restarts }) => ({ labels: { member: id }, value: restarts })),
  )
  text.gauge(
    'evenkeel_problem',
    'What is wrong with the group, as this member sees it: 1 while it is',
    readings.problems.map(({ code, severity, subject }) => ({
      labels: { member, code, severity, subject },
      value: 1,
    })),
  )
  text.gauge(
    'evenkeel_balance_mode',
    'The mode of the balance, the same from each member: 1 for the one in force',
    ['on', 'advise', 'off'].map((mode) => ({
      labels: { member, mode },
      value: Number(mode === balance),
    })),
  )
  text.gauge(
    'evenkeel_move_prediction_ratio',
    'What the last moves have brought over what was predicted, as the middle one; 1 if too few are known',
    [{ labels: { member }, value: predictions.brought }],
  )
  text.gauge(
    'evenkeel_move_caution_ratio',
    'By which the price of moves is multiplied since predictions were off; 1 if they were not',
    [{ labels: { member }, value: predictions.caution }],
  )
}

function describeStore(readings: Readings, text: Exposition): void {
  const { member, cache } = readings
  const one = (value: number): readonly Value[] => [{ labels: { member }, value }]
  text.gauge(
    'evenkeel_coordination_up',
    'Whether the coordination file answered this member when it last asked',
    one(readings.coordinationUp ? 1 : 0),
  )
  text.histogram(
    'evenkeel_coordination_duration_seconds',
    'How long the coordination file took to answer this member: a commit, or a list of records',
    readings.coordination.map(({ ask, durations }) => ({ labels: { member, ask }, durations })),
  )
  text.gauge('evenkeel_pages', 'Pages stored on this member', one(readings.pages))
  const { usedBytes, freeBytes } = readings
  text.gauge('evenkeel_store_used_bytes', 'Bytes of the data folder in use', one(usedBytes))
  text.gauge('evenkeel_store_free_bytes', 'Bytes that pages may still take', one(freeBytes))
  text.gauge(
    'evenkeel_cache_bytes',
    'Bytes of the blocks that are kept in memory since they are read often',
    one(cache.bytes),
  )
  text.counter(
    'evenkeel_cache_hits_total',
    'Blocks of 4 KiB, of reads, that came from memory',
    one(cache.hits),
  )
  text.counter(
    'evenkeel_cache_misses_total',
    'Blocks of 4 KiB, of reads, that came from the disk, or from the page cache of the kernel',
    one(cache.misses),
  )
  text.gauge(
    'evenkeel_store_tombstone_runs',
    'Runs of 16 pages of which nothing is kept but when they were unmapped',
    one(readings.tombstoneRuns),
  )
  text.gauge(
    'evenkeel_store_damaged_pages',
    'Pages of which a read found a block that has no good copy here, since the start',
    one(readings.damagedPages),
  )
  describeScrub(readings, text)
  text.histogram(
    'evenkeel_journal_commit_duration_seconds',
    'How long the disk took to make a batch of changes durable',
    [{ labels: { member }, durations: readings.commits }],
  )
  text.gauge(
    'evenkeel_journal_queue',
    'Changes that waited for the journal, mean of the last sample',
    one(readings.diskQueue),
  )
}

function describeSlices(readings: Readings, text: Exposition): void {
  const { member } = readings
  const { whole, degraded, lastCopy, unavailable } = readings.slices
  text.gauge(
    'evenkeel_slices',
    'Slices that this member is the primary of, by the state of their copies',
    Object.entries({ whole, degraded, last_copy: lastCopy, unavailable }).map(([state, value]) => ({
      labels: { member, state },
      value,
    })),
  )
  text.gauge(
    'evenkeel_copies_missing',
    'Of these, slices whose copy at another member is wanted and not in sync',
    readings.copiesMissing.map(({ at, slices }) => ({ labels: { member, at }, value: slices })),
  )
  const { takenOver, handedOver, left, joined } = readings.sliceChanges
  text.counter(
    'evenkeel_slice_changes_total',
    'What became of slices of which this member is the primary: taken_over from a member that was silent, handed_over by one in sync, a copy left or joined',
    Object.entries({ taken_over: takenOver, handed_over: handedOver, left, joined }).map(
      ([change, value]) => ({ labels: { member, change }, value }),
    ),
  )
}

function describeScrub({ member, scrub }: Readings, text: Exposition): void {
  const one = (value: number) => [{ labels: { member }, value }]
  text.gauge(
    'evenkeel_scrub_blocks',
    'Blocks of 4 KiB that were read against their checksums in the pass of scrubbing under way',
    one(scrub.blocks),
  )
  text.gauge(
    'evenkeel_scrub_bad_pages',
    'Pages with a block that was found damaged in that pass',
    one(scrub.badPages),
  )
  text.gauge('evenkeel_scrub_done_ratio', 'How far that pass is, 0 to 1', one(scrub.done))
  if (scrub.allReadAgeSeconds !== null) {
    text.gauge(
      'evenkeel_scrub_age_seconds',
      'Every block has been read against its checksum since so long ago; absent before the first pass has ended',
      one(scrub.allReadAgeSeconds),
    )
  }
}

function describeMachine(readings: Readings, text: Exposition): void {
  const { member, networkBytes } = readings
  const one = (value: number): readonly Value[] => [{ labels: { member }, value }]
  text.counter(
    'evenkeel_network_bytes_total',
    'Bytes on the sockets of initiators and members',
    Object.entries(networkBytes).map(([direction, value]) => ({
      labels: { member, direction },
      value,
    })),
  )
  if (readings.networkSpeedBytes !== null) {
    text.gauge(
      'evenkeel_network_speed_bytes',
      'What initiators can reach the member by in a second, each way; absent where that is shared or not known',
      one(readings.networkSpeedBytes),
    )
  }
  text.gauge('evenkeel_host_cpu_ratio', 'CPU of the host in use', one(readings.hostCpu))
  text.gauge(
    'evenkeel_event_loop_delay_seconds',
    'Event-loop delay at the last sample',
    one(readings.eventLoopDelaySeconds),
  )
  text.gauge(
    'evenkeel_event_loop_utilisation_ratio',
    'Event-loop utilisation',
    one(readings.eventLoopUtilisation),
  )
  const { user, system } = process.cpuUsage()
  text.counter('process_cpu_seconds_total', 'User and system CPU of the process', [
    { value: (user + system) / 1e6 },
  ])
  text.gauge('process_start_time_seconds', 'When the process started, in seconds since 1970', [
    { value: startedSeconds },
  ])
  text.gauge('process_resident_memory_bytes', 'Resident memory of the process', [
    { value: process.memoryUsage.rss() },
  ])
}

function describeMoves(readings: Readings, text: Exposition): void {
  const { member, members, drain, pause } = readings
  // There from the beginning, so that the first one is seen as one more.
  const none = members.flatMap(({ id }) =>
    id === member ? [] : REASONS.map((by) => ({ to: id, by, outcome: 'returned', count: 0 })),
  )
  const moves = [...readings.moves, ...none.filter((one) => !isCounted(readings.moves, one))]
  text.counter(
    'evenkeel_session_moves_total',
    'Moves of sessions that this member held',
    moves.map(({ to, by, outcome, count }) => ({
      labels: { member, from: member, to, reason: by, result: outcome },
      value: count,
    })),
  )
  text.histogram(
    'evenkeel_session_drain_duration_seconds',
    'Moves: window frozen to nothing outstanding',
    [{ labels: { member }, durations: drain }],
  )
  text.histogram(
    'evenkeel_session_move_duration_seconds',
    'Moves: last response at the old member to the first at the new',
    [{ labels: { member }, durations: pause }],
  )
}

function isCounted(moves: Readings['moves'], { to, by, outcome }: MoveKind): boolean {
  return moves.some((one) => one.to === to && one.by === by && one.outcome === outcome)
}

function describeVolumes({ member, volumes }: Readings, text: Exposition): void {
  const each = (of: (volume: VolumeReadings) => number): readonly Value[] =>
    volumes.map((one) => ({ labels: { member, volume: one.name ?? REST }, value: of(one) }))
  text.gauge(
    'evenkeel_volume_size_bytes',
    'Size of volumes as initiators see it, told by the primary of their first lane alone',
    volumes.flatMap(({ name, sizeBytes }) =>
      sizeBytes === null ? [] : [{ labels: { member, volume: name ?? REST }, value: sizeBytes }],
    ),
  )
  text.gauge(
    'evenkeel_volume_held_bytes',
    'Bytes of the blocks of the volume that this member has',
    each(({ heldBytes }) => heldBytes),
  )
  text.gauge(
    'evenkeel_volume_taken_bytes',
    'What they take of the disk of this member',
    each(({ takenBytes }) => takenBytes),
  )
}

/** Of sessions of this member. */
function describeCommands({ member, volumes }: Readings, text: Exposition): void {
  const eachOp = (of: (volume: VolumeReadings) => Readonly<Record<string, number>>) =>
    volumes.flatMap((one) =>
      Object.entries(of(one)).map(([op, value]) => ({
        labels: { member, volume: one.name ?? REST, op },
        value,
      })),
    )
  text.counter(
    'evenkeel_volume_io_total',
    'Commands of sessions of this member that ended with GOOD',
    eachOp(({ reads, writes, others }) => ({ read: reads, write: writes, other: others })),
  )
  text.counter(
    'evenkeel_volume_io_bytes_total',
    'Bytes of sessions of this member',
    eachOp(({ readBytes, writtenBytes }) => ({ read: readBytes, write: writtenBytes })),
  )
  text.counter(
    'evenkeel_volume_io_errors_total',
    'Commands of sessions of this member that failed, by SCSI status and sense (key/ASC/ASCQ); no unit attentions',
    volumes.flatMap(({ name, failures }) => {
      const known = (one: (typeof failures)[number]) =>
        failures.some(({ status, sense }) => status === one.status && sense === one.sense)
      const all = [...failures, ...FAILURES_AT_LEAST.filter((one) => !known(one))]
      return all.map(({ status, sense, count }) => ({
        labels: { member, volume: name ?? REST, status, sense },
        value: count,
      }))
    }),
  )
  text.histogram(
    'evenkeel_io_duration_seconds',
    'Commands of sessions of this member, from first byte to response; failed: that did not end with GOOD',
    volumes.flatMap(({ name, durations: byOp }) =>
      byOp
        .filter(({ durations }) => durations.count > 0)
        .map(({ op, durations }) => ({
          labels: { member, volume: name ?? REST, op },
          durations,
        })),
    ),
  )
}
