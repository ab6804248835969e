// What a store has of one slice: asked for, and dropped.
import { describe, expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimDisk } from '../../sim/disk.ts'
import { Timeline } from '../../sim/timeline.ts'
import { block, GENERATION, SESSION, SLICE, World, write } from '../../test/kit/store-world.ts'
import { epoch, type SliceId, sliceId, volumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES, RUN_BYTES } from '../base/sizes.ts'
import { lookAtStore } from './look.ts'
import { PageStore } from './page-store.ts'
import { NO_ENTRY, NO_SLOT, PageTable } from './page-table.ts'
import type { StoreWrite } from './record.ts'

const OTHER = sliceId(2)
const one = volumeId(1)

/** Each page of the slice as volume/page@epoch.seq, with a cross if it is vacated. */
function told(store: PageStore, slice = SLICE): string[] {
  return [...store.versions(slice)]
    .map(({ volume, page, stamp, isTombstone }) => {
      return `${volume}/${page}@${stamp.epoch}.${stamp.seq}${isTombstone ? '†' : ''}`
    })
    .sort()
}

function put(world: World, store: PageStore, seq: number, where: Partial<StoreWrite> = {}) {
  const change = { ...write(1, 0, block(seq)), epoch: epoch(2), seq, number: seq, ...where }
  return world.run(store.write(change))
}

function unmap(world: World, store: PageStore, seq: number, offset: number) {
  const change = { ...write(1, offset, null, PAGE_BYTES), epoch: epoch(2), seq, number: seq }
  return world.run(store.write(change))
}

describe('the pages of a slice', () => {
  it('PG6 are told with their stamps, at home or on their way, tombstones included, through restarts', async () => {
    const world = new World()
    let store = await world.open()
    expect(told(store)).toEqual([])
    await put(world, store, 1)
    await put(world, store, 2, { offset: PAGE_BYTES })
    await put(world, store, 3, { slice: OTHER, offset: RUN_BYTES })
    await put(world, store, 4, { volume: volumeId(2) })
    await unmap(world, store, 5, PAGE_BYTES)
    const all = ['1/0@2.1', '1/1@2.5†', '2/0@2.4']
    for (let pass = 0; pass < 2; pass += 1) {
      expect(told(store)).toEqual(all)
      expect(told(store, OTHER)).toEqual(['1/16@2.3'])
      expect([store.pagesOf(SLICE), store.pagesOf(OTHER)]).toEqual([2, 1])
      store = await world.reopen(store)
    }
    await world.run(store.dropVolume(volumeId(2)))
    expect(told(store)).toEqual(all.slice(0, 2))
    expect(store.pagesOf(SLICE)).toBe(1)
    expect(store.pagesOf(sliceId(9))).toBe(0)
  })

  it('PG6 PG5 who looks while they are dropped, and their place is used by another slice, is told of nothing that is not there', async () => {
    const world = new World()
    const store = await world.open()
    for (const page of [0, 1, 16]) {
      await put(world, store, page + 1, { offset: page * PAGE_BYTES })
    }
    const looking = store.versions(SLICE)[Symbol.iterator]()
    expect(looking.next().value).toMatchObject({ page: 0 })
    await world.run(store.dropSlice(SLICE, epoch(2)))
    const other = { slice: OTHER, volume: volumeId(2) }
    await put(world, store, 1, { ...other, offset: 3 * RUN_BYTES })
    await world.timeline.run(world.timeline.nowMs + 2000)
    for (const page of [0, 1, 16, 17]) {
      await put(world, store, page + 2, { ...other, offset: page * PAGE_BYTES })
    }
    expect(looking.next().done).toBe(true)
    expect(told(store, OTHER)).toHaveLength(5)
  })
})

describe('a slice that is dropped', () => {
  it('PG5 SI2 leaves nothing but its epoch, also through a cut and a restart; other slices and promises stay', async () => {
    const epochs = new Map([[SLICE, epoch(2)]])
    const known = { folderId: 'f00d', position: 0, openAs: null, epochs }
    const world = new World({ tombstoneRuns: 0 })
    let store = await world.open()
    await world.run(store.promise(new Map([[SLICE, epoch(2)]])))
    await put(world, store, 1)
    await put(world, store, 2, { slice: OTHER, offset: RUN_BYTES })
    await put(world, store, 3, { offset: 2 * RUN_BYTES })
    await world.timeline.run(world.timeline.nowMs + 2000)
    await unmap(world, store, 4, 2 * RUN_BYTES)
    expect(store.foldedOf(SLICE)).toMatchObject({ seq: 4 })
    await put(world, store, 5, { offset: 3 * RUN_BYTES })
    expect(await world.run(store.dropSlice(SLICE, epoch(3)))).toBe('done')
    const remembers = (slice = SLICE) =>
      [1, 2, 3, 4, 5].filter((number) => store.remembered(SESSION, GENERATION, slice, number))
    for (const next of ['cut', 'restart', 'end']) {
      expect(told(store)).toEqual([])
      expect(store.pagesOf(SLICE)).toBe(0)
      expect(store.newestOf(SLICE)).toMatchObject({ epoch: 3, seq: 0 })
      expect(store.foldedOf(SLICE)).toBeNull()
      expect(store.promisedEpoch(SLICE)).toBe(2)
      expect(remembers()).toEqual([])
      for (const at of [0, 2, 3]) {
        expect(await world.read(store, 1, at * RUN_BYTES)).toEqual({
          result: 'done',
          into: block(0),
        })
      }
      expect(told(store, OTHER)).toEqual(['1/16@2.2'])
      expect(remembers(OTHER)).toEqual([2])
      expect((await world.read(store, 1, RUN_BYTES)).into).toEqual(block(2))
      expect(store.usage()).toMatchObject({ pages: 1 })
      if (next === 'cut') {
        world.disk.crash(() => 0)
        store = await world.open({ known })
      }
      if (next === 'restart') store = await world.reopen(store, { known })
    }
  })

  it('PG5 is written again: of what was there before nothing comes back, neither block nor stamp, nor an operation', async () => {
    const world = new World()
    let store = await world.open()
    await put(world, store, 8, { data: block(8, 3), bytes: 3 * BLOCK_BYTES })
    await world.timeline.run(world.timeline.nowMs + 2000)
    // Handed in together: they take effect in this order.
    const again = { ...write(1, BLOCK_BYTES, block(9)), epoch: epoch(2), seq: 5, number: 9 }
    const both = [store.dropSlice(SLICE, epoch(2)), store.write(again)]
    expect(await world.run(Promise.all(both))).toEqual(['done', 'done'])
    for (const next of ['cut', 'restart', 'end']) {
      const { into } = await world.read(store, 1, 0, 3 * BLOCK_BYTES)
      expect(into).toEqual(new Uint8Array([...block(0), ...block(9), ...block(0)]))
      expect(told(store)).toEqual(['1/0@2.5'])
      expect(store.newestOf(SLICE)).toMatchObject({ epoch: 2, seq: 5 })
      expect(store.remembered(SESSION, GENERATION, SLICE, 8)).toBe(false)
      expect(store.remembered(SESSION, GENERATION, SLICE, 9)).toBe(true)
      if (next === 'cut') {
        world.disk.crash(() => 0)
        store = await world.open()
      }
      if (next === 'restart') store = await world.reopen(store)
    }
  })

  it('PG2 PG4 SL1 is taken some pages at a time and once, beside its volume and a round; none of its places is used twice', async () => {
    const roomy = { journalBytes: 32 * 1024 ** 2, overlayBytes: 16 * 1024 ** 2 }
    const world = new World({ ...roomy, slotsPerSegment: 64, budgetBytes: 4 * 1024 ** 3 })
    let store = await world.open()
    const runs = 300
    const fill = (volume: number, slice: SliceId) =>
      Array.from({ length: runs }, (_, run) =>
        store.write({ ...write(volume, run * RUN_BYTES, block(volume)), slice }),
      )
    await world.run(Promise.all([...fill(1, SLICE), ...fill(2, SLICE), ...fill(3, OTHER)]))
    store = await world.reopen(store)
    // Some of both are dirty as well, so that a round is under way beside the drops.
    const dirty = [4, 5, 6].map((at) => store.write(write(2, at * RUN_BYTES, block(9))))
    const drops = [store.dropVolume(one), store.dropSlice(SLICE, epoch(1))]
    const left = new Set<number>()
    let isOver = false
    const look = () => {
      left.add(store.usage().pages)
      if (!isOver) new SimClock(world.timeline).soon(look)
    }
    look()
    await world.run(Promise.all([...dirty, ...drops]))
    isOver = true
    expect([...left].filter((pages) => pages > runs && pages < 3 * runs)).not.toEqual([])
    expect(store.usage().pages).toBe(runs)
    await world.write(store, 2, 0, block(3))
    await world.timeline.run(world.timeline.nowMs + 2000)
    const again = [4, 5].map((at) => store.write(write(4, at * RUN_BYTES, block(at))))
    await world.run(Promise.all([...again, ...fill(5, OTHER)]))
    for (let pass = 0; pass < 2; pass += 1) {
      expect(told(store)).toHaveLength(3)
      expect(store.pagesOf(OTHER)).toBe(2 * runs)
      for (const volume of [3, 5]) {
        for (const at of [0, 100, 299]) {
          expect((await world.read(store, volume, at * RUN_BYTES)).into).toEqual(block(volume))
        }
      }
      for (const [volume, at, value] of [
        [2, 0, 3],
        [2, 4, 0],
        [4, 4, 4],
        [4, 5, 5],
      ] as const) {
        expect((await world.read(store, volume, at * RUN_BYTES)).into).toEqual(block(value))
      }
      store = await world.reopen(store)
    }
  })

  it('RD4 HW2 beside a cold read of it, a round and an unmap costs nobody else anything', async () => {
    const timeline = new Timeline()
    const disk = new SimDisk(new SimClock(timeline))
    const world = new World({ slotsPerSegment: 1, homeAfterMs: 5, checkpointAfterMs: 0 })
    const open = () => timeline.finish(PageStore.open(disk, new SimClock(timeline), world.settings))
    let store = await open()
    for (let at = 0; at < PAGE_BYTES; at += 64 * BLOCK_BYTES) {
      await timeline.finish(store.write(write(1, at, block(1, 64))))
    }
    await timeline.finish(store.write(write(1, PAGE_BYTES, block(2))))
    await timeline.finish(store.write({ ...write(1, RUN_BYTES, block(3)), slice: OTHER }))
    await timeline.finish(store.close())
    store = await open()
    disk.faults.latencyMs = (kind) => ({ read: 200, write: 100, sync: 50 })[kind as 'read'] ?? 1
    // On its way home, and being read, when the slice goes.
    await timeline.finish(store.write(write(1, PAGE_BYTES, block(4))))
    await timeline.run(timeline.nowMs + 60)
    const into = block(9, PAGE_BYTES / BLOCK_BYTES)
    const reading = Promise.resolve(store.read(one, 0, into))
    await timeline.run(timeline.nowMs + 210)
    const beside = [store.dropSlice(SLICE, epoch(1)), store.write(write(1, 0, null, PAGE_BYTES))]
    expect(await timeline.finish(Promise.all(beside))).toEqual(['done', 'done'])
    expect(await timeline.finish(reading)).toBe('done')
    expect(into).toEqual(block(0, PAGE_BYTES / BLOCK_BYTES))
    await timeline.run(timeline.nowMs + 5000)
    expect(store.failure()).toBeNull()
    expect([store.usage().pages, store.usage().overlayPages]).toEqual([1, 0])
    expect(told(store)).toEqual([])
    const other = block(9)
    await timeline.finish(Promise.resolve(store.read(one, RUN_BYTES, other)))
    expect(other).toEqual(block(3))
  })

  it('PG2 PG4 of its runs no page is at home or told any more, and those that the drop of a volume takes are not taken again', () => {
    const table = new PageTable()
    const home = (volume: number, page: number, slice: SliceId) => {
      const entry = table.entryFor(volumeId(volume), page, slice)
      const age = { version: 1, epoch: epoch(1), seq: entry }
      table.settle(entry, entry, age, { blocks: 1, added: 1 })
      return entry
    }
    const [a, b, c] = [home(1, 0, SLICE), home(2, 0, SLICE), home(2, 16, OTHER)]
    table.vacate(home(2, 1, SLICE))
    expect([...table.entriesOf(SLICE)]).toHaveLength(32)
    expect(table.forget(one)).toEqual([a / 16])
    expect([...table.entriesOf(SLICE)]).toHaveLength(16)
    expect(table.forgetSlice(SLICE)).toEqual([b / 16])
    expect([...table.entriesOf(SLICE)]).toEqual([])
    expect(table.forgetSlice(SLICE)).toEqual([])
    expect([a, b, c].map((entry) => table.homeOf(entry))).toEqual([NO_SLOT, NO_SLOT, c])
    expect([a, b, c].map((entry) => table.slotOf(entry))).toEqual([a, b, c])
    expect(table.isTombstone(b + 1)).toBe(false)
    expect(table.find(volumeId(2), 0)).toBe(NO_ENTRY)
    expect(table.entryFor(volumeId(2), 0, SLICE)).not.toBe(b)
  })

  it('LP1 what its caller has unmapped before, of volumes of which pages are lost, is lost no more and leaves nothing', async () => {
    const world = new World()
    const known = { folderId: 'gone', position: 0, openAs: null, epochs: new Map() }
    const volumesHeld = [{ volume: one, pages: 64, held: 48 }]
    let store = await world.open({ known, accept: 'loss', volumesHeld })
    const unmapped = { ...write(1, 0, null, RUN_BYTES), epoch: epoch(2) }
    await world.run(Promise.all([store.write(unmapped), store.dropSlice(SLICE, epoch(2))]))
    for (let pass = 0; pass < 2; pass += 1) {
      expect(told(store)).toEqual([])
      expect((await world.read(store, 1, 0)).into).toEqual(block(0))
      // Of another slice: nobody gave that up.
      expect((await world.read(store, 1, RUN_BYTES)).result).toBe('damaged')
      store = await world.reopen(store)
    }
  })

  it('SI2 under an epoch that its changes are beyond it is not dropped; G26 the epoch of its drop is known to who looks', async () => {
    const world = new World()
    const store = await world.open()
    await put(world, store, 1, { epoch: epoch(4) })
    expect(() => store.dropSlice(SLICE, epoch(3))).toThrow(/SI2/)
    await world.run(store.dropSlice(SLICE, epoch(6)))
    const written = async () => (await world.run(lookAtStore(world.disk)))?.written.get(SLICE)
    const journalled = world.disk.clone()
    expect((await lookAtStore(journalled))?.written.get(SLICE)).toBe(6)
    await world.run(store.close())
    expect(await written()).toBe(6)
  })
})
