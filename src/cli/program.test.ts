import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { OperatorInMemory } from '../api/operator-in-memory.fixture.ts'
import { type RunningApi, startApi } from '../api/server.ts'
import type { Environment, Keyboard } from './context.ts'
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
  keyboard: Keyboard | null = null,
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
    { out: outlet('out'), err: outlet('err'), environment, keyboard },
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
    expect((await evenkeel('volume list')).out).toMatch(/^NAME +SIZE.*\na +1GiB +512 +no +0 +\d/)
    expect((await evenkeel('volume list -o wide')).out).toMatch(/[dh] +1 +iscsi:/)
    expect((await evenkeel('volume show a')).out).toMatch(/iqn {7}iqn\.2026.*m2 +silent +silent/s)
    expect((await evenkeel('volume delete a --yes')).out).toBe('Deleted a.\n')
    expect((await evenkeel('volume list -o json')).json()).toEqual({
      schema: 'evenkeel/v1',
      items: [],
    })
  })

  test('a volume grows and is renamed; its target name stays', async () => {
    await evenkeel('volume create a --size 1G')
    await evenkeel('volume create b --size 1G')
    expect((await evenkeel('volume resize a 2G')).out).toBe('a has 2 GiB now (it had 1 GiB).\n')
    expect((await evenkeel('volume resize a +512M')).out).toBe(
      'a has 2.5 GiB now (it had 2 GiB).\n',
    )
    expect((await evenkeel('volume resize a +0')).out).toBe('a has 2.5 GiB already.\n')
    expect((await evenkeel('volume rename a c')).out).toBe(
      'Renamed a to c. Its target name stays: iqn.2026-11.dev.evenkeel:g-1\n',
    )
    expect((await evenkeel('volume list -o name --sort name')).out).toBe('b\nc\n')
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
    expect((await evenkeel('session moves -o wide')).out).toContain('an operator asked for it')
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

  test('a dry run says what would come of a move, and moves nothing', async () => {
    const plan = await evenkeel('session move 42 m2 --dry-run')
    expect(plan).toMatchObject({ code: 0, out: 'm1 would go from 30 % to 20 %.\n' })
    expect((await evenkeel('session moves')).out).toContain('No session has been moved.')
  })

  test('show says in a sentence why a session is where it is', async () => {
    expect((await evenkeel('session show 42')).out).toContain(
      'no other member would serve it better',
    )
  })

  test('balance, status and top print for people and programs', async () => {
    expect((await evenkeel('balance advise')).out).toBe('Balance is advise.\n')
    expect((await evenkeel('balance placement off')).out).toBe('Placement is off.\n')
    expect((await evenkeel('balance status')).out).toMatch(
      /balance +advise\nplacement +off.*the highest load is 1\.20 × the mean.*NO_GAIN/s,
    )
    const status = await evenkeel('status')
    expect(status).toMatchObject({ code: 20, err: '' })
    expect(status.out).toMatch(
      /^ERROR MEMBER_DOWN m2, for \d+d\d+h\n {2}m2 does not answer: I\/O to/,
    )
    expect(status.out).toContain('Concerned: 12 volumes (vol1, vol2, …); 1 session (42).')
    expect(status.out).toContain("Do: See 'evenkeel log m2'.")
    const top = await evenkeel('top')
    expect(top.out).toMatch(/m1 +31 % net/)
    expect(top.out).toMatch(/m2 +silent/)
    expect((await evenkeel('top --once -o json', undefined, true)).json().members[1]).toMatchObject(
      { id: 'm2', load: null },
    )
  })

  test('it is said what a decision had seen, what holds a session back, and what comes next', async () => {
    const held = await evenkeel('balance why-not 4')
    expect(held.out).toMatch(/^session 42 stays at m1: .*\(DEBT_BUILDING\)\n/)
    expect(held.out).toMatch(
      /regret +2 of 5 request-seconds\n.*m2 {2}would do: it would .*m3 {2}silent: /s,
    )
    const plan = await evenkeel('balance plan')
    expect(plan.out).toMatch(/^now {2}session 42 {2}m1 → m2 {2}DEBT_BUILDING\n {2}session 42 stays/)
    expect(plan.err).toContain('m2 does not answer; what it would move is not known')
    await evenkeel('balance off')
    expect((await evenkeel('balance plan')).out).toMatch(/^Balance is off: nothing of this is done/)
    await evenkeel('session move 42 m2')
    const why = await evenkeel('balance why mov')
    expect(why.out).toMatch(
      /^It pays back in 3 s\.\n.*m1 +70% +80% +60% +2% +1\.00 Gbit\/s +0\.4s\nm2 +20% /s,
    )
    expect((await evenkeel('balance why nothing')).code).toBe(3)
    await evenkeel('session move 42 m3')
    expect(await evenkeel('balance why move-2')).toMatchObject({
      code: 3,
      err: expect.stringContaining('was made by hand. See '),
    })
  })

  test('what members have kept of their load is fetched into a file, and replayed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'evenkeel-record-'))
    const path = join(folder, 'load.json')
    try {
      const recorded = await evenkeel(`balance record ${path}`)
      expect(recorded).toMatchObject({
        code: 0,
        out: `${path}: 5 minutes of m1.\n`,
        err: 'evenkeel: m2 is missing in it: m2 does not answer\n',
      })
      expect(await evenkeel(`balance record ${path}`)).toMatchObject({ code: 4, out: '' })
      const replayed = await evenkeel(`balance replay ${path} --policy recorded -o json`)
      expect(replayed.json()).toMatchObject({
        scenario: path,
        policy: 'recorded',
        moves: 0,
        gap: 0,
      })
      const quiet = { n: 1, capacity: [1], slow: [0.5], fast: [0.5], sigma: [0.01], base: [0.2] }
      const entry = (k: number, here: boolean) => ({
        ...{ ...quiet, atMs: 10_000 * k, sessions: here ? [[42, [0.15], [0], 0.5, []]] : [] },
      })
      const members = ['m1', 'm2'].map((member, s) => ({
        ...{ member, entries: [0, 1, 2].map((k) => entry(k, s === Number(k > 1))) },
      }))
      await writeFile(
        path,
        JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), members }),
      )
      const { err } = await evenkeel(`balance replay ${path} --policy recorded --moves`)
      expect(err).toBe('19 s: session 42 m1 → m2\n')
      expect(await evenkeel('balance replay package.json')).toMatchObject({
        code: 2,
        err: expect.stringContaining('package.json is no recording: schema: '),
      })
    } finally {
      await rm(folder, { recursive: true })
    }
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
      'balance plan',
      'balance why-not 42',
      'balance simulate fig5 --policy none',
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

describe('names, forms and lists', () => {
  const keyboardThatTypes = (line: string | null): Keyboard & { asked: string } => ({
    asked: '',
    open: () => () => {},
    async ask(question) {
      this.asked += question
      return line
    },
  })

  test('N1 a beginning will do, but what is called exactly so wins, and several are told apart', async () => {
    for (const name of ['data', 'data-2', 'logs']) await evenkeel(`volume create ${name} --size 1G`)
    expect((await evenkeel('volume show lo -o name')).out).toBe('logs\n')
    expect((await evenkeel('volume show data -o name')).out).toBe('data\n')
    expect(await evenkeel('volume show da')).toMatchObject({
      code: 2,
      err: "evenkeel: 2 volumes begin with 'da': data, data-2. Write more of the one that is meant.\n",
    })
    expect((await evenkeel('session show 4 -o name')).out).toBe('42\n')
    expect((await evenkeel('member show m2 -o json')).json()).toMatchObject({ id: 'm2' })
    const shown = (await evenkeel('member show m1')).out
    expect(shown).toMatch(
      /memory +8 KiB of blocks that are read often, at most 64 KiB; 75 % of what was read/,
    )
    expect(shown).toMatch(/unmapped +5 runs of 16 pages that hold nothing more .* at most 16384/)
    expect((await evenkeel('member show m')).err).toContain("2 members begin with 'm': m1, m2")
    expect((await evenkeel('session move 4 m2')).out).toContain('Session 42 moved from m1 to m2')
  })

  test('nouns and verbs have the short names that people try', async () => {
    await evenkeel('vol create a --size 1G')
    for (const line of [
      'vol ls',
      'volumes ls',
      'sess ls',
      'moves ls',
      'session moves',
      'members ls',
    ])
      expect(await evenkeel(line), line).toMatchObject({ code: 0, err: '' })
    expect((await evenkeel('vol rm a -y')).out).toBe('Deleted a.\n')
    expect((await evenkeel('version')).out).toBe('0.1.0\n')
    expect((await evenkeel('-v')).out).toBe('0.1.0\n')
    expect((await evenkeel('help')).out).toContain('Usage: evenkeel [options] [command]')
    expect((await evenkeel('help volume create')).out).toMatch(
      /^Usage: evenkeel volume create .*--size <size>/s,
    )
    expect((await evenkeel('volume')).err).toContain('Usage: evenkeel volume')
    expect((await evenkeel('help volume creat')).err).toContain("unknown command 'creat'")
  })

  test('one answer in each form', async () => {
    await evenkeel('volume create b --size 1G')
    await evenkeel('volume create a --size 2G')
    expect((await evenkeel('volume list -o name --sort name')).out).toBe('a\nb\n')
    expect((await evenkeel('volume list -o yaml')).out).toMatch(
      /^schema: evenkeel\/v1\nitems:\n {2}- id: "1"\n {4}name: b\n/,
    )
    expect((await evenkeel('volume list -o wide')).out).toContain('iscsi://')
    expect((await evenkeel('volume show a -o wide')).out).toMatch(/LANE +SLICE +PRIMARY/)
    expect((await evenkeel('volume show none -o yaml')).out).toMatch(/error:\n {2}code: volumeNot/)
    expect(await evenkeel('status -o name')).toMatchObject({ code: 2 })
  })

  test('lists are sorted by a column, and turned round', async () => {
    for (const [name, size] of [
      ['a', '1G'],
      ['b', '3G'],
      ['c', '2G'],
    ])
      await evenkeel(`volume create ${name} --size ${size}`)
    const order = async (options: string) =>
      (await evenkeel(`volume list -o name ${options}`)).out.replaceAll('\n', '')
    expect(await order('--sort size')).toBe('bca')
    expect(await order('--sort size --reverse')).toBe('acb')
    expect(await order('--sort name')).toBe('abc')
    expect((await evenkeel('volume list --sort weight')).err).toContain(
      'Allowed choices are name, size',
    )
  })

  test('lists are cut down to a volume or a member', async () => {
    await evenkeel('volume create other --size 1G')
    await evenkeel('volume create vol1 --size 1G')
    await evenkeel('session move 42 m2')
    expect((await evenkeel('session list --member m2 -o name')).out).toBe('42\n')
    expect((await evenkeel('session list --member m1')).out).toBe('There are no sessions.\n')
    expect((await evenkeel('session list --volume other -o json')).json().items).toEqual([])
    expect(
      (await evenkeel('move list --member m1 --volume vol1 -o json')).json().items,
    ).toHaveLength(1)
    expect((await evenkeel('move list --session 7 -o json')).json().items).toEqual([])
    expect(await evenkeel('session list --volume none')).toMatchObject({ code: 3 })
    expect((await evenkeel('session list --volume vol --member m2 -o name')).out).toBe('42\n')
    expect((await evenkeel('move show mov')).out).toMatch(/reason +an operator asked for it/)
  })

  test('a volume is deleted when its operator says yes', async () => {
    await evenkeel('volume create a --size 1G')
    expect(await evenkeel('volume delete a')).toMatchObject({
      code: 2,
      err: 'evenkeel: nobody can be asked whether a may be deleted: say --yes if it may.\n',
    })
    for (const typed of ['n', '', null]) {
      const refused = await evenkeel('volume delete a', undefined, true, keyboardThatTypes(typed))
      expect(refused).toMatchObject({ code: 1, err: 'evenkeel: a was not deleted.\n' })
    }
    const yes = keyboardThatTypes('y')
    expect((await evenkeel('volume delete a', undefined, true, yes)).out).toBe('Deleted a.\n')
    expect(yes.asked).toBe('Delete volume a (1 GiB, 0 B written) with all its bytes? [y/N] ')
  })

  test('S1 S2 a field is one word; a table fits a terminal of 80 columns, and is not cut in a pipe', async () => {
    const long = 'a-name-of-sixty-three-characters-that-an-orchestrator-made-1234'
    await evenkeel(`volume create ${long} --size 1G`)
    for (const line of [
      'volume list',
      'session list',
      'move list',
      'member list',
      'session show 42',
    ]) {
      const { out } = await evenkeel(line, { EVENKEEL_API: api.url, NO_COLOR: '1' }, true)
      for (const text of out.split('\n')) expect(text.length, `${line}: ${text}`).toBeLessThan(81)
    }
    const [head = '', row = ''] = (await evenkeel('volume list')).out.split('\n')
    expect(row).toContain(long)
    expect(row.split(/ +/)).toHaveLength(head.split(/ +/).length)
  })

  test('--watch prints again and again, and goes on while the API does not answer', async () => {
    const printed: string[] = []
    const enough = new Error('enough')
    const out = {
      isTTY: false,
      write: (text: string) => {
        printed.push(text)
        if (printed.length === 3) throw enough
      },
    }
    const outside = {
      out,
      err: out,
      environment: { EVENKEEL_API: api.url, NO_COLOR: '1' },
      keyboard: null,
    }
    // The error is told, which throws once more than the tests care for.
    await run('session list --watch 0.1 -o name'.split(' '), outside, '0.1.0').catch(() => {})
    expect(printed.slice(0, 3)).toEqual(['42\n', '42\n', '42\n'])
    expect((await evenkeel('session list --watch 0')).err).toContain('Give seconds')
  })
})

describe('exit codes and errors', () => {
  test('P1 P2 usage 2, not found 3, conflict 4, unreachable 5, failed 1', async () => {
    const codes: [line: string, code: number, says: RegExp][] = [
      ['volume create a', 2, /--size/],
      ['volume create a --size 1GB', 2, /Write a size as 1G/],
      ['volume create Big --size 1G', 2, /lower-case letters/],
      ['volume create a --size 1K', 2, /at least 1 MiB/],
      ['volume resize a', 2, /missing required argument 'size'/],
      ['volume resize a ++1G', 2, /Write a size as 1G/],
      ['volume resize none +1G', 3, /no volume/],
      ['volume rename none other', 3, /no volume/],
      ['volume rename none Big', 2, /lower-case letters/],
      ['session show x', 2, /decimal number/],
      ['frobnicate', 2, /unknown command/],
      ['volume show none', 3, /there is no volume none\. See 'evenkeel volume list'\./],
      ['session move 7 m2', 3, /no session 7/],
      ['session move 42 m1', 4, /on m1\. Name another member\./],
      ['session move 42 m9', 1, /member\.log/],
      [
        'volume create a --sise 1G',
        2,
        /unknown option '--sise' \(Did you mean --size\?\) See 'evenkeel volume create --help'/,
      ],
      [
        'backup record /proc/x/y',
        1,
        /\/proc\/x\/y cannot be opened: it, or a folder above it, does not exist\./,
      ],
      [
        'log --data /etc/passwd',
        1,
        /\/etc\/passwd cannot be read: it, or what stands above it in its path, is no folder\./,
      ],
      ['volume lst', 2, /\(Did you mean one of list, ls\?\) See 'evenkeel volume --help'/],
      ['frobnicate', 2, /See 'evenkeel --help'/],
      ['volume show', 2, /missing required argument 'name'\. See 'evenkeel volume show --help'/],
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

  test('several APIs are asked one after the other, and it is said which one is silent', async () => {
    const { code, out, err } = await evenkeel('volume list', {
      EVENKEEL_API: `127.0.0.1:1,${api.url}`,
    })
    expect(code).toBe(0)
    expect(out).toMatch(/^There are no volumes/)
    expect(err).toBe(
      `evenkeel: the API at http://127.0.0.1:1 cannot be reached; the API at ${api.url} answers instead.\n`,
    )
    expect(await evenkeel('volume list', { EVENKEEL_API: 'http://a b' })).toMatchObject({ code: 5 })
    expect(await evenkeel('volume list --api http://[')).toMatchObject({
      code: 2,
      err: expect.stringContaining("'http://[' is no URL of an API"),
    })
    expect(await evenkeel('status --api ftp://group')).toMatchObject({
      code: 2,
      err: expect.stringContaining("'ftp://group' is no URL of an API"),
    })
  })

  test('P3 one object is printed, also when the command fails after it has printed one', async () => {
    const failed = await evenkeel('session move 42 m3 -o json')
    expect(failed).toMatchObject({
      code: 1,
      err: expect.stringContaining('the move was reclaimed'),
    })
    expect(failed.json()).toMatchObject({ schema: 'evenkeel/v1', outcome: 'reclaimed' })
    const status = await evenkeel('status -o yaml')
    expect(status.code).toBe(20)
    expect(status.out.match(/^schema:/gm)).toHaveLength(1)
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
