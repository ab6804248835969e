import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { type TestSession, VolumeGroup } from '../../test/kit/volume-group.ts'
import { generation, memberId, NO_REVISION, sliceId, volumeId } from '../base/ids.ts'
import { RUN_BYTES } from '../base/sizes.ts'
import { keys } from '../group/record.ts'
import { changeVolume } from '../group/volumes.ts'
import type { Mutation } from '../peer/operation.ts'
import type { CompareOutcome } from './outcome.ts'
import type { Slices } from './slices.ts'

const BLOCK = 4096

function originOf({ sessionId, gen }: TestSession) {
  return { session: sessionId, gen }
}

/** A group of one, so that every slice is at its slices. */
async function alone(seed: number) {
  const world = await VolumeGroup.found(seed, { members: [memberId('a')], slices: 2 })
  const session = await world.finish(world.login(memberId('a')))
  return { world, session }
}

const zeros = new Uint8Array(512)
const of = (primary: string) => ({ primary, inSync: [primary], want: [primary], min: 1 })
let numbers = 100

/** Each with a number of its own. */
function mutation(
  session: TestSession,
  offset: number,
  data: Uint8Array | null,
  more: Partial<Mutation> = {},
): Mutation {
  const slice = sliceId(Math.floor(offset / RUN_BYTES) % 2)
  const fixed = { volume: volumeId(1), slice, offset, bytes: data?.length ?? 0, data, verify: null }
  numbers += 1
  const whole = { ...originOf(session), ...fixed, number: numbers, acknowledged: 0 }
  return { ...whole, seq: 0, checksums: null, ...more }
}

/** Begins it while the store takes so long for a read. */
function whileReadsTake(ms: number, world: VolumeGroup, begun: Mutation) {
  const { slices, store, clock } = world.member(memberId('a'))
  const { read } = store
  store.read = (...of) =>
    new Promise((resolve) => {
      clock.after(ms, () => resolve(read.apply(store, of)))
    })
  const outcome = slices.mutate(begun)
  store.read = read
  return outcome
}

async function read(slices: Slices, session: TestSession, offset: number, bytes: number) {
  const into = new Uint8Array(bytes).fill(0xee)
  const slice = sliceId(Math.floor(offset / RUN_BYTES) % 2)
  const outcome = await slices.read(originOf(session), volumeId(1), slice, offset, into)
  return outcome === 'done' ? into : outcome
}

describe('primary', () => {
  it('V1 nothing is served before epochs and generations are there, whatever the coordinator does', async () => {
    const { world, session } = await alone(1)
    const before = world.member(memberId('a')).slices.epochOf(sliceId(0))
    world.crash(memberId('a'))
    await world.finish(world.raise(session, memberId('a'), 'live'))
    world.coordination.set({ loseAnswerChance: 0.7, loseRequestChance: 0.3 })
    let isUp = false
    const booting = world.boot(memberId('a')).then((member) => {
      isUp = true
      return member
    })
    await world.timeline.until(() => world.members.has(memberId('a')), 600_000)
    const { slices } = world.member(memberId('a'))
    expect(slices.isServing).toBe(false)
    expect(slices.mutate(mutation(session, 0, new Uint8Array(BLOCK)))).toBe('stale')
    expect(() => slices.fence(session.sessionId, generation(9))).toThrow('V1')
    await world.timeline.until(() => isUp, 600_000)
    await booting
    expect(slices.epochOf(sliceId(0))).toBeGreaterThan(before)
    const stored = world.coordination.inspect(keys.slice(sliceId(0)))[0]?.value ?? '{}'
    await world.timeline.run(world.timeline.nowMs + 5_000)
    expect(slices.epochOf(sliceId(0))).toBe((JSON.parse(stored) as { epoch: number }).epoch)
    const old = { ...session, gen: generation(1) }
    expect(slices.mutate(mutation(old, 0, new Uint8Array(BLOCK)))).toBe('refused')
  })

  it('V1 after a restart retired sessions are refused, FENCEs of them ignored, newer ones served', async () => {
    const { world, session } = await alone(2)
    const other = await world.finish(world.login(memberId('a')))
    await world.finish(world.retire(session))
    world.crash(memberId('a'))
    const { slices } = await world.finish(world.boot(memberId('a')))
    expect(slices.mutate(mutation(session, 0, new Uint8Array(BLOCK)))).toBe('refused')
    slices.fence(session.sessionId, generation(5))
    expect(
      slices.mutate(mutation({ ...session, gen: generation(5) }, 0, new Uint8Array(BLOCK))),
    ).toBe('refused')
    const fresh = await world.finish(world.login(memberId('a')))
    for (const one of [other, fresh]) {
      const outcome = Promise.resolve(slices.mutate(mutation(one, 0, new Uint8Array(BLOCK))))
      expect(await world.finish(outcome)).toBe('done')
    }
  })

  it('retired sessions are forgotten while it serves, and refused from then on', async () => {
    const { world, session } = await alone(3)
    const { slices } = world.member(memberId('a'))
    const numbered = { number: 1 }
    await world.finish(
      Promise.resolve(slices.mutate(mutation(session, 0, new Uint8Array(BLOCK), numbered))),
    )
    expect(world.durable.get(memberId('a'))?.operations.size).toBe(1)
    await world.finish(world.retire(session))
    await world.timeline.run(world.timeline.nowMs + 25_000)
    expect(world.durable.get(memberId('a'))?.operations.size).toBe(0)
    expect(slices.mutate(mutation(session, 0, new Uint8Array(BLOCK)))).toBe('refused')
  })

  it('sessions that were retired while the member was down are forgotten, others are not', async () => {
    const { world, session } = await alone(3)
    const other = await world.finish(world.login(memberId('a')))
    const { slices } = world.member(memberId('a'))
    for (const one of [session, other]) {
      const numbered = mutation(one, 0, new Uint8Array(BLOCK), { number: 1 })
      await world.finish(Promise.resolve(slices.mutate(numbered)))
    }
    world.crash(memberId('a'))
    await world.finish(world.retire(session))
    await world.finish(world.boot(memberId('a')))
    const remembered = [...(world.durable.get(memberId('a'))?.operations.keys() ?? [])]
    expect(remembered).toEqual([`${other.sessionId}:1:0`])
  })

  it('V2 a write that has its place goes on though its session ends, and every later read sees it', async () => {
    const { world, session } = await alone(4)
    const { slices, store } = world.member(memberId('a'))
    store.delayMs = [50, 50]
    const first = slices.mutate(mutation(session, 0, new Uint8Array(BLOCK).fill(1)))
    const second = slices.mutate(mutation(session, 512, new Uint8Array(512).fill(2)))
    slices.fence(session.sessionId, generation(2))
    const later = { ...session, gen: generation(2) }
    const seen = read(slices, later, 0, 1536)
    expect(slices.mutate(mutation(session, 0, new Uint8Array(BLOCK).fill(3)))).toBe('refused')
    expect(await world.finish(Promise.all([first, second]))).toEqual(['done', 'done'])
    const expected = new Uint8Array(1536).fill(1).fill(2, 512, 1024)
    expect(await world.finish(seen)).toEqual(expected)
  })

  it('V3 an operation sent again while under way, and after it, has the same answer and is carried out once', async () => {
    const { world, session } = await alone(5)
    const { slices } = world.member(memberId('a'))
    const swap = mutation(session, 0, new Uint8Array(512).fill(7), { verify: zeros, number: 1 })
    const twice = [slices.mutate(swap), slices.mutate(swap)]
    expect(await world.finish(Promise.all(twice))).toEqual(['done', 'done'])
    expect(await slices.mutate(swap)).toBe('done')
    const fails = mutation(session, 0, new Uint8Array(512).fill(8), { verify: zeros, number: 2 })
    const miscompare = { kind: 'miscompare', offset: 0 }
    expect(await world.finish(Promise.resolve(slices.mutate(fails)))).toEqual(miscompare)
    await world.finish(Promise.resolve(slices.mutate(mutation(session, 0, zeros, { number: 3 }))))
    expect(await slices.mutate(fails)).toEqual(miscompare) // not compared again
    const acknowledging = mutation(session, BLOCK, zeros, { number: 4, acknowledged: 3 })
    await world.finish(Promise.resolve(slices.mutate(acknowledging)))
    expect(slices.mutate(swap)).toBe('refused') // acknowledged: nobody waits for it
    expect(
      [...(world.durable.get(memberId('a'))?.operations.values() ?? [])].map((set) => [...set]),
    ).toEqual([[4]])
  })

  it('V9 a view that this member has not heard of is looked for, and an older one is over', async () => {
    const { world } = await alone(15)
    const { slices, group } = world.member(memberId('a'))
    const id = volumeId(1)
    const { record, change } = changeVolume(world.volume, group.volumeRevs.get(id) ?? NO_REVISION, {
      bytes: 2 * world.volume.bytes,
    })
    const { view } = world.volume
    const asks = vi.spyOn(group, 'refresh')
    expect([slices.isOfView(id, view), slices.isOfView(id, view + 1)]).toEqual([true, false])
    expect(slices.isOfView(volumeId(9), 1)).toBe(true)
    expect(asks).toHaveBeenCalledTimes(1)
    expect((await world.finish(world.coordinator.txn(change))).kind).toBe('done')
    expect(record.view).toBe(view + 1)
    slices.isOfView(id, record.view)
    await world.timeline.until(() => slices.isOfView(id, record.view))
    expect(slices.isOfView(id, view)).toBe(false)
  })

  it('V3 each mutation has a place in the order of its slice, which it keeps when it is sent again', async () => {
    const { world, session } = await alone(16)
    const { slices } = world.member(memberId('a'))
    const [one, two] = [1, 2].map((n) => mutation(session, 0, new Uint8Array(BLOCK), { number: n }))
    if (one === undefined || two === undefined) throw new Error('two were made')
    const again = { ...one }
    const coming = [one, two, again].map((each) => slices.mutate(each))
    expect(await world.finish(Promise.all(coming))).toEqual(['done', 'done', 'done'])
    expect([one.seq, two.seq, again.seq]).toEqual([1, 2, 1])
  })

  it('V10 what writes nothing takes no number, so those of a slice have no gap', async () => {
    const { world, session } = await alone(17)
    const { slices, store } = world.member(memberId('a'))
    vi.spyOn(store, 'holds').mockImplementation(({ offset }) => offset === 0)
    const one = mutation(session, 0, new Uint8Array(BLOCK).fill(1), { number: 1 })
    const swap = { verify: new Uint8Array(512).fill(9), number: 2 }
    const fails = mutation(session, 0, new Uint8Array(512).fill(2), swap)
    const finds = mutation(session, 0, null, { bytes: BLOCK, number: 3 })
    const nothing = mutation(session, BLOCK, null, { bytes: BLOCK, number: 4 })
    const last = mutation(session, BLOCK, new Uint8Array(BLOCK).fill(3), { number: 5 })
    const all = [one, fails, finds, nothing, last]
    const outcomes = await world.finish(Promise.all(all.map((each) => slices.mutate(each))))
    expect(outcomes).toEqual(['done', { kind: 'miscompare', offset: 0 }, 'done', 'done', 'done'])
    expect(all.map(({ seq }) => seq)).toEqual([1, 0, 3, 0, 2])
  })

  it('V4 a miscompare names the first byte that differs and writes nothing', async () => {
    const { world, session } = await alone(6)
    const { slices } = world.member(memberId('a'))
    await world.finish(
      Promise.resolve(slices.mutate(mutation(session, 0, new Uint8Array(BLOCK).fill(5)))),
    )
    const verify = new Uint8Array(512).fill(5)
    verify[300] = 6
    const swap = mutation(session, 1024, new Uint8Array(512).fill(9), { verify })
    expect(await world.finish(Promise.resolve(slices.mutate(swap)))).toEqual({
      kind: 'miscompare',
      offset: 300,
    })
    expect(await world.finish(read(slices, session, 0, BLOCK))).toEqual(
      new Uint8Array(BLOCK).fill(5),
    )
  })

  it('V4 of many comparisons with the same bytes exactly one writes', async () => {
    for (let seed = 10; seed < 20; seed += 1) {
      const { world, session } = await alone(seed)
      const { slices } = world.member(memberId('a'))
      for (let round = 0; round < 5; round += 1) {
        const verify = new Uint8Array(512).fill(round)
        const swaps = Array.from({ length: 8 }, () => {
          const data = new Uint8Array(512).fill(round + 1)
          return slices.mutate(mutation(session, 512, data, { verify }))
        })
        const outcomes = await world.finish(Promise.all(swaps))
        expect(outcomes.filter((outcome) => outcome === 'done').length).toBe(1)
      }
    }
  })

  it('V2 V4 writes of any bytes at once come out as if one after the other, in their order', async () => {
    const commands = fc.array(
      fc.record({
        kind: fc.constantFrom('write' as const, 'write' as const, 'unmap' as const),
        from: fc.nat(5 * BLOCK),
        bytes: fc.integer({ min: 1, max: 2 * BLOCK }),
        pauseMs: fc.constantFrom(0, 0, 0, 1, 3),
      }),
      { minLength: 1, maxLength: 30 },
    )
    await fc.assert(
      fc.asyncProperty(commands, fc.nat(1000), async (all, seed) => {
        const { world, session } = await alone(seed)
        const { slices } = world.member(memberId('a'))
        const model = new Uint8Array(8 * BLOCK)
        const waiting: Promise<unknown>[] = []
        for (const [i, command] of all.entries()) {
          const { offset, bytes, data } = partOf(command, i + 1)
          const outcome = slices.mutate(mutation(session, offset, data, { bytes }))
          waiting.push(Promise.resolve(outcome).then((done) => expect(done).toBe('done')))
          model.set(data ?? new Uint8Array(bytes), offset)
          await world.timeline.run(world.timeline.nowMs + command.pauseMs)
        }
        await world.finish(Promise.all(waiting))
        expect(await world.finish(read(slices, session, 0, model.length))).toEqual(model)
      }),
      { numRuns: 60 },
    )
  })

  it('V8 what is under way when the slice leaves comes to stale, late, and nothing more is written', async () => {
    const { world, session } = await alone(11)
    const { slices, store } = world.member(memberId('a'))
    store.delayMs = [100, 100]
    const first = mutation(session, 0, new Uint8Array(BLOCK).fill(1))
    const outcomes = [
      slices.mutate(first),
      slices.mutate(mutation(session, 512, new Uint8Array(512).fill(2))),
      slices.mutate(mutation(session, 512, zeros, { verify: new Uint8Array(512).fill(1) })),
      slices.read(originOf(session), volumeId(1), sliceId(0), 0, new Uint8Array(BLOCK)),
    ]
    await world.finish(world.put(keys.slice(sliceId(0)), { ...of('b'), epoch: 9 }))
    expect(await world.finish(Promise.all(outcomes))).toEqual(outcomes.map(() => 'stale'))
    const { applied } = world.durable.get(memberId('a')) ?? expect.unreachable('it has a disk')
    expect([...applied.keys()]).toEqual([`${session.sessionId}:1:0:${first.number}`])
    expect(slices.mutate(first)).toBe('stale')
  })

  it('V8 V3 a slice that comes back is served when all from before is over, and what was written then is not again', async () => {
    const { world, session } = await alone(12)
    const { slices, store } = world.member(memberId('a'))
    store.delayMs = [400, 400]
    const first = mutation(session, 0, new Uint8Array(BLOCK).fill(1))
    // Behind it in the journal is the promise of the next epoch; what reads the rest of its block is not.
    const slow = mutation(session, 2 * BLOCK + 512, new Uint8Array(512))
    const late = Promise.all([slices.mutate(first), whileReadsTake(2_000, world, slow)])
    let isOver = false
    void late.then(() => {
      isOver = true
    })
    await world.finish(world.put(keys.slice(sliceId(0)), { ...of('b'), epoch: 9 }))
    await world.timeline.until(() => slices.epochOf(sliceId(0)) === 0)
    await world.finish(world.put(keys.slice(sliceId(0)), { ...of('a'), epoch: 10 }))
    await world.timeline.until(() => slices.epochOf(sliceId(0)) > 10)
    expect(isOver).toBe(true)
    expect(await late).toEqual(['stale', 'stale'])
    expect(slices.mutate(first)).toBe('done')
    const part = mutation(session, 512, new Uint8Array(512).fill(2))
    expect(await world.finish(Promise.resolve(slices.mutate(part)))).toBe('done')
    const expected = new Uint8Array(1536).fill(1).fill(2, 512, 1024)
    expect(await world.finish(read(slices, session, 0, 1536))).toEqual(expected)
    expect([...(world.durable.get(memberId('a'))?.applied.values() ?? [])]).toEqual([1, 1])
  })

  it('V5 a store that fails answers nothing more for those blocks', async () => {
    const { world, session } = await alone(7)
    const { slices, store } = world.member(memberId('a'))
    const write = store.write.bind(store)
    store.write = () => Promise.reject(new Error('the disk is gone'))
    const failed = Promise.resolve(slices.mutate(mutation(session, 0, new Uint8Array(BLOCK))))
    await expect(world.finish(failed)).rejects.toThrow('the disk is gone')
    store.write = write
    let later: CompareOutcome | 'stale' | null = null
    void Promise.resolve(slices.mutate(mutation(session, 0, new Uint8Array(BLOCK)))).then(
      (outcome) => {
        later = outcome
      },
    )
    await world.timeline.run(world.timeline.nowMs + 5_000)
    expect(later).toBeNull()
  })

  it('V6 the pages of a volume that was deleted are dropped, also after a restart, and no others', async () => {
    const { world, session } = await alone(8)
    const durable = world.durable.get(memberId('a'))
    const second = { ...world.volume, id: 2, iqn: 'iqn.test:w' }
    await world.finish(world.put(keys.volume(volumeId(2)), second))
    const both = [1, 2].map((volume) =>
      world
        .member(memberId('a'))
        .slices.mutate(
          mutation(session, 0, new Uint8Array(BLOCK).fill(volume), { volume: volumeId(volume) }),
        ),
    )
    expect(await world.finish(Promise.all(both))).toEqual(['done', 'done'])
    await world.timeline.run(world.timeline.nowMs + 25_000)
    expect([...(durable?.blocks.keys() ?? [])]).toEqual(['1:0', '2:0'])
    await world.finish(world.coordinator.txn({ remove: [keys.volume(volumeId(2))] }))
    await world.timeline.run(world.timeline.nowMs + 25_000)
    expect([...(durable?.blocks.keys() ?? [])]).toEqual(['1:0'])
    world.crash(memberId('a'))
    await world.finish(world.coordinator.txn({ remove: [keys.volume(volumeId(1))] }))
    await world.finish(world.boot(memberId('a')))
    await world.timeline.run(world.timeline.nowMs + 25_000)
    expect(durable?.blocks.size).toBe(0)
  })

  it('V7 a copy of the record that lacks what exists has nothing dropped and nothing forgotten', async () => {
    const { world, session } = await alone(9)
    const { slices, group } = world.member(memberId('a'))
    const durable = world.durable.get(memberId('a'))
    const numbered = mutation(session, 0, new Uint8Array(BLOCK).fill(1), { number: 1 })
    expect(await world.finish(Promise.resolve(slices.mutate(numbered)))).toBe('done')
    group.volumes.clear()
    group.sessions.clear()
    await world.timeline.run(world.timeline.nowMs + 25_000)
    expect([...(durable?.blocks.keys() ?? [])]).toEqual(['1:0'])
    expect(durable?.operations.size).toBe(1)
    group.volumes.set(volumeId(1), world.volume)
    expect(await world.finish(Promise.resolve(slices.mutate(numbered)))).toBe('done')
    expect([...(durable?.applied.values() ?? [])]).toEqual([1])
  })

  it('V7 what the coordinator does not answer about is kept', async () => {
    const { world, session } = await alone(10)
    const { slices } = world.member(memberId('a'))
    const durable = world.durable.get(memberId('a'))
    const numbered = mutation(session, 0, new Uint8Array(BLOCK).fill(1), { number: 1 })
    await world.finish(Promise.resolve(slices.mutate(numbered)))
    await world.finish(world.coordinator.txn({ remove: [keys.volume(volumeId(1)), session.key] }))
    await world.timeline.run(world.timeline.nowMs + 500)
    world.coordination.set({ loseRequestChance: 1 })
    await world.timeline.run(world.timeline.nowMs + 45_000)
    expect([durable?.blocks.size, durable?.operations.size]).toEqual([1, 1])
    world.coordination.set({ loseRequestChance: 0 })
    await world.timeline.run(world.timeline.nowMs + 25_000)
    expect([durable?.blocks.size, durable?.operations.size]).toEqual([0, 0])
  })
})

/** Any bytes of a write, one whole block of an unmap. */
function partOf(command: { kind: 'write' | 'unmap'; from: number; bytes: number }, value: number) {
  const { kind, from, bytes } = command
  if (kind === 'unmap') return { offset: from - (from % BLOCK), bytes: BLOCK, data: null }
  return { offset: from, bytes, data: new Uint8Array(bytes).fill(value) }
}
