import { expect, it } from 'vitest'
import { type MemberId, sliceId } from '../base/ids.ts'
import { a, BLOCK, b, c, counters, group, other, served, write } from './copies.fixture.ts'

it('what copies do is counted at the primary and at them, and a gateway has forwarded no more than without them', async () => {
  const { world, session } = await group(1)
  const record = await served(world, sliceId(0))
  const copy = other(record)
  const gateway = [a, b, c].find((one) => one !== a && one !== copy) ?? c
  const numbers = world.member(gateway).gateway
  const before = counters.piecesByPrimary.slice()
  for (const value of [1, 2, 3])
    expect(await world.finish(write(world, session, gateway, value))).toBe('done')
  const pieces = (at: MemberId) => {
    const number = numbers.primaryIndex(at)
    return (counters.piecesByPrimary[number] ?? 0) - (before[number] ?? 0)
  }
  expect([a, copy, gateway].map(pieces)).toEqual([3, 0, 0])
  const work = (at: MemberId) => world.member(at).slices.copyWork
  expect(work(a)).toMatchObject({ copiedPieces: 3, copiedBytes: 3 * BLOCK, keptPieces: 0 })
  expect(work(copy)).toMatchObject({ copiedPieces: 0, keptPieces: 3, keptBytes: 3 * BLOCK })
  expect(work(gateway)).toMatchObject({ copiedPieces: 0, keptPieces: 0 })
})
