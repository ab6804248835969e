import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { beforeEach, expect, test } from 'vitest'
import { OperatorInMemory } from '../api/operator-in-memory.fixture.ts'
import { type RunningApi, startApi } from '../api/server.ts'
import { run } from './program.ts'

let api: RunningApi

beforeEach(async () => {
  const operator = new OperatorInMemory()
  for (const name of ['data', 'logs'])
    await operator.createVolume({ name, bytes: 2 ** 30, blockBytes: 512, shared: false })
  const settings = { host: '127.0.0.1', port: 0, version: '0.1.0', failed: () => {} }
  api = await startApi(operator, settings)
  return () => api.close()
})

async function printed(args: readonly string[], at = api.url): Promise<string> {
  let text = ''
  const out = {
    isTTY: false,
    write: (more: string) => {
      text += more
    },
  }
  const outside = { out, err: out, environment: { EVENKEEL_API: at }, keyboard: null }
  expect(await run(args, outside, '0.1.0')).toBe(0)
  return text
}

/** What is offered for the last word. */
async function offered(...words: string[]): Promise<string[]> {
  const text = await printed(['complete', '--', ...words])
  return text
    .split('\n')
    .slice(0, -2)
    .map((line) => line.split('\t')[0] ?? '')
}

test('nouns, verbs and options are offered, aliases are understood', async () => {
  expect(await offered('vol')).toEqual(['volume'])
  expect(await offered('volume', '')).toEqual(expect.arrayContaining(['create', 'list', 'delete']))
  expect(await offered('vol', 'rm', '--y')).toEqual(['--yes'])
  expect(await offered('session', 'list', '--sort', 'i')).toEqual([
    'id',
    'iops',
    'initiator',
    'isid',
  ])
  expect(await offered('session', 'list', '-o', '')).toEqual([
    'table',
    'wide',
    'json',
    'yaml',
    'name',
  ])
  expect(await offered('help', 'mem')).toEqual(['member'])
})

test('names are those that there are now', async () => {
  expect(await offered('volume', 'show', '')).toEqual(['data', 'logs'])
  expect(await offered('vol', 'rm', 'l')).toEqual(['logs'])
  expect(await offered('volume', 'create', '')).toEqual([])
  expect(await offered('session', 'move', '')).toEqual(['42'])
  expect(await offered('session', 'move', '42', '')).toEqual(['m1', 'm2'])
  expect(await offered('session', 'list', '--volume', 'd')).toEqual(['data'])
  expect(await offered('member', 'show', 'm2')).toEqual(['m2'])
  expect(await offered('balance', 'why-not', '')).toEqual(['42'])
  await printed(['session', 'move', '42', 'm2'])
  expect(await offered('move', 'show', '')).toEqual(['move-1'])
  expect(await offered('balance', 'why', 'mo')).toEqual(['move-1'])
})

test('without an API there are no names, and no error', async () => {
  expect(await printed(['complete', '--', 'volume', 'show', ''], 'http://127.0.0.1:1')).toBe(':4\n')
})

test('the script works in bash, also without the package bash-completion', async () => {
  const script = await printed(['completion', 'bash'])
  const tab = `${script}
    COMP_LINE='evenkeel vol show l'; COMP_POINT=\${#COMP_LINE}
    COMP_WORDS=(evenkeel vol show l); COMP_CWORD=3
    __evenkeel_complete; echo "\${COMPREPLY[*]}"`
  const env = { ...process.env, EVENKEEL_API: api.url }
  const { stdout } = await promisify(execFile)('bash', ['--norc', '-c', tab], { env })
  expect(stdout.trim()).toBe('logs')
  expect(await printed(['completion', 'zsh'])).toContain('#compdef evenkeel')
  expect(await printed(['completion', 'fish'])).toContain('complete -c evenkeel')
})
