// Sessions of one initiator name in a simulated group: what the barrier of one does to another whose initiator is lost,
// slow, or only silent, down to what is executed.

import { describe, expect, it } from 'vitest'
import { startGroup } from '../../test/kit/sim-group.ts'
import { type MemberId, memberId } from '../base/ids.ts'
import { RUN_BYTES } from '../base/sizes.ts'
import type { Initiator } from '../initiator/initiator.ts'
import { carrierOf, type LiveSession } from './live-session.ts'
import type { MoveOrder } from './move-order.ts'

const LBA = 1
const order: MoveOrder = {
  ...{ id: 'move-1', to: memberId('m3'), by: 'operator', code: 'operator', reason: 'by hand' },
  ...{ predicted: null, proposal: null, estimate: null },
}

/** An initiator `first` on a host of its own with a session at m1; siblings of its name log in wherever they like. */
async function siblings(seed: number) {
  const scene = await startGroup(seed)
  const { group, timeline, connect, events } = scene
  const { net } = group
  const first = await connect(memberId('m1'), { host: 'first', name: 'same' })
  const { session } = scene.home()
  let more = 0
  const sibling = async (portal: MemberId) => {
    more += 1
    const begunMs = timeline.nowMs
    const host = `sibling${more}`
    const initiator = await connect(portal, { host, name: 'same', isid: `40000137010${more}` })
    return { initiator, tookMs: timeline.nowMs - begunMs }
  }
  /** Not waited for. */
  const dialSibling = (portal: MemberId) => {
    more += 1
    return scene.dial(portal, { host: `sibling${more}`, name: 'same', isid: `40000137010${more}` })
  }
  const block = (value: number) => new Uint8Array(group.blockBytes).fill(value)
  const readBy = async (initiator: Initiator): Promise<number> => {
    const into = block(0xee)
    await timeline.finish(initiator.read(LBA, 1, into))
    return into[0] ?? -1
  }
  const recordOf = ({ id }: LiveSession) => group.records().find((one) => one.id === id)?.record
  /** Barriers that wait for its initiator. */
  const waiting = () => carrierOf(session)?.probes.size ?? 0
  const passes = (ms: number) => timeline.run(timeline.nowMs + ms)
  const reasons = () => events.flatMap((event) => (event.kind === 'end' ? [event.reason] : []))
  await timeline.finish(first.write(LBA, block(1)))
  return {
    ...scene,
    net,
    first,
    session,
    sibling,
    dialSibling,
    block,
    readBy,
    recordOf,
    waiting,
    passes,
    reasons,
  }
}

describe('a login whose sibling does not answer', () => {
  it('B4 does not wait for it if nothing of it is outstanding, and nothing more of it is executed', async () => {
    const s = await siblings(11)
    s.net.cutOneWay('m1', 'first', 'stick')
    const { initiator, tookMs } = await s.sibling(memberId('m2'))
    expect(tookMs).toBeLessThan(500)
    const writing = s.first.write(LBA, s.block(2))
    await s.passes(3_000)
    expect(s.session.counters.writes).toBe(1)
    expect(await s.readBy(initiator)).toBe(1)
    expect(s.recordOf(s.session)).toMatchObject({ state: 'live', gen: 1 })
    s.net.healOneWay('m1', 'first')
    expect(await s.timeline.finish(writing)).toMatchObject({ kind: 'answered', status: 0 })
    expect(s.session.counters.writes).toBe(2)
    expect(await s.readBy(initiator)).toBe(2)
    expect(s.first.travels).toMatchObject({ logins: 1, resent: 0 })
  })

  it('B4 waits for the outcome of what was accepted', async () => {
    const s = await siblings(12)
    for (const other of ['m2', 'm3']) s.net.cut('m1', other, 'stick')
    s.net.cutOneWay('m1', 'first', 'stick')
    const writes = await underWay(s)
    s.timeline.after(1_000, () => {
      for (const other of ['m2', 'm3']) s.net.heal('m1', other)
    })
    const { tookMs } = await s.sibling(memberId('m1'))
    expect(tookMs).toBeGreaterThan(900)
    expect(tookMs).toBeLessThan(1_900)
    expect(s.session.counters.outstanding).toBe(0)
    expect(s.session.phase.kind).toBe('live')
    s.net.healOneWay('m1', 'first')
    await s.timeline.finish(Promise.all(writes))
    expect(s.first.travels.logins).toBe(1)
  })

  it('B2 closes it if that outcome does not come in 2 s', async () => {
    const s = await siblings(13)
    for (const other of ['m2', 'm3']) s.net.cut('m1', other, 'stick')
    s.net.cutOneWay('m1', 'first', 'stick')
    const writes = await underWay(s)
    const { tookMs } = await s.sibling(memberId('m1'))
    expect(tookMs).toBeGreaterThan(1_900)
    expect(s.session.phase.kind).toBe('ended')
    expect(s.recordOf(s.session)).toMatchObject({ state: 'dead', gen: 2 })
    for (const name of ['m2', 'm3', 'first']) s.net.heal('m1', name)
    await s.timeline.finish(Promise.all(writes))
    expect(s.first.travels.logins).toBe(2)
  })

  it('B2 closes it if its owner answers too late, though the owner holds it', async () => {
    const s = await siblings(20)
    await s.sibling(memberId('m2')) // opens the link between the two
    s.net.cutOneWay('m1', 'first', 'stick')
    s.net.cutOneWay('m1', 'm2', 'stick')
    let held = false
    s.timeline.after(500, () => {
      held = s.waiting() === 1
    })
    const { tookMs } = await s.sibling(memberId('m2'))
    expect(held).toBe(true)
    expect(tookMs).toBeGreaterThan(1_000)
    expect(s.recordOf(s.session)).toMatchObject({ state: 'dead', gen: 2 })
    const writing = s.first.write(LBA, s.block(2))
    s.net.heal('m1', 'm2')
    await s.timeline.until(() => s.session.phase.kind === 'ended', 5_000)
    s.net.heal('m1', 'first')
    expect(await s.timeline.finish(writing)).toMatchObject({ kind: 'answered', status: 0 })
    expect(s.session.counters.writes).toBe(1)
    expect(s.first.travels.logins).toBe(2)
  })

  it('B7 does not close it because the member of the login stood still', async () => {
    const s = await siblings(22)
    await s.sibling(memberId('m2')) // opens the link between the two
    const { clock } = s.group.member(memberId('m2'))
    const { registry } = s.group.member(memberId('m1')).member?.target ?? {}
    const coming = s.dialSibling(memberId('m2'))
    await s.timeline.until(() => s.waiting() > 0)
    clock.pause()
    await s.passes(5_000)
    clock.resume()
    await s.timeline.finish(coming)
    expect(registry?.get(s.session.id)).toBe(s.session)
    expect(s.recordOf(s.session)).toMatchObject({ state: 'live', gen: 1 })
    expect(s.reasons()).toEqual([])
  })

  it('B7 does not close it because its own member stood still while the outcome came', async () => {
    const s = await siblings(23)
    const { clock } = s.group.member(memberId('m1'))
    for (const other of ['m2', 'm3']) s.net.cut('m1', other, 'stick')
    const writes = await underWay(s)
    const coming = s.dialSibling(memberId('m1'))
    await s.timeline.until(() => s.waiting() > 0)
    for (const other of ['m2', 'm3']) s.net.heal('m1', other)
    clock.pause()
    await s.passes(5_000)
    clock.resume()
    await s.timeline.finish(coming)
    expect(s.session.phase.kind).toBe('live')
    expect(s.reasons()).toEqual([])
    await s.timeline.finish(Promise.all(writes))
    expect(s.first.travels.logins).toBe(1)
  })

  it('B5 an answer to an earlier barrier releases nothing of a later one', async () => {
    const s = await siblings(14)
    s.net.cutOneWay('first', 'm1', 'stick')
    await s.sibling(memberId('m2'))
    await s.passes(100) // the first barrier's NOP-In is answered, and the answer is on its way
    const writing = s.first.write(LBA, s.block(2))
    s.net.cutOneWay('m1', 'first', 'stick')
    const { initiator } = await s.sibling(memberId('m3'))
    expect(s.waiting()).toBe(2)
    s.net.healOneWay('first', 'm1')
    await s.passes(1_000)
    expect(s.waiting()).toBe(1)
    expect(s.session.counters.writes).toBe(1)
    expect(await s.readBy(initiator)).toBe(1)
    s.net.healOneWay('m1', 'first')
    await s.timeline.finish(writing)
    expect(await s.readBy(initiator)).toBe(2)
    expect(s.first.travels.logins).toBe(1)
  })

  it('B5 what is held is never executed if the connection closes', async () => {
    const s = await siblings(15)
    s.net.cutOneWay('m1', 'first', 'stick')
    const { initiator } = await s.sibling(memberId('m2'))
    s.first.write(LBA, s.block(2)).catch(() => {})
    await s.passes(100)
    s.net.crash('first')
    await s.timeline.until(() => s.recordOf(s.session)?.state !== 'live', 1_000)
    await s.passes(1_000)
    expect(s.session.counters.writes).toBe(1)
    expect(await s.readBy(initiator)).toBe(1)
  })

  it('C4 a move that is given up releases nothing of a barrier, and a held session is not moved', async () => {
    const s = await siblings(16)
    s.net.cutOneWay('m1', 'first', 'stick')
    const { initiator } = await s.sibling(memberId('m2'))
    const target = s.group.member(memberId('m1')).member?.target
    const writing = s.first.write(LBA, s.block(2))
    const moving = target?.move(s.session.id, order) ?? Promise.reject(new Error('no member'))
    expect(await s.timeline.finish(moving)).toMatchObject({ kind: 'abandoned' })
    await s.passes(100)
    expect(s.session.counters.writes).toBe(1)
    expect(await s.readBy(initiator)).toBe(1)
    s.net.healOneWay('m1', 'first')
    await s.timeline.finish(writing)
    expect(await s.readBy(initiator)).toBe(2)
  })
})

describe('an initiator that is silent', () => {
  it('C5 loses its session after a minute, with a record that is closed', async () => {
    const s = await siblings(17)
    const begunMs = s.timeline.nowMs
    s.net.crash('first', 'power')
    await s.timeline.until(() => s.recordOf(s.session)?.state === 'dead', 100_000)
    expect(s.timeline.nowMs - begunMs).toBeGreaterThan(59_000)
    expect(s.timeline.nowMs - begunMs).toBeLessThan(63_000)
    expect(s.reasons()).toEqual(['silent'])
  })

  it('C5 keeps it while it answers when it is asked, though it says nothing by itself', async () => {
    const s = await siblings(18)
    const asked = s.written.length
    await s.passes(200_000)
    const pings = s.written.slice(asked).filter(({ bytes }) => bytes.length === 48)
    expect(pings.length).toBeGreaterThanOrEqual(8)
    expect(pings.length).toBeLessThanOrEqual(10)
    expect(s.session.phase.kind).toBe('live')
    expect(s.first.travels.logins).toBe(1)
  })

  it('C5 is not judged while its session is being moved', async () => {
    const s = await siblings(21)
    s.group.coordination.cut('m1', 'drop')
    s.net.crash('first', 'power')
    void s.group.member(memberId('m1')).member?.target.move(s.session.id, order)
    await s.passes(90_000)
    expect(s.session).toMatchObject({ phase: { kind: 'moving' } })
    s.group.coordination.heal('m1')
    await s.timeline.until(() => s.session.phase.kind === 'ended', 100_000)
    expect(s.recordOf(s.session)?.owner).toBe('m1')
    expect(s.reasons()).toEqual(['silent'])
  })

  it('C5 keeps it over a stop of the member, however long', async () => {
    const s = await siblings(19)
    const { clock } = s.group.member(memberId('m1'))
    clock.pause()
    await s.passes(300_000)
    clock.resume()
    await s.passes(30_000)
    expect(s.session.phase.kind).toBe('live')
  })
})

/** One write for each primary, sent by `first`: all but one wait for another member. */
async function underWay({
  group,
  timeline,
  first,
  block,
  session,
}: Awaited<ReturnType<typeof siblings>>) {
  const run = RUN_BYTES / group.blockBytes
  const writes = [0, 1, 2].map((n) => first.write(n * run + LBA, block(3)))
  await timeline.until(() => session.counters.outstanding === 2, 1_000)
  return writes
}
