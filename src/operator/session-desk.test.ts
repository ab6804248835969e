// A move by hand passes over rates and rests, never over safety.

import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { startGroup } from '../../test/kit/sim-group.ts'
import { sleep } from '../base/clock.ts'
import { memberId } from '../base/ids.ts'
import { unpackBecame } from '../distribution/wire.ts'
import { carrierOf } from '../target/live-session.ts'
import { SessionDesk } from './session-desk.ts'

const SWP = 0x08

async function scene(seed: number, mode: 'on' | 'off' = 'off') {
  const { group, timeline, connect, home } = await startGroup(seed, true)
  group.switchBalance(mode)
  const initiator = await connect(memberId('m1'), { isid: '00023d000001' })
  const { at, session } = home()
  const { member, balancer } = at
  if (member === null || balancer === null) throw new Error('the member is down')
  // The view hears of a login a few milliseconds later than its member.
  await timeline.until(() => member.group.sessions.has(session.id))
  const desk = new SessionDesk(member, balancer, async () => new Map())
  const to = group.members.find(({ id }) => id !== at.id)?.id ?? memberId('')
  const move = () => timeline.finish(desk.move(String(session.id), { to, wait: true }))
  const foretell = () => timeline.finish(desk.foretell(String(session.id), to))
  return { at, balancer, group, timeline, connect, initiator, session, to, move, foretell }
}

/** What `session show` and a refused move say. */
const HOLDS =
  'its initiator has changed mode pages, or has not yet been told of a reset, and neither would go with it'

it('B3 a session that has set software write protection is not moved, and it is said why', async () => {
  const { balancer, timeline, initiator, session, to, move } = await scene(31, 'on')
  const page = new Uint8Array(16)
  const sense = { cdb: Uint8Array.of(0x1a, 8, 0x0a, 0, page.length, 0), read: page }
  expect(await timeline.finish(initiator.command(sense))).toMatchObject({ status: 0 })
  page[0] = 0 // reserved in MODE SELECT
  page[4 + 4] = (page[4 + 4] ?? 0) | SWP
  const select = { cdb: Uint8Array.of(0x15, 0x10, 0, 0, page.length, 0), write: page }
  expect(await timeline.finish(initiator.command(select))).toMatchObject({ status: 0 })
  const write = () => timeline.finish(initiator.write(0, new Uint8Array(initiator.blockBytes)))
  const before = await write()
  expect(before).toMatchObject({ status: 2 })
  const refused = await move()
  expect(refused).toMatchObject({ kind: 'refused', code: 'sessionFixed' })
  expect(JSON.stringify(refused)).toContain(`not moved to ${to}: ${HOLDS}`)
  expect(await write()).toEqual(before)
  expect([session.phase.kind, initiator.travels.logins]).toEqual(['live', 1])
  await timeline.until(() => balancer.session(session).decided !== null)
  expect(balancer.session(session).decided?.sentence).toContain(HOLDS)
})

it('B3 a session is not moved before its initiator has been told of a reset by another', async () => {
  const { at, timeline, connect, initiator, session, move } = await scene(34)
  const other = await connect(at.id, { isid: '00023d000002' })
  expect(await timeline.finish(other.resetLogicalUnit())).toBe(0)
  expect(await move()).toMatchObject({ kind: 'refused', code: 'sessionFixed' })
  const testUnitReady = { cdb: new Uint8Array(6), once: true }
  expect(await timeline.finish(initiator.command(testUnitReady))).toMatchObject({ status: 2 })
  expect(session.phase.kind).toBe('live')
  expect(await move()).toMatchObject({ kind: 'done', value: { outcome: 'returned' } })
})

it('what a move would bring is told by both ends, and nothing moves', async () => {
  const { initiator, session, timeline, to, at, foretell } = await scene(36)
  for (let n = 0; n < 300; n += 1) {
    await timeline.finish(initiator.write(0, new Uint8Array(initiator.blockBytes)))
    await timeline.finish(sleep(new SimClock(timeline), 10))
  }
  const plan = await foretell()
  if (plan.kind !== 'done') throw new Error(plan.detail)
  const { predicted, sentence } = plan.value
  expect(plan.value).toMatchObject({ from: at.id, to })
  expect(predicted?.from.after).toBeLessThan(predicted?.from.before ?? 0)
  expect(predicted?.to.after).toBeGreaterThan(predicted?.to.before ?? 0)
  expect(sentence).toMatch(new RegExp(`^${at.id} would go from \\d+ % to \\d+ %, and ${to} from`))
  expect([session.phase.kind, initiator.travels.logins]).toEqual(['live', 1])
})

it('what has become of a session that was moved is told by where it is: its load, and that end without it', async () => {
  const { at, initiator, session, timeline, to, move } = await scene(38)
  const ask = (agoMs: number) =>
    timeline.finish(
      at.member?.peers.ask(to, 'became', { session: session.id, agoMs }, 1_000) ??
        Promise.reject(new Error('the member is down')),
    )
  const work = async () => {
    for (let n = 0; n < 200; n += 1) {
      await timeline.finish(initiator.write(0, new Uint8Array(initiator.blockBytes)))
      await timeline.finish(sleep(new SimClock(timeline), 10))
    }
  }
  await work()
  expect(unpackBecame(await ask(60_000))).toMatchObject({ load: null })
  expect(await move()).toMatchObject({ kind: 'done', value: { outcome: 'returned' } })
  const movedMs = timeline.nowMs
  await work()
  const [became, later] = [unpackBecame(await ask(60_000)), unpackBecame(await ask(0))]
  if ('refused' in became || 'refused' in later) throw new Error('it was not told')
  expect(timeline.nowMs - movedMs).toBeLessThan(60_000)
  const weight = became.load?.slow.remote[0] ?? 0
  expect(weight).toBeGreaterThan(0)
  // What came before that is part of the end.
  const without = (later.end.load.slow[0] ?? 0) - (became.end.load.slow[0] ?? 0)
  expect(without).toBeGreaterThan(0.3 * weight)
  expect(without).toBeLessThanOrEqual(weight)
})

it('a move that would be refused is refused before it is asked for', async () => {
  const { group, session, to, foretell } = await scene(37)
  const carrier = carrierOf(session)
  if (carrier === null) throw new Error('nothing carries it')
  const by = { by: 'operator', code: 'MOVED', reason: '', predicted: null } as const
  session.phase = {
    kind: 'moving',
    carrier,
    order: { id: 'first', to, ...by, proposal: null, estimate: null },
  }
  expect(await foretell()).toMatchObject({ kind: 'refused', code: 'sessionMoving' })
  session.phase = { kind: 'live', carrier }
  group.member(to).crash('process')
  expect(await foretell()).toMatchObject({ kind: 'refused', code: 'memberNotReady' })
})

it('a session that is new and has just been moved is moved again', async () => {
  const { move } = await scene(32)
  const moved = await move()
  expect(moved).toMatchObject({ kind: 'done', value: { outcome: 'returned' } })
})

it('a session that is being moved is said to be', async () => {
  const { session, to, move } = await scene(33)
  const carrier = carrierOf(session)
  if (carrier === null) throw new Error('nothing carries it')
  const by = { by: 'operator', code: 'MOVED', reason: '', predicted: null } as const
  const order = { id: 'first', to, ...by, proposal: null, estimate: null }
  session.phase = { kind: 'moving', carrier, order }
  expect(await move()).toMatchObject({ kind: 'refused', code: 'sessionMoving' })
})

it('SD1 a move is refused at once while the group record cannot be changed, and the session stays free to be moved', async () => {
  const { at, group, move } = await scene(35)
  group.coordination.cut(at.id, 'drop')
  expect(await move()).toMatchObject({
    kind: 'refused',
    code: 'coordinatorDown',
    detail: expect.stringContaining('the coordination file cannot be written now'),
  })
  group.coordination.heal(at.id)
  expect(await move()).toMatchObject({ kind: 'done', value: { outcome: 'returned' } })
})

it('SD2 a session that has just begun is there, though this member has not heard of it yet', async () => {
  const { group, timeline, connect, home } = await startGroup(39, true)
  const { member, balancer } = group.member(memberId('m3'))
  if (member === null || balancer === null) throw new Error('the member is down')
  group.coordination.cut(memberId('m3'), 'hold')
  await connect(memberId('m1'))
  const { session } = home()
  expect(member.group.sessions.has(session.id)).toBe(false)
  new SimClock(timeline).after(200, () => group.coordination.heal(memberId('m3')))
  const desk = new SessionDesk(member, balancer, async () => new Map())
  expect(await timeline.finish(desk.show(String(session.id)))).toMatchObject({ kind: 'done' })
})

it('SD3 a session is moved to where it is pinned, no load and no hand moves it from there, and it may go when it is unpinned', async () => {
  const { at, group, timeline, connect, session, to, move } = await scene(41)
  const deskOf = (of: typeof at) => {
    const { member, balancer } = of
    if (member === null || balancer === null) throw new Error('the member is down')
    return new SessionDesk(member, balancer, async () => new Map())
  }
  const desk = deskOf(at)
  const id = String(session.id)
  const would = await timeline.finish(desk.foretellPin(id, to))
  expect(would).toMatchObject({ kind: 'done', value: { member: to } })
  expect(JSON.stringify(would)).toContain('It would be moved there first')
  expect(session.record.owner).toBe(at.id)
  const pinned = await timeline.finish(desk.pin(id, { member: to }))
  expect(pinned).toMatchObject({ kind: 'done', value: { member: to } })
  expect(JSON.stringify(pinned)).toContain('it comes back there, still pinned')
  const there = group.member(to)
  const now = () => there.member?.target.registry.get(session.id)?.record
  expect(now()).toMatchObject({ owner: to, pinned: to })
  const back = await timeline.finish(deskOf(there).move(id, { to: at.id, wait: true }))
  expect(back).toMatchObject({ kind: 'refused', code: 'sessionPinned' })
  expect(await timeline.finish(desk.pin('999999', {}))).toMatchObject({ code: 'sessionNotFound' })
  const nowhere = await timeline.finish(desk.pin(id, { member: 'm9' }))
  expect(nowhere).toMatchObject({ kind: 'refused', code: 'memberNotFound' })
  expect(await timeline.finish(deskOf(there).unpin(id))).toMatchObject({ value: { member: null } })
  expect(now()).not.toHaveProperty('pinned')
  const free = await timeline.finish(deskOf(there).move(id, { to: at.id, wait: true }))
  expect(free).toMatchObject({ kind: 'done', value: { outcome: 'returned' } })
  expect(await move()).toMatchObject({ kind: 'done' })

  const random = await connect(at.id, { isid: null, host: 'guest' })
  await timeline.finish(random.write(0, new Uint8Array(random.blockBytes)))
  const guest = [...(at.member?.group.sessions.values() ?? [])].find(
    ({ record }) => record.initiator.endsWith(':guest') && record.owner === at.id,
  )
  expect(JSON.stringify(await timeline.finish(desk.pin(String(guest?.id), {})))).toContain(
    'the pin holds as long as the connection',
  )
})
