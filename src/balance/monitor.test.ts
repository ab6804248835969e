// What a member takes for the silence of others.

import { expect, it } from 'vitest'
import { startGroup } from '../../test/kit/sim-group.ts'
import { memberId } from '../base/ids.ts'

it("MO1 time in which a member stood still itself is nobody else's silence", async () => {
  const { group, timeline } = await startGroup(43, true)
  const { member, balancer, clock } = group.member(memberId('m1'))
  if (member === null || balancer === null) throw new Error('m1 is down')
  await timeline.until(
    () => balancer.isHeard(memberId('m2')) && balancer.isHeard(memberId('m3')),
    20_000,
  )
  const heard: boolean[] = []
  const look = () => {
    heard.push(balancer.isHeard(memberId('m2')) && balancer.isHeard(memberId('m3')))
    clock.after(10, look)
  }
  look()
  clock.pause()
  await timeline.run(timeline.nowMs + 30_000)
  clock.resume()
  await timeline.run(timeline.nowMs + 3_000)
  expect(heard.length).toBeGreaterThan(100)
  expect(heard).not.toContain(false)
})
