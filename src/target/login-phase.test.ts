// Logins at real members in virtual time, with initiators and a coordinator that do what they should not.

import { describe, expect, it } from 'vitest'
import { startGroup, stranger } from '../../test/kit/sim-group.ts'
import { readU16 } from '../base/bytes.ts'
import { memberId } from '../base/ids.ts'
import { keys } from '../group/record.ts'
import { loginStatus } from '../iscsi/pdu.ts'

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
