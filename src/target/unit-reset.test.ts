import { describe, expect, it } from 'vitest'
import { FakeFences, liveOf, Post, records } from '../../test/kit/session-records.ts'
import { type MemberId, memberId, volumeId } from '../base/ids.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import { closeSession, commitMove, takeSession } from '../group/sessions.ts'
import { Registry } from './registry.ts'
import { LIMIT_MS, readReset, UnitResets } from './unit-reset.ts'

const isids = ['00023d000001', '00023d000002', '00023d000003', '00023d000004']

/** Two members with sessions of volume 1; m1 has the one that resets. Runners end at once, unless `held`. */
async function resets() {
  const scene = await records()
  const { timeline, clock, coordination, create } = scene
  const post = new Post(clock)
  const at = (self: MemberId) => {
    const gateway = new FakeFences()
    const registry = new Registry()
    const ended: number[] = []
    const held = new Map<number, Promise<boolean>>()
    const units = new UnitResets({
      ...{ self, clock, coordinator: coordination.handle(self), peers: post, gateway, registry },
    })
    post.members.set(self, (_, body) => units.answer(readReset(body)))
    return { units, gateway, registry, ended, held }
  }
  const m1 = at(memberId('m1'))
  const m2 = at(memberId('m2'))
  const serve = async (owner: MemberId, isid = isids[0]) => {
    const stored = await create({ owner, ...(isid === undefined ? {} : { isid }) })
    const { session, carrier } = liveOf(stored)
    const { registry, ended, held } = owner === 'm1' ? m1 : m2
    carrier.resetByAnother = () => {
      ended.push(session.id)
      return held.get(session.id) ?? Promise.resolve(true)
    }
    registry.add(session)
    return { stored, session }
  }
  const by = await serve(memberId('m1'), isids[3])
  const begin = () => {
    const reset = { said: null as boolean | null, atMs: 0 }
    const fromMs = timeline.nowMs
    void m1.units.reset(volumeId(1), by.session).then((complete) => {
      reset.said = complete
      reset.atMs = timeline.nowMs - fromMs
    })
    return reset
  }
  return { ...scene, post, m1, m2, by, serve, begin }
}

describe('a reset of the unit', () => {
  it('Z1 is complete when every owner has ended its sessions, the asking one aside', async () => {
    const { timeline, serve, m1, m2, begin } = await resets()
    const here = await serve(memberId('m1'), isids[0])
    const there = await serve(memberId('m2'), isids[1])
    const other = Promise.withResolvers<boolean>()
    m2.held.set(there.session.id, other.promise)
    const reset = begin()
    await timeline.run(timeline.nowMs + 5_000)
    expect(reset.said).toBeNull()
    other.resolve(true)
    await timeline.until(() => reset.said !== null)
    expect(reset.said).toBe(true)
    // Asked again while it waits, an owner goes on waiting.
    expect([m1.ended, m2.ended]).toEqual([[here.session.id], [there.session.id]])
  })

  it('Z1 waits until every primary refuses the generations before', async () => {
    const { timeline, write, stored, serve, m1, m2, begin } = await resets()
    const { stored: first, session } = await serve(memberId('m2'), isids[1])
    const taken = {
      owner: memberId('m2'),
      isid: isids[1] ?? '',
      source: 's',
      loginToken: 'again',
      at: '',
    }
    await write(takeSession(first, taken))
    m2.registry.remove(session)
    m2.registry.add(liveOf(stored(session.id)).session)
    m1.gateway.known = false
    const reset = begin()
    await timeline.run(timeline.nowMs + 3_000)
    expect([...m1.gateway.set]).toEqual([[session.id, 2]])
    expect(reset.said).toBeNull()
    m1.gateway.known = true
    await timeline.until(() => reset.said !== null)
    expect(reset.said).toBe(true)
  })

  it('Z1 asks nobody for dead sessions and those between two members, whose old generations are fenced', async () => {
    const { timeline, write, serve, m1, m2, begin } = await resets()
    const dead = await serve(memberId('m2'), isids[0])
    const away = await serve(memberId('m2'), isids[1])
    await write(closeSession(dead.stored))
    await write(commitMove(away.stored, { id: 'mv', to: memberId('m1') }, 2 ** 30))
    m2.registry.remove(dead.session)
    m2.registry.remove(away.session)
    const reset = begin()
    await timeline.until(() => reset.said !== null)
    expect(reset.said).toBe(true)
    expect(m2.ended).toEqual([])
    expect(new Map(m1.gateway.set)).toEqual(
      new Map([
        [dead.session.id, 2],
        [away.session.id, 2],
      ]),
    )
  })

  it('Z2 is rejected when an owner is silent, and when the coordinator is', async () => {
    const { timeline, serve, post, begin, coordination } = await resets()
    await serve(memberId('m2'), isids[0])
    post.silent.add('m2')
    const reset = begin()
    await timeline.until(() => reset.said !== null)
    expect(reset.said).toBe(false)
    expect(reset.atMs).toBeGreaterThanOrEqual(LIMIT_MS)
    expect(reset.atMs).toBeLessThan(LIMIT_MS + 3_000)
    post.silent.clear()
    coordination.cut('m1', 'drop')
    const again = begin()
    await timeline.until(() => again.said !== null)
    expect(again.said).toBe(false)
  })

  it('Z2 is given up when the session that asked is over', async () => {
    const { timeline, serve, post, begin, by } = await resets()
    await serve(memberId('m2'), isids[0])
    post.silent.add('m2')
    const reset = begin()
    by.session.phase = { kind: 'ended', reason: 'closed' }
    await timeline.until(() => reset.said !== null)
    expect(reset.said).toBe(false)
    expect(reset.atMs).toBeLessThan(LIMIT_MS)
  })

  it('Z3 waits while its owner does not serve a session at its recorded generation', async () => {
    const { timeline, write, serve, m2, begin, stored } = await resets()
    const { stored: record, session } = await serve(memberId('m2'), isids[0])
    m2.registry.remove(session)
    const reset = begin()
    await timeline.run(timeline.nowMs + 2_000)
    expect([reset.said, m2.ended]).toEqual([null, []])
    await write(closeSession(stored(record.id)))
    await timeline.until(() => reset.said !== null)
    expect(reset.said).toBe(true)
  })

  it('Z3 does not read a question for nothing in particular', async () => {
    const { post, timeline } = await resets()
    for (const body of [null, [], {}, { reset: 'r', sessions: [[1]] }]) {
      expect(() => readReset(body)).toThrow(ProtocolError)
    }
    const nothing = post.ask(memberId('m1'), 'reset', { reset: 'r', sessions: [] }, 10)
    expect(await timeline.finish(nothing)).toEqual([])
  })
})
