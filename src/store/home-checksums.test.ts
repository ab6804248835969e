import { expect, it } from 'vitest'
import { block, World, write } from '../../test/kit/store-world.ts'
import { crc32c } from '../base/crc32c.ts'
import { volumeId } from '../base/ids.ts'
import { BLOCK_BYTES } from '../base/sizes.ts'

it('HS1 the checksums of what is at home are given with a read, of anything else none are', async () => {
  const world = new World()
  const store = await world.open()
  const id = volumeId(1)
  const bytes = 3 * BLOCK_BYTES
  for (let at = 0; at < 3; at += 1)
    expect(await world.run(store.write(write(1, at * BLOCK_BYTES, block(at + 1))))).toBe('done')
  expect(store.checksums(id, 0, bytes)).toBeNull()
  await world.run(store.close())
  const again = await world.open()
  const { into, result } = await world.read(again, 1, 0, bytes)
  expect(result).toBe('done')
  const sums = [0, 1, 2].map((at) =>
    crc32c(into.subarray(at * BLOCK_BYTES, (at + 1) * BLOCK_BYTES)),
  )
  expect(again.checksums(id, 0, bytes)).toEqual(Uint32Array.from(sums))
  expect(again.checksums(id, BLOCK_BYTES, BLOCK_BYTES)).toEqual(Uint32Array.of(sums[1] ?? 0))
  expect(again.checksums(id, 512, BLOCK_BYTES)).toBeNull()
  expect(again.checksums(id, 0, bytes + BLOCK_BYTES)).toBeNull()
  expect(again.checksums(volumeId(2), 0, BLOCK_BYTES)).toBeNull()
  expect(await world.run(again.write(write(1, BLOCK_BYTES, block(9))))).toBe('done')
  expect(again.checksums(id, 0, BLOCK_BYTES)).toBeNull()
})
