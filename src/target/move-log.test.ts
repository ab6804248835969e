// The records of moves: what becomes of those that nobody settles.
import { expect, it } from 'vitest'
import { records } from '../../test/kit/session-records.ts'
import { memberId, sessionId } from '../base/ids.ts'
import { parseMove } from '../group/parse.ts'
import { keys, type MoveRecord } from '../group/record.ts'
import { noteIntent } from '../group/sessions.ts'
import { MoveLog } from './move-log.ts'

it('a move from here that no session carries and nobody settles is lost, and no other', async () => {
  const { timeline, clock, coordination, write, create, view, caughtUp } = await records()
  const carrying = await create({})
  const put = (id: string, more: Partial<MoveRecord> = {}) => {
    const record = { id, session: carrying.id, volume: 1, initiator: 'i', from: 'm1', to: 'm2' }
    const rest = { reason: '', code: 'MOVED', by: 'operator', predicted: null, at: '' }
    const value = JSON.stringify({ ...record, ...rest, ...more })
    return write({ compare: [], put: [{ key: keys.move(id), value }], remove: [] })
  }
  await put('unsettled')
  await put('of-another', { from: memberId('m2') })
  await put('settled', { outcome: 'returned' })
  await put('carried')
  await put('under-way', { session: sessionId(999) })
  await write(noteIntent(carrying, { id: 'carried', to: memberId('m2') }))
  const group = await view(memberId('m1'))
  await caughtUp(group)
  const log = new MoveLog(memberId('m1'), clock, coordination.handle('m1'), group)
  const outcomes = () =>
    Object.fromEntries(
      coordination
        .inspect(keys.moves)
        .map(({ value }) => JSON.parse(value) as MoveRecord)
        .map(({ id, outcome }) => [id, outcome ?? 'none']),
    )
  const before = outcomes()
  const sweep = async () => {
    log.sweep((session) => session === 999)
    await timeline.run(timeline.nowMs + 1_000)
  }
  // Whoever settles it may be slow to write it.
  for (let seconds = 0; seconds < 4; seconds += 1) await sweep()
  expect(outcomes()).toEqual(before)
  for (let seconds = 0; seconds < 6; seconds += 1) await sweep()
  expect(outcomes()).toEqual({ ...before, unsettled: 'lost' })
  const lost = coordination.inspect(keys.move('unsettled'))[0]?.value ?? ''
  expect(parseMove(lost)).toMatchObject({ cause: 'a member ended during it' })
})

it.each([
  ['was idle', 0, 3_000, 40],
  ['takes a moment to go on', 0, 150, 3_040],
  ['is slow to send again what was on the wire', 2, 3_000, 3_040],
])('ML1 the pause of an initiator that %s', async (_, resent, idleMs, pauseMs) => {
  const { timeline, clock, coordination, write, view } = await records()
  const record = { id: 'a', session: 1, volume: 1, initiator: 'i', from: 'm1', to: 'm2' }
  const rest = { reason: '', code: 'MOVED', by: 'operator', predicted: null, at: '' }
  const value = JSON.stringify({ ...record, ...rest, brokeAtWallMs: 1_000, resent })
  await write({ compare: [], put: [{ key: keys.move('a'), value }], remove: [] })
  const log = new MoveLog(
    memberId('m2'),
    clock,
    coordination.handle('m2'),
    await view(memberId('m2')),
  )
  log.firstResponse('a', 4_040, idleMs)
  await timeline.run(timeline.nowMs + 1_000)
  const [stored] = coordination.inspect(keys.move('a'))
  expect(JSON.parse(stored?.value ?? '')).toMatchObject({ pauseMs })
})

it('what was on the wire at the break is recorded once the connection is closed', async () => {
  const { timeline, clock, coordination, write, view } = await records()
  const record = { id: 'a', session: 1, volume: 1, initiator: 'i', from: 'm1', to: 'm2' }
  const rest = { reason: '', code: 'MOVED', by: 'operator', predicted: null, at: '' }
  const value = JSON.stringify({ ...record, ...rest })
  await write({ compare: [], put: [{ key: keys.move('a'), value }], remove: [] })
  const log = new MoveLog(
    memberId('m1'),
    clock,
    coordination.handle('m1'),
    await view(memberId('m1')),
  )
  const resent = Promise.withResolvers<number>()
  log.committed('a', { drainMs: 1.234, brokeAtWallMs: 5, resent: resent.promise })
  const stored = () =>
    JSON.parse(coordination.inspect(keys.move('a'))[0]?.value ?? '') as MoveRecord
  await timeline.run(timeline.nowMs + 10_000)
  expect(stored()).toMatchObject({ drainMs: 1.23, brokeAtWallMs: 5 })
  expect(stored().resent).toBeUndefined()
  resent.resolve(3)
  await timeline.run(timeline.nowMs + 10_000)
  expect(stored()).toMatchObject({ drainMs: 1.23, resent: 3 })
})
