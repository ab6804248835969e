// What a store has of a page, to be given to another member.
//
// Invariants:
//   PC1. A copy is of one instant: blocks, checksums and stamp are taken in the turn of the event loop in which all of the page
//        was read and checked. What is not durable is not in it.
//   PC2. A page of which a block is damaged, or that is lost, is no copy: never one without that block.
import type { VolumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../base/sizes.ts'
import { hasBit } from './bitmap.ts'
import { type InstalledPage, setPresent } from './installed.ts'
import { BLOCKS_PER_PAGE, MAP_WORDS } from './layout.ts'
import { ABSENT, UNTOUCHED } from './overlay.ts'
import type { PageReader } from './page-reader.ts'
import { NO_ENTRY, NO_SLOT } from './page-table.ts'
import type { Pages } from './pages.ts'
import type { Stamp } from './stamp.ts'

export interface PageCopy extends Pick<InstalledPage, 'present' | 'blocks'> {
  readonly checksums: Uint32Array
  readonly stamp: Stamp
}

/** PC1 PC2; null: nobody knows of such a page here. */
export async function copyPage(
  pages: Pages,
  reader: PageReader,
  volume: VolumeId,
  page: number,
): Promise<PageCopy | 'damaged' | null> {
  const into = new Uint8Array(PAGE_BYTES)
  return reader.readPage(volume, page, into, () => {
    const stamp = pages.stampOf(volume, page)
    return stamp === null ? null : take(pages, { volume, page }, { ...stamp }, into)
  })
}

/** Moves the blocks that are there together. */
function take(
  pages: Pages,
  { volume, page }: { readonly volume: VolumeId; readonly page: number },
  { epoch, seq }: Stamp,
  bytes: Uint8Array,
): PageCopy | 'damaged' {
  const present = new Uint8Array(BLOCKS_PER_PAGE / 8)
  const checksums = new Uint32Array(BLOCKS_PER_PAGE)
  const entry = pages.homes.table.find(volume, page)
  let count = 0
  for (let block = 0; block < BLOCKS_PER_PAGE; block += 1) {
    const sum = checksumOf(pages, entry, block)
    if (sum === 'unknown') return 'damaged'
    if (sum === null) continue
    setPresent(present, block)
    checksums[count] = sum
    bytes.copyWithin(count * BLOCK_BYTES, block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)
    count += 1
  }
  return {
    present,
    blocks: bytes.subarray(0, count * BLOCK_BYTES),
    checksums: checksums.subarray(0, count),
    stamp: { epoch, seq },
  }
}

/** Null: the page has no such block. */
function checksumOf(
  { homes, overlay }: Pages,
  entry: number,
  block: number,
): number | 'unknown' | null {
  if (entry === NO_ENTRY) return null
  for (const page of [overlay.dirty(entry), overlay.homing(entry)]) {
    const cell = page?.cells[block] ?? UNTOUCHED
    if (cell === ABSENT) return null
    if (cell !== UNTOUCHED) return page?.checksums[block] ?? 0
  }
  const { table, cache } = homes
  if (table.slotOf(entry) === NO_SLOT) return null
  // All blocks may have come from memory, without the header.
  if (cache.find(entry) < 0 && homes.loadSync(entry) !== 'cached') return 'unknown'
  const place = cache.find(entry)
  if (!hasBit(cache.present, place * MAP_WORDS, block)) return null
  return cache.checksums[place * BLOCKS_PER_PAGE + block] ?? 0
}
