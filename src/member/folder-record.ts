// What a member reads of the group's record before it opens its data folder, and when a mark of it was refused.
//
// Invariants:
//   DF6. The epoch of a slice with copies as recovery has given it may be one that only another member has promised: the store of the
//        one that is its primary is no older copy for that.
import { type Clock, sleep } from '../base/clock.ts'
import {
  type Epoch,
  type MemberId,
  NO_REVISION,
  type Revision,
  type SliceId,
  type VolumeId,
} from '../base/ids.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import { usable } from '../coordination/group-view.ts'
import { parseFolder, parseSlice } from '../group/parse.ts'
import { type FolderRecord, keys, type SliceRecord } from '../group/record.ts'
import { isAsRecovered } from '../group/recover.ts'
import { lastVolumeIn, volumeCounterKey } from '../group/volumes.ts'

const AGAIN_MS = 50

export interface ReadingDeps {
  readonly clock: Clock
  readonly coordinator: Coordinator
}

/** As it was read. */
export interface StoredFolder {
  readonly rev: Revision
  readonly record: FolderRecord | null
}

export interface Read {
  readonly stored: StoredFolder
  /** The revision of the whole group record at that instant. */
  readonly rev: Revision
  /** The last that was given. */
  readonly volumeId: VolumeId
  readonly slices: ReadonlyMap<SliceId, SliceRecord>
  readonly epochs: ReadonlyMap<SliceId, Epoch>
  /** Of the slices whose primary the member is. */
  readonly ownEpochs: ReadonlyMap<SliceId, Epoch>
}

export async function readUntilAnswered(deps: ReadingDeps, id: MemberId): Promise<Read> {
  for (;;) {
    const read = await readAll(deps, id)
    if (read !== null) return read
    await sleep(deps.clock, AGAIN_MS)
  }
}

/** All of one instant; null: no answer. */
export async function readAll({ coordinator }: ReadingDeps, id: MemberId): Promise<Read | null> {
  const key = keys.folder(id)
  const result = await coordinator.txn({ read: [key, keys.slices, volumeCounterKey] })
  if (result.kind === 'unknown') return null
  const [folders = [], slices = [], counters = []] = result.read
  const item = folders.find((one) => one.key === key)
  const epochs = new Map<SliceId, Epoch>()
  const ownEpochs = new Map<SliceId, Epoch>()
  const records = new Map<SliceId, SliceRecord>()
  for (const { key, value, rev } of slices) {
    const slice = keys.sliceOf(key)
    const record = usable(key, parseSlice(value))
    records.set(slice, record)
    epochs.set(slice, record.epoch)
    const isOfOthers = isAsRecovered(rev) && Math.max(record.want.length, record.inSync.length) > 1 // DF6
    if (record.primary === id && !isOfOthers) ownEpochs.set(slice, record.epoch)
  }
  const record = item === undefined ? null : usable(key, parseFolder(item.value))
  const volumeId = lastVolumeIn(counters)
  return {
    stored: { rev: item?.rev ?? NO_REVISION, record },
    slices: records,
    epochs,
    ownEpochs,
    rev: result.rev,
    volumeId,
  }
}
