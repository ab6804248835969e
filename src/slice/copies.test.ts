// Slices with copies on three members in virtual time: written in parallel, removed when silent, taken over, activated, read under
// leases.
import { describe, expect, it } from 'vitest'
import { VolumeGroup } from '../../test/kit/volume-group.ts'
import { sleep } from '../base/clock.ts'
import { epoch, revision, type SliceId, sliceId } from '../base/ids.ts'
import { PAGE_BYTES, RUN_BYTES } from '../base/sizes.ts'
import { keys, type SliceRecord } from '../group/record.ts'
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
import { sliceAt } from './lanes.ts'

describe('a slice with copies', () => {
  it('R4 a write is answered when it is durable on all in-sync members', async () => {
    const { world, session } = await group(1)
    const record = await served(world, sliceId(0))
    expect(record).toMatchObject({ primary: a, min: 1 })
    expect(record.inSync).toHaveLength(2)
    world.member(other(record)).store.delayMs = [300, 300]
    const before = world.timeline.nowMs
    expect(await world.finish(write(world, session, c, 7))).toBe('done')
    expect(world.timeline.nowMs - before).toBeGreaterThan(290)
    expect(blockAt(world, a)).toBe(7)
    expect(blockAt(world, other(record))).toBe(7)
    expect(await world.finish(read(world, session, c))).toBe(7)
  })

  it('R4 V11 a silent copy is removed from the record, and then the write is answered', async () => {
    const { world, session } = await group(2)
    const record = await served(world, sliceId(0))
    const copy = other(record)
    world.crash(copy)
    const at = world.timeline.nowMs
    expect(await world.finish(write(world, session, a, 8))).toBe('done')
    expect(recordOf(world, sliceId(0))).toMatchObject({ primary: a, inSync: [a] })
    expect(world.timeline.nowMs - at).toBeLessThan(3_500)
    expect(await world.finish(read(world, session, a))).toBe(8)
  })

  it('R6 R7 R10 when the primary dies its copy takes over with all that was answered, and a write that was under way is applied once', async () => {
    const { world, session } = await group(3)
    const record = await served(world, sliceId(0))
    const copy = other(record)
    const gateway = [a, b, c].find((one) => one !== a && one !== copy) ?? c
    expect(await world.finish(write(world, session, gateway, 1))).toBe('done')
    // The copy knows the session from its own slices, and nothing of this write but what its store remembers.
    for (const run of [1, 2])
      expect(await world.finish(write(world, session, gateway, 1, run * RUN_BYTES))).toBe('done')
    world.member(a).store.delayMs = [300, 300]
    const under = write(world, session, gateway, 2)
    await world.timeline.until(() => blockAt(world, copy) === 2, 200)
    world.crash(a)
    const at = world.timeline.nowMs
    expect(await world.finish(under)).toBe('done')
    expect(world.timeline.nowMs - at).toBeGreaterThan(2_000)
    expect(world.timeline.nowMs - at).toBeLessThan(6_000)
    expect(recordOf(world, sliceId(0))).toMatchObject({ primary: copy, inSync: [copy] })
    expect(await world.finish(read(world, session, gateway))).toBe(2)
    for (const times of world.durable.get(copy)?.applied.values() ?? []) expect(times).toBe(1)
  })

  it('R7 an epoch begins with equal copies: what only one of them has from before is at all of them', async () => {
    const { world, session } = await group(13)
    const copy = other(await served(world, sliceId(0)))
    expect(await world.finish(write(world, session, c, 1))).toBe('done')
    // The copy has it, and the primary dies before its own store has.
    world.member(a).store.delayMs = [500, 500]
    void write(world, session, c, 2)
    await world.timeline.until(() => blockAt(world, copy) === 2, 400)
    world.crash(a)
    await world.finish(world.boot(a))
    await served(world, sliceId(0))
    expect(recordOf(world, sliceId(0))).toMatchObject({ primary: a })
    expect([blockAt(world, a), blockAt(world, copy)]).toEqual([2, 2])
  })

  it('R5 V12 BC1 a primary that its copy cannot reach answers no reads, also when it can again, until it knows that it was deposed', async () => {
    const { world, session } = await group(4)
    const record = await served(world, sliceId(0))
    const copy = other(record)
    expect(await world.finish(write(world, session, a, 5))).toBe('done')
    world.net.cut(a, copy, 'drop')
    world.coordination.cut(a, 'drop')
    await world.timeline.run(world.timeline.nowMs + 2_500)
    let answered = false
    void read(world, session, a).then(() => {
      answered = true
    })
    await world.timeline.run(world.timeline.nowMs + 2_500)
    const now = await served(world, sliceId(0))
    expect(now).toMatchObject({ primary: copy, inSync: [copy] })
    expect(answered).toBe(false)
    // Its beacons are heard again, and it has not seen the record: no lease comes of them.
    world.net.healAll()
    expect(await world.finish(write(world, session, c, 6))).toBe('done')
    await world.timeline.run(world.timeline.nowMs + 2_500)
    expect(answered).toBe(false)
    world.coordination.heal(a)
    await world.timeline.until(() => answered, 10_000)
  })

  it('R9 a copy that starts again is activated in a new epoch, and stays in sync', async () => {
    const { world, session } = await group(5)
    const record = await served(world, sliceId(0))
    const copy = other(record)
    expect(await world.finish(write(world, session, a, 5))).toBe('done')
    world.crash(copy)
    await world.finish(world.boot(copy))
    await world.timeline.until(() => recordOf(world, sliceId(0)).epoch > record.epoch, 10_000)
    const now = await served(world, sliceId(0))
    expect(now.inSync).toEqual(record.inSync)
    expect(await world.finish(write(world, session, a, 6))).toBe('done')
    expect(blockAt(world, copy)).toBe(6)
  })

  it('R1 R12 a take-over whose outcome is not known is settled: the slice is served under an epoch that was heard to be its own', async () => {
    const { world, session } = await group(9)
    const record = await served(world, sliceId(0))
    const copy = other(record)
    expect(await world.finish(write(world, session, a, 5))).toBe('done')
    world.coordination.set({ loseAnswerChance: 0.8, lateChance: 0.3 })
    world.crash(a)
    await world.timeline.run(world.timeline.nowMs + 12_000)
    world.coordination.set({ loseAnswerChance: 0, lateChance: 0 })
    const now = await served(world, sliceId(0))
    expect(now).toMatchObject({ primary: copy, inSync: [copy] })
    expect(world.member(copy).slices.epochOf(sliceId(0))).toBe(now.epoch)
    expect(await world.finish(read(world, session, copy))).toBe(5)
  })

  it('AG1 AK1 a primary that starts without its copy goes on alone, and waits for no answer for long', async () => {
    const { world, session } = await group(10)
    const copy = other(await served(world, sliceId(0)))
    expect(await world.finish(write(world, session, a, 5))).toBe('done')
    world.crash(copy)
    world.crash(a)
    const at = world.timeline.nowMs
    await world.finish(world.boot(a))
    await world.timeline.until(() => recordOf(world, sliceId(0)).inSync.length === 1, 10_000)
    await served(world, sliceId(0))
    expect(world.timeline.nowMs - at).toBeLessThan(5_000)
    const later = await world.finish(world.login(a))
    expect(await world.finish(read(world, later, a))).toBe(5)
  })

  it('V14 R4 with too few in sync a write waits for the member that comes back, which is copied to meanwhile', async () => {
    const { world, session } = await group(12, 2, 2)
    const copy = other(await served(world, sliceId(0)))
    expect(await world.finish(write(world, session, a, 5))).toBe('done')
    world.crash(copy)
    let isDone = false
    const waits = write(world, session, a, 6)
    void waits.then(() => {
      isDone = true
    })
    await world.timeline.run(world.timeline.nowMs + 6_000)
    expect(recordOf(world, sliceId(0)).inSync).toEqual([a])
    expect(isDone).toBe(false)
    expect(await world.finish(read(world, session, a, BLOCK))).toBe(0)
    await world.finish(world.boot(copy))
    expect(await world.finish(waits)).toBe('done')
    expect(recordOf(world, sliceId(0)).inSync).toContain(copy)
    expect([blockAt(world, a), blockAt(world, copy)]).toEqual([6, 6])
  })

  it('TC1 R8 a copy that is wanted elsewhere is made there, and then the one before leaves', async () => {
    const { world, session } = await group(11)
    const record = await served(world, sliceId(0))
    const before = other(record)
    const third = before === b ? c : b
    expect(await world.finish(write(world, session, a, 5))).toBe('done')
    await world.finish(world.put(keys.slice(sliceId(0)), { ...record, want: [a, third] }))
    const isMoved = () => recordOf(world, sliceId(0)).inSync.join() === [a, third].join()
    await world.timeline.until(isMoved, 20_000)
    await served(world, sliceId(0))
    expect(blockAt(world, third)).toBe(5)
    expect(await world.finish(write(world, session, a, 6))).toBe('done')
    expect([blockAt(world, third), blockAt(world, before)]).toEqual([6, 5])
  })

  it('R8 a copy that comes back learns what it missed, and is in sync again', async () => {
    const { world, session } = await group(6)
    const copy = other(await served(world, sliceId(0)))
    for (const page of [0, 1, 2, 3])
      expect(await world.finish(write(world, session, a, 1, page * PAGE_BYTES))).toBe('done')
    world.crash(copy)
    for (const page of [1, 2, 5])
      expect(await world.finish(write(world, session, a, 2, page * PAGE_BYTES))).toBe('done')
    expect(recordOf(world, sliceId(0)).inSync).toEqual([a])
    await world.finish(world.boot(copy))
    const isBack = () => recordOf(world, sliceId(0)).inSync.includes(copy)
    await world.timeline.until(isBack, 20_000)
    for (const [page, value] of [1, 2, 2, 1, undefined, 2].entries())
      expect(blockAt(world, copy, page * PAGE_BYTES)).toBe(value)
    expect(world.member(a).slices.copies.learners).toMatchObject({ joined: 1, pages: 3 })
    expect(await world.finish(write(world, session, a, 3))).toBe('done')
    expect(blockAt(world, copy)).toBe(3)
  })

  it('R8 R10 a deposed primary learns, and what it alone had written is gone there, with its memory of it', async () => {
    const { world, session } = await group(7)
    const copy = other(await served(world, sliceId(0)))
    expect(await world.finish(write(world, session, a, 1))).toBe('done')
    world.net.cut(a, b, 'drop')
    world.net.cut(a, c, 'drop')
    world.coordination.cut(a, 'drop')
    // It reaches the own store of the primary alone, and its gateway sends it again when the primary is deposed.
    const lost = write(world, session, a, 9)
    const isTaken = () => recordOf(world, sliceId(0)).primary === copy
    await world.timeline.until(isTaken, 20_000)
    expect(blockAt(world, a)).toBe(9)
    await served(world, sliceId(0))
    expect(await world.finish(write(world, session, copy, 5, BLOCK))).toBe('done')
    world.coordination.heal(a)
    world.net.healAll()
    expect(await world.finish(lost)).toBe('done')
    const isBack = () => recordOf(world, sliceId(0)).inSync.includes(a)
    await world.timeline.until(isBack, 20_000)
    for (const offset of [0, BLOCK])
      expect(blockAt(world, a, offset)).toBe(blockAt(world, copy, offset))
    await expect(blockAt(world, copy)).toBe(9)
    expect(await world.finish(read(world, session, b))).toBe(9)
  })

  it('LN2 a long unmap while a copy is made takes nothing from the slices between its runs', async () => {
    const { world, session } = await group(21)
    const copy = other(await served(world, sliceId(0)))
    world.crash(copy)
    for (const page of [0, 1, 2])
      expect(await world.finish(write(world, session, a, 2, page * PAGE_BYTES))).toBe('done')
    await world.finish(world.boot(copy))
    const wrong: number[] = []
    const { store } = world.member(copy)
    const install = store.install.bind(store)
    store.install = (page) => {
      const at = sliceAt(world.volume, page.page * PAGE_BYTES)
      if (at !== page.slice) wrong.push(page.page)
      return install(page)
    }
    store.delayMs = [50, 50]
    await world.timeline.until(() => world.member(a).slices.copies.learners.pages > 0, 20_000)
    const { sessionId, gen } = session
    const { gateway } = world.member(a)
    const origin = { session: sessionId, gen }
    const bytes = 8 * RUN_BYTES
    const unmapped = gateway.unmap(origin, world.volume, 0, bytes, counters)
    expect(await world.finish(Promise.resolve(unmapped))).toBe('done')
    const [one, two] = [RUN_BYTES, 2 * RUN_BYTES]
    for (const offset of [one, two])
      expect(await world.finish(write(world, session, a, 5, offset))).toBe('done')
    const isBack = () => recordOf(world, sliceId(0)).inSync.includes(copy)
    await world.timeline.until(isBack, 60_000)
    expect(wrong).toEqual([])
    for (const offset of [one, two])
      expect(await world.finish(read(world, session, a, offset))).toBe(5)
  })

  it('V5 a copy whose store fails, or is closed, answers no question of its primary, and rejects none', async () => {
    const { world } = await group(15)
    const record = await served(world, sliceId(0))
    const { slices, store } = world.member(other(record))
    store.promise = () => Promise.reject(new Error('the store is closed'))
    const asked = { slice: sliceId(0), epoch: epoch(record.epoch + 5), isLearner: false }
    let answered = false
    const settle = () => {
      answered = true
    }
    slices.copies.activate(asked, record.primary).then(settle, settle)
    await world.timeline.run(world.timeline.nowMs + 1_000)
    expect(answered).toBe(false)
  })

  it('R4 R8 copies come back though writes wait for them: with fewer in sync than are needed', async () => {
    const { world, session } = await group(12, 3, 2)
    expect(await served(world, sliceId(0))).toMatchObject({ primary: a, min: 2 })
    for (const page of [0, 1])
      expect(await world.finish(write(world, session, a, 1, page * PAGE_BYTES))).toBe('done')
    world.crash(b)
    world.crash(c)
    await world.timeline.until(() => recordOf(world, sliceId(0)).inSync.length === 1, 20_000)
    // Its blocks are in its hand until it is answered, and the page of them is to be copied.
    const waiting = [0, 1].map((page) => write(world, session, a, 2, page * PAGE_BYTES))
    await world.timeline.run(world.timeline.nowMs + 1_000)
    await world.finish(Promise.all([world.boot(b), world.boot(c)]))
    expect(await world.finish(Promise.all(waiting))).toEqual(['done', 'done'])
    await world.timeline.until(() => recordOf(world, sliceId(0)).inSync.length === 3, 20_000)
    for (const offset of [0, PAGE_BYTES])
      expect([b, c].map((copy) => blockAt(world, copy, offset))).toEqual([2, 2])
  })

  it('V8 V12 what begins to be read when the slice has left comes to an end, and the slice comes back', async () => {
    const { world, session } = await group(13)
    const copy = other(await served(world, sliceId(0)))
    expect(await world.finish(write(world, session, a, 1))).toBe('done')
    world.net.cut(a, b, 'drop')
    world.net.cut(a, c, 'drop')
    world.coordination.cut(a, 'drop')
    // One waits for its copy; the other one begins when that is over, finds something else, and no lease holds any more.
    const first = write(world, session, a, 2)
    const { sessionId, gen } = session
    const buffers = { verify: new Uint8Array(BLOCK).fill(9), data: new Uint8Array(BLOCK).fill(3) }
    const second = world
      .member(a)
      .gateway.compareAndWrite({ session: sessionId, gen }, world.volume, 0, buffers, counters)
    await world.timeline.until(() => recordOf(world, sliceId(0)).primary === copy, 20_000)
    world.coordination.heal(a)
    world.net.healAll()
    expect(await world.finish(first)).toBe('done')
    expect(await world.finish(Promise.resolve(second))).toEqual({ kind: 'miscompare', offset: 0 })
    await world.timeline.until(() => recordOf(world, sliceId(0)).inSync.includes(a), 20_000)
  })

  it('R13 nothing is answered without a member that was in sync before the copy of the record says so that its primary keeps', async () => {
    const { world, session } = await group(15)
    const copy = other(await served(world, sliceId(0)))
    let isDone = false
    const done = () => {
      isDone = true
    }
    for (const [down, left] of [
      [copy, a],
      [a, copy],
    ] as const) {
      await served(world, sliceId(0))
      let isKept = false
      world.recordKept = (name) => isKept || name !== left
      world.crash(down)
      isDone = false
      const waits = write(world, session, c === down ? left : c, 6).finally(done)
      const read0 = read(world, session, c === down ? left : c).finally(done)
      await world.timeline.until(() => recordOf(world, sliceId(0)).inSync.length === 1, 10_000)
      await world.timeline.run(world.timeline.nowMs + 5_000)
      expect(isDone).toBe(false)
      isKept = true
      expect(await world.finish(waits)).toBe('done')
      expect([0, 6]).toContain(await world.finish(read0))
      // Who joins is waited for by nothing.
      isKept = false
      await world.finish(world.boot(down))
      await world.timeline.until(() => recordOf(world, sliceId(0)).inSync.length === 2, 20_000)
      expect(await world.finish(write(world, session, left, 7))).toBe('done')
      world.recordKept = () => true
    }
  })

  it('HO1 HO2 a slice that was taken over goes back to the member that is wanted as its primary, when all has been well for a while', async () => {
    const { world, session } = await group(13)
    const copy = other(await served(world, sliceId(0)))
    expect(await world.finish(write(world, session, copy, 1))).toBe('done')
    world.crash(a)
    await world.timeline.until(() => recordOf(world, sliceId(0)).primary === copy, 10_000)
    expect(await world.finish(write(world, session, copy, 2))).toBe('done')
    await world.finish(world.boot(a))
    await world.timeline.until(() => recordOf(world, sliceId(0)).inSync.includes(a), 20_000)
    const backMs = world.timeline.nowMs
    let isOver = false
    let longestMs = 0
    const writing = (async () => {
      for (let i = 0; !isOver; i += 1) {
        const sinceMs = world.timeline.nowMs
        expect(await write(world, session, c, i % 200)).toBe('done')
        longestMs = Math.max(longestMs, world.timeline.nowMs - sinceMs)
        await sleep(world.clock, 20)
      }
    })()
    await world.timeline.until(() => recordOf(world, sliceId(0)).primary === a, 20_000)
    expect(world.timeline.nowMs - backMs).toBeGreaterThan(9_000)
    // HO1: until it has raised it itself.
    expect(world.member(a).store.promisedEpoch(sliceId(0))).toBeGreaterThanOrEqual(
      recordOf(world, sliceId(0)).epoch,
    )
    const record = await served(world, sliceId(0))
    expect([...record.inSync].sort()).toEqual([a, copy].sort())
    await world.timeline.run(world.timeline.nowMs + 5_000)
    isOver = true
    await world.finish(writing)
    expect(recordOf(world, sliceId(0))).toEqual(record)
    expect(longestMs).toBeLessThan(500)
    expect(world.member(copy).slices.copies.counts.handedOver).toBe(1)
    expect(blockAt(world, copy)).toBe(blockAt(world, a))
  })

  it('HO2 few slices of a member are handed over at once', async () => {
    const slices = Array.from({ length: 24 }, (_, i) => sliceId(i))
    const world = await VolumeGroup.found(14, { slices: slices.length, copies: 2 })
    const own = slices.filter((slice) => recordOf(world, slice).want[0] === a)
    world.crash(a)
    const areAt = (isAt: (record: SliceRecord) => boolean) =>
      world.timeline.until(() => own.every((slice) => isAt(recordOf(world, slice))), 60_000)
    await areAt(({ primary }) => primary !== a)
    await world.finish(world.boot(a))
    await areAt(({ inSync }) => inSync.includes(a))
    world.member(a).store.delayMs = [1_000, 1_000]
    let most = 0
    const isServed = (slice: SliceId) =>
      [a, b, c].some((one) => world.member(one).slices.epochOf(slice) > 0)
    const isOver = () => {
      most = Math.max(most, own.filter((slice) => !isServed(slice)).length)
      return own.every((slice) => world.member(a).slices.epochOf(slice) > 0)
    }
    await world.timeline.until(isOver, 60_000)
    expect(own).toHaveLength(8)
    expect(most).toBeGreaterThan(2)
    expect(most).toBeLessThanOrEqual(4) // two of each of the other members
  })

  it('R8 a slice is written all the while that a copy of it is made, and both are equal then', async () => {
    const { world, session } = await group(8)
    const copy = other(await served(world, sliceId(0)))
    world.crash(copy)
    for (let page = 0; page < 12; page += 1)
      expect(await world.finish(write(world, session, a, 1, page * PAGE_BYTES))).toBe('done')
    let isOver = false
    let written = 0
    const writing = (async () => {
      for (let i = 0; !isOver; i += 1) {
        expect(await write(world, session, a, 2 + (i % 200), ((i * 7) % 12) * PAGE_BYTES)).toBe(
          'done',
        )
        written += 1
      }
    })()
    await world.finish(world.boot(copy))
    await world.timeline.until(() => recordOf(world, sliceId(0)).inSync.includes(copy), 20_000)
    isOver = true
    await world.finish(writing)
    expect(written).toBeGreaterThan(20)
    for (let page = 0; page < 12; page += 1)
      expect(blockAt(world, copy, page * PAGE_BYTES)).toBe(blockAt(world, a, page * PAGE_BYTES))
  })
})

/** A copy that is to be made again, and whether it is in sync. */
async function away(seed: number) {
  const { world, session } = await group(seed)
  const copy = other(await served(world, sliceId(0)))
  world.crash(copy)
  expect(await world.finish(write(world, session, a, 1))).toBe('done')
  const isBack = () => recordOf(world, sliceId(0)).inSync.includes(copy)
  expect(isBack()).toBe(false)
  return { world, copy, isBack }
}

describe('a copy that is made again', () => {
  it('TC2 joins by no record that was written since it was proven equal', async () => {
    const { world, copy, isBack } = await away(13)
    const key = keys.slice(sliceId(0))
    const { learners } = world.member(a).slices.copies
    await world.finish(world.boot(copy))
    await world.timeline.until(() => learners.joined > 0, 20_000)
    // It was proven equal, and begins with another folder before the record says that it is in sync.
    world.coordination.cut(a, 'hold')
    const { rev = 0, value = '' } = world.coordination.inspect(key)[0] ?? {}
    const { epoch } = recordOf(world, sliceId(0))
    const compare = [{ key, rev: revision(rev) }]
    const again = await world.finish(world.coordinator.txn({ compare, put: [{ key, value }] }))
    expect(again.kind).toBe('done')
    world.coordination.heal(a)
    await world.timeline.until(() => recordOf(world, sliceId(0)).epoch > epoch, 20_000)
    expect(isBack()).toBe(false)
    // It is proven once more.
    await world.timeline.until(isBack, 20_000)
    expect(learners.joined).toBe(2)
  })

  it('TC3 is not made where pages of its volumes are lost', async () => {
    const { world, copy, isBack } = await away(14)
    const { store } = world.member(a)
    store.hasLost = () => true
    await world.finish(world.boot(copy))
    await world.timeline.run(world.timeline.nowMs + 6_000)
    expect(isBack()).toBe(false)
    store.hasLost = () => false
    await world.timeline.until(isBack, 20_000)
  })
})
