import { beforeEach, expect, test } from 'vitest'
import { OperatorInMemory } from '../api/operator-in-memory.fixture.ts'
import { type RunningApi, startApi } from '../api/server.ts'
import { run } from './program.ts'

const settings = { host: '127.0.0.1', port: 0, version: '0.1.0', failed: () => {} }

let operator: OperatorInMemory
let api: RunningApi

beforeEach(async () => {
  operator = new OperatorInMemory()
  api = await startApi(operator, settings)
  return () => api.close()
})

function start(line: string, urls = api.url) {
  const text = { out: '', err: '' }
  const outlet = (name: 'out' | 'err') => ({
    write: (more: string) => {
      text[name] += more
    },
    isTTY: false,
  })
  const environment = { EVENKEEL_API: urls }
  const outside = { out: outlet('out'), err: outlet('err'), environment, keyboard: null }
  return { text, ended: run(line.split(' '), outside, '0.1.0') }
}

async function evenkeel(line: string) {
  const { text, ended } = start(line)
  return { code: await ended, ...text }
}

test('what has happened lately is shown, of all kinds or of some, and cut down to what it concerns', async () => {
  expect(await evenkeel('event')).toMatchObject({
    ...{ code: 0, out: '', err: 'Nothing has happened lately.\n' },
  })
  operator.isWell = false
  await operator.moveSession('42', { to: 'm2', wait: true })
  await operator.createVolume({ name: 'vol7', bytes: 2 ** 30, blockBytes: 512, shared: false })
  const { out } = await evenkeel('event')
  expect(out).toMatch(/session +went +session 42 of .* went from m1 to m2\n/)
  expect(out).toMatch(/move +ended +move move-1 of session 42 from m1 to m2: returned\n/)
  expect(out).toMatch(/problem +appeared +error MEMBER_DOWN: m2 does not answer/)
  const kinds = async (line: string) => {
    const { out: lines } = await evenkeel(`${line} -o json`)
    const told = lines.split('}\n').filter((one) => one !== '')
    return told.map((one) => JSON.parse(`${one}}`).event.kind)
  }
  expect(await kinds('event --kind volume,problem')).toEqual(['problem', 'volume'])
  expect(await kinds('events --session 42')).toEqual(['session', 'move'])
  expect(await kinds('event --volume vol7')).toEqual(['volume'])
  expect(await kinds('event --member m1 -n 1')).toEqual(['move'])
  expect(await evenkeel('event --kind weather')).toMatchObject({
    ...{ code: 2, err: expect.stringContaining("'weather' is none of member, session") },
  })
})

test('EC1 who follows hears each once, also from another member, and of what may be missing', async () => {
  const other = new OperatorInMemory()
  const second = await startApi(other, settings)
  const { text, ended } = start('event --follow', `${api.url},${second.url}`)
  await expect.poll(() => process.listenerCount('SIGINT')).toBe(1)
  operator.isWell = false
  await expect.poll(() => text.out).toContain('MEMBER_DOWN')
  await api.close()
  other.isWell = false
  await expect.poll(() => text.err).toContain('events may be missing here')
  other.isWell = true
  await expect.poll(() => text.out).toContain('over: MEMBER_DOWN m2')
  process.emit('SIGINT')
  expect(await ended).toBe(0)
  expect(text.out.match(/over:/g)).toHaveLength(1)
  expect(text.out.match(/appeared/g)).toHaveLength(1)
  await second.close()
})
