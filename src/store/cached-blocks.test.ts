// Blocks in memory behind the store's reads: what comes from there, and what must not come from there any more.
import { describe, expect, it } from 'vitest'
import { block, World, write } from '../../test/kit/store-world.ts'
import { volumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../base/sizes.ts'
import { paths, SLOT_HEADER_BYTES } from './layout.ts'
import type { PageStore } from './page-store.ts'

const segment = paths.segment(0)
const HEADER_COPY_BIT = 2048 * 8

/** Until all that was written is home. */
function settle(world: World): Promise<void> {
  return world.timeline.run(world.timeline.nowMs + 1_000)
}

/** Reads each of the blocks often enough to have it in memory. */
async function keep(world: World, store: PageStore, volume: number, blocks: readonly number[]) {
  for (const at of blocks) {
    for (let i = 0; i < 3; i += 1) await world.read(store, volume, at * BLOCK_BYTES)
  }
}

/** How many reads of segments `work` makes. */
async function readsIn(world: World, work: () => Promise<unknown>): Promise<number> {
  let reads = 0
  world.disk.faults.fail = (operation, path) => {
    if (operation === 'read' && path === segment) reads += 1
    return null
  }
  await work()
  world.disk.faults.fail = null
  return reads
}

async function homeAt(world: World, blocks: number): Promise<PageStore> {
  const store = await world.open()
  await world.write(store, 1, 0, block(1, blocks))
  await settle(world)
  return store
}

describe('blocks in memory', () => {
  const world = () => new World({ homeAfterMs: 10 })

  it('what is read again is not read from home', async () => {
    const own = world()
    const store = await homeAt(own, 4)
    await keep(own, store, 1, [0, 1, 2, 3])
    const before = store.cacheWork.hits
    const reads = await readsIn(own, async () => {
      expect((await own.read(store, 1, 0, 4 * BLOCK_BYTES)).into).toEqual(block(1, 4))
      expect((await own.read(store, 1, 4096 + 100, 5000)).into).toEqual(
        block(1, 2).subarray(0, 5000),
      )
    })
    expect(reads).toBe(0)
    expect(store.cacheWork.hits - before).toBe(6)
    expect(store.usage().cachedBytes).toBe(4 * BLOCK_BYTES)
  })

  it('a range of which a part is in memory costs one read, as one of which nothing is', async () => {
    const own = world()
    const store = await homeAt(own, 8)
    await keep(own, store, 1, [1, 3, 4, 6])
    const reads = await readsIn(own, async () => {
      expect((await own.read(store, 1, 0, 8 * BLOCK_BYTES)).into).toEqual(block(1, 8))
    })
    expect(reads).toBe(1)
  })

  it('RD5 what is read many blocks at a time is not kept, and is served from memory if all of it is there', async () => {
    const own = world()
    const store = await homeAt(own, 9)
    const long = () => own.read(store, 1, 0, 9 * BLOCK_BYTES)
    for (let i = 0; i < 3; i += 1) expect((await long()).into).toEqual(block(1, 9))
    expect(store.usage().cachedBytes).toBe(0)
    expect(store.cacheWork).toMatchObject({ hits: 0, misses: 27 })
    await keep(own, store, 1, [0, 1, 2, 3, 4, 5, 6, 7, 8])
    expect(await readsIn(own, long)).toBe(0)
  })

  it('with no memory for them every read is from home', async () => {
    const own = new World({ homeAfterMs: 10, cacheBytes: 0 })
    const store = await homeAt(own, 1)
    const reads = await readsIn(own, () => keep(own, store, 1, [0]))
    expect(reads).toBe(3)
    expect(store.usage().cachedBytes).toBe(0)
  })

  it('HO1 what was written home, or unmapped in a page that lives on, is found so', async () => {
    const own = world()
    const store = await homeAt(own, 4)
    await keep(own, store, 1, [0, 1, 2, 3])
    await own.write(store, 1, 4096, block(7))
    await own.run(store.write(write(1, 8192, null, 4096)))
    const expected = Buffer.concat([block(1), block(7), block(0), block(1)])
    for (let i = 0; i < 3; i += 1) {
      expect(Buffer.from((await own.read(store, 1, 0, 4 * BLOCK_BYTES)).into)).toEqual(expected)
      expect((await own.read(store, 1, 4096)).into).toEqual(block(7))
      expect((await own.read(store, 1, 8192)).into).toEqual(block(0))
      await settle(own)
    }
  })

  it('HO1 what is written over stays in memory: its next read is of the new bytes, and of no segment', async () => {
    const own = world()
    const store = await homeAt(own, 4)
    await keep(own, store, 1, [0, 2])
    await own.write(store, 1, 0, block(7, 3))
    await settle(own)
    expect(store.usage().cachedBytes).toBe(2 * BLOCK_BYTES)
    const reads = await readsIn(own, async () => {
      expect((await own.read(store, 1, 0)).into).toEqual(block(7))
      expect((await own.read(store, 1, 2 * BLOCK_BYTES)).into).toEqual(block(7, 3).subarray(8192))
    })
    expect(reads).toBe(0)
  })

  it('HO2 a slot that changes its page, by an unmap or by a drop, shows nothing of what was there', async () => {
    const own = new World({ homeAfterMs: 10, checkpointAfterMs: 10, slotsPerSegment: 1 })
    const store = await own.open()
    for (let round = 1; round < 9; round += 1) {
      await own.write(store, round, 0, block(round))
      await settle(own)
      for (let i = 0; i < 3; i += 1) {
        expect((await own.read(store, round, 0)).into).toEqual(block(round))
        expect((await own.read(store, round, 4096)).into).toEqual(block(0))
      }
      await own.write(store, round, 4096, block(round))
      await settle(own)
      await keep(own, store, round, [0, 1])
      expect(store.usage().cachedBytes).toBe(2 * BLOCK_BYTES)
      if (round % 2) await own.run(store.dropVolume(volumeId(round)))
      else await own.run(store.write(write(round, 0, null, PAGE_BYTES)))
      await settle(own)
      expect(store.usage().cachedBytes).toBe(0)
    }
  })

  it('HO1 what does not fit its checksum is never kept', async () => {
    const own = world()
    const store = await homeAt(own, 2)
    own.disk.flip(segment, SLOT_HEADER_BYTES * 8)
    for (let i = 0; i < 5; i += 1) expect((await own.read(store, 1, 0)).result).toBe('damaged')
    expect(store.usage().cachedBytes).toBe(0)
  })

  it('HO3 a block that is found to be damaged at home is damaged, although it was in memory', async () => {
    const own = world()
    const store = await homeAt(own, 2)
    await keep(own, store, 1, [0])
    own.disk.flip(segment, SLOT_HEADER_BYTES * 8)
    expect((await own.read(store, 1, 0)).into).toEqual(block(1))
    expect((await own.read(store, 1, 0, 8192)).result).toBe('damaged')
    expect((await own.read(store, 1, 0)).result).toBe('damaged')
    expect((await own.read(store, 1, 4096)).into).toEqual(block(1))
  })

  it('HO3 a segment that was cut short is damaged from there on, also what was in memory', async () => {
    const own = world()
    const store = await homeAt(own, 2)
    await keep(own, store, 1, [1])
    const file = await own.disk.open(segment, 'existing')
    await own.run(file.truncate(SLOT_HEADER_BYTES + BLOCK_BYTES))
    expect((await own.read(store, 1, 0, 8192)).result).toBe('damaged')
    expect((await own.read(store, 1, 4096)).result).toBe('damaged')
    expect((await own.read(store, 1, 0)).into).toEqual(block(1))
  })

  it('HO3 under a header that was found lost all is damaged, also what was in memory', async () => {
    const own = new World({ homeAfterMs: 10, cachedPages: 1 })
    const store = await homeAt(own, 2)
    await keep(own, store, 1, [0])
    await own.write(store, 1, PAGE_BYTES, block(2))
    await settle(own)
    own.disk.flip(segment, 100 * 8)
    own.disk.flip(segment, HEADER_COPY_BIT + 100 * 8)
    expect((await own.read(store, 1, 0)).into).toEqual(block(1))
    expect((await own.read(store, 1, 0, 8192)).result).toBe('damaged')
    expect((await own.read(store, 1, 0)).result).toBe('damaged')
  })

  it('HO3 HW5 under a header that was given up all is damaged, also what was in memory', async () => {
    const own = new World({ homeAfterMs: 10, cachedPages: 1, overlayBytes: 64 * BLOCK_BYTES })
    const store = await homeAt(own, 2)
    await keep(own, store, 1, [0])
    await own.write(store, 1, PAGE_BYTES, block(2))
    await settle(own)
    own.disk.faults.unreadable = { path: segment, from: 0, to: 512 }
    await own.write(store, 1, 4096, block(3))
    for (let i = 0; i < 400; i += 1) await own.write(store, 1, PAGE_BYTES, block(i % 250, 8))
    await settle(own)
    expect(store.usage().overlayPages).toBe(0)
    own.disk.faults.unreadable = null
    expect((await own.read(store, 1, 4096)).into).toEqual(block(3))
    expect((await own.read(store, 1, 0)).result).toBe('damaged')
  })
})
