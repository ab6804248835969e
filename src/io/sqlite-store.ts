// The coordinator's file: a key-value store with revisions on SQLite, synchronous. Runs inside a worker thread only
// (sqlite-thread.ts): each call may take as long as the disk does.
//
//   meta  one row: format, the last revision, and the revision up to which the log has been dropped
//   kv    the keys as they are
//   log   one row for each changed key of each transaction; at least the last `keepRevisions` transactions
//
// Invariants:
//   F1. kv, log and the revision change together or not at all: one SQLite transaction, WAL, synchronous=FULL.
//   F2. A revision is given to each transaction that changes something, without gaps; the log has its rows unless
//       compacted.
//   F3. No call waits for a lock: busy_timeout is 0, and `isBusy` tells the error that nothing was done.
//   F4. A file is made only by who was told to; where one must be, a missing or an empty one is a LostFile and nothing is
//       written.

import { existsSync } from 'node:fs'
import type { StatementSync } from 'node:sqlite'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { NO_REVISION, type Revision, revision } from '../base/ids.ts'
import type { Change, Transaction, Versioned } from '../coordination/coordinator.ts'
import { FILE_FORMAT, type SqlAnswer } from '../coordination/sql-worker.ts'

/** 'EvKc': tells our file from any other SQLite file. */
const APPLICATION_ID = 0x45764b63
/** Rows of the log read at once for a watch; more than one transaction can have. */
const BATCH_ROWS = 1000
/** Sorts after every printable ASCII character, so [prefix, prefix + LAST) is all keys with the prefix. */
const LAST = '\x7f'

/** A file that this version must not touch; the message is a sentence for the operator. */
export class RefusedFile extends Error {
  override readonly name = 'RefusedFile'
}

/** There should be a file of ours, and there is none that could be used; the message is a sentence for the operator. */
export class LostFile extends Error {
  override readonly name = 'LostFile'

  /** `what`: has become of the file, as 'is missing'. */
  constructor(file: string, what: string, options?: ErrorOptions) {
    super(
      `The coordination file ${file} ${what}; without it nobody knows which volumes the pages belong to. ` +
        "Put it back if it was moved away by mistake, or stop the group and rebuild it from the members' folders with 'evenkeel recover'.",
      options,
    )
  }
}

/** Our statements are fixed: if a table or column of them is not there, bits of the schema have changed. */
const OTHER_SCHEMA = /^no such (?:table|column)|has no column|^malformed/

/** SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_IOERR_SHORT_READ or a schema that is not ours: what is wrong with the file, null for any other error. */
export function damageOf(error: unknown): string | null {
  if (!(error instanceof Error) || !('errcode' in error)) return null
  const whole = Number(error.errcode)
  const isOtherSchema = whole === 1 && OTHER_SCHEMA.test(error.message)
  const isDamage = [11, 26].includes(whole & 0xff) || whole === 522 || isOtherSchema
  return isDamage ? `is damaged (${error.message})` : null
}

/** SQLITE_BUSY or SQLITE_LOCKED: somebody else holds the lock, nothing was done. */
export function isBusy(error: unknown): boolean {
  if (!(error instanceof Error) || !('errcode' in error)) return false
  const code = Number(error.errcode) & 0xff
  return code === 5 || code === 6
}

interface Meta {
  readonly rev: Revision
  readonly compacted: Revision
}

export class SqliteStore {
  readonly #db: DatabaseSync
  readonly #keepRevisions: number
  readonly #statements: ReturnType<typeof prepare>

  /** Throws RefusedFile for a file of another format or of something else, LostFile (F4) and busy errors (F3). */
  constructor(file: string, keepRevisions: number, make: boolean) {
    this.#db = make ? new DatabaseSync(file, { timeout: 0 }) : openExisting(file)
    this.#keepRevisions = keepRevisions
    try {
      if (!make && isEmpty(this.#db)) throw new LostFile(file, 'is empty')
      this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
      this.#immediately(() => prepareFile(this.#db, file))
      this.#statements = prepare(this.#db)
    } catch (error) {
      this.#db.close()
      throw error
    }
  }

  close(): void {
    this.#db.close()
  }

  /** Changes when another connection has committed. */
  dataVersion(): number {
    return column(this.#statements.dataVersion.get(), 'data_version')
  }

  rev(): Revision {
    return this.#meta().rev
  }

  transact(transaction: Transaction): SqlAnswer {
    const changes = (transaction.put?.length ?? 0) + (transaction.remove?.length ?? 0) > 0
    const work = (): SqlAnswer => this.#transact(transaction)
    // A transaction that changes nothing needs no write lock: its snapshot is an instant of its own.
    return changes ? this.#immediately(work) : this.#snapshot(work)
  }

  list(prefix: string): SqlAnswer {
    return this.#snapshot(() => {
      return { kind: 'list', rev: this.#meta().rev, items: this.#list(prefix) }
    })
  }

  /** Whole transactions after `afterRev`, bounded; null if there are none. */
  changes(prefix: string, afterRev: Revision): SqlAnswer | null {
    return this.#snapshot(() => {
      const meta = this.#meta()
      // A revision of the future means that the file is not the one that was listed: list anew.
      if (afterRev < meta.compacted || afterRev > meta.rev) return { kind: 'compacted' }
      if (afterRev === meta.rev) return null
      const rows = this.#statements.log.all(afterRev, prefix, prefix + LAST, BATCH_ROWS)
      const changes = rows.map(changeOf)
      if (rows.length < BATCH_ROWS) return { kind: 'changes', rev: meta.rev, changes }
      const cutRev = changes.at(-1)?.rev ?? NO_REVISION
      const whole = changes.filter((change) => change.rev < cutRev)
      return { kind: 'changes', rev: revision(cutRev - 1), changes: whole }
    })
  }

  #transact(transaction: Transaction): SqlAnswer {
    const { compare = [], put = [], remove = [], read = [] } = transaction
    const meta = this.#meta()
    const won = compare.every(({ key, rev }) => (this.#get(key)?.rev ?? 0) === rev)
    const rev = won ? this.#apply(meta, put, remove) : meta.rev
    return { kind: 'txn', won, rev, read: read.map((prefix) => this.#list(prefix)) }
  }

  #apply(
    meta: Meta,
    put: readonly { readonly key: string; readonly value: string }[],
    remove: readonly string[],
  ): Revision {
    const { putKey, removeKey, putLog, putMeta } = this.#statements
    const rev = revision(meta.rev + 1)
    let changed = 0
    for (const { key, value } of put) {
      const created = this.#get(key)?.created ?? rev
      putKey.run(key, value, rev, created)
      putLog.run(rev, key, value, created)
      changed += 1
    }
    for (const key of remove) {
      const before = this.#get(key)
      if (before === undefined) continue
      removeKey.run(key)
      putLog.run(rev, key, null, before.created)
      changed += 1
    }
    if (changed === 0) return meta.rev
    putMeta.run(rev, this.#compact(rev, meta.compacted))
    return rev
  }

  /** Drops old revisions of the log in steps, so that most transactions pay nothing; returns the last one dropped. */
  #compact(rev: Revision, compacted: Revision): Revision {
    const step = Math.ceil(this.#keepRevisions / 50)
    const upTo = revision(rev - this.#keepRevisions)
    if (upTo - compacted < step) return compacted
    this.#statements.dropLog.run(upTo)
    return upTo
  }

  #meta(): Meta {
    const row = this.#statements.meta.get()
    return { rev: revision(column(row, 'rev')), compacted: revision(column(row, 'compacted')) }
  }

  #get(key: string): { readonly rev: Revision; readonly created: Revision } | undefined {
    const row = this.#statements.get.get(key)
    if (row === undefined) return undefined
    return { rev: revision(column(row, 'rev')), created: revision(column(row, 'created')) }
  }

  #list(prefix: string): Versioned[] {
    return this.#statements.list.all(prefix, prefix + LAST).map((row) => {
      const { key, value, rev, created } = row
      return {
        key: String(key),
        value: String(value),
        rev: revision(Number(rev)),
        created: revision(Number(created)),
      }
    })
  }

  #immediately<T>(work: () => T): T {
    return this.#inside('BEGIN IMMEDIATE', work)
  }

  #snapshot<T>(work: () => T): T {
    return this.#inside('BEGIN', work)
  }

  #inside<T>(begin: string, work: () => T): T {
    this.#db.exec(begin)
    try {
      const result = work()
      this.#db.exec('COMMIT')
      return result
    } catch (error) {
      // After some errors (a full disk) SQLite has rolled back by itself.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }
}

function openExisting(file: string): DatabaseSync {
  const url = pathToFileURL(file)
  url.searchParams.set('mode', 'rw')
  try {
    return new DatabaseSync(url, { timeout: 0 })
  } catch (cause) {
    if (existsSync(file)) throw cause
    throw new LostFile(file, 'is missing', { cause })
  }
}

/** Nothing was ever written into it, or all of it was lost. */
function isEmpty(db: DatabaseSync): boolean {
  const tables = column(db.prepare('SELECT count(*) AS n FROM sqlite_schema').get(), 'n')
  return applicationIdOf(db) === 0 && tables === 0
}

function applicationIdOf(db: DatabaseSync): number {
  return column(db.prepare('PRAGMA application_id').get(), 'application_id')
}

/** Throws RefusedFile unless it is a file of ours, in this format; LostFile if there is nothing in it. */
export function mustBeOurs(db: DatabaseSync, file: string): void {
  if (applicationIdOf(db) !== APPLICATION_ID) {
    if (isEmpty(db)) throw new LostFile(file, 'is empty')
    throw new RefusedFile(`${file} is an SQLite file, but no coordinator's file of Evenkeel.`)
  }
  const format = column(db.prepare('SELECT format FROM meta').get(), 'format')
  if (format === FILE_FORMAT) return
  throw new RefusedFile(
    format > FILE_FORMAT
      ? `The coordinator's file ${file} has format ${format}; this version of Evenkeel knows format ${FILE_FORMAT}. Start a version that knows it.`
      : `The coordinator's file ${file} has format ${format}: it was made by an earlier development version. Start with a new data folder.`,
  )
}

/** Makes the tables in a file that is empty; else it must be one of ours. */
export function prepareFile(db: DatabaseSync, file: string): void {
  if (!isEmpty(db)) return mustBeOurs(db, file)
  db.exec(`
    PRAGMA application_id = ${APPLICATION_ID};
    CREATE TABLE meta (format INTEGER NOT NULL, rev INTEGER NOT NULL, compacted INTEGER NOT NULL) STRICT;
    INSERT INTO meta VALUES (${FILE_FORMAT}, 0, 0);
    CREATE TABLE kv (
      key TEXT PRIMARY KEY, value TEXT NOT NULL, rev INTEGER NOT NULL, created INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE log (
      rev INTEGER NOT NULL, key TEXT NOT NULL, value TEXT, created INTEGER NOT NULL,
      PRIMARY KEY (rev, key)
    ) STRICT, WITHOUT ROWID;
  `)
}

function prepare(db: DatabaseSync): {
  readonly [name in
    | 'meta'
    | 'putMeta'
    | 'get'
    | 'list'
    | 'putKey'
    | 'removeKey'
    | 'putLog'
    | 'log'
    | 'dropLog'
    | 'dataVersion']: StatementSync
} {
  return {
    meta: db.prepare('SELECT rev, compacted FROM meta'),
    putMeta: db.prepare('UPDATE meta SET rev = ?, compacted = ?'),
    get: db.prepare('SELECT rev, created FROM kv WHERE key = ?'),
    list: db.prepare(
      'SELECT key, value, rev, created FROM kv WHERE key >= ? AND key < ? ORDER BY key',
    ),
    putKey: db.prepare('INSERT OR REPLACE INTO kv (key, value, rev, created) VALUES (?, ?, ?, ?)'),
    removeKey: db.prepare('DELETE FROM kv WHERE key = ?'),
    putLog: db.prepare('INSERT INTO log (rev, key, value, created) VALUES (?, ?, ?, ?)'),
    log: db.prepare(
      'SELECT rev, key, value, created FROM log WHERE rev > ? AND key >= ? AND key < ? ORDER BY rev, key LIMIT ?',
    ),
    dropLog: db.prepare('DELETE FROM log WHERE rev <= ?'),
    dataVersion: db.prepare('PRAGMA data_version'),
  }
}

type Row = ReturnType<StatementSync['get']>

function column(row: Row, name: string): number {
  return Number(row?.[name])
}

function changeOf(row: NonNullable<Row>): Change {
  const { key, value, rev, created } = row
  return {
    key: String(key),
    value: value === null ? null : String(value),
    rev: revision(Number(rev)),
    created: revision(Number(created)),
  }
}
