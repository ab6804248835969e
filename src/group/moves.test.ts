import { expect, it } from 'vitest'
import { memberId, sessionId, volumeId } from '../base/ids.ts'
import { Keys } from './keys.fixture.ts'
import { beginMove } from './moves.ts'
import { parseMove, parseSession } from './parse.ts'
import { keys, type MoveRecord } from './record.ts'
import { createSession, type StoredSession } from './sessions.ts'

const at = '2026-11-24T00:00:00.000Z'

function created() {
  const store = new Keys()
  const who = {
    owner: memberId('m1'),
    isid: '00023d000001',
    source: '10.0.0.1',
    loginToken: 't1',
    at,
  }
  store.apply(createSession({ ...who, volume: volumeId(1), initiator: 'iqn.x:i' }))
  const stored = (): StoredSession => {
    const [item] = store.list(keys.sessions)
    const record = parseSession(item?.value ?? '')
    if (item === undefined || typeof record === 'string') throw new Error('no session')
    return { id: sessionId(item.created), key: item.key, rev: item.rev, record }
  }
  const entries = () => store.list(keys.moves).map(({ value }) => parseMove(value))
  return { store, stored, entries }
}

function entryOf({ id: session, record }: StoredSession, id: string): MoveRecord {
  const { volume, initiator, owner: from } = record
  const why = { reason: '', code: 'MOVED', by: 'balance', predicted: null, at } as const
  return { id, session, volume, initiator, from, to: memberId('m2'), ...why }
}

it('G27 the entry of a move and its intent are written together, or neither', () => {
  const { store, stored, entries } = created()
  const before = stored()
  const entry = entryOf(before, 'a')
  expect(store.apply(beginMove(before, entry, []))).toBe(true)
  expect(stored().record.move).toEqual({ id: 'a', to: memberId('m2'), open: false })
  expect(entries()).toEqual([entry])
  expect(store.apply(beginMove(before, entryOf(before, 'b'), ['a']))).toBe(false)
  expect(entries()).toEqual([entry])
  const now = stored()
  expect(store.apply(beginMove(now, entryOf(now, 'c'), ['a']))).toBe(true)
  expect(entries()).toMatchObject([{ id: 'c' }])
})
