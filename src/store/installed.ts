// A page as another member has it, which takes the place of whatever is here: in the journal a record that says so, and its
// blocks as writes behind it. They are parts of one change, replayed together or not at all.
import { assert } from '../base/assert.ts'
import { generation, type SliceId, sessionId, type VolumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../base/sizes.ts'
import { BLOCKS_PER_PAGE, RECORD_BLOCKS } from './layout.ts'
import { BLOCK_SECTORS, type StoreWrite } from './record.ts'
import type { Stamp } from './stamp.ts'

export interface InstalledPage {
  readonly volume: VolumeId
  readonly slice: SliceId
  /** Its number. */
  readonly page: number
  /** Bit b & 7 of byte b >> 3: the page has block b. */
  readonly present: Uint8Array
  /** Those blocks, in order. Must not change until the page is installed. */
  readonly blocks: Uint8Array
  /** Of those blocks; null: they are made when they go into the journal. */
  readonly checksums: Uint32Array | null
  readonly stamp: Stamp
}

/** The record that clears the page, and the writes behind it: each of blocks side by side that one record takes. */
export interface InstallParts {
  readonly clear: StoreWrite
  readonly writes: readonly StoreWrite[]
}

export function isPresent(present: Uint8Array, block: number): boolean {
  return (((present[block >> 3] ?? 0) >> (block & 7)) & 1) === 1
}

export function setPresent(present: Uint8Array, block: number): void {
  present[block >> 3] = (present[block >> 3] ?? 0) | (1 << (block & 7))
}

export function installParts(installed: InstalledPage): InstallParts {
  const { volume, slice, page, present, blocks, checksums, stamp } = installed
  assert(present.length === BLOCKS_PER_PAGE / 8, 'one bit a block')
  const offset = page * PAGE_BYTES
  const clear: StoreWrite = {
    ...{ volume, slice, epoch: stamp.epoch, seq: stamp.seq },
    ...{ session: sessionId(0), gen: generation(0), number: 0, acknowledged: 0 },
    ...{ offset, bytes: PAGE_BYTES, data: null, edges: null },
  }
  const writes: StoreWrite[] = []
  let taken = 0
  for (let block = 0; block < BLOCKS_PER_PAGE; ) {
    let count = 0
    while (count < RECORD_BLOCKS && block + count < BLOCKS_PER_PAGE) {
      if (!isPresent(present, block + count)) break
      count += 1
    }
    if (count > 0) {
      const data = blocks.subarray(taken * BLOCK_BYTES, (taken + count) * BLOCK_BYTES)
      const sums = checksums?.subarray(taken, taken + count) ?? null
      const at = offset + block * BLOCK_BYTES
      writes.push({ ...clear, offset: at, bytes: count * BLOCK_BYTES, data, checksums: sums })
    }
    taken += count
    block += Math.max(1, count)
  }
  assert(taken * BLOCK_BYTES === blocks.length, 'as many blocks as the page has')
  assert(taken === 0 || stamp.epoch > 0, 'PG7: what a page has was changed at some time')
  return { clear, writes }
}

export function blocksIn({ writes }: InstallParts): number {
  let blocks = 0
  for (const { bytes } of writes) blocks += bytes / BLOCK_BYTES
  return blocks
}

/** In the journal. */
export function sizeOfInstall(parts: InstallParts): { records: number; sectors: number } {
  const records = 1 + parts.writes.length
  return { records, sectors: records + blocksIn(parts) * BLOCK_SECTORS }
}
