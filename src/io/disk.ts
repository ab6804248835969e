// The Disk port on a real file system: the files of one data folder, by file descriptors and node:fs.
//
// Durable writes go through a descriptor of their own, opened with O_DSYNC: one system call instead of a write and a
// sync. A file is closed only when nothing is under way on it, so that a slow read never meets a descriptor that was
// given away.
import * as fs from 'node:fs'
import { open, readdir, rename, rm, statfs } from 'node:fs/promises'
import { join, normalize } from 'node:path'
import { assert } from '../base/assert.ts'
import { type Disk, DiskError, type DiskFile } from '../base/disk.ts'
import { makeFolder } from './folders.ts'
import { HolePunch } from './hole-punch.ts'

const { O_CREAT, O_DSYNC, O_RDWR } = fs.constants
const FILE_MODE = 0o600

export class FolderDisk implements Disk {
  readonly #root: string
  readonly #holes = new HolePunch()

  /** The folder itself is made with the first folder in it. */
  constructor(root: string) {
    this.#root = root
  }

  async open(path: string, mode: 'existing' | 'create'): Promise<DiskFile> {
    const full = this.#inside(path)
    const flags = mode === 'create' ? O_RDWR | O_CREAT : O_RDWR
    const fd = await attempt(path, () => openDescriptor(full, flags))
    return new FolderFile(full, path, fd, this.#holes)
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

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await attempt('.', () => statfs(this.#root))
    return bavail * bsize
  }

  #inside(path: string): string {
    const plain = normalize(path)
    assert(!plain.startsWith('..') && !plain.startsWith('/'), `'${path}' is inside the data folder`)
    return join(this.#root, plain)
  }
}

class FolderFile implements DiskFile {
  readonly #full: string
  readonly #path: string
  readonly #fd: number
  readonly #holes: HolePunch
  /** Opened at the first durable write; most files never have one. */
  #durableFd: number | null = null
  #underWay = 0
  #open = true
  #idle: (() => void) | null = null

  constructor(full: string, path: string, fd: number, holes: HolePunch) {
    this.#full = full
    this.#path = path
    this.#fd = fd
    this.#holes = holes
  }

  readSync(into: Uint8Array, offset: number): number {
    assert(this.#open, `'${this.#path}' is open`)
    let got = 0
    try {
      while (got < into.length) {
        const more = fs.readSync(this.#fd, into, got, into.length - got, offset + got)
        if (more === 0) break
        got += more
      }
    } catch (error) {
      throw diskError(this.#path, error)
    }
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
    this.#durableFd ??= await attempt(this.#path, () =>
      openDescriptor(this.#full, O_RDWR | O_DSYNC),
    )
    await this.#writeAll(this.#durableFd, parts, offset)
  }

  async sync(): Promise<void> {
    await this.#call<void>((done) => fs.fdatasync(this.#fd, done))
  }

  sizeBytes(): number {
    try {
      return fs.fstatSync(this.#fd).size
    } catch (error) {
      throw diskError(this.#path, error)
    }
  }

  async truncate(bytes: number): Promise<void> {
    await this.#call<void>((done) => fs.ftruncate(this.#fd, bytes, done))
  }

  punch(offset: number, bytes: number): Promise<void> {
    return this.#holes.punch(this.#full, offset, bytes)
  }

  async close(): Promise<void> {
    assert(this.#open, `'${this.#path}' is open`)
    this.#open = false
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve
      })
    }
    await attempt(this.#path, async () => {
      fs.closeSync(this.#fd)
      if (this.#durableFd !== null) fs.closeSync(this.#durableFd)
    })
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
      if (written === 0) throw new DiskError('IO', `nothing could be written to '${this.#path}'`)
    }
  }

  #call<T>(start: (done: (error: Error | null, result?: T) => void) => void): Promise<T> {
    assert(this.#open, `'${this.#path}' is open`)
    return new Promise((resolve, reject) => {
      this.#underWay += 1
      start((error, result) => {
        this.#underWay -= 1
        if (this.#underWay === 0) this.#idle?.()
        if (error) reject(diskError(this.#path, error))
        else resolve(result as T)
      })
    })
  }
}

/** What is left of the parts after so many bytes. */
function without(parts: Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes
  for (const [i, part] of parts.entries()) {
    if (skip < part.length) return [part.subarray(skip), ...parts.slice(i + 1)]
    skip -= part.length
  }
  return []
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
