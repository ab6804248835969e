// A member of a simulated group is away: another one answers at its portal, to initiators that know no other, until it is back.

import { describe, expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { portalOf } from '../../sim/settings.ts'
import { Timeline } from '../../sim/timeline.ts'
import { Post } from '../../test/kit/session-records.ts'
import { startGroup } from '../../test/kit/sim-group.ts'
import { BufferPool } from '../base/buffer-pool.ts'
import { type MemberId, memberId } from '../base/ids.ts'
import type { Listener } from '../base/net.ts'
import { discover } from '../initiator/discover.ts'
import { boundsDefaults } from './memory-bounds.ts'
import { OwnPortal } from './own-portal.ts'
import { StandIns } from './stand-ins.ts'
import type { TargetEvent } from './target-event.ts'

const [m1, m2, m3] = [memberId('m1'), memberId('m2'), memberId('m3')]
const shape = { members: [m1, m2, m3], copies: 2, relocates: false, standIns: true }
const LBA = 3

async function scene(seed: number) {
  const made = await startGroup(seed, false, boundsDefaults, shape)
  const { group, timeline } = made
  const standIn = (of: MemberId): MemberId | null => {
    const by = group.members.find(
      ({ member, isUp }) =>
        isUp && member?.target.standIns.all.some(({ member: one }) => one === of),
    )
    return by?.id ?? null
  }
  const heldFor = (of: MemberId) => timeline.until(() => standIn(of) !== null, 20_000, 'a stand-in')
  const serves = (id: MemberId) => () => group.member(id).member?.target.takesSessions === true
  return { ...made, standIn, heldFor, serves }
}

describe('a member is away', () => {
  it.each(['400001370001', null])(
    'its initiator (ISID %s) comes back by itself, at the one portal that it knows',
    async (isid) => {
      const { group, timeline, connect, standIn, heldFor, serves, home } = await scene(1)
      const initiator = await connect(m2, { isid })
      const block = new Uint8Array(group.blockBytes).fill(7)
      await timeline.finish(initiator.write(LBA, block))
      expect(home().at.id).toBe(m2)
      group.member(m2).crash('process')
      // Asked while nobody is at the portal.
      const into = new Uint8Array(group.blockBytes)
      const answer = await timeline.finish(initiator.read(LBA, 1, into), 30_000)
      expect(answer).toMatchObject({ kind: 'answered', status: 0 })
      expect(into).toEqual(block)
      expect(home().at.id).not.toBe(m2)
      expect(standIn(m2)).toBe(m3)
      // What is there goes on when the member is back, at its portal again.
      group.member(m2).start()
      await timeline.until(serves(m2), 30_000)
      expect(standIn(m2)).toBe(null)
      expect(await timeline.finish(initiator.write(LBA, block))).toMatchObject({ status: 0 })
      await heldFor(m2).then(
        () => expect.fail('it is there'),
        () => undefined,
      )
      const newcomer = await connect(m2)
      expect(await timeline.finish(newcomer.read(LBA, 1, into))).toMatchObject({ status: 0 })
      expect(group.member(m2).member?.target.registry.size).toBe(1)
    },
  )

  it('discovery at its portal names that portal', async () => {
    const { group, timeline, heldFor, hostNet } = await scene(2)
    group.member(m1).crash('power')
    await heldFor(m1)
    const clock = new SimClock(timeline)
    const who = { initiatorName: 'iqn.2026-11.test:asks', isid: '00023dffffff', limitMs: 3_000 }
    const where = { net: hostNet('asks'), clock, buffers: new BufferPool(0), portal: portalOf(m1) }
    const found = await timeline.finish(discover({ ...where, ...who }))
    expect(found.map(({ addresses }) => addresses)).toEqual([['m1:3260,1'], ['m1:3260,1']])
  })

  it('SI1 a member that only stands still keeps its portal', async () => {
    const { group, timeline, standIn } = await scene(3)
    group.member(m2).clock.pause()
    await timeline.run(timeline.nowMs + 20_000)
    expect(standIn(m2)).toBe(null)
    group.member(m2).clock.resume()
  })

  it('SI3 SI4 the stand-in dies too: the last one answers at both portals', async () => {
    const { group, timeline, standIn, heldFor } = await scene(4)
    group.member(m2).crash('process')
    await heldFor(m2)
    expect(standIn(m2)).toBe(m3)
    const killedMs = timeline.nowMs
    group.member(m3).crash('process')
    await heldFor(m2)
    await heldFor(m3)
    expect([standIn(m2), standIn(m3)]).toEqual([m1, m1])
    expect(timeline.nowMs - killedMs).toBeLessThan(6_000)
  })

  it('OP2 SI2 the stand-in serves until its member could', async () => {
    const { group, timeline, heldFor, standIn, serves } = await scene(5)
    group.member(m2).crash('process')
    await heldFor(m2)
    group.member(m2).start()
    const couldServe: unknown[] = []
    group.listeners.push((_at, event) => {
      if (event.kind === 'stand-in') couldServe.push(group.member(m2).member?.slices.isServing)
    })
    await timeline.until(serves(m2), 30_000)
    expect(couldServe).toEqual([true])
    expect(standIn(m2)).toBe(null)
  })

  it('OP3 a stand-in that stands still keeps its member from logins, and not from its slices', async () => {
    const { group, timeline, heldFor, standIn, serves, events } = await scene(6)
    group.member(m2).crash('process')
    await heldFor(m2)
    const by = group.member(standIn(m2) ?? m1)
    group.member(m2).start()
    const hasStarted = () => group.member(m2).member?.slices.isServing === true
    by.clock.pause()
    await timeline.until(() => group.member(m2).member !== null, 10_000)
    await timeline.run(timeline.nowMs + 12_000)
    expect(hasStarted()).toBe(true)
    expect(serves(m2)()).toBe(false)
    expect(events.filter(({ kind }) => kind === 'portal')).toHaveLength(1)
    by.clock.resume()
    await timeline.until(serves(m2), 30_000)
    expect(standIn(m2)).toBe(null)
  })
})

/** One member with fakes around it. */
function alone(self: MemberId, mayListen: (() => boolean) | null = () => true) {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  const post = new Post(clock)
  const away = new Set<MemberId>()
  const record = (id: MemberId, host = '127.0.0.1') => ({
    ...{ id, bootId: 'b', portal: `${host}:326${id.slice(1)}`, peer: '', api: '', draining: false },
  })
  const members = new Map([m1, m2, m3].map((id) => [id, record(id)]))
  const tries: string[] = []
  const taken = new Set<string>()
  const listen = (address: Parameters<OwnPortal['open']>[0]): Promise<Listener> => {
    const name = address.kind === 'tcp' ? `${address.host}:${address.port}` : ''
    tries.push(name)
    if (taken.has(name)) return Promise.reject(new Error(`${name} is in use`))
    taken.add(name)
    return Promise.resolve({ address, close: async () => void taken.delete(name) })
  }
  const events: TargetEvent[] = []
  const peers = {
    ask: post.ask.bind(post),
    trouble: (id: MemberId) => (away.has(id) ? 'gone' : null),
    link: (id: MemberId) => ({ isServing: !away.has(id) }),
  } as unknown as ConstructorParameters<typeof StandIns>[0]['peers']
  const deps = {
    ...{ self, clock, group: { members }, peers, listen, mayListen },
    tell: (event: TargetEvent) => events.push(event),
  }
  const standIns = new StandIns(deps)
  const look = async (seconds: number) => {
    for (let i = 0; i < seconds; i += 1) {
      await timeline.run(timeline.nowMs + 1_000)
      standIns.look()
    }
    await timeline.run(timeline.nowMs + 1)
  }
  return { timeline, post, away, members, record, tries, taken, events, standIns, look, deps }
}

describe('one that may stand in', () => {
  it('SI3 is the next by name at the same host; others try later, one after another', async () => {
    const first = alone(m3)
    first.away.add(m2)
    await first.look(4)
    expect(first.standIns.all).toMatchObject([{ member: m2, portal: '127.0.0.1:3262' }])
    const second = alone(m1)
    second.away.add(m2)
    await second.look(3)
    expect(second.tries).toEqual([])
    await second.look(3)
    expect(second.tries).toEqual(['127.0.0.1:3262'])
    const sameHost = alone(m1)
    sameHost.members.set(m3, sameHost.record(m3, '192.0.2.3'))
    sameHost.away.add(m2)
    await sameHost.look(4)
    expect(sameHost.standIns.all).toHaveLength(1)
  })

  it('SI4 tries again ever more seldom, and at once when somebody else comes or goes', async () => {
    const { away, taken, tries, look } = alone(m3)
    taken.add('127.0.0.1:3262')
    away.add(m2)
    await look(120)
    expect(tries.length).toBeGreaterThan(4)
    expect(tries.length).toBeLessThan(10)
    const before = tries.length
    away.add(m1)
    await look(1)
    expect(tries.length).toBe(before + 1)
  })

  it('SI2 SI5 gives it back when it is asked, when the member serves, and when its portal is another one', async () => {
    const { away, taken, standIns, look, members, record, events } = alone(m3)
    away.add(m2)
    await look(4)
    expect(await standIns.answer(m2, { give: false })).toEqual({ held: true })
    expect([...taken]).toEqual(['127.0.0.1:3262'])
    expect(await standIns.answer(m2, { give: true })).toEqual({ held: true })
    expect([...taken]).toEqual([])
    expect(await standIns.answer(m2, { give: true })).toEqual({ held: false })
    // It is not seen to serve yet, and may be about to listen.
    await look(9)
    expect([...taken]).toEqual([])
    // It did not come after all.
    await look(9)
    expect(standIns.all).toHaveLength(1)
    away.delete(m2)
    await look(1)
    expect([...taken]).toEqual([])
    away.add(m2)
    await look(4)
    expect(standIns.all).toHaveLength(1)
    members.set(m2, record(m2, '127.0.0.9'))
    await look(1)
    expect(standIns.all).toEqual([])
    expect(events.map((event) => ('is' in event ? event.is : ''))).toEqual([
      'begun',
      'over',
      'begun',
      'over',
      'begun',
      'over',
    ])
  })

  it('listens nowhere where it must not, and for nobody that it does not know', async () => {
    for (const may of [null, () => false]) {
      const { away, look, tries } = alone(m3, may)
      away.add(m2)
      await look(20)
      expect(tries).toEqual([])
    }
  })
})

describe('its own portal', () => {
  const address = { kind: 'tcp', host: '127.0.0.1', port: 3263 } as const

  it('OP1 is had at once without asking anybody, or refused if nobody stands in', async () => {
    const { timeline, deps, post, taken } = alone(m3)
    expect(await new OwnPortal(deps).open(address)).toEqual(address)
    expect(post.asked).toEqual([])
    taken.add('127.0.0.1:3263')
    for (const id of [m1, m2]) post.members.set(id, () => ({ held: false }))
    await expect(timeline.finish(new OwnPortal(deps).open(address))).rejects.toThrow('is in use')
  })

  it('OP2 is taken when it is given, and who keeps it is told of once', async () => {
    const { timeline, deps, post, taken, events } = alone(m3)
    taken.add('127.0.0.1:3263')
    const gives = { now: false }
    post.members.set(m1, (_kind, body) => {
      const isTold = (body as { give: boolean }).give
      if (isTold && gives.now) taken.delete('127.0.0.1:3263')
      return { held: true }
    })
    const own = new OwnPortal(deps)
    expect(await timeline.finish(own.open(address))).toEqual(address)
    const state = { over: false }
    const taking = own
      .take(() => false)
      .then(() => {
        state.over = true
      })
    await timeline.run(timeline.nowMs + 20_000)
    expect(state.over).toBe(false)
    expect(events).toMatchObject([{ kind: 'portal', portal: '127.0.0.1:3263', by: m1 }])
    gives.now = true
    await timeline.finish(taking)
    expect([...taken]).toEqual(['127.0.0.1:3263'])
  })
})
