// What a member keeps of the group record in its own folder: how far it has seen it, and a copy of its durable part, from
// which a lost coordination file is rebuilt (`evenkeel recover`). DESIGN.md beside this file shows both files.
//
//   seen     two places of a sector each, written in turn: the group, the incarnation, the highest revision
//   record   written anew and renamed into its place: the same, the member, and every durable key with its value
import type { Disk, DiskFile } from '../base/disk.ts'
import { DiskError } from '../base/disk.ts'
import { memberId, revision } from '../base/ids.ts'
import type { RecordCopy, Seen } from '../group/seen.ts'
import { seal, unseal } from './sealed.ts'

export const paths = { seen: 'seen', copy: 'record', draft: 'record.new' } as const
/** What a disk writes whole or not at all. */
export const PLACE_BYTES = 512
/** Far above what the bounds of a group allow: 16,384 slices and some thousand volumes. */
const COPY_BYTES_MAX = 64 * 1024 * 1024

/** What both files say together; null: this folder has seen no record, or can give no account of it. */
export async function readSeen(disk: Disk): Promise<Seen | null> {
  const bytes = (await readWhole(disk, paths.seen, 2 * PLACE_BYTES)) ?? new Uint8Array(0)
  const found = [0, PLACE_BYTES].map((at) => seenIn(unseal('evenkeel-seen', bytes.subarray(at))))
  const copy = await readCopy(disk)
  return newest([...found, copy])
}

/** Null: there is none, or it is not whole. */
export async function readCopy(disk: Disk): Promise<RecordCopy | null> {
  const bytes = await readWhole(disk, paths.copy, COPY_BYTES_MAX)
  return bytes === null ? null : copyIn(unseal('evenkeel-record', bytes))
}

/** Durable, and whole or not at all. */
export async function writeCopy(disk: Disk, copy: RecordCopy): Promise<void> {
  const file = await disk.open(paths.draft, 'create')
  try {
    await file.truncate(0)
    await file.write([seal('evenkeel-record', copy)], 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(paths.draft, paths.copy)
  await disk.syncFolder('.')
}

/** Opens the file of what was seen, making it if need be. */
export async function openSeen(disk: Disk): Promise<DiskFile> {
  const file = await disk.open(paths.seen, 'create')
  if (file.sizeBytes() < 2 * PLACE_BYTES) {
    await file.write([new Uint8Array(2 * PLACE_BYTES)], 0)
    await file.sync()
    await disk.syncFolder('.')
  }
  return file
}

/** Durable; the other place is not touched. */
export async function writeSeen(file: DiskFile, seen: Seen, place: 0 | 1): Promise<void> {
  const { groupId, incarnation, revision } = seen
  const sealed = seal('evenkeel-seen', { groupId, incarnation, revision })
  if (sealed.length > PLACE_BYTES) throw new RangeError('the names of a group fit into a sector')
  const bytes = new Uint8Array(PLACE_BYTES)
  bytes.set(sealed)
  await file.writeDurable([bytes], place * PLACE_BYTES)
}

export function newest<T extends Seen>(found: readonly (T | null)[]): T | null {
  return found.reduce<T | null>(
    (best, one) => (one !== null && (best === null || one.revision > best.revision) ? one : best),
    null,
  )
}

async function readWhole(disk: Disk, path: string, bytesMax: number): Promise<Uint8Array | null> {
  let file: DiskFile
  try {
    file = await disk.open(path, 'existing')
  } catch (error) {
    if (error instanceof DiskError && error.code === 'NOT_FOUND') return null
    throw error
  }
  try {
    const bytes = new Uint8Array(Math.min(file.sizeBytes(), bytesMax))
    await file.read(bytes, 0)
    return bytes
  } finally {
    await file.close()
  }
}

function seenIn(value: unknown): Seen | null {
  if (typeof value !== 'object' || value === null) return null
  const { groupId, incarnation, revision: seen } = value as { readonly [name: string]: unknown }
  if (typeof groupId !== 'string' || typeof incarnation !== 'string') return null
  if (typeof seen !== 'number' || !Number.isSafeInteger(seen)) return null
  return { groupId, incarnation, revision: revision(seen) }
}

function copyIn(value: unknown): RecordCopy | null {
  const seen = seenIn(value)
  if (seen === null) return null
  const { memberId: id, items } = value as { readonly [name: string]: unknown }
  if (typeof id !== 'string' || !Array.isArray(items)) return null
  return { ...seen, memberId: memberId(id), items: items as RecordCopy['items'] }
}
