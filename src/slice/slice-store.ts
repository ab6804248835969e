// What a primary needs of the page store; store/page-store.ts has it.
import type { Epoch, Generation, SessionId, SliceId, VolumeId } from '../base/ids.ts'
import type { InstalledPage } from '../store/installed.ts'
import type { OperationWindow } from '../store/operations.ts'
import type { PageCopy, PageParts } from '../store/page-copy.ts'
import type { PageVersion } from '../store/pages.ts'
import type { StoreWrite } from '../store/record.ts'
import type { Admitted, Reservation } from '../store/room.ts'
import type { Stamp } from '../store/stamp.ts'
import type { Later } from './outcome.ts'

/** What a copy needs of the store besides. */
export interface CopyStore {
  /** Each page of the slice that has had a change, tombstones included. */
  versions(slice: SliceId): Iterable<PageVersion>
  /** Tombstones of the slice up to this stamp are listed no more; null: all are. */
  foldedOf(slice: SliceId): Stamp | null
  /** Where the last change of the page stands in the order of its slice; null: nobody knows of one. */
  stampOf(volume: VolumeId, page: number): Stamp | null
  /** All there is of a page, as of one instant; null: nobody knows of it here. */
  pageOf(volume: VolumeId, page: number): Promise<PageCopy | 'damaged' | null>
  /** The same, with what is good of a page that is damaged; 'damaged': nothing is. */
  partsOf(volume: VolumeId, page: number): Promise<PageParts | 'damaged' | null>
  /** Afterwards the page is exactly this, durably, whatever it was: higher stamps go, too. */
  install(page: InstalledPage): Promise<'done' | 'full'>
  operationsOf(slice: SliceId): Iterable<OperationWindow>
  /** Afterwards these are remembered, durably: besides what is known, or instead of it. */
  adopt(
    slice: SliceId,
    operations: readonly OperationWindow[],
    isInstead: boolean,
  ): Promise<'done' | 'full'>
}

export interface SliceStore extends CopyStore {
  /** The member is about to raise these slices to these epochs; resolves when that is durable, rejects when the store has failed. */
  promise(epochs: ReadonlyMap<SliceId, Epoch>): Promise<'done' | 'full'>
  /** The highest epoch that was ever promised for the slice. */
  promisedEpoch(slice: SliceId): Epoch
  /** Any byte range inside one run; sees exactly the writes that are durable. */
  read(
    volume: VolumeId,
    offset: number,
    into: Uint8Array,
  ): 'done' | 'damaged' | Promise<'done' | 'damaged'>
  /** The same, if nothing need be waited for; 'later': nothing is under way, and what `into` holds means nothing. */
  readNow(volume: VolumeId, offset: number, into: Uint8Array): 'done' | 'damaged' | Later
  /** Of the blocks of a read that was done in this turn of the event loop; null: they are not known. */
  checksums(volume: VolumeId, offset: number, bytes: number): Uint32Array | null
  /** Whether an unmap of these bytes would find anything that `slice` has: with nothing it need not be written (ST9 of the store). */
  holds(range: Pick<StoreWrite, 'volume' | 'slice' | 'offset' | 'bytes'>): boolean
  /** Promises room to a write before it has its number; null: there is not enough. It is handed in at once then. */
  admit(write: Admitted): Reservation | null
  /** Resolves when durable; rejects when the store has failed, and then refuses everything. 'full': nothing of it has happened; the disk has no room to write home. */
  write(write: StoreWrite, room: Reservation): Promise<'done' | 'full'>
  /** After `admit` or 'full': true once room that unmaps and deletions made is there; false: there is none. Rejects when the store has failed. */
  makeRoom(): Promise<boolean>
  /** Some pages of the volume may have been in a folder that was given up. */
  hasLost(volume: VolumeId): boolean
  remembered(session: SessionId, gen: Generation, slice: SliceId, number: number): boolean
  acknowledge(session: SessionId, gen: Generation, slice: SliceId, upTo: number): void
  /** Sessions of which it remembers operations, also from before a restart. */
  rememberedSessions(): readonly SessionId[]
  forgetSession(session: SessionId): void
  /** Which whole blocks of the bytes [from, to) these slices have, in order: at most so many extents, and up to where that is all. */
  held(question: {
    readonly volume: VolumeId
    readonly slices: ReadonlySet<SliceId>
    readonly from: number
    readonly to: number
    readonly most: number
  }): Promise<{
    readonly upTo: number
    readonly extents: readonly (readonly [from: number, to: number])[]
  }>
  /** Volumes that have pages here. */
  volumes(): readonly VolumeId[]
  /** Slices of which it has anything: pages, or that there were some, or operations that it remembers. */
  slicesHere(): readonly SliceId[]
  /** Resolves when nothing of the slice is here any more, durably. `under`: the epoch of the record by which this member has no part in it. */
  dropSlice(slice: SliceId, under: Epoch): Promise<'done' | 'full'>
  /** Resolves when all pages of the volume are durably gone; rejects when the store has failed. */
  dropVolume(volume: VolumeId): Promise<'done' | 'full'>
}
