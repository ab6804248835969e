// Logins at real members in virtual time, with initiators and a coordinator that do what they should not.

import { describe, expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { portalOf } from '../../sim/settings.ts'
import { startGroup, stranger } from '../../test/kit/sim-group.ts'
import { BufferPool } from '../base/buffer-pool.ts'
import { readU16 } from '../base/bytes.ts'
import { memberId } from '../base/ids.ts'
import { keys } from '../group/record.ts'
import { discover } from '../initiator/discover.ts'
import { loginStatus } from '../iscsi/pdu.ts'
import { VolumeDesk } from '../operator/volume-desk.ts'

describe('the login of a connection', () => {
  it('P1 a failure while the group decides ends its connection, and is told; others go on', async () => {
    const scene = await startGroup(13)
    const { group, timeline, events, connect } = scene
    const initiator = await connect()
    for (const { member } of group.members) {
      if (member === null) throw new Error('all members run')
      const { coordinator } = member.ports
      const list = coordinator.list.bind(coordinator)
      coordinator.list = (prefix) =>
        prefix.startsWith(keys.sessions) ? Promise.reject(new Error('out of bounds')) : list(prefix)
    }
    const { seen, state } = await stranger(scene, 'normal')
    expect([seen.length, state.over]).toEqual([0, true])
    const told = events.filter(({ kind }) => kind === 'reject')
    expect(told).toMatchObject([{ reason: 'the login failed: out of bounds' }])
    const answer = await timeline.finish(initiator.command({ cdb: new Uint8Array(6) }))
    expect(answer.kind).toBe('answered')
    expect(group.members.every(({ member }) => member !== null)).toBe(true)
  })

  it('P2 a session that a later login has taken meanwhile is not admitted', async () => {
    const scene = await startGroup(15)
    const { group, events } = scene
    const { target, controls } = group.member(memberId('m1')).member ?? {}
    if (target === undefined) throw new Error('m1 runs')
    const take = target.logins.take.bind(target.logins)
    target.logins.take = async (attempt, routed) => {
      const taken = await take(attempt, routed)
      if (taken.kind !== 'taken') throw new Error('it is taken')
      const { id, gen } = taken.session
      controls?.answer(memberId('m2'), 'taken', { id, gen: gen + 1 })
      return taken
    }
    const { seen } = await stranger(scene, 'normal')
    expect(seen.map(({ header }) => readU16(header, 36))).toEqual([loginStatus.serviceUnavailable])
    expect(target.registry.size).toBe(0)
    expect(events.map(({ kind }) => kind)).toEqual(['end', 'reject'])
  })

  /** Made through m2, while m1 hears nothing. */
  async function unheard(seed: number) {
    const scene = await startGroup(seed)
    const { group, timeline } = scene
    const { member } = group.member(memberId('m2'))
    if (member === null) throw new Error('m2 runs')
    group.coordination.cut(memberId('m1'), 'hold')
    const request = { name: 'new', bytes: 2 ** 30, blockBytes: 512, shared: true } as const
    const made = await timeline.finish(
      new VolumeDesk(member, async () => new Map()).create(request),
    )
    if (made.kind !== 'done') throw new Error('it is made')
    const healsIn = (ms: number) =>
      new SimClock(timeline).after(ms, () => {
        group.coordination.heal(memberId('m1'))
      })
    return { ...scene, target: made.value.iqn, healsIn }
  }

  it('P3 a volume of which this member has not heard yet is not taken for one that is not there', async () => {
    const scene = await unheard(16)
    scene.healsIn(1_500)
    const { seen } = await stranger(scene, 'normal', { target: scene.target })
    expect(seen.map(({ header }) => readU16(header, 36))).toEqual([0])
  })

  it('P3 while the coordinator does not answer, nobody is told that there is no such target', async () => {
    const scene = await unheard(17)
    const beganMs = scene.timeline.nowMs
    const { seen } = await stranger(scene, 'normal', { target: 'iqn.2026-11.test:none' })
    expect(seen.map(({ header }) => readU16(header, 36))).toEqual([loginStatus.serviceUnavailable])
    expect(scene.timeline.nowMs - beganMs).toBeLessThan(6_000)
  })

  it('P3 discovery tells of a volume that was made before its initiator logged in', async () => {
    const scene = await unheard(18)
    scene.healsIn(200)
    const settings = {
      ...{ net: scene.hostNet('finder'), clock: new SimClock(scene.timeline) },
      ...{ buffers: new BufferPool(65_536), portal: portalOf(memberId('m1')), limitMs: 5_000 },
      initiatorName: 'iqn.2026-11.test:finder',
      isid: '00023d000001',
    }
    const listed = await scene.timeline.finish(discover(settings))
    expect(listed.map(({ name }) => name)).toContain(scene.target)
  })

  it.each([
    ['a name of 400 bytes', { name: '漢'.repeat(128) }, loginStatus.initiatorError],
    ['a target of 8,000 bytes', { target: 'x'.repeat(8_000) }, loginStatus.notFound],
  ])('refuses %s, and tells of it in a line that is bounded', async (_, differing, status) => {
    const scene = await startGroup(14)
    const { events } = scene
    const { seen } = await stranger(scene, 'normal', differing)
    expect(seen.map(({ header }) => readU16(header, 36))).toEqual([status])
    const told = events.filter(({ kind }) => kind === 'reject')
    expect(told.length).toBe(1)
    expect(JSON.stringify({ ...told[0], at: null }).length).toBeLessThan(1_000)
  })
})
