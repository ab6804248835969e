// What the guides name is there: pages and their headings, commands and their options, settings, codes and paths of the API.
// test/e2e/guides.test.ts runs what can be run.
import { readdirSync, readFileSync } from 'node:fs'
import { access } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import openapi from '../docs/openapi.json' with { type: 'json' }
import { buildProgram } from '../src/cli/program.ts'
import { memberConfig } from '../src/member/config.ts'
import { readSources } from './source-files.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const guides = readdirSync(join(root, 'docs', 'guide')).map((name) => `docs/guide/${name}`)
const pages = ['README.md', 'docs/OPERATING.md', 'docs/interop.md', 'docs/TESTING.md', ...guides]
const read = (page: string) => readFileSync(join(root, page), 'utf8')

function blocks(page: string, kind: RegExp): string[] {
  return [...read(page).matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].flatMap(
    ([, info = '', text = '']) => (kind.test(info) ? [text] : []),
  )
}

/** As GitHub and VitePress name a heading in an address. */
function anchors(page: string): string[] {
  const headings = [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading)
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

describe.each(pages)('%s', (page) => {
  const links = [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)

  test('leads where it says', async () => {
    for (const link of links.filter((one) => !/^https?:/.test(one))) {
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? join(root, page) : resolve(root, dirname(page), path)
      await expect(access(target), link).resolves.toBeUndefined()
      if (anchor === undefined || !target.endsWith('.md')) continue
      expect(anchors(target.slice(root.length)), link).toContain(anchor)
    }
  })
})

test("README's promises have a bound, tests that hold them and their last figures, or are none", () => {
  const [, table = ''] = read('README.md').split(/^\| promise .*\n\|[- |]+\n/m)
  const [rows = ''] = table.split('\n\n')
  const promises = rows.split('\n').map((row) => row.split(' | ').map((cell) => cell.trim()))
  expect(promises.length).toBeGreaterThan(8)
  for (const [promise = '', bound = '', heldBy = '', figures = ''] of promises) {
    expect(bound, promise).not.toBe('')
    if (promise.includes('**Not promised**')) continue
    // That the files exist is looked at for all links above.
    const files = [...heldBy.matchAll(/\]\(([^)]+)\)/g)].map(([, file = '']) => file)
    expect(files.length, promise).toBeGreaterThan(0)
    expect(files.filter((file) => !/^(test|sim|src)\/.+\.test\.ts$/.test(file))).toEqual([])
    expect(figures, promise).toMatch(/\w.* [¹²³]/)
  }
  expect(promises.filter(([promise]) => promise?.includes('**Not promised**'))).not.toEqual([])
})

describe('the guides', () => {
  let program: Command
  beforeAll(async () => {
    const out = { write: () => {}, isTTY: false }
    program = await buildProgram(
      { out, err: out, environment: {}, keyboard: null },
      '0',
      () => true,
    )
  })

  /** What is wrong with the words behind `evenkeel`; null: nothing. */
  function wrong(words: readonly string[]): string | null {
    let command = program
    for (const word of words) {
      const next = command.commands.find((one) => [one.name(), ...one.aliases()].includes(word))
      if (next !== undefined) command = next
      else if (command === program && !word.startsWith('-')) return `no command ${word}`
      else if (word.startsWith('-')) {
        const known = [...command.options, ...program.options]
        if (!known.some(({ long, short }) => [long, short].includes(word)))
          return `${command.name()} has no ${word}`
      }
    }
    return command.commands.length > 0 && command !== program ? `${command.name()} of what` : null
  }

  test('name commands and options that there are', () => {
    const said = guides.flatMap((page) => [
      ...blocks(page, /^sh/).flatMap((block) => block.split('\n')),
      ...[...read(page).matchAll(/`(evenkeel [^`]+)`/g)].map(([, command = '']) => command),
    ])
    const commands = said.flatMap((line) => {
      const words = /^(?:\.\/bin\/)?evenkeel (.*)$/.exec(line)?.[1]
      return words === undefined ? [] : [words.split(' ')]
    })
    expect(commands.length).toBeGreaterThan(25)
    expect(commands.flatMap((words) => wrong(words) ?? [])).toEqual([])
  })

  test('this can fail', () => {
    expect(wrong(['volume', 'create', 'x', '--size', '1G'])).toBeNull()
    expect(wrong(['volume', 'create', 'x', '--sise', '1G'])).toBe('create has no --sise')
    expect(wrong(['volumen', 'list'])).toBe('no command volumen')
    expect(wrong(['volume'])).toBe('volume of what')
  })

  test('have configurations of members that a member takes, and YAML that is YAML', () => {
    const configs = guides.flatMap((page) => blocks(page, /^yaml member/))
    expect(configs.length).toBeGreaterThan(1)
    for (const text of configs) expect(memberConfig.safeParse(parse(text)).error).toBeUndefined()
    for (const text of guides.flatMap((page) => blocks(page, /^yaml/)))
      for (const document of parseAllDocuments(text)) expect(document.errors).toEqual([])
  })

  test('have a front page that is still one: a formatter may take its head for text', () => {
    const head = /^---\n([\s\S]*?)^---$/m.exec(read('docs/index.md'))?.[1] ?? ''
    expect(parse(head)).toMatchObject({ layout: 'home', hero: { name: 'Evenkeel' } })
  })

  test('name paths of the API and codes that there are', async () => {
    const text = guides.map(read).join('\n')
    const known = Object.keys(openapi.paths)
    for (const [path] of text.matchAll(/\/api\/v1\/[\w/-]+/g)) expect(known).toContain(path)
    const sources = (await readSources()).map((file) => file.text).join('\n')
    const codes = [...text.matchAll(/`([A-Z]+(?:_[A-Z]+)+|FULL|DAMAGED)`/g)].map(
      ([, code = '']) => code,
    )
    expect(codes.length).toBeGreaterThan(5)
    for (const code of codes) expect(sources, code).toContain(code)
  })
})
