import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import type { Clock } from '../base/clock.ts'
import { revision } from '../base/ids.ts'
import type { Coordinator, TransactionResult } from '../coordination/coordinator.ts'
import { EmbeddedCoordinator } from '../coordination/embedded.ts'
import { SystemClock } from '../io/clock.ts'
import { SqliteWorker } from '../io/sqlite-worker.ts'
import { WatchedCoordinator } from './watched-coordinator.ts'

function watched(answers: readonly (readonly [ms: number, result: TransactionResult])[]) {
  let nowMs = 0
  let asked = 0
  const clock = { nowMs: () => nowMs } as Clock
  const inner = {
    txn: async () => {
      const [ms, result] = answers[asked] ?? [0, { kind: 'unknown', reason: 'not scripted' }]
      asked += 1
      nowMs += ms
      return result
    },
  } as unknown as Coordinator
  const slow: string[] = []
  const coordinator = new WatchedCoordinator(inner, clock, ({ what, ms }) =>
    slow.push(`${what} ${ms}`),
  )
  return { coordinator, slow }
}

const done = { kind: 'done', rev: revision(1), read: [] } as const
const change = { put: [{ key: 'a', value: '' }] }

test('WC1 a store that is locked for changes is not up, though reads are answered', async () => {
  const { coordinator } = watched([
    [1, { kind: 'unknown', reason: 'busy' }],
    [1, done],
    [1, done],
  ])
  await coordinator.txn(change)
  await coordinator.txn({})
  expect(coordinator.trouble).toBe('busy')
  await coordinator.txn(change)
  expect(coordinator.trouble).toBeNull()
})

test('WC2 a probe wants the lock for changes, and changes nothing', async () => {
  const file = join(await mkdtemp(join(tmpdir(), 'evenkeel-probe-')), 'coordination.sqlite')
  const clock = new SystemClock()
  const options = { make: true, waits: () => {} }
  const store = await EmbeddedCoordinator.open(new SqliteWorker(file), clock, options)
  const coordinator = new WatchedCoordinator(store, clock, () => {})
  try {
    await coordinator.txn(change)
    const before = await coordinator.list('')
    await coordinator.probe()
    expect(coordinator.trouble).toBeNull()
    expect(await coordinator.list('')).toEqual(before)
    const other = new DatabaseSync(file)
    other.exec('BEGIN IMMEDIATE')
    await coordinator.probe()
    expect(coordinator.trouble).toBe('busy')
    other.exec('ROLLBACK')
    other.close()
    await coordinator.probe()
    expect(coordinator.trouble).toBeNull()
  } finally {
    await coordinator.close()
    await rm(dirname(file), { recursive: true })
  }
})

test('what does not answer is known, with the reason, until it answers again', async () => {
  const { coordinator } = watched([
    [1, { kind: 'unknown', reason: 'busy' }],
    [1, { kind: 'lost', rev: revision(1), read: [] }],
  ])
  expect(coordinator.trouble).toBeNull()
  expect(await coordinator.txn({})).toEqual({ kind: 'unknown', reason: 'busy' })
  expect(coordinator.trouble).toBe('busy')
  await coordinator.txn({})
  expect(coordinator.trouble).toBeNull()
})

test('an answer of half a second and more is told; what is no answer is a trouble instead', async () => {
  const { coordinator, slow } = watched([
    [499, done],
    [500, done],
    [700, { kind: 'unknown', reason: 'busy' }],
  ])
  await coordinator.txn({})
  await coordinator.txn({})
  await coordinator.txn({})
  expect(slow).toEqual(['commit 500'])
})
