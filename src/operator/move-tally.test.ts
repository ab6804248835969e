import { expect, test } from 'vitest'
import { memberId } from '../base/ids.ts'
import type { MoveRecord } from '../group/record.ts'
import { MoveTally } from './move-tally.ts'

const START = Date.parse('2026-11-30T00:00:00.000Z')
const at = (seconds: number) => new Date(START + 1_000 * seconds).toISOString()

function tally() {
  const made = new MoveTally(memberId('m1'), START)
  const look = (moves: readonly Partial<MoveRecord>[], seconds = 10) => {
    const whole = { from: 'm1', to: 'm2', by: 'balance', at: at(1) }
    made.look(
      moves.map((move) => ({ ...whole, ...move }) as MoveRecord),
      START + 1_000 * seconds,
    )
    return made.moves.map(({ to, by, outcome, count }) => `${to} ${by} ${outcome} ${count}`)
  }
  return { made, look }
}

test('MT1 a move is counted once, and stays counted when its record is forgotten', () => {
  const { made, look } = tally()
  expect(look([{ id: 'a', drainMs: 3 }])).toEqual([])
  const done = { id: 'a', drainMs: 3, outcome: 'returned', pauseMs: 20 } as const
  expect(look([done])).toEqual(['m2 balance returned 1'])
  expect(look([done, { ...done, id: 'b' }])).toEqual(['m2 balance returned 2'])
  expect(look([])).toEqual(['m2 balance returned 2'])
  expect([made.drain.count, made.pause.count, made.pause.sumMs]).toEqual([2, 2, 40])
})

test('MT1 one that is said to be lost is counted when nobody says otherwise for a minute', () => {
  const { look } = tally()
  expect(look([{ id: 'a', outcome: 'lost' }])).toEqual([])
  expect(look([{ id: 'a', outcome: 'returned' }])).toEqual(['m2 balance returned 1'])
  const lost = [{ id: 'b', outcome: 'expired' }] as const
  expect(look(lost, 62)).toEqual(['m2 balance returned 1', 'm2 balance expired 1'])
})

test('MT2 moves from before the start, and of other members, are not counted', () => {
  const { look } = tally()
  const done = { outcome: 'returned' } as const
  expect(look([{ ...done, id: 'a', at: at(-1) }])).toEqual([])
  expect(look([{ ...done, id: 'b', from: memberId('m2') }])).toEqual([])
})
