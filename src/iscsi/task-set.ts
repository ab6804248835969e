// The commands of a session that were received and are neither answered nor aborted. Each counts in the command window
// until it leaves.
import { assert } from '../base/assert.ts'
import type { BufferPool } from '../base/buffer-pool.ts'
import type { DataOut } from './data-out.ts'
import { type Task, TaskPool } from './task.ts'
import type { CommandWindow } from './window.ts'

export class TaskSet {
  readonly #pool: TaskPool
  readonly #window: CommandWindow
  readonly #writes: DataOut
  readonly #byTag = new Map<number, Task>()
  /** Those that are outside the window (§4.2.2.1). */
  immediate = 0

  constructor(buffers: BufferPool, window: CommandWindow, writes: DataOut) {
    this.#pool = new TaskPool(buffers)
    this.#window = window
    this.#writes = writes
  }

  get size(): number {
    return this.#byTag.size
  }

  get(tag: number): Task | undefined {
    return this.#byTag.get(tag)
  }

  all(): Task[] {
    return [...this.#byTag.values()]
  }

  /** The consumer works on a command that holds data: room will come without anything more being read. */
  get worksOnData(): boolean {
    for (const { state, roomBytes } of this.#byTag.values()) {
      if (state === 'delivered' && roomBytes > 0) return true
    }
    return false
  }

  /** One that is in no books. */
  take(): Task {
    return this.#pool.take()
  }

  add(task: Task): void {
    this.#byTag.set(task.initiatorTaskTag, task)
    if (task.immediate) this.immediate += 1
  }

  /** Whether the response is to be written: the task leaves the books. */
  settle(task: Task): boolean {
    if (task.state === 'aborted') return false
    assert(task.state === 'delivered' || task.state === 'collecting', 'S2 a task is answered once')
    this.#unlist(task)
    if (task.counted) this.#window.answered()
    return true
  }

  /** The task leaves the books unanswered, and is another's. */
  drop(task: Task): void {
    if (task.state !== 'aborted') this.strike(task)
    this.give(task)
  }

  strike(task: Task): void {
    this.#unlist(task)
    if (task.counted) this.#window.forgotten()
  }

  /** Nobody works on it any more. */
  give(task: Task): void {
    this.#pool.give(task)
  }

  #unlist(task: Task): void {
    if (task.state === 'collecting') this.#writes.forget(task)
    this.#byTag.delete(task.initiatorTaskTag)
    if (task.immediate) this.immediate -= 1
  }
}
