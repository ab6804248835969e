// What health is judged by: what is known of the members, the volumes and the sessions at one look.
import type { MemberId, SliceId, VolumeId } from '../base/ids.ts'
import type { Trust } from '../distribution/trust.ts'
import type { SliceRecord } from '../group/record.ts'
import type { Condition } from './condition.ts'
import type { Launched } from './launcher-record.ts'

export interface MemberFacts {
  readonly id: MemberId
  /** up: it answered just now; slow: it did not, but its report is recent; down: neither. */
  readonly state: 'up' | 'slow' | 'down'
  /** When it was last heard, in ms since 1970; null: not since this member's start. */
  readonly heardMs: number | null
  /** Why there is no stream from here to it, without a full stop; null: there is one, or it is this member. */
  readonly link: string | null
  /** null: it did not answer. */
  readonly condition: Condition | null
  /** null: it has not ended by itself lately, or nobody supervises it. */
  readonly launched: Launched | null
  /** By an operator's word. */
  readonly draining: boolean
  /** Of which it is the primary. */
  readonly slices: number
  /** Of these, those that nobody else could take over. */
  readonly alone: number
  /** Until all its copies are in sync, by how fast they came back lately; null: not known, or they are. */
  readonly resyncMs: number | null
  /** Load over capacity; null: not known. */
  readonly utilisation: number | null
}

export interface GroupFacts {
  readonly members: readonly MemberFacts[]
  readonly slices: readonly SliceRecord[]
  /** `members`: those that have copies of its slices. */
  readonly volumes: readonly {
    readonly id: VolumeId
    readonly name: string
    readonly lanes: readonly SliceId[]
    readonly members: ReadonlySet<MemberId>
  }[]
  readonly sessions: readonly {
    readonly id: string
    readonly volume: VolumeId
    readonly member: MemberId
  }[]
  readonly balance: 'on' | 'off' | 'advise'
  /** What the last moves have brought beside what was predicted. */
  readonly trust: Trust
}
