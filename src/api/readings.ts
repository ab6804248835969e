// The counters of one member as they stand when Prometheus asks: plain numbers, counted elsewhere in plain fields. What
// is counted only ever grows while the process lives.
import type { MoveOutcome } from '../group/record.ts'
import type { HealthProblem } from './schema.ts'

export interface Readings {
  readonly member: string
  readonly version: string
  /** The coordinator answered when it was last asked. */
  readonly coordinationUp: boolean
  /** What is wrong with the group as this member sees it. */
  readonly problems: readonly HealthProblem[]
  readonly members: readonly { readonly id: string; readonly up: boolean }[]
  /** Load over capacity by resource: cpu, network; empty before the first sample. */
  readonly loadRatio: readonly { readonly resource: string; readonly ratio: number }[]
  readonly sessions: number
  /** Moves whose old member this is, by their outcome. */
  readonly moves: readonly MoveCount[]
  readonly drain: DurationCounts
  readonly pause: DurationCounts
  readonly loginRedirects: number
  readonly logins: number
  readonly barriers: number
  readonly volumes: readonly VolumeReadings[]
  /** Commands of sessions of this member. */
  readonly latency: DurationCounts
  /** Pieces that this member sent to the primary `to`. */
  readonly forwarded: readonly { readonly to: string; readonly pieces: number }[]
  readonly pages: number
  readonly usedBytes: number
  readonly freeBytes: number
  readonly cache: CacheFigures
  readonly tombstoneRuns: number
  readonly damagedPages: number
  readonly commits: number
  readonly commitSeconds: number
  readonly diskQueue: number
  readonly networkBytes: { readonly received: number; readonly sent: number }
  /** 0 … 1 of the whole host. */
  readonly hostCpu: number
  readonly eventLoopDelaySeconds: number
  readonly eventLoopUtilisation: number
}

/** Of the blocks in memory; hits and misses only grow. */
export interface CacheFigures {
  readonly bytes: number
  /** It may take so much; 0: it is off. */
  readonly mostBytes: number
  readonly hits: number
  readonly misses: number
}

export interface MoveCount {
  readonly from: string
  readonly to: string
  readonly by: 'balance' | 'operator' | 'drain'
  readonly outcome: MoveOutcome
  readonly count: number
}

/** `buckets[i]` counts durations under 2^i / 64 ms, as SessionCounters.latencyBuckets; each duration is in one bucket, the last takes all longer ones. */
export interface DurationCounts {
  readonly buckets: ArrayLike<number>
  readonly sumMs: number
  readonly count: number
}

export interface VolumeReadings {
  readonly name: string
  readonly sizeBytes: number
  /** On this member. */
  /** Of the blocks that were written; those that were unmapped count for a second or so. */
  readonly heldBytes: number
  readonly takenBytes: number
  readonly reads: number
  readonly writes: number
  readonly others: number
  readonly readBytes: number
  readonly writtenBytes: number
  /** Commands that ended with CHECK CONDITION. */
  readonly errors: { readonly noSpace: number; readonly medium: number; readonly other: number }
}
