import { expect, it } from 'vitest'
import { BLOCK_BYTES, PAGE_BYTES } from '../base/sizes.ts'
import { block, World } from '../store/store.fixture.ts'
import { BlockOrder } from './block-order.ts'
import { MutationTurn } from './mutation-turn.ts'
import type { CompareOutcome } from './outcome.ts'

const BLOCKS = 24

it('M2 a write has the room that an unmap before it has made, and is refused when there is none', async () => {
  const budget = { budgetBytes: 100 * BLOCK_BYTES, fullAt: 0.8, homeAfterMs: 60_000 }
  const world = new World(budget)
  const store = await world.reopen(await filled(world))
  const order = new BlockOrder()
  let sliceSeq = 10
  const mutate = (page: number, data: Uint8Array | null): Promise<CompareOutcome> => {
    sliceSeq += 1
    const turn = new MutationTurn(
      store,
      order,
      {
        origin: { sessionId: 1, gen: 1 },
        volume: 1,
        slice: 1,
        offset: page * PAGE_BYTES,
        bytes: data?.length ?? PAGE_BYTES,
        data,
        verify: null,
        operation: 0,
        acknowledged: 0,
      },
      { epoch: 1, sliceSeq },
    )
    order.enter(turn)
    return world.run(turn.outcome)
  }
  expect(await mutate(3, block(7, BLOCKS))).toBe('full')
  expect(await mutate(0, null)).toBe('done')
  expect(await mutate(3, block(7, BLOCKS))).toBe('done')
  expect((await world.read(store, 1, 3 * PAGE_BYTES)).into).toEqual(block(7))
  expect(await mutate(4, block(8, BLOCKS))).toBe('full')
  expect(order.isIdle).toBe(true)
})

async function filled(world: World) {
  const store = await world.open()
  for (let page = 0; page < 3; page += 1)
    expect(await world.write(store, 1, page * PAGE_BYTES, block(page + 1, BLOCKS))).toBe('done')
  return store
}
