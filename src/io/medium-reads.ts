// What this thread's reads had to fetch from a medium, by the kernel's account of each thread (proc_pid_io(5)): a read that took
// long may as well have been interrupted.
import { openSync, readSync } from 'node:fs'

const ACCOUNT_BYTES = 512

export class MediumReads {
  readonly #account = Buffer.alloc(ACCOUNT_BYTES)
  /** Null: this system keeps none. */
  readonly #fd: number | null = opened('/proc/thread-self/io')
  #bytes = 0

  constructor() {
    void this.cameSince
  }

  /** Whether there was one since it was asked last. 5 µs. */
  get cameSince(): boolean {
    if (this.#fd === null) return false
    const before = this.#bytes
    const length = readSync(this.#fd, this.#account, 0, ACCOUNT_BYTES, 0)
    const text = this.#account.toString('latin1', 0, length)
    this.#bytes = Number(/^read_bytes: (\d+)$/m.exec(text)?.[1] ?? before)
    return this.#bytes > before
  }
}

function opened(path: string): number | null {
  try {
    return openSync(path, 'r')
  } catch {
    return null
  }
}
