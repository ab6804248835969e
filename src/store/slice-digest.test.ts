// What two members compare of a slice, and the operations that one takes from another.
import { describe, expect, it } from 'vitest'
import { block, GENERATION, SESSION, SLICE, World, write } from '../../test/kit/store-world.ts'
import { epoch, generation, sessionId, sliceId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES, RUN_BYTES } from '../base/sizes.ts'
import { lookAtStore } from './look.ts'
import type { PageStore } from './page-store.ts'
import type { StoreWrite } from './record.ts'
import { digestOf, haveSamePages } from './slice-digest.ts'

const OTHER = sliceId(2)

function put(world: World, store: PageStore, seq: number, where: Partial<StoreWrite> = {}) {
  const change = { ...write(1, 0, block(seq)), epoch: epoch(2), seq, number: seq, ...where }
  return world.run(store.write(change))
}

function unmap(world: World, store: PageStore, seq: number, offset: number) {
  const change = { ...write(1, offset, null, PAGE_BYTES), epoch: epoch(2), seq, number: seq }
  return world.run(store.write(change))
}

const digest = (store: PageStore, slice = SLICE) =>
  digestOf(store.versions(slice), store.operationsOf(slice))

describe('the digest of a slice', () => {
  it('SD1 is the same whatever came first, is home or was read from a checkpoint; SD2 any other page or stamp is another', async () => {
    const [a, b] = [new World(), new World()]
    let [one, two] = [await a.open(), await b.open()]
    const pages = [1, 2, 3, 40, 90]
    for (const page of pages) await put(a, one, page, { offset: page * PAGE_BYTES })
    for (const page of pages.toReversed()) await put(b, two, page, { offset: page * PAGE_BYTES })
    await put(a, one, 7, { slice: OTHER, offset: 9 * RUN_BYTES })
    expect(digest(one)).toEqual(digest(two))
    one = await a.reopen(one)
    const before = digest(one)
    expect(before).toEqual(digest(two))
    expect(digest(one, OTHER)).not.toEqual(digest(two, OTHER))
    const seen = new Set([before.all])
    for (const [seq, page] of [
      [100, 1],
      [101, 4],
      [102, 4],
      [2 ** 33 + 102, 4],
    ] as const) {
      await put(a, one, seq, { offset: page * PAGE_BYTES })
      expect(haveSamePages(digest(one), before)).toBe(false)
      seen.add(digest(one).all)
      expect(seen.has(digest(two).all)).toBe(true)
    }
    expect(seen.size).toBe(5)
    two = await b.reopen(two)
    expect(digest(two)).toEqual(before)
  })

  it('SD2 SI1 who has folded tombstones has the same pages as who has not; who has not had the unmap has not', async () => {
    const [a, b] = [new World({ tombstoneRuns: 0 }), new World()]
    const [one, two] = [await a.open(), await b.open()]
    for (const [world, store] of [
      [a, one],
      [b, two],
    ] as const) {
      await put(world, store, 1)
      await put(world, store, 2, { offset: RUN_BYTES })
    }
    await unmap(a, one, 3, RUN_BYTES)
    expect(one.foldedOf(SLICE)?.seq).toBe(3)
    expect(haveSamePages(digest(one), digest(two))).toBe(false)
    await unmap(b, two, 3, RUN_BYTES)
    expect(digest(one).all).not.toBe(digest(two).all)
    expect(haveSamePages(digest(one), digest(two))).toBe(true)
  })

  it('SD2 tells operations: what is remembered, and up to where it is acknowledged', async () => {
    const world = new World()
    const store = await world.open()
    await put(world, store, 5)
    const first = digest(store).operations
    await put(world, store, 6)
    const second = digest(store).operations
    store.acknowledge(SESSION, GENERATION, SLICE, 5)
    const third = digest(store).operations
    expect(new Set([first, second, third]).size).toBe(3)
  })
})

describe('operations of another member', () => {
  it('ST12 are united with what is known, through a cut and a restart: the highest generation, the furthest acknowledged', async () => {
    const world = new World()
    let store = await world.open()
    await put(world, store, 5)
    await put(world, store, 9)
    const own = { session: SESSION, gen: GENERATION, upTo: 0, numbers: [5, 9] }
    expect(store.operationsOf(SLICE)).toEqual([own])
    const [second, third] = [sessionId(8), sessionId(800)]
    const others = [
      { session: SESSION, gen: GENERATION, upTo: 5, numbers: [7, 9] },
      { session: second, gen: generation(4), upTo: 0, numbers: [1] },
      { session: third, gen: generation(1), upTo: 2, numbers: [] },
    ]
    expect(await world.run(store.adopt(SLICE, others))).toBe('done')
    const older = { session: second, gen: generation(3), upTo: 9, numbers: [11] }
    expect(await world.run(store.adopt(SLICE, [older]))).toBe('done')
    expect((await world.run(lookAtStore(world.disk)))?.session).toBe(third)
    const united = [
      { session: SESSION, gen: GENERATION, upTo: 5, numbers: [9, 7] },
      { session: second, gen: generation(4), upTo: 0, numbers: [1] },
      { session: third, gen: generation(1), upTo: 2, numbers: [] },
    ]
    const sorted = () =>
      store.operationsOf(SLICE).map((known) => ({ ...known, numbers: known.numbers.toSorted() }))
    for (const next of ['cut', 'restart', 'end']) {
      expect(sorted()).toEqual(united.map((all) => ({ ...all, numbers: all.numbers.toSorted() })))
      expect(store.operationsOf(OTHER)).toEqual([])
      expect(store.remembered(second, generation(4), SLICE, 1)).toBe(true)
      if (next === 'cut') store = await world.cut()
      if (next === 'restart') store = await world.reopen(store)
    }
  })

  it('ST12 take the place of what is known if they are to, through a cut', async () => {
    const world = new World()
    let store = await world.open()
    await put(world, store, 5)
    const theirs = [{ session: sessionId(8), gen: generation(4), upTo: 0, numbers: [1] }]
    expect(await world.run(store.adopt(SLICE, theirs, true))).toBe('done')
    for (let pass = 0; pass < 2; pass += 1) {
      expect(store.operationsOf(SLICE)).toEqual(theirs)
      store = await world.cut()
    }
    expect(await world.run(store.adopt(SLICE, [], true))).toBe('done')
    store = await world.cut()
    expect(store.operationsOf(SLICE)).toEqual([])
  })

  it('ST12 however many they are, what becomes durable at once is bounded', async () => {
    const world = new World({ journalBytes: 128 * 1024 })
    let store = await world.open()
    const numbers = Array.from({ length: 9_000 }, (_, i) => 3 * i + 1)
    const windows = [1, 2, 3].map((session) => ({
      ...{ session: sessionId(session), gen: GENERATION, upTo: 0, numbers },
    }))
    let most = 0
    world.disk.faults.latencyMs = (kind, bytes) => {
      if (kind === 'writeDurable') most = Math.max(most, bytes)
      return 0
    }
    expect(await world.run(store.adopt(SLICE, windows))).toBe('done')
    expect(most).toBeLessThanOrEqual(9 * BLOCK_BYTES)
    for (let pass = 0; pass < 2; pass += 1) {
      const known = store.operationsOf(SLICE)
      expect(known.map(({ session }) => session)).toEqual([1, 2, 3])
      for (const window of known) expect(window.numbers).toHaveLength(9_000)
      store = await world.cut()
    }
  })
})
