// Whether a data folder is the one that the group knows as this member's, and whether it is as new as the group has seen it;
// and what is said if it is not.
//
//   record \ folder   none          its own          another one
//   none              made          used, if it has  used, if it has
//                                   no history       no history
//   there             refused       used, if it is   refused
//                                   no older copy
//
// Invariants:
//   ID1. A folder is made only where the group knows none, or when the loss of the one that it knows is accepted.
//   ID2. The folder that the group knows is used, and no other one; one that was used before is not taken for a new one.
//   ID3. A store that has promised less than the record's epochs, or whose journal ends before the mark, is an older copy.
//   ID5. A folder that was not closed is used only as the very files that were open: a copy that was made of them while they
//        were written to would pass for them after a power cut, and what was answered since be missing without a trace.
//   ID4. What a folder holds is never deleted when its loss is accepted: it is set aside.
//   ID6. A folder that names layers which this release does not know is refused: read without them it would be another volume.
import type { VolumeId } from '../base/ids.ts'
import { FolderRefused, type Remedy } from './failure.ts'
import { BASE_LAYER, FORMAT } from './layout.ts'
import type { Promises } from './promises.ts'
import type { StoreSettings } from './settings.ts'
import type { Superblock } from './superblock.ts'

type Identity = Pick<StoreSettings, 'groupId' | 'memberId' | 'known'>

/** ID1 ID2. Throws FolderRefused; 'make': there is none and there need not be. */
export function judgeFolder(found: Superblock | null, identity: Identity): 'make' | 'use' {
  const { groupId, memberId, known } = identity
  if (found === null) {
    if (known === null) return 'make'
    throw refuse(
      memberId,
      `The data folder of ${memberId} is empty, but the group knows that it has one (folder ${known.folderId}). ` +
        'Is its disk mounted, or was the folder moved away? Put it back in the place of this one, and start again.',
      'loss',
    )
  }
  if (found.groupId !== groupId || found.memberId !== memberId) {
    throw new FolderRefused(
      `The data folder belongs to member '${found.memberId}' of group '${found.groupId}', ` +
        `not to member '${memberId}' of group '${groupId}'. Is the right disk mounted? Nothing was touched.`,
    )
  }
  if (known === null || found.folderId === known.folderId) return 'use'
  throw refuse(
    memberId,
    `The data folder of ${memberId} is folder ${found.folderId}, but the group knows ${known.folderId}. ` +
      'Is the right disk mounted? Put the right folder back and start again.',
    'loss',
  )
}

/** ID5. `file`: which its superblock is. Throws FolderRefused. */
export function judgeCopy(file: string, { memberId, known, accept }: Judged): void {
  if (known === null || known.openAs === null || known.openAs === file || accept === 'damage')
    return
  throw refuse(
    memberId,
    `The data folder of ${memberId} is a copy of the one that ${memberId} had open, which was not closed: ` +
      'what was written to that one after the copy was made is not in it. Put the one itself back (moved, not copied) and start again.',
    'damage',
  )
}

/** ID2 ID3. Throws FolderRefused. */
export function judgeHistory(promises: Promises, { memberId, known, accept }: Judged): void {
  if (known === null) {
    if (promises.isEmpty) return
    throw refuse(
      memberId,
      `The data folder of ${memberId} was used before, but the group's record knows no folder of ${memberId}: ` +
        'it is not the record that this folder was used with. Put the right coordination file back and start again.',
      'loss',
    )
  }
  const slice = promises.behind(known.epochs)
  if (slice === null || accept === 'damage') return
  throw olderCopy(
    memberId,
    `it knows epoch ${promises.of(slice)} of slice ${slice}, and the group has ${known.epochs.get(slice)}`,
  )
}

type Judged = Pick<StoreSettings, 'memberId' | 'known' | 'accept'>

/** ID6. Throws FolderRefused. */
export function judgeLayer(layer: number, volume: VolumeId): void {
  if (layer === BASE_LAYER) return
  throw new FolderRefused(
    `The data folder has pages of layer ${layer} of volume ${volume}: a newer release of the same format ${FORMAT} has used it. ` +
      'Start that release; this one knows no layers and leaves the folder untouched.',
  )
}

export function olderCopy(memberId: string, how: string): FolderRefused {
  return refuse(
    memberId,
    `The data folder of ${memberId} is older than what the group has seen of it (${how}): ` +
      'an older copy, or a file in it was emptied. Put the newest one back and start again.',
    'damage',
  )
}

/** With the words that help. */
export function refuse(memberId: string, sentence: string, remedy: Remedy): FolderRefused {
  return new FolderRefused(`${sentence} ${wordsFor(memberId, remedy)}`, remedy)
}

function wordsFor(memberId: string, remedy: Remedy): string {
  if (remedy === 'none') return 'Nothing was touched.'
  const keep =
    remedy === 'damage'
      ? `To go on with what is there, though some blocks may be older than what was answered: 'evenkeel up --accept-damage ${memberId}'. `
      : ''
  return (
    `${keep}If it is lost for good: 'evenkeel up --accept-loss ${memberId}' begins a new folder, and what ` +
    `${memberId} held is a MEDIUM ERROR until it is overwritten.`
  )
}
