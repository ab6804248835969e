import { expect, test } from 'vitest'
import { Prng } from '../src/base/prng.ts'
import { SimClock } from './clock.ts'
import { Timeline } from './timeline.ts'

test('T1 events run in the order of time, then of asking; time never goes back', async () => {
  const timeline = new Timeline()
  const prng = new Prng(3)
  const seen: { at: number; asked: number; sequence: number }[] = []
  for (let sequence = 0; sequence < 500; sequence++) {
    const asked = prng.integer(0, 40)
    timeline.after(asked, () => seen.push({ at: timeline.nowMs, asked, sequence }))
  }
  await timeline.run(100)
  expect(seen).toHaveLength(500)
  expect(timeline.nowMs).toBe(100)
  for (const [i, event] of seen.entries()) {
    expect(event.at).toBe(event.asked)
    const before = seen[i - 1]
    if (before === undefined) continue
    expect(
      before.at < event.at || (before.at === event.at && before.sequence < event.sequence),
    ).toBe(true)
  }
})

test('T2 microtasks of an event have run before the next event', async () => {
  const timeline = new Timeline()
  const order: string[] = []
  const deep = async () => {
    for (let i = 0; i < 20; i++) await null
    order.push('microtasks')
  }
  timeline.after(1, () => void deep())
  timeline.after(1, () => order.push('next'))
  await timeline.run(1)
  expect(order).toEqual(['microtasks', 'next'])
})

async function trace(seed: number): Promise<string> {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  const prng = new Prng(seed)
  const lines: string[] = []
  const worker = async (name: number) => {
    for (let i = 0; i < 30; i++) {
      await new Promise<void>((resolve) => clock.after(prng.unit() * 5, resolve))
      if (prng.chance(0.3)) await Promise.all([null, Promise.resolve()])
      lines.push(`${name} ${clock.nowMs()}`)
    }
  }
  for (let name = 0; name < 10; name++) void worker(name)
  await timeline.run(1000)
  return lines.join('\n')
}

test('T3 the same seed gives the same run', async () => {
  const [one, two, other] = [await trace(5), await trace(5), await trace(6)]
  expect(one.split('\n')).toHaveLength(300)
  expect(two).toBe(one)
  expect(other).not.toBe(one)
})

test('T1 until stops at the condition, and says so when it never comes', async () => {
  const timeline = new Timeline()
  let n = 0
  for (let i = 1; i <= 5; i++) timeline.after(i, () => n++)
  await timeline.until(() => n === 3)
  expect(timeline.nowMs).toBe(3)
  await expect(timeline.until(() => n === 9, 100, 'nine')).rejects.toThrow(
    'nine did not come about',
  )
  await expect(timeline.finish(Promise.reject(new Error('x')))).rejects.toThrow('x')
})

test('K1 a cancelled timer does not fire, nor any of a killed host', async () => {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  const fired: string[] = []
  clock.after(5, () => fired.push('kept'))
  clock.after(5, () => fired.push('cancelled')).cancel()
  await timeline.run(10)
  clock.after(5, () => fired.push('killed'))
  clock.kill()
  await timeline.run(20)
  expect(fired).toEqual(['kept'])
  expect(timeline.pending).toBe(0)
})

test('K1 a clock that runs fast or slow fires by its own time', async () => {
  const timeline = new Timeline()
  const fast = new SimClock(timeline, 1.1)
  const start = fast.nowMs()
  let at = 0
  fast.after(110, () => {
    at = timeline.nowMs
  })
  await timeline.run(200)
  expect(at).toBeCloseTo(100, 6)
  expect(fast.nowMs() - start).toBeCloseTo(220, 6)
})

test('K2 a paused host does nothing; what came due runs at resume, in order and before what comes then', async () => {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  const order: string[] = []
  clock.after(1, () => clock.pause())
  for (let i = 2; i < 6; i++) clock.after(i, () => order.push(`due ${i}`))
  timeline.after(10, () => clock.resume())
  clock.after(10, () => order.push('at resume'))
  await timeline.run(9)
  expect(order).toEqual([])
  await timeline.run(20)
  expect(order).toEqual(['due 2', 'due 3', 'due 4', 'due 5', 'at resume'])
})

test('K2 what came from outside runs behind the timers that came due', async () => {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  const order: string[] = []
  clock.pause()
  timeline.after(1, () => clock.deliver(() => order.push('bytes')))
  clock.after(2, () => order.push('timer'))
  timeline.after(10, () => clock.resume())
  await timeline.run(20)
  expect(order).toEqual(['timer', 'bytes'])
})

test('K3 soon runs at the same time, after the event that asked', async () => {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  const order: string[] = []
  clock.after(3, () => {
    clock.soon(() => order.push(`soon ${timeline.nowMs}`))
    order.push('event')
  })
  clock.after(3, () => order.push('other'))
  await timeline.run(3)
  expect(order).toEqual(['event', 'other', 'soon 3'])
})
