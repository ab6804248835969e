// What an operator says of where sessions are: pins.
import { beforeEach, expect, test } from 'vitest'
import { OperatorInMemory } from '../api/operator-in-memory.fixture.ts'
import { type RunningApi, startApi } from '../api/server.ts'
import { run } from './program.ts'

let api: RunningApi

beforeEach(async () => {
  const settings = { host: '127.0.0.1', port: 0, version: '0.1.0', failed: () => {} }
  api = await startApi(new OperatorInMemory(), settings)
  return () => api.close()
})

async function evenkeel(line: string) {
  const text = { out: '', err: '' }
  const outlet = (name: 'out' | 'err') => ({
    write: (more: string) => {
      text[name] += more
    },
    isTTY: false,
  })
  const environment = { EVENKEEL_API: api.url }
  const outside = { out: outlet('out'), err: outlet('err'), environment, keyboard: null }
  const code = await run(line.split(' '), outside, '0.1.0')
  return { code, ...text, json: () => JSON.parse(text.out) }
}

test('a session is pinned, said to be so, and unpinned; a dry run changes nothing', async () => {
  const would = await evenkeel('session pin 42 --member m2 --dry-run')
  expect(would).toMatchObject({ code: 0, out: 'Session 42 would stay at m2.\n' })
  expect((await evenkeel('session list')).out).not.toContain('pinned')
  expect((await evenkeel('session pin 4')).out).toBe('Session 42 is pinned to m1.\n')
  expect((await evenkeel('session show 42')).out).toContain('m1, pinned to m1')
  expect((await evenkeel('session list')).out).toMatch(/ pinned /)
  expect((await evenkeel('session pin 42 --member m2 -o json')).json()).toMatchObject({
    member: 'm2',
  })
  expect((await evenkeel('session unpin 42')).out).toBe('Session 42 is not pinned.\n')
  expect(await evenkeel('session pin 7')).toMatchObject({ code: 3 })
})
