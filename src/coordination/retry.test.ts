import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { Timeline } from '../../sim/timeline.ts'
import { sleep } from '../base/clock.ts'
import { retry } from './retry.ts'

it('RT1 no try begins when the time is up, however many are left, and each may take long', async () => {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  const begun: number[] = []
  const slow = async () => {
    begun.push(timeline.nowMs)
    await sleep(clock, 500)
    return null
  }
  const pace = { tries: 40, everyMs: 20, forMs: 1_200 }
  expect(await timeline.finish(retry(clock, pace, slow))).toBeNull()
  expect(begun).toEqual([0, 520, 1_040])
  begun.length = 0
  expect(await timeline.finish(retry(clock, { ...pace, tries: 2 }, slow))).toBeNull()
  expect(begun.length).toBe(2)
})
