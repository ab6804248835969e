// The commands of one initiator without an answer, and which of them is to be sent next.
//
// Invariants:
//   Q1. A command is in the line at most once, and only while it is 'waiting'.
import { assert } from '../base/assert.ts'
import type { PendingCommand } from './pending-command.ts'

/** Entries of the line that were taken are cut off in blocks. */
const cutAt = 256

export class CommandQueue {
  readonly #all = new Set<PendingCommand>()
  #line: PendingCommand[] = []
  #head = 0
  #numbers = 0

  nextNumber(): number {
    this.#numbers += 1
    return this.#numbers
  }

  /** Without an answer, wherever they are. */
  get size(): number {
    return this.#all.size
  }

  add(command: PendingCommand): void {
    this.#all.add(command)
    this.#line.push(command)
  }

  /** A command that was answered and is tried once more goes to the end. */
  later(command: PendingCommand): void {
    assert(this.#all.has(command) && command.state === 'waiting', 'Q1 only what waits is queued')
    this.#line.push(command)
  }

  /** Commands of a lost connection go before all others, in the order in which they were asked for. */
  again(commands: readonly PendingCommand[]): void {
    for (const command of commands) command.state = 'waiting'
    const ordered = [...commands].sort((a, b) => a.number - b.number)
    this.#line = [...ordered, ...this.#line.slice(this.#head)]
    this.#head = 0
  }

  takeNext(): PendingCommand | null {
    while (this.#head < this.#line.length) {
      const command = this.#line[this.#head]
      this.#head += 1
      if (this.#head >= cutAt) {
        this.#line = this.#line.slice(this.#head)
        this.#head = 0
      }
      // Aborted while it waited.
      if (command !== undefined && command.state === 'waiting') return command
    }
    this.#line.length = 0
    this.#head = 0
    return null
  }

  finish(command: PendingCommand): void {
    this.#all.delete(command)
  }

  takeAll(): PendingCommand[] {
    const all = [...this.#all]
    this.#all.clear()
    this.#line = []
    this.#head = 0
    return all
  }
}
