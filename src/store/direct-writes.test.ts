import { describe, expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimDisk } from '../../sim/disk.ts'
import { Timeline } from '../../sim/timeline.ts'
import { block, World, write } from '../../test/kit/store-world.ts'
import { DiskError } from '../base/disk.ts'
import { Prng } from '../base/prng.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../base/sizes.ts'
import { paths, SLOT_HEADER_BYTES } from './layout.ts'
import type { PageStore } from './page-store.ts'

const own = {
  budgetBytes: null,
  slotsPerSegment: 8,
  directPages: 2,
  directBytes: 2 * BLOCK_BYTES,
  directAfterBytes: 0,
  directLeastBlocks: 2,
  homeAfterMs: 50,
  checkpointAfterMs: 1e9,
} as const

function pass(world: World): Promise<void> {
  return world.timeline.run(world.timeline.nowMs + 200)
}

/** Page 0 is at home with so many blocks of 1, and slots are prepared. */
async function prepared(world: World, blocks: number): Promise<PageStore> {
  const store = await world.open()
  await world.write(store, 1, 0, block(1, blocks))
  await pass(world)
  // The first one finds no slot.
  await world.write(store, 1, 0, block(1, blocks))
  await pass(world)
  return store
}

/** What a power cut now would leave, if the disk chooses so. */
async function afterCut(
  world: World,
  choose: (choices: number) => number,
): Promise<{ readonly world: World; readonly store: PageStore }> {
  const disk = world.disk.clone()
  disk.faults.latencyMs = null
  disk.faults.capacityBytes = Number.MAX_SAFE_INTEGER
  disk.crash(choose)
  const again = new World(world.settings, disk)
  return { world: again, store: await again.open() }
}

describe('a large write over a page that is at home', () => {
  it('DW1 goes straight into a slot, is read there, and is at home there after the next round', async () => {
    const world = new World(own)
    const store = await prepared(world, 4)
    const before = store.position
    expect(await world.write(store, 1, 0, block(2, 4))).toBe('done')
    expect(store.position - before).toBe(1)
    expect(store.usage().overlayBytes).toBe(0)
    for (const at of [0, 3 * BLOCK_BYTES]) {
      expect((await world.read(store, 1, at)).into).toEqual(block(2))
    }
    expect((await world.read(store, 1, 100, 2 * BLOCK_BYTES)).into).toEqual(block(2, 2))
    await pass(world)
    expect(store.usage().overlayPages).toBe(0)
    expect((await world.read(store, 1, 0, 4 * BLOCK_BYTES)).into).toEqual(block(2, 4))
    const again = await world.reopen(store)
    expect(again.recovery.replayed).toBe(0)
    expect((await world.read(again, 1, 0, 4 * BLOCK_BYTES)).into).toEqual(block(2, 4))
  })

  it('DW2 goes into the journal if it meets one that went straight', async () => {
    const world = new World(own)
    const store = await prepared(world, 4)
    await world.write(store, 1, 0, block(2, 4))
    const before = store.position
    await world.write(store, 1, BLOCK_BYTES, block(3, 2))
    expect(store.position - before).toBe(17)
    const { store: left, world: again } = await afterCut(world, () => 0)
    const { into } = await again.read(left, 1, 0, 4 * BLOCK_BYTES)
    expect(into).toEqual(Uint8Array.from([...block(2), ...block(3, 2), ...block(2)]))
  })

  it('DW8 goes into the journal if there is no room for whole slots, or if its page has few blocks', async () => {
    for (const less of [{ budgetBytes: 2 * PAGE_BYTES }, { directLeastBlocks: 5 }]) {
      const world = new World({ ...own, ...less })
      const store = await prepared(world, 4)
      const before = store.position
      await world.write(store, 1, 0, block(2, 4))
      expect(store.position - before).toBe(33)
    }
  })

  it('goes into the journal while nothing shows that others follow', async () => {
    const world = new World({ ...own, directAfterBytes: PAGE_BYTES })
    const store = await prepared(world, 4)
    const before = store.position
    await world.write(store, 1, 0, block(2, 4))
    expect(store.position - before).toBe(33)
  })

  it('DW1 DW3 is there wholly or not at all, whichever of its bytes and its record a cut leaves', async () => {
    const prng = new Prng(5)
    const extremes = [() => 0, (choices: number) => choices - 1]
    const some = Array.from({ length: 8 }, () => (choices: number) => prng.integer(0, choices - 1))
    const found = new Set<number>()
    for (const operations of [1, 2]) {
      const world = new World(own)
      const store = await prepared(world, 4)
      const isCut = world.disk.cutAfter(operations)
      void store.write(write(1, 0, block(2, 4)))
      await world.run(isCut)
      for (const choose of [...extremes, ...some]) {
        const { store: left, world: again } = await afterCut(world, choose)
        const { result, into } = await again.read(left, 1, 0, 4 * BLOCK_BYTES)
        expect(result).toBe('done')
        expect(into).toEqual(block(into[0] ?? 0, 4))
        found.add(into[0] ?? 0)
      }
    }
    expect([...found].sort()).toEqual([1, 2])
  })

  it('DW4 an unmap of its page while it is under way leaves nothing of it, and nothing of its slot', async () => {
    const world = new World(own)
    const store = await prepared(world, 4)
    const taken = store.usage().takenBytes
    const writing = store.write(write(1, 0, block(2, 4)))
    const unmapping = store.write(write(1, 0, null, PAGE_BYTES))
    await world.run(Promise.all([writing, unmapping]))
    expect((await world.read(store, 1, 0)).into).toEqual(block(0))
    await pass(world)
    await world.run(store.makeRoom())
    expect(store.usage().takenBytes).toBeLessThan(taken)
    expect((await world.read(store, 1, 0)).into).toEqual(block(0))
  })
})

describe('what a large write meets', () => {
  it('DW4 one that finds no room after all leaves nothing on its way', async () => {
    const world = new World({ ...own, overlayBytes: 12 * BLOCK_BYTES })
    const store = await prepared(world, 4)
    const edges = { head: block(6), tail: block(7) }
    const trim = { ...write(1, 3 * PAGE_BYTES + BLOCK_BYTES, null, BLOCK_BYTES), edges }
    const writes = [write(1, 2 * PAGE_BYTES, block(5, 8)), trim, write(1, 0, block(2, 4))]
    const answers = await world.run(Promise.all(writes.map((each) => store.write(each))))
    expect(answers).toEqual(['done', 'done', 'done'])
    await pass(world)
    expect(store.failure()).toBeNull()
    expect((await world.read(store, 1, 0, 4 * BLOCK_BYTES)).into).toEqual(block(2, 4))
  })

  it('SL4 goes into no slot of a segment that is lost', async () => {
    const small = { ...own, slotsPerSegment: 1, overlayBytes: 4 * PAGE_BYTES }
    const world = new World({ ...small, journalBytes: 8 * PAGE_BYTES })
    let store = await world.open()
    await world.write(store, 1, 0, block(1, 256))
    await pass(world)
    await world.write(store, 1, PAGE_BYTES, block(1, 4))
    await world.run(store.close())
    await world.disk.remove(paths.segment(0))
    store = await world.open()
    await world.write(store, 1, 0, block(2, 256))
    await pass(world)
    await world.run(store.makeRoom())
    for (const value of [3, 4]) {
      await world.write(store, 1, PAGE_BYTES, block(value, 4))
      await pass(world)
    }
    expect(store.failure()).toBeNull()
    expect((await world.read(store, 1, PAGE_BYTES, 4 * BLOCK_BYTES)).into).toEqual(block(4, 4))
  })

  it('RC3 is told to be lost if its segment is gone before its page has moved', async () => {
    const world = new World({ ...own, slotsPerSegment: 1 })
    const store = await prepared(world, 4)
    await world.write(store, 1, 0, block(2, 4))
    await world.write(store, 1, 9 * PAGE_BYTES, block(3))
    const disk = world.disk.clone()
    disk.crash((choices) => choices - 1)
    for (const name of await disk.list(paths.segments)) {
      if (Number(name) > 0) await disk.remove(paths.segment(Number(name)))
    }
    const again = new World(world.settings, disk)
    const left = await again.open()
    expect(left.recovery.damage).toMatch(/4 acknowledged blocks are lost/)
    expect((await again.read(left, 1, 0)).result).toBe('damaged')
  })

  it('HW10 blocks that the disk does not give at recovery are told, and those beside them are not lost', async () => {
    const world = new World(own)
    const store = await prepared(world, 4)
    await world.write(store, 1, 0, block(2, 4))
    await world.write(store, 1, 9 * PAGE_BYTES, block(3))
    const disk = world.disk.clone()
    disk.crash((choices) => choices - 1)
    const from = SLOT_HEADER_BYTES + PAGE_BYTES + SLOT_HEADER_BYTES + BLOCK_BYTES
    disk.faults.unreadable = { path: paths.segment(0), from, to: from + 512 }
    const again = new World(world.settings, disk)
    const left = await again.open()
    expect(left.recovery.damage).toMatch(/ 1 acknowledged blocks are lost/)
    expect(left.damagedPages()).toEqual([{ volume: 1, page: 0 }])
    disk.faults.unreadable = null
    for (const at of [0, 2, 3])
      expect((await again.read(left, 1, at * BLOCK_BYTES)).into).toEqual(block(2))
    expect((await again.read(left, 1, BLOCK_BYTES)).result).toBe('damaged')
  })

  it('DW9 takes no slot if one of its pages can have none', async () => {
    const world = new World(own)
    const store = await prepared(world, 4)
    // Page 1 has one block, which is too few.
    await world.write(store, 1, PAGE_BYTES, block(1))
    await pass(world)
    const before = store.usage().takenBytes
    await world.write(store, 1, PAGE_BYTES - 2 * BLOCK_BYTES, block(2, 4))
    expect(store.usage().takenBytes - before).toBeLessThanOrEqual(4 * BLOCK_BYTES)
  })

  it('DW9 over many pages goes to three slots at a time', async () => {
    const timeline = new Timeline()
    const large = { ...own, directPages: 8, journalBytes: 32 * PAGE_BYTES, slotsPerSegment: 32 }
    const sized = { ...large, overlayBytes: 16 * PAGE_BYTES }
    const world = new World(sized, new SimDisk(new SimClock(timeline)), timeline)
    const store = await world.open()
    for (let pass = 0; pass < 2; pass += 1) {
      for (let page = 0; page < 6; page += 1)
        await world.write(store, 1, page * PAGE_BYTES, block(1, 256))
      await timeline.run(timeline.nowMs + 200)
    }
    world.disk.faults.latencyMs = (kind) => (kind === 'writeDurable' ? 10 : 0)
    const [position, startMs] = [store.position, timeline.nowMs]
    await world.write(store, 1, 0, block(2, 6 * 256))
    expect(store.position - position).toBe(24)
    expect(timeline.nowMs - startMs).toBe(20)
  })

  it('HW5 what waits beside a header that cannot be read is not written home again and again', async () => {
    const world = new World({ ...own, cachedPages: 8 })
    let store = await world.open()
    for (const page of [0, 1, 2]) await world.write(store, 1, page * PAGE_BYTES, block(1, 4))
    store = await world.reopen(store)
    for (const value of [2, 3]) {
      for (const page of [0, 1]) await world.write(store, 1, page * PAGE_BYTES, block(value, 4))
      await pass(world)
    }
    const from = 2 * (SLOT_HEADER_BYTES + PAGE_BYTES)
    world.disk.faults.unreadable = { path: paths.segment(0), from, to: from + 512 }
    let operations = 0
    world.disk.faults.fail = () => {
      operations += 1
      return operations > 1000 ? new DiskError('IO', 'it is asked too often') : null
    }
    const before = store.position
    const direct = [0, 1].map((page) => write(1, page * PAGE_BYTES, block(4, 4)))
    const writes = [write(1, 2 * PAGE_BYTES, block(4)), ...direct]
    await world.run(Promise.all(writes.map((each) => store.write(each))))
    expect(store.position - before).toBe(9 + 1 + 1)
    await pass(world)
    expect(store.failure()).toBeNull()
    expect(store.usage().overlayPages).toBe(3)
    world.disk.faults.unreadable = null
    await pass(world)
    expect(store.usage().overlayPages).toBe(0)
    expect((await world.read(store, 1, PAGE_BYTES, 4 * BLOCK_BYTES)).into).toEqual(block(4, 4))
  })

  it('ST7 if it fails while a round waits for it, that round writes nothing', async () => {
    const timeline = new Timeline()
    const world = new World(own, new SimDisk(new SimClock(timeline)), timeline)
    const store = await prepared(world, 4)
    const { faults } = world.disk
    faults.latencyMs = () => 100
    await world.write(store, 1, 9 * PAGE_BYTES, block(3))
    const slow = store.write(write(1, 0, block(2, 4)))
    await timeline.run(timeline.nowMs + 60)
    faults.fail = (operation) =>
      operation === 'writeDurable' ? new DiskError('IO', 'it is broken') : null
    const failing = store.write(write(1, 9 * PAGE_BYTES, block(4)))
    const answers = world.run(Promise.allSettled([slow, failing]))
    const before = world.disk.operations
    expect((await answers).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await pass(world)
    expect(world.disk.operations).toBe(before)
  })
})

describe('a round that leaves something behind', () => {
  /** A new page finds no room, while page 0 has blocks in its direct slot; checkpoints come all the time. */
  async function leftBehind(blocks: number): Promise<World> {
    const world = new World({ ...own, checkpointAfterMs: 5 })
    const store = await prepared(world, blocks)
    const writes = [write(1, 0, block(2, 2)), write(1, 40 * PAGE_BYTES, block(3, 12))]
    const answers = world.run(Promise.all(writes.map((each) => store.write(each))))
    // More than what is given back of slots that are kept for direct writes.
    world.disk.faults.capacityBytes = world.disk.storedBytes() - 16 * PAGE_BYTES
    expect(await answers).toEqual(['done', 'done'])
    expect(store.usage().overlayBytes).toBe(12 * BLOCK_BYTES)
    await pass(world)
    expect(store.usage().overlayPages).toBeGreaterThan(0)
    expect(store.failure()).toBeNull()
    return world
  }

  for (const [rule, blocks] of [
    ['DW5 moves no page', 3],
    ['DW6 frees no slot', 8],
  ] as const) {
    it(`${rule}: a cut leads back to the records`, async () => {
      const left = await leftBehind(blocks)
      for (const choose of [() => 0, (choices: number) => choices - 1]) {
        const { store, world } = await afterCut(left, choose)
        expect((await world.read(store, 1, 0, 2 * BLOCK_BYTES)).into).toEqual(block(2, 2))
        expect((await world.read(store, 1, 2 * BLOCK_BYTES)).into).toEqual(block(1))
        expect((await world.read(store, 1, 40 * PAGE_BYTES)).into).toEqual(block(3))
      }
    })
  }
})
