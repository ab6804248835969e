// The checksums of blocks that were read just now, for who sends them on.
//
// Invariants:
//   HS1. They are those that the bytes were checked against: asked for in the turn of the event loop in which the read was
//        done. Of what is not all at home, with its header in memory, there are none.
import type { VolumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../base/sizes.ts'
import { hasBit } from './bitmap.ts'
import { BLOCKS_PER_PAGE, MAP_WORDS } from './layout.ts'
import { NO_ENTRY } from './page-table.ts'
import type { Pages } from './pages.ts'

/** HS1; null: they are not known. */
export function homeChecksums(
  { homes: { table, cache }, overlay }: Pages,
  volume: VolumeId,
  offset: number,
  bytes: number,
): Uint32Array | null {
  if (offset % BLOCK_BYTES !== 0 || bytes % BLOCK_BYTES !== 0) return null
  const checksums = new Uint32Array(bytes / BLOCK_BYTES)
  for (let at = 0; at < checksums.length; ) {
    const from = offset + at * BLOCK_BYTES
    const page = Math.floor(from / PAGE_BYTES)
    const entry = table.find(volume, page)
    if (entry === NO_ENTRY) return null
    if (overlay.dirty(entry) !== undefined || overlay.homing(entry) !== undefined) return null
    const place = cache.find(entry)
    if (place < 0) return null
    const first = (from - page * PAGE_BYTES) / BLOCK_BYTES
    const end = Math.min(BLOCKS_PER_PAGE, first + checksums.length - at)
    for (let block = first; block < end; block += 1) {
      if (!hasBit(cache.present, place * MAP_WORDS, block)) return null
      checksums[at] = cache.checksums[place * BLOCKS_PER_PAGE + block] ?? 0
      at += 1
    }
  }
  return checksums
}
