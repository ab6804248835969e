// A member's data folder as the group knows it: opened only if it is the one of the record `folder/<member>`, and marked
// there with how far its journal is durable.
//
// Invariants:
//   DF1. Nothing is served from a folder before the record names it, and as which file it is open.
//   DF5. That it was closed is told after the last write of it, and by nobody but whoever had it open last.
//   DF2. While it writes, its mark is at most `markEveryMs` behind, the coordinator permitting; a clean stop leaves one. A
//        member that writes nothing leaves none but that.
//   DF3. A member whose record names another folder than the one it has open stops.
//   DF6. The epoch of a slice with copies as recovery has given it may be one that only another member has promised: the store of the
//        one that is its primary is no older copy for that.
//   DF4. A store that knows ids which the group record has not come to is not used with it (G26), nor changed.
import { type Clock, sleep, type Timer, within } from '../base/clock.ts'
import type { Disk } from '../base/disk.ts'
import {
  type Epoch,
  type MemberId,
  NO_REVISION,
  type Revision,
  type SliceId,
  type VolumeId,
} from '../base/ids.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import { usable } from '../coordination/group-view.ts'
import { writeFolder } from '../group/folders.ts'
import { parseFolder, parseSlice } from '../group/parse.ts'
import { type FolderRecord, type GroupRecord, keys } from '../group/record.ts'
import { isAsRecovered } from '../group/recover.ts'
import { refuseRecord } from '../group/seen.ts'
import { lastVolumeIn, volumeCounterKey } from '../group/volumes.ts'
import { paths } from '../store/layout.ts'
import type { StoreKnowledge } from '../store/look.ts'
import { PageStore } from '../store/page-store.ts'
import type { KnownFolder, StoreSettings } from '../store/settings.ts'
import { RecordRefused } from './record-check.ts'

export const MARK_EVERY_MS = 10_000
const AGAIN_MS = 50
/** A stop waits no longer for its mark: without it the next start has only the one before. */
const LAST_MARK_MS = 1_000

interface DataFolderDeps {
  readonly clock: Clock
  readonly disk: Disk
  readonly coordinator: Coordinator
  readonly markEveryMs: number
}

interface Opened {
  readonly rev: Revision
  readonly openAs: string
}

/** As it was read. */
interface StoredFolder {
  readonly rev: Revision
  readonly record: FolderRecord | null
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

  /** Waits until the coordinator answers. Rejects with FolderRefused, or with RecordRefused (DF4). */
  static async open(
    deps: DataFolderDeps,
    settings: Omit<StoreSettings, 'known' | 'judge'>,
    group: GroupRecord,
  ): Promise<DataFolder> {
    const { clock, disk, coordinator } = deps
    const id = settings.memberId
    const { stored, ownEpochs, ...found } = await readUntilAnswered(deps, id)
    const known: KnownFolder | null =
      stored.record === null ? null : { ...stored.record, epochs: ownEpochs }
    const judge = (knowledge: StoreKnowledge) => {
      const refused = refuseRecord({ group, ...found }, { seen: null, store: knowledge })
      if (refused !== null) throw new RecordRefused(refused) // DF4
    }
    const store = await PageStore.open(disk, clock, { ...settings, known, judge })
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

interface Read {
  readonly stored: StoredFolder
  /** The revision of the whole group record at that instant. */
  readonly rev: Revision
  /** The last that was given. */
  readonly volumeId: VolumeId
  readonly epochs: ReadonlyMap<SliceId, Epoch>
  /** Of the slices whose primary the member is. */
  readonly ownEpochs: ReadonlyMap<SliceId, Epoch>
}

async function readUntilAnswered(deps: DataFolderDeps, id: MemberId): Promise<Read> {
  for (;;) {
    const read = await readAll(deps, id)
    if (read !== null) return read
    await sleep(deps.clock, AGAIN_MS)
  }
}

/** All of one instant; null: no answer. */
async function readAll({ coordinator }: DataFolderDeps, id: MemberId): Promise<Read | null> {
  const key = keys.folder(id)
  const result = await coordinator.txn({ read: [key, keys.slices, volumeCounterKey] })
  if (result.kind === 'unknown') return null
  const [folders = [], slices = [], counters = []] = result.read
  const item = folders.find((one) => one.key === key)
  const epochs = new Map<SliceId, Epoch>()
  const ownEpochs = new Map<SliceId, Epoch>()
  for (const { key, value, rev } of slices) {
    const slice = keys.sliceOf(key)
    const { primary, epoch, want, inSync } = usable(key, parseSlice(value))
    epochs.set(slice, epoch)
    const isOfOthers = isAsRecovered(rev) && Math.max(want.length, inSync.length) > 1 // DF6
    if (primary === id && !isOfOthers) ownEpochs.set(slice, epoch)
  }
  const record = item === undefined ? null : usable(key, parseFolder(item.value))
  const volumeId = lastVolumeIn(counters)
  return {
    stored: { rev: item?.rev ?? NO_REVISION, record },
    epochs,
    ownEpochs,
    rev: result.rev,
    volumeId,
  }
}

function taken(id: MemberId, own: string, named: string): string {
  return (
    `${id} has folder ${own} open, and the group's record names ${named} since: ` +
    `another process with another folder is ${id} now. Stop one of them.`
  )
}
