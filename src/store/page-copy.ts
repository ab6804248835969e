// What a store has of a page, to be given to another member.
//
// Invariants:
//   PC1. A copy is of one instant: blocks, checksums and stamp are taken in the turn of the event loop in which all of the page
//        was read and checked. What is not durable is not in it.
//   PC2. A page of which a block is damaged, or that is lost, is no copy: never one without that block. Its parts say which blocks
//        are lost, and nothing of those: not even whether the page has them.
//   PC3. Parts are united only if they have the same stamp, by which they are of the same page: each block is as one has it that has
//        not lost it.
import { assert } from '../base/assert.ts'
import type { VolumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../base/sizes.ts'
import { hasBit } from './bitmap.ts'
import { type InstalledPage, isPresent, setPresent } from './installed.ts'
import { BLOCKS_PER_PAGE, MAP_WORDS } from './layout.ts'
import { ABSENT, UNTOUCHED } from './overlay.ts'
import type { PageReader } from './page-reader.ts'
import { NO_ENTRY, NO_SLOT } from './page-table.ts'
import type { Pages } from './pages.ts'
import { isSame, type Stamp } from './stamp.ts'

const MAP_BYTES = BLOCKS_PER_PAGE / 8

export interface PageCopy extends Pick<InstalledPage, 'present' | 'blocks'> {
  readonly checksums: Uint32Array
  readonly stamp: Stamp
}

export interface PageParts extends PageCopy {
  /** PC2, by a bit each; null: none, it is a copy. */
  readonly lost: Uint8Array | null
}

/** PC1 PC2; null: nobody knows of such a page here; 'damaged': nothing is known of it. */
export async function partsOfPage(
  pages: Pages,
  reader: PageReader,
  volume: VolumeId,
  page: number,
): Promise<PageParts | 'damaged' | null> {
  const into = new Uint8Array(PAGE_BYTES)
  return reader.readPage(volume, page, into, (lost) => {
    const stamp = pages.stampOf(volume, page)
    if (stamp === null) return lost.length > 0 ? 'damaged' : null
    return take(pages, { volume, page }, { ...stamp }, { bytes: into, lost: new Set(lost) })
  })
}

/** PC2; null: it is none. */
export function wholeOf(parts: PageParts | 'damaged' | null): PageCopy | 'damaged' | null {
  return parts === null || parts === 'damaged' || parts.lost === null ? parts : 'damaged'
}

/** PC3 */
export function unite(one: PageParts, other: PageParts): PageParts {
  assert(isSame(one.stamp, other.stamp), 'PC3: parts of the same page have the same stamp')
  const present = new Uint8Array(MAP_BYTES)
  const lost = new Uint8Array(MAP_BYTES)
  const blocks = new Uint8Array(PAGE_BYTES)
  const checksums = new Uint32Array(BLOCKS_PER_PAGE)
  let count = 0
  const sources = [
    { parts: one, taken: 0 },
    { parts: other, taken: 0 },
  ]
  for (let block = 0; block < BLOCKS_PER_PAGE; block += 1) {
    const from = sources.find(({ parts }) => parts.lost === null || !isPresent(parts.lost, block))
    if (from === undefined) setPresent(lost, block)
    else if (isPresent(from.parts.present, block)) {
      const at = from.taken * BLOCK_BYTES
      blocks.set(from.parts.blocks.subarray(at, at + BLOCK_BYTES), count * BLOCK_BYTES)
      checksums[count] = from.parts.checksums[from.taken] ?? 0
      setPresent(present, block)
      count += 1
    }
    for (const source of sources) if (isPresent(source.parts.present, block)) source.taken += 1
  }
  return {
    ...partsOf(present, lost, blocks.subarray(0, count * BLOCK_BYTES)),
    checksums: checksums.subarray(0, count),
    stamp: one.stamp,
  }
}

function partsOf(present: Uint8Array, lost: Uint8Array, blocks: Uint8Array) {
  return { present, blocks, lost: lost.some((byte) => byte !== 0) ? lost : null }
}

/** Moves the blocks that are there together. */
function take(
  pages: Pages,
  { volume, page }: { readonly volume: VolumeId; readonly page: number },
  { epoch, seq }: Stamp,
  read: { readonly bytes: Uint8Array; readonly lost: ReadonlySet<number> },
): PageParts {
  const { bytes } = read
  const present = new Uint8Array(MAP_BYTES)
  const lost = new Uint8Array(MAP_BYTES)
  const checksums = new Uint32Array(BLOCKS_PER_PAGE)
  const entry = pages.homes.table.find(volume, page)
  let count = 0
  for (let block = 0; block < BLOCKS_PER_PAGE; block += 1) {
    const sum = read.lost.has(block) ? 'unknown' : checksumOf(pages, entry, block)
    if (sum === 'unknown') setPresent(lost, block)
    if (sum === null || sum === 'unknown') continue
    setPresent(present, block)
    checksums[count] = sum
    bytes.copyWithin(count * BLOCK_BYTES, block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)
    count += 1
  }
  return {
    ...partsOf(present, lost, bytes.subarray(0, count * BLOCK_BYTES)),
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
