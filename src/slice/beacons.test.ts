// Beacons of one member, with others that reply at once or when they are told to.
import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { Timeline } from '../../sim/timeline.ts'
import { memberId, NO_REVISION } from '../base/ids.ts'
import type { Json } from '../peer/message.ts'
import { Beacons } from './beacons.ts'

const [a, b] = [memberId('a'), memberId('b')]
const others = [{ member: b, boot: 'b-1' }]

it('BC2 who has slept reads by no lease from before, nor by one that is asked for before; new ones are asked for at once', async () => {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  const replies: ((reply: Json) => void)[] = []
  const beacons = new Beacons({
    ...{ self: a, boot: 'a-1', clock, seen: () => NO_REVISION, to: () => new Set([b]) },
    peers: { ask: () => new Promise((resolve) => replies.push(resolve)) },
    renewed: () => undefined,
  })
  const reply = async (at: number) => {
    replies[at]?.({ boot: 'b-1' })
    await new Promise((resolve) => setImmediate(resolve))
  }
  /** Of many slices: one is sent. */
  const send = () => {
    for (let slice = 0; slice < 3; slice += 1) beacons.send(b)
    return timeline.run(timeline.nowMs)
  }
  await send()
  await reply(0)
  expect(beacons.hold(others)).toBe(true)
  await send()
  clock.wallOffsetMs += 5_000
  expect(beacons.hold(others)).toBe(false)
  await reply(1)
  expect(beacons.hold(others)).toBe(false)
  expect(replies).toHaveLength(3)
  await reply(2)
  expect(beacons.hold(others)).toBe(true)
  clock.wallOffsetMs -= 60_000
  expect(beacons.hold(others)).toBe(true)
})
