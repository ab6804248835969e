// Members of a simulated group are drained while their initiators are at work.
import { expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { startGroup } from '../../test/kit/sim-group.ts'
import { sleep } from '../base/clock.ts'
import { type MemberId, memberId } from '../base/ids.ts'
import type { Initiator } from '../initiator/initiator.ts'
import { DrainDesk } from '../operator/drain-desk.ts'
import { SessionDesk } from '../operator/session-desk.ts'

const m1 = memberId('m1')
const HOSTS = 6
const PAUSE_MS = 10

/** Half of the hosts keep their ISID. All log in at m1, and write without end until they are told to stop. */
async function scene(seed: number, isWorking = true) {
  const { group, timeline, connect, events } = await startGroup(seed, true)
  group.switchBalance('off')
  const at = (id: MemberId) => {
    const { member, balancer } = group.member(id)
    if (member === null || balancer === null) throw new Error(`${id} is down`)
    return { member, balancer }
  }
  await timeline.until(() => at(m1).balancer.isHeard(memberId('m2')))
  const initiators: Initiator[] = []
  for (let n = 0; n < HOSTS; n += 1) {
    const isid = n % 2 === 0 ? `00023d00000${n}` : null
    initiators.push(await connect(m1, { isid, host: `host${n}` }))
  }
  const state = { isOver: !isWorking, refused: 0, answered: 0 }
  const work = async (initiator: Initiator) => {
    const block = new Uint8Array(initiator.blockBytes)
    while (!state.isOver) {
      const answer = await initiator.write(0, block)
      if (answer.kind === 'answered' && answer.status === 0) state.answered += 1
      else state.refused += 1
      await sleep(new SimClock(timeline), PAUSE_MS)
    }
  }
  const works = initiators.map(work)
  const finish = async () => {
    state.isOver = true
    await timeline.finish(Promise.all(works))
  }
  const of = (id: MemberId) => at(id).member.target.registry
  const run = (ms: number) => timeline.finish(sleep(new SimClock(timeline), ms))
  const drains = (id: MemberId) => new DrainDesk(at(id).member, at(id).balancer)
  const owners = () =>
    group
      .records()
      .filter(({ record }) => record.state === 'live')
      .map(({ record }) => record.owner)
  return {
    group,
    timeline,
    connect,
    events,
    at,
    of,
    run,
    drains,
    initiators,
    owners,
    state,
    finish,
  }
}

it('DR1 all sessions of a member leave it one by one, no write fails, and none comes back', async () => {
  const {
    timeline,
    of,
    run,
    drains,
    at,
    initiators,
    owners,
    state,
    finish,
    events,
    connect,
    group,
  } = await scene(51)
  const elsewhere = group.members.map(({ id }) => id).filter((id) => of(id).size > 0)
  const full = elsewhere[0] ?? m1
  const before = of(full).size
  expect(before).toBeGreaterThan(1)
  const { target } = at(full).member
  const underWay = { now: 0, most: 0 }
  const move = target.move.bind(target)
  target.move = async (...order) => {
    underWay.now += 1
    underWay.most = Math.max(underWay.most, underWay.now)
    const end = await move(...order)
    underWay.now -= 1
    return end
  }
  const foretold = await timeline.finish(drains(full).show(full))
  expect(foretold).toMatchObject({
    kind: 'done',
    value: { draining: false, state: { left: before } },
  })
  const begun = await timeline.finish(drains(full).begin(full))
  expect(begun).toMatchObject({ kind: 'done', value: { draining: true } })
  await timeline.until(() => of(full).size === 0)
  expect(underWay.most).toBe(1)
  await timeline.until(() => at(full).balancer.drainer.state?.left === 0)
  expect(at(full).balancer.drainer.state).toMatchObject({ left: 0, moved: before, stuck: 0 })
  await connect(full, { isid: null, host: 'newcomer' })
  await run(5_000)
  expect(owners()).not.toContain(full)
  expect(owners()).toHaveLength(HOSTS + 1)
  await finish()
  expect([state.refused, state.answered > 100]).toEqual([0, true])
  expect(initiators.every(({ travels }) => travels.logins <= 2)).toBe(true)
  expect(events.filter(({ kind }) => kind === 'move').length).toBe(before)
})

it('DR1 no move begins once the drain is over, and balance goes on as before', async () => {
  const { timeline, of, run, drains, at, group } = await scene(52, false)
  const full = group.members.find(({ id }) => of(id).size > 1)?.id ?? m1
  await timeline.finish(drains(full).begin(full))
  await timeline.until(() => at(full).member.target.isDraining)
  await timeline.finish(drains(full).undo(full))
  await timeline.until(() => !at(full).member.target.isDraining)
  const left = of(full).size
  await run(10_000)
  expect(of(full).size).toBe(left)
  expect(at(full).balancer.drainer.state).toBeNull()
})

it('DR3 what is pinned stays and is told, with what to do; it leaves when it is unpinned', async () => {
  const { timeline, of, run, drains, at, group } = await scene(53, false)
  const full = group.members.find(({ id }) => of(id).size > 0)?.id ?? m1
  const [session] = of(full).all()
  if (session === undefined) throw new Error('it has no session')
  const desk = new SessionDesk(at(full).member, at(full).balancer, async () => new Map())
  await timeline.finish(desk.pin(String(session.id), {}))
  await timeline.finish(drains(full).begin(full))
  await timeline.until(() => of(full).size === 1)
  await run(3_000)
  const told = await timeline.finish(drains(full).show(full))
  const action = `Unpin it ('evenkeel session unpin ${session.id}'), or pin it to another member.`
  expect(told).toMatchObject({
    value: {
      state: { left: 1, stuck: 1, secondsLeft: null, reasons: [{ code: 'PINNED', action }] },
    },
  })
  await timeline.finish(desk.unpin(String(session.id)))
  await timeline.until(() => of(full).size === 0)
})

it('DR2 a session that nobody takes is tried ever later, and the others leave meanwhile', async () => {
  const { timeline, of, drains, at, group } = await scene(54, false)
  const full = group.members.find(({ id }) => of(id).size > 1)?.id ?? m1
  const [stays] = of(full).all()
  const { target } = at(full).member
  const triedMs: number[] = []
  const move = target.move.bind(target)
  target.move = async (id, order) => {
    if (id !== stays?.id || triedMs.length === 4) return move(id, order)
    triedMs.push(timeline.nowMs)
    return { kind: 'abandoned', reason: 'the initiator did not fall silent in time' }
  }
  await timeline.finish(drains(full).begin(full))
  await timeline.until(() => of(full).size === 1 && triedMs.length > 0)
  const told = at(full).balancer.drainer.state
  expect(told).toMatchObject({ left: 1, stuck: 1, reasons: [{ session: String(stays?.id) }] })
  expect(told?.reasons[0]?.why).toContain('did not fall silent')
  await timeline.until(() => of(full).size === 0, 300_000)
  const waits = triedMs.slice(1).map((ms, n) => ms - (triedMs[n] ?? 0))
  expect(waits.map((ms) => Math.round(ms / 5_000))).toEqual([1, 2, 4])
})

it('DD1 the last member that takes sessions is not drained, though all are told at once', async () => {
  const { timeline, drains, group } = await scene(55, false)
  const ids = group.members.map(({ id }) => id)
  const told = await timeline.finish(Promise.all(ids.map((id) => drains(id).begin(id))))
  const refused = told.filter((one) => one.kind === 'refused')
  expect(refused).toMatchObject([{ code: 'lastMember' }])
  const others = ids.filter((_, n) => told[n]?.kind === 'done')
  for (const id of others)
    expect(await timeline.finish(drains(id).undo(id))).toMatchObject({ kind: 'done' })
})

it('a member that is started anew is drained still, and takes nothing', async () => {
  const { timeline, of, run, drains, at, group, connect, owners } = await scene(56, false)
  const full = group.members.find(({ id }) => of(id).size > 1)?.id ?? m1
  await timeline.finish(drains(full).begin(full))
  await timeline.until(() => of(full).size === 0)
  group.member(full).crash('process')
  group.member(full).start()
  const serves = () => group.member(full).member?.group.members.get(full)?.draining === true
  await timeline.until(serves)
  await timeline.until(() => group.member(full).balancer !== null)
  await run(5_000)
  await connect(full, { isid: '00023d0000ff', host: 'newcomer' })
  await run(2_000)
  expect(owners()).not.toContain(full)
  expect(at(full).member.target.takesSessions).toBe(false)
})

it('a session that is pinned elsewhere is brought there once that member takes sessions again', async () => {
  const { timeline, of, run, drains, at, group } = await scene(57, false)
  const full = group.members.find(({ id }) => of(id).size > 0)?.id ?? m1
  const [session] = of(full).all()
  if (session === undefined) throw new Error('it has no session')
  const to = group.members.find(({ id }) => id !== full)?.id ?? m1
  await timeline.finish(drains(full).begin(to))
  await timeline.until(() => at(full).member.group.members.get(to)?.draining === true)
  expect(await timeline.finish(at(full).member.target.pin(session.id, to))).toBe('done')
  await run(8_000)
  expect(of(full).get(session.id)).toBeDefined()
  await timeline.finish(drains(full).undo(to))
  await timeline.until(() => of(to).get(session.id) !== undefined)
})

it('before a stop all sessions leave, also those that are pinned, and these come home once it is back', async () => {
  const { timeline, of, at, group } = await scene(58, false)
  const full = group.members.find(({ id }) => of(id).size > 1)?.id ?? m1
  const [session] = of(full).all()
  if (session === undefined) throw new Error('it has no session')
  expect(await timeline.finish(at(full).member.target.pin(session.id, full))).toBe('done')
  at(full).member.target.leave()
  const beganMs = timeline.nowMs
  await timeline.finish(at(full).balancer.drainer.drained(30_000))
  expect([of(full).size, timeline.nowMs - beganMs < 10_000]).toEqual([0, true])
  group.member(full).stop(500)
  await timeline.until(() => group.member(full).member === null)
  await timeline.until(
    () => group.member(full).member?.target.registry.get(session.id) !== undefined,
  )
})

it('before a stop nobody waits for what cannot leave', async () => {
  const { timeline, drains, of, at, group } = await scene(59, false)
  const full = group.members.find(({ id }) => of(id).size > 0)?.id ?? m1
  for (const { id } of group.members) if (id !== full) await timeline.finish(drains(full).begin(id))
  const others = () => group.members.filter(({ id }) => id !== full)
  await timeline.until(() => others().every(({ id }) => of(id).size === 0), 120_000)
  at(full).member.target.leave()
  const beganMs = timeline.nowMs
  await timeline.finish(at(full).balancer.drainer.drained(30_000))
  expect([of(full).size > 0, timeline.nowMs - beganMs < 10_000]).toEqual([true, true])
})
