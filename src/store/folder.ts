// The data folder: made, or opened and checked. What is in it is DESIGN.md's.
import type { Disk, DiskFile } from '../base/disk.ts'
import { DiskError, isFull } from '../base/disk.ts'
import { Checkpoints } from './checkpoints.ts'
import { FolderRefused } from './failure.ts'
import { FORMAT, paths, SECTOR_BYTES, SUPER_COPY_BYTES } from './layout.ts'
import { PageTable } from './page-table.ts'
import type { StoreSettings } from './settings.ts'
import { checksumSeed, decodeSuperblock, encodeSuperblock, type Superblock } from './superblock.ts'

const ZEROS_BYTES = 1024 * 1024

export interface Folder {
  readonly superblock: Superblock
  readonly seed: number
  readonly journal: DiskFile
  /** Sectors. */
  readonly ring: number
  readonly checkpoints: Checkpoints
}

export async function openFolder(disk: Disk, settings: StoreSettings): Promise<Folder> {
  const superblock = (await readSuperblock(disk)) ?? (await makeNewFolder(disk, settings))
  if (superblock.groupId !== settings.groupId || superblock.memberId !== settings.memberId) {
    throw new FolderRefused(
      `The data folder belongs to member '${superblock.memberId}' of group ` +
        `'${superblock.groupId}', not to member '${settings.memberId}' of group '${settings.groupId}'.`,
    )
  }
  const seed = checksumSeed(superblock.folderId)
  return {
    superblock,
    seed,
    journal: await disk.open(paths.journal, 'existing'),
    ring: Math.floor(superblock.journalBytes / SECTOR_BYTES),
    checkpoints: await Checkpoints.open(disk, 'existing', seed),
  }
}

/** Null if there is none: the folder was never made completely. */
async function readSuperblock(disk: Disk): Promise<Superblock | null> {
  let file: DiskFile
  try {
    file = await disk.open(paths.superblock, 'existing')
  } catch (error) {
    if (error instanceof DiskError && error.code === 'NOT_FOUND') return null
    throw error
  }
  const bytes = new Uint8Array(2 * SUPER_COPY_BYTES)
  await file.read(bytes, 0)
  await file.close()
  const reading = decodeSuperblock(bytes)
  if (reading.kind === 'good') return reading.superblock
  throw new FolderRefused(
    reading.kind === 'newer'
      ? `The data folder has format ${reading.format}; this release knows format ${FORMAT} and ` +
          'leaves it untouched.'
      : 'Both copies of the superblock of the data folder are damaged. It never changes: put a backup ' +
          `of the file '${paths.superblock}' back. Nothing was touched.`,
  )
}

async function makeNewFolder(disk: Disk, settings: StoreSettings): Promise<Superblock> {
  try {
    return await makeFolder(disk, settings)
  } catch (cause) {
    if (!isFull(cause)) throw cause
    const mib = Math.ceil(settings.journalBytes / ZEROS_BYTES)
    throw new FolderRefused(
      `The disk has no room for a data folder: its journal alone takes ${mib} MiB. Make room and start again.`,
      { cause },
    )
  }
}

/** The superblock comes last: a cut before it leaves a folder that is made again. */
async function makeFolder(disk: Disk, settings: StoreSettings): Promise<Superblock> {
  if ((await disk.list(paths.segments)).length > 0) {
    throw new FolderRefused('The data folder holds pages but has no superblock.')
  }
  const superblock: Superblock = {
    groupId: settings.groupId,
    memberId: settings.memberId,
    folderId: settings.newFolderId,
    journalBytes: settings.journalBytes,
    slotsPerSegment: settings.slotsPerSegment,
  }
  await disk.makeFolder(paths.segments)
  await preallocate(disk, settings.journalBytes)
  const seed = checksumSeed(superblock.folderId)
  const checkpoints = await Checkpoints.open(disk, 'create', seed)
  await checkpoints.write({ tail: 0, syncedUpTo: 0 }, new PageTable(), new Uint8Array(0))
  await checkpoints.close()
  const draft = await disk.open(paths.superblockDraft, 'create')
  await draft.write([encodeSuperblock(superblock)], 0)
  await draft.sync()
  await draft.close()
  // The names of all the others before the one name that says they are there.
  await disk.syncFolder('.')
  await disk.rename(paths.superblockDraft, paths.superblock)
  await disk.syncFolder('.')
  return superblock
}

/** A journal that grew while it was used would pay for every batch twice. */
async function preallocate(disk: Disk, bytes: number): Promise<void> {
  const file = await disk.open(paths.journal, 'create')
  const zeros = new Uint8Array(Math.min(bytes, ZEROS_BYTES))
  for (let at = 0; at < bytes; at += zeros.length) {
    await file.write([zeros.subarray(0, Math.min(zeros.length, bytes - at))], at)
  }
  await file.sync()
  await file.close()
}
