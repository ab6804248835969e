// What the group knows of its members' data folders.
//
// Invariants:
//   G12. A folder's record changes only from what was read: a mark that comes late never covers a later one, nor the folder
//       that has taken the place of its own.
import type { MemberId, Revision } from '../base/ids.ts'
import type { GroupChange } from './change.ts'
import { type FolderRecord, keys } from './record.ts'

/** `rev` is the revision of the record that was read, 0 if there was none. */
export function writeFolder(id: MemberId, rev: Revision, folder: FolderRecord): GroupChange {
  const key = keys.folder(id)
  return {
    compare: [{ key, rev }],
    put: [{ key, value: JSON.stringify(folder) }],
    remove: [],
  }
}
