// Why a group is not started, in sentences for people: all that is looked at before anything is touched (V1, V3, V5, V6
// of supervise.ts).

import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { MemberId } from '../base/ids.ts'
import { refuseCopies } from '../group/founding.ts'
import { parseFolder, parseSlice } from '../group/parse.ts'
import { type FolderRecord, keys } from '../group/record.ts'
import type { Evidence, MetRecord } from '../group/seen.ts'
import { namesIn } from '../io/folders.ts'
import { readStore, type StoreContents } from '../io/sqlite-files.ts'
import { isBusy, LostFile, RefusedFile } from '../io/sqlite-store.ts'
import { FolderRefused } from '../store/failure.ts'
import { judgeFolder } from '../store/identity.ts'
import { paths, SLOT_BYTES } from '../store/layout.ts'
import { evidenceOf, metIn, refuseByFolders } from './evidence.ts'
import { portTaken } from './free-ports.ts'
import {
  COORDINATION_FILE,
  copiesOf,
  type GroupPlan,
  MEMBERS_MAX,
  memberNames,
  portsInUse,
  portsOf,
} from './plan.ts'
import type { Standing } from './standing.ts'

/** Why the group cannot be started, for people. */
export class CannotStart extends Error {
  override readonly name = 'CannotStart'
  /** The member that ended instead, whose words the log has; null: it was none. */
  readonly member: string | null

  constructor(message: string, options: ErrorOptions & { readonly member?: string } = {}) {
    super(message, options)
    this.member = options.member ?? null
  }
}

/** How many members the data folder holds; 0: a new group. */
export async function membersIn(dataFolder: string): Promise<number> {
  return Math.max(0, ...(await namesIn(dataFolder)).map(numberOfMember))
}

/** Of its folder, or of its configuration, which stays when the folder is moved away; 0: of something else. */
export function numberOfMember(name: string): number {
  return Number(/^m([1-9]\d*)(?:\.json)?$/.exec(name)?.[1] ?? 0)
}

export async function refuseTakenPorts(plan: GroupPlan, standing: Standing | null): Promise<void> {
  const ports = portsInUse(portsOf(plan, standing))
  const taken = await portTaken('127.0.0.1', ports)
  if (taken === null) return
  throw new CannotStart(
    `Port ${taken} on 127.0.0.1 is in use; the group needs ${ports[0]} to ${ports.at(-1)}: name other ones with --base-port.`,
  )
}

export async function refuseWrongPlan(plan: GroupPlan, standing: Standing | null): Promise<void> {
  const { members, dataFolder } = plan
  const there = await membersIn(dataFolder)
  if (members < there) {
    throw new CannotStart(
      `The group in ${dataFolder} has ${there} members: start it with --members ${there}, or name another folder with --data.`,
    )
  }
  if (there > 0) await refuseLostCoordination(dataFolder)
  if (members < 1 || members > MEMBERS_MAX)
    throw new CannotStart(`A group on one machine has 1 to ${MEMBERS_MAX} members.`)
  const named = [...plan.acceptDamage, ...plan.acceptLoss]
  const stranger = named.find((id) => !memberNames(members).includes(id))
  if (stranger !== undefined) {
    throw new CannotStart(
      `There is no member '${stranger}' whose damage or loss could be accepted.`,
    )
  }
  const both = plan.acceptDamage.find((id) => plan.acceptLoss.includes(id))
  if (both !== undefined) {
    throw new CannotStart(
      `Say one word about ${both}: --accept-damage goes on with its folder, --accept-loss gives it up.`,
    )
  }
  const wrong = standing === null ? refuseCopies(copiesOf(plan, null), members) : null
  if (wrong !== null) throw new CannotStart(wrong)
  refuseSmallBudget(plan)
  const last = portsInUse(portsOf(plan, standing)).at(-1) ?? 0
  if (last > 65_535)
    throw new CannotStart(`The last port would be ${last}: choose a lower --base-port.`)
}

/** A member that cannot keep a single page could not take a single write. */
function refuseSmallBudget({ budgetBytes, members }: GroupPlan): void {
  const least = members * SLOT_BYTES
  if (budgetBytes === null || budgetBytes >= least) return
  const mib = Math.ceil(least / 2 ** 20)
  throw new CannotStart(
    `--budget leaves no room for one page for each of the ${members} members: give at least ${mib}M.`,
  )
}

/** V6. The folders first, then the file: somebody who is still ending may write both. */
export async function refuseWrongRecord(plan: GroupPlan): Promise<void> {
  const { dataFolder, members } = plan
  const folders: Evidence[] = []
  for (const id of memberNames(members)) {
    const folder = await evidenceOf(dataFolder, id)
    if (folder.seen !== null || folder.store !== null) folders.push(folder)
  }
  if (folders.length === 0) return
  const file = join(dataFolder, COORDINATION_FILE)
  const contents = readRecord(file)
  const met = metIn(contents)
  const remedy = `Put the right one back, or rebuild it from the members' folders with 'evenkeel recover --data ${dataFolder}'. Nothing was touched.`
  if (typeof met === 'string') {
    throw new CannotStart(`The coordination file ${file} ${met}. ${remedy}`)
  }
  const refused = refuseByFolders(met, folders)
  if (refused !== null) throw new CannotStart(refused)
  refuseMissingFolders(plan, met, contents)
}

/** V6: nobody can tell what such a folder knows; where another member has all that was answered it begins anew. */
function refuseMissingFolders(
  { dataFolder, members, acceptLoss }: GroupPlan,
  { group, epochs }: MetRecord,
  { items }: StoreContents,
): void {
  const missing = new Map<MemberId, FolderRecord>()
  for (const id of memberNames(members)) {
    const value = items.find(({ key }) => key === keys.folder(id))?.value
    const known = value === undefined ? '' : parseFolder(value)
    const folder = join(dataFolder, id)
    const isThere = [paths.superblock, paths.journal].some((name) => existsSync(join(folder, name)))
    if (typeof known !== 'string' && !isThere) missing.set(id, known)
  }
  const inSync = items
    .filter(({ key }) => key.startsWith(keys.slices))
    .map(({ value }) => parseSlice(value))
    .flatMap((slice) => (typeof slice === 'string' ? [] : [slice.inSync]))
  const isAllMissing = (ids: readonly MemberId[]) => ids.every((id) => missing.has(id))
  for (const [id, known] of missing) {
    const isNeeded = inSync.some((ids) => ids.includes(id) && isAllMissing(ids))
    if (!isNeeded || acceptLoss.includes(id)) continue
    try {
      judgeFolder(null, { groupId: group.groupId, memberId: id, known: { ...known, epochs } })
    } catch (cause) {
      if (!(cause instanceof FolderRefused)) throw cause
      throw new CannotStart(`Member ${id} did not start: ${cause.message}`, { cause })
    }
  }
}

function readRecord(file: string): StoreContents {
  try {
    return readStore(file)
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause)
    const sentence =
      cause instanceof LostFile || cause instanceof RefusedFile
        ? words
        : isBusy(cause)
          ? `The coordination file ${file} is locked by another program. End that one, and start again.`
          : `The coordination file ${file} cannot be read: ${words}.`
    throw new CannotStart(`${sentence} Nothing was touched.`, { cause })
  }
}

/** Without it a new group would be founded, in which the members' pages are strangers. */
async function refuseLostCoordination(dataFolder: string): Promise<void> {
  const names = await readdir(dataFolder)
  if (names.includes(COORDINATION_FILE)) return
  const stores = names.filter((name) => existsSync(join(dataFolder, name, paths.superblock)))
  if (stores.length === 0) return
  throw new CannotStart(
    `${join(dataFolder, COORDINATION_FILE)} is missing, which says what the pages of ${stores.join(', ')} belong to. Put it back if it was moved away, or rebuild it from the members' folders with 'evenkeel recover --data ${dataFolder}'. Nothing was touched.`,
  )
}
