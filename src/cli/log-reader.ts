// The lines of the logs in a group's data folder: of the launcher and of each member, together in the order of their times,
// and what is added to them. Reads files, so that it works when no member answers.
//
// Invariants:
//   LG1. A line is given once and whole, though its file is renamed, reopened or still being written.
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { filesOf, LAUNCHER, LAUNCHER_LOG, LOG_NAME } from '../io/log-file.ts'

export interface LogLine {
  readonly time: string
  readonly member: string
  readonly level: string
  readonly event: string
  readonly msg: string
}

export interface LogSource {
  /** A member, or the launcher. */
  readonly name: string
  readonly path: string
}

/** Those that have a log, by name. */
export function sourcesIn(dataFolder: string): readonly LogSource[] {
  const names = existsSync(dataFolder) ? readdirSync(dataFolder) : []
  const members = names.map((name) => ({ name, path: join(dataFolder, name, LOG_NAME) }))
  const launcher = { name: LAUNCHER, path: join(dataFolder, LAUNCHER_LOG) }
  return [launcher, ...members.sort((a, b) => byNumber(a.name, b.name))].filter(({ path }) =>
    existsSync(path),
  )
}

/** Of the oldest file first. */
export function linesOf({ path }: LogSource): readonly LogLine[] {
  return filesOf(path)
    .filter((file) => existsSync(file))
    .flatMap((file) => readFileSync(file, 'utf8').split('\n'))
    .flatMap(parseLine)
}

export function inOrder(lines: readonly LogLine[]): readonly LogLine[] {
  return lines.toSorted((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
}

/** What is added to a log from now on. */
export class Follower {
  readonly #path: string
  #fd: number
  #inode: number
  #offset: number
  /** The beginning of a line of which the end is not there yet. */
  #rest = Buffer.alloc(0)

  constructor({ path }: LogSource) {
    this.#path = path
    this.#fd = openSync(path, 'r')
    const { ino, size } = fstatSync(this.#fd)
    this.#inode = ino
    this.#offset = size
  }

  /** LG1: what is left in a file that was renamed comes before what is in the new one. */
  next(): readonly LogLine[] {
    const lines = [...this.#added()]
    const now = existsSync(this.#path) ? statSync(this.#path) : null
    if (now === null || now.ino === this.#inode) return lines
    lines.push(...this.#added())
    closeSync(this.#fd)
    this.#fd = openSync(this.#path, 'r')
    this.#inode = now.ino
    this.#offset = 0
    this.#rest = Buffer.alloc(0)
    return [...lines, ...this.#added()]
  }

  close(): void {
    closeSync(this.#fd)
  }

  #added(): readonly LogLine[] {
    const { size } = fstatSync(this.#fd)
    // Somebody has emptied it.
    if (size < this.#offset) this.#offset = 0
    const bytes = Buffer.alloc(size - this.#offset)
    this.#offset += readSync(this.#fd, bytes, 0, bytes.length, this.#offset)
    const all = Buffer.concat([this.#rest, bytes])
    const end = all.lastIndexOf(0x0a) + 1
    this.#rest = all.subarray(end)
    return all.subarray(0, end).toString('utf8').split('\n').flatMap(parseLine)
  }
}

/** None for what is no line of ours. */
function parseLine(text: string): LogLine[] {
  if (!text.startsWith('{')) return []
  try {
    const line = JSON.parse(text)
    const isOurs = typeof line.time === 'string' && typeof line.event === 'string'
    return isOurs ? [{ member: '', level: 'info', msg: '', ...line }] : []
  } catch {
    return []
  }
}

function byNumber(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}
