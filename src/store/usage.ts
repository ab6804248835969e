// How much the store holds, in all and of each volume.
import type { VolumeId } from '../base/ids.ts'
import { BLOCK_BYTES } from '../base/sizes.ts'
import type { Journal } from './journal.ts'
import { BLOCKS_PER_PAGE, SECTOR_BYTES } from './layout.ts'
import type { Pages } from './pages.ts'
import type { Room } from './room.ts'
import type { LostSegment } from './segment-foot.ts'

export interface StoreUsage {
  readonly pages: number
  /** Of blocks at home. */
  readonly bytes: number
  /** What pages take, or are promised: room.ts. */
  readonly takenBytes: number
  /** From where on new blocks are refused. */
  readonly atMostBytes: number
  /** Blocks that are durable in the journal alone. */
  readonly overlayBytes: number
  readonly overlayPages: number
  readonly journalUsedBytes: number
  /** Blocks of pages at home that are in memory. */
  readonly cachedBytes: number
  /** And that may be; 0: none are kept. */
  readonly cachedMostBytes: number
}

export interface VolumeUsage {
  /** Pages allocated, or durable and about to be. */
  readonly pages: number
  /** Bytes of the blocks that were written; what was unmapped counts until that is home. */
  readonly bytes: number
  /** What they take on disk, with headers, and with blocks that were unmapped in pages that live on. */
  readonly takenBytes: number
}

export interface StoreLosses {
  readonly segments: readonly LostSegment[]
  /** Their pages were in a folder that was given up; those that were overwritten since are good. */
  readonly volumes: readonly VolumeId[]
}

export function storeUsage({ homes, overlay }: Pages, room: Room, journal: Journal): StoreUsage {
  const { table, blocks } = homes
  return {
    pages: table.homePages + table.claims,
    bytes: table.homeBlocks * BLOCK_BYTES,
    takenBytes: room.takenBytes,
    atMostBytes: room.atMostBytes,
    overlayBytes: overlay.usedCells * BLOCK_BYTES,
    overlayPages: overlay.pages,
    journalUsedBytes: journal.used * SECTOR_BYTES,
    cachedBytes: blocks.size * BLOCK_BYTES,
    cachedMostBytes: blocks.capacity * BLOCK_BYTES,
  }
}

/** Of any volume, at this instant: the overlay is walked once for all of them. */
export function volumeUsages({ homes, overlay }: Pages): (volume: VolumeId) => VolumeUsage {
  const { table } = homes
  const fresh = new Map<VolumeId, number>()
  for (const [entry, blocks] of overlay.fresh()) {
    const volume = table.volumeOf(entry)
    // Whether a page that was not read since the start has a block at home is not known; how many it has is.
    const more = Math.min(blocks, BLOCKS_PER_PAGE - (table.present[entry] ?? 0))
    fresh.set(volume, (fresh.get(volume) ?? 0) + more)
  }
  return (volume) => {
    const { pages, blocks, taken } = table.countsOf(volume)
    const more = fresh.get(volume) ?? 0
    const bytes = (blocks + more) * BLOCK_BYTES
    return { pages, bytes, takenBytes: (taken + more + pages) * BLOCK_BYTES }
  }
}
