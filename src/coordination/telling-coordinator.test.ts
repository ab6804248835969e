import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimCoordination } from '../../sim/coordinator.ts'
import { Timeline } from '../../sim/timeline.ts'
import { revision } from '../base/ids.ts'
import { Prng } from '../base/prng.ts'
import { TellingCoordinator } from './telling-coordinator.ts'

function bench() {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  const coordination = new SimCoordination(clock, new Prng(3), { delayMs: [0.1, 0.1] })
  const telling = new TellingCoordinator(coordination.handle('m1'), clock)
  const toldMs: number[] = []
  telling.tell = () => toldMs.push(clock.nowMs())
  const put = (key: string) => timeline.finish(telling.txn({ put: [{ key, value: '' }] }))
  return { timeline, clock, coordination, telling, toldMs, put }
}

it('TC1 a commit is told in the turn of its answer, and one that follows soon after a little later', async () => {
  const { timeline, clock, toldMs, put } = bench()
  await put('a')
  const firstMs = clock.nowMs()
  await timeline.run(timeline.nowMs + 1)
  expect(toldMs).toEqual([expect.closeTo(firstMs, 1)])
  await put('b')
  await put('c')
  await timeline.run(timeline.nowMs + 10)
  expect(toldMs).toHaveLength(2)
  expect(toldMs[1]).toBeGreaterThanOrEqual((toldMs[0] ?? 0) + 2)
})

it('TC1 a storm of commits is told now and then, its last one too', async () => {
  const { timeline, clock, toldMs, telling } = bench()
  const many = Array.from({ length: 500 }, (_, n) =>
    telling.txn({ put: [{ key: `k${n}`, value: '' }] }),
  )
  await timeline.finish(Promise.all(many))
  const doneMs = clock.nowMs()
  await timeline.run(timeline.nowMs + 10)
  expect(toldMs.length).toBeLessThan(5)
  expect(toldMs.at(-1)).toBeGreaterThanOrEqual(doneMs)
})

it('TC2 what is lost, unknown, or changes nothing is not told', async () => {
  const { timeline, coordination, telling, toldMs } = bench()
  const lost = { compare: [{ key: 'a', rev: revision(7) }], put: [{ key: 'a', value: '' }] }
  expect((await timeline.finish(telling.txn(lost))).kind).toBe('lost')
  expect((await timeline.finish(telling.txn({ read: [''] }))).kind).toBe('done')
  coordination.set({ loseAnswerChance: 1 })
  expect((await timeline.finish(telling.txn({ put: [{ key: 'a', value: '' }] }))).kind).toBe(
    'unknown',
  )
  await timeline.run(timeline.nowMs + 100)
  expect(toldMs).toEqual([])
})
