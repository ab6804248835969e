// What a gateway reads in the call, so that it can go straight to where it is sent.
import { expect, it } from 'vitest'
import { VolumeGroup } from '../../test/kit/volume-group.ts'
import { memberId } from '../base/ids.ts'
import { RUN_BYTES } from '../base/sizes.ts'
import { SessionCounters } from '../load/counters.ts'

it('what is asked to be read now is here, in one run, and no write of it is under way; else nothing is begun', async () => {
  const world = await VolumeGroup.found(5)
  const session = await world.finish(world.login(memberId('a')))
  const { gateway } = world.member(memberId('a'))
  const origin = { session: session.sessionId, gen: session.gen }
  const mine = new SessionCounters()
  const now = (offset: number, bytes = 4096) =>
    gateway.readNow(origin, world.volume, offset, new Uint8Array(bytes), mine)
  const often = (offset: number, bytes?: number) =>
    new Set(Array.from({ length: 50 }, () => now(offset, bytes)))
  expect(often(RUN_BYTES)).toEqual(new Set(['later'])) // at b
  expect(often(RUN_BYTES - 4096, 8192)).toEqual(new Set(['later']))
  const own = gateway.primaryIndex(memberId('a'))
  expect(mine.piecesByPrimary[own] ?? 0).toBe(0)
  expect(often(0)).toEqual(new Set(['done', 'later']))
  expect(mine.piecesByPrimary[own]).toBeGreaterThan(0)
  const data = new Uint8Array(4096).fill(5)
  const written = gateway.write(origin, world.volume, 0, data, mine)
  expect(often(0)).toEqual(new Set(['later']))
  expect(often(4096)).toEqual(new Set(['done', 'later']))
  await world.finish(Promise.resolve(written))
  expect(often(0)).toEqual(new Set(['done', 'later']))
  gateway.endSession(session.sessionId, session.gen)
  expect(now(0)).toBe('refused')
  expect(gateway.waiting).toBe(0)
})
