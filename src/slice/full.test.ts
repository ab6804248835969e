// A primary whose own disk has no room to write home.
import { expect, it } from 'vitest'
import { sliceId } from '../base/ids.ts'
import { a, blockAt, c, group, other, read, recordOf, served, write } from './copies.fixture.ts'

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
