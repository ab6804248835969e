import { describe, expect, it } from 'vitest'
import {
  FakeFences,
  liveOf,
  randomIsid,
  records,
  stableIsid,
} from '../../test/kit/session-records.ts'
import { memberId } from '../base/ids.ts'
import { closeSession, commitMove, takeSession } from '../group/sessions.ts'
import { Ending, MOVE_EXPIRES_MS } from './ending.ts'
import { Registry } from './registry.ts'

const HOUR_MS = 3_600_000
const move = { id: 'mv', to: memberId('m2') }
const again = { owner: memberId('m1'), isid: stableIsid, source: 's', loginToken: 'again', at: '' }

async function ended(self = memberId('m1')) {
  const scene = await records()
  const { timeline, clock, coordination } = scene
  const group = await scene.view(self)
  const gateway = new FakeFences()
  const registry = new Registry()
  const coordinator = coordination.handle(self)
  const ending = new Ending({ self, clock, coordinator, group, gateway, registry })
  const sweep = async () => {
    await scene.caughtUp(group)
    const expired = await timeline.finish(ending.sweep())
    await scene.caughtUp(group)
    return expired
  }
  return { ...scene, group, gateway, registry, ending, sweep }
}

describe('a record is closed', () => {
  it('E1 only as it was read', async () => {
    const { timeline, create, write, stored, ending, gateway } = await ended()
    const read = await create({})
    await write(takeSession(read, again))
    expect(await timeline.finish(ending.close(read))).toEqual({ kind: 'changed' })
    expect(stored(read.id).record).toMatchObject({ gen: 2, state: 'live', loginToken: 'again' })
    expect(gateway.set.size).toBe(0)
  })

  it('E1 never by the sweep while it is a session or a login of its own that lives', async () => {
    const { create, stored, registry, sweep } = await ended()
    const living = await create({})
    const login = await create({ isid: '00023d000002', loginToken: 'login' })
    const left = await create({ isid: '00023d000003' })
    const foreign = await create({ isid: '00023d000004', owner: memberId('m2') })
    registry.add(liveOf(living).session)
    registry.begin('login')
    await sweep()
    const states = [living, login, left, foreign].map(({ id }) => stored(id).record.state)
    expect(states).toEqual(['live', 'live', 'dead', 'live'])
  })

  it('E1 at the start only if it is left over from the last run', async () => {
    const { timeline, create, write, stored, registry, ending } = await ended()
    const left = await create({})
    const login = await create({ isid: '00023d000002', loginToken: 'login' })
    const moved = await create({ isid: '00023d000003' })
    const foreign = await create({ isid: '00023d000004', owner: memberId('m2') })
    await write(commitMove(moved, { ...move, to: memberId('m1') }, 2 ** 30))
    registry.begin('login')
    const found = [left, login, moved, foreign].map(({ id }) => stored(id))
    await timeline.finish(ending.closeLeftovers(found))
    const states = found.map(({ id }) => stored(id).record.state)
    expect(states).toEqual(['dead', 'live', 'live', 'live'])
  })

  it('E1 after its session ended, unless a later login has it', async () => {
    const { timeline, create, write, stored, caughtUp, group, ending } = await ended()
    const first = await create({})
    const second = await create({ isid: '00023d000002' })
    const [one, two] = [liveOf(first).session, liveOf(second).session]
    await write(takeSession(second, { ...again, isid: '00023d000002' }))
    await caughtUp(group)
    await timeline.finish(Promise.all([ending.closeEnded(one), ending.closeEnded(two)]))
    expect(stored(first.id).record).toMatchObject({ state: 'dead', gen: 2 })
    expect(stored(second.id).record).toMatchObject({ state: 'live', gen: 2 })
  })
})

describe('a closed generation', () => {
  it('E2 is fenced as soon as it is closed, also by a member that does not own it', async () => {
    const { timeline, create, ending, gateway, sweep } = await ended(memberId('m2'))
    const stored = await create({})
    const closed = await timeline.finish(ending.close(stored))
    expect(closed).toEqual({ kind: 'closed', gen: 2 })
    expect([...gateway.set]).toEqual([[stored.id, 2]])
    await sweep()
    expect([...gateway.set]).toEqual([[stored.id, 2]])
  })

  it('E2 is fenced by the member that closed it, until it is retired', async () => {
    const { create, all, gateway, sweep } = await ended()
    const { id } = await create({ isid: randomIsid })
    gateway.known = false
    for (let i = 0; i < 3; i++) await sweep()
    expect([...gateway.set]).toEqual([[id, 2]])
    expect(all()).toMatchObject([{ id, record: { state: 'dead' } }])
    gateway.known = true
    await sweep()
    expect(all()).toEqual([])
    await sweep()
    expect(gateway.set.size).toBe(0)
  })

  it('E2 is fenced again by its owner, which may have lost its memory, and by nobody who never fenced it', async () => {
    for (const [self, fences] of [
      [memberId('m1'), 1],
      [memberId('m2'), 0],
    ] as const) {
      const { create, write, gateway, sweep } = await ended(self)
      await write(closeSession(await create({})))
      await sweep()
      expect(gateway.set.size).toBe(fences)
    }
  })
})

describe('an open move', () => {
  it('E3 is closed by its owner 10 s after it first saw that generation', async () => {
    const { timeline, create, write, stored, gateway, sweep } = await ended(memberId('m2'))
    const before = await create({})
    await timeline.run(60_000)
    await write(commitMove(before, move, 2 ** 30))
    await sweep()
    const seenMs = timeline.nowMs
    for (let ms = 1_000; ms < MOVE_EXPIRES_MS; ms += 1_000) {
      await timeline.run(seenMs + ms)
      expect(await sweep()).toEqual([])
    }
    await timeline.run(seenMs + MOVE_EXPIRES_MS - 100)
    expect(await sweep()).toEqual([])
    expect(stored(before.id).record).toMatchObject({ state: 'live', gen: 2, move: { open: true } })
    await timeline.run(seenMs + MOVE_EXPIRES_MS)
    expect(await sweep()).toMatchObject([{ id: before.id, record: { move: { id: 'mv' } } }])
    expect(stored(before.id).record).toMatchObject({ state: 'dead', gen: 3 })
    expect(gateway.set.get(before.id)).toBe(3)
  })

  it('E3 time in which its owner stood still does not count for an open move', async () => {
    const { timeline, create, write, gateway, sweep } = await ended(memberId('m2'))
    gateway.known = false
    const before = await create({ owner: memberId('m1') })
    await write(commitMove(before, move, 2 ** 30))
    expect(await sweep()).toEqual([])
    await timeline.run(timeline.nowMs + 60_000)
    const resumedMs = timeline.nowMs
    let expired: unknown[] = []
    while (expired.length === 0) {
      expired = [...(await sweep())]
      await timeline.run(timeline.nowMs + 1_000)
    }
    expect(timeline.nowMs - resumedMs).toBeGreaterThan(5_000)
    expect(timeline.nowMs - resumedMs).toBeLessThan(MOVE_EXPIRES_MS)
  })

  it('E3 is nobody else’s to close', async () => {
    const { timeline, create, write, stored, sweep } = await ended(memberId('m1'))
    const before = await create({})
    await write(commitMove(before, move, 2 ** 30))
    await sweep()
    await timeline.run(timeline.nowMs + 2 * MOVE_EXPIRES_MS)
    await sweep()
    expect(stored(before.id).record).toMatchObject({ state: 'live', gen: 2 })
  })
})

describe('a dead record', () => {
  it('E4 of a stable ISID is kept an hour, of the random kind until every primary knows', async () => {
    const { timeline, create, all, sweep } = await ended()
    const stable = await create({})
    await create({ isid: randomIsid })
    await sweep()
    await sweep()
    expect(all()).toMatchObject([
      { id: stable.id, record: { state: 'dead', owner: memberId('m1') } },
    ])
    await timeline.run(HOUR_MS - 1_000)
    await sweep()
    expect(all().length).toBe(1)
    await timeline.run(HOUR_MS + 1_000)
    await sweep()
    expect(all()).toEqual([])
  })
})
