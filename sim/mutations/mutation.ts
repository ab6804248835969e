// A mutation is a rule of the product taken out by one replacement of text. Some test must then fail: a rule whose removal
// no test notices is not tested.
//
// A mutation is a file sim/mutations/<room>/<name>.patch.json:
//   { "rule": what is taken out, in words, "file": "src/…", "find": text, "replace": text,
//     "parameters": [more arguments of the script, that make the rule matter sooner] (optional),
//     "scenario": { "file": a test, "name": the beginning of its name } (optional) }
// With a scenario that test is run instead of the script: for rules that chance seldom needs, and wherever it is cheaper.
// `find` must occur exactly once, so that a mutation that no longer fits the source is an error and not a survivor. The
// source itself is never changed: it is mutated where it is loaded (taken-out.ts, scenarios.ts).
import { readdir, readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface Mutation {
  readonly name: string
  readonly rule: string
  readonly file: string
  readonly find: string
  readonly replace: string
  readonly parameters: readonly string[]
  readonly scenario: Scenario | null
}

export interface Scenario {
  readonly file: string
  readonly name: string
}

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

export async function loadMutations(room: string): Promise<Mutation[]> {
  const folder = join(root, 'sim', 'mutations', room)
  const names = (await readdir(folder)).filter((name) => name.endsWith('.patch.json')).sort()
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(join(folder, name), 'utf8')
      return parseMutation(basename(name, '.patch.json'), JSON.parse(text))
    }),
  )
}

/** The source with the rule taken out. Throws unless `find` occurs exactly once. */
export function mutate(source: string, mutation: Mutation): string {
  const pieces = source.split(mutation.find)
  if (pieces.length !== 2) {
    throw new Error(
      `mutation '${mutation.name}' finds its text ${pieces.length - 1} times in ${mutation.file}`,
    )
  }
  return pieces.join(mutation.replace)
}

function parseMutation(name: string, value: unknown): Mutation {
  const fields = typeof value === 'object' && value !== null ? value : {}
  const field = (key: string): string => {
    const text: unknown = Reflect.get(fields, key)
    if (typeof text !== 'string') throw new Error(`mutation '${name}' has no text '${key}'`)
    return text
  }
  const more: unknown = Reflect.get(fields, 'parameters') ?? []
  if (!Array.isArray(more) || !more.every((text) => typeof text === 'string')) {
    throw new Error(`mutation '${name}' has parameters that are not texts`)
  }
  return {
    name,
    parameters: more,
    scenario: parseScenario(name, Reflect.get(fields, 'scenario')),
    rule: field('rule'),
    file: field('file'),
    find: field('find'),
    replace: field('replace'),
  }
}

function parseScenario(name: string, value: unknown): Scenario | null {
  if (value === undefined) return null
  const { file, name: test } = value as { readonly [key: string]: unknown }
  if (typeof file === 'string' && typeof test === 'string') return { file, name: test }
  throw new Error(`mutation '${name}' has a scenario without file and name`)
}
