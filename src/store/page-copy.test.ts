// A page that one store gives and another takes.
import { describe, expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimDisk } from '../../sim/disk.ts'
import { Timeline } from '../../sim/timeline.ts'
import { block, SLICE, World, write } from '../../test/kit/store-world.ts'
import { crc32c } from '../base/crc32c.ts'
import { epoch, volumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES } from '../base/sizes.ts'
import { paths, SLOT_HEADER_BYTES } from './layout.ts'
import { type PageCopy, type PageParts, unite } from './page-copy.ts'
import type { PageStore } from './page-store.ts'

const one = volumeId(1)
const MIB = 1024 ** 2
const large = { journalBytes: 8 * MIB, overlayBytes: 4 * MIB }
const slotBytes = SLOT_HEADER_BYTES + PAGE_BYTES

async function pageOf(world: World, store: PageStore, page = 0): Promise<PageCopy> {
  const copy = await world.run(store.pageOf(one, page))
  if (copy === null || copy === 'damaged') throw new Error(`there is no copy: ${copy}`)
  return copy
}

function install(world: World, store: PageStore, copy: PageCopy, page = 0): Promise<string> {
  return world.run(store.install({ volume: one, slice: SLICE, page, ...copy }))
}

function nothing(seq: number): PageCopy {
  const empty = { present: new Uint8Array(32), blocks: new Uint8Array(0) }
  return { ...empty, checksums: new Uint32Array(0), stamp: { epoch: epoch(1), seq } }
}

/** Which blocks, and the first byte of each. */
function told({ present, blocks, checksums }: PageCopy): string {
  const there: string[] = []
  for (let index = 0; index < 256; index += 1) {
    if ((((present[index >> 3] ?? 0) >> (index & 7)) & 1) === 0) continue
    const at = there.length * BLOCK_BYTES
    expect(checksums[there.length]).toBe(crc32c(blocks.subarray(at, at + BLOCK_BYTES)))
    there.push(`${index}=${blocks[at]}`)
  }
  expect(blocks.length).toBe(there.length * BLOCK_BYTES)
  return there.join(' ')
}

const spoil = (world: World, path: string, byte: number) => world.disk.flip(path, byte * 8)
const pass = (world: World) => world.timeline.run(world.timeline.nowMs + 3_000)

/** A store that has other blocks of the page, with a higher stamp. */
async function prepared(
  world: World,
  how: 'nothing' | 'overlay' | 'homing' | 'home' | 'damaged' | 'tombstone',
): Promise<PageStore> {
  const store = await world.open()
  if (how === 'nothing') return store
  await world.write(store, 1, 50 * BLOCK_BYTES, block(5, 60))
  if (how === 'homing') {
    world.disk.faults.latencyMs = (kind) => (kind === 'write' ? 1_000 : 0)
    await world.timeline.run(world.timeline.nowMs + 1_500)
  }
  if (how === 'home' || how === 'damaged') await pass(world)
  if (how === 'tombstone') await world.run(store.write(write(1, 0, null, PAGE_BYTES)))
  if (how !== 'damaged') return store
  for (const at of [0, 2048]) spoil(world, paths.segment(0), at + 100)
  const again = await world.reopen(store)
  expect(await world.run(again.pageOf(one, 0))).toBe('damaged')
  return again
}

describe('a copy of a page', () => {
  it('PC1 has what is at home, on its way there and in the journal alone, without what was unmapped', async () => {
    const world = new World(large)
    let store = await world.open()
    await world.write(store, 1, 0, block(1, 4))
    await world.write(store, 1, 200 * BLOCK_BYTES, block(2))
    await pass(world)
    await world.write(store, 1, BLOCK_BYTES, block(3))
    const last = write(1, 2 * BLOCK_BYTES, null, BLOCK_BYTES)
    await world.run(store.write(last))
    for (const state of ['overlay', 'home', 'restarted']) {
      const copy = await pageOf(world, store)
      expect(told(copy), state).toBe('0=1 1=3 3=1 200=2')
      expect(copy.stamp).toEqual({ epoch: 1, seq: last.seq })
      if (state === 'overlay') await pass(world)
      if (state === 'home') store = await world.reopen(store)
    }
    expect(await world.run(store.pageOf(one, 1))).toBeNull()
    const unmap = write(1, 0, null, PAGE_BYTES)
    await world.run(store.write(unmap))
    const gone = await pageOf(world, store)
    expect([told(gone), gone.stamp.seq]).toEqual(['', unmap.seq])
  })

  it('PC1 is of one instant, whatever is written meanwhile', async () => {
    const timeline = new Timeline()
    const disk = new SimDisk(new SimClock(timeline))
    const world = new World({ ...large, homeAfterMs: 3, cacheBytes: 0 }, disk, timeline)
    world.disk.faults.latencyMs = (kind) => (kind === 'read' ? 0.7 : 0.3)
    const store = await world.open()
    const clock = new SimClock(world.timeline)
    const values = new Map<number, number>()
    let isOver = false
    const writing = async () => {
      for (let value = 1; value <= 60; value += 1) {
        const change = write(1, (value % 2) * BLOCK_BYTES, block(value))
        values.set(change.seq, value)
        await store.write(change)
      }
      isOver = true
    }
    const reading = async () => {
      let copies = 0
      while (!isOver) {
        await new Promise<void>((resolve) => {
          clock.after(0.1, resolve)
        })
        const copy = await store.pageOf(one, 0)
        if (copy === null || copy === 'damaged') continue
        const value = values.get(copy.stamp.seq) ?? 0
        told(copy)
        expect(Math.max(copy.blocks[0] ?? 0, copy.blocks[BLOCK_BYTES] ?? 0)).toBe(value)
        copies += 1
      }
      return copies
    }
    const [, copies] = await world.run(Promise.all([writing(), reading()]))
    expect(copies).toBeGreaterThan(10)
  })

  it('PC2 is refused as damaged if a block is, if it is lost, or if its header is', async () => {
    const world = new World(large)
    let store = await world.open()
    for (const page of [0, 1]) await world.write(store, 1, page * PAGE_BYTES, block(1, 4))
    store = await world.reopen(store)
    const segment = paths.segment(0)
    spoil(world, segment, SLOT_HEADER_BYTES + 2 * BLOCK_BYTES)
    expect(await world.run(store.pageOf(one, 0))).toBe('damaged')
    expect(store.damagedPages()).toEqual([{ volume: one, page: 0 }])
    expect(told(await pageOf(world, store, 1))).toBe('0=1 1=1 2=1 3=1')
    store = await world.reopen(store)
    spoil(world, segment, slotBytes + 200)
    spoil(world, segment, slotBytes + 2048 + 200)
    expect(await world.run(store.pageOf(one, 1))).toBe('damaged')
  })
})

describe('parts of a page', () => {
  async function rotten(blocks: readonly number[]) {
    const world = new World(large)
    let store = await world.open()
    await world.write(store, 1, 0, block(1, 4))
    await world.write(store, 1, 200 * BLOCK_BYTES, block(2))
    store = await world.reopen(store)
    for (const at of blocks) spoil(world, paths.segment(0), SLOT_HEADER_BYTES + at * BLOCK_BYTES)
    const parts = await world.run(store.partsOf(one, 0))
    if (parts === null || parts === 'damaged') throw new Error(`no parts: ${parts}`)
    return { world, store, parts }
  }
  const lostOf = ({ lost }: PageParts) =>
    Array.from({ length: 256 }, (_, at) => at).filter(
      (at) => (((lost?.[at >> 3] ?? 0) >> (at & 7)) & 1) === 1,
    )

  it('PC2 are what is good of it, and say which blocks are lost', async () => {
    const { world, store, parts } = await rotten([1, 200])
    expect([told(parts), lostOf(parts)]).toEqual(['0=1 2=1 3=1', [1, 200]])
    expect(await world.run(store.pageOf(one, 0))).toBe('damaged')
    for (const copy of [0, 2048]) spoil(world, paths.segment(0), copy + 200)
    const again = await world.reopen(store)
    await world.write(again, 1, 5 * BLOCK_BYTES, block(9))
    const left = await world.run(again.partsOf(one, 0))
    if (left === null || left === 'damaged') return expect.unreachable('one block is good')
    expect([told(left), lostOf(left).length]).toEqual(['5=9', 255])
  })

  it('PC3 are united by block, if they have the same stamp and no other', async () => {
    const { parts: first } = await rotten([1, 200])
    const { parts: second } = await rotten([0, 200])
    const stamp = first.stamp
    const other = { ...second, stamp }
    for (const both of [unite(first, other), unite(other, first)])
      expect([told(both), lostOf(both), both.stamp]).toEqual(['0=1 1=1 2=1 3=1', [200], stamp])
    const { parts: third } = await rotten([3])
    const all = unite(unite(first, other), { ...third, stamp })
    expect([told(all), all.lost]).toEqual(['0=1 1=1 2=1 3=1 200=2', null])
    const newer = { ...second, stamp: { ...stamp, seq: stamp.seq + 1 } }
    expect(() => unite(first, newer)).toThrow('PC3')
  })
})

describe('a page that is installed', () => {
  it.each(['nothing', 'overlay', 'homing', 'home', 'damaged', 'tombstone'] as const)(
    'PG7 is exactly as it was given, whatever was there: %s',
    async (before) => {
      const from = new World(large)
      const source = await from.open()
      await from.write(source, 1, 0, block(7, 3))
      await from.write(source, 1, 100 * BLOCK_BYTES, block(8, 100))
      const copy = await pageOf(from, source)
      const timeline = new Timeline()
      const disk = new SimDisk(new SimClock(timeline))
      const world = new World(large, disk, timeline)
      let store = await prepared(world, before)
      expect(store.stampOf(one, 0)?.seq ?? Number.POSITIVE_INFINITY).toBeGreaterThan(copy.stamp.seq)
      expect(await install(world, store, copy)).toBe('done')
      for (const state of ['overlay', 'cut', 'home', 'restarted']) {
        const got = await pageOf(world, store)
        expect([told(got), got.stamp], state).toEqual([told(copy), copy.stamp])
        if (state === 'overlay') {
          store = await world.cut()
        }
        if (state === 'cut') await pass(world)
        if (state === 'home') store = await world.reopen(store)
      }
      const later = write(1, BLOCK_BYTES, block(9))
      await world.run(store.write(later))
      expect(store.stampOf(one, 0)).toEqual({ epoch: 1, seq: later.seq })
    },
  )

  it('PG7 without blocks leaves a tombstone of that stamp, and with no stamp nothing', async () => {
    const world = new World()
    let store = await world.open()
    await world.write(store, 1, 0, block(1))
    await pass(world)
    expect(await install(world, store, nothing(1))).toBe('done')
    expect([store.isTombstone(one, 0), store.stampOf(one, 0)?.seq]).toEqual([true, 1])
    store = await world.reopen(store)
    expect([store.isTombstone(one, 0), store.stampOf(one, 0)?.seq]).toEqual([true, 1])
    const never = { ...nothing(0), stamp: { epoch: epoch(0), seq: 0 } }
    expect(await install(world, store, never)).toBe('done')
    expect(store.stampOf(one, 0)).toBeNull()
    store = await world.reopen(store)
    expect(store.stampOf(one, 0)).toBeNull()
    expect([...store.versions(SLICE)]).toEqual([])
  })

  it('PG7 LP1 is lost no more', async () => {
    const held = [{ volume: one, pages: 2, held: 2 }]
    const world = new World()
    await world.run((await world.open()).close())
    spoil(world, paths.checkpoints[0], 0)
    spoil(world, paths.checkpoints[1], 0)
    let store = await world.open({ accept: 'loss', newFolderId: 'other', volumesHeld: held })
    expect(await world.run(store.pageOf(one, 0))).toBe('damaged')
    expect(await install(world, store, nothing(3))).toBe('done')
    for (let pass = 0; pass < 2; pass += 1) {
      expect(told(await pageOf(world, store))).toBe('')
      expect(await world.read(store, 1, 0)).toEqual({ result: 'done', into: block(0) })
      expect(await world.run(store.pageOf(one, 1))).toBe('damaged')
      store = await world.cut()
    }
  })

  it('PG7 under its own stamp mends a page of which a block has rotted, also through a cut', async () => {
    const world = new World()
    let store = await world.open()
    await world.write(store, 1, 0, block(1, 3))
    const good = await pageOf(world, store)
    store = await world.reopen(store)
    spoil(world, 'data/000000', SLOT_HEADER_BYTES + BLOCK_BYTES)
    expect(await world.run(store.pageOf(one, 0))).toBe('damaged')
    expect((await world.read(store, 1, BLOCK_BYTES)).result).toBe('damaged')
    expect(await install(world, store, good)).toBe('done')
    expect(store.damagedPages()).toEqual([])
    for (let life = 0; life < 3; life += 1) {
      expect(told(await pageOf(world, store))).toBe(told(good))
      expect((await world.read(store, 1, BLOCK_BYTES)).result).toBe('done')
      store = life === 0 ? await world.cut() : await world.reopen(store)
    }
  })

  it('RO6 needs its whole room, and may take it from the reserve if the page is at home here', async () => {
    const budget = { budgetBytes: 100 * BLOCK_BYTES, fullAt: 0.8, homeAfterMs: 10 }
    const world = new World(budget)
    const store = await world.open()
    await world.write(store, 1, 0, block(1, 30))
    await pass(world)
    const copy = await pageOf(world, store)
    await world.write(store, 1, PAGE_BYTES, block(2, 25))
    expect(await install(world, store, copy, 2)).toBe('full')
    expect(await install(world, store, copy)).toBe('done')
    expect(store.usage().takenBytes).toBeGreaterThan(80 * BLOCK_BYTES)
    expect(await install(world, store, copy)).toBe('full')
    expect(await install(world, store, nothing(9))).toBe('done')
    expect(await world.run(store.makeRoom())).toBe(true)
    expect(await install(world, store, copy)).toBe('done')
    expect(told(await pageOf(world, store))).toBe(told(copy))
  })
})
