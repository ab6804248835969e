// What a member does with bodies of other members that are malformed, or that speak for another.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { SessionDesk } from '../operator/session-desk.ts'
import type { Json } from '../peer/message.ts'
import { startGroup } from '../target/group.fixture.ts'

const kinds = [
  'login',
  'login-back',
  'probe',
  'reset',
  'taken',
  'grant',
  'renew',
  'release',
].concat(['stopping', 'drained', 'report', 'end', 'move session', 'unheard of'])

it('P9 no body of any kind ends a member', async () => {
  const { group, timeline, connect, events } = await startGroup(41, true)
  const initiator = await connect()
  const { member, balancer } = group.member('m1')
  if (member === null || balancer === null) throw new Error('m1 is down')
  new SessionDesk(member, balancer, async () => new Map())
  const bodies: unknown[] = [null, true, 7, '', 'x', [], [null], {}, { id: null }, { move: 1 }]
  bodies.push({ sessions: [null], how: 'hold' }, { reset: 'r', sessions: [[null, 1]] })
  bodies.push(...fc.sample(fc.jsonValue(), { numRuns: 60, seed: 7 }))
  for (const kind of kinds) {
    for (const body of bodies) {
      await timeline.finish(Promise.resolve(member.controls.answer('m2', kind, body as Json)))
      await timeline.finish(member.peers.ask('m2', kind, body as Json, 1_000))
    }
  }
  expect(group.violations).toEqual([])
  expect(events.filter(({ kind }) => kind === 'malformed').length).toBeGreaterThan(100)
  expect(await timeline.finish(initiator.command({ cdb: new Uint8Array(6) }))).toMatchObject({
    status: 0,
  })
  expect(initiator.travels.logins).toBe(1)
})

it('P10 a report counts only as that of the member that sent it', async () => {
  const { group, timeline } = await startGroup(42, true)
  const { member, balancer } = group.member('m1')
  if (member === null || balancer === null) throw new Error('m1 is down')
  await timeline.until(() => balancer.isHeard('m2') && balancer.isHeard('m3'), 20_000)
  let report: Json = null
  const { controls } = member
  const answer = controls.answer.bind(controls)
  controls.answer = (from, kind, body) => {
    if (from === 'm3' && kind === 'report') report = body
    return answer(from, kind, body)
  }
  await timeline.until(() => report !== null)
  group.net.cut('m1', 'm3', 'drop')
  const silentMs = balancer.policy.settings.policy.silentSeconds * 1_000
  let forged = 0
  const forging = () => {
    forged += 1
    const { sequence = 0, ...rest } = report as { readonly sequence?: number }
    controls.answer('m2', 'report', { ...rest, sequence: sequence + forged })
    timeline.after(500, forging)
  }
  forging()
  await timeline.run(timeline.nowMs + silentMs + 2_000)
  expect(balancer.isHeard('m2')).toBe(true)
  expect(balancer.isHeard('m3')).toBe(false)
})

it("MO1 time in which a member stood still itself is nobody else's silence", async () => {
  const { group, timeline } = await startGroup(43, true)
  const { member, balancer, clock } = group.member('m1')
  if (member === null || balancer === null) throw new Error('m1 is down')
  await timeline.until(() => balancer.isHeard('m2') && balancer.isHeard('m3'), 20_000)
  const heard: boolean[] = []
  const look = () => {
    heard.push(balancer.isHeard('m2') && balancer.isHeard('m3'))
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
