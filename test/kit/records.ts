// The records that the members of a group agree on, seen from outside as they change: in the file that the members share,
// by the same polling watch that they use. For a test that has to act in a certain step of a move.
import { join } from 'node:path'
import { type MemberId, NO_REVISION } from '../../src/base/ids.ts'
import type { Versioned } from '../../src/coordination/coordinator.ts'
import { EmbeddedCoordinator } from '../../src/coordination/embedded.ts'
import { type FolderRecord, keys, type SessionRecord } from '../../src/group/record.ts'
import { SystemClock } from '../../src/io/clock.ts'
import { SqliteWorker } from '../../src/io/sqlite-worker.ts'
import { founding } from '../conformance/coordinator-calls.ts'
import type { TestGroup } from './group.ts'

export function coordinationFile(group: TestGroup): string {
  return join(group.dataFolder, 'coordination.sqlite')
}

const KEPT = 50_000
/** Nobody nudges us: often enough to be there in a step of a move. */
const POLL_MS = 5

export class Records {
  readonly #coordinator: EmbeddedCoordinator
  readonly #waiting = new Set<(record: SessionRecord) => void>()

  static async open(group: TestGroup): Promise<Records> {
    const worker = new SqliteWorker(coordinationFile(group), KEPT, POLL_MS)
    const records = new Records(await EmbeddedCoordinator.open(worker, new SystemClock(), founding))
    void records.#follow()
    return records
  }

  private constructor(coordinator: EmbeddedCoordinator) {
    this.#coordinator = coordinator
  }

  /** Acts in the turn in which a session's record is first seen to be so; settles then. */
  when(isSo: (record: SessionRecord) => boolean, act: () => void): Promise<void> {
    return new Promise((resolve) => {
      const look = (record: SessionRecord) => {
        if (!isSo(record)) return
        this.#waiting.delete(look)
        act()
        resolve()
      }
      this.#waiting.add(look)
    })
  }

  async sessions(): Promise<readonly Versioned[]> {
    const listed = await this.#coordinator.list(keys.sessions)
    if (listed.kind !== 'done') throw new Error(`the records cannot be read: ${listed.reason}`)
    return listed.items
  }

  /** What the group knows of the member's data folder. */
  async folder(member: MemberId): Promise<FolderRecord> {
    const listed = await this.#coordinator.list(keys.folder(member))
    const value = listed.kind === 'done' ? listed.items[0]?.value : undefined
    if (value === undefined) throw new Error(`the record of the folder of ${member} cannot be read`)
    return JSON.parse(value) as FolderRecord
  }

  close(): Promise<void> {
    return this.#coordinator.close()
  }

  async #follow(): Promise<void> {
    const listed = await this.#coordinator.list(keys.sessions)
    const watch = this.#coordinator.watch(
      keys.sessions,
      listed.kind === 'done' ? listed.rev : NO_REVISION,
    )
    for (;;) {
      const batch = await watch.next()
      if (batch.kind !== 'changes') return
      for (const { value } of batch.changes) {
        if (value === null) continue
        const record = JSON.parse(value) as SessionRecord
        for (const look of [...this.#waiting]) look(record)
      }
    }
  }
}
