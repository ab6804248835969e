// The coordinator's file as a whole, of a group that may be stopped: read, backed up, and written anew by recovery.
//
// Invariants:
//   F5. A file that is read or backed up is not changed, nor is its -wal; SQLite's index of that (-shm) may appear.
//   F6. A file that is written here appears whole and durable, and replaces none: what was at its path has been set aside.
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Revision, revision } from '../base/ids.ts'
import type { Versioned } from '../coordination/coordinator.ts'
import { damageOf, LostFile, mustBeOurs, prepareFile } from './sqlite-store.ts'

const SUFFIXES = ['', '-wal', '-shm'] as const
/** For a file that somebody else has locked. */
const OTHERS_MS = 5_000

export interface StoreContents {
  readonly rev: Revision
  readonly items: readonly Versioned[]
}

/** `waitMs`: for somebody who has it locked. Throws a sentence: LostFile, RefusedFile, or what the system says. */
export function readStore(file: string, waitMs = OTHERS_MS): StoreContents {
  return reading(file, waitMs, (db) => {
    const sound = db.prepare('PRAGMA integrity_check(1)').get()
    if (sound?.['integrity_check'] !== 'ok') throw new LostFile(file, 'is damaged')
    db.exec('BEGIN')
    const items = db.prepare('SELECT key, value, rev, created FROM kv ORDER BY key').all()
    return {
      rev: revision(Number(db.prepare('SELECT rev FROM meta').get()?.['rev'])),
      items: items.map(({ key, value, rev, created }) => ({
        key: String(key),
        value: String(value),
        rev: revision(Number(rev)),
        created: revision(Number(created)),
      })),
    }
  })
}

/** One whole file of a group that may run: a copy of the file alone would lack what is in its -wal. `to` must not exist. */
export function backUpStore(file: string, to: string): StoreContents & { readonly bytes: number } {
  // Exclusive, so that two backups never write into one file; SQLite takes an empty one.
  closeSync(openSync(to, 'wx', 0o600))
  try {
    reading(file, OTHERS_MS, (db) => db.prepare('VACUUM INTO ?').run(to))
    syncFile(to)
    syncParent(to)
    return { ...readStore(to), bytes: statSync(to).size }
  } catch (error) {
    rmSync(to, { force: true })
    throw error
  }
}

/** A store at this revision; every item was changed at it or before. `clear` empties its place once all is written. */
export function writeStore(
  file: string,
  { rev, items }: StoreContents,
  clear: (file: string) => readonly string[] = () => [],
): readonly string[] {
  const draft = `${file}.new`
  for (const suffix of SUFFIXES) rmSync(draft + suffix, { force: true })
  closeSync(openSync(draft, 'wx', 0o600))
  const db = new DatabaseSync(draft)
  try {
    db.exec('PRAGMA synchronous = FULL; BEGIN IMMEDIATE')
    prepareFile(db, draft)
    db.prepare('UPDATE meta SET rev = ?, compacted = ?').run(rev, rev)
    const put = db.prepare('INSERT INTO kv (key, value, rev, created) VALUES (?, ?, ?, ?)')
    for (const item of items) put.run(item.key, item.value, item.rev, item.created)
    db.exec('COMMIT')
  } finally {
    db.close()
  }
  syncFile(draft)
  const cleared = clear(file)
  if (existsSync(file)) throw new Error(`${file} is in the way.`)
  renameSync(draft, file)
  syncParent(file)
  return cleared
}

/** Gives the file, and what SQLite keeps beside it, other names; returns those. Nothing is deleted. */
export function setStoreAside(file: string, mark: string): readonly string[] {
  const there = SUFFIXES.filter((suffix) => existsSync(file + suffix))
  const aside = there.map((suffix) => {
    const name = `${file}.${mark}${suffix}`
    renameSync(file + suffix, name)
    return name
  })
  if (aside.length > 0) syncParent(file)
  return aside
}

function reading<T>(file: string, waitMs: number, read: (db: DatabaseSync) => T): T {
  if (!existsSync(file)) throw new LostFile(file, 'is missing')
  const db = new DatabaseSync(file, { readOnly: true, timeout: waitMs })
  try {
    mustBeOurs(db, file)
    return read(db)
  } catch (error) {
    const damage = damageOf(error)
    throw damage === null ? error : new LostFile(file, damage, { cause: error })
  } finally {
    db.close()
  }
}

function syncParent(path: string): void {
  syncFile(dirname(path))
}

function syncFile(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
