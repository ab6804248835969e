// Pages that are damaged at the primary of a slice with copies, in virtual time.
import { describe, expect, it } from 'vitest'
import { sliceId } from '../base/ids.ts'
import { PAGE_BYTES } from '../base/sizes.ts'
import {
  a,
  BLOCK,
  blockAt,
  counters,
  group,
  other,
  read,
  recordOf,
  served,
  write,
} from './copies.fixture.ts'

describe('a page that is damaged at its primary', () => {
  it('MD1 is taken from a copy, also beside writes of it, and is whole here afterwards', async () => {
    const { world, session } = await group(15)
    const copy = other(await served(world, sliceId(0)))
    expect(await world.finish(write(world, session, a, 4))).toBe('done')
    const { store } = world.member(a)
    // The copy has the newest write late: until then what it has of the page is older.
    world.member(copy).store.delayMs = [200, 200]
    const under = write(world, session, a, 5, BLOCK)
    await world.timeline.run(world.timeline.nowMs + 50)
    store.damaged.add('1:0')
    expect(await world.finish(read(world, session, a))).toBe(4)
    expect(store.damaged.size).toBe(0)
    expect(await world.finish(under)).toBe('done')
    expect([blockAt(world, a), blockAt(world, a, BLOCK)]).toEqual([4, 5])
    expect(recordOf(world, sliceId(0)).inSync).toEqual([a, copy])
  })

  it('MD1 a write of a part of it is made of what the copy has', async () => {
    const { world, session } = await group(16)
    await served(world, sliceId(0))
    expect(await world.finish(write(world, session, a, 4))).toBe('done')
    world.member(a).store.damaged.add('1:0')
    const { sessionId, gen } = session
    const { gateway } = world.member(a)
    const part = new Uint8Array(512).fill(6)
    const writing = gateway.write({ session: sessionId, gen }, world.volume, 512, part, counters)
    expect(await world.finish(Promise.resolve(writing))).toBe('done')
    const block = world.durable.get(a)?.blocks.get('1:0')
    expect([block?.[0], block?.[512], block?.[1024]]).toEqual([4, 6, 4])
  })

  it('MD2 is an error only where no copy in sync has it', async () => {
    const { world, session } = await group(17)
    const copy = other(await served(world, sliceId(0)))
    expect(await world.finish(write(world, session, a, 4))).toBe('done')
    world.member(a).store.damaged.add('1:0')
    world.member(copy).store.damaged.add('1:0')
    expect(await world.finish(read(world, session, a))).toBe('damaged')
    expect(await world.finish(read(world, session, a, PAGE_BYTES))).toBe(0)
    expect(recordOf(world, sliceId(0)).inSync).toEqual([a, copy])
    world.member(copy).store.damaged.clear()
    expect(await world.finish(read(world, session, a))).toBe(4)
  })
})
