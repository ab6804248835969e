import { describe, expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimDisk } from '../../sim/disk.ts'
import { Timeline } from '../../sim/timeline.ts'
import { block, World, write } from '../../test/kit/store-world.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../base/sizes.ts'
import { paths, SLOT_HEADER_BYTES } from './layout.ts'
import type { PageStore } from './page-store.ts'

const DAY_MS = 86_400_000
const slotBytes = SLOT_HEADER_BYTES + PAGE_BYTES

function worldOf(own = {}) {
  const timeline = new Timeline()
  const disk = new SimDisk(new SimClock(timeline))
  return new World({ scrubEveryMs: 7 * DAY_MS, slotsPerSegment: 2, ...own }, disk, timeline)
}

/** Eight pages in four segments, all at home. */
async function eight(world: World): Promise<PageStore> {
  const store = await world.open()
  for (let page = 0; page < 8; page += 1)
    await world.write(store, 1, page * PAGE_BYTES, block(page + 1, 3))
  await world.timeline.run(world.timeline.nowMs + 5_000)
  return store
}

const pagesOf = (store: PageStore) => store.damagedPages().map(({ page }) => page)
const later = (world: World, ms: number) => world.timeline.run(world.timeline.nowMs + ms)
/** Where block `index` of the page in this slot of the folder begins. */
const flip = (world: World, slot: number, byte: number) =>
  world.disk.flip(paths.segment(slot >> 1), ((slot & 1) * slotBytes + byte) * 8)

describe('scrubbing', () => {
  it('SC1 finds every block and every header that is bad within its time, though nobody reads them and they are in memory', async () => {
    const world = worldOf()
    const store = await eight(world)
    for (let i = 0; i < 3; i += 1) await world.read(store, 1, 2 * PAGE_BYTES)
    flip(world, 2, SLOT_HEADER_BYTES + 9)
    flip(world, 7, SLOT_HEADER_BYTES + 2 * BLOCK_BYTES)
    for (const copy of [0, 2048]) flip(world, 5, copy + 60)
    expect(pagesOf(store)).toEqual([])
    await later(world, 14 * DAY_MS)
    expect(pagesOf(store).sort()).toEqual([2, 5, 7])
    expect((await world.read(store, 1, 2 * PAGE_BYTES)).result).toBe('damaged')
    const { begunMs, allReadSinceMs } = store.scrub.progress
    expect(allReadSinceMs).toBeGreaterThan(0)
    expect(begunMs).toBeGreaterThanOrEqual(allReadSinceMs ?? 0)
    // A header that was in memory has been written again.
    const again = await world.reopen(store)
    expect(await world.read(again, 1, 5 * PAGE_BYTES)).toEqual({ result: 'done', into: block(6) })
  })

  it('SC1 a pass that is asked for does not wait for its time, nor does one where none is due', async () => {
    for (const scrubEveryMs of [0, 7 * DAY_MS]) {
      const world = worldOf({ scrubEveryMs })
      const store = await eight(world)
      flip(world, 6, SLOT_HEADER_BYTES + BLOCK_BYTES)
      await later(world, 10_000)
      expect(pagesOf(store)).toEqual([])
      for (let pass = 0; pass < 2; pass += 1) {
        store.scrub.now()
        await later(world, 1_000)
        expect(pagesOf(store)).toEqual([6])
        expect(store.scrub.progress).toMatchObject({ done: 1, blocks: 24, badPages: 1 })
      }
    }
  })

  it('SC2 pages that are written home and away all the time are never told as damaged', async () => {
    const world = worldOf({ scrubEveryMs: 1_000, homeAfterMs: 2, checkpointAfterMs: 20 })
    world.disk.faults.latencyMs = () => 0.4
    const store = await eight(world)
    for (let i = 0; i < 300; i += 1) {
      const page = i % 5
      if (i % 11 === 0) await world.run(store.write(write(1, page * PAGE_BYTES, null, PAGE_BYTES)))
      else await world.write(store, 1, page * PAGE_BYTES + (i % 3) * BLOCK_BYTES, block(i, 2))
      store.scrub.now()
    }
    await later(world, 1_000)
    expect(store.damagedPages()).toEqual([])
    expect(store.scrub.progress.blocks).toBeGreaterThan(0)
  })

  it('SC3 rests as long as it reads, and nine times as long beside foreground I/O', async () => {
    for (const [isBusy, least, most] of [
      [false, 0.3, 0.55],
      [true, 0.05, 0.2],
    ] as const) {
      const world = worldOf({ scrubEveryMs: 0, homeAfterMs: 60_000 })
      const store = await eight(world)
      await world.run(store.close())
      const again = await world.open()
      let reading = 0
      let ended = false
      world.disk.faults.latencyMs = (kind) => {
        if (kind === 'writeDurable') return 3
        if (kind !== 'read') return 0
        reading += 10
        return 10
      }
      const writing = async () => {
        while (isBusy && !ended) await again.write(write(2, 0, block(1)))
      }
      const busy = writing()
      const startMs = world.timeline.nowMs
      again.scrub.now()
      await world.timeline.until(() => again.scrub.progress.done === 1)
      const part = reading / (world.timeline.nowMs - startMs)
      ended = true
      await world.run(busy)
      expect(part).toBeGreaterThan(least)
      expect(part).toBeLessThan(most)
    }
  })

  it('SC4 a restart goes on with the segment in which it was, and begins anew if what was kept is torn', async () => {
    const world = worldOf()
    const first = await eight(world)
    await later(world, 3.5 * DAY_MS)
    const before = first.scrub.progress
    expect(before.done).toBeGreaterThan(0.2)
    expect(before.done).toBeLessThan(1)
    flip(world, 0, SLOT_HEADER_BYTES)
    flip(world, 7, SLOT_HEADER_BYTES)
    let store = await world.reopen(first)
    await later(world, 1_000)
    expect(store.scrub.progress).toMatchObject({ done: before.done, begunMs: before.begunMs })
    await later(world, 2.5 * DAY_MS)
    expect(pagesOf(store)).toEqual([7])
    await world.run(store.close())
    world.disk.flip(paths.scrub, 100)
    store = await world.open()
    await later(world, 1_000)
    expect(store.scrub.progress).toMatchObject({ done: 0, allReadSinceMs: null })
    expect(store.scrub.progress.begunMs).toBeGreaterThan(before.begunMs ?? 0)
  })

  it('SC5 what is known to be damaged is so after a restart, until it is written again', async () => {
    const world = worldOf()
    let store = await eight(world)
    flip(world, 1, SLOT_HEADER_BYTES)
    store.scrub.now()
    await later(world, 1_000)
    for (let pass = 0; pass < 2; pass += 1) {
      expect(pagesOf(store)).toEqual([1])
      store = await world.reopen(store)
      await later(world, 10)
    }
    await world.write(store, 1, PAGE_BYTES, block(9, 3))
    await world.run(store.lookAtDamaged(8))
    expect(pagesOf(store)).toEqual([])
  })

  it('SC4 what is kept says nothing of a segment that is not done', async () => {
    const world = worldOf()
    const first = await eight(world)
    // In the midst of the first segment, behind a pass of nothing.
    await later(world, 0.3 * DAY_MS)
    expect(first.scrub.progress.blocks).toBeGreaterThan(0)
    flip(world, 1, SLOT_HEADER_BYTES)
    const store = await world.reopen(first)
    await later(world, 2 * DAY_MS)
    expect(pagesOf(store)).toEqual([1])
  })
})
