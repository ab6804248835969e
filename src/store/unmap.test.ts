// Unmapping in the store: what it costs, what it takes, and that it needs no room.
import { describe, expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimDisk } from '../../sim/disk.ts'
import { block, GENERATION, SESSION, SLICE, World, write } from '../../test/kit/store-world.ts'
import { epoch, sliceId, volumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES, RUN_BYTES } from '../base/sizes.ts'
import type { UnmapEdges } from '../peer/operation.ts'
import { PageStore } from './page-store.ts'
import { partsOf } from './record.ts'

const GIB = 1024 ** 3

describe('unmap', () => {
  it('ST9 whether it finds anything is told before; handed in, it is written and remembered though it finds nothing', async () => {
    const world = new World()
    let store = await world.open()
    await world.write(store, 1, RUN_BYTES, block(1))
    const nothing = [write(1, 0, null, RUN_BYTES), write(1, 2 * RUN_BYTES, null, 2 * GIB)]
    for (const unmap of [...nothing, write(2, 0, null, 2 * GIB)]) {
      expect(store.holds(unmap)).toBe(false)
      expect(await world.run(store.write({ ...unmap, epoch: epoch(4) }))).toBe('done')
      expect(store.remembered(SESSION, GENERATION, SLICE, unmap.number)).toBe(true)
      expect(store.newestOf(SLICE)).toMatchObject({ epoch: 4, seq: unmap.seq })
    }
    expect(store.holds(write(1, 0, null, 2 * GIB))).toBe(true)
    expect(store.holds({ ...write(1, 0, null, 2 * GIB), slice: sliceId(9) })).toBe(false)
    store = await world.reopen(store)
    expect([...store.versions(SLICE)]).toHaveLength(1)
    expect(store.usage()).toMatchObject({ pages: 1 })
  })

  it('ST9 it finds nothing in blocks that a page at home does not have', async () => {
    const world = new World()
    const store = await world.reopen(
      await world.open().then(async (first) => {
        await world.write(first, 1, 0, block(1))
        return first
      }),
    )
    await world.read(store, 1, 0) // its header is known now
    expect(store.holds(write(1, BLOCK_BYTES, null, PAGE_BYTES / 2))).toBe(false)
    expect(store.holds(write(1, 0, null, 2 * BLOCK_BYTES))).toBe(true)
    expect(await world.run(store.write(write(1, 0, null, 2 * BLOCK_BYTES)))).toBe('done')
    expect((await world.read(store, 1, 0)).into).toEqual(block(0))
  })

  it('ST9 GC2 it takes what is written in the same turn before it, and not what comes after', async () => {
    const world = new World()
    const store = await world.open()
    await world.write(store, 1, 0, block(9))
    await world.run(
      Promise.all([
        store.write(write(1, 0, null, PAGE_BYTES)),
        store.write(write(1, 0, block(1, 2))),
        store.write(write(1, 0, null, 4 * GIB - RUN_BYTES)),
        store.write(write(1, BLOCK_BYTES, block(3))),
      ]),
    )
    const expected = Uint8Array.from([...block(0), ...block(3)])
    expect((await world.read(store, 1, 0, 2 * BLOCK_BYTES)).into).toEqual(expected)
    const again = await world.reopen(store)
    expect((await world.read(again, 1, 0, 2 * BLOCK_BYTES)).into).toEqual(expected)
  })

  it('PG1 of a long range it takes the pages of its slice, in one record', async () => {
    const world = new World()
    let store = await world.open()
    const runs = Array.from({ length: 12 }, (_, run) => run)
    for (const run of runs) {
      const one = {
        ...write(1, run * RUN_BYTES + PAGE_BYTES, block(run + 1)),
        slice: sliceId(1 + (run % 3)),
      }
      expect(await world.run(store.write(one))).toBe('done')
    }
    const before = store.usage().journalUsedBytes
    const unmap = { ...write(1, RUN_BYTES, null, 10 * RUN_BYTES), slice: sliceId(2) }
    expect(await world.run(store.write(unmap))).toBe('done')
    expect(store.usage().journalUsedBytes - before).toBe(512)
    for (let pass = 0; pass < 2; pass += 1) {
      for (const run of runs) {
        const { into } = await world.read(store, 1, run * RUN_BYTES + PAGE_BYTES)
        const isGone = run >= 1 && run < 11 && run % 3 === 1
        expect(into).toEqual(block(isGone ? 0 : run + 1))
      }
      expect(store.remembered(SESSION, GENERATION, sliceId(2), unmap.number)).toBe(true)
      store = await world.reopen(store)
    }
    expect(store.volumeUsages()(volumeId(1)).pages).toBe(8)
  })

  it('ST2 the blocks of which it takes a part are written with it, now and after a restart', async () => {
    const world = new World()
    let store = await world.open()
    await world.write(store, 1, 0, block(1, 6))
    const edges = { head: block(2), tail: block(3) }
    const unmap = { ...write(1, 2 * BLOCK_BYTES, null, 2 * BLOCK_BYTES), edges }
    expect(await world.run(store.write(unmap))).toBe('done')
    const empty = { ...write(1, 6 * BLOCK_BYTES, null, 0), edges: { head: block(4), tail: null } }
    expect(await world.run(store.write(empty))).toBe('done')
    const parts = [block(1), block(2), block(0, 2), block(3), block(4)]
    const expected = Uint8Array.from(parts.flatMap((part) => [...part]))
    for (let pass = 0; pass < 2; pass += 1) {
      expect((await world.read(store, 1, 0, 6 * BLOCK_BYTES)).into).toEqual(expected)
      store = await world.reopen(store)
    }
  })

  it('ST2 checksums that came with its edges are those of their blocks', () => {
    const unmap = write(1, 2 * BLOCK_BYTES, null, 2 * BLOCK_BYTES)
    const sumsOf = (edges: UnmapEdges, ...checksums: number[]) =>
      partsOf({ ...unmap, edges, checksums: Uint32Array.from(checksums) }).map((part) => [
        part.data?.[0] ?? null,
        part.checksums?.[0] ?? null,
      ])
    const [head, tail] = [block(2), block(3)]
    const bare = [null, null]
    expect(sumsOf({ head, tail }, 5, 6)).toEqual([[2, 5], bare, [3, 6]])
    expect(sumsOf({ head, tail: null }, 5)).toEqual([[2, 5], bare])
    expect(sumsOf({ head: null, tail }, 6)).toEqual([bare, [3, 6]])
  })

  it('OV1 a page that is unmapped and written again while it is on its way home is as it was written last', async () => {
    const world = new World({ homeAfterMs: 1 })
    const disk = new SimDisk(new SimClock(world.timeline))
    disk.faults.latencyMs = (kind) => (kind === 'writeDurable' ? 0.1 : 7)
    const open = () => PageStore.open(disk, new SimClock(world.timeline), world.settings)
    let store = await world.run(open())
    for (let value = 1; value < 30; value += 1) {
      await world.run(store.write(write(1, 0, block(value, 3))))
      await world.timeline.run(world.timeline.nowMs + 1 + (value % 9))
      expect(await world.run(store.write(write(1, 0, null, PAGE_BYTES)))).toBe('done')
      expect((await world.read(store, 1, 0)).into).toEqual(block(0))
      if (value % 2 === 0) continue
      await world.run(store.write(write(1, 2 * BLOCK_BYTES, block(value))))
      const expected = Uint8Array.from([...block(0, 2), ...block(value)])
      expect((await world.read(store, 1, 0, 3 * BLOCK_BYTES)).into).toEqual(expected)
      await world.timeline.run(world.timeline.nowMs + (value % 5) * 10)
      expect((await world.read(store, 1, 0, 3 * BLOCK_BYTES)).into).toEqual(expected)
    }
    await world.run(store.close())
    store = await world.run(open())
    expect((await world.read(store, 1, 0, 3 * BLOCK_BYTES)).into).toEqual(
      Uint8Array.from([...block(0, 2), ...block(29)]),
    )
  })

  it('PG2 GC4 a large volume is dropped some pages at a time, and nothing of it is found meanwhile or later', async () => {
    const roomy = {
      journalBytes: 32 * 1024 ** 2,
      overlayBytes: 64 * 1024 ** 2,
      slotsPerSegment: 64,
    }
    const world = new World({ ...roomy, budgetBytes: 64 * GIB })
    let store = await world.open()
    const pages = 4096 + 1024
    const writes = Array.from({ length: pages }, (_, page) =>
      store.write(write(1, page * PAGE_BYTES, block(1))),
    )
    await world.run(Promise.all(writes))
    await world.write(store, 2, 0, block(2))
    store = await world.reopen(store)
    const seen = new Set<number>()
    const look = () => {
      seen.add(store.usage().pages)
      if (store.usage().pages > 1) new SimClock(world.timeline).soon(look)
    }
    const dropped = store.dropVolume(volumeId(1))
    look()
    expect(await world.run(dropped)).toBe('done')
    expect([...seen].filter((left) => left > 1 && left < pages)).not.toEqual([])
    expect(store.usage().pages).toBe(1)
    expect((await world.read(store, 1, 0)).into).toEqual(block(0))
    await world.write(store, 1, PAGE_BYTES, block(7))
    store = await world.reopen(store)
    expect(store.usage().pages).toBe(2)
    expect((await world.read(store, 1, 0)).into).toEqual(block(0))
    expect((await world.read(store, 1, PAGE_BYTES)).into).toEqual(block(7))
    expect((await world.read(store, 2, 0)).into).toEqual(block(2))
  })

  it('GC4 many unmaps of one turn are several batches, since each page costs', async () => {
    const roomy = { journalBytes: 32 * 1024 ** 2, overlayBytes: 32 * 1024 ** 2 }
    const world = new World({ ...roomy, budgetBytes: 16 * GIB })
    const store = await world.open()
    const pages = 3 * 1600
    const writes = Array.from({ length: pages }, (_, page) =>
      store.write(write(1, page * PAGE_BYTES, block(1))),
    )
    await world.run(Promise.all(writes))
    const { commits } = store.commitWork
    const unmap = (part: number) =>
      store.write(write(1, part * 1600 * PAGE_BYTES, null, 1600 * PAGE_BYTES))
    await world.run(Promise.all([0, 1, 2].map(unmap)))
    expect(store.commitWork.commits - commits).toBe(3)
    expect(store.volumeUsages()(volumeId(1)).pages).toBe(0)
  })
})
