import { expect, test } from 'vitest'
import { LearntPauses } from './pauses.ts'

const [LINUX, OTHER_LINUX, QEMU] = [
  'iqn.1994-05.com.redhat:a',
  'iqn.1994-05.com.redhat:b',
  'iqn.2008-11.org.linux-kvm:vm',
]
const moves = (initiator: string, ...pauses: number[]) =>
  pauses.map((pauseMs) => ({ initiator, pauseMs }))

test('PA1 its own pauses are believed, then those of its kind, then the policy', () => {
  const learnt = new LearntPauses(moves(LINUX, 900, 1_000, 1_100))
  expect(learnt.seconds(LINUX, 0.1)).toBe(1)
  expect(learnt.seconds(OTHER_LINUX, 0.1)).toBe(1)
  expect(learnt.seconds(QEMU, 0.02)).toBe(0.02)
  const both = new LearntPauses([...moves(LINUX, 900, 1_000, 1_100), ...moves(OTHER_LINUX, 20)])
  expect(both.seconds(OTHER_LINUX, 0.1)).toBe(0.02)
})

test('PA1 one long pause is none of them, two of a kind are too few, and the last ones count', () => {
  expect(new LearntPauses(moves(LINUX, 20, 3_500, 30)).seconds(LINUX, 0.1)).toBe(0.03)
  expect(new LearntPauses(moves(LINUX, 20, 30)).seconds(OTHER_LINUX, 0.1)).toBe(0.1)
  const better = moves(LINUX, 2_000, 2_000, 2_000, 2_000, 50, 50, 50, 50, 50)
  expect(new LearntPauses(better).seconds(LINUX, 0.1)).toBe(0.05)
})

test('a policy for which pauses cost nothing is obeyed', () => {
  expect(new LearntPauses(moves(LINUX, 900, 900, 900)).seconds(LINUX, 0)).toBe(0)
})
