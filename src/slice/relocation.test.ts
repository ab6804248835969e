// Slices that are wanted at other members than before, in virtual time: made there, handed over, left, and dropped where they were.
import { describe, expect, it } from 'vitest'
import type { TestSession, VolumeGroup } from '../../test/kit/volume-group.ts'
import { sleep } from '../base/clock.ts'
import { type MemberId, revision, type SliceId, sliceId } from '../base/ids.ts'
import { PAGE_BYTES } from '../base/sizes.ts'
import { keys } from '../group/record.ts'
import { changeSlices, usualMin, wanting } from '../group/slices.ts'
import { a, b, blockAt, c, group, other, read, recordOf, served, write } from './copies.fixture.ts'

const SLICE = sliceId(0)

async function want(world: VolumeGroup, members: readonly MemberId[], id: SliceId = SLICE) {
  const record = recordOf(world, id)
  const rev = revision(world.coordination.inspect(keys.slice(id))[0]?.rev ?? 0)
  const to = wanting(record, members, usualMin(members.length))
  for (const change of changeSlices([{ slice: { id, rev, record }, to }]))
    expect((await world.finish(world.coordinator.txn(change))).kind).toBe('done')
}

/** It is at these, the first of them its primary, and nowhere else. */
async function isAt(world: VolumeGroup, members: readonly MemberId[]) {
  const isThere = () => {
    const { primary, inSync } = recordOf(world, SLICE)
    return primary === members[0] && [...inSync].sort().join() === [...members].sort().join()
  }
  await world.timeline.until(isThere, 30_000)
  return served(world, SLICE)
}

const hasNone = (world: VolumeGroup, member: MemberId) =>
  !world.member(member).store.slicesHere().includes(SLICE)

/** Values to one block until it is over; the longest time without an answer. */
function writing(world: VolumeGroup, session: TestSession, at: MemberId) {
  let isOver = false
  let last = 0
  let longestMs = 0
  const run = (async () => {
    for (let i = 1; !isOver; i += 1) {
      const sinceMs = world.timeline.nowMs
      expect(await write(world, session, at, i % 250)).toBe('done')
      last = i % 250
      expect(await read(world, session, at)).toBe(last)
      longestMs = Math.max(longestMs, world.timeline.nowMs - sinceMs)
      await sleep(world.clock, 5)
    }
  })()
  return async () => {
    isOver = true
    await world.finish(run)
    return { last, longestMs }
  }
}

describe('a slice that is wanted elsewhere', () => {
  it('with one copy goes there while it is written, is handed over at once, and nothing of it stays', async () => {
    const { world, session } = await group(31, 1)
    for (const page of [1, 2, 3])
      expect(await world.finish(write(world, session, c, 7, page * PAGE_BYTES))).toBe('done')
    const end = writing(world, session, c)
    const sinceMs = world.timeline.nowMs
    await want(world, [b])
    expect(await isAt(world, [b])).toMatchObject({ want: [b], inSync: [b], min: 1 })
    // HO2: not after the time that a member which was away is given.
    expect(world.timeline.nowMs - sinceMs).toBeLessThan(5_000)
    await world.timeline.until(() => hasNone(world, a), 30_000)
    const { last, longestMs } = await end()
    expect(longestMs).toBeLessThan(500)
    expect(blockAt(world, b)).toBe(last)
    for (const page of [1, 2, 3]) expect(blockAt(world, b, page * PAGE_BYTES)).toBe(7)
    expect(blockAt(world, a)).toBeUndefined()
  })

  it('R5 BC1 a primary that served alone answers no read without a lease once another member is in sync', async () => {
    const { world, session } = await group(32, 1)
    expect(await world.finish(write(world, session, a, 5))).toBe('done')
    await want(world, [a, b])
    await isAt(world, [a, b])
    expect(await world.finish(read(world, session, a))).toBe(5)
    world.net.cut(a, b, 'drop')
    world.coordination.cut(a, 'drop')
    await world.timeline.run(world.timeline.nowMs + 2_500)
    let answered = false
    void read(world, session, a).then(() => {
      answered = true
    })
    await world.timeline.until(() => recordOf(world, SLICE).primary === b, 20_000)
    await served(world, SLICE)
    expect(await world.finish(write(world, session, c, 6))).toBe('done')
    expect(answered).toBe(false)
    world.coordination.heal(a)
    world.net.healAll()
    await world.timeline.until(() => answered, 20_000)
  })

  it('goes from one copy to two and back, with the writes that it needs in sync', async () => {
    const { world, session } = await group(33, 1)
    const end = writing(world, session, b)
    await want(world, [a, b])
    await isAt(world, [a, b])
    await want(world, [a, b, c])
    expect(await isAt(world, [a, b, c])).toMatchObject({ min: 2 })
    await want(world, [a])
    expect(await isAt(world, [a])).toMatchObject({ min: 1 })
    await world.timeline.until(() => [b, c].every((member) => hasNone(world, member)), 30_000)
    const { last } = await end()
    expect(blockAt(world, a)).toBe(last)
    expect([b, c].map((member) => blockAt(world, member))).toEqual([undefined, undefined])
  })

  it('R10 R13 comes back to who has had it, with what was written meanwhile', async () => {
    const { world, session } = await group(34, 1)
    expect(await world.finish(write(world, session, a, 1))).toBe('done')
    await want(world, [b])
    await isAt(world, [b])
    expect(await world.finish(write(world, session, a, 2))).toBe('done')
    await want(world, [a])
    await isAt(world, [a])
    expect(await world.finish(read(world, session, c))).toBe(2)
    expect(await world.finish(write(world, session, b, 3))).toBe('done')
    await world.timeline.until(() => hasNone(world, b), 30_000)
    expect(blockAt(world, a)).toBe(3)
  })

  it('R6 no copy takes over from a primary that has just made it one, and had sent it no beacon before', async () => {
    const { world } = await group(35, 1)
    await world.timeline.run(world.timeline.nowMs + 10_000)
    await want(world, [a, b])
    await world.timeline.until(() => recordOf(world, SLICE).inSync.includes(b), 20_000)
    world.net.cut(a, b, 'drop')
    const { epoch } = recordOf(world, SLICE)
    await world.timeline.run(world.timeline.nowMs + 1_000)
    world.net.healAll()
    await world.timeline.run(world.timeline.nowMs + 3_000)
    expect(recordOf(world, SLICE)).toMatchObject({ primary: a, epoch })
  })
})

describe('what a member has of a slice in which it has no part', () => {
  /** The slice has left b, which has not dropped it yet. */
  async function left(seed: number) {
    const { world, session } = await group(seed)
    const before = other(await served(world, SLICE))
    const third = before === b ? c : b
    expect(await world.finish(write(world, session, a, 5))).toBe('done')
    await want(world, [a, third])
    await isAt(world, [a, third])
    expect(hasNone(world, before)).toBe(false)
    return { world, session, before, third }
  }

  it('LF1 V7 is dropped by the word of the coordinator, and not by a copy of the record', async () => {
    const { world, before, third } = await left(36)
    // It does not see that it is wanted again, though the coordinator answers it.
    const { store, group } = world.member(before)
    const record = recordOf(world, SLICE)
    const stale = Object.assign([...group.slices], { [SLICE]: record })
    Object.defineProperty(group, 'slices', { value: stale, configurable: true })
    const revs = Object.assign([...group.sliceRevs], { [SLICE]: group.sliceRevs[SLICE] })
    Object.defineProperty(group, 'sliceRevs', { value: revs, configurable: true })
    await want(world, [a, before])
    let dropped = 0
    const drop = store.dropSlice.bind(store)
    store.dropSlice = (...of) => {
      dropped += 1
      return drop(...of)
    }
    await world.timeline.run(world.timeline.nowMs + 12_000)
    await isAt(world, [a, before])
    expect(dropped).toBe(0)
    await world.timeline.until(() => hasNone(world, third), 40_000)
    expect(blockAt(world, before)).toBe(5)
  })

  it('LF1 stays until the copy of the record that the member keeps says so', async () => {
    const { world, before } = await left(37)
    world.recordKept = (name) => name !== before
    await world.timeline.run(world.timeline.nowMs + 25_000)
    expect(hasNone(world, before)).toBe(false)
    world.recordKept = () => true
    await world.timeline.until(() => hasNone(world, before), 30_000)
  })

  it('LF2 is dropped before it is made a copy again, and it has all that is written then', async () => {
    const { world, session, before } = await left(38)
    const { store } = world.member(before)
    const drop = store.dropSlice.bind(store)
    const { promise, resolve } = Promise.withResolvers<void>()
    let isDropping = false
    store.dropSlice = async (...of) => {
      isDropping = true
      await promise
      return drop(...of)
    }
    await world.timeline.until(() => isDropping, 30_000)
    await want(world, [a, before])
    await world.timeline.run(world.timeline.nowMs + 8_000)
    expect(recordOf(world, SLICE).inSync).not.toContain(before)
    expect(await world.finish(write(world, session, a, 6, PAGE_BYTES))).toBe('done')
    resolve()
    await isAt(world, [a, before])
    expect([0, PAGE_BYTES].map((offset) => blockAt(world, before, offset))).toEqual([5, 6])
  })

  it('LF3 stays where pages of its volumes are lost', async () => {
    const { world, before } = await left(39)
    world.member(before).store.hasLost = () => true
    await world.timeline.run(world.timeline.nowMs + 25_000)
    expect(hasNone(world, before)).toBe(false)
  })

  it('is dropped by a later run of the member, too', async () => {
    const { world, before } = await left(40)
    world.crash(before)
    await world.finish(world.boot(before))
    expect(hasNone(world, before)).toBe(false)
    await world.timeline.until(() => hasNone(world, before), 30_000)
  })
})
