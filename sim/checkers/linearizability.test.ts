import { expect, test } from 'vitest'
import { Prng } from '../../src/base/prng.ts'
import type { Operation } from '../../src/initiator/history.ts'
import { judge, judgeBlock } from './linearizability.ts'
import { needsSearch, search } from './search.ts'

const never = Number.POSITIVE_INFINITY

function write(value: number, invokedMs: number, returnedMs: number, certain = true): Operation {
  return { kind: 'write', lba: 0, value, invokedMs, returnedMs, certain }
}

function read(value: number, invokedMs: number, returnedMs: number): Operation {
  return { kind: 'read', lba: 0, value, invokedMs, returnedMs, certain: true }
}

/** By definition: some order of the operations keeps real time, and every read sees the last write before it. */
function isLinearizable(operations: readonly Operation[]): boolean {
  return continues(operations, 0)
}

/** Whether these can follow, when the register holds `value`. Writes that are not certain may be left out. */
function continues(left: readonly Operation[], value: number): boolean {
  if (left.every((operation) => !operation.certain)) return true
  for (const operation of left) {
    if (!mayCome(operation, value)) continue
    const rest = left.filter((other) => other !== operation)
    const earlier = rest.filter((other) => other.returnedMs < operation.invokedMs)
    if (earlier.some((other) => other.certain)) continue
    const next = rest.filter((other) => !earlier.includes(other))
    const writes = operation.kind === 'write' || operation.kind === 'compareAndWrite'
    if (continues(next, writes ? operation.value : value)) return true
  }
  return false
}

function mayCome({ kind, value, expected }: Operation, now: number): boolean {
  if (kind === 'read') return value === now
  if (kind === 'compareAndWrite') return expected === now
  return kind === 'write' || expected !== now
}

function randomHistory(prng: Prng): Operation[] {
  const operations: Operation[] = []
  const values = [0]
  const count = prng.integer(1, 7)
  for (let i = 1; i <= count; i++) {
    const invokedMs = prng.integer(0, 12)
    const returnedMs = invokedMs + prng.integer(1, 6)
    if (prng.chance(0.5)) {
      values.push(i)
      if (prng.chance(0.3)) {
        operations.push(write(i, invokedMs, prng.chance(0.5) ? never : returnedMs, false))
      } else operations.push(write(i, invokedMs, returnedMs))
    } else operations.push(read(prng.pick(values), invokedMs, returnedMs))
  }
  // Reads may see what is written later in the list, too.
  for (const [i, operation] of operations.entries()) {
    if (operation.kind === 'read' && prng.chance(0.5)) {
      operations[i] = { ...operation, value: prng.pick(values) }
    }
  }
  return operations
}

test('the zone test agrees with the definition on 30,000 small histories', () => {
  const prng = new Prng(11)
  let good = 0
  for (let i = 0; i < 30_000; i++) {
    const operations = randomHistory(prng)
    const expected = isLinearizable(operations)
    if (expected) good++
    if ((judgeBlock(operations) === null) !== expected) {
      throw new Error(`expected ${expected}: ${JSON.stringify(operations)}`)
    }
  }
  // Both kinds came about often enough.
  expect(good).toBeGreaterThan(5_000)
  expect(good).toBeLessThan(25_000)
})

/** Some writes of it compare first, some write zeros. */
function withComparisons(prng: Prng): Operation[] {
  return randomHistory(prng).map((operation) => {
    if (operation.kind === 'read' || prng.chance(0.4)) return operation
    if (prng.chance(0.3)) return { ...operation, value: 0 }
    const expected = prng.integer(0, 3)
    const missed = operation.certain && prng.chance(0.4)
    return { ...operation, kind: missed ? 'miscompare' : 'compareAndWrite', expected }
  })
}

test('the search agrees with the definition on 30,000 small histories, and with the zone test where that judges', () => {
  const prng = new Prng(12)
  const came = { searched: 0, good: 0 }
  for (let i = 0; i < 30_000; i++) {
    const operations = withComparisons(prng)
    const expected = isLinearizable(operations)
    if (needsSearch(operations)) came.searched += 1
    if (expected) came.good += 1
    const verdict = search(operations) === 'linearizable'
    if (verdict !== expected || (judgeBlock(operations) === null) !== expected) {
      throw new Error(`expected ${expected}: ${JSON.stringify(operations)}`)
    }
  }
  expect(came.searched).toBeGreaterThan(15_000)
  expect(came.good).toBeGreaterThan(5_000)
  expect(came.good).toBeLessThan(25_000)
})

test('a comparison that found what it expected is a read and a write at one moment', () => {
  const swap = (expected: number, value: number, from: number, to: number): Operation => ({
    ...write(value, from, to),
    kind: 'compareAndWrite',
    expected,
  })
  expect(kindOf([swap(0, 1, 0, 9), swap(1, 2, 0, 9), read(2, 10, 11)])).toBe('linearizable')
  expect(kindOf([swap(0, 1, 0, 9), swap(0, 2, 0, 9)])).toBe('not linearizable')
  const missed: Operation = { ...swap(0, 3, 2, 3), kind: 'miscompare' }
  expect(kindOf([write(1, 0, 1), missed])).toBe('linearizable')
  expect(kindOf([missed])).toBe('not linearizable')
})

const kindOf = (operations: Operation[]) => judgeBlock(operations)?.kind ?? 'linearizable'

test('a stale read is found', () => {
  expect(kindOf([write(1, 0, 1), write(2, 2, 3), read(2, 4, 5), read(1, 6, 7)])).toBe('overlapping')
  expect(kindOf([write(1, 0, 1), write(2, 2, 3), read(1, 2, 7)])).toBe('linearizable')
})

test('a value that goes back and forth is found', () => {
  const flip = [write(1, 0, 9), write(2, 0, 9), read(1, 1, 2), read(2, 3, 4), read(1, 5, 6)]
  expect(kindOf(flip)).toBe('enclosed')
  expect(kindOf(flip.slice(0, 4))).toBe('linearizable')
})

test('an acknowledged write that is lost is found', () => {
  expect(kindOf([write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)])).toBe('enclosed')
  expect(kindOf([write(1, 0, 1), read(0, 2, 3)])).toBe('enclosed')
})

test('an unanswered write may be seen or not, but not both, and not after its end', () => {
  expect(kindOf([write(1, 0, never, false), read(0, 5, 6)])).toBe('linearizable')
  expect(kindOf([write(1, 0, never, false), read(1, 5, 6)])).toBe('linearizable')
  expect(kindOf([write(1, 0, never, false), read(1, 5, 6), read(0, 7, 8)])).toBe('enclosed')
  // The ghost write: closed at 4, and yet it appears over what was written after that.
  const ghost = [write(1, 0, 4, false), write(2, 5, 6), read(2, 7, 8), read(1, 9, 10)]
  expect(kindOf(ghost)).toBe('overlapping')
  expect(kindOf([write(1, 0, never, false), ...ghost.slice(1)])).toBe('linearizable')
})

test('a value that nobody wrote, and one read before it was written, are found', () => {
  expect(kindOf([read(7, 0, 1)])).toBe('never written')
  expect(kindOf([read(7, 0, 1), write(7, 2, 3)])).toBe('from the future')
})

test('blocks of several histories are judged together, faults are told', () => {
  const one = { operations: [write(1, 0, 1)], faults: [] }
  const other = {
    operations: [read(0, 2, 3), { ...read(0, 2, 3), lba: 5 }],
    faults: [{ lba: 9, atMs: 1, reason: 'torn' }],
  }
  expect(judge([one, other]).map(({ lba, kind }) => `${lba} ${kind}`)).toEqual([
    '9 damaged',
    '0 enclosed',
  ])
})

test('two writes of one value are a mistake of the caller', () => {
  expect(() => judgeBlock([write(1, 0, 1), write(1, 2, 3)])).toThrow('twice')
})

test('a history with comparisons of a whole simulation is judged in time', () => {
  const operations: Operation[] = []
  for (let i = 1; i <= 400; i++) {
    const swap = write(i, i, i + 6)
    operations.push({ ...swap, kind: 'compareAndWrite', expected: i - 1 }, read(i - 1, i, i + 4))
    if (i % 40 === 0) operations.push(write(1_000 + i, i, never, false))
  }
  expect(search(operations)).toBe('linearizable')
  operations.push(read(5, 500, 501))
  expect(search(operations)).toBe('not linearizable')
})

test('a long history is judged in time', () => {
  const operations: Operation[] = []
  for (let i = 1; i <= 100_000; i++) {
    operations.push(write(i, 2 * i, 2 * i + 1), read(i, 2 * i + 1, 2 * i + 2))
  }
  expect(judgeBlock(operations)).toBeNull()
  operations.push(read(500, 900_000, 900_001))
  expect(judgeBlock(operations)).not.toBeNull()
})
