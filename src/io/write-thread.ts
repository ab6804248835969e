// Writes handed to a thread, many in one message: the thread's half, synchronous calls one after the other.
// What it promises is numbered in write-worker.ts, through which it is used.
import * as fs from 'node:fs'
import { parentPort } from 'node:worker_threads'
import { without } from './vectored.ts'

export interface WriteRequest {
  readonly id: number
  /** Three numbers each: descriptor, offset in the file, parts. */
  readonly jobs: Float64Array
  /** Three numbers each: the memory's number (−1: `loose`), offset in it, bytes. */
  readonly parts: Float64Array
  /** Not told before; they get the next numbers. */
  readonly memories: readonly SharedArrayBuffer[]
  readonly loose: Uint8Array
}

export interface FailedWrite {
  readonly job: number
  readonly cause: { readonly code: string; readonly message: string }
}

export interface WriteAnswer {
  readonly id: number
  readonly failed: readonly FailedWrite[]
}

class WriteThread {
  readonly #memories: Uint8Array[] = []

  write({ id, jobs, parts, memories, loose }: WriteRequest): WriteAnswer {
    for (const memory of memories) this.#memories.push(new Uint8Array(memory))
    const failed: FailedWrite[] = []
    let next = 0
    for (let job = 0; job * 3 < jobs.length; job += 1) {
      const [fd = -1, offset = 0, count = 0] = jobs.subarray(job * 3, job * 3 + 3)
      const views: Uint8Array[] = []
      for (const end = next + 3 * count; next < end; next += 3) {
        const [memory = -1, from = 0, bytes = 0] = parts.subarray(next, next + 3)
        const all = memory < 0 ? loose : this.#memories[memory]
        if (all === undefined) throw new RangeError('a memory that was never told')
        views.push(all.subarray(from, from + bytes))
      }
      try {
        writeAll(fd, views, offset)
      } catch (error) {
        failed.push({ job, cause: told(error) })
      }
    }
    return { id, failed }
  }
}

/** One call as a rule; the kernel may take less. */
function writeAll(fd: number, views: Uint8Array[], offset: number): void {
  let at = offset
  let left = views
  while (left.length > 0) {
    const [only] = left
    const written =
      left.length === 1 && only !== undefined
        ? fs.writeSync(fd, only, 0, only.length, at)
        : fs.writevSync(fd, left, at)
    left = without(left, written)
    at += written
    if (written === 0 && left.length > 0) throw new Error('nothing could be written')
  }
}

function told(error: unknown): FailedWrite['cause'] {
  const { code = '' } = error as NodeJS.ErrnoException
  return { code, message: error instanceof Error ? error.message : String(error) }
}

const port = parentPort
if (port !== null) {
  const thread = new WriteThread()
  port.on('message', (request: WriteRequest) => port.postMessage(thread.write(request)))
}
