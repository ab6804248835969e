import { expect, test } from 'vitest'
import { memberId, sessionId } from '../base/ids.ts'
import { newestWeight } from './average.ts'
import { SessionCounters } from './counters.ts'
import { counterMark, readCounters, WORK } from './sample.ts'
import { parseSessionMemory, SessionEstimate } from './session-load.ts'

test('a sample is the difference of counters, by kind and by primary', () => {
  const counters = new SessionCounters()
  const mark = counterMark()
  counters.reads = 5
  counters.readBytes = 5 * 4096
  counters.piecesByPrimary[0] = 2
  counters.piecesByPrimary[1] = 3
  counters.bytesByPrimary[1] = 3 * 4096
  counters.deepest = 9
  counters.outstanding = 4
  const first = readCounters(sessionId(7), counters, mark, [memberId('a'), undefined], 1)
  expect(first.work[WORK.read]).toBe(5)
  expect(first.work[WORK.piece]).toBe(5)
  expect(first.byPrimary).toEqual([{ member: 'a', pieces: 2, bytes: 0 }])
  expect(first.deepest).toBe(9)
  counters.reads = 6
  const second = readCounters(sessionId(7), counters, mark, [memberId('a'), memberId('b')], 1)
  expect(second.work[WORK.read]).toBe(1)
  expect(second.work[WORK.piece]).toBe(0)
  expect(second.deepest).toBe(4)
  const anew = readCounters(
    sessionId(7),
    new SessionCounters(),
    mark,
    [memberId('a'), memberId('b')],
    1,
  )
  expect(anew.work.every((x) => x === 0)).toBe(true)
})

test('CN1 pieces of the three-hundredth primary are told as its own', () => {
  const counters = new SessionCounters()
  const mark = counterMark()
  const primaries = Array.from({ length: 300 }, (_, i) => memberId(`m${i}`))
  counters.piece(0, 512)
  expect(readCounters(sessionId(7), counters, mark, primaries, 1).byPrimary).toHaveLength(1)
  for (const number of [63, 64, 299, 299]) counters.piece(number, 4096)
  const { byPrimary, work } = readCounters(sessionId(7), counters, mark, primaries, 1)
  expect(byPrimary).toEqual([
    { member: 'm63', pieces: 1, bytes: 4096 },
    { member: 'm64', pieces: 1, bytes: 4096 },
    { member: 'm299', pieces: 2, bytes: 8192 },
  ])
  expect(work[WORK.piece]).toBe(4)
  expect(readCounters(sessionId(7), counters, mark, primaries, 1).byPrimary).toEqual([])
})

test('an average is the mean of few samples and forgets many', () => {
  let x = 0
  for (let n = 1; n <= 4; n++) x += (n - x) * newestWeight(300, 1, n)
  expect(x).toBeCloseTo(2.5, 1)
  for (let n = 0; n < 60; n++) x += (9 - x) * newestWeight(5, 1, 100 + n)
  expect(x).toBeCloseTo(9, 4)
})

test('a memory that is none is refused, and one that is makes the same estimate', () => {
  const memory = new SessionEstimate(sessionId(1)).handOver()
  expect(parseSessionMemory(JSON.parse(JSON.stringify(memory)))).toEqual(memory)
  expect(parseSessionMemory({ ...memory, slow: [1] })).toBeNull()
  expect(parseSessionMemory({ ...memory, variance: -1 })).toBeNull()
  expect(parseSessionMemory({ ...memory, primaries: [['a', 1]] })).toBeNull()
  expect(parseSessionMemory('x')).toBeNull()
})
