import { expect, it } from 'vitest'
import { SimDisk } from '../../sim/disk.ts'
import { SLICE } from '../../test/kit/store-world.ts'
import { epoch, volumeId } from '../base/ids.ts'
import { BlockCache } from './block-cache.ts'
import { HeaderCache } from './header-cache.ts'
import { Homes } from './homes.ts'
import { PageTable } from './page-table.ts'
import { Segments } from './segments.ts'

it('DW7 a page has written its slot whole if all of its blocks are there and none is damaged, as a header in memory says', () => {
  const table = new PageTable()
  const cache = new HeaderCache(table, 2)
  const segments = new Segments(new SimDisk(), 8, 0)
  const homes = new Homes({ table, cache, segments, blocks: new BlockCache(0) }, 0)
  const entry = table.entryFor(volumeId(1), 0, SLICE)
  table.settle(entry, 3, { version: 1, epoch: epoch(1), seq: 1 }, { blocks: 256, added: 256 })
  expect(homes.isWhole(entry)).toBe(false)
  const present = new Uint32Array(8).fill(0xffffffff)
  const checksums = new Uint32Array(256)
  // As a round leaves it that found the header lost: what it did not write is damaged.
  const damaged = new Uint32Array(8)
  damaged[7] = 1
  cache.put(entry, { present, damaged, checksums }, 0)
  expect(homes.isWhole(entry)).toBe(false)
  cache.put(entry, { present, damaged: new Uint32Array(8), checksums }, 0)
  expect(homes.isWhole(entry)).toBe(true)
  // What the round knows, it tells: after an unmap nothing else would.
  homes.holed(3)
  table.settle(entry, 3, { version: 2, epoch: epoch(1), seq: 2 }, { blocks: 255, added: 0 })
  expect(homes.isWhole(entry)).toBe(false)
})
