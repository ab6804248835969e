import { expect, it } from 'vitest'
import { block, World, write } from '../../test/kit/store-world.ts'
import { epoch, generation, sessionId, sliceId, volumeId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES, RUN_BYTES } from '../base/sizes.ts'
import { checksumsOf } from '../peer/frames.ts'
import { PageStore } from '../store/page-store.ts'
import { BlockOrder } from './block-order.ts'
import { sliceAt } from './lanes.ts'
import { MutationTurn, type Remembered } from './mutation-turn.ts'
import type { CompareOutcome, Stale } from './outcome.ts'
import { OperationWindow } from './session-marks.ts'

const BLOCKS = 24
const SLICE = sliceId(1)
const STRIPED = { id: volumeId(1), lanes: [SLICE, sliceId(2)] }

/** One turn after the other, on slice 1 of volume 1. */
class Turns {
  readonly #world: World
  readonly #store: PageStore
  readonly order = new BlockOrder()
  readonly #window = new OperationWindow<Remembered>()
  /** Numbers of the slice. */
  given = 0

  constructor(world: World, store: PageStore) {
    this.#world = world
    this.#store = store
  }

  run(
    offset: number,
    data: Uint8Array | null,
    bytes = data?.length ?? 0,
    number = 0,
    checksums: Uint32Array | null = null,
  ): Promise<CompareOutcome | Stale> {
    const extent = { volume: volumeId(1), slice: SLICE, offset, bytes }
    const turn = new MutationTurn(
      {
        ...extent,
        session: sessionId(1),
        gen: generation(1),
        number,
        acknowledged: 0,
        seq: 0,
        data,
        checksums,
        verify: null,
      },
      {
        primary: {
          store: this.#store,
          order: this.order,
          epoch: epoch(1),
          isOver: false,
          readOwn: (...read) => this.#store.read(...read),
          mustWait: () => false,
          whenMayWrite: () => {},
          isCurrent: true,
          whenCurrent: () => {},
          nextSeq: () => ++this.given + 10,
          write: (write, room) => this.#store.write(write, room),
        },
        window: this.#window,
        striped: STRIPED,
      },
    )
    this.order.enter(turn)
    return this.#world.run(turn.outcome)
  }
}

it('M2 a write has the room that an unmap before it has made, and is refused when there is none', async () => {
  const budget = { budgetBytes: 100 * BLOCK_BYTES, fullAt: 0.8, homeAfterMs: 60_000 }
  const world = new World(budget)
  const store = await world.reopen(await filled(world))
  const turns = new Turns(world, store)
  expect(await turns.run(3 * PAGE_BYTES, block(7, BLOCKS))).toBe('full')
  expect(await turns.run(0, null, PAGE_BYTES)).toBe('done')
  expect(await turns.run(3 * PAGE_BYTES, block(7, BLOCKS))).toBe('done')
  expect((await world.read(store, 1, 3 * PAGE_BYTES)).into).toEqual(block(7))
  expect(await turns.run(4 * PAGE_BYTES, block(8, BLOCKS))).toBe('full')
  expect(turns.order.isIdle).toBe(true)
})

/** GC6 of store/commit-queue.ts: as if a write without room stood before all that comes until room is asked for. */
function refuseAtFirst(store: PageStore): void {
  const { write: take, makeRoom } = PageStore.prototype
  store.write = () => Promise.resolve('full')
  store.makeRoom = () => {
    store.write = take
    return makeRoom.call(store)
  }
}

it('M2 an unmap that is refused with a write before it is carried out after that', async () => {
  const world = new World()
  const store = await world.open()
  const turns = new Turns(world, store)
  expect(await turns.run(0, block(7, 2))).toBe('done')
  refuseAtFirst(store)
  expect(await turns.run(0, null, BLOCK_BYTES)).toBe('done')
  expect((await world.read(store, 1, 0, 2 * BLOCK_BYTES)).into).toEqual(
    new Uint8Array([...block(0), ...block(7)]),
  )
})

it('M5 a write that there is no room for takes no number of its slice', async () => {
  const world = new World({ budgetBytes: 100 * BLOCK_BYTES, fullAt: 0.8, homeAfterMs: 60_000 })
  const turns = new Turns(world, await world.reopen(await filled(world)))
  expect(await turns.run(3 * PAGE_BYTES, block(7, BLOCKS))).toBe('full')
  expect(turns.given).toBe(0)
  expect(await turns.run(0, null, PAGE_BYTES)).toBe('done')
  expect(await turns.run(3 * PAGE_BYTES, block(7, BLOCKS))).toBe('done')
  expect(turns.given).toBe(2)
})

it('M1 an unmap makes no block: it writes over what is left of one, and unmaps the rest', async () => {
  const world = new World()
  const store = await world.open()
  const turns = new Turns(world, store)
  const held = async () => {
    const question = {
      volume: volumeId(1),
      slices: new Set([SLICE]),
      from: 0,
      to: PAGE_BYTES,
      most: 9,
    }
    return (await world.run(store.held(question))).extents
  }
  expect(await turns.run(512, null, 3 * BLOCK_BYTES)).toBe('done')
  expect(await held()).toEqual([])
  expect(await turns.run(0, block(5, 4))).toBe('done')
  expect(await turns.run(512, null, 3 * BLOCK_BYTES - 512)).toBe('done')
  expect(await held()).toEqual([
    [0, BLOCK_BYTES],
    [3 * BLOCK_BYTES, 4 * BLOCK_BYTES],
  ])
  expect((await world.read(store, 1, 0)).into).toEqual(new Uint8Array(BLOCK_BYTES).fill(5, 0, 512))
  expect(await turns.run(0, null, 512)).toBe('done')
  expect(await held()).toEqual([[3 * BLOCK_BYTES, 4 * BLOCK_BYTES]])
})

it('M4 checksums that came with a write are recorded as they came, but of blocks that are put together here', async () => {
  const world = new World()
  const store = await world.open()
  const turns = new Turns(world, store)
  const data = new Uint8Array(3 * BLOCK_BYTES).fill(6)
  const came = checksumsOf(data, 512)
  expect(await turns.run(512, data, data.length, 1, came)).toBe('done')
  const { into } = await world.read(store, 1, 0, 4 * BLOCK_BYTES)
  expect(into.subarray(512, 512 + data.length)).toEqual(data)
  await world.run(store.close())
  // Of the bytes as they entered, not as they were written: what flipped between is found by who reads it.
  const again = await world.open()
  const more = new Turns(world, again)
  const flipped = new Uint8Array(2 * BLOCK_BYTES).fill(5)
  const sums = checksumsOf(flipped, 0)
  flipped[BLOCK_BYTES + 9] = 4
  expect(await more.run(8 * BLOCK_BYTES, flipped, flipped.length, 2, sums)).toBe('done')
  await world.run(again.close())
  const last = await world.open()
  expect((await world.read(last, 1, 8 * BLOCK_BYTES)).result).toBe('done')
  expect((await world.read(last, 1, 9 * BLOCK_BYTES)).result).toBe('damaged')
  expect((await world.read(last, 1, 0, 4 * BLOCK_BYTES)).into).toEqual(into)
})

it('M3 an unmap ends the losses of all runs of its slice, and of no other, also where it takes a part of a block', async () => {
  const runs = 8
  const world = new World()
  const first = await world.open()
  const known = { folderId: 'another', position: 0, openAs: null, epochs: new Map() }
  await world.run(first.close())
  const volumesHeld = [{ volume: volumeId(1), pages: runs * 16, held: runs * 16 }]
  const store = await world.open({ known, accept: 'loss', volumesHeld, newFolderId: 'new' })
  const own = Array.from({ length: runs }, (_, run) => run).filter(
    (run) => sliceAt(STRIPED, run * RUN_BYTES) === SLICE,
  )
  const from = (own[0] ?? 0) * RUN_BYTES
  const end = ((own.at(-1) ?? 0) + 1) * RUN_BYTES
  // A block is there at each end, of which the unmap takes the half.
  const half = BLOCK_BYTES / 2
  for (const at of [from, end - BLOCK_BYTES])
    expect(await world.run(store.write(write(1, at, block(9))))).toBe('done')
  const turns = new Turns(world, store)
  expect(own.length).toBeGreaterThan(2)
  refuseAtFirst(store)
  expect(await turns.run(from + half, null, end - from - BLOCK_BYTES, 5)).toBe('done')
  expect(store.remembered(sessionId(1), generation(1), SLICE, 5)).toBe(true)
  const check = async (opened: PageStore) => {
    for (let run = 0; run < runs; run += 1) {
      const at = run * RUN_BYTES + PAGE_BYTES
      const found = await world.read(opened, 1, at)
      if (own.includes(run)) expect(found).toEqual({ result: 'done', into: block(0) })
      else expect(found.result).toBe('damaged')
    }
    const head = new Uint8Array(BLOCK_BYTES).fill(9, 0, half)
    expect((await world.read(opened, 1, from)).into).toEqual(head)
    expect((await world.read(opened, 1, end - BLOCK_BYTES)).into).toEqual(head.toReversed())
  }
  await check(store)
  await check(await world.reopen(store))
})

async function filled(world: World): Promise<PageStore> {
  const store = await world.open()
  for (let page = 0; page < 3; page += 1)
    expect(await world.write(store, 1, page * PAGE_BYTES, block(page + 1, BLOCKS))).toBe('done')
  return store
}
