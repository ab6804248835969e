// A member's store, opened as the group's record and the other members' copies allow.
//
//   opened ──it has all that was answered──▶ used
//     │└──some of its slices are damaged──▶ others go on without those ──▶ they are dropped here, and copied again
//     └──refused: empty, another one, an older copy, damaged──▶ others go on without it ──▶ made anew, or emptied of what others have
//
// Invariants:
//   DF4. A store that knows ids which the group record has not come to is not used with it (G26), nor changed.
//   DF9. Of a slice that another member has in sync nothing is kept of a folder that lacks something: what it has may be older than
//        its stamps say, and a copy that is made again goes by stamps.
//   DF10. An operator's word is about slices that nobody else has in sync, and is needed for those alone.
import type { Clock } from '../base/clock.ts'
import type { Disk } from '../base/disk.ts'
import type { MemberId, SliceId } from '../base/ids.ts'
import type { GroupRecord } from '../group/record.ts'
import { refuseRecord } from '../group/seen.ts'
import { FolderRefused } from '../store/failure.ts'
import type { StoreKnowledge } from '../store/look.ts'
import type { HeldVolume } from '../store/lost-pages.ts'
import { PageStore } from '../store/page-store.ts'
import type { Accept, StoreSettings } from '../store/settings.ts'
import {
  type Read,
  type ReadingDeps,
  readUntilAnswered,
  type StoredFolder,
} from './folder-record.ts'
import { leaveCopies, type OwnCopies, ownCopies } from './own-copies.ts'
import { RecordRefused } from './record-check.ts'

const NAMES_SHOWN = 5

export interface FolderDeps extends ReadingDeps {
  readonly clock: Clock
  readonly disk: Disk
  /** What becomes of a folder that lacks something, in sentences. */
  readonly told?: ((sentence: string) => void) | undefined
}

export interface NamedVolume extends HeldVolume {
  readonly name: string
}

export interface FolderSettings extends Omit<StoreSettings, 'known' | 'judge' | 'volumesHeld'> {
  /** Volumes that have pages on such slices. */
  readonly volumesOn: (isOne: (slice: SliceId) => boolean) => readonly NamedVolume[]
}

interface OpenedStore {
  readonly store: PageStore
  /** As it was read last. */
  readonly stored: StoredFolder
}

export class Opening {
  readonly #deps: FolderDeps
  readonly #settings: FolderSettings
  readonly #group: GroupRecord
  readonly #id: MemberId

  constructor(deps: FolderDeps, settings: FolderSettings, group: GroupRecord) {
    this.#deps = deps
    this.#settings = settings
    this.#group = group
    this.#id = settings.memberId
  }

  async open(): Promise<OpenedStore> {
    const read = await readUntilAnswered(this.#deps, this.#id)
    let store: PageStore
    try {
      store = await this.#use(read, 'nothing')
    } catch (error) {
      if (!(error instanceof FolderRefused) || error.remedy === 'none') throw error
      if (read.stored.record === null && this.#settings.accept === 'nothing') throw error
      return this.#recover(error)
    }
    try {
      await this.#mend(store)
    } catch (error) {
      await store.close()
      throw error
    }
    return { store, stored: read.stored }
  }

  /** The folder was refused. */
  async #recover(refused: FolderRefused): Promise<OpenedStore> {
    await this.#leave(
      () => true,
      refused.message,
      (sole) => this.#judge(sole, refused),
    )
    const read = await readUntilAnswered(this.#deps, this.#id)
    const sole = soleOf(this.#id, read)
    const { stored } = read
    this.#judge(sole, refused)
    if (refused.remedy === 'damage' && this.#settings.accept !== 'loss') {
      try {
        return { stored, store: await this.#emptied(read, sole) }
      } catch (error) {
        if (!(error instanceof FolderRefused) || error.remedy !== 'loss') throw error
        this.#judge(sole, error)
      }
    }
    const store = await this.#use(read, 'loss', sole)
    this.#deps.told?.(
      'the data folder is begun anew; what was in its place is set aside in it (set-aside-N), and may be deleted when all copies are in sync',
    )
    return { stored, store }
  }

  /** DF9: as it is, but for what others have. */
  async #emptied(read: Read, sole: ReadonlySet<SliceId>): Promise<PageStore> {
    const store = await this.#use(read, 'damage')
    try {
      await this.#drop(store, read, (slice) => !sole.has(slice))
    } catch (error) {
      await store.close()
      throw error
    }
    this.#deps.told?.('what other members have is deleted in the data folder, and copied again')
    return store
  }

  /** DF9: it is open, and something of these slices is lost. */
  async #mend(store: PageStore): Promise<void> {
    const { damaged, damage } = store.recovery
    if (damaged.size === 0) return
    const isDamaged = (slice: SliceId) => damaged.has(slice)
    await this.#leave(isDamaged, damage ?? '', () => {})
    const read = await readUntilAnswered(this.#deps, this.#id)
    const sole = soleOf(this.#id, read)
    await this.#drop(store, read, (slice) => damaged.has(slice) && !sole.has(slice))
  }

  async #leave(
    isOne: (slice: SliceId) => boolean,
    why: string,
    judge: (sole: ReadonlySet<SliceId>) => void,
  ): Promise<void> {
    const waits = ({ shared, others }: OwnCopies) =>
      this.#deps.told?.(
        `${why} ${[...others].sort().join(', ')} ${others.size === 1 ? 'has' : 'have'} in sync what is concerned of ${shared.size === 1 ? 'a slice' : `${shared.size} slices`}: when the group has gone on without ${this.#id}, which takes some seconds if they serve, it is copied again. Until one of them serves, ${this.#id} waits; if their folders are gone as well, put one back.`,
      )
    await leaveCopies(this.#deps, this.#id, { isOne, judge, waits })
  }

  /** DF10. Throws unless what is sole may be older than what was answered, or lost. */
  #judge(sole: ReadonlySet<SliceId>, refused: FolderRefused): void {
    const { accept } = this.#settings
    if (sole.size === 0 || accept === 'loss') return
    if (accept === 'damage' && refused.remedy === 'damage') return
    throw this.#naming(sole, refused)
  }

  #naming(sole: ReadonlySet<SliceId>, refused: FolderRefused): FolderRefused {
    const names = this.#settings.volumesOn((slice) => sole.has(slice)).map(({ name }) => name)
    if (names.length === 0) return refused
    const more = names.length > NAMES_SHOWN ? ', …' : ''
    const some = names.slice(0, NAMES_SHOWN).join(', ')
    return new FolderRefused(
      `${refused.message} ${this.#id} alone has all that was answered of ${sole.size} slices, with pages of ${names.length === 1 ? 'volume' : `${names.length} volumes:`} ${some}${more}; what other members have in sync is not concerned.`,
      refused.remedy,
      { cause: refused },
    )
  }

  #use(read: Read, accept: Accept, sole: ReadonlySet<SliceId> = new Set()): Promise<PageStore> {
    const { disk, clock } = this.#deps
    const { stored, ownEpochs, ...found } = read
    const group = this.#group
    const known = stored.record === null ? null : { ...stored.record, epochs: ownEpochs }
    const judge = (knowledge: StoreKnowledge) => {
      const refused = refuseRecord({ group, ...found }, { seen: null, store: knowledge })
      if (refused !== null) throw new RecordRefused(refused) // DF4
    }
    const { volumesOn, ...settings } = this.#settings
    const volumesHeld = volumesOn((slice) => sole.has(slice))
    return PageStore.open(disk, clock, { ...settings, accept, known, judge, volumesHeld })
  }

  async #drop(
    store: PageStore,
    { slices }: Read,
    isOne: (slice: SliceId) => boolean,
  ): Promise<void> {
    for (const [slice, { epoch }] of slices) {
      if (!isOne(slice) || store.newestOf(slice) === null) continue
      if ((await store.dropSlice(slice, epoch)) === 'full') {
        throw new FolderRefused(
          `The disk of ${this.#id} has no room to take note of what is deleted. Make room and start again.`,
        )
      }
    }
  }
}

function soleOf(id: MemberId, { slices }: Read): ReadonlySet<SliceId> {
  const stored = [...slices].map(([slice, record]) => ({ id: slice, record }))
  return ownCopies(id, stored).sole
}
