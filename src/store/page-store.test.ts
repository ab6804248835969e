import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimDisk } from '../../sim/disk.ts'
import {
  block,
  GENERATION,
  SESSION,
  SLICE,
  settings,
  World,
  write,
} from '../../test/kit/store-world.ts'
import { DiskError } from '../base/disk.ts'
import { generation, memberId, sliceId, volumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES, RUN_BYTES } from '../base/sizes.ts'
import { SystemClock } from '../io/clock.ts'
import { FolderDisk } from '../io/disk.ts'
import { FolderRefused, StoreFailed } from './failure.ts'
import { readU64 } from './fields.ts'
import { CHECKPOINT, FORMAT, OPERATIONS, paths, SLOT_HEADER_BYTES } from './layout.ts'
import { PageStore } from './page-store.ts'

describe('PageStore', () => {
  it('ST1 reads what was written, from the overlay, from home and after a restart', async () => {
    const world = new World()
    let store = await world.open()
    await world.write(store, 1, 8192, block(7))
    await world.write(store, 1, PAGE_BYTES - BLOCK_BYTES, block(9, 2))
    for (let pass = 0; pass < 2; pass += 1) {
      expect((await world.read(store, 1, 8192)).into).toEqual(block(7))
      const across = await world.read(store, 1, PAGE_BYTES - BLOCK_BYTES, 2 * BLOCK_BYTES)
      expect(across.into).toEqual(block(9, 2))
      const odd = await world.read(store, 1, 8192 - 3, BLOCK_BYTES + 700)
      expect(odd.into.subarray(0, 3)).toEqual(new Uint8Array(3))
      expect(odd.into.subarray(3, 3 + BLOCK_BYTES)).toEqual(block(7))
      expect(odd.into.subarray(3 + BLOCK_BYTES)).toEqual(new Uint8Array(697))
      expect((await world.read(store, 2, 8192)).into).toEqual(block(0))
      store = await world.reopen(store)
      expect(store.recovery).toEqual({ replayed: 0, pages: 2, damage: null, damaged: new Set() })
    }
  })

  it('answers a hot read in the same turn and brings a cold one in first', async () => {
    const world = new World()
    let store = await world.open()
    await world.write(store, 1, 0, block(3))
    const into = block(0)
    expect(store.read(volumeId(1), 0, into)).toBe('done')
    store = await world.reopen(store)
    // Asked to be done now, it does not even begin.
    for (let i = 0; i < 2; i += 1) {
      expect(store.readNow(volumeId(1), 0, into)).toBe('later')
      await world.timeline.run(world.timeline.nowMs + 100)
    }
    expect(store.read(volumeId(1), 0, into)).toBeInstanceOf(Promise)
    await world.read(store, 1, 0)
    expect(store.read(volumeId(1), 0, into)).toBe('done')
    expect(into).toEqual(block(3))
    expect(store.readNow(volumeId(1), 0, into.fill(0))).toBe('done')
    expect(into).toEqual(block(3))
  })

  it('HC1 RD6 blocks that were wrongly believed hot cost two waits, not one for each that was used no later', async () => {
    const world = new World({ cachedPages: 8, slotsPerSegment: 8, cacheBytes: 0, homeAfterMs: 10 })
    const store = await world.open()
    const pages = [0, 1, 2, 3, 4, 5]
    for (const page of pages) await world.write(store, 1, page * PAGE_BYTES, block(page + 1, 2))
    await world.timeline.run(world.timeline.nowMs + 1_000)
    const read = (page: number, at = 0) =>
      store.read(volumeId(1), page * PAGE_BYTES + at * BLOCK_BYTES, block(0))
    for (const page of pages) expect(read(page)).toBe('done')
    // The system has forgotten what was used longest ago: pages 0 to 3.
    const slotBytes = SLOT_HEADER_BYTES + PAGE_BYTES
    const path = paths.segment(0)
    for (const page of [0, 1, 2, 3])
      world.disk.faults.cold.push({ path, from: page * slotBytes, to: (page + 1) * slotBytes })
    expect(read(0)).toBe('done')
    expect(read(0, 1)).toBeInstanceOf(Promise)
    expect(read(0)).toBe('done')
    expect(read(3)).toBe('done')
    for (const page of [1, 2]) expect(read(page)).toBeInstanceOf(Promise)
    for (const page of [4, 5]) expect(read(page)).toBe('done')
    await world.read(store, 1, PAGE_BYTES)
    expect(read(1)).toBe('done')
  })

  it('HC2 what was doubted for its age is believed again page by page, once nothing waits any more', async () => {
    const world = new World({ cachedPages: 8, slotsPerSegment: 8, cacheBytes: 0, homeAfterMs: 10 })
    const store = await world.open()
    const pages = [0, 1, 2, 3, 4, 5]
    for (const page of pages) await world.write(store, 1, page * PAGE_BYTES, block(page + 1, 60))
    await world.timeline.run(world.timeline.nowMs + 1_000)
    const slotBytes = SLOT_HEADER_BYTES + PAGE_BYTES
    const path = paths.segment(0)
    const chill = (page: number) =>
      world.disk.faults.cold.push({ path, from: page * slotBytes, to: (page + 1) * slotBytes })
    const read = (page: number, at: number) =>
      store.read(volumeId(1), page * PAGE_BYTES + at * BLOCK_BYTES, block(0))
    const doubt = async () => {
      for (const page of pages) await read(page, 0)
      for (const page of [4, 5]) {
        chill(page)
        expect(await read(page, 0)).toBe('done')
      }
    }
    await doubt()
    for (const page of [0, 1, 2, 3]) expect(read(page, 1)).toBeInstanceOf(Promise)
    // Nothing is cold any more: a few hundred uses later nearly all of them are believed as a whole.
    let later = 0
    for (let i = 0; i < 400; i += 1) {
      const got = read(i % 4, 2 + (i % 50))
      if (got !== 'done') later += 1
      await got
    }
    expect(later).toBeLessThan(80)
    for (const page of [0, 1, 2, 3]) expect(read(page, 59)).toBe('done')
  })

  it('HW8 what was written home and is not synced is bounded, however much a round has', async () => {
    const MIB = 1024 * 1024
    const large = { journalBytes: 32 * MIB, overlayBytes: 32 * MIB, slotsPerSegment: 16 }
    const world = new World({ ...large, homeAfterMs: 10 })
    const store = await world.open()
    for (let page = 0; page < 12; page += 1)
      await world.write(store, 1, page * PAGE_BYTES, block(page + 1, PAGE_BYTES / BLOCK_BYTES))
    const unsynced = { bytes: 0, most: 0, all: 0 }
    world.disk.faults.latencyMs = (operation, bytes) => {
      unsynced.bytes = operation === 'sync' ? 0 : unsynced.bytes + bytes
      unsynced.most = Math.max(unsynced.most, unsynced.bytes)
      unsynced.all += bytes
      return 0
    }
    await world.timeline.run(world.timeline.nowMs + 1_000)
    expect(unsynced.all).toBeGreaterThan(12 * MIB)
    expect(unsynced.most).toBeLessThan(5 * MIB)
  })

  it('counts what the disk took for its commits, and what waited for them', async () => {
    const { timeline } = new World()
    const clock = new SimClock(timeline)
    const disk = new SimDisk(clock)
    const store = await timeline.finish(PageStore.open(disk, clock, settings))
    const before = { ...store.commitWork }
    disk.faults.latencyMs = (kind) => (kind === 'writeDurable' ? 4 : 0)
    const writes = Array.from({ length: 10 }, (_, i) => store.write(write(1, i * 4096, block(i))))
    await timeline.finish(Promise.all(writes))
    const { commits, commitMs, waitedMs } = store.commitWork
    expect(commits - before.commits).toBe(1)
    expect(commitMs - before.commitMs).toBeCloseTo(4, 3)
    expect(waitedMs - before.waitedMs).toBeCloseTo(40, 3)
  })

  it('GC1 commits the writes of one turn together', async () => {
    const world = new World()
    const store = await world.open()
    let batches = 0
    world.disk.faults.fail = (kind) => {
      if (kind === 'writeDurable') batches += 1
      return null
    }
    const writes = Array.from({ length: 50 }, (_, i) => store.write(write(1, i * 4096, block(i))))
    await world.run(Promise.all(writes))
    expect(batches).toBe(1)
  })

  it('GC3 OV2 a write that finds the overlay and the ring full waits, and is not refused', async () => {
    const world = new World({ journalBytes: 200 * 512, overlayBytes: 16 * BLOCK_BYTES })
    const store = await world.open()
    const writes = Array.from({ length: 300 }, (_, i) =>
      store.write(write(1, (i % 40) * 4096, block((i % 250) + 1))),
    )
    for (const each of writes) {
      expect(await world.run(each)).toBe('done')
      expect(store.usage().overlayBytes).toBeLessThanOrEqual(16 * BLOCK_BYTES)
    }
    for (let i = 260; i < 300; i += 1) {
      expect((await world.read(store, 1, (i % 40) * 4096)).into).toEqual(block((i % 250) + 1))
    }
    expect(store.usage().journalUsedBytes).toBeLessThanOrEqual(200 * 512)
  })

  it('GC3 OV2 pages of nothing but unmapped blocks are bounded: an unmap that finds no room waits', async () => {
    const world = new World({ overlayBytes: 64 * BLOCK_BYTES })
    const most = 16
    let store = await world.open()
    const pages = Array.from({ length: 160 }, (_, page) => page * PAGE_BYTES)
    for (const at of pages) await world.write(store, 1, at, block(1, 2))
    store = await world.reopen(store)
    let pagesMost = 0
    const unmap = async (at: number, bytes: number) => {
      expect(await store.write(write(1, at, null, bytes))).toBe('done')
      pagesMost = Math.max(pagesMost, store.usage().overlayPages)
    }
    const unmaps = pages.map((at) => unmap(at, BLOCK_BYTES))
    for (let at = 0; at < 160 * PAGE_BYTES; at += RUN_BYTES) {
      unmaps.push(unmap(at + PAGE_BYTES, RUN_BYTES - PAGE_BYTES))
    }
    await world.run(Promise.all(unmaps))
    expect(pagesMost).toBeGreaterThan(most / 2)
    expect(pagesMost).toBeLessThanOrEqual(most)
    store = await world.reopen(store)
    expect(store.volumeUsages()(volumeId(1))).toMatchObject({ pages: 10, bytes: 10 * BLOCK_BYTES })
    expect((await world.read(store, 1, 0, 2 * BLOCK_BYTES)).into).toEqual(
      Uint8Array.from([...block(0), ...block(1)]),
    )
  })

  it('GC2 of overlapping writes of one turn the last one stands, now and after a restart', async () => {
    const world = new World()
    let store = await world.open()
    const values = [1, 2, 3, 4, 5, 6]
    await world.run(
      Promise.all(values.map((value) => store.write(write(1, 0, block(value, 1 + (value % 3)))))),
    )
    const expected = Uint8Array.from([...block(6), ...block(5), ...block(5)])
    expect((await world.read(store, 1, 0, 3 * BLOCK_BYTES)).into).toEqual(expected)
    store = await world.reopen(store)
    expect((await world.read(store, 1, 0, 3 * BLOCK_BYTES)).into).toEqual(expected)
  })

  it('OV1 RD2 a block is read rightly at every moment of its way home, and overwritten meanwhile', async () => {
    const world = new World({ homeAfterMs: 1 })
    const disk = new SimDisk(new SimClock(world.timeline))
    disk.faults.latencyMs = () => 3
    const opening = PageStore.open(disk, new SimClock(world.timeline), world.settings)
    const store = await world.run(opening)
    const into = block(0)
    for (let value = 1; value < 40; value += 1) {
      await world.run(store.write(write(1, 4096, block(value, 2))))
      for (let i = 0; i < value % 7; i += 1) {
        await world.timeline.run(world.timeline.nowMs + 1.7)
        expect(store.read(volumeId(1), 8192, into)).toBe('done')
        expect(into).toEqual(block(value))
      }
    }
  })

  it('a write of a whole megabyte and one across pages of a run arrive whole', async () => {
    const world = new World({ journalBytes: 8 * 1024 * 1024, overlayBytes: 4 * 1024 * 1024 })
    let store = await world.open()
    const data = new Uint8Array(PAGE_BYTES + 8192).map((_, i) => (i >> 12) + (i & 3))
    await world.write(store, 1, 4096 * 200, data)
    expect((await world.read(store, 1, 4096 * 200, data.length)).into).toEqual(data)
    store = await world.reopen(store)
    expect((await world.read(store, 1, 4096 * 200, data.length)).into).toEqual(data)
  })

  it('what a volume has written is told at once, and no differently once it is home or written over', async () => {
    const roomy = { journalBytes: 4 * 2 ** 20, overlayBytes: 2 * 2 ** 20 }
    const world = new World({ homeAfterMs: 1_000, ...roomy })
    let store = await world.open()
    const told = (volume: number) => store.volumeUsages()(volumeId(volume))
    await world.write(store, 1, 0, block(1, 3))
    await world.write(store, 1, 2 * BLOCK_BYTES, block(2, 2))
    await world.write(store, 2, PAGE_BYTES, block(3))
    const one = { pages: 1, bytes: 4 * BLOCK_BYTES, takenBytes: 5 * BLOCK_BYTES }
    const two = { pages: 1, bytes: BLOCK_BYTES, takenBytes: 2 * BLOCK_BYTES }
    expect(store.usage().bytes).toBe(0)
    expect([told(1), told(2)]).toEqual([one, two])
    await world.timeline.run(world.timeline.nowMs + 5_000)
    expect(store.usage().bytes).toBe(5 * BLOCK_BYTES)
    expect([told(1), told(2)]).toEqual([one, two])
    await world.write(store, 1, 0, block(4, 4))
    expect(told(1)).toEqual(one)
    // Nothing is known of a page that was not read since the start, but how many blocks it has.
    store = await world.reopen(store)
    await world.write(store, 2, PAGE_BYTES, block(5, 256))
    expect(told(2)).toEqual({ pages: 1, bytes: PAGE_BYTES, takenBytes: 257 * BLOCK_BYTES })
    await world.run(store.dropVolume(volumeId(1)))
    expect(told(1)).toEqual({ pages: 0, bytes: 0, takenBytes: 0 })
  })

  it('unmapped blocks read as zeros, and a page without blocks gives its slot back', async () => {
    const world = new World()
    let store = await world.open()
    await world.write(store, 1, 0, block(1, 4))
    await world.write(store, 1, PAGE_BYTES, block(2))
    store = await world.reopen(store)
    expect(store.volumeUsages()(volumeId(1))).toMatchObject({ pages: 2, bytes: 5 * BLOCK_BYTES })
    await world.run(store.write(write(1, 4096, null, 8192)))
    expect((await world.read(store, 1, 0, 4 * BLOCK_BYTES)).into).toEqual(
      Uint8Array.from([...block(1), ...block(0, 2), ...block(1)]),
    )
    await world.run(store.write(write(1, 0, null, RUN_BYTES)))
    store = await world.reopen(store)
    expect(store.volumeUsages()(volumeId(1))).toEqual({ pages: 0, bytes: 0, takenBytes: 0 })
    expect((await world.read(store, 1, PAGE_BYTES)).into).toEqual(block(0))
  })

  it('SL2 dropVolume takes all pages of one volume, and empty segments but a spare are unlinked', async () => {
    const world = new World()
    let store = await world.open()
    for (let page = 0; page < 9; page += 1) {
      await world.write(store, 1, page * PAGE_BYTES, block(page + 1))
    }
    await world.write(store, 2, 0, block(99))
    store = await world.reopen(store)
    const segments = () => world.disk.filePaths().filter((path) => path.startsWith('data/')).length
    expect(segments()).toBe(5)
    await world.run(store.dropVolume(volumeId(1)))
    expect(store.volumeUsages()(volumeId(1))).toEqual({ pages: 0, bytes: 0, takenBytes: 0 })
    await world.timeline.until(() => segments() === 2)
    store = await world.reopen(store)
    expect((await world.read(store, 1, 0)).into).toEqual(block(0))
    expect((await world.read(store, 2, 0)).into).toEqual(block(99))
    expect(store.volumes()).toEqual([2])
  })

  it('ST5 remembers an operation over a restart until it is acknowledged or its session forgotten', async () => {
    const world = new World()
    let store = await world.open()
    const first = write(1, 0, block(1))
    const second = write(1, 4096, block(2))
    expect(store.remembered(SESSION, GENERATION, SLICE, first.number)).toBe(false)
    await world.run(Promise.all([store.write(first), store.write(second)]))
    for (let pass = 0; pass < 2; pass += 1) {
      expect(store.remembered(SESSION, GENERATION, SLICE, first.number)).toBe(true)
      expect(store.remembered(SESSION, GENERATION, SLICE, second.number)).toBe(true)
      expect(store.remembered(SESSION, GENERATION, sliceId(2), second.number)).toBe(false)
      expect(store.remembered(SESSION, generation(2), SLICE, second.number)).toBe(false)
      expect(store.remembered(SESSION, GENERATION, SLICE, second.number + 1)).toBe(false)
      store = await world.reopen(store)
    }
    store.acknowledge(SESSION, GENERATION, SLICE, second.number)
    expect(store.remembered(SESSION, GENERATION, SLICE, first.number)).toBe(true)
    expect(store.rememberedSessions()).toEqual([5])
    store.forgetSession(SESSION)
    expect(store.rememberedSessions()).toEqual([])
    expect(store.remembered(SESSION, GENERATION, SLICE, first.number)).toBe(false)
  })

  it('ST7 the first error of a write ends the store: all waiting writes and later calls are refused', async () => {
    for (const kind of ['writeDurable', 'write', 'sync'] as const) {
      const world = new World()
      const store = await world.open()
      await world.write(store, 1, 0, block(1))
      let tries = 0
      world.disk.faults.fail = (operation) => {
        if (operation !== kind) return null
        tries += 1
        return new DiskError('IO', 'the medium is gone')
      }
      const writes = [1, 2].map((i) => store.write(write(1, i * 4096, block(i))))
      const settled = Promise.allSettled(writes)
      const reason = await world.run(store.failed)
      expect(reason).toMatch(/medium is gone/)
      expect(store.failure()).toBe(reason)
      const [one] = await world.run(settled)
      if (kind === 'writeDurable') {
        expect(one).toMatchObject({ status: 'rejected', reason: { name: 'StoreFailed' } })
      }
      await expect(store.write(write(1, 0, block(1)))).rejects.toBeInstanceOf(StoreFailed)
      expect(() => store.read(volumeId(1), 0, block(0))).toThrow(StoreFailed)
      await world.timeline.run(world.timeline.nowMs + 60_000)
      // Two lanes of home writing may have met the error at once.
      expect(tries).toBeLessThanOrEqual(2)
      await world.run(store.close())
    }
  })

  it('ST11 what was acknowledged with later operations is not remembered by their numbers after a cut', async () => {
    const world = new World({ homeAfterMs: 1e9 })
    const store = await world.open()
    const { session, gen, slice } = write(1, 0, block(1))
    for (let number = 1; number <= 20; number += 1) {
      const acknowledged = Math.max(0, number - 3)
      await world.run(store.write({ ...write(1, 0, block(number)), number, acknowledged }))
    }
    world.disk.crash(() => 0)
    const again = await world.open()
    for (let number = 1; number <= 20; number += 1) {
      expect(again.remembered(session, gen, slice, number)).toBe(true)
    }
    expect(again.remembered(session, gen, slice, 21)).toBe(false)
    const kept = paths.checkpoints.map((path) => {
      const head = world.disk.peek(path)
      return readU64(head, CHECKPOINT.operationBytes)
    })
    expect(kept).toContain(OPERATIONS.end + 3 * 8)
    expect(Math.max(...kept)).toBe(OPERATIONS.end + 3 * 8)
  })

  it('refuses the folder of another member, a newer format and pages without a superblock', async () => {
    const world = new World()
    const store = await world.open()
    await world.write(store, 1, 0, block(1))
    await world.run(store.close())
    await expect(world.open({ memberId: memberId('m2') })).rejects.toThrow(/belongs to member 'm1'/)
    await expect(world.open({ groupId: 'other' })).rejects.toBeInstanceOf(FolderRefused)
    for (const copy of [0, 1]) world.disk.flip(paths.superblock, (copy * 4096 + 7) * 8 + 6)
    await expect(world.open()).rejects.toThrow(
      `format ${FORMAT ^ 64}; this release knows format ${FORMAT}`,
    )
    await world.disk.remove(paths.superblock)
    await expect(world.open()).rejects.toThrow(/holds pages but no file 'super'/)
  })

  it('one damaged copy of the superblock does no harm', async () => {
    const world = new World()
    const store = await world.open()
    await world.write(store, 1, 0, block(1))
    world.disk.flip(paths.superblock, 100)
    const again = await world.reopen(store)
    expect((await world.read(again, 1, 0)).into).toEqual(block(1))
  })
})

describe('on a real disk', () => {
  it('writes, comes home, survives a restart and takes no space for a dropped volume', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'evenkeel-store-'))
    try {
      const disk = new FolderDisk(folder)
      const own = { ...settings, budgetBytes: null, homeAfterMs: 5 }
      let store = await PageStore.open(disk, new SystemClock(), own)
      const writes = Array.from({ length: 400 }, (_, i) =>
        store.write(write(1, ((i * 7919) % 4096) * 4096, block((i % 250) + 1))),
      )
      expect(new Set(await Promise.all(writes))).toEqual(new Set(['done']))
      for (let pass = 0; pass < 2; pass += 1) {
        for (let i = 0; i < 400; i += 1) {
          const into = block(0)
          expect(await store.read(volumeId(1), ((i * 7919) % 4096) * 4096, into)).toBe('done')
          expect(into).toEqual(block((i % 250) + 1))
        }
        await store.close()
        store = await PageStore.open(disk, new SystemClock(), own)
      }
      expect(store.usage().pages).toBe(16)
      await store.dropVolume(volumeId(1))
      await store.close()
      store = await PageStore.open(disk, new SystemClock(), own)
      expect(store.usage()).toMatchObject({ pages: 0, bytes: 0 })
      await store.close()
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
