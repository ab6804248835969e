import { beforeEach, expect, test } from 'vitest'
import { layout, layoutPlan } from '../api/layout.fixture.ts'
import type { SliceCounts } from '../api/layout-schema.ts'
import { OperatorInMemory } from '../api/operator-in-memory.fixture.ts'
import { type RunningApi, startApi } from '../api/server.ts'
import { copiesSentence } from './layout.ts'
import { run } from './program.ts'

let api: RunningApi

beforeEach(async () => {
  api = await startApi(new OperatorInMemory(), {
    ...{ host: '127.0.0.1', port: 0, version: '0.1.0', failed: () => {} },
  })
  return () => api.close()
})

async function evenkeel(line: string): Promise<string> {
  let text = ''
  const out = {
    write: (more: string) => {
      text += more
    },
    isTTY: false,
  }
  const environment = { EVENKEEL_API: api.url }
  const outside = { out, err: { write: () => {}, isTTY: false }, environment, keyboard: null }
  expect(await run(line.split(' '), outside, '0.1.0')).toBe(0)
  return text
}

test('layout show tells how much each member has, one without anything too', async () => {
  const text = await evenkeel('layout show')
  expect(text).toMatch(/copies +1 of each slice\n.*1\.50 × the mean of copies/s)
  expect(text).toMatch(/m1 +512 +512 +0 +0\n.*m3 +0 +0 +0 +0/s)
  expect(JSON.parse(await evenkeel('layout show -o json'))).toMatchObject(layout)
})

test('layout plan tells what would move and how much, and that nothing has', async () => {
  const text = await evenkeel('layout plan')
  expect(text).toMatch(/341 would move, about 3 GiB/)
  expect(text).toMatch(/m3 +0 +341 +341 +341/)
  expect(text).toMatch(/Nothing was moved/)
  expect(text).not.toContain('SLICE')
  expect(await evenkeel('layout plan -o wide')).toMatch(/SLICE +FROM +TO\n +4 +m1 +m3/)
  expect(JSON.parse(await evenkeel('layout plan -o json'))).toMatchObject(layoutPlan)
})

test('what is wrong with copies is said in a sentence', () => {
  const of = (some: Partial<SliceCounts>) =>
    copiesSentence({
      ...{ count: 10, copies: 2, whole: 10, degraded: 0, lastCopy: 0, unavailable: 0 },
      ...some,
    })
  expect(of({ copies: 1 })).toBe('1 of each slice')
  expect(of({})).toBe('2 of each slice, all in sync')
  expect(of({ whole: 4, lastCopy: 5, unavailable: 1 })).toBe(
    '2 of each slice; of 10 slices 1 cannot be used, or not written to, 5 have one left',
  )
})
