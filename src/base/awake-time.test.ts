import { expect, it } from 'vitest'
import { AwakeTime } from './awake-time.ts'
import type { Clock } from './clock.ts'

it('AW1 AW2 time passes as on the clock, but for what is longer than between two ticks', () => {
  let now = 50
  const never = { cancel: () => undefined }
  const clock: Clock = { nowMs: () => now, wallMs: () => 0, after: () => never, soon: () => never }
  const awake = new AwakeTime(clock, 2_000)
  const seen = [awake.nowMs()]
  for (const ms of [1_000, 1_500, 60_000, 1_000, 1_000]) {
    now += ms
    seen.push(awake.nowMs())
    awake.tick()
    expect(awake.nowMs()).toBe(seen.at(-1))
  }
  expect(seen).toEqual([0, 1_000, 2_500, 4_500, 5_500, 6_500])
})
