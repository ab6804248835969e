// What an operator says of where sessions are: pins, and the drain of a member.
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

test('a member is drained, said to be so with what cannot leave, and takes sessions again; a dry run changes nothing', async () => {
  const would = await evenkeel('member drain m1 --dry-run')
  expect(would.out).toContain('m1 would give its 1 session')
  expect((await evenkeel('member list')).out).not.toContain('draining')
  const begun = await evenkeel('member drain m1')
  expect(begun).toMatchObject({ code: 0 })
  expect(begun.out).toContain("session 42 stays: it is pinned by the operator. Unpin it ('evenkeel")
  expect((await evenkeel('member list')).out).toMatch(/m1 +draining/)
  const shown = (await evenkeel('member show m1')).out
  expect(shown).toMatch(/drain +for \S+: 3 have left, 1 to go, about 2 s/)
  expect((await evenkeel('member drain m1 --undo')).out).toBe('m1 takes sessions again.\n')
  expect(await evenkeel('member drain m2')).toMatchObject({ code: 4 })
  expect(await evenkeel('member drain m7')).toMatchObject({ code: 3 })
})
