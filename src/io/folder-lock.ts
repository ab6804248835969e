// A data folder belongs to one process: two that write the same journal destroy it. The lock is an exclusive lock on an
// SQLite file, held as long as the process lives; the kernel gives it back however the process ends (Node has no flock).
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { isBusy } from './sqlite-store.ts'

/** Empty: nothing is ever written into it. No other code may open it, or closing it there would drop the lock. */
export const LOCK_FILE = 'lock.sqlite'
/** Who holds the lock, for people: the lock itself cannot tell. */
const PID_FILE = 'lock.pid'

/** The message is a sentence that names the folder, and the process if it is known. */
export class FolderInUse extends Error {
  override readonly name = 'FolderInUse'
}

export interface FolderLock {
  release(): void
}

/** Locks an existing folder, or throws FolderInUse at once. */
export function lockFolder(folder: string): FolderLock {
  const db = new DatabaseSync(join(folder, LOCK_FILE), { timeout: 0 })
  const pidFile = join(folder, PID_FILE)
  try {
    // The transaction stays open: it writes nothing, and its lock is the lock.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    if (!isBusy(error)) throw error
    throw new FolderInUse(`The data folder ${folder} is in use by ${holder(pidFile)}.`)
  }
  writeFileSync(pidFile, `${process.pid}\n`)
  return {
    release() {
      rmSync(pidFile, { force: true })
      db.close()
    },
  }
}

function holder(pidFile: string): string {
  const pid = Number(readIfThere(pidFile))
  return Number.isSafeInteger(pid) && pid > 0 ? `process ${pid}` : 'another process'
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    // Between taking the lock and writing the file, its holder is not known.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw error
  }
}
