import { readFile } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { COMMANDS } from './commands.ts'

const source = fileURLToPath(new URL('..', import.meta.url))
/** An import that is carried out when the module is loaded: neither of types alone nor by import(). */
const LOADED = /^(?:import (?!type\b)|export (?=[*{]))(?:[\w\s{},*]*? from )?'([^']+)'/gm

/** Every file and package that comes with a file of src/. */
async function loadedWith(file: string, found = new Set<string>()): Promise<Set<string>> {
  if (found.has(file)) return found
  found.add(file)
  const text = await readFile(join(source, file), 'utf8')
  for (const [, target = ''] of text.matchAll(LOADED)) {
    if (!target.startsWith('.')) found.add(target)
    else if (target.endsWith('.ts')) await loadedWith(normalize(join(dirname(file), target)), found)
  }
  return found
}

const RUN_MEMBERS = ['up', 'serve', 'demo']

test('CO1 a command loads what it needs: no schemas, no server, nothing of members, unless it runs them', async () => {
  const table = await readFile(join(source, 'cli/commands.ts'), 'utf8')
  const files = new Map(
    [...table.matchAll(/name: '(\w+)'.*?import\('\.\/([^']+)'\)/gs)].map(([, name, file]) => [
      name ?? '',
      `cli/${file}`,
    ]),
  )
  expect([...files.keys()]).toEqual(COMMANDS.map(({ name }) => name))
  for (const [name, file] of files) {
    if (RUN_MEMBERS.includes(name)) continue
    const loaded = await loadedWith(file, await loadedWith('cli/main.ts'))
    const packages = [...loaded].filter((one) => !one.endsWith('.ts') && !one.startsWith('node:'))
    const light = name === 'completion' ? ['@bomb.sh/tab'] : []
    expect(packages.toSorted(), name).toEqual([...light, 'commander', 'picocolors'])
    const rooms = new Set(
      [...loaded].map((one) => one.split('/')[0]).filter((one) => one !== 'cli'),
    )
    expect([...rooms], name).not.toContain('member')
  }
})
