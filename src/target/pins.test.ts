import { describe, expect, it } from 'vitest'
import { liveOf, records } from '../../test/kit/session-records.ts'
import { startGroup } from '../../test/kit/sim-group.ts'
import { memberId } from '../base/ids.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import { clearIntent, commitMove } from '../group/sessions.ts'
import { Pins } from './pins.ts'

const m2 = memberId('m2')

/** One session at m1. `answers`: of the writes in order, whether they are done and whether that is told; then all are. */
async function scene(answers: readonly ('untold' | 'lost on the way')[] = []) {
  const scene = await records()
  const { clock, coordination, create } = scene
  const handle = coordination.handle('m1')
  const left = [...answers]
  const coordinator: Coordinator = {
    ...{ list: handle.list.bind(handle), watch: handle.watch.bind(handle) },
    txn: async (transaction) => {
      const next = left.shift()
      if (next === undefined) return handle.txn(transaction)
      if (next === 'untold') await handle.txn(transaction)
      return { kind: 'unknown', reason: 'no answer in time' }
    },
    ...{ lost: null, nudge: () => {}, close: () => handle.close() },
  }
  const { session, carrier } = liveOf(await create({}))
  return { ...scene, session, carrier, pins: new Pins({ clock, coordinator }) }
}

describe('a pin', () => {
  it('PN2 is written once whatever was told of it, and the revision that is written next by is the one in the record', async () => {
    for (const answers of [
      [],
      ['untold'],
      ['lost on the way'],
      ['lost on the way', 'untold'],
    ] as const) {
      const { timeline, session, pins, stored, write } = await scene(answers)
      expect(await timeline.finish(pins.pin(session, m2))).toBe('done')
      expect(stored(session.id)).toMatchObject({ rev: session.rev, record: session.record })
      expect(session.record.pinned).toBe(m2)
      expect(await timeline.finish(pins.pin(session, null))).toBe('done')
      expect(stored(session.id).record).not.toHaveProperty('pinned')
      await write(clearIntent({ ...stored(session.id), rev: session.rev }))
    }
  })

  it('is not written on a session that is over, or another member’s by then', async () => {
    const { timeline, session, pins, stored, write } = await scene(['lost on the way'])
    await write(commitMove(stored(session.id), { id: 'x', to: m2 }, 2 ** 30))
    expect(await timeline.finish(pins.pin(session, m2))).toBe('ended')
    expect(stored(session.id).record).not.toHaveProperty('pinned')
    session.phase = { kind: 'ended', reason: 'lost' }
    expect(await timeline.finish(pins.pin(session, m2))).toBe('ended')
  })

  it('PN1 pins and a move that come at once are made one after the other, and end nobody', async () => {
    const { group, timeline, connect, home } = await startGroup(21)
    const initiator = await connect(memberId('m1'), { isid: '00023d000001' })
    const { at, target, session } = home()
    const to = group.members.find(({ id }) => id !== at.id)?.id ?? m2
    const order = { by: 'operator', code: 'hand', reason: '', predicted: null } as const
    const all = Promise.all([
      target.pin(session.id, to),
      target.pin(session.id, at.id),
      target.move(session.id, { id: 'mv', to, ...order, proposal: null, estimate: null }),
      target.pin(session.id, to),
    ])
    const [first, second, moved, third] = await timeline.finish(all)
    expect([first, second, third]).toEqual(['done', 'done', 'busy'])
    expect(moved).toMatchObject({ kind: 'committed' })
    const block = new Uint8Array(group.blockBytes)
    expect(await timeline.finish(initiator.write(0, block))).toMatchObject({ status: 0 })
    expect(home().session.record).toMatchObject({ pinned: at.id, owner: to })
    expect(initiator.travels.logins).toBe(2)
  })
})
