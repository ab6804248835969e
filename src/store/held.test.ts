import { describe, expect, it } from 'vitest'
import { block, SLICE, World, write } from '../../test/kit/store-world.ts'
import { volumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES, RUN_BYTES } from '../base/sizes.ts'
import type { PageStore } from './page-store.ts'

const TIB = 1024 ** 4

function held(world: World, store: PageStore, own = {}) {
  const question = {
    volume: volumeId(1),
    slices: new Set([SLICE]),
    from: 0,
    to: TIB,
    most: 100,
    ...own,
  }
  return world.run(store.held(question))
}

describe('held', () => {
  it('HE1 tells the blocks that were written and not unmapped, on their way home, at home and after a restart', async () => {
    const world = new World()
    let store = await world.open()
    expect(await held(world, store)).toEqual({ upTo: TIB, extents: [] })
    await world.write(store, 1, 8192, block(1, 3))
    await world.write(store, 1, PAGE_BYTES - BLOCK_BYTES, block(1, 2))
    await world.write(store, 1, 70 * RUN_BYTES, block(1))
    await world.write(store, 2, 0, block(1))
    const extents = [
      [8192, 20_480],
      [PAGE_BYTES - BLOCK_BYTES, PAGE_BYTES + BLOCK_BYTES],
      [70 * RUN_BYTES, 70 * RUN_BYTES + BLOCK_BYTES],
    ]
    for (let pass = 0; pass < 3; pass += 1) {
      expect(await held(world, store)).toEqual({ upTo: TIB, extents })
      const within = { from: 12_288, to: PAGE_BYTES }
      expect((await held(world, store, within)).extents).toEqual([
        [12_288, 20_480],
        [PAGE_BYTES - BLOCK_BYTES, PAGE_BYTES],
      ])
      expect((await held(world, store, { slices: new Set([2]) })).extents).toEqual([])
      if (pass === 0) await world.timeline.run(world.timeline.nowMs + 5_000)
      else store = await world.reopen(store)
    }
    await world.run(store.write(write(1, 0, null, 12_288)))
    await world.run(store.write(write(1, PAGE_BYTES, null, 100 * RUN_BYTES)))
    expect((await held(world, store)).extents).toEqual([
      [12_288, 20_480],
      [PAGE_BYTES - BLOCK_BYTES, PAGE_BYTES],
    ])
  })

  it('HE2 it goes on where it ended: extents, pages and headers are bounded', async () => {
    const world = new World({ journalBytes: 16 * 1024 ** 2, overlayBytes: 32 * 1024 ** 2 })
    const store = await world.open()
    const pages = 150
    for (let page = 0; page < pages; page += 1) {
      await world.write(store, 1, page * PAGE_BYTES, block(1))
      await world.write(store, 1, page * PAGE_BYTES + 2 * BLOCK_BYTES, block(1))
    }
    const again = await world.reopen(store) // no header is in memory
    const found: (readonly [number, number])[] = []
    let questions = 0
    for (let from = 0; from < TIB; questions += 1) {
      const { upTo, extents } = await held(world, again, { from, most: 90 })
      expect(extents.length).toBeLessThanOrEqual(90)
      expect(upTo).toBeGreaterThan(from)
      found.push(...extents)
      from = upTo
    }
    expect(questions).toBeGreaterThan(1)
    // Of a page whose header was not read all is told.
    for (let page = 0; page < pages; page += 1) {
      for (const at of [page * PAGE_BYTES, page * PAGE_BYTES + 2 * BLOCK_BYTES]) {
        expect(found.some(([from, to]) => from <= at && to >= at + BLOCK_BYTES)).toBe(true)
      }
    }
    expect(found.some(([from]) => from >= pages * PAGE_BYTES)).toBe(false)
  })
})
