// What durable changes do to the pages in memory: the same for a batch that has just become durable and for replay.

import type { CheckpointParts } from './checkpoints.ts'
import type { Homes } from './homes.ts'
import { BLOCK_BYTES, BLOCKS_PER_PAGE, PAGE_BYTES } from './layout.ts'
import type { OperationMemory } from './operations.ts'
import { ABSENT, DAMAGED, type Overlay } from './overlay.ts'
import { NO_ENTRY, NO_SLOT } from './page-table.ts'
import { Promises } from './promises.ts'

export interface Extent {
  readonly volume: number
  readonly offset: number
  readonly slice: number
}

/** Pages that a range of bytes touches. */
export function pagesIn(offset: number, bytes: number): number {
  return Math.floor((offset + bytes - 1) / PAGE_BYTES) - Math.floor(offset / PAGE_BYTES) + 1
}

export class Pages {
  readonly homes: Homes
  readonly overlay: Overlay
  readonly operations: OperationMemory
  readonly promises = new Promises()

  constructor(homes: Homes, overlay: Overlay, operations: OperationMemory) {
    this.homes = homes
    this.overlay = overlay
    this.operations = operations
  }

  /** Whole blocks; their checksums are those from index `firstSum` on. Blocks listed in `bad` are known to be damaged. */
  write(
    extent: Extent,
    data: Uint8Array,
    checksums: Uint32Array,
    firstSum: number,
    bad: readonly number[] = [],
  ): void {
    const { table } = this.homes
    for (let at = 0; at < data.length; at += BLOCK_BYTES) {
      const offset = extent.offset + at
      const page = Math.floor(offset / PAGE_BYTES)
      const entry = table.entryFor(extent.volume, page, extent.slice)
      table.claim(entry)
      const block = Math.floor(offset / BLOCK_BYTES) % BLOCKS_PER_PAGE
      const index = at / BLOCK_BYTES
      if (bad.includes(index)) this.overlay.putMark(entry, block, DAMAGED)
      else {
        const bytes = data.length === BLOCK_BYTES ? data : data.subarray(at, at + BLOCK_BYTES)
        this.overlay.put(entry, block, bytes, checksums[firstSum + index] ?? 0)
      }
    }
  }

  unmap(extent: Extent, bytes: number): void {
    const { table, lost } = this.homes
    for (let at = 0; at < bytes; at += BLOCK_BYTES) {
      const offset = extent.offset + at
      const page = Math.floor(offset / PAGE_BYTES)
      let entry = table.find(extent.volume, page)
      if (entry === NO_ENTRY || !this.#holdsAnything(entry)) {
        if (!lost.has(extent.volume, page)) continue
        entry = table.entryFor(extent.volume, page, extent.slice)
      }
      this.overlay.putMark(entry, Math.floor(offset / BLOCK_BYTES) % BLOCKS_PER_PAGE, ABSENT)
    }
  }

  drop(volume: number): void {
    const { table, cache, segments } = this.homes
    for (const entry of table.entriesOf(volume)) {
      this.overlay.drop(entry)
      cache.evict(entry)
      const slot = table.slotOf(entry)
      if (slot !== NO_SLOT) segments.release(slot)
      table.vacate(entry)
    }
    table.forget(volume)
    this.homes.lost.drop(volume)
  }

  /** Beside the pages, for a checkpoint. */
  checkpointParts(): CheckpointParts {
    const { segments, lost } = this.homes
    return {
      segments: segments.encode(),
      segmentsMade: segments.made,
      operations: this.operations.encode(),
      promises: this.promises.encode(),
      lost: lost.encode(),
    }
  }

  #holdsAnything(entry: number): boolean {
    if (this.homes.table.slotOf(entry) !== NO_SLOT) return true
    return this.overlay.dirty(entry) !== undefined || this.overlay.homing(entry) !== undefined
  }
}
