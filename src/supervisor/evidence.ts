// What the folders of a group that is stopped say of its coordination file, read without changing anything. The launcher and
// recovery judge by it alike (G28).
import { join } from 'node:path'
import type { Epoch, MemberId, SliceId } from '../base/ids.ts'
import { readCopy, readSeen } from '../coordination/record-copy.ts'
import { parseGroup, parseSlice } from '../group/parse.ts'
import { keys } from '../group/record.ts'
import { type Evidence, type MetRecord, refuseRecord } from '../group/seen.ts'
import { lastVolumeIn } from '../group/volumes.ts'
import { FolderDisk } from '../io/disk.ts'
import type { StoreContents } from '../io/sqlite-files.ts'
import { lookAtStore } from '../store/look.ts'

export async function evidenceOf(dataFolder: string, member: MemberId): Promise<Evidence> {
  const disk = new FolderDisk(join(dataFolder, member))
  const [seen, copy] = [await readSeen(disk), await readCopy(disk)]
  return { member, seen, copy, store: await lookAtStore(disk) }
}

/** A part of a sentence: why there is no record in it that could be judged. */
export function metIn({ rev, items }: Pick<StoreContents, 'rev' | 'items'>): MetRecord | string {
  const value = items.find(({ key }) => key === keys.group)?.value
  if (value === undefined) return 'holds no group'
  const group = parseGroup(value)
  if (typeof group === 'string') return `cannot be used: ${group} (key ${keys.group})`
  const epochs = epochsIn(items)
  if (typeof epochs === 'string') return `cannot be used: ${epochs}`
  return { group, rev, volumeId: lastVolumeIn(items), epochs }
}

function epochsIn(items: StoreContents['items']): ReadonlyMap<SliceId, Epoch> | string {
  const epochs = new Map<SliceId, Epoch>()
  for (const { key, value } of items) {
    if (!key.startsWith(keys.slices)) continue
    const slice = parseSlice(value)
    if (typeof slice === 'string') return `${slice} (key ${key})`
    epochs.set(keys.sliceOf(key), slice.epoch)
  }
  return epochs
}

/** The sentence of the first member whose folder knows more than the record; null: there is none. */
export function refuseByFolders(met: MetRecord, folders: readonly Evidence[]): string | null {
  for (const folder of folders) {
    const refused = refuseRecord(met, folder, folder.member)
    if (refused !== null) return refused
  }
  return null
}
