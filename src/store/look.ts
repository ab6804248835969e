// What a store knows of ids that the group's record has given: told before it is recovered, and read from a folder that
// nobody has open. Nothing is changed by it. Bounded by what recovery reads: one checkpoint and the journal.
//
// Invariants:
//   LK1. A folder that is looked at stays as it was, byte for byte.
//   LK2. It tells at least what the store would remember after recovery: every operation that recovery replays is in it.
import { type Disk, DiskError, type DiskFile } from '../base/disk.ts'
import {
  type Epoch,
  type SessionId,
  type SliceId,
  sessionId,
  type VolumeId,
  volumeId,
} from '../base/ids.ts'
import { FolderRefused } from './failure.ts'
import { type Folder, openOldFolder } from './folder.ts'
import { readPayload, type Survey, survey } from './journal-scan.ts'
import { recordKind } from './layout.ts'
import { OperationMemory } from './operations.ts'
import { decodeEpochs, Promises } from './promises.ts'
import type { RecordHeader } from './record.ts'
import { SliceIndex } from './slice-index.ts'

export interface StoreKnowledge {
  readonly groupId: string
  /** The newest whose operations it remembers; 0: none. */
  readonly session: SessionId
  /** The highest that it has, or had, pages of; 0: none. */
  readonly volume: VolumeId
  /** By slice, the highest that was promised. */
  readonly epochs: ReadonlyMap<SliceId, Epoch>
  /** By slice, the highest under which it has a change, or has dropped the slice. */
  readonly written: ReadonlyMap<SliceId, Epoch>
}

/** Of the checkpoint. */
interface Checkpointed {
  readonly groupId: string
  readonly sessions: Iterable<SessionId>
  readonly volumes: Iterable<VolumeId>
  readonly promises: Promises
  readonly slices: SliceIndex
}

/** LK2: a header tells whose it is, whether or not its write is whole. */
export async function knowledgeOf(
  { groupId, sessions, volumes, promises, slices }: Checkpointed,
  { journal, ring }: Pick<Folder, 'journal' | 'ring'>,
  { records }: Survey,
): Promise<StoreKnowledge> {
  let session = sessionId(0)
  let volume = volumeId(0)
  const epochs = new Map(promises.all)
  const written = new Map(slices.epochs())
  for (const id of sessions) if (id > session) session = id
  for (const id of volumes) if (id > volume) volume = id
  for (const header of records.values()) {
    if (header.session > session) session = header.session
    if (header.volume > volume) volume = header.volume
    const isPromise = header.kind === recordKind.promise
    const had = isPromise ? await promisedIn(journal, ring, header) : [epochOf(header)]
    for (const [slice, epoch] of had) {
      raise(epochs, slice, epoch)
      if (!isPromise) raise(written, slice, epoch)
    }
  }
  return { groupId, session, volume, epochs, written }
}

function epochOf({ slice, epoch }: RecordHeader) {
  return [slice, epoch] as const
}

function raise(epochs: Map<SliceId, Epoch>, slice: SliceId, epoch: Epoch): void {
  if (epoch > (epochs.get(slice) ?? 0)) epochs.set(slice, epoch)
}

async function promisedIn(journal: DiskFile, ring: number, header: RecordHeader) {
  const { payload, bad } = await readPayload(journal, ring, header)
  return bad.length === 0 ? decodeEpochs(payload.subarray(0, header.bytes)) : []
}

/** Null: there is no store, or it can give no account of itself. */
export async function lookAtStore(disk: Disk): Promise<StoreKnowledge | null> {
  let folder: Folder | null = null
  try {
    folder = await openOldFolder(disk)
    return folder === null ? null : await lookAt(folder)
  } catch (error) {
    if (error instanceof FolderRefused || error instanceof DiskError) return null
    throw error
  } finally {
    await folder?.journal.close()
    await folder?.checkpoints.close()
  }
}

async function lookAt(folder: Folder) {
  const { superblock, seed, ring, journal, checkpoints } = folder
  const { groupId, memberId } = superblock
  const loaded = await checkpoints.load(memberId)
  const { tail, syncedUpTo, sequence } = loaded.head
  const found = await survey(journal, ring, seed, { tail, syncedUpTo, checkpoint: sequence })
  const operations = new OperationMemory()
  operations.decode(loaded.operations)
  const promises = new Promises()
  promises.add(decodeEpochs(loaded.promises))
  const slices = new SliceIndex()
  slices.decode(loaded.slices)
  const volumes = volumesOf(loaded.pages)
  const sessions = operations.sessions()
  return knowledgeOf({ groupId, sessions, volumes, promises, slices }, folder, found)
}

function* volumesOf(pages: Iterable<{ readonly volume: VolumeId }>): Generator<VolumeId> {
  for (const { volume } of pages) yield volume
}
