// Writes handed to a thread, many in one message: the event loop's half. One write by libuv's pool costs ten times what the
// system call does; here the price of a message is shared.
//
// Invariants:
//   WW1. After the thread has died nothing is known of what it was handed, and it takes nothing any more: every call fails.
//   WW2. What is under way holds the process; a thread at rest does not.
//   WW3. Bytes in shared memory are not copied, others are.
import { Worker } from 'node:worker_threads'
import { DiskError, type WriteJob } from '../base/disk.ts'
import type { FailedWrite, WriteAnswer, WriteRequest } from './write-thread.ts'

interface Waiting {
  readonly resolve: (failed: readonly FailedWrite[]) => void
  readonly reject: (error: DiskError) => void
}

export class WriteWorker {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  /** The thread knows these by their number, until it ends. */
  readonly #memories = new Map<ArrayBufferLike, number>()
  #count = 0
  #death: DiskError | null = null

  constructor() {
    let reason = 'it ended'
    this.#worker = new Worker(new URL('./write-thread.ts', import.meta.url), { execArgv: [] })
    this.#worker.on('message', (answer: WriteAnswer) => this.#take(answer))
    this.#worker.on('error', (error: unknown) => {
      reason = error instanceof Error ? error.message : String(error)
    })
    this.#worker.on('exit', () => this.#died(reason))
    this.#worker.unref()
  }

  /** Each into the descriptor of the same index. Resolves with those that failed. */
  write(jobs: readonly WriteJob[], fds: readonly number[]): Promise<readonly FailedWrite[]> {
    if (this.#death !== null) return Promise.reject(this.#death)
    this.#count += 1
    const id = this.#count
    if (this.#waiting.size === 0) this.#worker.ref()
    this.#worker.postMessage(this.#encode(id, jobs, fds))
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
    })
  }

  /** When nothing is under way. */
  async end(): Promise<void> {
    await this.#worker.terminate()
  }

  #encode(id: number, jobs: readonly WriteJob[], fds: readonly number[]): WriteRequest {
    let parts = 0
    let loose = 0
    for (const job of jobs) {
      parts += job.parts.length
      for (const part of job.parts) if (!isShared(part)) loose += part.length
    }
    const request = {
      id,
      jobs: new Float64Array(3 * jobs.length),
      parts: new Float64Array(3 * parts),
      memories: [] as SharedArrayBuffer[],
      loose: new Uint8Array(loose),
    }
    let at = 0
    let copied = 0
    for (const [i, job] of jobs.entries()) {
      request.jobs[3 * i] = fds[i] ?? -1
      request.jobs[3 * i + 1] = job.offset
      request.jobs[3 * i + 2] = job.parts.length
      for (const part of job.parts) {
        const memory = this.#memoryOf(part, request.memories)
        if (memory < 0) request.loose.set(part, copied)
        request.parts[at] = memory
        request.parts[at + 1] = memory < 0 ? copied : part.byteOffset
        request.parts[at + 2] = part.length
        if (memory < 0) copied += part.length
        at += 3
      }
    }
    return request
  }

  /** WW3. −1: it goes with the message. */
  #memoryOf({ buffer }: Uint8Array, told: SharedArrayBuffer[]): number {
    if (!(buffer instanceof SharedArrayBuffer)) return -1
    const known = this.#memories.get(buffer)
    if (known !== undefined) return known
    const number = this.#memories.size
    this.#memories.set(buffer, number)
    told.push(buffer)
    return number
  }

  #take({ id, failed }: WriteAnswer): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (this.#waiting.size === 0) this.#worker.unref()
    waiting?.resolve(failed)
  }

  /** WW1 */
  #died(reason: string): void {
    const death = new DiskError('IO', `the thread that writes home died: ${reason}`)
    this.#death = death
    for (const { reject } of this.#waiting.values()) reject(death)
    this.#waiting.clear()
  }
}

function isShared({ buffer }: Uint8Array): boolean {
  return buffer instanceof SharedArrayBuffer
}
