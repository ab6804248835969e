// What members do when they are told that a process of another one is dead.
import { describe, expect, it } from 'vitest'
import type { VolumeGroup } from '../../test/kit/volume-group.ts'
import { type MemberId, sliceId } from '../base/ids.ts'
import { a, b, c, group, other, read, recordOf, served, write } from './copies.fixture.ts'
import type { Activated } from './lease.ts'

const SLICE = sliceId(0)

function processOf(world: VolumeGroup, member: MemberId): Activated {
  return { member, boot: world.member(member).boot }
}

/** To all that are up. */
function tell(world: VolumeGroup, dead: Activated): void {
  for (const { slices } of world.members.values()) slices.copies.died(dead)
}

async function scene(seed: number) {
  const { world, session } = await group(seed)
  expect((await served(world, SLICE)).primary).toBe(a)
  expect(await world.finish(write(world, session, c, 1))).toBe('done')
  // Longer than after a start (PD2 of lease.ts).
  await world.timeline.run(world.timeline.nowMs + 4_000)
  return { world, session, copy: other(recordOf(world, SLICE)) }
}

async function timed(world: VolumeGroup, f: () => Promise<unknown>) {
  const sinceMs = world.timeline.nowMs
  return { outcome: await world.finish(f()), ms: world.timeline.nowMs - sinceMs }
}

describe('a process that is dead', () => {
  it('PD1 the slices of a dead primary are taken over at once, and without a proof when it has been silent', async () => {
    for (const isTold of [true, false]) {
      const { world, session, copy } = await scene(51)
      const dead = processOf(world, a)
      world.crash(a)
      if (isTold) tell(world, dead)
      const { outcome, ms } = await timed(world, () => read(world, session, c))
      expect(outcome).toBe(1)
      expect(recordOf(world, SLICE).primary).toBe(copy)
      if (isTold) expect(ms).toBeLessThan(150)
      else expect(ms).toBeGreaterThan(2_000)
    }
  })

  it('R4 a copy that is dead is removed at once', async () => {
    const { world, session, copy } = await scene(52)
    const dead = processOf(world, copy)
    world.crash(copy)
    tell(world, dead)
    const at = copy === c ? b : c
    const { outcome, ms } = await timed(world, () => write(world, session, at, 2))
    expect(outcome).toBe('done')
    expect(ms).toBeLessThan(150)
    expect(recordOf(world, SLICE).inSync).toEqual([a])
  })

  it('PD1 a proof of another boot changes nothing, however late it comes', async () => {
    const { world, copy } = await scene(53)
    const before = recordOf(world, SLICE)
    tell(world, { member: a, boot: 'another' })
    tell(world, { member: copy, boot: 'another' })
    await world.timeline.run(world.timeline.nowMs + 2_000)
    expect(recordOf(world, SLICE)).toEqual(before)
    const dead = processOf(world, a)
    world.crash(a)
    tell(world, dead)
    await world.finish(world.boot(a))
    const isBack = () => recordOf(world, SLICE).inSync.length === 2
    await world.timeline.until(isBack, 20_000)
    const back = recordOf(world, SLICE)
    tell(world, dead)
    await world.timeline.run(world.timeline.nowMs + 2_000)
    expect(recordOf(world, SLICE)).toEqual(back)
  })
})
