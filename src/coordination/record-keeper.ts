// Keeps what this member has seen of the group record in its folder: the highest revision within a second, and a copy of
// the durable part within a second of its change, sooner if somebody waits for it. Nothing is written while nothing changes.
//
// Invariants:
//   RK1. What the folder says was seen is never more than `EVERY_MS` and two writes behind the view.
//   RK2. The copy is of one instant of the record, and never replaced by an older one.
//   RK3. Once `written(rev)` says true, the copy on the disk has everything up to that revision.
//   RK4. A disk that is full costs the copy alone: it is told, and tried again. Any other error of the disk ends the member.
import { type Clock, sleep } from '../base/clock.ts'
import { type Disk, type DiskFile, isFull } from '../base/disk.ts'
import { type MemberId, NO_REVISION, type Revision, revision } from '../base/ids.ts'
import { durablePrefixes } from '../group/record.ts'
import type { Coordinator } from './coordinator.ts'
import type { GroupView } from './group-view.ts'
import { openSeen, writeCopy, writeSeen } from './record-copy.ts'

const EVERY_MS = 500
/** For a coordinator that does not answer at once. */
const PATIENCE_MS = 5_000
const AGAIN_MS = 50

export interface RecordKeeperDeps {
  readonly self: MemberId
  readonly disk: Disk
  readonly clock: Clock
  readonly coordinator: Coordinator
  readonly group: GroupView
}

export class RecordKeeper {
  /** Settles, with a sentence, if the disk fails; never rejects. */
  readonly failed: Promise<string>
  readonly #deps: RecordKeeperDeps
  readonly #file: DiskFile
  #fail: (why: string) => void = () => {}
  #copied = NO_REVISION
  #wanted = NO_REVISION
  #seen = NO_REVISION
  #place: 0 | 1 = 0
  #saving: Promise<boolean> | null = null
  #trouble: string | null = null
  #isClosed = false

  private constructor(deps: RecordKeeperDeps, file: DiskFile) {
    this.#deps = deps
    this.#file = file
    this.failed = new Promise((resolve) => {
      this.#fail = resolve
    })
  }

  /** The record has been found to be the one of this folder: nothing is kept of another. */
  static async start(deps: RecordKeeperDeps): Promise<RecordKeeper> {
    const keeper = new RecordKeeper(deps, await openSeen(deps.disk))
    await keeper.#save()
    void keeper.#follow()
    return keeper
  }

  /** Why the copy is not as new as it should be, as a sentence; null: it is. */
  get trouble(): string | null {
    return this.#trouble
  }

  /** RK3. False: it could not be written, or the coordinator did not give it in `PATIENCE_MS`. */
  async written(rev: Revision): Promise<boolean> {
    const { clock } = this.#deps
    const untilMs = clock.nowMs() + PATIENCE_MS
    this.#wanted = revision(Math.max(this.#wanted, rev))
    while (this.#copied < rev) {
      if (await this.#save()) continue
      if (this.#isClosed || this.#trouble !== null || clock.nowMs() >= untilMs) return false
      await sleep(clock, AGAIN_MS)
    }
    return true
  }

  /** What is still to be written is. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    await this.#save()
    this.#isClosed = true
    await this.#saving
    await this.#file.close()
  }

  async #follow(): Promise<void> {
    const { clock, group } = this.#deps
    while (await group.changed()) {
      do {
        await sleep(clock, EVERY_MS)
        if (this.#isClosed) return
        await this.#save()
      } while (this.#isBehind)
    }
  }

  get #isBehind(): boolean {
    const { group } = this.#deps
    return group.rev > this.#seen || group.durableRev > this.#copied
  }

  #save(): Promise<boolean> {
    this.#saving ??= this.#saveNow().finally(() => {
      this.#saving = null
    })
    return this.#saving
  }

  /** False: something is still to be written. */
  async #saveNow(): Promise<boolean> {
    if (this.#isClosed) return false
    try {
      const copied = await this.#copy()
      await this.#note()
      if (copied) this.#trouble = null
      return copied
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      this.#trouble = `The copy of the group record cannot be written: ${why}.`
      if (!isFull(error)) this.#fail(this.#trouble) // RK4
      return false
    }
  }

  /** RK2: read in one transaction, from the coordinator that refuses to go back. */
  async #copy(): Promise<boolean> {
    const { self, disk, coordinator, group } = this.#deps
    if (Math.max(group.durableRev, this.#wanted) <= this.#copied) return true
    const read = await coordinator.txn({ read: durablePrefixes })
    if (read.kind !== 'done') return false
    if (read.rev <= this.#copied) return true
    const { groupId, incarnation } = group.group
    const items = read.read.flat().map(({ key, value }) => [key, value] as const)
    await writeCopy(disk, { groupId, incarnation, revision: read.rev, memberId: self, items })
    this.#copied = read.rev
    return true
  }

  async #note(): Promise<void> {
    const { group } = this.#deps
    const { groupId, incarnation } = group.group
    const seen = revision(Math.max(group.rev, this.#copied))
    if (seen <= this.#seen) return
    await writeSeen(this.#file, { groupId, incarnation, revision: seen }, this.#place)
    this.#place = this.#place === 0 ? 1 : 0
    this.#seen = seen
  }
}
