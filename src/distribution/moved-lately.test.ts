import { expect, test } from 'vitest'
import { memberId, type SessionId, sessionId } from '../base/ids.ts'
import { addTables, asTable, type SessionLoad, shareAt } from '../load/load-table.ts'
import { gainOf } from './judge.ts'
import { MovedLately } from './moved-lately.ts'
import { DEFAULT_POLICY as P } from './policy.ts'
import type { End } from './view.ts'

const [A, B] = [memberId('a'), memberId('b')]
const loadOf = (q: number): SessionLoad => {
  const demand = { remote: [q], local: [0] }
  return { ...{ slow: demand, long: demand, fast: demand }, variance: 0, owners: [], elsewhere: 0 }
}
const weight = (load: SessionLoad, at: End) => asTable(load, shareAt(load, at.member), 1)
const endOf = (member: typeof A, q: number): End => ({
  member,
  capacity: [1],
  load: { slow: [q], long: [q], fast: [q], variance: [0] },
  sigma: [0],
})

/** Two members between which sessions 1, 2 … of these loads move from a to b, each second one. */
function moved(loads: readonly number[]) {
  let [a, b] = [endOf(A, 0.8), endOf(B, 0.2)]
  const [atA, atB] = [new MovedLately(), new MovedLately()]
  loads.forEach((q, i) => {
    const [load, id, nowMs] = [loadOf(q), sessionId(i + 1), 1_000 * (i + 1)]
    atA.note(id, -1, weight(load, a), nowMs)
    atB.note(id, 1, weight(load, b), nowMs)
    a = { ...a, load: addTables(a.load, weight(load, a), -1) }
    b = { ...b, load: addTables(b.load, weight(load, b), 1) }
  })
  return { a, b, atA, atB }
}

const asBefore = () => null

test('what a move brought is what was predicted, whatever was moved after it', () => {
  const predicted = gainOf(loadOf(0.1), endOf(A, 0.8), endOf(B, 0.2), 'slow', P)
  const { a, b, atA, atB } = moved([0.1, 0.15, 0.05])
  const [source, target] = [atA.without(a, 1_000, asBefore), atB.without(b, 1_000, asBefore)]
  expect(gainOf(loadOf(0.1), source, target, 'slow', P)).toBeCloseTo(predicted, 9)
  // What was moved before is as it is.
  const third = gainOf(loadOf(0.05), endOf(A, 0.55), endOf(B, 0.45), 'slow', P)
  const later = [atA.without(a, 3_000, asBefore), atB.without(b, 3_000, asBefore)] as const
  expect(gainOf(loadOf(0.05), ...later, 'slow', P)).toBeCloseTo(third, 9)
})

test('a session that has come to ask for less brought less, and a load that came otherwise counts', () => {
  const { a, b, atA, atB } = moved([0.1])
  const less = loadOf(0.02)
  const idle = { ...b, load: addTables(b.load, weight(loadOf(0.08), b), -1) }
  const weighs = (id: SessionId) => (id === 1 ? weight(less, a) : null)
  const [source, target] = [atA.without(a, 0, weighs), atB.without(idle, 0, weighs)]
  expect(source.load.slow[0]).toBeCloseTo(0.72, 9)
  expect(target.load.slow[0]).toBeCloseTo(0.2, 9)
  const more = { ...a, load: addTables(a.load, weight(loadOf(0.2), a), 1) }
  expect(atA.without(more, 0, weighs).load.slow[0]).toBeCloseTo(0.92, 9)
})

test('what is remembered is of the last minute', () => {
  const { a, atA } = moved([0.1, 0.1])
  atA.note(sessionId(9), 1, weight(loadOf(0), a), 62_000)
  expect(atA.without(a, 0, asBefore).load.slow[0]).toBeCloseTo(0.7, 9)
})
