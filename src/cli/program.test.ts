import { beforeEach, describe, expect, test } from 'vitest'
import { OperatorInMemory } from '../api/operator-in-memory.fixture.ts'
import { type RunningApi, startApi } from '../api/server.ts'
import type { Environment } from './context.ts'
import { run } from './program.ts'

let api: RunningApi

beforeEach(async () => {
  api = await startApi(new OperatorInMemory(), {
    host: '127.0.0.1',
    port: 0,
    version: '0.1.0',
    failed: () => {},
  })
  return () => api.close()
})

async function evenkeel(
  line: string,
  environment: Environment = { EVENKEEL_API: api.url },
  isTTY = false,
) {
  const text = { out: '', err: '' }
  const outlet = (name: 'out' | 'err') => ({
    write: (more: string) => {
      text[name] += more
    },
    isTTY,
  })
  const code = await run(
    line.split(' '),
    { out: outlet('out'), err: outlet('err'), environment },
    '0.1.0',
  )
  return { code, ...text, json: () => JSON.parse(text.out) }
}

describe('commands', () => {
  test('a volume is created, listed, shown and deleted', async () => {
    const made = await evenkeel('volume create a --size 1G')
    expect(made).toMatchObject({ code: 0, err: '' })
    expect(made.out).toBe(
      'Created a (1 GiB): iscsi://127.0.0.1:3260/iqn.2026-11.dev.evenkeel:g-1/0\n',
    )
    expect((await evenkeel('volume list')).out).toMatch(
      /^NAME +SIZE.*\na +1 GiB +512 +no +0 +iscsi:/,
    )
    expect((await evenkeel('volume show a')).out).toMatch(/iqn {7}iqn\.2026.*m2 +silent +silent/s)
    expect((await evenkeel('volume delete a')).out).toBe('Deleted a.\n')
    expect((await evenkeel('volume list -o json')).json()).toEqual({
      schema: 'evenkeel/v1',
      items: [],
    })
  })

  test('options reach the API', async () => {
    await evenkeel('volume create b --size 512M --shared --block 4096')
    expect((await evenkeel('-o json volume show b')).json()).toMatchObject({
      bytes: 512 * 1024 ** 2,
      shared: true,
      blockBytes: 4096,
    })
  })

  test('a move waits for its outcome and says what it cost', async () => {
    const moved = await evenkeel('session move 42 m2')
    expect(moved).toMatchObject({
      code: 0,
      out: 'Session 42 moved from m1 to m2: drained in 3.2 ms, paused for 11.5 ms, 0 commands sent again.\n',
    })
    expect((await evenkeel('session list -o json')).json().items[0]).toMatchObject({
      id: '42',
      member: 'm2',
      state: 'live',
    })
    expect((await evenkeel('session moves -o json')).json().items[0]).toMatchObject({
      session: '42',
      from: 'm1',
      to: 'm2',
      outcome: 'returned',
    })
    expect((await evenkeel('session moves')).out).toContain('an operator asked for it')
    const notWaited = await evenkeel('session move 42 m3 --no-wait -o json')
    expect(notWaited).toMatchObject({ code: 0 })
    expect(notWaited.json().outcome).toBeNull()
  })

  test('a move that did not return is a failure, with its record', async () => {
    const moved = await evenkeel('session move 42 m3')
    expect(moved.code).toBe(1)
    expect(moved.out).toContain('is back from its way to m3')
    expect(moved.err).toContain("'evenkeel session show 42'")
  })

  test('show says in a sentence why a session is where it is', async () => {
    expect((await evenkeel('session show 42')).out).toContain(
      'no other member would serve it better',
    )
  })

  test('balance, status and top print for people and programs', async () => {
    expect((await evenkeel('balance advise')).out).toBe('Balance is advise.\n')
    expect((await evenkeel('balance status')).out).toMatch(
      /the highest load is 1\.20 × the mean.*NO_GAIN/s,
    )
    const status = await evenkeel('status')
    expect(status).toMatchObject({ code: 20, err: '' })
    expect(status.out).toMatch(
      /^ERROR MEMBER_DOWN m2, for \d+d\d+h\n {2}m2 does not answer: I\/O to/,
    )
    expect(status.out).toContain('Concerned: 12 volumes (vol1, vol2, …); 1 session (42).')
    expect(status.out).toContain("Do: See 'evenkeel log m2'.")
    const top = await evenkeel('top')
    expect(top.out).toMatch(/m1 +31 %/)
    expect(top.out).toMatch(/m2 +silent/)
    expect((await evenkeel('top --once -o json', undefined, true)).json().members[1]).toMatchObject(
      { id: 'm2', load: null },
    )
  })

  test('every command prints one object with the schema', async () => {
    await evenkeel('volume create vol1 --size 1G')
    for (const line of [
      'volume list',
      'volume show vol1',
      'session list',
      'session show 42',
      'session moves',
      'balance status',
      'balance on',
      'top',
      'status',
    ]) {
      const { out, code } = await evenkeel(`${line} -o json`)
      expect(code, line).toBe(line === 'status' ? 20 : 0)
      expect(out.match(/\n/g), line).toHaveLength(1)
      expect(JSON.parse(out).schema, line).toBe('evenkeel/v1')
    }
  })
})

describe('exit codes and errors', () => {
  test('usage 2, not found 3, conflict 4, unreachable 5, failed 1', async () => {
    const codes: [line: string, code: number, says: RegExp][] = [
      ['volume create a', 2, /--size/],
      ['volume create a --size 1GB', 2, /Write a size as 1G/],
      ['volume create Big --size 1G', 2, /lower-case letters/],
      ['volume create a --size 1K', 2, /at least 1 MiB/],
      ['session show x', 2, /decimal number/],
      ['frobnicate', 2, /unknown command/],
      ['volume show none', 3, /there is no volume none\. See 'evenkeel volume list'\./],
      ['session move 7 m2', 3, /no session 7/],
      ['session move 42 m1', 4, /on m1\. Name another member\./],
      ['session move 42 m9', 1, /member\.log/],
    ]
    for (const [line, code, says] of codes) {
      const result = await evenkeel(line)
      expect(result.code, line).toBe(code)
      expect(result.err, line).toMatch(says)
      expect(result.err.trim().split('\n'), line).toHaveLength(1)
    }
  })

  test('an API that is not there is named, with what to do', async () => {
    const { code, err } = await evenkeel('status', { EVENKEEL_API: 'http://127.0.0.1:1' })
    expect(code).toBe(5)
    expect(err).toBe(
      "evenkeel: the API at http://127.0.0.1:1 cannot be reached. Start a group with 'evenkeel up', or name its API with --api or EVENKEEL_API.\n",
    )
  })

  test('-o json tells an error as an object too', async () => {
    const { code, json } = await evenkeel('volume show none -o json')
    expect(code).toBe(3)
    expect(json()).toMatchObject({
      schema: 'evenkeel/v1',
      error: { code: 'volumeNotFound', exitCode: 3 },
    })
  })

  test('--api wins over EVENKEEL_API; --version and --help are no errors', async () => {
    expect(
      (await evenkeel(`--api ${api.url} top`, { EVENKEEL_API: 'http://127.0.0.1:1' })).code,
    ).toBe(0)
    expect(await evenkeel('--version')).toMatchObject({ code: 0, out: '0.1.0\n' })
    expect((await evenkeel('--help')).out).toContain('Exit codes: 0 ok')
  })

  test('colours are for terminals, unless NO_COLOR says otherwise', async () => {
    const colour = '\x1b['
    expect((await evenkeel('status', { EVENKEEL_API: api.url })).out).not.toContain(colour)
    expect((await evenkeel('status', { EVENKEEL_API: api.url }, true)).out).toContain(colour)
    expect(
      (await evenkeel('status', { EVENKEEL_API: api.url, NO_COLOR: '1' }, true)).out,
    ).not.toContain(colour)
    expect((await evenkeel('status -o json', { EVENKEEL_API: api.url }, true)).out).not.toContain(
      escape,
    )
  })
})
