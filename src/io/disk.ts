// The real Disk: files of one data folder on a local file system.
import { execFile } from 'node:child_process'
import { constants, fdatasync, readSync, write, writev } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, rm, statfs } from 'node:fs/promises'
import { join, normalize } from 'node:path'
import { promisify } from 'node:util'
import { type Disk, DiskError, type DiskFile } from '../base/disk.ts'

const run = promisify(execFile)

export class SystemDisk implements Disk {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  async open(path: string, mode: 'existing' | 'create'): Promise<DiskFile> {
    const file = this.#path(path)
    const flags = constants.O_RDWR | (mode === 'create' ? constants.O_CREAT : 0)
    const handle = await failing(path, open(file, flags, 0o600))
    const durable = await failing(path, open(file, constants.O_RDWR | constants.O_DSYNC))
    const { size } = await failing(path, handle.stat())
    return new SystemFile(file, handle, durable, size)
  }

  async list(folder: string): Promise<string[]> {
    try {
      return (await readdir(this.#path(folder))).sort()
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return []
      throw asDiskError(folder, error)
    }
  }

  async makeFolder(path: string): Promise<void> {
    await failing(path, mkdir(this.#path(path), { recursive: true, mode: 0o700 }))
  }

  remove(path: string): Promise<void> {
    return failing(path, rm(this.#path(path)))
  }

  rename(from: string, to: string): Promise<void> {
    return failing(from, rename(this.#path(from), this.#path(to)))
  }

  async syncFolder(path: string): Promise<void> {
    const handle = await failing(path, open(this.#path(path), constants.O_RDONLY))
    try {
      await failing(path, handle.sync())
    } finally {
      await handle.close()
    }
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await failing(this.#folder, statfs(this.#folder))
    return bavail * bsize
  }

  #path(path: string): string {
    const clean = normalize(path)
    if (clean.startsWith('..') || clean.startsWith('/')) {
      throw new DiskError('IO', `${path} is not inside the data folder`)
    }
    return join(this.#folder, clean)
  }
}

class SystemFile implements DiskFile {
  readonly #path: string
  readonly #handle: FileHandle
  /** The same file, opened so that a write returns once it is on stable media. */
  readonly #durable: FileHandle
  #size: number

  constructor(path: string, handle: FileHandle, durable: FileHandle, size: number) {
    this.#path = path
    this.#handle = handle
    this.#durable = durable
    this.#size = size
  }

  readSync(into: Uint8Array, offset: number): number {
    let done = 0
    try {
      while (done < into.length) {
        const bytes = readSync(this.#handle.fd, into, done, into.length - done, offset + done)
        if (bytes === 0) break
        done += bytes
      }
    } catch (error) {
      throw asDiskError(this.#path, error)
    }
    return done
  }

  async read(into: Uint8Array, offset: number): Promise<number> {
    let done = 0
    while (done < into.length) {
      const position = offset + done
      const reading = this.#handle.read(into, done, into.length - done, position)
      const { bytesRead } = await failing(this.#path, reading)
      if (bytesRead === 0) break
      done += bytesRead
    }
    return done
  }

  write(parts: readonly Uint8Array[], offset: number): Promise<void> {
    return this.#write(this.#handle.fd, parts, offset)
  }

  writeDurable(parts: readonly Uint8Array[], offset: number): Promise<void> {
    return this.#write(this.#durable.fd, parts, offset)
  }

  #write(fd: number, parts: readonly Uint8Array[], offset: number): Promise<void> {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0)
    return new Promise((resolve, reject) => {
      const finish = (error: NodeJS.ErrnoException | null, written: number) => {
        if (error !== null) return reject(asDiskError(this.#path, error))
        if (written !== bytes) {
          // The kernel stops short of a batch only when the disk is full or broken; the rest would be a second write.
          return reject(new DiskError('IO', `${this.#path}: ${written} of ${bytes} bytes written`))
        }
        this.#size = Math.max(this.#size, offset + bytes)
        resolve()
      }
      const [only] = parts
      if (parts.length === 1 && only !== undefined) {
        write(fd, only, 0, only.length, offset, (error, written) => finish(error, written))
      } else writev(fd, [...parts], offset, (error, written) => finish(error, written))
    })
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fdatasync(this.#handle.fd, (error) => {
        if (error === null) resolve()
        else reject(asDiskError(this.#path, error))
      })
    })
  }

  sizeBytes(): number {
    return this.#size
  }

  async truncate(bytes: number): Promise<void> {
    await failing(this.#path, this.#handle.truncate(bytes))
    this.#size = bytes
  }

  /** By util-linux `fallocate`, since Node has no call for it; where there is none the space stays taken. */
  async punch(offset: number, bytes: number): Promise<void> {
    try {
      await run('fallocate', ['-p', '-o', String(offset), '-l', String(bytes), this.#path])
    } catch {
      await zero(this, offset, bytes)
    }
  }

  async close(): Promise<void> {
    await this.#durable.close()
    await this.#handle.close()
  }
}

async function zero(file: DiskFile, offset: number, bytes: number): Promise<void> {
  const zeros = new Uint8Array(Math.min(bytes, 1024 * 1024))
  for (let done = 0; done < bytes; done += zeros.length) {
    await file.write([zeros.subarray(0, Math.min(zeros.length, bytes - done))], offset + done)
  }
}

async function failing<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw asDiskError(path, error)
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

function asDiskError(path: string, error: unknown): DiskError {
  const code = codeOf(error)
  const kind = code === 'ENOENT' ? 'NOT_FOUND' : code === 'ENOSPC' || code === 'EDQUOT' ? 'FULL' : 'IO'
  const message = error instanceof Error ? error.message : String(error)
  return new DiskError(kind, `${path}: ${message}`, { cause: error })
}
