// The keys of the demo, pressed one after the other: each says what it does, and does it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { SCHEMA } from '../../api/errors.ts'
import { OperatorInMemory } from '../../api/operator-in-memory.fixture.ts'
import type { Member } from '../../api/schema.ts'
import { Screen } from '../screen.ts'
import { type Client, play } from './play.ts'

const victims = new Set<ReturnType<typeof spawn>>()
afterEach(() => {
  for (const victim of victims) victim.kill('SIGKILL')
})

interface Played {
  readonly press: (key: string) => Promise<string>
  readonly clients: readonly (Client & { readonly isOut: boolean })[]
  readonly ended: Promise<void>
}

async function begin(pids: readonly (number | null)[] = []): Promise<Played> {
  const said: string[] = []
  const write = (text: string) => {
    said.push(text)
  }
  const out = { write, isTTY: true, columns: 80 }
  const clientOf = (number: number) => ({
    ...{ number, rate: 100, isOut: false },
    async stop() {
      this.isOut = true
    },
  })
  const clients = [1, 2].map(clientOf)
  const [pattern] = await new OperatorInMemory().members()
  if (pattern === undefined) throw new Error('no member')
  const members = pids.map((pid, at): Member => ({ ...pattern, id: `m${at + 1}`, pid }))
  let pressed = (_key: string) => {}
  const ended = play({
    caller: { members: async () => ({ schema: SCHEMA, items: members }) },
    ...{
      api: 'http://x',
      workers: clients,
      rate: 50,
      screen: new Screen(out, out, 'table', false),
    },
    connect: async (number) => clientOf(number),
    keyboard: {
      open: (told) => {
        pressed = told
        return () => {
          pressed = () => {}
        }
      },
      ask: async () => null,
    },
    stop: new Promise(() => {}),
  })
  const press = async (key: string) => {
    const { length } = said
    pressed(key)
    if (key === 'q' || key === 'ctrl-c') return ''
    await expect.poll(() => said.length, { interval: 2 }).toBeGreaterThan(length)
    return said.slice(length).join('')
  }
  return { press, clients, ended }
}

test('clients come and go, and ask for more or less', async () => {
  const { press, clients } = await begin()
  expect(await press('a')).toBe('client3 is there.\n')
  expect(clients.map(({ number, rate }) => [number, rate])).toEqual([
    [1, 100],
    [2, 100],
    [3, 100],
  ])
  expect(await press('f')).toBe('Each client asks for 150 commands a second.\n')
  expect(await press('s')).toBe('Each client asks for 100 commands a second.\n')
  const last = clients[2]
  expect(await press('d')).toBe('client3 has logged out.\n')
  expect([clients.length, last?.isOut]).toEqual([2, true])
  for (let number = 3; number <= 15; number += 1) await press('a')
  expect(await press('a')).toBe('There are 15 clients: no more here.\n')
})

test('the last member that runs is killed', async () => {
  const [first, last] = [1, 2].map(() => spawn('sleep', ['60']))
  for (const victim of [first, last]) if (victim !== undefined) victims.add(victim)
  const { press } = await begin([first?.pid ?? 0, last?.pid ?? 0, null])
  const ended = once(last ?? process, 'exit')
  expect(await press('k')).toMatch(`m2 (process ${last?.pid}) is killed`)
  expect(await ended).toEqual([null, 'SIGKILL'])
  expect(first?.exitCode).toBeNull()
})

test.each(['q', 'ctrl-c'])('%s ends it', async (key) => {
  const { press, ended } = await begin()
  await press(key)
  await ended
})
