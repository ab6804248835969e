// Which sessions a member takes that others want to move to it, in a simulated group.
import { expect, it } from 'vitest'
import { startGroup } from '../../test/kit/sim-group.ts'
import { memberId } from '../base/ids.ts'
import { returnKey } from '../target/redirect-questions.ts'

it('Q1 a session whose login is awaited here and has not come is not granted before it would be let in', async () => {
  const { group, timeline, connect, home } = await startGroup(43, true)
  group.switchBalance('off')
  await connect(memberId('m1'), { isid: '00023d000001' })
  const { at, session } = home()
  const other = group.members.find(({ id }) => id !== at.id)
  const balancer = other?.balancer
  const target = other?.member?.target
  if (!target || !balancer) throw new Error('a member is down')
  const asked = { move: 'move', session: session.id, proposal: null, estimate: null }
  expect(balancer.receiver.grant(at.id, asked)).toBeNull()
  balancer.receiver.release('move')
  expect(target.mayCome({ id: 'q', key: returnKey(session.record), reserve: false })).toBe(true)
  await timeline.run(timeline.nowMs + 2_000)
  expect(balancer.receiver.grant(at.id, asked)).toBe('BAD_PATH')
  await timeline.run(timeline.nowMs + 60_000)
  expect(balancer.receiver.grant(at.id, asked)).toBeNull()
})
