// A copy that is being made again beside what is measured: a member stands still until it is left out, what it has a copy of is
// written over meanwhile, and it copies that when it goes on.
import type { Group, Session } from './servers.ts'

/** At random, so that it is left out of all slices at once. */
const OVERWRITING = { reads: 0, order: 'random', bytes: 256 * 1024, depth: 32 } as const

export class Resync {
  readonly #group: Group
  readonly #member: number
  readonly #writer: Session

  /** `member`: a process of the group that has copies of what the session of another one writes. */
  constructor(group: Group, member: number, writer: Session) {
    this.#group = group
    this.#member = member
    this.#writer = writer
  }

  async isUnderWay(): Promise<boolean> {
    return (await this.#group.lacking()) > 0
  }

  async begin(): Promise<void> {
    if (await this.isUnderWay()) return
    process.kill(this.#member, 'SIGSTOP')
    try {
      await this.#writer.load.once(OVERWRITING, this.#writer.region)
    } finally {
      process.kill(this.#member, 'SIGCONT')
    }
  }
}
