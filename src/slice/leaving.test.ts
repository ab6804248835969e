// A member that leaves while others write through it and around it.
import { describe, expect, it } from 'vitest'
import type { VolumeGroup } from '../../test/kit/volume-group.ts'
import { sleep } from '../base/clock.ts'
import { type MemberId, sliceId } from '../base/ids.ts'
import { RUN_BYTES } from '../base/sizes.ts'
import type { SliceRecord } from '../group/record.ts'
import { a, b, c, group, read, recordOf, served, write } from './copies.fixture.ts'
import type { Leave } from './leaving.ts'

const slices = [0, 1, 2].map(sliceId)
const everybody: Leave = { isOver: () => false, goesOn: () => true }

const records = (world: VolumeGroup) => slices.map((slice) => recordOf(world, slice))
const has = (member: MemberId) => (record: SliceRecord) => record.inSync.includes(member)

/** The longest that a write of any slice takes at `at` meanwhile. */
async function longestDuring(
  scene: Awaited<ReturnType<typeof group>>,
  at: MemberId,
  f: () => Promise<unknown>,
) {
  const { world, session } = scene
  let isOver = false
  let longestMs = 0
  const writing = slices.map(async (slice) => {
    for (let i = 0; !isOver; i += 1) {
      const sinceMs = world.timeline.nowMs
      expect(await write(world, session, at, i % 200, slice * RUN_BYTES)).toBe('done')
      longestMs = Math.max(longestMs, world.timeline.nowMs - sinceMs)
      await sleep(world.clock, 5)
    }
  })
  await world.finish(f())
  isOver = true
  await world.finish(Promise.all(writing))
  return longestMs
}

describe('a member that leaves', () => {
  it('LV1, LV2 is primary of nothing and in sync nowhere, and nobody waits for it when it is gone', async () => {
    const scene = await group(31)
    const { world, session } = scene
    for (const slice of slices) await served(world, slice)
    expect(records(world).some(({ primary }) => primary === a)).toBe(true)
    expect(records(world).some((record) => record.primary !== a && has(a)(record))).toBe(true)
    const others = records(world).filter((record) => !has(a)(record))
    const leavingMs = await longestDuring(scene, c, () => world.member(a).slices.leave(everybody))
    expect(records(world).some(has(a))).toBe(false)
    expect(records(world).filter(({ want }) => !want.includes(a))).toEqual(others)
    world.crash(a)
    const goneMs = await longestDuring(scene, c, () => sleep(world.clock, 4_000))
    expect(leavingMs).toBeLessThan(300)
    expect(goneMs).toBeLessThan(300)
    expect(await world.finish(write(world, session, c, 7))).toBe('done')
    expect(await world.finish(read(world, session, c))).toBe(7)
  })

  it('LV1 gives nothing to one that stops itself, and nothing when nobody goes on', async () => {
    const { world } = await group(32)
    for (const slice of slices) await served(world, slice)
    const before = records(world)
    await world.finish(world.member(a).slices.leave({ ...everybody, goesOn: () => false }))
    await world.finish(world.member(b).slices.leave({ ...everybody, isOver: () => true }))
    expect(records(world)).toEqual(before)
  })

  it('LV3 is taught nothing meanwhile, and joins again when it has started anew', async () => {
    const { world } = await group(33)
    for (const slice of slices) await served(world, slice)
    await world.finish(world.member(a).slices.leave(everybody))
    await world.timeline.run(world.timeline.nowMs + 20_000)
    expect(records(world).some(has(a))).toBe(false)
    world.crash(a)
    await world.finish(world.boot(a))
    const isBack = () => records(world).filter(has(a)).length === 2
    await world.timeline.until(isBack, 20_000)
  })
})
