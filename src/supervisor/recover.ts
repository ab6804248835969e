// `evenkeel recover`: the coordination file of a group that is stopped, rebuilt from what its members keep in their folders.
//
// Invariants:
//   RV1. It has the locks of the launcher and of every folder before it looks: nobody runs meanwhile, and nobody starts.
//   RV2. What was in the file's place is set aside, never deleted, and only once the new file can be written.
//   RV3. A file that is sound, and as new as everything that was seen, is left alone.
//   RV4. A member whose folder is not there is left out only if that was said: what only it has seen would be lost.
//   RV5. Copies of members come before the file, which may be an old backup: it counts only where there is no copy at all.
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type MemberId, memberId, type Revision } from '../base/ids.ts'
import { type Rebuilt, rebuildRecord } from '../group/recover.ts'
import type { Evidence, MetRecord, RecordCopy } from '../group/seen.ts'
import { type FolderLock, lockFolder } from '../io/folder-lock.ts'
import { readStore, setStoreAside, writeStore } from '../io/sqlite-files.ts'
import { evidenceOf, metIn, refuseByFolders } from './evidence.ts'
import { COORDINATION_FILE, memberNames } from './plan.ts'
import { membersIn } from './refusals.ts'

export interface Recovery {
  /** Of `evenkeel up`. */
  readonly dataFolder: string
  /** Members whose folders are gone for good. */
  readonly without: readonly MemberId[]
  /** ISO time, for the name of what is set aside. */
  readonly at: string
}

export interface Recovered {
  readonly file: string
  readonly groupId: string
  readonly incarnation: string
  /** The first of the new incarnation. */
  readonly revision: Revision
  /** The highest that anybody has seen of the one before. */
  readonly seen: number
  readonly from: Rebuilt['from']
  readonly members: readonly MemberId[]
  readonly without: readonly MemberId[]
  readonly volumes: Rebuilt['volumes']
  /** Files that were in its place, under their new names. */
  readonly setAside: readonly string[]
}

/** Why there is nothing to do, or it cannot be done; a sentence. */
export class CannotRecover extends Error {
  override readonly name = 'CannotRecover'
}

export async function recoverRecord(recovery: Recovery): Promise<Recovered> {
  const { dataFolder, without, at } = recovery
  const file = join(dataFolder, COORDINATION_FILE)
  const members = await foldersOf(recovery)
  const locks: FolderLock[] = []
  try {
    locks.push(lockFolder(dataFolder)) // RV1
    for (const id of members) locks.push(lockFolder(join(dataFolder, id)))
    const kept = await Promise.all(members.map((id) => evidenceOf(dataFolder, id)))
    const own = ownRecord(file)
    if (own !== null) refuseSound(file, own, kept)
    const isKept = kept.some(({ copy }) => copy !== null)
    const evidence = isKept || own === null ? kept : [...kept, itself(own.copy)] // RV5
    const rebuilt = rebuildRecord(evidence, randomUUID())
    if (typeof rebuilt === 'string') throw new CannotRecover(rebuilt)
    refuseMissing(rebuilt, members, without, dataFolder)
    const mark = `old-${at.replaceAll(/[-:]|\.\d+/g, '')}`
    const setAside = writeStore(file, rebuilt, (path) => setStoreAside(path, mark)) // RV2
    const { group, rev: revision, seen, from, volumes } = rebuilt
    const { groupId, incarnation } = group
    return {
      ...{ file, groupId, incarnation, revision, seen, from, members, without, volumes },
      setAside,
    }
  } finally {
    for (const lock of locks) lock.release()
  }
}

async function foldersOf({ dataFolder, without }: Recovery): Promise<readonly MemberId[]> {
  const names = memberNames(await membersIn(dataFolder))
  const there = names.filter((id) => existsSync(join(dataFolder, id)) && !without.includes(id))
  if (there.length > 0) return there
  throw new CannotRecover(
    `There is no member's folder in ${dataFolder}: name the folder of the group with --data.`,
  )
}

interface OwnRecord {
  readonly met: MetRecord
  readonly copy: RecordCopy
}

function itself(copy: RecordCopy): Evidence {
  return { member: 'the file itself', seen: null, copy, store: null }
}

/** RV3. */
function refuseSound(file: string, { met, copy }: OwnRecord, kept: readonly Evidence[]): void {
  // Read as recovery would read it: a record that no member could use is none.
  const isUsable = typeof rebuildRecord([itself(copy)], '') !== 'string'
  const isOurs = kept.every(({ seen }) => seen === null || seen.groupId === met.group.groupId)
  if (!isUsable || !isOurs || refuseByFolders(met, kept) !== null) return
  throw new CannotRecover(
    `${file} is sound, and as new as everything that the members have seen: there is nothing to recover. To rebuild it all the same, move it away first.`,
  )
}

/** null: it is missing, damaged or none of ours. */
function ownRecord(file: string): OwnRecord | null {
  try {
    const contents = readStore(file)
    const met = metIn(contents)
    if (typeof met === 'string') return null
    const { groupId, incarnation } = met.group
    const items = contents.items.map(({ key, value }) => [key, value] as const)
    const copy = { groupId, incarnation, revision: met.rev, memberId: memberId(''), items }
    return { met, copy }
  } catch {
    return null
  }
}

/** RV4. */
function refuseMissing(
  rebuilt: Rebuilt,
  members: readonly MemberId[],
  without: readonly MemberId[],
  dataFolder: string,
): void {
  const missing = rebuilt.members.filter((id) => !members.includes(id) && !without.includes(id))
  if (missing.length === 0) return
  throw new CannotRecover(
    `The group has members whose folders are not in ${dataFolder}: ${missing.join(', ')}. Are their disks mounted? What only they have seen would be lost; if the folders are gone for good, say --without ${missing.join(' ')}.`,
  )
}
