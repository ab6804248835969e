import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  lanesInOrder,
  type TestSession,
  VolumeGroup,
  type VolumeMember,
} from '../../test/kit/volume-group.ts'
import { generation, memberId, sessionId, sliceId, volumeId } from '../base/ids.ts'
import { RUN_BYTES, UNMAP_BYTES_MAX } from '../base/sizes.ts'
import { keys } from '../group/record.ts'
import { SessionCounters } from '../load/counters.ts'
import type { CompareOutcome, Outcome } from '../slice/outcome.ts'

const counters = new SessionCounters()

function originOf({ sessionId, gen }: TestSession) {
  return { session: sessionId, gen }
}

function filled(bytes: number, value: number): Uint8Array {
  return new Uint8Array(bytes).fill(value)
}

/** The gateway of a member, for one session, with the waiting. */
function use(world: VolumeGroup, member: VolumeMember, session: TestSession) {
  const { gateway } = member
  const finish = <T>(outcome: T | Promise<T>) => world.finish(Promise.resolve(outcome))
  return {
    write: (offset: number, data: Uint8Array) =>
      gateway.write(originOf(session), world.volume, offset, data, counters),
    unmap: (offset: number, bytes: number) =>
      finish(gateway.unmap(originOf(session), world.volume, offset, bytes, counters)),
    compare: (offset: number, verify: Uint8Array, data: Uint8Array) =>
      gateway.compareAndWrite(originOf(session), world.volume, offset, { verify, data }, counters),
    read: async (offset: number, bytes: number): Promise<Uint8Array | Outcome> => {
      const into = filled(bytes, 0xee)
      const outcome = await finish(
        gateway.read(originOf(session), world.volume, offset, into, counters),
      )
      return outcome === 'done' ? into : outcome
    },
    finish,
  }
}

/** A session at each member. */
async function everywhere(world: VolumeGroup) {
  const users: ReturnType<typeof use>[] = []
  for (const name of world.names) {
    users.push(use(world, world.member(name), await world.finish(world.login(name))))
  }
  return users
}

/** Without a list of every byte that differs. */
function same(actual: Uint8Array | Outcome, expected: ArrayLike<number>): void {
  const wanted = Uint8Array.from(expected)
  if (typeof actual === 'string') expect(actual).toBe('bytes')
  else expect(actual.findIndex((byte, i) => byte !== wanted[i])).toBe(-1)
  expect(actual.length).toBe(wanted.length)
}

async function settled(
  world: VolumeGroup,
  outcome: CompareOutcome | Promise<CompareOutcome>,
  ms: number,
) {
  let result: CompareOutcome | null = null
  void Promise.resolve(outcome).then((late) => {
    result = late
  })
  await world.timeline.run(world.timeline.nowMs + ms)
  return result as CompareOutcome | null
}

describe('gateway', () => {
  it('any member reads what any member wrote, across runs, aligned or not', async () => {
    const world = await VolumeGroup.found(1)
    const users = await everywhere(world)
    const at = 3 * RUN_BYTES - 5_000
    const data = new Uint8Array(12_345).map((_, i) => i * 7)
    for (const [i, { write, finish }] of users.entries()) {
      data[0] = i
      expect(await finish(write(at, data))).toBe('done')
      const around = [...filled(100, 0), ...data, ...filled(100, 0)]
      for (const { read } of users) same(await read(at - 100, data.length + 200), around)
    }
  })

  it('long commands are cut into requests and put together again', async () => {
    const world = await VolumeGroup.found(2)
    const data = new Uint8Array(3 * 1024 * 1024 + 512).map((_, i) => i ^ (i >>> 9))
    for (const [i, { write, read, finish }] of (await everywhere(world)).entries()) {
      data.fill(i, 0, 100)
      expect(await finish(write(RUN_BYTES - 1024 * 1024, data))).toBe('done')
      same(await read(RUN_BYTES - 1024 * 1024, data.length), data)
    }
  })

  it('unmapped bytes read as zeros, their neighbours stay', async () => {
    const world = await VolumeGroup.found(3)
    const extents = [
      [512, 100_000],
      [4096, 8192],
      [1000, 50],
      [0, 16_384],
      [4000, 8300],
    ] as const
    for (const { write, unmap, read, finish } of await everywhere(world)) {
      for (const at of [0, RUN_BYTES]) {
        for (const [from, bytes] of extents) {
          await finish(write(at, filled(128 * 1024, 9)))
          expect(await unmap(at + from, bytes)).toBe('done')
          same(await read(at, 128 * 1024), filled(128 * 1024, 9).fill(0, from, from + bytes))
        }
      }
    }
  })

  it('counts pieces and bytes by the member that holds them', async () => {
    const world = await VolumeGroup.found(4)
    const session = await world.finish(world.login(memberId('a')))
    const { gateway } = world.member(memberId('a'))
    const mine = new SessionCounters()
    const into = new Uint8Array(8192)
    await world.finish(
      Promise.resolve(gateway.read(originOf(session), world.volume, RUN_BYTES - 4096, into, mine)),
    )
    const [a, b, c] = world.names.map((name) => gateway.primaryIndex(name))
    expect(mine.piecesByPrimary[a ?? -1]).toBe(1)
    expect(mine.bytesByPrimary[b ?? -1]).toBe(4096)
    expect(mine.bytesByPrimary[c ?? -1]).toBe(0)
  })

  it('reads of this member come at once when the store is quick', async () => {
    const world = await VolumeGroup.found(5)
    const session = await world.finish(world.login(memberId('a')))
    const into = new Uint8Array(4096)
    const { gateway } = world.member(memberId('a'))
    const outcomes = Array.from({ length: 50 }, () =>
      gateway.read(originOf(session), world.volume, 0, into, counters),
    )
    expect(outcomes).toContain('done')
    await world.finish(Promise.all(outcomes))
  })

  it('W1 operations wait for a primary that is away, and for one that has not started', async () => {
    const world = await VolumeGroup.found(6)
    const session = await world.finish(world.login(memberId('a')))
    const { write, read, finish } = use(world, world.member(memberId('a')), session)
    world.crash(memberId('b'))
    const outcome = write(RUN_BYTES, filled(4096, 5))
    expect(await settled(world, outcome, 30_000)).toBeNull()
    world.coordination.cut('b', 'drop')
    const booting = world.boot(memberId('b'))
    expect(await settled(world, outcome, 5_000)).toBeNull()
    world.coordination.heal('b')
    await finish(booting)
    expect(await finish(outcome)).toBe('done')
    same(await read(RUN_BYTES, 4096), filled(4096, 5))
    expect(world.member(memberId('a')).gateway.waiting).toBe(0)
  })

  it('W1 operations and fences follow a slice to its new primary', async () => {
    const world = await VolumeGroup.found(7)
    const session = await world.finish(world.login(memberId('a')))
    const { write, finish } = use(world, world.member(memberId('a')), session)
    world.net.cut('a', 'b', 'drop')
    const outcome = write(RUN_BYTES, filled(4096, 5)) // slice 1, at b
    const { gateway } = world.member(memberId('a'))
    gateway.fence(sessionId(3), generation(2))
    await world.timeline.run(world.timeline.nowMs + 2_000)
    expect(gateway.fenced(sessionId(3), generation(2))).toBe(false)
    const slice = {
      epoch: 9,
      primary: memberId('c'),
      inSync: [memberId('c')],
      want: [memberId('c')],
      min: 1,
    }
    await finish(Promise.all([1, 4].map((id) => world.put(keys.slice(sliceId(id)), slice))))
    expect(await finish(outcome)).toBe('done')
    expect(gateway.fenced(sessionId(3), generation(2))).toBe(true)
    expect(world.member(memberId('c')).slices.epochOf(sliceId(1))).toBeGreaterThan(9)
    expect(world.member(memberId('b')).slices.epochOf(sliceId(1))).toBe(0)
  })

  it('W1 W2 what comes to stale, late, is sent to the new primary under the same number', async () => {
    const world = await VolumeGroup.found(27)
    const session = await world.finish(world.login(memberId('a')))
    const { write, finish } = use(world, world.member(memberId('a')), session)
    const { gateway } = world.member(memberId('a'))
    world.member(memberId('a')).store.delayMs = [200, 200]
    const outcomes = [write(0, filled(4096, 1)), write(512, filled(512, 2))]
    const into = filled(4096, 9)
    const seen = gateway.read(originOf(session), world.volume, 0, into, counters)
    const slice = {
      epoch: 9,
      primary: memberId('c'),
      inSync: [memberId('c')],
      want: [memberId('c')],
      min: 1,
    }
    await finish(world.put(keys.slice(sliceId(0)), slice))
    expect(await finish(Promise.all(outcomes))).toEqual(['done', 'done'])
    const carriedOut = [...(world.durable.get(memberId('c'))?.applied.keys() ?? [])]
    expect(carriedOut.sort()).toEqual([1, 2].map((number) => `${session.sessionId}:1:0:${number}`))
    expect(await finish(seen)).toBe('done')
    expect(into.includes(9)).toBe(false)
    expect(await finish(write(0, filled(512, 3)))).toBe('done')
    expect([
      ...(world.durable.get(memberId('c'))?.operations.get(`${session.sessionId}:1:0`) ?? []),
    ]).toEqual([3])
  })

  it('W2 V3 a write whose answer was lost is carried out once, also by a primary that restarted', async () => {
    const world = await VolumeGroup.found(8)
    const session = await world.finish(world.login(memberId('a')))
    const { compare, write, read, finish } = use(world, world.member(memberId('a')), session)
    const zeros = filled(512, 0)
    await finish(write(RUN_BYTES, filled(512, 0)))
    world.net.cutOneWay('b', 'a', 'drop') // requests arrive, answers do not
    const swap = compare(RUN_BYTES, zeros, filled(512, 1))
    await world.timeline.run(world.timeline.nowMs + 400)
    expect(world.durable.get(memberId('b'))?.blocks.get(`1:${RUN_BYTES}`)?.[0]).toBe(1)
    world.crash(memberId('b'))
    await finish(world.boot(memberId('b')))
    world.net.healAll()
    expect(await finish(swap)).toBe('done') // again would miscompare
    same(await read(RUN_BYTES, 512), filled(512, 1))
    expect(
      [...(world.durable.get(memberId('b'))?.applied.values() ?? [])].every((times) => times === 1),
    ).toBe(true)
  })

  it('W2 what the gateway acknowledges is forgotten by the primary and its store', async () => {
    const world = await VolumeGroup.found(9)
    const session = await world.finish(world.login(memberId('a')))
    const { write, finish } = use(world, world.member(memberId('a')), session)
    for (let i = 0; i < 20; i += 1) await finish(write(RUN_BYTES, filled(4096, i)))
    const operations = world.durable.get(memberId('b'))?.operations.get(`${session.sessionId}:1:1`)
    expect([...(operations ?? [])]).toEqual([20])
  })

  it('W2 V3 writes whose primary is this member are numbered too, and acknowledged', async () => {
    const world = await VolumeGroup.found(8)
    const session = await world.finish(world.login(memberId('a')))
    const { write, compare, unmap, read, finish } = use(world, world.member(memberId('a')), session)
    const numbers = () => [...(world.durable.get(memberId('a'))?.operations.get(name) ?? [])]
    const name = `${session.sessionId}:1:0`
    const both = [write(0, filled(4096, 1)), compare(4096, filled(512, 0), filled(512, 2))]
    expect(await finish(Promise.all(both))).toEqual(['done', 'done'])
    expect(numbers()).toEqual([1, 2])
    expect(await unmap(0, 4096)).toBe('done')
    expect(numbers()).toEqual([3])
    expect(await finish(compare(4096, filled(512, 0), filled(512, 9)))).toMatchObject({ offset: 0 })
    expect(await finish(write(0, filled(512, 5)))).toBe('done')
    expect(numbers()).toEqual([5])
    expect(await read(0, 512)).toEqual(filled(512, 5))
  })

  it('W3 a fence stops the old generation at every primary, and is known everywhere in the end', async () => {
    const world = await VolumeGroup.found(10)
    const old = await world.finish(world.login(memberId('a')))
    const next = await world.finish(world.login(memberId('c')))
    const before = use(world, world.member(memberId('a')), old)
    const after = use(world, world.member(memberId('c')), next)
    world.net.cut('c', 'b', 'drop')
    const { gateway } = world.member(memberId('c'))
    gateway.fence(old.sessionId, generation(2))
    await world.timeline.run(world.timeline.nowMs + 500)
    expect(gateway.fenced(old.sessionId, generation(2))).toBe(false)
    expect(await before.finish(before.write(0, filled(4096, 1)))).toBe('refused')
    expect(await before.finish(before.write(2 * RUN_BYTES, filled(4096, 1)))).toBe('refused')
    expect(await before.finish(before.write(RUN_BYTES, filled(4096, 1)))).toBe('done') // b has not heard of it
    const overwrite = after.write(RUN_BYTES, filled(4096, 2)) // behind the fence on c's stream
    world.net.healAll()
    expect(await after.finish(overwrite)).toBe('done')
    expect(await before.finish(before.write(RUN_BYTES, filled(4096, 3)))).toBe('refused')
    await world.timeline.until(() => gateway.fenced(old.sessionId, generation(2)))
    expect(gateway.fenced(old.sessionId, generation(3))).toBe(false)
    expect([...gateway.fencedSessions()]).toEqual([old.sessionId])
    gateway.unfence(old.sessionId)
    expect([...gateway.fencedSessions()]).toEqual([])
  })

  it('W3 a slice that was raised after the death needs no acknowledgement', async () => {
    const world = await VolumeGroup.found(11)
    const old = await world.finish(world.login(memberId('a')))
    await world.finish(world.raise(old, memberId('a'), 'dead'))
    world.crash(memberId('b'))
    const { gateway } = world.member(memberId('c'))
    gateway.fence(old.sessionId, generation(2))
    await world.timeline.run(world.timeline.nowMs + 1_000)
    expect(gateway.fenced(old.sessionId, generation(2), old.rev)).toBe(false)
    world.net.cut('c', 'b', 'drop')
    await world.finish(world.boot(memberId('b')))
    await world.timeline.until(() => gateway.fenced(old.sessionId, generation(2), old.rev))
    expect(gateway.fenced(old.sessionId, generation(2))).toBe(false)
  })

  it('W4 an ended session comes to refused, touches nothing more and is not begun again', async () => {
    const world = await VolumeGroup.found(12)
    const session = await world.finish(world.login(memberId('a')))
    const { write, read, finish } = use(world, world.member(memberId('a')), session)
    world.net.cut('a', 'b', 'stick')
    const into = filled(4096, 0xee)
    const reading = world
      .member(memberId('a'))
      .gateway.read(originOf(session), world.volume, RUN_BYTES, into, counters)
    const writing = write(RUN_BYTES, filled(4096, 5))
    await world.timeline.run(world.timeline.nowMs + 100)
    world.member(memberId('a')).gateway.endSession(session.sessionId, session.gen)
    expect(await finish(reading)).toBe('refused')
    expect(await finish(writing)).toBe('refused')
    into.fill(0xaa)
    world.net.healAll()
    await world.timeline.run(world.timeline.nowMs + 3_000)
    same(into, filled(4096, 0xaa))
    expect(await finish(write(0, filled(4096, 5)))).toBe('refused')
    expect(await read(0, 4096)).toBe('refused')
    const later = use(world, world.member(memberId('a')), { ...session, gen: generation(2) })
    expect(await finish(later.write(RUN_BYTES, filled(4096, 6)))).toBe('done')
  })

  it('W5 an operation of an ended generation is not sent after a late stale', async () => {
    for (const verb of ['read', 'write'] as const) {
      const world = await VolumeGroup.found(15)
      const session = await world.finish(world.login(memberId('a')))
      const { write, read, finish } = use(world, world.member(memberId('a')), session)
      const { slices, gateway } = world.member(memberId('a'))
      const { promise, resolve } = Promise.withResolvers<'stale'>()
      let asked = 0
      const late = () => {
        asked += 1
        return promise
      }
      slices.read = late
      slices.mutate = late
      const outcome = verb === 'read' ? read(0, 4096) : finish(write(0, filled(4096, 5)))
      gateway.endSession(session.sessionId, session.gen)
      resolve('stale')
      expect(await outcome).toBe('refused')
      expect([asked, gateway.waiting]).toEqual([1, 0])
    }
  })

  it('what follows the view ends with it', async () => {
    const world = await VolumeGroup.found(14)
    const { group } = world.member(memberId('a'))
    const changed = group.changed.bind(group)
    let asked = 0
    group.changed = () => {
      asked += 1
      if (asked > 100) throw new Error('asked again and again')
      return changed()
    }
    group.close()
    await world.timeline.run(world.timeline.nowMs + 1_000)
    expect(asked).toBe(0)
  })

  it('W6 an unmap is one request for each slice and moves no bytes, whatever it names', async () => {
    const world = await VolumeGroup.found(21)
    const session = await world.finish(world.login(memberId('a')))
    const { gateway } = world.member(memberId('a'))
    const mine = new SessionCounters()
    const { write, read, finish } = use(world, world.member(memberId('a')), session)
    const places = [0, 1, 7, 40, 100, 127].map((run) => run * RUN_BYTES + 4096 * run)
    for (const at of places) expect(await finish(write(at, filled(4096, 3)))).toBe('done')
    const unmapped = gateway.unmap(
      originOf(session),
      world.volume,
      512,
      UNMAP_BYTES_MAX - 512,
      mine,
    )
    expect(await finish(unmapped)).toBe('done')
    expect(mine.piecesByPrimary.reduce((sum, pieces) => sum + pieces, 0)).toBe(6)
    expect(mine.bytesByPrimary.reduce((sum, bytes) => sum + bytes, 0)).toBe(0)
    for (const at of places.slice(1)) same(await read(at, 4096), filled(4096, 0))
    same(await read(0, 4096), [...filled(512, 3), ...filled(3584, 0)])
    const blocks = world.names.flatMap((name) => [...(world.durable.get(name)?.blocks ?? [])])
    expect(blocks.length).toBe(1)
  })

  it('M1 an unmap leaves what is absent absent, and the rest of blocks that it takes in part', async () => {
    const world = await VolumeGroup.found(22)
    const users = await everywhere(world)
    const [first, second] = users
    if (first === undefined || second === undefined) throw new Error('three members')
    const reach = 24 * 1024
    // Over the end of a run, so that the first and the last block may be of different slices.
    const start = 3 * RUN_BYTES - reach / 2
    const block = (at: number) => Math.floor((start + at) / 4096)
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.boolean(), fc.nat(reach - 1), fc.nat(reach)), { maxLength: 12 }),
        async (steps) => {
          expect(await first.unmap(start, reach)).toBe('done')
          const model = new Uint8Array(reach)
          const made = new Set<number>()
          for (const [isWrite, sector, length] of steps) {
            const from = sector - (sector % 512)
            const bytes = Math.min(reach - from, length - (length % 512) + 512)
            if (isWrite) {
              const value = 1 + (sector % 250)
              expect(await first.finish(first.write(start + from, filled(bytes, value)))).toBe(
                'done',
              )
              model.fill(value, from, from + bytes)
              for (let at = block(from); at <= block(from + bytes - 1); at += 1) made.add(at)
            } else {
              expect(await second.unmap(start + from, bytes)).toBe('done')
              model.fill(0, from, from + bytes)
            }
          }
          same(await second.read(start, reach), model)
          const blocks = world.names.flatMap((name) => [
            ...(world.durable.get(name)?.blocks.keys() ?? []),
          ])
          for (const key of blocks) {
            const at = Number(key.split(':')[1])
            expect(made.has(at / 4096)).toBe(true)
            // Only what holds something is kept.
            expect(model.subarray(at - start, at - start + 4096).some((byte) => byte !== 0)).toBe(
              true,
            )
          }
        },
      ),
      { numRuns: 60, seed: 3 },
    )
  })

  it('AL1 AL2 what is there is what the primaries say, put together, so many extents at a time', async () => {
    const world = await VolumeGroup.found(23)
    const session = await world.finish(world.login(memberId('a')))
    const { gateway } = world.member(memberId('a'))
    const { write, finish } = use(world, world.member(memberId('a')), session)
    const reach = 40 * RUN_BYTES
    const all = async () => {
      const found: (readonly [number, number])[] = []
      for (let from = 0; from < reach; ) {
        const { upTo, extents } = await finish(gateway.allocation(world.volume, from, reach, 3))
        expect(extents.length).toBeLessThanOrEqual(3)
        expect(upTo).toBeGreaterThan(from)
        found.push(...extents)
        from = upTo
      }
      return found
    }
    expect(await all()).toEqual([])
    const places = [0, 1, 2, 3, 11, 12, 13, 30, 39].map((run) => run * RUN_BYTES + 8192)
    for (const at of places) expect(await finish(write(at, filled(8192, 1)))).toBe('done')
    // Over the end of a run: of two primaries, and one extent.
    expect(await finish(write(5 * RUN_BYTES - 4096, filled(8192, 1)))).toBe('done')
    const extents = [
      ...places.map((at) => [at, at + 8192]),
      [5 * RUN_BYTES - 4096, 5 * RUN_BYTES + 4096],
    ]
    expect(await all()).toEqual(extents.sort(([a = 0], [b = 0]) => a - b))
  })

  it('AL1 what a silent member has is told as if it were there', async () => {
    const world = await VolumeGroup.found(24)
    const { gateway } = world.member(memberId('a'))
    world.crash(memberId('b'))
    const asked = gateway.allocation(world.volume, 4096, 6 * RUN_BYTES, 100)
    const { upTo, extents } = await world.finish(asked)
    expect(upTo).toBe(6 * RUN_BYTES)
    // Of six slices in the order of the runs, b has the second and the fifth.
    expect(extents).toEqual([
      [RUN_BYTES, 2 * RUN_BYTES],
      [4 * RUN_BYTES, 5 * RUN_BYTES],
    ])
  })

  it('a volume that is gone is gone, one that is new is waited for', async () => {
    const world = await VolumeGroup.found(13)
    const session = await world.finish(world.login(memberId('a')))
    const { write, finish } = use(world, world.member(memberId('a')), session)
    world.volume = { ...world.volume, id: volumeId(2) }
    expect(await finish(write(0, filled(4096, 1)))).toBe('gone')
    expect(await finish(write(RUN_BYTES, filled(4096, 1)))).toBe('gone')
    world.volume = {
      ...world.volume,
      id: volumeId(3),
      lanes: lanesInOrder(3, world.volume.lanes.length),
    }
    world.coordination.cut('b', 'drop') // b hears late of the new volume
    await finish(world.put(keys.volume(volumeId(3)), world.volume))
    const outcome = write(RUN_BYTES, filled(4096, 1))
    expect(await settled(world, outcome, 3_000)).toBeNull()
    world.coordination.heal('b')
    expect(await finish(outcome)).toBe('done')
  })
})
