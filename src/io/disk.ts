// The Disk port on a real file system: the files of one data folder, by file descriptors and node:fs.
//
// Durable writes go through a descriptor of their own, opened with O_DSYNC: one system call instead of a write and a
// sync. A file is closed only when nothing is under way on it, so that a slow read never meets a descriptor that was
// given away.
//
// Invariants:
//   FD1. Everything is of the folder that was there at the first call. When it is no more the one at its path (moved away,
//        unmounted, replaced), nothing is done by name any more: each such call fails, and `moved` says so.
//   FD2. What belongs to an open file goes to that file, whatever is at its name by now.
import * as fs from 'node:fs'
import { open, readdir, rename, rm, stat, statfs } from 'node:fs/promises'
import { join, normalize } from 'node:path'
import { assert } from '../base/assert.ts'
import { type Disk, DiskError, type DiskFile, type FailedJob, type WriteJob } from '../base/disk.ts'
import { makeFolder } from './folders.ts'
import { HolePunch } from './hole-punch.ts'
import { MediumReads } from './medium-reads.ts'
import { without } from './vectored.ts'
import { WriteWorker } from './write-worker.ts'

const { O_CREAT, O_DSYNC, O_RDWR } = fs.constants
const FILE_MODE = 0o600
/** Longer than a copy out of the page cache takes, also with a request to read ahead (50 µs): then it is asked what it was. */
const HIT_MS = 0.08
const mediumReads = new MediumReads()

export class FolderDisk implements Disk {
  readonly #root: string
  readonly #holes = new HolePunch()
  /** Begun by the first `writeMany`, ended with the last file. */
  #writer: WriteWorker | null = null
  #openFiles = 0
  /** FD1: settles with a sentence. Whoever uses the folder must stop then: a new file would not be with the others. */
  readonly moved: Promise<string>
  readonly #tellMoved: (sentence: string) => void
  #folder: FolderAt | null = null

  /** The folder itself is made with the first folder in it. */
  constructor(root: string) {
    const { promise, resolve } = Promise.withResolvers<string>()
    this.#root = root
    this.moved = promise
    this.#tellMoved = resolve
  }

  async open(path: string, mode: 'existing' | 'create'): Promise<DiskFile> {
    const full = this.#inside(path)
    const flags = mode === 'create' ? O_RDWR | O_CREAT : O_RDWR
    const fd = await attempt(path, () => openDescriptor(full, flags))
    this.#openFiles += 1
    return new FolderFile(path, fd, this.#holes, () => this.#closed())
  }

  async writeMany(jobs: readonly WriteJob[]): Promise<readonly FailedJob[]> {
    const files = jobs.map(({ file }) => {
      assert(file instanceof FolderFile, 'a disk writes its own files')
      return file
    })
    const fds = files.map((file) => file.lend())
    this.#writer ??= new WriteWorker()
    try {
      const failures = await this.#writer.write(jobs, fds)
      return failures.map(({ job, cause }) => {
        return {
          job,
          error: diskError(files[job]?.path ?? '', Object.assign(new Error(cause.message), cause)),
        }
      })
    } catch (error) {
      throw diskError('.', error)
    } finally {
      for (const file of files) file.giveBack()
    }
  }

  async list(folder: string): Promise<string[]> {
    try {
      const entries = await readdir(this.#inside(folder), { withFileTypes: true })
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => entry.name)
        .sort()
    } catch (error) {
      const failure = diskError(folder, error)
      if (failure.code === 'NOT_FOUND') return []
      throw failure
    }
  }

  async makeFolder(path: string): Promise<void> {
    const full = this.#inside(path)
    await attempt(path, async () => makeFolder(full))
  }

  async remove(path: string): Promise<void> {
    await attempt(path, () => rm(this.#inside(path)))
  }

  async rename(from: string, to: string): Promise<void> {
    await attempt(from, () => rename(this.#inside(from), this.#inside(to)))
  }

  async syncFolder(path: string): Promise<void> {
    await attempt(path, async () => {
      const folder = await open(this.#inside(path), 'r')
      try {
        await folder.sync()
      } finally {
        await folder.close()
      }
    })
  }

  /** By inode and birth. A file system that keeps no time of birth may give the last change for it, which is after the last write. */
  async identityOf(path: string): Promise<string> {
    const status = await attempt(path, () => stat(this.#inside(path), { bigint: true }))
    const { ino, birthtimeNs, mtimeNs } = status
    return birthtimeNs > mtimeNs ? `${ino}` : `${ino}.${birthtimeNs}`
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await attempt('.', () => statfs(this.#inside('.')))
    return bavail * bsize
  }

  async #closed(): Promise<void> {
    this.#openFiles -= 1
    if (this.#openFiles > 0) return
    const writer = this.#writer
    this.#writer = null
    await writer?.end()
  }

  #inside(path: string): string {
    const plain = normalize(path)
    assert(!plain.startsWith('..') && !plain.startsWith('/'), `'${path}' is inside the data folder`)
    this.#mustBeHere()
    return join(this.#root, plain)
  }

  /** FD1 */
  #mustBeHere(): void {
    const now = folderAt(this.#root)
    this.#folder ??= now
    const known = this.#folder
    if (
      known === null ||
      (now !== null && now.device === known.device && now.inode === known.inode)
    )
      return
    const what = now === null ? 'is gone' : 'is another one now'
    const sentence = `the folder at ${this.#root} ${what}: it was moved, unmounted or replaced while it was in use. Put it back in its place`
    this.#tellMoved(sentence)
    throw new DiskError('IO', sentence)
  }
}

interface FolderAt {
  readonly device: bigint
  readonly inode: bigint
}

function folderAt(path: string): FolderAt | null {
  const found = fs.statSync(path, { bigint: true, throwIfNoEntry: false })
  return found === undefined ? null : { device: found.dev, inode: found.ino }
}

class FolderFile implements DiskFile {
  readonly path: string
  readonly #fd: number
  readonly #holes: HolePunch
  readonly #closed: () => Promise<void>
  /** Opened at the first durable write; most files never have one. */
  #durableFd: Promise<number> | null = null
  #underWay = 0
  #open = true
  waited = false
  #idle: (() => void) | null = null

  constructor(path: string, fd: number, holes: HolePunch, closed: () => Promise<void>) {
    this.path = path
    this.#fd = fd
    this.#holes = holes
    this.#closed = closed
  }

  readSync(into: Uint8Array, offset: number): number {
    assert(this.#open, `'${this.path}' is open`)
    const fromMs = performance.now()
    let got = 0
    try {
      while (got < into.length) {
        const more = fs.readSync(this.#fd, into, got, into.length - got, offset + got)
        if (more === 0) break
        got += more
      }
    } catch (error) {
      throw diskError(this.path, error)
    }
    this.waited = performance.now() - fromMs > HIT_MS && mediumReads.cameSince
    return got
  }

  async read(into: Uint8Array, offset: number): Promise<number> {
    let got = 0
    while (got < into.length) {
      const more = await this.#call<number>((done) =>
        fs.read(this.#fd, into, got, into.length - got, offset + got, done),
      )
      if (more === 0) break
      got += more
    }
    return got
  }

  write(parts: readonly Uint8Array[], offset: number): Promise<void> {
    return this.#writeAll(this.#fd, parts, offset)
  }

  async writeDurable(parts: readonly Uint8Array[], offset: number): Promise<void> {
    this.#durableFd ??= this.#whileOpen(() =>
      openDescriptor(`/proc/self/fd/${this.#fd}`, O_RDWR | O_DSYNC),
    )
    await this.#writeAll(await this.#durableFd, parts, offset)
  }

  async sync(): Promise<void> {
    await this.#call<void>((done) => fs.fdatasync(this.#fd, done))
  }

  sizeBytes(): number {
    try {
      return fs.fstatSync(this.#fd).size
    } catch (error) {
      throw diskError(this.path, error)
    }
  }

  async truncate(bytes: number): Promise<void> {
    await this.#call<void>((done) => fs.ftruncate(this.#fd, bytes, done))
  }

  punch(offset: number, bytes: number): Promise<void> {
    return this.#whileOpen(() => this.#holes.punch(this.#fd, offset, bytes))
  }

  async close(): Promise<void> {
    assert(this.#open, `'${this.path}' is open`)
    this.#open = false
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    }
    await attempt(this.path, async () => {
      fs.closeSync(this.#fd)
      if (this.#durableFd !== null) fs.closeSync(await this.#durableFd)
    })
    await this.#closed()
  }

  /** FD2: its descriptor, for a write by somebody else; `giveBack` follows. */
  lend(): number {
    assert(this.#open, `'${this.path}' is open`)
    this.#underWay += 1
    return this.#fd
  }

  giveBack(): void {
    this.#ended()
  }

  /** One vectored write as a rule; the kernel may take less of it. */
  async #writeAll(fd: number, parts: readonly Uint8Array[], offset: number): Promise<void> {
    let left = [...parts]
    let at = offset
    for (;;) {
      const [only] = left
      const written = await this.#call<number>((done) =>
        left.length === 1 && only !== undefined
          ? fs.write(fd, only, 0, only.length, at, done)
          : fs.writev(fd, left, at, done),
      )
      left = without(left, written)
      if (left.length === 0) return
      at += written
      if (written === 0) throw new DiskError('IO', `nothing could be written to '${this.path}'`)
    }
  }

  /** FD2: it is not closed, and its number given away, meanwhile. */
  async #whileOpen<T>(work: () => Promise<T>): Promise<T> {
    assert(this.#open, `'${this.path}' is open`)
    this.#underWay += 1
    try {
      return await attempt(this.path, work)
    } finally {
      this.#ended()
    }
  }

  #ended(): void {
    this.#underWay -= 1
    if (this.#underWay === 0) this.#idle?.()
  }

  #call<T>(start: (done: (error: Error | null, result?: T) => void) => void): Promise<T> {
    assert(this.#open, `'${this.path}' is open`)
    return new Promise((resolve, reject) => {
      this.#underWay += 1
      start((error, result) => {
        this.#ended()
        if (error) reject(diskError(this.path, error))
        else resolve(result as T)
      })
    })
  }
}

function openDescriptor(path: string, flags: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.open(path, flags, FILE_MODE, (error, fd) => (error ? reject(error) : resolve(fd)))
  })
}

async function attempt<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw diskError(path, error)
  }
}

function diskError(path: string, cause: unknown): DiskError {
  if (cause instanceof DiskError) return cause
  const code = (cause as NodeJS.ErrnoException).code
  const message = `'${path}': ${cause instanceof Error ? cause.message : String(cause)}`
  if (code === 'ENOENT') return new DiskError('NOT_FOUND', message, { cause })
  if (code === 'ENOSPC' || code === 'EDQUOT') return new DiskError('FULL', message, { cause })
  return new DiskError('IO', message, { cause })
}
