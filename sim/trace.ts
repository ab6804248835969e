// What happened in a simulation, line by line, as a hash: two runs of a seed are the same if their hashes are.
import { createHash, type Hash } from 'node:crypto'
import type { Timeline } from './timeline.ts'

export class Trace {
  readonly #timeline: Timeline
  readonly #print: ((line: string) => void) | null
  readonly #hash: Hash = createHash('sha256')
  lines = 0

  constructor(timeline: Timeline, print: ((line: string) => void) | null) {
    this.#timeline = timeline
    this.#print = print
  }

  add(who: string, what: string): void {
    const line = `${this.#timeline.nowMs.toFixed(3).padStart(10)} ${who} ${what}`
    this.#hash.update(line)
    this.lines += 1
    this.#print?.(line)
  }

  /** Of everything so far; nothing can be added afterwards. */
  digest(): string {
    return this.#hash.update(String(this.#timeline.events)).digest('hex')
  }
}
