// A move by hand passes over rates and rests, never over safety.
import { expect, it } from 'vitest'
import { startGroup } from '../target/group.fixture.ts'
import { SessionDesk } from './session-desk.ts'

async function scene(seed: number, isid: string | null = '00023d000001') {
  const { group, timeline, connect, home } = await startGroup(seed, true)
  group.switchBalance('off')
  await connect('m1', { isid })
  const { at, session } = home()
  const { member, balancer } = at
  if (member === null || balancer === null) throw new Error('the member is down')
  const desk = new SessionDesk(member, balancer, async () => new Map())
  const to = group.members.find(({ id }) => id !== at.id)?.id ?? ''
  const move = () => timeline.finish(desk.move(String(session.id), { to, wait: true }))
  return { at, member, session, to, move }
}

it('a session that holds what only its nexus has is not moved, and it is said why', async () => {
  const { member, session, to, move } = await scene(31, null)
  member.target.holdsState = () => true
  const refused = await move()
  expect(refused).toMatchObject({ kind: 'refused', code: 'sessionFixed' })
  expect(JSON.stringify(refused)).toContain(
    `not moved to ${to}: it holds a reservation or other state`,
  )
  expect(session.phase).toBe('live')
})

it('a session that is new and has just been moved is moved again', async () => {
  const { move } = await scene(32)
  const moved = await move()
  expect(moved).toMatchObject({ kind: 'done', value: { outcome: 'returned' } })
})

it('a session that is being moved is said to be', async () => {
  const { session, move } = await scene(33)
  session.moving = true
  expect(await move()).toMatchObject({ kind: 'refused', code: 'sessionMoving' })
})
