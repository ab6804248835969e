// A simulated disk: files in memory, in sectors of 512 bytes. What was written and not synced is, after a power cut,
// sector by sector any of the versions it went through, so that writes are lost, reordered and torn. Names that were
// made, renamed or removed and not synced take effect up to some point of their order.
//
// Invariants:
//   D1. What was synced, or written durably, before the cut is what is read after it.
//   D2. The same calls and the same choices give the same bytes.
//   D3. Who opened a file before a cut gets no answer from it any more.

import { assert } from '../src/base/assert.ts'
import type { Clock } from '../src/base/clock.ts'
import { crc32c } from '../src/base/crc32c.ts'
import {
  type Disk,
  DiskError,
  type DiskFile,
  type FailedJob,
  type WriteJob,
} from '../src/base/disk.ts'
import { CHUNK, type Choose, Inode, SECTOR } from './inode.ts'

const never = new Promise<never>(() => {})

export type DiskOperation = 'read' | 'write' | 'writeDurable' | 'sync' | 'punch' | 'name'

export interface SimDiskFaults {
  /** The disk holds this many bytes; a write that needs more, since there was nothing where it goes, fails with FULL. */
  capacityBytes: number
  /** Bytes that no read gets: it fails with IO. */
  unreadable: { readonly path: string; readonly from: number; readonly to: number } | null
  /** Ranges that are not in the page cache, each until some of it is read. */
  cold: { readonly path: string; readonly from: number; readonly to: number }[]
  /** Called before each operation; what it returns is thrown. */
  fail: ((operation: DiskOperation, path: string) => DiskError | null) | null
  /** Milliseconds that each operation takes, by the clock; null: answered in the same turn. */
  latencyMs: ((operation: DiskOperation, bytes: number) => number) | null
}

type Names = Map<string, Inode>

export class SimDisk implements Disk {
  readonly faults: SimDiskFaults = {
    capacityBytes: Number.MAX_SAFE_INTEGER,
    unreadable: null,
    cold: [],
    fail: null,
    latencyMs: null,
  }
  /** Operations that may change what is on the disk, since it was made. */
  operations = 0
  readonly #clock: Clock | null
  /** As they are now. */
  #names: Names = new Map()
  #folders = new Set<string>(['.'])
  /** As they were after each change that is not synced, the durable ones first. */
  #history: Names[] = []
  #life = 0
  #writes = 0
  #made = 0
  #cutAt = Number.MAX_SAFE_INTEGER
  #tellCut: () => void = () => {}

  constructor(clock: Clock | null = null) {
    this.#clock = clock
  }

  /** Cuts the power in the `count`th changing operation from now: it may or may not have an effect, nothing after it has one. The promise resolves then; `crash` must follow. */
  cutAfter(count: number): Promise<void> {
    this.#cutAt = this.operations + count
    return new Promise((resolve) => {
      this.#tellCut = resolve
    })
  }

  /** The power is cut now, or was. Afterwards the disk can be opened again. */
  crash(choose: Choose): void {
    this.#life += 1
    this.#cutAt = Number.MAX_SAFE_INTEGER
    if (this.#history.length > 0) {
      const states = [...this.#history, this.#names]
      this.#names = new Map(states[choose(states.length)] ?? this.#names)
      this.#history = []
    }
    for (const inode of new Set(this.#names.values())) inode.crash(choose)
  }

  /** Versions of each unsynced sector: the choices that `crash` will ask for, without those of names and sizes. */
  unsynced(): number[] {
    return [...new Set(this.#names.values())].flatMap((inode) =>
      [...inode.pending.values()].map((pending) => pending.versions.length + 1),
    )
  }

  /** A disk of its own with the same contents, synced and unsynced: as a snapshot of the device is. */
  clone(): SimDisk {
    return this.#cloned((identity) => identity)
  }

  /** The same, file by file. */
  copy(): SimDisk {
    return this.#cloned((identity) => `copy of ${identity}`)
  }

  #cloned(renamed: (identity: string) => string): SimDisk {
    const copy = new SimDisk(this.#clock)
    const inodes = new Map<Inode, Inode>()
    const copied = (names: Names): Names =>
      new Map(
        [...names].map(([name, inode]) => {
          const known = inodes.get(inode) ?? inode.clone(renamed(inode.identity))
          inodes.set(inode, known)
          return [name, known]
        }),
      )
    copy.#names = copied(this.#names)
    copy.#history = this.#history.map(copied)
    copy.#folders = new Set(this.#folders)
    copy.#writes = this.#writes
    copy.#made = this.#made
    return copy
  }

  /** Flips one bit of what is stored, as rot does. */
  flip(path: string, bit: number): void {
    const inode = this.#inode(path)
    const at = Math.floor(bit / 8)
    assert(at < inode.size, 'a bit of the file')
    const sector = inode.sector(Math.floor(at / SECTOR))
    sector[at % SECTOR] = (sector[at % SECTOR] ?? 0) ^ (1 << (bit % 8))
  }

  /** Takes a file away, as somebody does while the member is down. */
  takeAway(path: string): Inode {
    const inode = this.#inode(path)
    this.#names.delete(path)
    return inode
  }

  /** Puts it back, unless there is another one now. */
  putBack(path: string, inode: Inode): void {
    if (!this.#names.has(path)) this.#names.set(path, inode)
  }

  sizeOf(path: string): number {
    return this.#inode(path).size
  }

  /** What a reader of the whole file would get. */
  peek(path: string): Uint8Array {
    const inode = this.#inode(path)
    const bytes = new Uint8Array(inode.size)
    inode.read(bytes, 0)
    return bytes
  }

  filePaths(): string[] {
    return [...this.#names.keys()]
  }

  async open(path: string, mode: 'existing' | 'create'): Promise<DiskFile> {
    await this.#begin('name', path, 0)
    let inode = this.#names.get(path)
    if (inode === undefined) {
      if (mode === 'existing') throw new DiskError('NOT_FOUND', `no file '${path}'`)
      assert(this.#folders.has(folderOf(path)), `the folder of '${path}' exists`)
      this.#made += 1
      inode = new Inode(`${this.#made}`)
      const made = inode
      this.#change((names) => names.set(path, made))
    }
    return new SimFile(this, path, inode)
  }

  /** One after the other, each an operation of its own that may be lost, torn or the last. */
  async writeMany(jobs: readonly WriteJob[]): Promise<readonly FailedJob[]> {
    const sums = jobs.map(({ parts }) => parts.map((part) => crc32c(part)))
    const failed: FailedJob[] = []
    for (const [job, { file, parts, offset }] of jobs.entries()) {
      try {
        await file.write(parts, offset)
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        failed.push({ job, error })
      }
    }
    for (const [job, { parts }] of jobs.entries()) {
      for (const [i, part] of parts.entries()) {
        assert(crc32c(part) === sums[job]?.[i], 'the parts of all jobs stay until the last is done')
      }
    }
    return failed
  }

  async list(folder: string): Promise<string[]> {
    await this.#begin('read', folder, 0)
    return [...this.#names.keys()]
      .filter((path) => folderOf(path) === folder)
      .map((path) => path.slice(path.lastIndexOf('/') + 1))
      .sort()
  }

  async makeFolder(path: string): Promise<void> {
    await this.#begin('name', path, 0)
    this.#folders.add(path)
  }

  async remove(path: string): Promise<void> {
    await this.#begin('name', path, 0)
    this.#inode(path)
    this.#change((names) => names.delete(path))
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#begin('name', from, 0)
    const inode = this.#inode(from)
    this.#change((names) => {
      names.delete(from)
      names.set(to, inode)
    })
  }

  /** Syncs the names of the whole disk: more than is asked for, which only the product's order of calls could abuse. */
  async syncFolder(path: string): Promise<void> {
    await this.#begin('sync', path, 0)
    this.#history = []
  }

  async identityOf(path: string): Promise<string> {
    await this.#begin('read', path, 0)
    return this.#inode(path).identity
  }

  async freeBytes(): Promise<number> {
    await this.#begin('read', '.', 0)
    return this.faults.capacityBytes - this.storedBytes()
  }

  storedBytes(): number {
    let bytes = 0
    for (const inode of this.#names.values()) bytes += inode.chunks.size * CHUNK
    return bytes
  }

  /** For SimFile: waits as long as the operation takes; never returns to somebody from before a cut. */
  async access(operation: DiskOperation, path: string, bytes: number): Promise<void> {
    await this.#begin(operation, path, bytes)
  }

  /** The power is off until `crash`. */
  get isCut(): boolean {
    return this.operations >= this.#cutAt
  }

  get life(): number {
    return this.#life
  }

  nextWrite(): number {
    this.#writes += 1
    return this.#writes
  }

  get writesSoFar(): number {
    return this.#writes
  }

  async #begin(operation: DiskOperation, path: string, bytes: number): Promise<void> {
    const life = this.#life
    const error = this.faults.fail?.(operation, path) ?? null
    if (error !== null) throw error
    if (operation !== 'read') {
      this.operations += 1
      if (this.isCut) {
        this.#tellCut()
        await never
      }
    }
    const latency = this.faults.latencyMs?.(operation, bytes) ?? 0
    const clock = this.#clock
    if (latency > 0 && clock !== null) {
      await new Promise<void>((resolve) => {
        clock.after(latency, resolve)
      })
    }
    if (life !== this.#life || this.isCut) await never
  }

  #change(f: (names: Names) => void): void {
    this.#history.push(new Map(this.#names))
    f(this.#names)
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path)
    if (inode === undefined) throw new DiskError('NOT_FOUND', `no file '${path}'`)
    return inode
  }
}

class SimFile implements DiskFile {
  readonly #disk: SimDisk
  readonly #path: string
  readonly #inode: Inode
  readonly #life: number
  #open = true
  #underWay = 0
  #idle: (() => void)[] = []
  waited = false

  constructor(disk: SimDisk, path: string, inode: Inode) {
    this.#disk = disk
    this.#path = path
    this.#inode = inode
    this.#life = disk.life
  }

  readSync(into: Uint8Array, offset: number): number {
    this.#check()
    const error = this.#disk.faults.fail?.('read', this.#path) ?? null
    if (error !== null) throw error
    this.#mustGive(offset, into.length)
    this.waited = this.#bringIn(offset, into.length)
    return this.#inode.read(into, offset)
  }

  /** What was there when it was asked for, however late it comes. */
  read(into: Uint8Array, offset: number): Promise<number> {
    return this.#doing(async () => {
      const taken = new Uint8Array(into.length)
      const bytes = this.#inode.read(taken, offset)
      await this.#disk.access('read', this.#path, into.length)
      this.#mustGive(offset, into.length)
      this.#bringIn(offset, into.length)
      into.set(taken)
      return bytes
    })
  }

  write(parts: readonly Uint8Array[], offset: number): Promise<void> {
    return this.#doing(async () => {
      await this.#put('write', parts, offset)
    })
  }

  writeDurable(parts: readonly Uint8Array[], offset: number): Promise<void> {
    return this.#doing(async () => {
      const number = await this.#put('writeDurable', parts, offset)
      const bytes = parts.reduce((sum, part) => sum + part.length, 0)
      const last = Math.floor((offset + bytes - 1) / SECTOR)
      this.#inode.settle(number, Math.floor(offset / SECTOR), last)
    })
  }

  sync(): Promise<void> {
    return this.#doing(async () => {
      const upTo = this.#disk.writesSoFar
      await this.#disk.access('sync', this.#path, 0)
      this.#inode.settle(upTo)
    })
  }

  sizeBytes(): number {
    this.#check()
    return this.#inode.size
  }

  truncate(bytes: number): Promise<void> {
    return this.#doing(async () => {
      await this.#disk.access('write', this.#path, 0)
      this.#inode.resize(bytes)
    })
  }

  /** Only whole sectors of chunks that exist; reads as zeros. Like a write it may be lost by a cut. */
  punch(offset: number, bytes: number): Promise<void> {
    return this.#doing(async () => {
      await this.#disk.access('punch', this.#path, bytes)
      const number = this.#disk.nextWrite()
      const end = Math.min(this.#inode.size, offset + bytes)
      for (const index of [...this.#inode.chunks.keys()]) {
        const from = Math.max(offset, index * CHUNK)
        const to = Math.min(end, (index + 1) * CHUNK)
        if (from < to) this.#inode.write(new Uint8Array(to - from), from, number)
      }
    })
  }

  async close(): Promise<void> {
    this.#check()
    this.#open = false
    if (this.#underWay === 0) return
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve)
    })
  }

  /** The bytes are there at once, for the cut and for readers; who waits is told later. Returns the write's number. */
  async #put(
    operation: 'write' | 'writeDurable',
    parts: readonly Uint8Array[],
    offset: number,
  ): Promise<number> {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0)
    if (this.#life !== this.#disk.life || this.#disk.isCut) await never
    const { capacityBytes } = this.#disk.faults
    if (capacityBytes < Number.MAX_SAFE_INTEGER) {
      const more = this.#inode.missingBytes(offset, offset + bytes)
      if (more > 0 && this.#disk.storedBytes() + more > capacityBytes) {
        throw new DiskError('FULL', `no space for ${bytes} bytes in '${this.#path}'`)
      }
    }
    const number = this.#disk.nextWrite()
    const began = this.#disk.access(operation, this.#path, bytes)
    const sums = parts.map((part) => crc32c(part))
    let at = offset
    for (const part of parts) {
      this.#inode.write(part, at, number)
      at += part.length
    }
    await began
    for (const [i, part] of parts.entries()) {
      assert(crc32c(part) === sums[i], 'the parts of a write do not change until it resolves')
    }
    return number
  }

  /** Whether some of it was out of the page cache. */
  #bringIn(offset: number, bytes: number): boolean {
    const { faults } = this.#disk
    const before = faults.cold.length
    if (before === 0) return false
    const isOther = (path: string, from: number, to: number) =>
      path !== this.#path || offset >= to || offset + bytes <= from
    faults.cold = faults.cold.filter(({ path, from, to }) => isOther(path, from, to))
    return faults.cold.length < before
  }

  #mustGive(offset: number, bytes: number): void {
    const bad = this.#disk.faults.unreadable
    if (bad === null || bad.path !== this.#path) return
    if (offset >= bad.to || offset + bytes <= bad.from) return
    throw new DiskError('IO', `'${this.#path}' cannot be read at ${bad.from}`)
  }

  async #doing<T>(work: () => Promise<T>): Promise<T> {
    this.#check()
    if (this.#life !== this.#disk.life) return never
    this.#underWay += 1
    try {
      return await work()
    } finally {
      this.#underWay -= 1
      if (this.#underWay === 0) for (const resolve of this.#idle.splice(0)) resolve()
    }
  }

  #check(): void {
    assert(this.#open, `file '${this.#path}' is open`)
  }
}

function folderOf(path: string): string {
  const at = path.lastIndexOf('/')
  return at < 0 ? '.' : path.slice(0, at)
}
