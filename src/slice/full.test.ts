// A primary whose own disk has no room to write home.
import { expect, it } from 'vitest'
import { sliceId } from '../base/ids.ts'
import {
  a,
  BLOCK,
  b,
  blockAt,
  c,
  group,
  other,
  read,
  recordOf,
  served,
  write,
} from './copies.fixture.ts'

const SLICE = sliceId(0)

it('HO4 gives the slice to a copy that has kept what it was sent, and is in sync no more', async () => {
  const { world, session } = await group(61)
  const copy = other(await served(world, SLICE))
  expect(await world.finish(write(world, session, c, 1))).toBe('done')
  world.member(a).store.isFull = true
  expect(await world.finish(write(world, session, c, 2))).toBe('done')
  expect(recordOf(world, SLICE)).toMatchObject({ primary: copy, inSync: [copy] })
  expect([blockAt(world, a), blockAt(world, copy)]).toEqual([1, 2])
  world.member(a).store.isFull = false
  await world.timeline.until(() => recordOf(world, SLICE).primary === a, 60_000)
  await served(world, SLICE)
  expect(await world.finish(read(world, session, c))).toBe(2)
  expect(blockAt(world, a)).toBe(2)
})

it('HO4 keeps a slice of which no copy has kept it, and goes on when there is room', async () => {
  const { world, session } = await group(62)
  const copy = other(await served(world, SLICE))
  world.member(a).store.isFull = true
  world.member(copy).store.isFull = true
  let outcome: unknown = null
  const writing = write(world, session, c, 3).then((done) => {
    outcome = done
  })
  await world.timeline.run(world.timeline.nowMs + 5_000)
  expect(outcome).toBeNull()
  for (const name of [a, copy]) world.member(name).store.isFull = false
  await world.finish(writing)
  expect(outcome).toBe('done')
  expect(await world.finish(read(world, session, c))).toBe(3)
})

it('HO4 V15 behind what its own store refused a primary hands nothing to it: as a learner it is made equal', async () => {
  const { world, session } = await group(63)
  const copy = other(await served(world, SLICE))
  expect(await world.finish(write(world, session, a, 1))).toBe('done')
  world.member(a).store.refusesAt = 0
  const refused = write(world, session, a, 2)
  await world.timeline.run(world.timeline.nowMs + 20)
  const behind = write(world, session, a, 3, BLOCK)
  expect(await world.finish(Promise.all([refused, behind]))).toEqual(['done', 'done'])
  expect(recordOf(world, SLICE).inSync).toEqual([copy])
  await world.timeline.until(() => recordOf(world, SLICE).primary === a, 60_000)
  for (const member of [a, copy])
    expect([blockAt(world, member), blockAt(world, member, BLOCK)]).toEqual([2, 3])
})

it('HO4 R7 a primary whose copies are gone goes on alone with what it has, and a copy that comes back is made equal', async () => {
  const { world, session } = await group(64)
  const copy = other(await served(world, SLICE))
  const gateway = [b, c].find((member) => member !== copy) ?? c
  const lost = await world.finish(world.login(gateway))
  expect(await world.finish(write(world, session, a, 1))).toBe('done')
  world.member(a).store.refusesAt = 0
  void write(world, lost, gateway, 2)
  await world.timeline.until(() => blockAt(world, copy) === 2, 100)
  const behind = write(world, session, a, 3, BLOCK)
  await world.timeline.run(world.timeline.nowMs + 10)
  // Nobody sends the first one again.
  for (const member of [gateway, copy]) world.crash(member)
  expect(await world.finish(behind)).toBe('done')
  expect(recordOf(world, SLICE).inSync).toEqual([a])
  await world.finish(world.boot(copy))
  await world.timeline.until(() => recordOf(world, SLICE).inSync.length === 2, 60_000)
  expect(blockAt(world, copy, BLOCK)).toBe(3)
  expect(blockAt(world, copy)).toBe(blockAt(world, a))
})
