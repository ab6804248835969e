import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimCoordination } from '../../sim/coordinator.ts'
import { Timeline } from '../../sim/timeline.ts'
import { revision } from '../base/ids.ts'
import { Prng } from '../base/prng.ts'
import { DEFAULT_POLICY } from '../distribution/policy.ts'
import { PolicyRecord } from './policy-record.ts'

it('a policy record that cannot be read leaves a member as it was started', () => {
  const clock = new SimClock(new Timeline())
  const coordinator = new SimCoordination(clock, new Prng(1)).handle('m1')
  const initial = { mode: 'advise', placement: true, policy: DEFAULT_POLICY } as const
  const settings = (policy: string | null) => {
    const group = { policy, policyRev: revision(1), refresh: async () => true }
    return new PolicyRecord({ clock, coordinator }, group, initial).settings
  }
  expect(settings(null)).toEqual(initial)
  expect(settings('{"placement":false,"policy":{"mode":"off"}}')).toMatchObject({
    placement: false,
    mode: 'off',
  })
  for (const text of ['', 'nonsense', 'null', '[]', '{"placement":"yes"}']) {
    expect(settings(text).placement).toBe(true)
  }
})
