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
  const { code, out } = await said(line)
  expect(code).toBe(0)
  return out
}

async function refused(line: string): Promise<string> {
  const { code, err } = await said(line)
  expect(code).not.toBe(0)
  return err
}

async function said(line: string) {
  const text = { out: '', err: '' }
  const writer = (to: 'out' | 'err') => ({
    write: (more: string) => {
      text[to] += more
    },
    isTTY: false,
  })
  const environment = { EVENKEEL_API: api.url }
  const outside = { out: writer('out'), err: writer('err'), environment, keyboard: null }
  const code = await run(line.split(' '), outside, '0.1.0')
  return { code, ...text }
}

test('layout show tells how much each member has, one without anything too', async () => {
  const text = await evenkeel('layout show')
  expect(text).toMatch(/copies +1 of each slice\n.*1\.50 × the mean of copies/s)
  expect(text).toMatch(/m1 +512 +512 +0 +0\n.*m3 +0 +0 +0 +0/s)
  expect(text).toMatch(/moving +nothing/)
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

test('layout apply asks first, says what it has ordered, and what is under way', async () => {
  expect(await evenkeel('layout apply --dry-run')).toMatch(/341 would move.*Nothing was moved/s)
  expect(await refused('layout apply')).toMatch(/nobody can be asked .* say --yes/)
  const text = await evenkeel('layout apply --yes')
  expect(text).toMatch(
    /^Ordered: Make 2 copies of slices \(about 3 GiB\), delete 2 where they are now, give 341 slices another primary, with 1 copy of each\.\n341 copies are to be made, 341 to be given up/,
  )
  expect(await evenkeel('layout apply --yes --copies 2')).toMatch(/with 2 copies of each/)
  expect(JSON.parse(await evenkeel('layout plan --copies 2 -o json'))).toMatchObject({ wanted: 2 })
  expect(await refused('layout apply --yes --copies 3')).toMatch(
    /as many members\. Start more members/,
  )
  expect(await refused('layout apply --yes --copies 9')).toMatch(/number of copies from 1 to 3/)
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
