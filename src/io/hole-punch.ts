// Gives ranges of files back to the file system with util-linux's `fallocate`, since Node has no call for it. Ranges that
// are asked for while a process runs go to the next one together. Where the tool or the file system cannot do it, nothing
// is done from then on: a range that was not given back costs space, nothing else.
import { spawn } from 'node:child_process'

/** Ranges of one process: their arguments stay far below the system's limit. */
const RANGES = 64
const SCRIPT = 'while [ $# -gt 0 ]; do fallocate -p -o "$1" -l "$2" "$3" || exit 1; shift 3; done'

interface Range {
  /** It stays open until `done`. */
  readonly fd: number
  readonly offset: number
  readonly bytes: number
  readonly done: () => void
}

export class HolePunch {
  #waiting: Range[] = []
  #running = false
  #able = true

  /** Resolves when it was done or could not be. */
  punch(fd: number, offset: number, bytes: number): Promise<void> {
    if (!this.#able) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiting.push({ fd, offset, bytes, done: resolve })
      if (this.#running) return
      this.#running = true
      setImmediate(() => this.#next())
    })
  }

  #next(): void {
    const ranges = this.#waiting.splice(0, RANGES)
    if (ranges.length === 0) {
      this.#running = false
      return
    }
    const finish = (able: boolean) => {
      this.#able &&= able
      for (const range of ranges) range.done()
      this.#next()
    }
    if (!this.#able) {
      finish(false)
      return
    }
    // The tool gets the open files themselves, after its own three: whatever is at their names by now.
    const files = [...new Set(ranges.map(({ fd }) => fd))]
    const nameOf = (fd: number) => `/proc/self/fd/${3 + files.indexOf(fd)}`
    const words = ranges.flatMap(({ fd, offset, bytes }) => [`${offset}`, `${bytes}`, nameOf(fd)])
    const child = spawn('sh', ['-c', SCRIPT, 'sh', ...words], {
      stdio: ['ignore', 'ignore', 'ignore', ...files],
    })
    let ended = false
    const end = (able: boolean) => {
      if (!ended) finish(able)
      ended = true
    }
    child.on('error', () => end(false))
    child.on('close', (code) => end(code === 0))
  }
}
