import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { Timeline } from '../../sim/timeline.ts'
import { sleep } from '../base/clock.ts'
import { Repeated } from './repeated.ts'

/** Every 100 ms, 50 ms of work; `outcomes` says which times fail. */
async function world(fails: (time: number) => boolean) {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  const begun: number[] = []
  const failures: unknown[] = []
  const work = async () => {
    begun.push(timeline.nowMs)
    const time = begun.length
    await sleep(clock, 50)
    if (fails(time)) throw new Error(`time ${time}`)
  }
  const failed = (error: unknown) => failures.push(error)
  const repeated = new Repeated({ clock, everyMs: () => 100, work, failed }, 20)
  return { timeline, begun, failures, repeated }
}

it('RE1 work that fails is told of, and done again at its next time', async () => {
  const { timeline, begun, failures } = await world((time) => time === 2)
  await timeline.run(500)
  expect(begun).toEqual([20, 170, 320, 470])
  expect(failures).toEqual([new Error('time 2')])
})

it('RE2 what is stopped is not begun any more, also if it was stopped during the work', async () => {
  const between = await world(() => false)
  await between.timeline.run(100)
  between.repeated.stop()
  await between.timeline.run(1_000)
  expect(between.begun).toEqual([20])
  const during = await world(() => true)
  await during.timeline.run(30)
  during.repeated.stop()
  await during.timeline.run(1_000)
  expect(during.begun).toEqual([20])
  expect(during.failures).toHaveLength(1)
})
