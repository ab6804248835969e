// What a member does with bodies of other members that are malformed, or that speak for another.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { startGroup } from '../../test/kit/sim-group.ts'
import { memberId } from '../base/ids.ts'
import { noPast, summaryOf, well } from '../operator/condition.fixture.ts'
import { SessionDesk } from '../operator/session-desk.ts'
import { type ControlKind, Controls } from '../peer/controls.ts'
import type { Json } from '../peer/message.ts'
import { controlTable } from './controls.ts'
import { Stopping } from './stopping.ts'

async function scene(seed: number) {
  const { group, timeline, connect, events } = await startGroup(seed, true)
  const { member, balancer } = group.member(memberId('m1'))
  if (member === null || balancer === null) throw new Error('m1 is down')
  return { group, timeline, connect, events, member, balancer }
}

it('P9 no body of any kind ends a member', async () => {
  const { group, timeline, connect, events, member, balancer } = await scene(41)
  const initiator = await connect()
  const desk = new SessionDesk(member, balancer, async () => new Map())
  const people = {
    summary: () => summaryOf('m1'),
    condition: () => well,
    pastHere: async () => noPast,
    momentHere: async () => null,
  }
  const orders = { moveHere: desk.moveHere.bind(desk), pinHere: desk.pinHere.bind(desk) }
  const drainHere = () => balancer.drainer.plan()
  const staff = { balancer, operator: { ...people, ...orders, drainHere } }
  const { slices, target } = member
  const { clock, coordinator } = member.ports
  const table = controlTable({
    ...{ stopping: new Stopping(() => null), clock, coordinator, slices, target },
    staff: () => staff,
  })
  let malformed = 0
  const controls = new Controls(table, () => {
    malformed += 1
  })
  const bodies: unknown[] = [null, true, 7, '', 'x', [], [null], {}, { id: null }, { move: 1 }]
  bodies.push({ sessions: [null], how: 'hold' }, { reset: 'r', sessions: [[null, 1]] })
  bodies.push({ move: 'm', session: 1, to: 'm2' }, { move: 'm', session: 1, proposal: {} })
  bodies.push(...fc.sample(fc.jsonValue(), { numRuns: 60, seed: 7 }))
  const kinds = Object.keys(table).concat('unheard of') as ControlKind[]
  expect(kinds.length).toBeGreaterThan(15)
  for (const kind of kinds) {
    for (const body of bodies) {
      await timeline.finish(Promise.resolve(controls.answer(memberId('m2'), kind, body as Json)))
      await timeline.finish(member.peers.ask(memberId('m2'), kind, body as Json, 1_000))
    }
  }
  expect(group.violations).toEqual([])
  expect(malformed).toBeGreaterThan(100)
  expect(events.filter(({ kind }) => kind === 'malformed').length).toBeGreaterThan(100)
  expect(await timeline.finish(initiator.command({ cdb: new Uint8Array(6) }))).toMatchObject({
    status: 0,
  })
  expect(initiator.travels.logins).toBe(1)
})

it('P10 a report counts only as that of the member that sent it', async () => {
  const { group, timeline, member, balancer } = await scene(42)
  await timeline.until(
    () => balancer.isHeard(memberId('m2')) && balancer.isHeard(memberId('m3')),
    20_000,
  )
  let report: Uint8Array | null = null
  const { controls } = member
  const answer = controls.answer.bind(controls)
  controls.answer = (from, kind, body) => {
    if (from === 'm3' && kind === 'report' && body instanceof Uint8Array) report = body.slice()
    return answer(from, kind, body)
  }
  await timeline.until(() => report !== null)
  group.net.cut('m1', 'm3', 'drop')
  const silentMs = balancer.policy.settings.policy.silentSeconds * 1_000
  let forged = 0
  const forging = () => {
    forged += 1
    const bytes = Uint8Array.from(report ?? [])
    new DataView(bytes.buffer).setUint32(6, 1e6 + forged, true)
    controls.answer(memberId('m2'), 'report', bytes)
    timeline.after(500, forging)
  }
  forging()
  await timeline.run(timeline.nowMs + silentMs + 2_000)
  expect(balancer.isHeard(memberId('m2'))).toBe(true)
  expect(balancer.isHeard(memberId('m3'))).toBe(false)
})
