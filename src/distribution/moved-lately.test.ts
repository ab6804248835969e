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
const weight = (load: SessionLoad, at: End) => asTable(load, shareAt(load, at.member))
const endOf = (member: typeof A, q: number): End => ({
  member,
  capacity: [1],
  load: { slow: [q], long: [q], fast: [q], variance: [0] },
  sigma: [0],
})

/** Two members between which sessions 1, 2 … of these loads move from a to b, each second one. */
function moved(loads: readonly number[]) {
  let [a, b] = [endOf(A, 0.8), endOf(B, 0.2)]
  const known = new Map(loads.map((q, i) => [sessionId(i + 1), loadOf(q)]))
  const load = (id: SessionId) => known.get(id) ?? null
  const [atA, atB] = [new MovedLately(A, load), new MovedLately(B, load)]
  loads.forEach((q, i) => {
    const [load, id, nowMs] = [loadOf(q), sessionId(i + 1), 1_000 * (i + 1)]
    atA.leaves(id, nowMs)
    atB.came(id, nowMs)
    a = { ...a, load: addTables(a.load, weight(load, a), -1) }
    b = { ...b, load: addTables(b.load, weight(load, b), 1) }
  })
  return { a, b, atA, atB, known }
}

test('what a move brought is what was predicted, whatever was moved after it', () => {
  const predicted = gainOf(loadOf(0.1), endOf(A, 0.8), endOf(B, 0.2), 'slow', P)
  const { a, b, atA, atB } = moved([0.1, 0.15, 0.05])
  const [source, target] = [atA.without(a, 1_000), atB.without(b, 1_000)]
  expect(gainOf(loadOf(0.1), source, target, 'slow', P)).toBeCloseTo(predicted, 9)
  // What was moved before is as it is.
  const third = gainOf(loadOf(0.05), endOf(A, 0.55), endOf(B, 0.45), 'slow', P)
  const later = [atA.without(a, 3_000), atB.without(b, 3_000)] as const
  expect(gainOf(loadOf(0.05), ...later, 'slow', P)).toBeCloseTo(third, 9)
})

test('a session that has come to ask for less brought less, and a load that came otherwise counts', () => {
  const { a, b, atA, atB } = moved([0.1])
  const less = loadOf(0.02)
  const idle = { ...b, load: addTables(b.load, weight(loadOf(0.08), b), -1) }
  const now = { session: sessionId(1), load: less }
  const [source, target] = [atA.without(a, 0, now), atB.without(idle, 0, now)]
  expect(source.load.slow[0]).toBeCloseTo(0.72, 9)
  expect(target.load.slow[0]).toBeCloseTo(0.2, 9)
  const more = { ...a, load: addTables(a.load, weight(loadOf(0.2), a), 1) }
  expect(atA.without(more, 0, now).load.slow[0]).toBeCloseTo(0.92, 9)
})

test('what is remembered is of the last minute', () => {
  const { a, atA, known } = moved([0.1, 0.1])
  known.set(sessionId(9), loadOf(0))
  atA.came(sessionId(9), 62_000)
  expect(atA.without(a, 0).load.slow[0]).toBeCloseTo(0.7, 9)
})
