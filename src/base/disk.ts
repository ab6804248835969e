// The Disk port: files of one data folder. Paths are relative to it, with '/' between names.
// Implemented by io/disk.ts and by sim/disk.ts, which loses, reorders and tears what was not synced.
//
// Failure: a method that cannot do its work throws or rejects with a DiskError. After any failed write or sync the
// contents are unknown: nobody retries, the member stops (fsync errors are reported once, then forgotten by the kernel).
// Two errors are no failure of that kind: a read of what the medium has lost, and FULL of a write that extends a file,
// which has then at most written less, into room that nothing refers to yet.

export class DiskError extends Error {
  override readonly name = 'DiskError'
  readonly code: 'NOT_FOUND' | 'FULL' | 'IO'

  constructor(code: 'NOT_FOUND' | 'FULL' | 'IO', message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Not enough room, said by a write: what it was to replace is as it was, or partly written. Of a sync it means what any error does. */
export function isFull(error: unknown): boolean {
  return error instanceof DiskError && error.code === 'FULL'
}

export interface DiskFile {
  /** Fills `into` from `offset`; returns the bytes read, fewer only at the end of the file. Blocks the event loop: for what is believed to be in the page cache. */
  readSync(into: Uint8Array, offset: number): number
  /** Of the last `readSync`: what it read was not in the page cache, and the event loop stood still for the medium. */
  readonly waited: boolean
  /** The same off the event loop, for what is believed cold. */
  read(into: Uint8Array, offset: number): Promise<number>
  /** Writes the parts one after the other from `offset`. Not durable before `sync`. The parts must not change until it resolves. */
  write(parts: readonly Uint8Array[], offset: number): Promise<void>
  /** Writes and returns once the bytes are on stable media (O_DSYNC). Several at once, of parts of the file that have nothing in common, do not wait for one another. */
  writeDurable(parts: readonly Uint8Array[], offset: number): Promise<void>
  /** All writes that had resolved before the call are on stable media when it resolves. */
  sync(): Promise<void>
  sizeBytes(): number
  truncate(bytes: number): Promise<void>
  /** Gives the range back to the file system where it can. Afterwards it holds zeros or what it held: nobody may rely on either. */
  punch(offset: number, bytes: number): Promise<void>
  close(): Promise<void>
}

/** One write among many, as `DiskFile.write`. */
export interface WriteJob {
  readonly file: DiskFile
  readonly parts: readonly Uint8Array[]
  readonly offset: number
}

export interface FailedJob {
  /** Its index. */
  readonly job: number
  readonly error: DiskError
}

/** Memory for bytes that are written by `writeMany`, which need not be copied then. */
export function sharedBytes(length: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(length))
}

export interface Disk {
  open(path: string, mode: 'existing' | 'create'): Promise<DiskFile>
  /** Writes all the jobs, off the event loop at the price of one operation; one that fails keeps none of the others. Resolves with those that failed, rejects if that is not known. The parts must not change until then. */
  writeMany(jobs: readonly WriteJob[]): Promise<readonly FailedJob[]>
  /** Names in a folder; [] if the folder does not exist. */
  list(folder: string): Promise<string[]>
  makeFolder(path: string): Promise<void>
  remove(path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Makes creations, removals and renames in the folder durable. */
  syncFolder(path: string): Promise<void>
  /** Which file it is: the same after it was renamed or the disk mounted again, another one for a copy of it. For whoever compares; at most 64 characters. */
  identityOf(path: string): Promise<string>
  /** Bytes that may still be allocated. */
  freeBytes(): Promise<number>
}
