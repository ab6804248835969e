// Pages that are damaged at members of a slice with copies, in virtual time.
import { describe, expect, it } from 'vitest'
import { sliceId, volumeId } from '../base/ids.ts'
import { PAGE_BYTES } from '../base/sizes.ts'
import { Bundles } from './bundles.ts'
import {
  a,
  BLOCK,
  b,
  blockAt,
  c,
  counters,
  group,
  other,
  read,
  recordOf,
  served,
  write,
} from './copies.fixture.ts'
import { Mending } from './mending.ts'
import type { Primary } from './primary.ts'

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

describe('a page that is damaged at a copy', () => {
  const one = volumeId(1)

  it('MD3 is sent by the primary, and is whole there afterwards', async () => {
    const { world, session } = await group(18)
    const copy = other(await served(world, sliceId(0)))
    expect(await world.finish(write(world, session, a, 4))).toBe('done')
    const { store, slices } = world.member(copy)
    store.damaged.add('1:0')
    expect(await world.finish(slices.mend(one, 0))).toBe('good')
    expect([store.damaged.size, blockAt(world, copy)]).toEqual([0, 4])
    expect(store.stampOf(one, 0)).toEqual(world.member(a).store.stampOf(one, 0))
    expect(recordOf(world, sliceId(0)).inSync).toEqual([a, copy])
    const third = world.member(copy === b ? c : b)
    expect(await world.finish(third.slices.mend(one, 0))).toBe('later')
  })

  it('MD3 is sent with what is on its way into the store of the primary, and not as it was before', async () => {
    const { world, session } = await group(19)
    const copy = other(await served(world, sliceId(0)))
    expect(await world.finish(write(world, session, a, 4))).toBe('done')
    world.member(a).store.delayMs = [300, 300]
    const under = write(world, session, a, 5, BLOCK)
    await world.timeline.run(world.timeline.nowMs + 50)
    expect(blockAt(world, copy, BLOCK)).toBe(5)
    const { store, slices } = world.member(copy)
    store.damaged.add('1:0:0')
    expect(await world.finish(slices.mend(one, 0))).toBe('good')
    expect([blockAt(world, copy), blockAt(world, copy, BLOCK)]).toEqual([4, 5])
    expect(await world.finish(under)).toBe('done')
  })

  it('MD1 MD3 is not sent by a primary whose own store lacks something that has a number', async () => {
    const { world } = await group(20)
    await served(world, sliceId(0))
    const { clock, store } = world.member(a)
    const link = () => expect.unreachable('nobody is sent anything')
    const peers = { link, ask: link }
    const bundles = new Bundles({ clock, peers })
    const mending = new Mending({ clock, store, peers, bundles })
    const copies = { others: [{ member: b, boot: '' }], isOwnFull: true }
    const role = { isOver: false, copies, epoch: 1, hold: async () => {}, release: () => {} }
    const place = { slice: sliceId(0), volume: one, page: 0 }
    const given = mending.give(role as unknown as Primary, place, b)
    expect(await world.finish(given)).toBe('later')
    await world.finish(write(world, await world.finish(world.login(c)), a, 4))
    store.damaged.add('1:0')
    expect(await world.finish(mending.mend(role as unknown as Primary, place))).toBe(false)
  })

  it('MD4 copies that have lost different blocks of it mend each other', async () => {
    const { world, session } = await group(22)
    const copy = other(await served(world, sliceId(0)))
    for (const [at, value] of [4, 5, 6].entries())
      expect(await world.finish(write(world, session, a, value, at * BLOCK))).toBe('done')
    world.member(a).store.damaged.add('1:0:0').add('1:0:9')
    world.member(copy).store.damaged.add('1:0:2')
    expect(await world.finish(world.member(copy).slices.mend(one, 0))).toBe('good')
    for (const member of [a, copy]) {
      expect(world.member(member).store.damaged.size).toBe(0)
      const blocks = [0, 1, 2, 9].map((at) => blockAt(world, member, at * BLOCK))
      expect(blocks).toEqual([4, 5, 6, undefined])
    }
  })

  it('MD2 MD4 that no copy in sync has a block is said to who asks', async () => {
    const { world, session } = await group(23)
    const copy = other(await served(world, sliceId(0)))
    expect(await world.finish(write(world, session, a, 4))).toBe('done')
    for (const member of [a, copy]) world.member(member).store.damaged.add('1:0:0')
    expect(await world.finish(world.member(copy).slices.mend(one, 0))).toBe('none')
    expect(await world.finish(world.member(a).slices.mend(one, 0))).toBe('none')
  })
})
