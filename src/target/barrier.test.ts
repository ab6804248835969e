import { describe, expect, it } from 'vitest'
import {
  FakeCarrier,
  FakeFences,
  liveOf,
  Post,
  records,
  stableIsid,
} from '../../test/kit/session-records.ts'
import { type MemberId, memberId } from '../base/ids.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import { closeSession, commitMove, takeSession } from '../group/sessions.ts'
import type { Json } from '../peer/message.ts'
import { Barrier, readProbes } from './barrier.ts'
import { Ending } from './ending.ts'
import { carrierOf, type LiveSession } from './live-session.ts'
import { Registry } from './registry.ts'

/** A login at m1 with its barrier, and m2, which owns sessions too. */
async function barriers() {
  const scene = await records()
  const { timeline, clock, coordination } = scene
  const post = new Post(clock)
  const at = async (self: MemberId) => {
    const group = await scene.view(self)
    const gateway = new FakeFences()
    const registry = new Registry()
    const coordinator = coordination.handle(self)
    const ending = new Ending({ self, clock, coordinator, group, gateway, registry })
    const closed: number[] = []
    const ended: LiveSession[] = []
    const barrier = new Barrier({
      ...{ self, clock, peers: post, gateway, registry, ending },
      end: (session) => {
        const carrier = carrierOf(session)
        session.phase = { kind: 'ended', reason: 'silent' }
        registry.remove(session)
        if (carrier instanceof FakeCarrier) carrier.settle('dead')
        ended.push(session)
      },
      closed: ({ id }) => closed.push(id),
    })
    post.members.set(self, (_, body) => answer(body))
    const answer = (body: Json) => barrier.answer(readProbes(body))
    return { barrier, answer, registry, gateway, closed, ended }
  }
  const m1 = await at(memberId('m1'))
  const m2 = await at(memberId('m2'))
  const run = () => timeline.finish(m1.barrier.run(scene.all(), () => false))
  const states = () => scene.all().map(({ record }) => record.state)
  return { ...scene, post, m1, m2, run, states }
}

describe('a session is left alone', () => {
  it('B1 if it answers a NOP-In sent for this very barrier, wherever it lives', async () => {
    const { timeline, create, m1, m2, run, states } = await barriers()
    const here = liveOf(await create({}))
    const there = liveOf(await create({ isid: '00023d000002', owner: memberId('m2') }))
    m1.registry.add(here.session)
    m2.registry.add(there.session)
    const running = run()
    for (const { carrier } of [here, there]) timeline.after(1_900, () => carrier.settle('alive'))
    await running
    expect(states()).toEqual(['live', 'live'])
    expect([here, there].map(({ carrier }) => carrier.asked.length)).toEqual([1, 1])
    expect(m1.gateway.set.size).toBe(0)
  })

  it('B1 if it is a login under way at its owner, without a question to its initiator', async () => {
    const { create, m1, m2, run, states } = await barriers()
    const taken = liveOf(await create({}))
    taken.session.phase = { kind: 'login' }
    m1.registry.add(taken.session)
    await create({ isid: '00023d000002', owner: memberId('m2'), loginToken: 'sent' })
    m2.registry.begin('sent')
    await run()
    expect(states()).toEqual(['live', 'live'])
    expect(taken.carrier.asked).toEqual([])
  })
})

describe('a session whose initiator has not answered', () => {
  it('B4 is left alone when its owner holds it, and is held until it answers', async () => {
    const { timeline, create, m1, m2, run, states } = await barriers()
    const here = liveOf(await create({}))
    const there = liveOf(await create({ isid: '00023d000002', owner: memberId('m2') }))
    m1.registry.add(here.session)
    m2.registry.add(there.session)
    const running = run()
    for (const { carrier } of [here, there]) {
      timeline.after(100, () => carrier.probes.get(carrier.asked[0] ?? 0)?.('held'))
    }
    await running
    expect(timeline.nowMs).toBeLessThan(1_000)
    await timeline.run(timeline.nowMs + 5_000)
    expect(states()).toEqual(['live', 'live'])
    expect([here, there].map(({ carrier }) => carrier.probes.size)).toEqual([1, 1])
    expect([...m1.ended, ...m2.ended]).toEqual([])
    expect(m1.gateway.set.size).toBe(0)
  })

  it('B5 owes an answer to each barrier', async () => {
    const { timeline, create, m1, states } = await barriers()
    const { session, carrier } = liveOf(await create({}))
    m1.registry.add(session)
    const verdicts = [1, 2].map(() => m1.barrier.verdict(session, 'hold'))
    const [first, second] = carrier.probes.values()
    expect(carrier.probes.size).toBe(2)
    first?.('alive')
    second?.('held')
    expect(await timeline.finish(Promise.all(verdicts))).toEqual(['alive', 'held'])
    expect(states()).toEqual(['live'])
  })
})

describe('anything else is closed', () => {
  it('B2 if it is silent for 2 s, and its session ends', async () => {
    const { timeline, create, m1, run, stored } = await barriers()
    const silent = liveOf(await create({}))
    m1.registry.add(silent.session)
    const startMs = timeline.nowMs
    await run()
    expect(timeline.nowMs - startMs).toBeGreaterThanOrEqual(2_000)
    expect(timeline.nowMs - startMs).toBeLessThan(2_100)
    expect(stored(silent.session.id).record).toMatchObject({ state: 'dead', gen: 2 })
    expect(m1.ended).toEqual([silent.session])
    expect([...m1.gateway.set]).toEqual([[silent.session.id, 2]])
    expect(m1.closed).toEqual([silent.session.id])
  })

  it('B2 if its connection closes while it is asked', async () => {
    const { timeline, create, m2, run, states } = await barriers()
    const { session, carrier } = liveOf(await create({ owner: memberId('m2') }))
    m2.registry.add(session)
    timeline.after(100, () => carrier.settle('dead'))
    await run()
    expect(timeline.nowMs).toBeLessThan(1_000)
    expect(states()).toEqual(['dead'])
  })

  it('B2 if its owner does not know it, has lost it to another member, or knows another generation', async () => {
    const { create, write, m2, run, states, stored } = await barriers()
    await create({ owner: memberId('m2') })
    const moved = liveOf(await create({ owner: memberId('m2'), isid: '00023d000002' }))
    moved.session.phase = { kind: 'ended', reason: 'moved' }
    const old = await create({ owner: memberId('m2'), isid: '00023d000003' })
    const before = liveOf(old)
    const again = {
      owner: memberId('m2'),
      isid: '00023d000003',
      source: 's',
      loginToken: 'x',
      at: '',
    }
    await write(takeSession(stored(old.id), again))
    for (const { session } of [moved, before]) m2.registry.add(session)
    await run()
    expect(states()).toEqual(['dead', 'dead', 'dead'])
    expect([moved, before].map(({ carrier }) => carrier.asked)).toEqual([[], []])
  })

  it('B2 if its owner is silent', async () => {
    const { timeline, create, post, m1, m2, run, stored } = await barriers()
    const { session } = liveOf(await create({ owner: memberId('m2') }))
    m2.registry.add(session)
    post.silent.add('m2')
    await run()
    expect(timeline.nowMs).toBeLessThan(2_500)
    expect(stored(session.id).record.state).toBe('dead')
    expect([...m1.gateway.set]).toEqual([[session.id, 2]])
  })

  it('B2 by compare-and-swap: a record that changed meanwhile is judged anew', async () => {
    const { timeline, create, write, all, m1, m2, states } = await barriers()
    const read = await create({ owner: memberId('m2') })
    const found = all()
    const again = {
      owner: memberId('m2'),
      isid: stableIsid,
      source: 's',
      loginToken: 'login',
      at: '',
    }
    await write(takeSession(read, again))
    m2.registry.begin('login')
    await timeline.finish(m1.barrier.run(found, () => false))
    expect(states()).toEqual(['live'])
    expect(m1.gateway.set.size).toBe(0)
  })

  it('B2 however often the coordinator does not answer', async () => {
    const { coordination, create, run, states } = await barriers()
    await create({ owner: memberId('m1') })
    coordination.down(5_000)
    await run()
    expect(states()).toEqual(['dead'])
  })

  it('B2 unless the login is abandoned', async () => {
    const { timeline, create, all, m1, states } = await barriers()
    await create({})
    await timeline.finish(m1.barrier.run(all(), () => true))
    expect(states()).toEqual(['live'])
  })
})

describe('what is dead or in an open move', () => {
  it('B3 is fenced again at the generation of its record, and nobody is asked', async () => {
    const { create, write, all, post, m1, run } = await barriers()
    const dead = await create({})
    const moved = await create({ isid: '00023d000002' })
    await write(closeSession(dead))
    await write(commitMove(moved, { id: 'mv', to: memberId('m2') }, 2 ** 30))
    const before = all()
    await run()
    expect(new Map(m1.gateway.set)).toEqual(
      new Map([
        [dead.id, 2],
        [moved.id, 2],
      ]),
    )
    expect(all()).toEqual(before)
    expect(post.asked).toEqual([])
  })
})

describe('a question about many sessions', () => {
  it('B6 is one for each owner, and each session has a verdict of its own', async () => {
    const { timeline, create, post, m1, m2, run, stored } = await barriers()
    const there = []
    for (let n = 0; n < 4; n += 1) {
      there.push(liveOf(await create({ isid: `00023d00010${n}`, owner: memberId('m2') })))
    }
    const [alive, held, busy, unknown] = there
    if (!alive || !held || !busy || !unknown) throw new Error('four sessions')
    for (const { session } of [alive, held, busy]) m2.registry.add(session)
    const here = liveOf(await create({ isid: '00023d000200' }))
    m1.registry.add(here.session)
    const running = run()
    timeline.after(50, () => {
      alive.carrier.settle('alive')
      held.carrier.settle('held')
      here.carrier.settle('alive')
    })
    await running
    expect(post.asked.map(({ to, kind }) => [to, kind])).toEqual([['m2', 'probe']])
    const states = [...there, here].map(({ session }) => stored(session.id).record.state)
    expect(states).toEqual(['live', 'live', 'dead', 'dead', 'live'])
    expect(m2.ended).toEqual([busy.session])
    expect(new Set(m1.closed)).toEqual(new Set([busy.session.id, unknown.session.id]))
  })

  it('B6 is carried out a few sessions a turn', async () => {
    const { timeline, create, m1, m2, run, states } = await barriers()
    const probesBy: number[] = []
    for (let n = 0; n < 100; n += 1) {
      const isid = `00023d${String(n).padStart(6, '0')}`
      const { session, carrier } = liveOf(await create({ isid, owner: memberId('m2') }))
      carrier.probe = (_tag, settle) => {
        probesBy.push(timeline.events)
        settle('held')
      }
      m2.registry.add(session)
    }
    await run()
    expect(probesBy).toHaveLength(100)
    const most = Math.max(
      ...probesBy.map((turn) => probesBy.filter((other) => other === turn).length),
    )
    expect(most).toBeLessThanOrEqual(32)
    expect(new Set(states())).toEqual(new Set(['live']))
    expect(m1.gateway.set.size).toBe(0)
  })

  it('B6 that is malformed is not read, and nobody is held for it', async () => {
    const { create, m2 } = await barriers()
    const { session, carrier } = liveOf(await create({ owner: memberId('m2') }))
    m2.registry.add(session)
    const { id, gen, loginToken } = session
    for (const body of [
      null,
      7,
      [],
      {},
      { how: 'hold' },
      { how: 'hold', sessions: null },
      { how: 'hold', sessions: [null] },
      { how: 'hold', sessions: [{ id, gen }] },
      { how: 'ask', sessions: [{ id, gen, loginToken }] },
    ]) {
      expect(() => m2.answer(body)).toThrow(ProtocolError)
    }
    expect(carrier.asked).toEqual([])
  })

  it('B2 that is answered with nonsense is not answered', async () => {
    const { create, post, run, states } = await barriers()
    await create({ owner: memberId('m2') })
    await create({ owner: memberId('m2'), isid: '00023d000002' })
    post.members.set('m2', () => ['alive', 'perhaps'])
    await run()
    expect(states()).toEqual(['dead', 'dead'])
  })
})
