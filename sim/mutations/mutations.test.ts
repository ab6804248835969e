import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { loadMutations, mutate, outcomeOf, runMutation } from './apply.ts'

const here = dirname(fileURLToPath(import.meta.url))

describe('mutations', () => {
  it('every mutation of every room fits the source exactly once', async () => {
    const entries = await readdir(here, { withFileTypes: true })
    const rooms = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
    expect(rooms).toContain('store')
    for (const room of rooms) {
      for (const mutation of await loadMutations(room)) {
        const source = await readFile(join(here, '../..', mutation.file), 'utf8')
        expect(mutate(source, mutation)).not.toBe(source)
      }
    }
  })

  it('a mutation that fits nowhere or twice is an error', () => {
    const mutation = {
      name: 'm',
      rule: 'r',
      file: 'f',
      find: 'ab',
      replace: 'x',
      parameters: [],
      scenario: null,
    }
    expect(mutate('1ab2', mutation)).toBe('1x2')
    expect(() => mutate('12', mutation)).toThrow(/0 times/)
    expect(() => mutate('abab', mutation)).toThrow(/2 times/)
  })

  it('a script that comes to no judgement is broken, and has killed nothing', async () => {
    const ended = await runMutation(null, 'sim/none.ts', [])
    expect(ended.exitCode).not.toBe(0)
    expect(outcomeOf(ended)).toBe('BROKEN')
    expect(outcomeOf({ exitCode: 1, output: 'seed 7 failed:' })).toBe('killed')
    expect(outcomeOf({ exitCode: 1, output: 'Tests  1 failed | 3 passed' })).toBe('killed')
    expect(outcomeOf({ exitCode: 1, output: '{"lost":1,"firstSeed":3}' })).toBe('killed')
    expect(outcomeOf({ exitCode: 1, output: '0 failed, "firstSeed":null' })).toBe('BROKEN')
    expect(outcomeOf({ exitCode: 0, output: '' })).toBe('SURVIVED')
  })

  it('the copy as it is passes', async () => {
    const { exitCode, output } = await runMutation(null, 'sim/power-cuts.ts', ['--seeds', '10'])
    expect(output).toContain('"lost":0')
    expect(exitCode).toBe(0)
  })
})
