import { expect, test } from 'vitest'
import type { Clock } from '../base/clock.ts'
import type { Coordinator, TransactionResult } from '../coordination/coordinator.ts'
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

const done = { kind: 'done', rev: 1, read: [] } as const

test('what does not answer is known, with the reason, until it answers again', async () => {
  const { coordinator } = watched([
    [1, { kind: 'unknown', reason: 'busy' }],
    [1, { kind: 'lost', rev: 1, read: [] }],
  ])
  expect(coordinator.trouble).toBeNull()
  expect(await coordinator.txn({})).toEqual({ kind: 'unknown', reason: 'busy' })
  expect(coordinator.trouble).toBe('busy')
  await coordinator.txn({})
  expect(coordinator.trouble).toBeNull()
})

test('an answer of half a second and more is told', async () => {
  const { coordinator, slow } = watched([
    [499, done],
    [500, done],
  ])
  await coordinator.txn({})
  await coordinator.txn({})
  expect(slow).toEqual(['commit 500'])
})
