import { appendFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Follower, inOrder, linesOf, sourcesIn } from './log-reader.ts'
import { run } from './program.ts'

let data: string
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'evenkeel-logs-'))
  for (const member of ['m1', 'm2', 'm10']) mkdirSync(join(data, member))
})
afterEach(() => rm(data, { recursive: true, force: true }))

const line = (time: string, member: string, msg: string, level = 'info') =>
  `${JSON.stringify({ level, time: `2026-11-29T${time}Z`, member, pid: 7, event: 'link', msg })}\n`

function write(member: string, text: string, suffix = ''): void {
  const folder = member === 'launcher' ? data : join(data, member)
  appendFileSync(join(folder, member === 'launcher' ? 'launcher.log' : `member.log${suffix}`), text)
}

async function log(args: string) {
  const text = { out: '', err: '' }
  const outlet = (name: 'out' | 'err') => ({
    write: (more: string) => {
      text[name] += more
    },
    isTTY: false,
  })
  const outside = { out: outlet('out'), err: outlet('err'), environment: {}, keyboard: null }
  const code = await run(['log', ...args.split(' ').filter(Boolean), '--data', data], outside, '1')
  return { code, ...text, messages: text.out.match(/msg \d+/g) ?? [] }
}

describe('evenkeel log', () => {
  beforeEach(() => {
    write('m1', line('10:00:01.000', 'm1', 'msg 1'), '.1')
    write('m1', `${line('10:00:03.000', 'm1', 'msg 3', 'warn')}half a li`)
    write('m2', `no JSON\n${line('10:00:02.000', 'm2', 'msg 2')}`)
    write('launcher', line('11:00:00.000', 'launcher', 'msg 4', 'error'))
  })

  test('prints all logs in the order of their times, older files too', async () => {
    const { code, messages, out } = await log('')
    expect(code).toBe(0)
    expect(messages).toEqual(['msg 1', 'msg 2', 'msg 3', 'msg 4'])
    expect(out).toMatch(/^— .* 2026\n\d\d:\d\d:01 m1 {7}info {2}link {5}msg 1\n/)
    expect(out.match(/^—/gm)).toHaveLength(1)
  })

  test('of one member, of a level, since a time, the last lines', async () => {
    expect((await log('m1')).messages).toEqual(['msg 1', 'msg 3'])
    expect((await log('launcher')).messages).toEqual(['msg 4'])
    expect((await log('--level warn')).messages).toEqual(['msg 3', 'msg 4'])
    expect((await log('--since 2026-11-29T10:00:03Z')).messages).toEqual(['msg 3', 'msg 4'])
    expect((await log('--since 10m')).messages).toEqual([])
    expect((await log('-n 1')).messages).toEqual(['msg 4'])
  })

  test('as JSON it is one object a line, with all that was logged', async () => {
    const lines = (await log('m2 -o json')).out.trim().split('\n')
    expect(lines.map((text) => JSON.parse(text))).toMatchObject([
      { schema: 'evenkeel/v1', member: 'm2', pid: 7, event: 'link', msg: 'msg 2' },
    ])
  })

  test('what there is no log of is named, with those that there are', async () => {
    expect(await log('m7')).toMatchObject({
      code: 3,
      err: 'evenkeel: there is no log of m7; there are those of launcher, m1, m2.\n',
    })
    await rm(data, { recursive: true })
    expect(await log('')).toMatchObject({ code: 3, err: expect.stringContaining('--data') })
    expect(await log('--since yesterday')).toMatchObject({ code: 2 })
    expect(await log('-n 0')).toMatchObject({ code: 2 })
  })
})

test('LG1 what is added is given once and whole, though the file is renamed or emptied', () => {
  const path = join(data, 'm1', 'member.log')
  write('m1', line('10:00:00.000', 'm1', 'old'))
  const [source] = sourcesIn(data)
  if (source === undefined) throw new Error('there is no log')
  const follower = new Follower(source)
  const next = () => follower.next().map(({ msg }) => msg)
  expect(next()).toEqual([])
  const whole = line('10:00:01.000', 'm1', 'a Grüße')
  const cut = Buffer.byteLength(whole) - 6
  appendFileSync(path, Buffer.from(whole).subarray(0, cut))
  expect(next()).toEqual([])
  appendFileSync(path, Buffer.from(whole).subarray(cut))
  expect(next()).toEqual(['a Grüße'])
  write('m1', line('10:00:02.000', 'm1', 'b'))
  renameSync(path, `${path}.1`)
  write('m1', line('10:00:03.000', 'm1', 'c'), '.1')
  write('m1', line('10:00:04.000', 'm1', 'd'))
  expect(next()).toEqual(['b', 'c', 'd'])
  writeFileSync(path, '')
  expect(next()).toEqual([])
  write('m1', line('10:00:05.000', 'm1', 'e'))
  expect(next()).toEqual(['e'])
  follower.close()
  expect(inOrder(linesOf(source)).map(({ msg }) => msg)).toEqual(['old', 'a Grüße', 'b', 'c', 'e'])
})
