import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { outcomeOf, runScript } from './apply.ts'
import { loadMutations, mutate } from './mutation.ts'

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
    const ended = await runScript(null, 'sim/none.ts', [])
    expect(ended.exitCode).not.toBe(0)
    expect(outcomeOf(ended)).toBe('BROKEN')
    expect(outcomeOf({ exitCode: 1, output: 'seed 7 failed:' })).toBe('killed')
    expect(outcomeOf({ exitCode: 1, output: '{"lost":1,"firstSeed":3}' })).toBe('killed')
    expect(outcomeOf({ exitCode: 1, output: '0 failed, "firstSeed":null' })).toBe('BROKEN')
    expect(outcomeOf({ exitCode: 0, output: '' })).toBe('SURVIVED')
  })

  it('with all of its rules the source passes', async () => {
    const { exitCode, output } = await runScript(null, 'sim/power-cuts.ts', ['--seeds', '10'])
    expect(output).toContain('"lost":0')
    expect(exitCode).toBe(0)
  })

  it('a rule is taken out of what is loaded, and a mutation that there is not is an error', async () => {
    const seeds = ['--seeds', '60', '--stop-first']
    const without = await runScript('store/commit-without-sync', 'sim/power-cuts.ts', seeds)
    expect(outcomeOf(without)).toBe('killed')
    expect(outcomeOf(await runScript('store/none', 'sim/power-cuts.ts', seeds))).toBe('BROKEN')
  })
})
