import { describe, expect, it } from 'vitest'
import { SimClock } from '../../sim/clock.ts'
import { SimCoordination } from '../../sim/coordinator.ts'
import { Timeline } from '../../sim/timeline.ts'
import type { Clock } from '../base/clock.ts'
import { sleep } from '../base/clock.ts'
import { memberId, revision, sessionId, sliceId, volumeId } from '../base/ids.ts'
import { Prng } from '../base/prng.ts'
import type { GroupChange } from '../group/change.ts'
import { foundGroup, startMember } from '../group/founding.ts'
import { type GroupRecord, keys, RECORD_FORMAT } from '../group/record.ts'
import { closeSession, createSession, retireSession, takeSession } from '../group/sessions.ts'
import { createVolume, deleteVolume } from '../group/volumes.ts'
import type { Coordinator, WatchBatch } from './coordinator.ts'
import { GroupView } from './group-view.ts'

const group: GroupRecord = {
  format: RECORD_FORMAT,
  name: 'lab',
  groupId: 'g',
  incarnation: 'i',
  lineage: [],
  slices: 128,
  namingAuthority: 'iqn.2026-11.dev.evenkeel',
}
const member = { id: memberId('m1'), bootId: 'b', portal: 'h:1', peer: 'h:2', api: '' }
const who = { owner: memberId('m1'), isid: '00023d000001', source: 's', loginToken: 't', at: '' }

async function simulation(keepRevisions = 50_000) {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  const coordination = new SimCoordination(clock, new Prng(5), { keepRevisions })
  const writer = coordination.handle('writer')
  const write = async (change: GroupChange) => {
    const result = await timeline.finish(writer.txn(change))
    if (result.kind !== 'done') throw new Error(result.kind)
    return result.rev
  }
  for (const change of foundGroup(group, [memberId('m1'), memberId('m2')])) await write(change)
  const open = (name: string) => timeline.finish(GroupView.open(coordination.handle(name), clock))
  const caughtUp = (view: GroupView) =>
    timeline.until(() => view.rev === coordination.rev, 10_000, 'the view')
  return { timeline, clock, coordination, write, open, caughtUp }
}

const volumeOf = (view: GroupView, id: number, name: string) =>
  createVolume({
    group: view.group,
    id: volumeId(id),
    wish: { name, bytes: 2 ** 30, blockBytes: 512, shared: true },
    slices: view.slices,
    counterRev: revision(0),
    at: '',
  })

/** All that a view says, in an order of its own. */
function told(view: GroupView): unknown {
  const sorted = (map: ReadonlyMap<unknown, unknown>) =>
    [...map].map((one) => JSON.stringify(one)).sort()
  return {
    rev: view.rev,
    group: view.group,
    slices: view.slices,
    sliceRevs: view.sliceRevs,
    members: sorted(view.members),
    memberRevs: sorted(view.memberRevs),
    volumes: sorted(view.volumes),
    volumeRevs: sorted(view.volumeRevs),
    sessions: sorted(view.sessions),
    moves: [...view.moves],
    skipped: [...view.skipped],
    policy: [view.policy, view.policyRev],
  }
}

describe('GroupView', () => {
  it('V6 the sessions of an initiator on a volume are those of the view, through takes, ends and a list', async () => {
    const { write, open, caughtUp } = await simulation()
    const view = await open('m1')
    const [first, other] = [volumeId(1), volumeId(2)]
    const login = (volume: typeof first, initiator: string, loginToken: string, isid: string) =>
      write(createSession({ ...who, volume, initiator, loginToken, isid }))
    const a = await login(first, 'iqn.x:i', 'a', '00023d000001')
    const b = await login(first, 'iqn.x:i', 'b', '00023d000002')
    await login(first, 'iqn.x:j', 'c', '00023d000001')
    await login(other, 'iqn.x:i', 'd', '00023d000001')
    await caughtUp(view)
    const ids = (of: GroupView) => [...of.sessionsOf(first, 'iqn.x:i')].map(({ id }) => id)
    expect(ids(view)).toEqual([a, b])
    expect(ids(await open('m2'))).toEqual([a, b])
    const taken = view.sessions.get(sessionId(a))
    if (taken === undefined) throw new Error('no session')
    await write(takeSession(taken, { ...who, owner: memberId('m2'), loginToken: 'u' }))
    await caughtUp(view)
    const owners = [...view.sessionsOf(first, 'iqn.x:i')].map(({ record }) => record.owner)
    expect(owners.sort()).toEqual(['m1', 'm2'])
    for (const id of [a, b]) {
      const live = view.sessions.get(sessionId(id))
      if (live === undefined) throw new Error('no session')
      await write(closeSession(live))
      await caughtUp(view)
      const dead = view.sessions.get(sessionId(id))
      if (dead !== undefined) await write(retireSession(dead))
      await caughtUp(view)
    }
    expect(ids(view)).toEqual([])
    expect([...view.sessionsOf(other, 'iqn.x:i')]).toHaveLength(1)
  })

  it('V1 a view that was kept equals one that is listed now', async () => {
    const { coordination, write, open, caughtUp } = await simulation()
    const kept = await open('m1')
    expect(kept.slices).toHaveLength(128)
    await write(startMember(null, member))
    const { record, change } = volumeOf(kept, 1, 'a')
    const volumeRev = await write(change)
    const first = await write(createSession({ ...who, volume: volumeId(1), initiator: 'iqn.x:i' }))
    await caughtUp(kept)
    expect(kept.volumeByIqn(record.iqn)).toEqual(record)
    expect(kept.storedMember(memberId('m1'))?.record.portal).toBe('h:1')
    const session = kept.sessions.get(sessionId(first))
    if (session === undefined) throw new Error('no session')
    await write(takeSession(session, { ...who, owner: memberId('m2'), loginToken: 'u' }))
    const policy = { compare: [], put: [{ key: keys.policy, value: '{"mode":"on"}' }], remove: [] }
    await write(policy)
    await caughtUp(kept)
    expect(kept.sessions.get(sessionId(first))?.record).toMatchObject({
      owner: memberId('m2'),
      gen: 2,
    })
    expect(told(kept)).toEqual(told(await open('m2')))
    await write(deleteVolume(record, volumeRev))
    await write({ compare: [], put: [], remove: [keys.policy, keys.member(memberId('m1'))] })
    const taken = kept.sessions.get(sessionId(first))
    if (taken === undefined) throw new Error('no session')
    await write(closeSession(taken))
    await caughtUp(kept)
    const dead = kept.sessions.get(sessionId(first))
    if (dead === undefined) throw new Error('no session')
    await write(retireSession(dead))
    await caughtUp(kept)
    expect([kept.volumes.size, kept.members.size, kept.sessions.size]).toEqual([0, 0, 0])
    expect(kept.volumeByIqn(record.iqn)).toBeUndefined()
    expect(told(kept)).toEqual(told(await open('m2')))
    expect(kept.rev).toBe(coordination.rev)
  })

  it('V1 a view that has fallen behind the log lists anew', async () => {
    const { coordination, timeline, write, open, caughtUp } = await simulation(50)
    const view = await open('m1')
    coordination.cut('m1', 'drop')
    for (let n = 0; n < 120; n += 1)
      await write(startMember(null, { ...member, id: memberId(`m${n}`) }))
    await timeline.run(timeline.nowMs + 1_000)
    expect(view.members.size).toBe(0)
    coordination.heal('m1')
    await caughtUp(view)
    expect(view.members.size).toBe(120)
    expect(told(view)).toEqual(told(await open('m2')))
    await write(startMember(null, { ...member, id: memberId('later') }))
    await caughtUp(view)
    expect(view.members.has(memberId('later'))).toBe(true)
  })

  it('V1 moves are kept oldest first, also when they were listed', async () => {
    const { timeline, coordination, open } = await simulation()
    const writer = coordination.handle('w')
    for (const id of ['z', 'b', 'm', 'a']) {
      const record = {
        id,
        session: 1,
        volume: 1,
        initiator: 'i',
        from: memberId('m1'),
        to: memberId('m2'),
        reason: '',
        code: '',
        by: 'operator',
        predicted: null,
        at: '',
      }
      await timeline.finish(
        writer.txn({ put: [{ key: keys.move(id), value: JSON.stringify(record) }] }),
      )
    }
    const view = await open('m1')
    expect([...view.moves.keys()]).toEqual(['z', 'b', 'm', 'a'])
  })

  it('V2 each change wakes whoever waits', async () => {
    const { timeline, write, open } = await simulation()
    const view = await open('m1')
    let woken = 0
    for (let n = 0; n < 3; n += 1)
      void view.changed().then(() => {
        woken += 1
      })
    await timeline.run(timeline.nowMs + 10_000)
    expect(woken).toBe(0)
    await write(startMember(null, member))
    await timeline.until(() => woken === 3)
    expect(view.members.size).toBe(1)
  })

  it('refresh() brings the view up to what was committed before; false if nobody answers', async () => {
    const { timeline, clock, coordination, write, open } = await simulation()
    const view = await open('m1')
    for (let n = 0; n < 20; n += 1) {
      const rev = await write(startMember(null, { ...member, id: memberId(`m${n}`) }))
      expect(await timeline.finish(view.refresh())).toBe(true)
      expect(view.rev).toBeGreaterThanOrEqual(rev)
    }
    coordination.down(5_000)
    expect(await timeline.finish(view.refresh())).toBe(false)
    await timeline.finish(sleep(clock, 6_000))
    expect(await timeline.finish(view.refresh())).toBe(true)
  })

  it('V7 a storm of refreshes asks one question at a time, and each sees what was committed before it', async () => {
    const { timeline, clock, coordination, write } = await simulation()
    const coordinator = coordination.handle('m1')
    let [underWay, most, asked] = [0, 0, 0]
    const counted: Coordinator = {
      ...{ list: (prefix) => coordinator.list(prefix), watch: coordinator.watch.bind(coordinator) },
      txn: async (transaction) => {
        asked += 1
        underWay += 1
        most = Math.max(most, underWay)
        const result = await coordinator.txn(transaction)
        underWay -= 1
        return result
      },
      ...{ lost: null, nudge: () => coordinator.nudge(), close: () => coordinator.close() },
    }
    const view = await timeline.finish(GroupView.open(counted, clock))
    const first = Array.from({ length: 500 }, () => view.refresh())
    const rev = await write(startMember(null, member))
    const later = Array.from({ length: 500 }, async () => ((await view.refresh()) ? view.rev : 0))
    const seen = await timeline.finish(Promise.all(later))
    expect(Math.min(...seen)).toBeGreaterThanOrEqual(rev)
    expect(new Set(await timeline.finish(Promise.all(first)))).toEqual(new Set([true]))
    expect(most).toBe(1)
    expect(asked).toBeLessThanOrEqual(4)
    expect(await timeline.finish(view.refresh())).toBe(true)
    expect(asked).toBeLessThanOrEqual(5)
    view.close()
  })

  it('refresh() lists when the watch does not bring what was committed, and waits for that no longer than it may', async () => {
    const { timeline, clock, coordination, write } = await simulation()
    const handle = coordination.handle('m1')
    const deaf: Coordinator = {
      txn: (transaction) => handle.txn(transaction),
      list: (prefix) => handle.list(prefix),
      watch: () => ({
        next: () => new Promise((resolve) => (deliver = resolve)),
        close: () => undefined,
      }),
      nudge: () => undefined,
      lost: null,
      close: () => handle.close(),
    }
    let deliver: (batch: WatchBatch) => void = () => undefined
    let waits = 0
    const counting: Clock = {
      nowMs: () => clock.nowMs(),
      wallMs: () => clock.wallMs(),
      soon: (f) => clock.soon(f),
      after(delayMs, f) {
        waits += 1
        if (waits > 8) throw new Error(`the wait was begun again for ${delayMs} ms`)
        return clock.after(delayMs, f)
      },
    }
    const view = await timeline.finish(GroupView.open(deaf, counting))
    await write(startMember(null, member))
    expect(await timeline.finish(view.refresh())).toBe(true)
    expect(view.members.size).toBe(1)
    const policy = { compare: [], put: [{ key: 'policy', value: '{}' }], remove: [] }
    for (let round = 0; round < 300; round += 1) {
      waits = 0
      await write(policy)
      const halfway = coordination.rev
      await write(policy)
      clock.after(100 + round / 7, () => deliver({ kind: 'changes', rev: halfway, changes: [] }))
      expect(await timeline.finish(view.refresh())).toBe(true)
    }
  })

  it('V3 a record that cannot be used ends the view with a sentence, and wakes whoever waits', async () => {
    const bad = [
      {
        key: 'session/1/i/t',
        value: '{"gen":0}',
        sentence: /a session has a bad .* \(key session/,
      },
      { key: keys.slice(sliceId(0)), value: '[]', sentence: /a slice is no JSON object/ },
      {
        key: keys.group,
        value: JSON.stringify({ ...group, format: RECORD_FORMAT + 1 }),
        sentence: new RegExp(
          `record format ${RECORD_FORMAT + 1}; this version of Evenkeel knows format ${RECORD_FORMAT}`,
        ),
      },
    ]
    for (const { key, value, sentence } of bad) {
      const { timeline, clock, coordination, write, open } = await simulation()
      const view = await open('m1')
      const { rev } = view
      const woken = view.changed()
      await write({ compare: [], put: [{ key, value }], remove: [] })
      await timeline.finish(woken)
      expect(await timeline.finish(view.failed)).toMatch(sentence)
      expect(await timeline.finish(view.changed())).toBe(false)
      expect(view.rev).toBe(rev)
      expect(await timeline.finish(view.refresh())).toBe(false)
      const opened = GroupView.open(coordination.handle('m2'), clock)
      await expect(timeline.finish(opened)).rejects.toThrow(sentence)
    }
  })

  it('V1 V3 a list or a batch of which one record cannot be used changes nothing', async () => {
    for (const how of ['batch', 'list'] as const) {
      const { timeline, coordination, write, open, caughtUp } = await simulation(50)
      const view = await open('m1')
      await write(startMember(null, member))
      const { record, change } = volumeOf(view, 1, 'a')
      await write(change)
      await caughtUp(view)
      const before = told(view)
      if (how === 'list') {
        coordination.cut('m1', 'drop')
        for (let n = 0; n < 120; n += 1)
          await write(startMember(null, { ...member, id: memberId(`x${n}`) }))
      }
      const ninth = { ...member, id: 'm9', draining: false }
      const other = { key: keys.member(memberId('m9')), value: JSON.stringify(ninth) }
      const bad = { key: keys.session(volumeId(1), 'i', 't'), value: '{}' }
      await write({ compare: [], put: [other, bad], remove: [] })
      coordination.heal('m1')
      expect(await timeline.finish(view.failed)).toMatch(/a session has a bad/)
      expect(told(view)).toEqual(before)
      expect(view.volumeByIqn(record.iqn)).toEqual(record)
    }
  })

  it('V4 the record of a move that cannot be read is skipped and told, and stops nobody', async () => {
    const { timeline, write, open, caughtUp } = await simulation()
    const view = await open('m1')
    const put = (value: string) =>
      write({ compare: [], put: [{ key: keys.move('x'), value }], remove: [] })
    await put('{"id":7}')
    await write(startMember(null, member))
    await caughtUp(view)
    expect(view.members.size).toBe(1)
    expect(view.moves.size).toBe(0)
    expect([...view.skipped]).toEqual([
      [keys.move('x'), expect.stringMatching(/The record of a move has a bad/)],
    ])
    expect(told(view)).toEqual(told(await open('m2')))
    await write({ compare: [], put: [], remove: [keys.move('x')] })
    await timeline.until(() => view.skipped.size === 0)
  })

  it('V5 what is gone at a revision is gone in every later view: ids are never given twice', async () => {
    const { write, open, caughtUp } = await simulation()
    const view = await open('m1')
    const login = (token: string) =>
      write(createSession({ ...who, loginToken: token, volume: volumeId(1), initiator: 'iqn.x:i' }))
    const first = await login('t')
    await caughtUp(view)
    const stored = view.sessions.get(sessionId(first))
    if (stored === undefined) throw new Error('no session')
    await write(closeSession(stored))
    await caughtUp(view)
    const dead = view.sessions.get(sessionId(first))
    if (dead === undefined) throw new Error('no session')
    await write(retireSession(dead))
    const second = await login('t')
    await caughtUp(view)
    expect(second).toBeGreaterThan(first)
    expect([...view.sessions.keys()]).toEqual([second])
    expect(view.rev).toBeGreaterThanOrEqual(second)
  })

  it('a view is opened once the group is whole', async () => {
    const timeline = new Timeline()
    const clock = new SimClock(timeline)
    const coordination = new SimCoordination(clock, new Prng(1))
    let view: GroupView | null = null
    void GroupView.open(coordination.handle('m1'), clock).then((opened) => {
      view = opened
    })
    const writer = coordination.handle('m2')
    for (const change of foundGroup(group, [memberId('m1'), memberId('m2')])) {
      await timeline.run(timeline.nowMs + 500)
      expect(view).toBeNull()
      await timeline.finish(writer.txn(change))
    }
    await timeline.until(() => view !== null)
  })

  it('a closed view waits for nothing', async () => {
    const { timeline, open } = await simulation()
    const view = await open('m1')
    const waiting = view.changed()
    view.close()
    expect(await timeline.finish(Promise.all([waiting, view.changed()]))).toEqual([false, false])
  })
})
