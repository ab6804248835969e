// The data folder: made, or opened and checked. What is in it is DESIGN.md's.
import type { Disk, DiskFile } from '../base/disk.ts'
import { DiskError, isFull } from '../base/disk.ts'
import { Checkpoints } from './checkpoints.ts'
import { FolderRefused } from './failure.ts'
import { judgeCopy, judgeFolder, refuse } from './identity.ts'
import { FORMAT, paths, SECTOR_BYTES, SUPER_COPY_BYTES } from './layout.ts'
import { type HeldVolume, LostPages } from './lost-pages.ts'
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
  const found = await readSuperblock(disk, settings.memberId)
  // Not empty, as a folder that is not mounted would be. One that the group does not know may be half made.
  if (found === null && settings.known !== null && (await disk.list('.')).includes(paths.journal))
    throw lacks(settings.memberId, [paths.superblock])
  if (judgeFolder(found, settings) === 'make' || found === null)
    return openFiles(disk, await makeNewFolder(disk, settings, []))
  judgeCopy(await disk.identityOf(paths.superblock), settings)
  return openFiles(disk, found)
}

/** As it is, whoever's it is; null: there is none. Rejects with FolderRefused or the disk's error. */
export async function openOldFolder(disk: Disk): Promise<Folder | null> {
  const found = await readSuperblock(disk, 'the member')
  return found === null ? null : openFiles(disk, found)
}

/** ID4: a new folder in the place of one that is given up. */
export async function replaceFolder(disk: Disk, settings: StoreSettings): Promise<Folder> {
  await setAside(disk)
  return openFiles(disk, await makeNewFolder(disk, settings, settings.volumesHeld))
}

async function openFiles(disk: Disk, superblock: Superblock): Promise<Folder> {
  const { memberId } = superblock
  const there = new Set(await disk.list('.'))
  const missing = [paths.journal, ...paths.checkpoints].filter((name) => !there.has(name))
  if (missing.length > 0) throw lacks(memberId, missing)
  const seed = checksumSeed(superblock.folderId)
  return {
    superblock,
    seed,
    journal: await disk.open(paths.journal, 'existing'),
    ring: Math.floor(superblock.journalBytes / SECTOR_BYTES),
    checkpoints: await Checkpoints.open(disk, 'existing', seed),
  }
}

function lacks(memberId: string, missing: readonly string[]): FolderRefused {
  const names = missing.map((name) => `'${name}'`).join(', ')
  return refuse(memberId, `The data folder of ${memberId} lacks ${names}: put it back.`, 'loss')
}

/** Null if there is none: the folder was never made completely. */
async function readSuperblock(disk: Disk, memberId: string): Promise<Superblock | null> {
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
  if (reading.kind === 'otherFormat') {
    throw new FolderRefused(
      reading.format > FORMAT
        ? `The data folder has format ${reading.format}; this release knows format ${FORMAT} and leaves it untouched.`
        : `The data folder has format ${reading.format}; it was made by an earlier development version. Start with a new data folder.`,
    )
  }
  throw refuse(
    memberId,
    'Both copies of the superblock of the data folder are damaged. It never changes: put a backup of the file ' +
      `'${paths.superblock}' back.`,
    'loss',
  )
}

async function makeNewFolder(
  disk: Disk,
  settings: StoreSettings,
  lost: readonly HeldVolume[],
): Promise<Superblock> {
  try {
    return await makeFolder(disk, settings, lost)
  } catch (cause) {
    if (!isFull(cause)) throw cause
    const mib = Math.ceil(settings.journalBytes / ZEROS_BYTES)
    throw new FolderRefused(
      `The disk has no room for a data folder: its journal alone takes ${mib} MiB. Make room and start again.`,
      'none',
      { cause },
    )
  }
}

/** The superblock comes last: a cut before it leaves a folder that is made again. */
async function makeFolder(
  disk: Disk,
  settings: StoreSettings,
  lost: readonly HeldVolume[],
): Promise<Superblock> {
  if ((await disk.list(paths.segments)).length > 0) {
    throw refuse(
      settings.memberId,
      `The data folder of ${settings.memberId} holds pages but no file '${paths.superblock}': put it back.`,
      'loss',
    )
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
  const lostPages = new LostPages()
  for (const volume of lost) lostPages.add(volume)
  const none = new Uint8Array(0)
  const parts = { segments: none, segmentsMade: 0, operations: none, promises: none }
  const first = { ...parts, lost: lostPages.encode() }
  await checkpoints.write({ tail: 0, syncedUpTo: 0 }, new PageTable(), first)
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

/** Everything of the folder goes into another one beside it, the superblock first: what is half moved is no folder. */
async function setAside(disk: Disk): Promise<void> {
  const into = await unusedName(disk)
  await disk.makeFolder(into)
  await disk.makeFolder(`${into}/${paths.segments}`)
  const { superblock, superblockDraft, journal, scrub, checkpoints } = paths
  const own = [superblock, superblockDraft, journal, scrub, ...checkpoints]
  const there = new Set(await disk.list('.'))
  const segments = (await disk.list(paths.segments)).map((name) => `${paths.segments}/${name}`)
  for (const path of [...own.filter((name) => there.has(name)), ...segments]) {
    await disk.rename(path, `${into}/${path}`)
    if (path === paths.superblock) await disk.syncFolder('.')
  }
  for (const folder of [`${into}/${paths.segments}`, into, paths.segments, '.']) {
    if (folder !== paths.segments || segments.length > 0) await disk.syncFolder(folder)
  }
}

async function unusedName(disk: Disk): Promise<string> {
  for (let number = 1; ; number += 1) {
    const name = paths.setAside(number)
    const files = [...(await disk.list(name)), ...(await disk.list(`${name}/${paths.segments}`))]
    if (files.length === 0) return name
  }
}
