import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readScenario } from './scenario-file.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-scenario-'))
})
afterAll(() => rm(folder, { recursive: true }))

const notes: string[] = []

async function read(content: object | string) {
  const path = join(folder, 'one.json')
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  notes.length = 0
  return readScenario(path, (line) => notes.push(line.replace(folder, '')))
}

const params = { N: 3, conns: 6, meanUtil: 0.5 }

test('a scenario keeps what it says; a key that is not known is told', async () => {
  const whole = {
    name: 'x',
    params: { ...params, events: [{ t: 5, type: 'join', servers: '1..2' }] },
  }
  expect(await read(whole)).toEqual(whole)
  expect(notes).toEqual([])
  await read({ params: { ...params, colour: 'red' } })
  expect(notes).toEqual(['/one.json: params.colour is not known, and is passed over'])
  await read({ params: { N: 3, explicit: [{ q: 0.1, at: 0, til: 9 }] } })
  expect(notes).toEqual(['/one.json: params.explicit.0.til is not known, and is passed over'])
})

test('a recorded scenario has a name; what is neither a file nor one is told', async () => {
  const { name, params: recorded } = await readScenario('fig5', () => {})
  expect([name, recorded.N]).toEqual(['fig5', 3])
  await expect(readScenario('fig6', () => {})).rejects.toThrow(/no file fig6.*There are: fig5, /)
})

test.each<[string | object, string]>([
  ['{', 'it is no JSON'],
  [{}, 'params: expected object'],
  [{ params: { ...params, N: 0 } }, 'params.N: '],
  [{ params: { ...params, N: 'three' } }, 'params.N: expected number'],
  [{ params: { N: 3 } }, "params.conns: 'conns', or 'explicit', is needed"],
  [{ params: { N: 3, conns: 3 } }, "params.meanUtil: it is needed with 'conns'"],
  [{ params: { ...params, caps: [[2, 1]] } }, 'params.caps: the counts sum to 2, and N is 3'],
  [
    { params: { ...params, background: [{ s: 3, load: 1, t0: 0, t1: 1 }] } },
    'params.background[0].s: there is no server 3: N is 3',
  ],
  [
    { params: { ...params, events: [{ t: 1, type: 'jion', s: 1 }] } },
    'params.events[0].type: Invalid option: expected one of "join"|"leave"|"drain"',
  ],
  [{ params: { ...params, events: [{ t: 1, type: 'join' }] } }, "'s' or 'servers' is needed"],
  [{ params: { ...params, startDown: '0..2' } }, 'params.startDown: one server at least must live'],
  [{ params: { ...params, locality: 'strong' } }, 'params.localStrong: locality strong needs it'],
  [
    {
      params: {
        N: 2,
        explicit: [
          {
            q: 1,
            at: 0,
            own: [
              [0, 0.8],
              [1, 0.4],
            ],
          },
        ],
      },
    },
    'params.explicit[0].own: the shares sum to 1.2',
  ],
])('what is wrong is told with its place: %j', async (content, told) => {
  const failure = read(content)
  await expect(failure).rejects.toThrow(told)
  await expect(failure).rejects.toThrow(/one\.json is no scenario: /)
})
