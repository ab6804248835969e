// What the data path needs of the group record; coordination/group-view.ts has it.
import type { Generation, Revision, SessionId, VolumeId } from '../base/ids.ts'
import type { SliceRecord, VolumeRecord } from '../group/record.ts'
import type { Striped } from './lanes.ts'

export interface GroupSlices {
  /** Rises with every change of what is seen here. */
  readonly rev: Revision
  readonly slices: readonly SliceRecord[]
  /** The revision at which each slice record was last changed. */
  readonly sliceRevs: readonly Revision[]
  readonly volumes: ReadonlyMap<VolumeId, Striped & Pick<VolumeRecord, 'view'>>
  readonly sessions: ReadonlyMap<SessionId, { readonly record: { readonly gen: Generation } }>
  /** Settles at the next change; false: there will be none, the member is about to stop. */
  changed(): Promise<boolean>
  /** Brings the view up to what was committed before the call; false: the coordinator cannot be reached. */
  refresh(): Promise<boolean>
}
