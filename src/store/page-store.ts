// The durable pages of one member. A write is answered when it is in the journal on stable media; it goes home later.
// See DESIGN.md in this room for the bytes and for why each step waits for the one before.
//
//   open (recovers) ──▶ serving ──close──▶ closed
//                          └──an error of the disk──▶ failed: refuses everything, the member stops
//
// Invariants:
//   ST1. What was answered 'done' is read after any number of power cuts.
//   ST2. A block is written whole or not at all, and so is a write: after a cut the store is as some number of its first
//        writes left it, all the answered ones among them.
//   ST3. Bytes that fail their checksum are never returned: 'damaged'.
//   ST4. Recovery may be cut and begun again any number of times.
//   ST5. An operation is remembered exactly if its write is in the store, or ST12 says so, until it is acknowledged.
//   ST6. A store that is full goes on overwriting the pages that it has. If others took the room that it counted on, what
//        was answered stays in the journal until there is room again; when the journal is used up by that, writes are 'full'
//        and reads go on.
//   ST7. After an error of a write or of a sync nothing is retried, answered or written any more.
//   ST8. What the medium does not give is 'damaged' for the read that wanted it; the store goes on.
//   ST9. An unmap needs no room. Whether it finds anything is asked by whoever orders it (`holds`), who need not write one that
//        does not: carried out again it can only take what was written since, beside a command that still waits for its
//        answer. What is handed in is written and remembered, whatever it finds here: a copy does as its primary has decided.
//   ST10. A page has the stamp (epoch, seq) of its newest change that is in the store, as a slice has; members compare them.
//   ST11. What a gateway had acknowledged when it sent an operation is remembered no more once that is in the store, also
//        after a restart.
//   ST12. What another member remembers of operations is united with what is known here, or takes its place, durably.
import { assert } from '../base/assert.ts'
import { type Clock, turnOf } from '../base/clock.ts'
import type { Disk } from '../base/disk.ts'
import {
  type Epoch,
  epoch,
  type Generation,
  type SessionId,
  type SliceId,
  type VolumeId,
} from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../base/sizes.ts'
import { BlockCache } from './block-cache.ts'
import { CommitQueue, type CommitWork, type WriteResult } from './commit-queue.ts'
import type { DamagedPage } from './damaged-pages.ts'
import { DirectWrites } from './direct-writes.ts'
import { FolderRefused, StoreFailed } from './failure.ts'
import { type Folder, openFolder, replaceFolder } from './folder.ts'
import { HeaderCache } from './header-cache.ts'
import { type HeldAnswer, type HeldQuestion, heldExtents } from './held.ts'
import { homeChecksums } from './home-checksums.ts'
import { HomeWriter } from './home-writer.ts'
import { Homes } from './homes.ts'
import { blocksIn, type InstalledPage, installParts, sizeOfInstall } from './installed.ts'
import type { Change, Journal } from './journal.ts'
import { encodeWindows, OperationMemory, type OperationWindow } from './operations.ts'
import { Overlay } from './overlay.ts'
import { type PageCopy, type PageParts, partsOfPage, wholeOf } from './page-copy.ts'
import { PageReader, type ReadResult } from './page-reader.ts'
import { PageTable } from './page-table.ts'
import { Pages, type PageVersion, type Range } from './pages.ts'
import { encodeEpochs } from './promises.ts'
import { BLOCK_SECTORS, insideRun, judgeWrite, listOf, type StoreWrite, sizeOf } from './record.ts'
import { type Recovered, type RecoveryReport, recover } from './recovery.ts'
import { type Admitted, isFor, type Reservation, Room } from './room.ts'
import { Scrub } from './scrub.ts'
import { Segments } from './segments.ts'
import type { StoreSettings } from './settings.ts'
import type { Stamp } from './stamp.ts'
import { Upkeep } from './upkeep.ts'
import {
  type StoreLosses,
  type StoreUsage,
  storeUsage,
  type VolumeUsage,
  volumeUsages,
} from './usage.ts'

type Drop = Extract<Change, { readonly kind: 'drop' | 'dropSlice' }>

export class PageStore {
  readonly recovery: RecoveryReport
  /** Settles, with the reason, if the store fails; never rejects. */
  readonly failed: Promise<string>
  readonly #clock: Clock
  readonly #folder: Folder
  readonly #pages: Pages
  readonly #reader: PageReader
  readonly #journal: Journal
  readonly #queue: CommitQueue
  readonly #upkeep: Upkeep
  readonly #room: Room
  readonly scrub: Scrub
  #tellFailed: (reason: string) => void = () => {}
  #refusal: StoreFailed | null = null

  private constructor(
    ports: { readonly disk: Disk; readonly clock: Clock; readonly settings: StoreSettings },
    folder: Folder,
    pages: Pages,
    { home, direct }: { readonly home: HomeWriter; readonly direct: DirectWrites },
    recovered: { readonly journal: Journal; readonly report: RecoveryReport },
  ) {
    const { clock, settings } = ports
    this.#clock = clock
    this.#folder = folder
    this.#pages = pages
    this.#reader = new PageReader(pages.homes, pages.overlay)
    this.#journal = recovered.journal
    this.recovery = recovered.report
    this.failed = new Promise((resolve) => {
      this.#tellFailed = resolve
    })
    this.#room = new Room(pages, ports.disk, settings)
    const { slotsPerSegment } = folder.superblock
    this.scrub = new Scrub({
      ...{ disk: ports.disk, clock, pages, reader: this.#reader, seed: folder.seed },
      ...{ slotsPerSegment, everyMs: settings.scrubEveryMs, failed: (error) => this.#fail(error) },
      isBusy: () => this.#queue.underWayMs !== null || this.#reader.coldReads.isWanted,
    })
    direct.serve((slots) => this.#room.hasRoomFor(slots))
    this.#queue = new CommitQueue({ journal: this.#journal, direct }, pages, clock, {
      released: (reserved) => this.#room.release(reserved),
      upkeep: () => this.#upkeep.look(),
      failed: (error) => this.#fail(error),
    })
    this.#upkeep = new Upkeep({
      clock,
      pages,
      journal: this.#journal,
      queue: this.#queue,
      home,
      direct,
      checkpoints: folder.checkpoints,
      homeAfterMs: settings.homeAfterMs,
      checkpointAfterMs: settings.checkpointAfterMs,
      isShort: () => this.#room.isShort,
      measureSpace: () => this.#room.measure(),
      refused: (writes) => this.#room.refused(writes),
      failed: (error) => this.#fail(error),
    })
  }

  /** Makes the folder if there is none and need not be one, recovers it otherwise. Rejects with FolderRefused or the disk's error. */
  static async open(disk: Disk, clock: Clock, settings: StoreSettings): Promise<PageStore> {
    try {
      return await PageStore.#use(await openFolder(disk, settings), disk, clock, settings)
    } catch (error) {
      const isLossAccepted = settings.accept === 'loss'
      if (!isLossAccepted || !(error instanceof FolderRefused) || error.remedy === 'none')
        throw error
      return PageStore.#use(await replaceFolder(disk, settings), disk, clock, {
        ...settings,
        known: null,
      })
    }
  }

  static async #use(
    folder: Folder,
    disk: Disk,
    clock: Clock,
    settings: StoreSettings,
  ): Promise<PageStore> {
    const table = new PageTable()
    const cache = new HeaderCache(table, settings.cachedPages)
    const segments = new Segments(disk, folder.superblock.slotsPerSegment, folder.seed)
    const blocks = new BlockCache(settings.cacheBytes)
    const homes = new Homes({ table, cache, segments, blocks }, folder.seed)
    const overlay = new Overlay(settings.overlayBytes)
    const pages = new Pages(homes, overlay, new OperationMemory(), settings.tombstoneRuns)
    const direct = new DirectWrites(homes, overlay, settings)
    const home = new HomeWriter(homes, overlay, direct)
    let recovered: Recovered
    try {
      recovered = await recover(folder, pages, home, settings)
    } catch (error) {
      await closeFiles(folder, segments)
      throw error
    }
    const ports = { disk, clock, settings }
    const store = new PageStore(ports, folder, pages, { home, direct }, recovered)
    await segments.removeStrays()
    await segments.unlinkEmpty(0)
    await store.#room.measure()
    if (settings.scrubEveryMs > 0) store.scrub.start()
    return store
  }

  /** Why the store refuses everything, null while it serves. */
  failure(): string | null {
    return this.#refusal?.message ?? null
  }

  /** Any range of bytes inside one run of 16 MiB; what was never written reads as zeros. With 'damaged' the contents of `into` mean nothing. */
  read(volume: VolumeId, offset: number, into: Uint8Array): ReadResult | Promise<ReadResult> {
    if (this.#refusal !== null) throw this.#refusal
    assert(insideRun(offset, into.length), 'a read stays inside one run')
    try {
      const result = this.#reader.read(volume, offset, into)
      if (typeof result === 'string') return result
      return result.catch((error: unknown) => {
        throw this.#fail(error)
      })
    } catch (error) {
      throw this.#fail(error)
    }
  }

  /** The same, if the medium need not be waited for; 'later': nothing is under way, and what `into` holds means nothing. */
  readNow(volume: VolumeId, offset: number, into: Uint8Array): ReadResult | 'later' {
    if (this.#refusal !== null) throw this.#refusal
    assert(insideRun(offset, into.length), 'a read stays inside one run')
    try {
      return this.#reader.readNow(volume, offset, into)
    } catch (error) {
      throw this.#fail(error)
    }
  }

  /** Of the blocks of a read that was done in this turn of the event loop; null: they are not known (HS1). */
  checksums(volume: VolumeId, offset: number, bytes: number): Uint32Array | null {
    return homeChecksums(this.#pages, volume, offset, bytes)
  }

  /** RO5. Promises room to a write before it has its number, which is wasted if there is none; null: there is not enough. A `write` with it must follow. */
  admit(write: Admitted): Reservation | null {
    const reservation = this.#room.admit(write)
    if (reservation === null) this.#room.measureAgain().catch((error: unknown) => this.#fail(error))
    return reservation
  }

  /**
   * Resolves when the write is durable and visible, or says 'full': nothing of it has happened then, and with a reservation the
   * disk has no room to write home (GC3); without one there may have been none to promise. Rejects with StoreFailed.
   */
  write(
    write: StoreWrite,
    reservation: Reservation | null = this.admit(write),
  ): Promise<WriteResult> {
    const { bytes, data } = write
    judgeWrite(write)
    assert(sizeOf(write).sectors <= this.#journal.largest, 'a write is at most half of the journal')
    const blocks = data === null ? 0 : bytes / BLOCK_BYTES
    assert(blocks <= this.#queue.blocksMost, 'a write fits into the overlay')
    if (reservation === null) return Promise.resolve('full')
    assert(isFor(reservation, write), 'RO5: a reservation is for the write that was admitted')
    return this.#queue.write(write, reservation.blocks)
  }

  /** PC1: what there is of the page, for another member; null: nobody knows of it here. `partsOf`: what is good of it (PC2). */
  async pageOf(volume: VolumeId, page: number): Promise<PageCopy | 'damaged' | null> {
    return wholeOf(await this.partsOf(volume, page))
  }

  async partsOf(volume: VolumeId, page: number): Promise<PageParts | 'damaged' | null> {
    if (this.#refusal !== null) throw this.#refusal
    try {
      return await partsOfPage(this.#pages, this.#reader, volume, page)
    } catch (error) {
      throw this.#fail(error)
    }
  }

  /** PG7. Resolves when the page is durably as it was given, stamp and all, or says 'full': then it is as it was (RO6). */
  install(installed: InstalledPage): Promise<WriteResult> {
    const { volume, page } = installed
    const parts = installParts(installed)
    const blocks = blocksIn(parts)
    assert(
      sizeOfInstall(parts).sectors <= this.#journal.largest,
      'a page is at most half of the journal',
    )
    assert(blocks <= this.#queue.blocksMost, 'a page fits into the overlay')
    const reserved = this.#room.admitPage(volume, page, blocks)
    if (reserved !== null) return this.#queue.add({ kind: 'install', parts, firstSum: 0 }, reserved)
    this.#room.measureAgain().catch((error: unknown) => this.#fail(error))
    return Promise.resolve('full')
  }

  /** ST9. Whether `slice` has, or is about to have, anything that an unmap of these bytes would take. */
  holds(range: Range): boolean {
    return this.#refusal !== null || this.#pages.isHeld(range, range.bytes)
  }

  /** RO4. For who was told 'full': true once what was unmapped or dropped has been given back, false if there is none of it. */
  async makeRoom(): Promise<boolean> {
    const freed = this.#upkeep.wantSpace()
    if (freed === null) return false
    await freed
    return true
  }

  /** Some pages of the volume may have been in a folder that was given up. */
  hasLost(volume: VolumeId): boolean {
    return this.#pages.homes.lost.isOf(volume)
  }

  /** Resolves when all pages of the volume are durably gone; 'full': not even that has room now, they are all there. */
  dropVolume(volume: VolumeId): Promise<WriteResult> {
    return this.#drop({ kind: 'drop', volume })
  }

  /**
   * Resolves when nothing of the slice is here any more, durably; 'full' as for a volume. `under`: the epoch of the group's
   * record by which this member has no part in the slice. It stays known (SI2), as promised epochs do; pages, tombstones and
   * operations go. What is lost of a volume (`hasLost`) stays lost, since the store does not know lanes: who drops a slice
   * unmaps its runs of such volumes before, and what that leaves goes with the slice.
   */
  dropSlice(slice: SliceId, under: Epoch): Promise<WriteResult> {
    const known = this.newestOf(slice)?.epoch ?? epoch(0)
    assert(under >= known, 'SI2: a slice is dropped under an epoch that its changes are not beyond')
    return this.#drop({ kind: 'dropSlice', slice, under })
  }

  async #drop(change: Drop): Promise<WriteResult> {
    const result = await this.#queue.add(change)
    do await turnOf(this.#clock)
    while (this.#pages.dropMore())
    void this.#upkeep.wantSpace()
    return result
  }

  /** The member is about to raise these slices to these epochs; resolves when that is durable. */
  promise(epochs: ReadonlyMap<SliceId, Epoch>): Promise<WriteResult> {
    return this.#queue.add(listOf('promise', encodeEpochs(epochs)))
  }

  /** What is remembered of operations on the slice (ST5), for another member. */
  operationsOf(slice: SliceId): readonly OperationWindow[] {
    return this.#pages.operations.windowsOf(slice)
  }

  /** ST12; `isInstead`: of what is known. Resolves when that is durable; 'full': some of it may be known, which does no harm. */
  async adopt(slice: SliceId, windows: Iterable<OperationWindow>, isInstead = false) {
    const blocks = Math.floor((this.#journal.largest - 1) / BLOCK_SECTORS)
    const lists = encodeWindows(slice, windows, Math.min(8, blocks) * BLOCK_BYTES, isInstead) // 32 KiB
    for (const { list, session } of lists) {
      const result = await this.#queue.add(listOf('adopt', list, session))
      if (result === 'full') return result
    }
    return 'done' as const
  }

  /** Where the last change of the page stands in the order of its slice; null: nobody knows of one. */
  stampOf(volume: VolumeId, page: number): Stamp | null {
    return this.#pages.stampOf(volume, page)
  }

  /** The page has no block, and was vacated at its stamp. */
  isTombstone(volume: VolumeId, page: number): boolean {
    return this.#pages.isTombstone(volume, page)
  }

  /** SI1: tombstones of the slice up to this stamp are listed no more; null: all are. */
  foldedOf(slice: SliceId): Stamp | null {
    return this.#pages.homes.table.slices.foldedOf(slice)
  }

  /** Of the slice's newest change that is in the store; with seq 0: of its drop (SI2). */
  newestOf(slice: SliceId): Stamp | null {
    return this.#pages.homes.table.slices.newestOf(slice)
  }

  /** Of which anything is here: pages, or stamps of pages that were, or operations that are remembered. */
  slicesHere(): readonly SliceId[] {
    const { homes, operations } = this.#pages
    return [...new Set([...homes.table.slices.changed(), ...operations.slices()])]
  }

  /** How many pages of the slice hold something. Costs by the pages that the slice has here, as `versions` does. */
  pagesOf(slice: SliceId): number {
    return this.#pages.pagesOf(slice)
  }

  /** Each page of the slice that has had a change, tombstones included: for comparison with another member's, together with `foldedOf`. Nothing is copied, so it may be left for some turns of the event loop: each page is told as it is then. */
  versions(slice: SliceId): Iterable<PageVersion> {
    return this.#pages.versions(slice)
  }

  /** The highest epoch that was ever promised for the slice. */
  promisedEpoch(slice: SliceId): Epoch {
    return this.#pages.promises.of(slice)
  }

  get folderId(): string {
    return this.#folder.superblock.folderId
  }

  /** Everything before this position of the journal is durable: what the group may know of this folder. */
  get position(): number {
    return this.#journal.durable
  }

  /** The write of this operation is in the store: a retry is answered, not applied. */
  remembered(session: SessionId, gen: Generation, slice: SliceId, operation: number): boolean {
    return this.#pages.operations.remembers(session, gen, slice, operation)
  }

  /** The gateway has had the answers of all operations up to this one. */
  acknowledge(session: SessionId, gen: Generation, slice: SliceId, upTo: number): void {
    this.#pages.operations.acknowledge(session, gen, slice, upTo)
  }

  /** Not durable by itself: after a restart the caller forgets again what `rememberedSessions` has too much. */
  forgetSession(session: SessionId): void {
    this.#pages.operations.forget(session)
  }

  rememberedSessions(): SessionId[] {
    return this.#pages.operations.sessions()
  }

  /** Volumes that have, or had since the last start, pages here. */
  volumes(): VolumeId[] {
    const { table, lost } = this.#pages.homes
    return [...new Set([...table.volumes(), ...lost.volumes()])]
  }

  /** Which blocks of a range are here. */
  held(question: HeldQuestion): Promise<HeldAnswer> {
    if (this.#refusal !== null) return Promise.reject(this.#refusal)
    return heldExtents(this.#pages, question)
  }

  get commitWork(): CommitWork {
    return this.#queue.work
  }

  /** How long the disk has taken over the commit under way; null: there is none. */
  get commitUnderWayMs(): number | null {
    return this.#queue.underWayMs
  }

  /** Runs that hold nothing but tombstones, and how many may be listed (PG3). */
  get tombstones(): { readonly runs: number; readonly atMost: number } {
    return this.#pages.bareRuns
  }

  /** Blocks that were read from memory, and from home. */
  get cacheWork(): BlockCache['work'] {
    return this.#pages.homes.blocks.work
  }

  /** Of any volume, at this instant: the overlay is walked once for all of them. */
  volumeUsages(): (volume: VolumeId) => VolumeUsage {
    return volumeUsages(this.#pages)
  }

  usage(): StoreUsage {
    return storeUsage(this.#pages, this.#room, this.#journal)
  }

  damagedPages(): readonly DamagedPage[] {
    return this.#pages.homes.damaged.list()
  }

  /** Reads some of the damaged pages again: one that was overwritten, given up or deleted since is damaged no more. */
  async lookAtDamaged(atMost: number): Promise<void> {
    const page = new Uint8Array(PAGE_BYTES)
    const all = this.#pages.homes.damaged
    for (const damaged of all.list().slice(0, atMost)) {
      if (this.#refusal !== null) return
      const result = await this.read(damaged.volume, damaged.page * PAGE_BYTES, page)
      if (result === 'done') all.mended(damaged)
      else all.stillDamaged(damaged)
    }
  }

  /** What is known to be lost, whether somebody has read it or not. */
  losses(): StoreLosses {
    const { segments, lost } = this.#pages.homes
    return { segments: segments.lost(), volumes: lost.volumes() }
  }

  /** Waits for the writes under way, brings everything home and closes the files. Refuses new writes from now on. */
  async close(): Promise<void> {
    this.scrub.stop()
    await this.#queue.idle()
    this.#queue.refuse(new StoreFailed('the store is closed'))
    await this.#upkeep.stopped()
    if (this.#refusal === null) await this.#upkeep.finish()
    this.#refusal ??= new StoreFailed('the store is closed')
    await this.scrub.close()
    await closeFiles(this.#folder, this.#pages.homes.segments)
  }

  #fail(error: unknown): Error {
    if (this.#refusal === null) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#refusal = new StoreFailed(`the page store failed: ${reason}`, { cause: error })
      this.#upkeep.stop()
      this.scrub.stop()
      this.#queue.refuse(this.#refusal)
      this.#tellFailed(this.#refusal.message)
    }
    return this.#refusal
  }
}

async function closeFiles(folder: Folder, segments: Segments): Promise<void> {
  await folder.journal.close()
  await folder.checkpoints.close()
  await segments.close()
}
