// A member that is well, and what it tells others that ask for people: for the tests of health, summaries and control messages.
import { sessionId, volumeId } from '../base/ids.ts'
import type { Condition } from './condition.ts'
import type { Told } from './past.ts'
import { SUMMARY_FORMAT, type Summary } from './summary.ts'

const MIB = 1024 ** 2

export const well: Condition = {
  usedBytes: 100 * MIB,
  freeBytes: 900 * MIB,
  damaged: [],
  lostSegments: { files: 0, pages: 0 },
  lostVolumes: [],
  storeFailure: null,
  commitMs: 2,
  coordinator: null,
  recordLost: null,
  drain: null,
  standIns: [],
}

export const noPast: Told = {
  ...{ utilisation: [], cpu: [], memoryBytes: [], iops: [] },
  ...{ bytesPerSecond: [], latencyMs: [], sessions: [], usedBytes: [] },
  problems: [],
}

export function summaryOf(member: string): Summary {
  return {
    ...{ format: SUMMARY_FORMAT, member, pid: 7, version: '1', usedBytes: 0, freeBytes: 9 },
    cache: { bytes: 0, mostBytes: 0, hits: 0, misses: 0 },
    tombstones: { runs: 0, atMost: 16_384 },
    volumes: [{ id: volumeId(1), pages: 1, bytes: 4096, takenBytes: 1024 ** 2 }],
    sessions: [
      {
        ...{
          id: sessionId(5),
          state: 'live',
          load: null,
          placed: false,
          iops: 1.5,
          bytesPerSecond: 0,
        },
        ...{ forwardedShare: 0.5, queueDepth: 2, latencyMs: null },
        decided: { at: '2026-11-29T22:00:00.000Z', code: 'NEAR', sentence: 'It stays.' },
      },
    ],
    load: {
      ...{ reportAgeMs: 0, utilisation: 0.1, cpu: 0.1, hostCpu: 0.2, eventLoop: 0.1 },
      ...{ eventLoopDelayMs: 0, memoryBytes: 1, diskLatencyMs: null, diskQueue: 0 },
      ...{ networkBytesPerSecond: 0, iops: 0, bytesPerSecond: 0, latencyMs: null },
      ...{ resource: 'cpu', networkBitsPerSecond: null },
      ...{ forwardedShare: 0, handledIops: 0 },
    },
    condition: well,
  }
}
