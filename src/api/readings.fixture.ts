// What a member's metrics are made from, in the tests of the API: a little of everything.
import type { DurationCounts } from '../base/durations.ts'
import { sliceCounts } from './layout.fixture.ts'
import type { Readings } from './readings.ts'

/** 3 of 0.5 ms at most, 1 of about a second, none longer than the last bound. */
const durations: DurationCounts = {
  buckets: Object.assign(new Uint32Array(24), { 5: 3, 16: 1 }),
  sumMs: 1_001.5,
  count: 4,
}

export const readings: Readings = {
  member: 'm1',
  version: '0.1.0',
  group: 'g',
  coordinationUp: true,
  coordination: [
    { ask: 'commit', durations },
    { ask: 'list', durations },
  ],
  problems: [],
  members: [
    { id: 'm1', state: 'up', restarts: 0 },
    { id: 'm2', state: 'silent', restarts: 3 },
  ],
  balance: 'on',
  predictions: { brought: 0.9, caution: 1 },
  loadRatio: [
    { resource: 'cpu', ratio: 0.31 },
    { resource: 'network', ratio: 0.12 },
  ],
  slices: sliceCounts,
  copiesMissing: [{ at: 'm2', slices: 3 }],
  sliceChanges: { takenOver: 4, handedOver: 2, left: 5, joined: 1 },
  sessions: 1,
  standIns: ['m2'],
  moves: [{ from: 'm1', to: 'm2', by: 'balance', outcome: 'returned', count: 2 }],
  drain: durations,
  pause: durations,
  loginRedirects: 1,
  logins: 5,
  barriers: 0,
  volumes: [
    {
      name: 'vol1',
      sizeBytes: 1024 ** 3,
      heldBytes: 1024 ** 2,
      takenBytes: 1024 ** 2 + 8192,
      reads: 10,
      writes: 20,
      others: 3,
      readBytes: 40_960,
      writtenBytes: 81_920,
      failures: [
        { status: 'check_condition', sense: '7/27/07', count: 2 },
        { status: 'task_set_full', sense: 'none', count: 1 },
      ],
      durations: [
        { op: 'read', durations },
        { op: 'failed', durations: { buckets: [], sumMs: 0, count: 0 } },
      ],
    },
  ],
  forwarded: [{ to: 'm2', pieces: 9 }],
  pages: 1,
  usedBytes: 1024,
  freeBytes: 2048,
  cache: { bytes: 8192, mostBytes: 65_536, hits: 3, misses: 1 },
  tombstoneRuns: 5,
  damagedPages: 0,
  scrub: { blocks: 5_000, badPages: 0, done: 0.25, allReadAgeSeconds: 86_400 },
  commits: durations,
  diskQueue: 1.5,
  networkBytes: { received: 9000, sent: 12_000 },
  networkSpeedBytes: 125_000_000,
  hostCpu: 0.4,
  eventLoopDelaySeconds: 0.0004,
  eventLoopUtilisation: 0.33,
}
