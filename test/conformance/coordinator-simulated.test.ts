// The faults of the simulated coordinator are those that the port allows: lost and late calls, cuts, down times.
import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimCoordination, type SimCoordinationSettings } from '../../sim/coordinator.ts'
import { Timeline } from '../../sim/timeline.ts'
import { sleep } from '../../src/base/clock.ts'
import { NO_REVISION } from '../../src/base/ids.ts'
import { Prng } from '../../src/base/prng.ts'
import type { Coordinator } from '../../src/coordination/coordinator.ts'
import { done, increment, listed, range } from './coordinator-calls.ts'

function simulation(seed = 1, settings: Partial<SimCoordinationSettings> = {}) {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  return { timeline, clock, coordination: new SimCoordination(clock, new Prng(seed), settings) }
}

const put = { put: [{ key: 'a', value: '1' }] }

it('G2 a lost request is unknown and does nothing', async () => {
  const { timeline, coordination } = simulation(1, { loseRequestChance: 1 })
  const result = await timeline.finish(coordination.handle('m1').txn(put))
  expect(result.kind).toBe('unknown')
  expect(timeline.nowMs).toBeGreaterThanOrEqual(1_200)
  expect(coordination.rev).toBe(0)
})

it('G2 a lost answer is unknown though the transaction took effect', async () => {
  const { timeline, coordination } = simulation(1, { loseAnswerChance: 1 })
  expect((await timeline.finish(coordination.handle('m1').txn(put))).kind).toBe('unknown')
  expect(coordination.inspect('').map(({ value }) => value)).toEqual(['1'])
})

it('C1 a late request takes effect once, after its caller was told unknown', async () => {
  const { timeline, coordination } = simulation(1, { lateChance: 1, lateMs: [2_000, 2_000] })
  expect((await timeline.finish(coordination.handle('m1').txn(put))).kind).toBe('unknown')
  expect(coordination.rev).toBe(0)
  await timeline.run(60_000)
  expect(coordination.rev).toBe(1)
})

it('G2 a compare-and-swap of its own settles an unknown one: the late one is lost', async () => {
  const { timeline, coordination } = simulation()
  const handle = coordination.handle('m1')
  const { rev } = await timeline.finish(done(handle, put))
  coordination.set({ lateChance: 1, lateMs: [2_000, 2_000] })
  const swap = (value: string) => ({ compare: [{ key: 'a', rev }], put: [{ key: 'a', value }] })
  expect((await timeline.finish(handle.txn(swap('late')))).kind).toBe('unknown')
  coordination.set({ lateChance: 0 })
  await timeline.finish(done(handle, swap('settled')))
  await timeline.run(60_000)
  expect(coordination.inspect('').map(({ value }) => value)).toEqual(['settled'])
})

it('C3 a store that was put in place of another is not touched by who knew that one', async () => {
  const { timeline, coordination } = simulation()
  const handle = coordination.handle('m1')
  await timeline.finish(done(handle, put))
  const image = coordination.image()
  coordination.restore(image)
  expect((await timeline.finish(handle.txn(put))).kind).toBe('unknown')
  expect(coordination.image()).toEqual(image)
  expect(await timeline.finish(listed(coordination.handle('m1'), ''))).toEqual(image.items)
})

it('G2 while it is down nobody is answered; afterwards watches go on', async () => {
  const { timeline, coordination } = simulation()
  const [one, two] = [coordination.handle('m1'), coordination.handle('m2')]
  const watched = two.watch('', NO_REVISION).next()
  coordination.down(5_000)
  expect((await timeline.finish(one.txn(put))).kind).toBe('unknown')
  await timeline.run(6_000)
  await timeline.finish(done(one, put))
  expect(await timeline.finish(watched)).toMatchObject({ kind: 'changes', rev: 1 })
})

it('G2 a cut concerns its member alone; what was held arrives when it heals', async () => {
  const { timeline, coordination } = simulation()
  const [one, two] = [coordination.handle('m1'), coordination.handle('m2')]
  const watched = two.watch('', NO_REVISION).next()
  coordination.cut('m2', 'hold')
  const held = timeline.finish(two.txn({ put: [{ key: 'b', value: '' }] }))
  expect((await held).kind).toBe('unknown')
  expect((await timeline.finish(done(one, put))).rev).toBe(1)
  coordination.heal('m2')
  expect(await timeline.finish(watched)).toMatchObject({ kind: 'changes' })
  await timeline.run(timeline.nowMs + 1_000)
  expect(coordination.rev).toBe(2)
  coordination.cut('m2', 'drop')
  expect((await timeline.finish(two.txn(put))).kind).toBe('unknown')
  coordination.heal('m2')
  await timeline.run(timeline.nowMs + 1_000)
  expect(coordination.rev).toBe(2)
})

it('C1 nothing reaches a member while its host is paused, or once it is dead', async () => {
  const { timeline, coordination } = simulation()
  const host = new SimClock(timeline)
  const handle = coordination.handle('m1', (f) => host.deliver(f))
  let answers = 0
  const count = () => {
    answers += 1
  }
  const call = handle.txn(put).then(count)
  const watched = handle.watch('', NO_REVISION).next().then(count)
  host.pause()
  await timeline.run(5_000)
  expect([coordination.rev, answers]).toEqual([1, 0])
  host.resume()
  await timeline.finish(Promise.all([call, watched]))
  void handle.txn(put).then(count)
  host.kill()
  await timeline.run(20_000)
  expect([coordination.rev, answers]).toEqual([2, 2])
})

it('G1, G4 under all faults together nothing is counted that did not happen, and every watch sees all of it', async () => {
  for (const seed of range(1, 10)) await hard(seed)
})

it('C2 equal seeds give equal runs, others do not', async () => {
  const [first, again, other] = [await hard(7), await hard(7), await hard(8)]
  expect(again).toEqual(first)
  expect(other).not.toEqual(first)
})

/** Two members count and are hurt meanwhile; both watch. Returns what happened, with its times. */
async function hard(seed: number): Promise<readonly string[]> {
  const faults = { loseRequestChance: 0.1, loseAnswerChance: 0.1, lateChance: 0.1 }
  const { timeline, clock, coordination } = simulation(seed, faults)
  const chance = new Prng(seed + 1_000)
  const trace: string[] = []
  const members = ['m1', 'm2'].map((member) => ({ member, handle: coordination.handle(member) }))
  const watches = members.map(({ member, handle }) => follow(member, handle))
  async function follow(member: string, handle: Coordinator): Promise<number[]> {
    const seen: number[] = []
    const watch = handle.watch('', NO_REVISION)
    for (;;) {
      const batch = await watch.next()
      if (batch.kind !== 'changes') return seen
      trace.push(`${timeline.nowMs.toFixed(3)} ${member} ${batch.rev}`)
      seen.push(...batch.changes.map(({ rev }) => rev))
    }
  }
  async function hurt(): Promise<void> {
    for (let round = 0; round < 6; round += 1) {
      await sleep(clock, chance.integer(50, 1_500))
      if (chance.chance(0.4)) coordination.down(chance.integer(100, 1_000))
      const { member } = chance.pick(members)
      coordination.cut(member, chance.chance(0.5) ? 'drop' : 'hold')
      await sleep(clock, chance.integer(50, 1_500))
      coordination.heal(member)
    }
  }
  const counts = members.map(({ handle }) => count(handle, clock))
  const [acknowledged] = await timeline.finish(
    Promise.all([Promise.all(counts).then(([a = 0, b = 0]) => a + b), hurt()]),
    600_000,
  )
  coordination.set({ loseRequestChance: 0, loseAnswerChance: 0, lateChance: 0 })
  await timeline.run(timeline.nowMs + 10_000)
  const counted = Number(coordination.inspect('n')[0]?.value)
  expect(counted).toBe(coordination.rev)
  expect(counted).toBeGreaterThanOrEqual(acknowledged)
  await timeline.finish(Promise.all(members.map(({ handle }) => handle.close())))
  for (const seen of await Promise.all(watches)) expect(seen).toEqual(range(1, counted))
  return trace
}

/** Fifteen increments that were acknowledged; others may have happened unseen. */
async function count(handle: Coordinator, clock: SimClock): Promise<number> {
  for (let done = 0; done < 15; ) {
    const before = await handle.list('n')
    if (before.kind === 'done') {
      const item = before.items[0]
      const result = await handle.txn({
        compare: [{ key: 'n', rev: item?.rev ?? NO_REVISION }],
        put: [{ key: 'n', value: String(Number(item?.value ?? 0) + 1) }],
      })
      if (result.kind === 'done') done += 1
    }
    await sleep(clock, 5)
  }
  return 15
}

it('G1 increments through delays are all counted', async () => {
  const { timeline, coordination } = simulation(3, { delayMs: [0, 5] })
  const both = ['m1', 'm2'].map((member) => increment(coordination.handle(member), 'n', 30))
  await timeline.finish(Promise.all(both))
  const handle = coordination.handle('m3')
  expect((await timeline.finish(listed(handle, 'n')))[0]?.value).toBe('60')
})
