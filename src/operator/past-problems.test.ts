import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { HealthProblem } from '../api/health-schema.ts'
import type { PastProblem } from '../api/history-schema.ts'
import { asOne } from './past.ts'
import { PastProblems, PROBLEMS_NAME } from './past-problems.ts'

const START_MS = Date.parse('2026-11-30T12:00:00Z')
const at = (second: number) => new Date(START_MS + second * 1_000).toISOString()

let folder: string
let failures: unknown[]
let nowMs: number
let timers: (() => void)[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-problems-'))
  failures = []
  nowMs = START_MS
  timers = []
})
afterEach(() => rm(folder, { recursive: true, force: true }))

function open(member = 'm1'): Promise<PastProblems> {
  const clock = {
    wallMs: () => nowMs,
    nowMs: () => nowMs,
    soon: () => {},
    after: (_: number, call: () => void) => {
      timers.push(call)
      return { cancel: () => {} }
    },
  }
  const failed = (why: unknown) => failures.push(why)
  return PastProblems.open({ folder, group: 'g', member, clock, failed })
}

const problemOf = (subject: string, second: number): HealthProblem => ({
  ...{ code: 'MEMBER_DOWN', severity: 'error', subject, since: at(second) },
  ...{ sentence: `${subject} does not answer.`, action: 'Look at it.' },
  ...{ volumes: { count: 0, names: [] }, sessions: { count: 0, ids: [] } },
})

const spans = (problems: readonly PastProblem[]) =>
  problems.map(({ subject, from, to }) => [subject, from, to])

test('what was wrong is known from when to when, and outlives the process', async () => {
  const first = await open()
  first.tell({ kind: 'appeared', problem: problemOf('m2', 0) })
  nowMs += 10_000
  first.tell({ kind: 'gone', problem: problemOf('m2', 0) })
  first.tell({ kind: 'appeared', problem: problemOf('m3', 9) })
  const all = [
    ['m2', at(0), at(10)],
    ['m3', at(9), null],
  ]
  expect(spans(first.within(START_MS, nowMs + 1))).toEqual(all)
  expect(spans(first.within(START_MS + 11_000, START_MS + 12_000))).toEqual(all.slice(1))
  expect(spans(first.within(START_MS - 9_000, START_MS))).toEqual([])
  await first.close()
  expect(spans((await open()).within(START_MS, nowMs + 1))).toEqual([
    ['m2', at(0), at(10)],
    ['m3', at(9), at(10)],
  ])
})

test('HP1 a problem at the end of a member is over when it was last seen', async () => {
  const first = await open()
  first.tell({ kind: 'appeared', problem: problemOf('m2', 0) })
  nowMs += 60_000
  await expect.poll(() => timers.length).toBe(1)
  timers.shift()?.()
  await expect.poll(() => timers.length).toBe(1)
  nowMs += 3_600_000
  expect(spans((await open()).within(START_MS, nowMs))).toEqual([['m2', at(0), at(60)]])
})

test("HP2 it is bounded, never another's, and costs nothing else", async () => {
  const own = await open()
  for (let n = 0; n < 400; n += 1) {
    own.tell({ kind: 'appeared', problem: problemOf(`m${n}`, n) })
    own.tell({ kind: 'gone', problem: problemOf(`m${n}`, n) })
  }
  const kept = own.within(0, START_MS * 2)
  expect(kept).toHaveLength(300)
  expect(kept.at(-1)?.subject).toBe('m399')
  await own.close()
  expect((await open('m2')).within(0, START_MS * 2)).toEqual([])
  nowMs += 31 * 86_400_000
  const later = await open()
  later.tell({ kind: 'appeared', problem: problemOf('m2', 0) })
  expect(later.within(0, START_MS * 2)).toHaveLength(1)
  await later.close()
  await writeFile(join(folder, PROBLEMS_NAME), 'something else')
  expect((await open()).within(0, START_MS * 2)).toEqual([])
  expect((await readFile(join(folder, PROBLEMS_NAME), 'utf8')).slice(0, 9)).toBe('something')
  expect(failures).toEqual([])
  await rm(folder, { recursive: true })
  for (let n = 0; n < 3; n += 1) later.tell({ kind: 'gone', problem: problemOf('m2', 0) })
  await later.close()
  expect(failures).toHaveLength(1)
})

test('what several members saw is one problem, until the last of them saw it no more', () => {
  const seen = (subject: string, from: number, to: number | null): PastProblem => ({
    ...{ code: 'FULL', severity: 'error', subject, sentence: 's', action: 'a' },
    ...{ from: at(from), to: to === null ? null : at(to) },
  })
  const one = asOne([
    [seen('m2', 0, 100), seen('m2', 1_000, 1_100)],
    [seen('m2', 3, 90), seen('m3', 2, null)],
    [seen('m2', 140, null), seen('m3', 5, 8)],
  ])
  expect(spans(one)).toEqual([
    ['m3', at(2), null],
    ['m2', at(0), null],
  ])
  expect(spans(asOne([[seen('m2', 0, 10)], [seen('m2', 71, 80)]]))).toEqual([
    ['m2', at(71), at(80)],
    ['m2', at(0), at(10)],
  ])
})
