// A store on a simulated disk in virtual time, for the tests of the store and of what uses it.
import { SimClock } from '../../sim/clock.ts'
import { SimDisk } from '../../sim/disk.ts'
import { Timeline } from '../../sim/timeline.ts'
import { epoch, generation, memberId, sessionId, sliceId, volumeId } from '../../src/base/ids.ts'
import { BLOCK_BYTES } from '../../src/base/sizes.ts'
import { PageStore } from '../../src/store/page-store.ts'
import type { StoreWrite } from '../../src/store/record.ts'
import { type StoreSettings, storeDefaults } from '../../src/store/settings.ts'

export const settings: StoreSettings = {
  ...storeDefaults,
  groupId: 'group-1',
  memberId: memberId('m1'),
  newFolderId: 'f00d',
  journalBytes: 1024 * 1024,
  slotsPerSegment: 2,
  budgetBytes: 1024 * 1024 * 1024,
  overlayBytes: 512 * 1024,
  cachedPages: 4,
  cacheBytes: 64 * 1024,
}

/** Whose operations `write` gives. */
export const SESSION = sessionId(5)
export const GENERATION = generation(1)
export const SLICE = sliceId(1)
let number = 0

export function block(value: number, blocks = 1): Uint8Array {
  return new Uint8Array(blocks * BLOCK_BYTES).fill(value)
}

export function write(
  volume: number,
  offset: number,
  data: Uint8Array | null,
  bytes = 0,
): StoreWrite {
  number += 1
  return {
    volume: volumeId(volume),
    offset,
    bytes: data?.length ?? bytes,
    data,
    edges: null,
    slice: SLICE,
    epoch: epoch(1),
    seq: number,
    session: SESSION,
    gen: GENERATION,
    number,
    acknowledged: 0,
  }
}

export class World {
  readonly timeline: Timeline
  readonly disk: SimDisk
  readonly settings: StoreSettings
  /** Of the store that was opened last. */
  #clock: SimClock | null = null

  constructor(own: Partial<StoreSettings> = {}, disk = new SimDisk(), timeline = new Timeline()) {
    this.timeline = timeline
    this.disk = disk
    this.settings = { ...settings, ...own }
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.timeline.finish(promise)
  }

  open(own: Partial<StoreSettings> = {}): Promise<PageStore> {
    this.#clock = new SimClock(this.timeline)
    return this.run(PageStore.open(this.disk, this.#clock, { ...this.settings, ...own }))
  }

  /** The power fails: nothing that was not synced is kept, and the store is opened again. */
  cut(): Promise<PageStore> {
    this.#clock?.kill()
    this.disk.crash(() => 0)
    return this.open()
  }

  write(store: PageStore, volume: number, offset: number, data: Uint8Array): Promise<string> {
    return this.run(store.write(write(volume, offset, data)))
  }

  async read(store: PageStore, volume: number, offset: number, bytes = BLOCK_BYTES) {
    const into = new Uint8Array(bytes).fill(0xee)
    const result = await this.run(Promise.resolve(store.read(volumeId(volume), offset, into)))
    return { result, into }
  }

  /** Home, checkpointed, closed and opened again. */
  async reopen(store: PageStore, own: Partial<StoreSettings> = {}): Promise<PageStore> {
    await this.run(store.close())
    return this.open(own)
  }
}
