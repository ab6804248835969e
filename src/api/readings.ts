// The counters of one member as they stand when Prometheus asks: plain numbers, counted elsewhere in plain fields. What
// is counted only ever grows while the process lives.
import type { DurationCounts } from '../base/durations.ts'
import type { MoveOutcome } from '../group/record.ts'
import type { HealthProblem } from './health-schema.ts'
import type { SliceCounts } from './layout-schema.ts'

/** What became of the slices that a member is the primary of. */
export interface SliceChangeCounts {
  /** Of a member that was silent. */
  readonly takenOver: number
  /** By a member that stays in sync. */
  readonly handedOver: number
  /** Copies that are not in sync any more, and that came in sync. */
  readonly left: number
  readonly joined: number
}

export interface Readings {
  readonly member: string
  readonly version: string
  readonly group: string
  /** The coordinator answered when it was last asked. */
  readonly coordinationUp: boolean
  /** How long its answers took, by what it was asked for. */
  readonly coordination: readonly { readonly ask: string; readonly durations: DurationCounts }[]
  /** What is wrong with the group as this member sees it. */
  readonly problems: readonly HealthProblem[]
  /** `restarts`: as this member has seen them since it started; of itself, none. */
  readonly members: readonly {
    readonly id: string
    readonly state: MemberState
    readonly restarts: number
  }[]
  /** The mode of the balance. */
  readonly balance: string
  readonly predictions: {
    /** What the last moves have brought, as a multiple of what was predicted; 1: too few are known. */
    readonly brought: number
    /** By which the price of a move is multiplied. */
    readonly caution: number
  }
  /** Load over capacity by resource: cpu, network; empty before the first sample. */
  readonly loadRatio: readonly { readonly resource: string; readonly ratio: number }[]
  readonly sessions: number
  /** Members that are away, at whose portals this one answers. */
  readonly standIns: readonly string[]
  /** Moves whose old member this is, by their outcome. */
  readonly moves: readonly MoveCount[]
  readonly drain: DurationCounts
  readonly pause: DurationCounts
  readonly loginRedirects: number
  readonly logins: number
  readonly barriers: number
  readonly volumes: readonly VolumeReadings[]
  /** Pieces that this member sent to the primary `to`. */
  readonly forwarded: readonly { readonly to: string; readonly pieces: number }[]
  /** Of which this member is the primary. */
  readonly slices: SliceCounts
  /** Of these, how many lack their copy at another member. */
  readonly copiesMissing: readonly { readonly at: string; readonly slices: number }[]
  readonly sliceChanges: SliceChangeCounts
  readonly pages: number
  readonly usedBytes: number
  readonly freeBytes: number
  readonly cache: CacheFigures
  readonly tombstoneRuns: number
  readonly damagedPages: number
  readonly scrub: ScrubFigures
  /** How long the disk took to make each batch of changes durable. */
  readonly commits: DurationCounts
  readonly diskQueue: number
  readonly networkBytes: { readonly received: number; readonly sent: number }
  /** Each way in a second; null: its network is not its own, or not known. */
  readonly networkSpeedBytes: number | null
  /** 0 … 1 of the whole host. */
  readonly hostCpu: number
  readonly eventLoopDelaySeconds: number
  readonly eventLoopUtilisation: number
}

export const MEMBER_STATES = ['up', 'draining', 'silent'] as const
export type MemberState = (typeof MEMBER_STATES)[number]

/** Reading every block against its checksum. */
export interface ScrubFigures {
  /** Of the pass under way. */
  readonly blocks: number
  readonly badPages: number
  /** Of it, 0 … 1. */
  readonly done: number
  /** All has been read since then; null: no pass has come to its end. */
  readonly allReadAgeSeconds: number | null
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

/** Of one volume; `name` is null: of all that have none here (operator/volume-tally.ts). Commands are those of sessions of this member. */
export interface VolumeReadings {
  readonly name: string | null
  /** null: another member tells it. */
  readonly sizeBytes: number | null
  /** Of the blocks that were written, on this member; those that were unmapped count for a second or so. */
  readonly heldBytes: number
  readonly takenBytes: number
  readonly reads: number
  readonly writes: number
  readonly others: number
  readonly readBytes: number
  readonly writtenBytes: number
  /** Commands that ended otherwise than with GOOD, without unit attentions. */
  readonly failures: readonly FailureCount[]
  /** From the first byte of a command to its response. */
  readonly durations: readonly { readonly op: string; readonly durations: DurationCounts }[]
}

/** `sense` is key/ASC/ASCQ as 7/27/07, or none. */
export interface FailureCount {
  readonly status: string
  readonly sense: string
  readonly count: number
}
