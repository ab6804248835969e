import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { OperatorInMemory } from '../../api/operator-in-memory.fixture.ts'
import { type RunningApi, startApi } from '../../api/server.ts'
import { run } from '../program.ts'
import { lastLines } from './folder.ts'
import { Gathered } from './gathered.ts'
import { redactionFor } from './known.ts'
import { tarOf } from './tar.ts'

const NOBODY = 'http://127.0.0.1:1'
let api: RunningApi
let folder: string
let data: string
let archive: string

beforeEach(async () => {
  api = await startApi(new OperatorInMemory(), {
    ...{ host: '127.0.0.1', port: 0, version: '0.1.0', failed: () => {} },
  })
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-support-'))
  data = join(folder, 'data')
  archive = join(folder, 'a.tar.gz')
  mkdirSync(join(data, 'm1'), { recursive: true })
  const config = {
    memberId: 'm1',
    announce: 'san.example.org',
    api: { host: '127.0.0.1', port: 1 },
  }
  writeFileSync(join(data, 'm1.json'), JSON.stringify(config))
  const line = {
    time: '2026-11-29T10:00:00Z',
    event: 'login',
    initiator: 'iqn.1998-01.com.vmware:esx',
  }
  const msg = 'iqn.1998-01.com.vmware:esx at 192.0.2.9 logged in'
  appendFileSync(join(data, 'm1', 'member.log'), `${JSON.stringify({ ...line, msg })}\n`)
})
afterEach(async () => {
  await api.close()
  await rm(folder, { recursive: true, force: true })
})

async function support(...args: string[]) {
  const text = { out: '', err: '' }
  const outlet = (name: 'out' | 'err') => ({
    write: (more: string) => {
      text[name] += more
    },
    isTTY: false,
  })
  const environment = { EVENKEEL_API: api.url }
  const outside = { out: outlet('out'), err: outlet('err'), environment, keyboard: null }
  const code = await run(['support', archive, '--data', data, ...args], outside, '0.1.0')
  return { code, ...text }
}

/** By system tar, so that it is known that others can read it. */
function unpacked(): ReadonlyMap<string, string> {
  const names = execFileSync('tar', ['tzf', archive], { encoding: 'utf8' }).trim().split('\n')
  return new Map(
    names.map((name) => [
      name.replace(/^[^/]+\//, ''),
      execFileSync('tar', ['xzOf', archive, name], { encoding: 'utf8', maxBuffer: 2 ** 26 }),
    ]),
  )
}

describe('evenkeel support', () => {
  test('packs configuration, logs, what the API tells and the history, without names of clients', async () => {
    const { code, out, err } = await support()
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(
      /^Wrote .*a\.tar\.gz: \d+ files, .*Numbers stand for 2 initiators, 1 address, /s,
    )
    const files = unpacked()
    const wanted = ['config/m1.json', 'logs/m1.log', 'files.json', 'machine.json', 'manifest.json']
    const asked = [
      'status',
      'members',
      'volumes',
      'sessions',
      'moves',
      'balance',
      'layout',
      'events',
      'history-month',
    ]
    for (const name of [...wanted, ...asked.map((one) => `api/${one}.json`)])
      expect([...files.keys()]).toContain(name)
    const all = [...files.values()].join('\n')
    expect(all).not.toMatch(/vmware|192\.0\.2\.9|san\.example\.org|org\.example:host/)
    expect(files.get('logs/m1.log')).toContain(
      '"initiator":"initiator-1","msg":"initiator-1 at address-1',
    )
    expect(JSON.parse(files.get('manifest.json') ?? '')).toMatchObject({
      redacted: { initiator: 2, address: 1 },
    })
  })

  test('--plain keeps the names', async () => {
    expect((await support('--plain')).out).toContain('Names and addresses are in it as they are.')
    expect(unpacked().get('logs/m1.log')).toContain('iqn.1998-01.com.vmware:esx at 192.0.2.9')
  })

  test('SU1 it is for its owner alone and replaces nothing', async () => {
    await support()
    expect(statSync(archive).mode & 0o777).toBe(0o600)
    const before = readFileSync(archive)
    const again = await support()
    expect(again).toMatchObject({
      code: 4,
      err: expect.stringMatching(/a\.tar\.gz exists: name a new/),
    })
    expect(readFileSync(archive).equals(before)).toBe(true)
  })

  test('SU2 SQ1 with nobody there it has what the folder tells, and says once that nobody answers', async () => {
    const { code, out } = await support('--api', NOBODY)
    expect(code).toBe(0)
    expect(out).toMatch(/Not in it: api\/status\.json: .*cannot be reached/)
    expect(out).toMatch(/Not in it: all other answers of the API: no member answered/)
    expect(out).toMatch(/Not in it: members\/m1-metrics\.txt: m1 does not answer at/)
    expect(out.match(/api\//g)).toHaveLength(1)
    expect([...unpacked().keys()]).toContain('logs/m1.log')
  })

  test('SU2 without the folder it has what the members tell; without both it is refused', async () => {
    await rm(data, { recursive: true })
    const { code, out } = await support()
    expect(code).toBe(0)
    expect(out).toMatch(/Not in it: the data folder: .* does not exist: name it with --data/)
    await rm(archive)
    expect(await support('--api', NOBODY)).toMatchObject({
      code: 3,
      err: expect.stringMatching(/no member answers, and there is no group in/),
    })
  })

  test('SF1 a record that cannot be read costs itself alone', async () => {
    writeFileSync(join(data, 'coordination.sqlite'), 'no database')
    const { code, out } = await support()
    expect(code).toBe(0)
    expect(out).toMatch(/Not in it: record\.json: .*coordination\.sqlite/)
    expect([...unpacked().keys()]).toContain('config/m1.json')
  })

  test('GA2 configurations that are called the same are both in it, however long their names are', async () => {
    const name = `${'ü'.repeat(60)}.yaml`
    const files = ['a', 'b'].map((one) => join(folder, one, name))
    for (const [i, file] of files.entries()) {
      mkdirSync(join(file, '..'))
      writeFileSync(file, `memberId: m${i + 1}\n`)
    }
    expect(await support('--config', ...files)).toMatchObject({ code: 0 })
    const texts = [...unpacked()].filter(([one]) => one.includes('__.yaml')).map(([, text]) => text)
    expect(texts).toEqual(['memberId: m1\n', 'memberId: m2\n'])
  })

  test('a configuration that is named is in it, without its secrets', async () => {
    const file = join(folder, 'm7.yaml')
    writeFileSync(file, 'memberId: m7\nchapSecret: hush\n')
    await support('--plain', '--config', file)
    expect(unpacked().get('config/m7.yaml')).toBe('memberId: m7\nchapSecret: (removed)\n')
  })
})

test('SF2 of a log the newest whole lines are taken, across its files', () => {
  const log = join(data, 'm1', 'x.log')
  writeFileSync(`${log}.1`, 'one\ntwo\n')
  writeFileSync(log, 'three\nfour\n')
  expect(lastLines(log, 1_000)).toBe('one\ntwo\nthree\nfour\n')
  expect(lastLines(log, 16)).toBe('two\nthree\nfour\n')
  expect(lastLines(log, 8)).toBe('four\n')
})

test('RD2 the form of a record names nobody: its words stay in the archive', () => {
  const gathered = new Gathered()
  gathered.take('record.json', () => '{"forms":[{"initiator":"string"}]}')
  gathered.take('api/sessions.json', () => '{"items":[{"initiator":"host of Ann"}]}')
  const redaction = redactionFor(gathered, [], false)
  expect(redaction.text('a string of host of Ann')).toBe('a string of initiator-1')
})

test('GA1 what would be too much is left out, and told', () => {
  const gathered = new Gathered()
  gathered.take('a', () => 'x'.repeat(40 * 2 ** 20))
  gathered.take('b', () => 'x'.repeat(40 * 2 ** 20))
  gathered.take('c', () => 'x')
  expect(gathered.files.map(({ name }) => name)).toEqual(['a', 'c'])
  expect(gathered.missing).toEqual([{ what: 'b', why: 'the archive has enough without it' }])
})

test('TA1 tar reads names, sizes that end on a block and beside one, and modes', () => {
  const file = join(folder, 'x.tar')
  const texts = ['', 'a', 'b'.repeat(512), 'ü'.repeat(400)]
  writeFileSync(
    file,
    tarOf(
      texts.map((text, i) => ({ name: `f/${i}`, text })),
      1_000_000,
    ),
  )
  const listed = execFileSync('tar', ['tvf', file], { encoding: 'utf8' })
  expect(listed.match(/^-rw------- 0\/0 .*1970-01-01/gm)).toHaveLength(4)
  texts.forEach((text, i) => {
    expect(execFileSync('tar', ['xOf', file, `f/${i}`], { encoding: 'utf8' })).toBe(text)
  })
  expect(() => tarOf([{ name: 'n'.repeat(101), text: '' }], 0)).toThrow('too long')
})
