import { describe, expect, it } from 'vitest'
import {
  FakeFences,
  initiator,
  liveOf,
  Post,
  randomIsid,
  records,
} from '../../test/kit/session-records.ts'
import type { Clock } from '../base/clock.ts'
import { memberId, sliceId, volumeId } from '../base/ids.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import type { VolumeRecord } from '../group/record.ts'
import { closeSession, commitMove, pinSession } from '../group/sessions.ts'
import { Barrier } from './barrier.ts'
import { Ending } from './ending.ts'
import type { EndReason } from './live-session.ts'
import type { LoginAttempt, Placement } from './login-routes.ts'
import { Logins } from './logins.ts'
import { loginKey, RedirectQuestions } from './redirect-questions.ts'
import { Registry } from './registry.ts'

const volume: VolumeRecord = {
  ...{
    id: volumeId(1),
    name: 'v',
    iqn: 'iqn.2026-11.dev.evenkeel:v',
    bytes: 2 ** 20,
    blockBytes: 512,
  },
  ...{ shared: true, lanes: [sliceId(0)], view: 1, createdAt: '' },
}

/** As the coordination file is while another program has it locked: it is read, and not written. */
function lockable(coordinator: Coordinator, isLocked: () => boolean): Coordinator {
  return {
    ...{ list: coordinator.list.bind(coordinator), watch: coordinator.watch.bind(coordinator) },
    txn: async (transaction) =>
      isLocked() && (transaction.put ?? []).length > 0
        ? { kind: 'unknown', reason: 'it is locked' }
        : coordinator.txn(transaction),
    ...{ lost: null, nudge: () => {}, close: () => coordinator.close() },
  }
}

/** Of its `nth` write nobody is told what became of it; it takes effect `lateMs` later. */
function lateOnce(coordinator: Coordinator, clock: Clock, lateMs: number, nth = 1): Coordinator {
  let writes = 0
  return {
    ...{ list: coordinator.list.bind(coordinator), watch: coordinator.watch.bind(coordinator) },
    txn: async (transaction) => {
      if ((transaction.put ?? []).length > 0) writes += 1
      else return coordinator.txn(transaction)
      if (writes !== nth) return coordinator.txn(transaction)
      clock.after(lateMs, () => void coordinator.txn(transaction))
      return { kind: 'unknown', reason: 'no answer in time' }
    },
    ...{ lost: null, nudge: () => {}, close: () => coordinator.close() },
  }
}

/** Logins at m1; m2 says yes to every question. */
async function logins(
  isLocked: (nowMs: number) => boolean = () => false,
  choose: Placement['choose'] = async () => null,
  through = (coordinator: Coordinator, _clock: Clock) => coordinator,
) {
  const scene = await records()
  const { timeline, clock, coordination } = scene
  const self = memberId('m1')
  const post = new Post(clock)
  post.members.set('m2', (kind) => (kind === 'login' ? { yes: true } : 'dead'))
  const group = await scene.view(self)
  const [gateway, registry, coordinator] = [
    new FakeFences(),
    new Registry(),
    lockable(through(coordination.handle(self), clock), () => isLocked(clock.nowMs())),
  ]
  const ending = new Ending({ self, clock, coordinator, group, gateway, registry })
  const ends: EndReason[] = []
  const barrier = new Barrier({
    ...{ self, clock, peers: post, gateway, registry, ending, end: () => {}, closed: () => {} },
  })
  let tokens = 0
  const draining = { isOn: false }
  const at = new Logins({
    ...{ self, clock, coordinator, group, peers: post, barrier, registry },
    questions: new RedirectQuestions(clock, post),
    placement: { choose, expect() {}, unexpect() {}, markBadPath() {} },
    end: (session, reason) => {
      session.phase = { kind: 'ended', reason }
      registry.remove(session)
      ends.push(reason)
    },
    isServing: () => true,
    isDraining: () => draining.isOn,
    newToken: () => `m1-${++tokens}`,
  })
  const attempt = (isid = '00023d000001', isGone = () => false): LoginAttempt => ({
    ...{ volume, initiator, isid, source: 's', isGone, startedMs: clock.nowMs() },
  })
  const login = async (isid?: string, isGone?: () => boolean) => {
    const arrived = attempt(isid, isGone)
    const route = await at.routes.of(arrived)
    return route.kind === 'take' ? at.take(arrived, route) : route
  }
  const finish = (isid?: string) => timeline.finish(login(isid))
  return { ...scene, post, gateway, registry, barrier, ends, at, login, finish, draining }
}

describe('a login', () => {
  it('L1 of one ISID that comes many times at once has one record, taken once by each', async () => {
    const { timeline, login, all, registry } = await logins()
    const taken = await timeline.finish(Promise.all([1, 2, 3, 4].map(() => login())))
    expect(taken.map(({ kind }) => kind)).toEqual(['taken', 'taken', 'taken', 'taken'])
    expect(all()).toMatchObject([{ record: { gen: 4, state: 'live', owner: memberId('m1') } }])
    const gens = taken.flatMap((one) => (one.kind === 'taken' ? [one.session.gen] : []))
    expect(gens.sort()).toEqual([1, 2, 3, 4])
    expect([...registry.all()].map(({ gen }) => gen)).toEqual([4])
  })

  it.each(['00023d000001', randomIsid])('L2 consumes the open move of %s', async (isid) => {
    const { create, write, finish, stored } = await logins()
    const before = await create({ owner: memberId('m2'), isid })
    await write(commitMove(before, { id: 'mv', to: memberId('m1') }, 2 ** 30))
    const came = isid === randomIsid ? '800000000002' : isid
    expect(await finish(came)).toMatchObject({ kind: 'taken', why: 'returned' })
    const { record } = stored(before.id)
    expect(record).toMatchObject({ gen: 3, owner: memberId('m1'), isid: came })
    expect(record.move).toBeUndefined()
  })

  it('L3 runs its barrier where it is taken, if no record has its ISID', async () => {
    const { create, finish, gateway, stored } = await logins()
    const other = await create({ owner: memberId('m2'), isid: '00023d000009' })
    expect(await finish()).toMatchObject({ kind: 'taken', why: 'new' })
    expect(stored(other.id).record.state).toBe('dead')
    expect([...gateway.set]).toEqual([[other.id, 2]])
  })

  it('L3 a login by the ISID of one that died in its barrier runs one, and a later one none', async () => {
    const { timeline, create, login, finish, post, stored, all } = await logins()
    const other = await create({ owner: memberId('m2'), isid: '00023d000009' })
    post.silent.add('m2')
    let isGone = false
    const first = login(undefined, () => isGone)
    await timeline.until(() => post.asked.length > 0)
    isGone = true
    expect(await timeline.finish(first)).toEqual({ kind: 'reject', why: 'gone' })
    expect(stored(other.id).record.state).toBe('live')
    post.silent.delete('m2')
    expect(await finish()).toMatchObject({ kind: 'taken', why: 'reinstated' })
    expect(stored(other.id).record.state).toBe('dead')
    const mine = all().find(({ id }) => id !== other.id)
    expect(mine?.record).not.toHaveProperty('barrierDue')
    const asked = post.asked.length
    expect(await finish()).toMatchObject({ kind: 'taken', session: { gen: 3 } })
    expect(post.asked).toHaveLength(asked)
  })

  it('L3 a barrier is complete when the record says so, also if that is learnt late', async () => {
    for (const lateMs of [0.001, 10, 20, 25, 100]) {
      const scene = await logins(undefined, undefined, (coordinator, clock) =>
        lateOnce(coordinator, clock, lateMs, 2),
      )
      const taken = await scene.finish()
      const [stored] = scene.all()
      expect(stored?.record).not.toHaveProperty('barrierDue')
      expect(taken).toMatchObject({
        kind: 'taken',
        session: { rev: stored?.rev, record: stored?.record },
      })
      await scene.timeline.run(scene.timeline.nowMs + 1_000)
      expect(scene.all()).toEqual([stored])
    }
  })

  it('L3 runs no barrier where it is redirected', async () => {
    const { create, finish, gateway, post, all } = await logins()
    await create({ owner: memberId('m2') })
    await create({ owner: memberId('m2'), isid: '00023d000009' })
    const before = all()
    expect(await finish()).toMatchObject({ kind: 'redirect', to: memberId('m2') })
    expect(all()).toEqual(before)
    expect(gateway.set.size).toBe(0)
    expect(post.asked.map(({ kind }) => kind)).toEqual(['login'])
  })

  it('L4 is redirected to its last owner once a generation, and taken when it repeats', async () => {
    const { timeline, create, write, finish, stored } = await logins()
    const { id } = await create({ owner: memberId('m2') })
    const toOwner = { kind: 'redirect', to: memberId('m2'), portal: 'm2:3260', why: 'owner' }
    expect(await finish()).toEqual(toOwner)
    await timeline.run(timeline.nowMs + 500)
    expect(await finish()).toEqual(toOwner)
    await write(closeSession(stored(id)))
    await timeline.run(timeline.nowMs + 1_000)
    expect(await finish()).toEqual(toOwner)
    await timeline.run(timeline.nowMs + 1_000)
    expect(await finish()).toMatchObject({ kind: 'taken', why: 'revived', session: { gen: 3 } })
  })

  it('L5 is rejected after 4 s without a coordinator, and goes on if that comes back before', async () => {
    const { timeline, coordination, finish } = await logins()
    const startMs = timeline.nowMs
    coordination.down(60_000)
    expect(await finish()).toEqual({ kind: 'reject', why: 'busy' })
    expect(timeline.nowMs - startMs).toBeGreaterThan(4_000)
    expect(timeline.nowMs - startMs).toBeLessThan(4_000 + 1_300)
    await timeline.run(startMs + 60_000)
    coordination.down(3_000)
    expect(await finish()).toMatchObject({ kind: 'taken' })
  })
})

describe('the session that a login makes', () => {
  it('L5 waits while the record is locked for writing, and is rejected after 4 s of that', async () => {
    const short = await logins((nowMs) => nowMs < 3_500)
    expect(await short.finish()).toMatchObject({ kind: 'taken', why: 'new' })
    expect(short.clock.nowMs()).toBeGreaterThanOrEqual(3_500)
    expect(short.clock.nowMs()).toBeLessThan(4_000)
    expect(short.all()).toHaveLength(1)
    const long = await logins(() => true)
    const began = long.clock.nowMs()
    expect(await long.finish()).toEqual({ kind: 'reject', why: 'busy' })
    expect(long.clock.nowMs() - began).toBeGreaterThan(4_000)
    expect(long.clock.nowMs() - began).toBeLessThan(4_500)
  })

  it('L5 is rejected after 4 s if nobody can read what became of its take', async () => {
    let isDown = false
    const scene = await logins(undefined, undefined, (coordinator) => ({
      ...coordinator,
      ...{ lost: null, watch: coordinator.watch.bind(coordinator), nudge: () => {} },
      list: async (prefix) =>
        isDown ? { kind: 'unknown', reason: 'it is away' } : coordinator.list(prefix),
      txn: async (transaction) => {
        const result = await coordinator.txn(transaction)
        isDown ||= (transaction.put ?? []).length > 0
        return isDown ? { kind: 'unknown', reason: 'it is away' } : result
      },
      close: () => coordinator.close(),
    }))
    const began = scene.clock.nowMs()
    expect(await scene.finish()).toEqual({ kind: 'reject', why: 'busy' })
    expect(scene.clock.nowMs() - began).toBeGreaterThan(4_000)
    expect(scene.clock.nowMs() - began).toBeLessThan(4_500)
    // The record that it has made is nobody's: the sweep may close it.
    const [left] = scene.all()
    expect([scene.registry.size, scene.registry.isUnderWay(left?.record.loginToken ?? '')]).toEqual(
      [0, false],
    )
  })

  it('L7 a take of which it is learnt late that it was done is that take, and no other login', async () => {
    for (const lateMs of [0.001, 10, 20, 25, 100]) {
      const scene = await logins(undefined, undefined, (coordinator, clock) =>
        lateOnce(coordinator, clock, lateMs),
      )
      const before = await scene.create({ owner: memberId('m2') })
      await scene.write(commitMove(before, { id: 'mv', to: memberId('m1') }, 2 ** 30))
      const taken = await scene.finish()
      expect([lateMs, taken]).toMatchObject([
        lateMs,
        { kind: 'taken', why: 'returned', from: { record: { move: { id: 'mv' } } } },
      ])
      await scene.timeline.run(scene.timeline.nowMs + 1_000)
      const { gen } = scene.stored(before.id).record
      expect([gen, scene.ends]).toEqual([3, []])
      expect(scene.registry.get(before.id)?.gen).toBe(gen)
    }
  })

  it('L7 L3 a new login of which it is learnt late that it was taken still runs its barrier', async () => {
    for (const lateMs of [0.001, 10, 20, 25, 100]) {
      const scene = await logins(undefined, undefined, (coordinator, clock) =>
        lateOnce(coordinator, clock, lateMs),
      )
      const other = await scene.create({ owner: memberId('m2'), isid: '800000000009' })
      const taken = await scene.finish(randomIsid)
      expect([lateMs, scene.stored(other.id).record.state]).toEqual([lateMs, 'dead'])
      expect(taken).toMatchObject({ kind: 'taken', why: 'new' })
      expect([...scene.gateway.set]).toEqual([[other.id, 2]])
    }
  })

  it('L8 a new login that is taken here stays here, however long the record is locked', async () => {
    let asked = 0
    const choose = async () => {
      asked += 1
      return asked === 1 ? null : memberId('m2')
    }
    const scene = await logins((nowMs) => nowMs < 2_000, choose)
    expect(await scene.finish()).toMatchObject({ kind: 'taken', why: 'new' })
    const sent = await logins(
      (nowMs) => nowMs < 2_000,
      async () => memberId('m2'),
    )
    const key = loginKey({
      ...{ volume: volume.id, initiator, isid: '00023d000001', source: 's', randomKind: false },
    })
    sent.at.routes.reserve({ id: 'm2:1', key, reserve: true })
    expect(await sent.finish()).toMatchObject({ kind: 'taken', why: 'new' })
    expect([asked, sent.post.asked]).toEqual([1, []])
  })

  it('L9 a pinned session goes to the member that it is pinned to, whoever had it last, and is taken if it cannot', async () => {
    const { create, write, finish, stored, post, timeline } = await logins()
    const mine = await create({ owner: memberId('m1') })
    await write(pinSession(mine, memberId('m2')))
    expect(await finish()).toMatchObject({ kind: 'redirect', to: memberId('m2'), why: 'owner' })
    await timeline.run(timeline.nowMs + 1_500)
    expect(await finish()).toMatchObject({ kind: 'taken', why: 'reinstated' })
    expect(stored(mine.id).record).toMatchObject({ owner: 'm1', pinned: 'm2' })
    post.members.set('m2', () => ({ yes: false }))
    expect(await finish()).toMatchObject({ kind: 'taken' })

    const other = await create({ owner: memberId('m2'), isid: '00023d000009' })
    await write(pinSession(other, memberId('m1')))
    expect(await finish('00023d000009')).toMatchObject({ kind: 'taken', why: 'reinstated' })
  })

  it('L10 a member that is drained sends its own sessions to others, but what is pinned there, or nobody takes', async () => {
    const { create, write, finish, stored, post, timeline, draining } = await logins(
      undefined,
      async () => memberId('m2'),
    )
    const mine = await create({ owner: memberId('m1') })
    draining.isOn = true
    expect(await finish()).toMatchObject({ kind: 'redirect', to: memberId('m2'), why: 'placement' })
    expect(await finish()).toMatchObject({ kind: 'taken', why: 'reinstated' })
    await timeline.run(timeline.nowMs + 61_000)
    post.members.set('m2', () => ({ yes: false }))
    expect(await finish()).toMatchObject({ kind: 'taken' })
    post.members.set('m2', () => ({ yes: true }))
    await write(pinSession(stored(mine.id), memberId('m1')))
    expect(await finish()).toMatchObject({ kind: 'taken' })
    expect(await finish('00023d000009')).toMatchObject({ kind: 'redirect' })
  })

  it('N1 has the generation that was taken, and an older one here ends first', async () => {
    const { finish, stored, registry, ends } = await logins()
    const first = await finish()
    const second = await finish()
    if (first.kind !== 'taken' || second.kind !== 'taken') throw new Error('both are taken')
    expect(second.session.gen).toBe(stored(second.session.id).record.gen)
    expect(first.session).toMatchObject({ phase: { kind: 'ended' }, id: second.session.id, gen: 1 })
    expect(ends).toEqual(['reinstated'])
    expect(registry.get(first.session.id)).toBe(second.session)
  })

  it('N1 answers for nothing once another member owns it', async () => {
    const { timeline, create, registry, barrier } = await logins()
    const { session, carrier } = liveOf(await create({}))
    registry.add(session)
    session.phase = { kind: 'ended', reason: 'moved' }
    const verdict = barrier.verdict(session, 'hold')
    expect(await timeline.finish(verdict)).toBe('dead')
    expect(carrier.asked).toEqual([])
  })

  it('N2 counts as alive at every moment that its record names it', async () => {
    const { timeline, login, all, registry, barrier } = await logins()
    const taking = login()
    let [looks, dead, done] = [0, 0, false]
    const look = () => {
      for (const { id, record } of all()) {
        looks += 1
        const known = registry.get(id)?.gen === record.gen
        if (!known && !registry.isUnderWay(record.loginToken)) dead += 1
        const { gen, loginToken } = record
        void barrier.verdict({ id, gen, loginToken }, 'hold').then((verdict) => {
          if (verdict === 'dead') dead += 1
        })
      }
      if (!done) timeline.after(0.02, look)
    }
    look()
    await timeline.finish(taking)
    done = true
    expect(looks).toBeGreaterThan(5)
    expect(dead).toBe(0)
    expect(registry.isUnderWay('m1-1')).toBe(false)
    expect(registry.size).toBe(1)
  })

  it('N2 is registered no more once its login has failed', async () => {
    const { create, finish, registry, barrier, ends } = await logins()
    await create({ owner: memberId('m2'), isid: '00023d000009' })
    barrier.run = () => Promise.reject(new Error('out of bounds'))
    await expect(finish()).rejects.toThrow('out of bounds')
    expect([registry.size, ends]).toEqual([0, ['closed']])
  })
})
