import { expect, test } from 'vitest'
import { memberId } from '../base/ids.ts'
import type { MoveOutcome } from '../group/record.ts'
import { Arrivals, COMES_MS } from './arrivals.ts'

test('G1 what is kept for a session that does not come is forgotten, unless its old member still speaks of it', () => {
  const arrivals = new Arrivals()
  arrivals.expect('denied', memberId('m2'), null, 0)
  arrivals.expect(
    'slow',
    memberId('m3'),
    { history: { moves: [['m1', 5_000, 20]], suspectMs: 0 } },
    0,
  )
  arrivals.forget(COMES_MS, new Map())
  expect(arrivals.size).toBe(2)
  arrivals.renew('slow', 10_000)
  arrivals.renew('unknown', 10_000)
  arrivals.forget(COMES_MS + 1, new Map())
  expect(arrivals.size).toBe(1)
  expect(arrivals.take('denied')).toBeNull()
  const left = [{ left: 'm1', atMs: -5_000, pauseMs: 20 }]
  expect(arrivals.take('slow')).toMatchObject({ from: 'm3', history: { moves: left } })
  expect([arrivals.take('slow'), arrivals.size]).toEqual([null, 0])
})

test('G2 what is kept for a session that was taken back elsewhere is forgotten once its move has ended', () => {
  const arrivals = new Arrivals()
  const moves = new Map<string, { outcome?: MoveOutcome }>([
    ['reclaimed', { outcome: 'reclaimed' }],
    ['expired', { outcome: 'expired' }],
    ['abandoned', { outcome: 'abandoned' }],
    ['lost', { outcome: 'lost' }],
    ['under way', {}],
  ])
  const granted = [...moves.keys(), 'not begun']
  for (const move of granted) arrivals.expect(move, memberId('m2'), null, 0)
  arrivals.forget(1, moves)
  const waiting = granted.filter((move) => arrivals.take(move) !== null)
  expect(waiting).toEqual(['lost', 'under way', 'not begun'])
})
