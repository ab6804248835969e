// What can be told of a group record without telling what is in it: which kinds of keys there are, how many, of which form,
// and how far each member has seen it. For `evenkeel support`; the group may run, and nothing is changed.
import { join } from 'node:path'
import { type MemberId, memberId } from '../base/ids.ts'
import type { Versioned } from '../coordination/coordinator.ts'
import { readCopy, readSeen } from '../coordination/record-copy.ts'
import { parseFolder, parseGroup, parseSlice } from '../group/parse.ts'
import { type GroupRecord, keys } from '../group/record.ts'
import { FolderDisk } from '../io/disk.ts'
import { readStore } from '../io/sqlite-files.ts'
import { COORDINATION_FILE } from './plan.ts'

/** Of a value: what each of its fields is; of a list that of its members, of a record the name of its type. */
export type Form = string | readonly Form[] | { readonly [field: string]: Form }

export interface RecordShape {
  readonly revision: number
  readonly group: GroupRecord | string
  readonly kinds: readonly {
    readonly kind: string
    readonly count: number
    readonly bytes: number
    readonly forms: readonly Form[]
  }[]
  readonly slicesByPrimary: Readonly<Record<string, number>>
  readonly folders: Readonly<Record<string, object | string>>
}

const FORMS_MAX = 8

/** Throws a sentence if the file cannot be read. */
export function recordShape(dataFolder: string): RecordShape {
  const { rev, items } = readStore(join(dataFolder, COORDINATION_FILE))
  const group = items.find(({ key }) => key === keys.group)
  return {
    revision: rev,
    group: group === undefined ? 'There is no group in it.' : parseGroup(group.value),
    kinds: kindsOf(items),
    slicesByPrimary: slicesByPrimary(items),
    folders: Object.fromEntries(
      items
        .filter(({ key }) => key.startsWith('folder/'))
        .map(({ key, value }) => [key.slice('folder/'.length), folderOf(value)]),
    ),
  }
}

/** How far each member has seen the record, and which it keeps a copy of; of those whose folder can be read. */
export async function seenBy(
  dataFolder: string,
  members: readonly string[],
): Promise<Readonly<Record<string, object>>> {
  const seen = await Promise.all(members.map((id) => seenByOne(dataFolder, memberId(id))))
  return Object.fromEntries(members.map((id, i) => [id, seen[i] ?? {}]))
}

async function seenByOne(dataFolder: string, member: MemberId): Promise<object> {
  const disk = new FolderDisk(join(dataFolder, member))
  const [seen, copy] = [await readSeen(disk), await readCopy(disk)]
  const { groupId, incarnation, revision, items } = copy ?? {}
  return {
    seen,
    copy: copy === null ? null : { groupId, incarnation, revision, keys: items?.length },
  }
}

function kindsOf(items: readonly Versioned[]): RecordShape['kinds'] {
  const kinds = Map.groupBy(items, ({ key }) => key.split('/')[0] ?? key)
  return [...kinds].map(([kind, of]) => {
    const forms = new Map(
      of.map(({ value }) => formOfText(value)).map((f) => [JSON.stringify(f), f]),
    )
    return {
      kind,
      count: of.length,
      bytes: of.reduce((sum, { key, value }) => sum + key.length + value.length, 0),
      forms: [...forms.values()].slice(0, FORMS_MAX),
    }
  })
}

function slicesByPrimary(items: readonly Versioned[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const { key, value } of items) {
    if (!key.startsWith(keys.slices)) continue
    const slice = parseSlice(value)
    const primary = typeof slice === 'string' ? 'unreadable' : slice.primary
    counts[primary] = (counts[primary] ?? 0) + 1
  }
  return counts
}

function folderOf(value: string): object | string {
  const folder = parseFolder(value)
  if (typeof folder === 'string') return folder
  const { position, at, openAs } = folder
  return { position, at, isOpen: openAs !== null }
}

function formOfText(value: string): Form {
  try {
    return formOf(JSON.parse(value))
  } catch {
    return 'no JSON'
  }
}

export function formOf(value: unknown): Form {
  if (value === null) return 'null'
  if (Array.isArray(value)) {
    const forms = new Map(value.map(formOf).map((form) => [JSON.stringify(form), form]))
    return [...forms.values()].slice(0, FORMS_MAX)
  }
  if (typeof value !== 'object') return typeof value
  return Object.fromEntries(Object.entries(value).map(([field, of]) => [field, formOf(of)]))
}
