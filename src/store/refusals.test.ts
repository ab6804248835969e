// What a store refuses, since its disk has no room to write home, and what waits behind that.
import { expect, it } from 'vitest'
import { block, SLICE, World, write } from '../../test/kit/store-world.ts'
import { sliceId } from '../base/ids.ts'
import { BLOCK_BYTES, PAGE_BYTES, RUN_BYTES } from '../base/sizes.ts'
import type { StoreWrite } from './record.ts'

it('GC6 what is refused takes with it all that waits behind it of its slice, also an unmap, and nothing of another one', async () => {
  const world = new World({ budgetBytes: null, journalBytes: 64 * 1024, homeAfterMs: 10 })
  const store = await world.open()
  const inAnother = (of: StoreWrite) => ({ ...of, slice: sliceId(2) })
  const kept = write(1, 0, block(1, 2))
  await world.run(store.write(kept))
  await world.run(store.write(inAnother(write(1, RUN_BYTES, block(1, 2)))))
  await world.timeline.run(world.timeline.nowMs + 100)
  world.disk.faults.capacityBytes = world.disk.storedBytes()
  let value = 1
  while ((await world.write(store, 1, 5 * PAGE_BYTES, block(value))) === 'done') value += 1
  const answers = [
    write(1, 0, block(2)),
    write(1, BLOCK_BYTES, null, BLOCK_BYTES),
    inAnother(write(1, RUN_BYTES + BLOCK_BYTES, null, BLOCK_BYTES)),
  ].map((one) => store.write(one))
  expect(await world.run(Promise.all(answers))).toEqual(['full', 'full', 'done'])
  const page = [...store.versions(SLICE)].find((one) => one.page === 0)
  expect(page?.stamp.seq).toBe(kept.seq)
  expect((await world.read(store, 1, 0, 2 * BLOCK_BYTES)).into).toEqual(block(1, 2))
})
