// A member's data folder as the group knows it: opened only if it is the one of the record `folder/<member>`, and marked
// there with how far its journal is durable.
//
// Invariants:
//   DF1. Nothing is served from a folder before the record names it, and as which file it is open.
//   DF5. That it was closed is told after the last write of it, and by nobody but whoever had it open last.
//   DF2. While it writes, its mark is at most `markEveryMs` behind, the coordinator permitting; a clean stop leaves one. A
//        member that writes nothing leaves none but that.
//   DF3. A member whose record names another folder than the one it has open stops.
import { type Clock, type Timer, within } from '../base/clock.ts'
import type { MemberId, Revision } from '../base/ids.ts'
import { writeFolder } from '../group/folders.ts'
import type { FolderRecord, GroupRecord } from '../group/record.ts'
import { paths } from '../store/layout.ts'
import type { PageStore } from '../store/page-store.ts'
import { type FolderDeps, type FolderSettings, Opening } from './folder-opening.ts'
import { readAll, readUntilAnswered } from './folder-record.ts'

export const MARK_EVERY_MS = 10_000
/** A stop waits no longer for its mark: without it the next start has only the one before. */
const LAST_MARK_MS = 1_000

interface DataFolderDeps extends FolderDeps {
  readonly markEveryMs: number
}

interface Opened {
  readonly rev: Revision
  readonly openAs: string
}

export class DataFolder {
  readonly store: PageStore
  /** DF3: settles, with a sentence, if the member must stop; never rejects. */
  readonly failed: Promise<string>
  readonly #deps: DataFolderDeps
  readonly #id: MemberId
  readonly #fail: (why: string) => void
  #rev: Revision
  #marked: number
  /** Of its superblock, while it is open. */
  #openAs: string | null
  #timer: Timer | null = null
  #marking: Promise<void> = Promise.resolve()

  private constructor(deps: DataFolderDeps, id: MemberId, store: PageStore, opened: Opened) {
    const { promise, resolve } = Promise.withResolvers<string>()
    this.#deps = deps
    this.#id = id
    this.store = store
    this.#rev = opened.rev
    this.#openAs = opened.openAs
    this.#marked = store.position
    this.failed = promise
    this.#fail = resolve
  }

  /**
   * Waits until the coordinator answers, and until other members have gone on without what the folder has not (DF7 of
   * own-copies.ts). Rejects with FolderRefused, or with RecordRefused (DF4).
   */
  static async open(
    deps: DataFolderDeps,
    settings: FolderSettings,
    group: GroupRecord,
  ): Promise<DataFolder> {
    const { clock, disk, coordinator } = deps
    const id = settings.memberId
    const { store, stored } = await new Opening(deps, settings, group).open()
    const known = stored.record
    const openAs = await disk.identityOf(paths.superblock)
    let { rev } = stored
    // Also if nothing is new: what an earlier life said last, and may yet come, is late from now on (DF5).
    for (;;) {
      const result = await coordinator.txn(writeFolder(id, rev, folderOf(store, clock, openAs)))
      if (result.kind === 'done') {
        rev = result.rev
        break
      }
      const { stored: now } = await readUntilAnswered(deps, id)
      rev = now.rev
      const named = now.record?.folderId
      if (named === undefined || named === store.folderId || named === known?.folderId) continue
      await store.close()
      throw new Error(taken(id, store.folderId, named))
    }
    const folder = new DataFolder(deps, id, store, { rev, openAs })
    folder.#markLater()
    return folder
  }

  /** DF2. Closes the store too. */
  async close(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = null
    await this.#marking
    await this.store.close()
    this.#openAs = null // DF5
    this.#marked = -1
    await within(this.#deps.clock, LAST_MARK_MS, this.#mark(), undefined)
  }

  #markLater(): void {
    const { clock, markEveryMs } = this.#deps
    this.#timer = clock.after(markEveryMs, () => {
      this.#marking = this.#mark().then(() => {
        if (this.#timer !== null) this.#markLater()
      })
    })
  }

  async #mark(): Promise<void> {
    const { clock, coordinator } = this.#deps
    const record = folderOf(this.store, clock, this.#openAs)
    if (record.position === this.#marked) return
    const result = await coordinator.txn(writeFolder(this.#id, this.#rev, record))
    if (result.kind === 'done') {
      this.#rev = result.rev
      this.#marked = record.position
      return
    }
    if (result.kind === 'unknown') return
    // What an earlier life of this member, or a mark of unknown outcome, has written late.
    const read = await readAll(this.#deps, this.#id)
    if (read === null) return
    this.#rev = read.stored.rev
    const named = read.stored.record?.folderId ?? 'none'
    if (named !== this.store.folderId) this.#fail(taken(this.#id, this.store.folderId, named))
  }
}

function folderOf(store: PageStore, clock: Clock, openAs: string | null): FolderRecord {
  const at = new Date(clock.wallMs()).toISOString()
  return { folderId: store.folderId, position: store.position, openAs, at }
}

function taken(id: MemberId, own: string, named: string): string {
  return (
    `${id} has folder ${own} open, and the group's record names ${named} since: ` +
    `another process with another folder is ${id} now. Stop one of them.`
  )
}
