// The file that a log is written to: line by line, so that the last words of a process that dies are in it.
//
// Invariants:
//   LF1. A log is bounded: FILES files of FILE_BYTES each, the newest without a number.
//   LF2. A line that cannot be written ends nobody: the next that can be written says how many were lost.
//   LF3. After `reopen` lines go to the path, whatever has become of the file that was there.
import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'

/** In a member's data folder. */
export const LOG_NAME = 'member.log'
/** In the group's data folder. */
export const LAUNCHER_LOG = 'launcher.log'
export const LAUNCHER = 'launcher'

const FILE_BYTES = 16 * 1024 * 1024
const FILES = 4
const PRIVATE = 0o600

export class LogFile {
  readonly #path: string
  readonly #fileBytes: number
  #fd: number
  #bytes: number
  #lost = 0

  /** Throws if the file cannot be opened. */
  constructor(path: string, fileBytes = FILE_BYTES) {
    this.#path = path
    this.#fileBytes = fileBytes
    this.#fd = openSync(path, 'a', PRIVATE)
    this.#bytes = fstatSync(this.#fd).size
  }

  /** One whole line of JSON, with its end. */
  write(line: string): void {
    try {
      if (this.#bytes > 0 && this.#bytes + line.length > this.#fileBytes) this.#rotate()
      if (this.#lost > 0) this.#append(`${JSON.stringify(lostLine(this.#lost))}\n`)
      this.#lost = 0
      this.#append(line)
    } catch {
      this.#lost += 1
    }
  }

  /** LF3. */
  reopen(): void {
    const fd = openSync(this.#path, 'a', PRIVATE)
    closeSync(this.#fd)
    this.#fd = fd
    this.#bytes = fstatSync(fd).size
  }

  #append(text: string): void {
    this.#bytes += writeSync(this.#fd, text)
  }

  /** LF1: the oldest is overwritten. */
  #rotate(): void {
    for (let n = FILES - 2; n >= 0; n -= 1) {
      try {
        renameSync(numbered(this.#path, n), numbered(this.#path, n + 1))
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
      }
    }
    this.reopen()
  }
}

/** The n-th file of a log; 0 is the newest. */
export function numbered(path: string, n: number): string {
  return n === 0 ? path : `${path}.${n}`
}

/** Of the oldest first: where the lines of a log are. */
export function filesOf(path: string): readonly string[] {
  return Array.from({ length: FILES }, (_, i) => numbered(path, FILES - 1 - i))
}

function lostLine(lines: number) {
  const msg = `${lines} lines before this one could not be written`
  return { level: 'error', time: new Date().toISOString(), event: 'lost', lines, msg }
}
