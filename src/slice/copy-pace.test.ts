import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { Timeline } from '../../sim/timeline.ts'
import { sleep } from '../base/clock.ts'
import { memberId } from '../base/ids.ts'
import { CopyPace } from './copy-pace.ts'

const [b, c] = [memberId('b'), memberId('c')]
const PAGE_MS = 10

/** When the pages are copied that are asked for at once, each in PAGE_MS. */
async function copied(waiting: number, to = [b, b, b]) {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  const pace = new CopyPace(clock, { waiting })
  const done: number[] = []
  for (const member of to)
    void pace.page(member, async () => {
      await sleep(clock, PAGE_MS)
      done.push(timeline.nowMs)
    })
  await timeline.run(1_000)
  return done
}

it('while no write waits pages are copied as they come', async () => {
  expect(await copied(0)).toEqual([PAGE_MS, PAGE_MS, PAGE_MS])
})

it('while writes wait they are copied one at a time, and nothing for as long as the last one took', async () => {
  expect(await copied(1)).toEqual([PAGE_MS, 3 * PAGE_MS, 5 * PAGE_MS])
})

it('pages for one member do not wait for those of another one, which may be silent', async () => {
  expect(await copied(1, [b, c, b])).toEqual([PAGE_MS, PAGE_MS, 3 * PAGE_MS])
})

it('a page that comes to an end otherwise holds nothing up', async () => {
  const timeline = new Timeline()
  const pace = new CopyPace(new SimClock(timeline), { waiting: 1 })
  const failed = pace.page(b, () => Promise.reject(new Error('unanswered')))
  let isCopied = false
  const next = pace.page(b, async () => {
    isCopied = true
  })
  await expect(failed).rejects.toThrow('unanswered')
  await timeline.run(1)
  await next
  expect(isCopied).toBe(true)
})
