// What a disk does to a store besides forgetting: bits that flip, sectors that cannot be read, room that others took.
import { describe, expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimDisk } from '../../sim/disk.ts'
import { Timeline } from '../../sim/timeline.ts'
import { block, World, write } from '../../test/kit/store-world.ts'
import { DiskError } from '../base/disk.ts'
import { epoch, sliceId, volumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../base/sizes.ts'
import { FolderRefused } from './failure.ts'
import { paths, SLOT_HEADER_BYTES } from './layout.ts'
import { PageStore } from './page-store.ts'

describe('rot', () => {
  const path = paths.segment(0)
  const home = async (world: World) => {
    const store = await world.open()
    await world.write(store, 1, 0, block(1, 2))
    await world.run(store.close())
  }

  it('ST3 RD1 a flipped bit of a block is damage, of this block alone, until it is overwritten', async () => {
    const world = new World()
    await home(world)
    world.disk.flip(path, (SLOT_HEADER_BYTES + 5000) * 8 + 3)
    const store = await world.open()
    expect((await world.read(store, 1, 0)).into).toEqual(block(1))
    expect((await world.read(store, 1, 4096)).result).toBe('damaged')
    expect((await world.read(store, 1, 0, 8192)).result).toBe('damaged')
    expect((await world.read(store, 1, 6000, 8)).result).toBe('damaged')
    expect(store.damagedPages()).toEqual([{ volume: 1, page: 0 }])
    await world.write(store, 1, 4096, block(8))
    expect((await world.read(store, 1, 4096)).into).toEqual(block(8))
    const again = await world.reopen(store)
    expect((await world.read(again, 1, 4096)).into).toEqual(block(8))
  })

  it('ST3 under a lost header all blocks are damaged, and stay so when one of them is overwritten', async () => {
    const world = new World()
    await home(world)
    world.disk.flip(path, 100 * 8)
    world.disk.flip(path, (2048 + 100) * 8)
    let store = await world.open()
    expect((await world.read(store, 1, 0)).result).toBe('damaged')
    await world.write(store, 1, 0, block(5))
    store = await world.reopen(store)
    expect((await world.read(store, 1, 0)).into).toEqual(block(5))
    expect((await world.read(store, 1, 4096)).result).toBe('damaged')
    expect((await world.read(store, 1, 8192)).result).toBe('damaged')
  })

  it('ST3 a missing segment is damage', async () => {
    const world = new World()
    await home(world)
    await world.disk.remove(path)
    const store = await world.open()
    expect((await world.read(store, 1, 0)).result).toBe('damaged')
  })

  it('RC3 two rotten checkpoints are refused with a sentence, and left as they are', async () => {
    const world = new World()
    await home(world)
    for (const index of paths.checkpoints) world.disk.flip(index, 9 * 8)
    const before = world.disk.peek(paths.checkpoints[0])
    await expect(world.open()).rejects.toThrow(/nobody knows which page .* --accept-loss m1/)
    expect(world.disk.peek(paths.checkpoints[0])).toEqual(before)
  })

  it('RC3 a rotten newest checkpoint is noticed once the journal knows it', async () => {
    const world = new World({ homeAfterMs: 1, checkpointAfterMs: 0 })
    const store = await world.open()
    await world.write(store, 1, 0, block(1))
    await world.timeline.run(world.timeline.nowMs + 100)
    await world.write(store, 1, 4096, block(2))
    await world.timeline.run(world.timeline.nowMs + 100)
    const before = world.disk.clone()
    await world.write(store, 1, 8192, block(3))
    for (const index of paths.checkpoints) {
      const rotten = before.clone()
      rotten.crash(() => 0)
      rotten.flip(index, 9 * 8)
      const clock = new SimClock(world.timeline)
      const opening = world.run(PageStore.open(rotten, clock, world.settings))
      const outcome = await opening.then(
        () => 'opened',
        (error: unknown) => (error instanceof FolderRefused ? 'refused' : 'failed'),
      )
      if (outcome === 'opened') {
        const opened = await world.run(
          PageStore.open(rotten, new SimClock(world.timeline), world.settings),
        )
        expect((await world.read(opened, 1, 0)).into).toEqual(block(1))
        expect((await world.read(opened, 1, 4096)).into).toEqual(block(2))
      } else expect(outcome).toBe('refused')
    }
  })

  it('RC3 a promise is read whole or is damage of the journal, never other epochs', async () => {
    const world = new World({ homeAfterMs: 1e9 })
    const store = await world.open()
    await world.run(store.promise(new Map([[sliceId(1), epoch(7)]])))
    await world.write(store, 1, 0, block(1))
    await world.write(store, 1, 0, block(2))
    world.disk.crash(() => 0)
    world.disk.flip(paths.journal, (firstRecordAt(world) + 512 + 6) * 8)
    await expect(world.open()).rejects.toThrow(/acknowledged writes are lost/)
    const accepted = await world.open({ accept: 'damage' })
    expect(accepted.promisedEpoch(sliceId(1))).toBe(1)
    expect((await world.read(accepted, 1, 0)).into).toEqual(block(2))
  })

  it('RC3 damage before the proven end of the journal is told; after it, it is a torn tail', async () => {
    const world = new World({ homeAfterMs: 1e9 })
    const store = await world.open()
    for (let i = 0; i < 3; i += 1) await world.write(store, 1, i * 4096, block(i + 1))
    const records = { first: 0, second: 4608, third: 9216 }
    const head = firstRecordAt(world)
    const openWith = async (at: number, accept: boolean) => {
      const disk = world.disk.clone()
      disk.crash(() => 0)
      disk.flip(paths.journal, (head + at) * 8)
      const own = { ...world.settings, accept: accept ? ('damage' as const) : ('nothing' as const) }
      return world.run(PageStore.open(disk, new SimClock(world.timeline), own))
    }
    await expect(openWith(records.second + 20, false)).rejects.toThrow(
      /acknowledged writes are lost/,
    )
    const accepted = await openWith(records.second + 20, true)
    expect(accepted.recovery.damage).toMatch(/acknowledged writes are lost/)
    expect((await world.read(accepted, 1, 8192)).into).toEqual(block(3))
    const payload = await openWith(records.second + 700, false)
    expect(payload.recovery.damage).toMatch(/1 acknowledged blocks are lost/)
    expect((await world.read(payload, 1, 0)).into).toEqual(block(1))
    expect((await world.read(payload, 1, 4096)).result).toBe('damaged')
    expect((await world.read(payload, 1, 8192)).into).toEqual(block(3))
    // Nothing after the last record proves that it was answered: only another copy could tell.
    const tail = await openWith(records.third + 700, false)
    expect(tail.recovery).toMatchObject({ replayed: 2, damage: null })
  })
})

describe('a medium that does not give what it has', () => {
  const unreadable = (world: World, wanted: (operation: string, path: string) => boolean) => {
    world.disk.faults.fail = (operation, path) =>
      wanted(operation, path) ? new DiskError('IO', 'a bad sector') : null
  }
  const segment = paths.segment(0)

  it('ST8 RD3 costs the block that is wanted, for as long as it lasts, and nothing else', async () => {
    // Nothing is read from memory.
    const world = new World({ cacheBytes: 0 })
    const first = await world.open()
    await world.write(first, 1, 0, block(1, 2))
    await world.write(first, 1, PAGE_BYTES, block(3))
    const store = await world.reopen(first)
    const badAt = SLOT_HEADER_BYTES + BLOCK_BYTES
    world.disk.faults.unreadable = { path: segment, from: badAt, to: badAt + 512 }
    expect((await world.read(store, 1, 4096)).result).toBe('damaged')
    expect((await world.read(store, 1, 0, 8192)).result).toBe('damaged')
    expect((await world.read(store, 1, 0)).into).toEqual(block(1))
    expect((await world.read(store, 1, 8192)).into).toEqual(block(0))
    expect((await world.read(store, 1, PAGE_BYTES)).into).toEqual(block(3))
    expect(store.damagedPages()).toEqual([{ volume: 1, page: 0 }])
    expect(store.failure()).toBeNull()
    world.disk.faults.unreadable = null
    expect((await world.read(store, 1, 0, 8192)).into).toEqual(block(1, 2))
    // Believed to be in the page cache by now: lost again, it is damaged again, and not the end.
    world.disk.faults.unreadable = { path: segment, from: badAt, to: badAt + 512 }
    expect((await world.read(store, 1, 4096)).result).toBe('damaged')
    await world.write(store, 1, 4096, block(9))
    expect((await world.read(store, 1, 0, 4096)).into).toEqual(block(1))
    expect((await world.read(store, 1, 4096)).into).toEqual(block(9))
    expect(store.failure()).toBeNull()
  })

  it('ST8 a header that cannot be read makes its page damaged until it can be', async () => {
    const world = new World()
    const first = await world.open()
    await world.write(first, 1, 0, block(1))
    const store = await world.reopen(first)
    world.disk.faults.unreadable = { path: segment, from: 0, to: 512 }
    expect((await world.read(store, 1, 0)).result).toBe('damaged')
    world.disk.faults.unreadable = null
    expect((await world.read(store, 1, 0)).into).toEqual(block(1))
    expect(store.failure()).toBeNull()
  })

  it('HW5 a page whose header cannot be read waits with what was written to it, also through a restart', async () => {
    const world = new World({ homeAfterMs: 10 })
    const first = await world.open()
    await world.write(first, 1, 0, block(1, 2))
    let store = await world.reopen(first)
    world.disk.faults.unreadable = { path: segment, from: 0, to: 512 }
    await world.write(store, 1, 4096, block(2))
    await world.timeline.run(world.timeline.nowMs + 1_000)
    expect((await world.read(store, 1, 4096)).into).toEqual(block(2))
    expect((await world.read(store, 1, 0)).result).toBe('damaged')
    await world.run(store.close())
    world.disk.faults.unreadable = null
    store = await world.open()
    expect(store.recovery.replayed).toBe(1)
    const expected = Uint8Array.from([...block(1), ...block(2)])
    expect((await world.read(store, 1, 0, 8192)).into).toEqual(expected)
    world.disk.faults.unreadable = { path: segment, from: 0, to: 512 }
    store = await world.reopen(store)
    await world.write(store, 1, 4096, block(3))
    await world.timeline.run(world.timeline.nowMs + 1_000)
    world.disk.faults.unreadable = null
    await world.timeline.run(world.timeline.nowMs + 1_000)
    expect(store.usage().overlayPages).toBe(0)
    expect((await world.read(store, 1, 0)).into).toEqual(block(1))
    expect((await world.read(store, 1, 4096)).into).toEqual(block(3))
  })

  it('HW5 but does not keep the journal or the overlay full', async () => {
    const world = new World({ homeAfterMs: 10, overlayBytes: 64 * BLOCK_BYTES })
    const first = await world.open()
    await world.write(first, 1, 0, block(1, 2))
    const store = await world.reopen(first)
    world.disk.faults.unreadable = { path: segment, from: 0, to: 512 }
    await world.write(store, 1, 4096, block(2))
    for (let i = 0; i < 400; i += 1) {
      expect(await world.write(store, 1, PAGE_BYTES, block(i % 250, 8))).toBe('done')
    }
    await world.timeline.run(world.timeline.nowMs + 1_000)
    expect(store.usage().overlayPages).toBe(0)
    world.disk.faults.unreadable = null
    expect((await world.read(store, 1, 4096)).into).toEqual(block(2))
    expect((await world.read(store, 1, 0)).result).toBe('damaged')
  })

  it('ST7 ends when nobody knows what became of the blocks that were on their way home', async () => {
    const world = new World({ homeAfterMs: 1 })
    const store = await world.open()
    world.disk.writeMany = () => Promise.reject(new DiskError('IO', 'the thread died'))
    await world.write(store, 1, 0, block(1))
    expect(await world.run(store.failed)).toMatch(/the page store failed: the thread died/)
    await expect(store.write(write(1, 0, block(2)))).rejects.toThrow(/the thread died/)
    // What was answered is in the journal.
    const disk = world.disk.clone()
    disk.crash(() => 0)
    const again = new World({}, disk)
    expect((await again.read(await again.open(), 1, 0)).into).toEqual(block(1))
  })

  it('HW4 of pages that go home together only those without room stay', async () => {
    const world = new World({ homeAfterMs: 50, slotsPerSegment: 8 })
    const store = await world.open()
    for (const page of [0, 1, 2]) await world.write(store, 1, page * PAGE_BYTES, block(1))
    await world.timeline.run(world.timeline.nowMs + 200)
    const { writeMany } = world.disk
    const refused = new DiskError('FULL', 'no room for the last')
    world.disk.writeMany = async (jobs) => {
      const last = jobs.length - 1
      await writeMany.call(world.disk, jobs.slice(0, last))
      return [{ job: last, error: refused }]
    }
    for (const page of [0, 1, 2]) await world.write(store, 1, page * PAGE_BYTES, block(2))
    await world.timeline.run(world.timeline.nowMs + 60)
    expect(store.usage().overlayPages).toBe(1)
    world.disk.writeMany = writeMany
    await world.timeline.run(world.timeline.nowMs + 200)
    expect(store.usage().overlayPages).toBe(0)
    const again = await world.reopen(store)
    for (const page of [0, 1, 2]) {
      expect((await world.read(again, 1, page * PAGE_BYTES)).into).toEqual(block(2))
    }
  })

  it('ST7 goes on with a read that fails, and ends with a sync that does', async () => {
    const world = new World()
    const store = await world.open()
    await world.write(store, 1, 0, block(1))
    unreadable(world, (operation) => operation === 'sync')
    expect(await world.run(store.failed)).toMatch(/a bad sector/)
  })
})

describe('a medium that is slow', () => {
  /** Three pages, each in a segment of its own; a long read takes as long. */
  async function threePages(readMs: number) {
    const timeline = new Timeline()
    const disk = new SimDisk(new SimClock(timeline))
    const world = new World({ slotsPerSegment: 1, homeAfterMs: 5, checkpointAfterMs: 0 })
    const open = () => timeline.finish(PageStore.open(disk, new SimClock(timeline), world.settings))
    let store = await open()
    for (let page = 0; page < 3; page += 1) {
      for (let at = 0; at < PAGE_BYTES; at += 64 * BLOCK_BYTES)
        await timeline.finish(store.write(write(1, page * PAGE_BYTES + at, block(page + 1, 64))))
    }
    await timeline.finish(store.close())
    store = await open()
    disk.faults.latencyMs = (kind, bytes) =>
      kind === 'read' && bytes > 4 * BLOCK_BYTES ? readMs : 0
    return { timeline, disk, store }
  }

  it('RD4 a page that goes, and its segment with it, while it is being read costs nobody else anything', async () => {
    const { timeline, disk, store } = await threePages(1_000)
    const into = block(9, PAGE_BYTES / BLOCK_BYTES)
    const reading = Promise.resolve(store.read(volumeId(1), 2 * PAGE_BYTES, into))
    await timeline.finish(store.dropVolume(volumeId(1)))
    expect(await timeline.finish(reading)).toBe('done')
    expect(await disk.list(paths.segments)).toEqual(['000000'])
    expect(into).toEqual(block(0, PAGE_BYTES / BLOCK_BYTES))
    expect(store.failure()).toBeNull()
  })

  it('SL5 a read that hangs does not keep the segment that it reads, nor the journal', async () => {
    const { timeline, disk, store } = await threePages(3_600_000)
    const reading = Promise.resolve(
      store.read(volumeId(1), 2 * PAGE_BYTES, block(9, PAGE_BYTES / BLOCK_BYTES)),
    )
    await timeline.finish(store.dropVolume(volumeId(1)))
    expect(await timeline.finish(store.write(write(2, 0, block(4))))).toBe('done')
    await timeline.run(timeline.nowMs + 100)
    expect(await disk.list(paths.segments)).toEqual(['000000'])
    const { journalUsedBytes } = store.usage()
    for (let i = 0; i < 3; i += 1) {
      expect(await timeline.finish(store.write(write(2, 0, block(5 + i))))).toBe('done')
      await timeline.run(timeline.nowMs + 100)
    }
    expect(store.usage().journalUsedBytes).toBeLessThanOrEqual(journalUsedBytes)
    expect(await timeline.finish(reading, 7_200_000)).toBe('done')
    expect(store.failure()).toBeNull()
  })

  it('HO4 a header that comes when its page has gone home meanwhile is read again', async () => {
    const timeline = new Timeline()
    const disk = new SimDisk(new SimClock(timeline))
    const world = new World({ cachedPages: 1, homeAfterMs: 5 })
    const open = () => timeline.finish(PageStore.open(disk, new SimClock(timeline), world.settings))
    let store = await open()
    const both = (value: number) =>
      Promise.all([0, PAGE_BYTES].map((at) => store.write(write(1, at, block(value)))))
    await timeline.finish(both(1))
    await timeline.finish(store.close())
    store = await open()
    disk.faults.latencyMs = (kind) => (kind === 'read' ? 100 : 0)
    // The round has its headers at 105 ms, and the reader what it asked for before that at 195.
    await timeline.finish(both(2))
    await timeline.run(timeline.nowMs + 95)
    const into = block(9)
    const reading = Promise.resolve(store.read(volumeId(1), BLOCK_BYTES, into))
    expect(await timeline.finish(reading)).toBe('done')
    expect(into).toEqual(block(0))
    expect(store.usage().overlayPages).toBe(0)
    expect(await timeline.finish(Promise.resolve(store.read(volumeId(1), 0, into)))).toBe('done')
    expect(into).toEqual(block(2))
    expect(store.damagedPages()).toEqual([])
  })
})

describe('a disk of which others took the room', () => {
  const world = () => new World({ budgetBytes: null, journalBytes: 64 * 1024, homeAfterMs: 10 })
  const fill = (of: World) => {
    of.disk.faults.capacityBytes = of.disk.storedBytes()
  }
  const pass = (of: World) => of.timeline.run(of.timeline.nowMs + 100)

  it('ST6 HW4 UP3 keeps what was answered in the journal until there is room', async () => {
    const own = world()
    const store = await own.open()
    await own.write(store, 1, 0, block(1))
    await pass(own)
    const late = own.run(store.write(write(1, 40 * 4096, block(2))))
    fill(own)
    expect(await late).toBe('done')
    await pass(own)
    expect((await own.read(store, 1, 40 * 4096)).into).toEqual(block(2))
    // The old home counts as before, also for what has it already.
    expect(await own.write(store, 1, 0, block(3))).toBe('done')
    await pass(own)
    expect((await own.read(store, 1, 0)).into).toEqual(block(3))
    expect(store.failure()).toBeNull()
    const used = store.usage().journalUsedBytes
    own.disk.faults.capacityBytes = Number.MAX_SAFE_INTEGER
    await pass(own)
    expect(await own.write(store, 2, 0, block(4))).toBe('done')
    const again = await own.reopen(store)
    expect(again.usage().journalUsedBytes).toBeLessThan(used)
    expect((await own.read(again, 1, 40 * 4096)).into).toEqual(block(2))
    expect((await own.read(again, 2, 0)).into).toEqual(block(4))
  })

  it('GC3 ST6 refuses writes once the journal is used up by it, and reads go on', async () => {
    const own = world()
    const store = await own.open()
    await own.write(store, 1, 0, block(1))
    await pass(own)
    fill(own)
    await own.write(store, 1, 40 * 4096, block(2))
    const answers: string[] = []
    for (let i = 0; i < 20; i += 1) answers.push(await own.write(store, 1, 0, block(i + 3)))
    const last = answers.lastIndexOf('done')
    expect(answers).toContain('full')
    expect(answers.slice(last + 1).every((answer) => answer === 'full')).toBe(true)
    expect((await own.read(store, 1, 0)).into).toEqual(block(last + 3))
    expect((await own.read(store, 1, 40 * 4096)).into).toEqual(block(2))
    expect(store.failure()).toBeNull()
    own.disk.faults.capacityBytes = Number.MAX_SAFE_INTEGER
    await pass(own)
    expect(await own.write(store, 1, 0, block(99))).toBe('done')
  })

  it('J4 GC3 a volume can be dropped when the journal is used up, and gives the room that is wanted', async () => {
    const own = world()
    const store = await own.open()
    for (let page = 0; page < 3; page += 1)
      await own.write(store, 2, page * PAGE_BYTES, block(1, 4))
    await own.write(store, 1, 0, block(1))
    await pass(own)
    fill(own)
    await own.write(store, 1, 5 * PAGE_BYTES, block(2))
    let value = 3
    while ((await own.write(store, 1, 0, block(value))) === 'done') value += 1
    // More than the sectors that are left over where one more block does not fit.
    for (let other = 101; other < 111; other += 1) {
      expect(await own.run(store.dropVolume(volumeId(other)))).toBe('done')
    }
    expect(await own.run(store.dropVolume(volumeId(2)))).toBe('done')
    expect((await own.read(store, 1, 5 * PAGE_BYTES)).into).toEqual(block(2))
    await own.timeline.run(own.timeline.nowMs + 5_000)
    expect(await own.write(store, 1, 0, block(99))).toBe('done')
    const again = await own.reopen(store)
    expect((await own.read(again, 1, 0)).into).toEqual(block(99))
    expect((await own.read(again, 1, 5 * PAGE_BYTES)).into).toEqual(block(2))
    expect((await own.read(again, 2, 0)).into).toEqual(block(0))
  })

  it('SL3 a segment that finds no room is not there, and the page is refused', async () => {
    const own = world()
    const store = await own.open()
    own.disk.faults.fail = (operation, path) =>
      operation === 'write' && path.startsWith('data/') ? new DiskError('FULL', 'no room') : null
    expect(await own.write(store, 1, 0, block(1))).toBe('done')
    await pass(own)
    expect(await own.disk.list(paths.segments)).toEqual([])
    expect((await own.read(store, 1, 0)).into).toEqual(block(1))
    own.disk.faults.fail = null
    await pass(own)
    expect(await own.disk.list(paths.segments)).toHaveLength(1)
    const again = await own.reopen(store)
    expect((await own.read(again, 1, 0)).into).toEqual(block(1))
  })

  it('CK3 a checkpoint that finds no room leaves the one before', async () => {
    const own = new World({ budgetBytes: null, homeAfterMs: 10, checkpointAfterMs: 0 })
    const store = await own.open()
    await own.write(store, 1, 0, block(1))
    await pass(own)
    own.disk.faults.fail = (operation, path) =>
      operation === 'write' && path.startsWith('index') ? new DiskError('FULL', 'no room') : null
    await own.write(store, 1, 0, block(2))
    await own.write(store, 1, PAGE_BYTES, block(3))
    await pass(own)
    expect(store.failure()).toBeNull()
    own.disk.crash(() => 0)
    own.disk.faults.fail = null
    const again = await own.open()
    expect((await own.read(again, 1, 0)).into).toEqual(block(2))
    expect((await own.read(again, 1, PAGE_BYTES)).into).toEqual(block(3))
  })

  it('HW4 starts only if what is in the journal finds room, and says so otherwise', async () => {
    const own = world()
    const store = await own.open()
    await own.write(store, 1, 0, block(1))
    own.disk.crash(() => 0)
    fill(own)
    await expect(own.open()).rejects.toThrow(/no room .* Nothing is lost: make room/)
    own.disk.faults.capacityBytes = Number.MAX_SAFE_INTEGER
    own.disk.crash(() => 0)
    expect((await own.read(await own.open(), 1, 0)).into).toEqual(block(1))
  })
})

/** The first bytes of the ring that are not zero. */
function firstRecordAt(world: World): number {
  return world.disk.peek(paths.journal).findIndex((byte) => byte !== 0)
}
