import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { Timeline } from '../../sim/timeline.ts'
import { Quiet, type QuietEnd } from './quiet.ts'

function scene() {
  const timeline = new Timeline()
  const sight = { pending: false, windowUsedUp: false, lastArrivalMs: 0 }
  const clock = new SimClock(timeline)
  const quiet = new Quiet(clock, () => sight)
  const ends: [QuietEnd, number][] = []
  const wait = (limitMs: number) =>
    quiet.wait(limitMs).then((end) => ends.push([end, timeline.nowMs]))
  return { timeline, clock, sight, quiet, ends, wait }
}

it('K1 an initiator whose window is used up is quiet as soon as nothing is pending', async () => {
  const { timeline, sight, quiet, ends, wait } = scene()
  Object.assign(sight, { pending: true, windowUsedUp: true })
  void wait(4_000)
  await timeline.run(500)
  expect(ends).toEqual([])
  sight.pending = false
  quiet.look()
  await timeline.run(501)
  expect(ends).toEqual([['quiet', 500]])
})

it('K1 the silence begins with the last answer, and anew with what arrives', async () => {
  const { timeline, clock, sight, quiet, ends, wait } = scene()
  sight.pending = true
  void wait(4_000)
  await timeline.run(300)
  sight.pending = false
  quiet.look()
  timeline.after(60, () => {
    sight.lastArrivalMs = clock.nowMs()
  })
  await timeline.run(455)
  expect(ends).toEqual([])
  await timeline.run(480)
  expect(ends.map(([end]) => end)).toEqual(['quiet'])
})

it('K2 a stop that comes upon a move shares its wait, with the later limit', async () => {
  const { timeline, sight, ends, wait } = scene()
  sight.pending = true
  void wait(1_000)
  await timeline.run(800)
  void wait(2_000)
  await timeline.run(2_700)
  expect(ends).toEqual([])
  await timeline.run(2_900)
  expect(ends).toEqual([
    ['busy', 2_800],
    ['busy', 2_800],
  ])
})

it('a wait whose connection is gone ends at once', async () => {
  const { timeline, sight, quiet, ends, wait } = scene()
  sight.pending = true
  void wait(1_000)
  quiet.over('gone')
  await timeline.run(5_000)
  expect(ends.map(([end]) => end)).toEqual(['gone'])
})
