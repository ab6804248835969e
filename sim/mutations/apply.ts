// Mutations: a rule of the product taken out by one replacement of text, in a copy of the source. Some test must then
// fail; a rule whose removal no test notices is not tested.
//
// A mutation is a file sim/mutations/<room>/<name>.patch.json:
//   { "rule": what is taken out, in words, "file": "src/…", "find": text, "replace": text,
//     "parameters": [more arguments of the script, that make the rule matter sooner] (optional),
//     "scenario": { "file": a test, "name": the beginning of its name } (optional) }
// With a scenario that test is run in the copy instead of the script: for rules that chance seldom needs. `find` must
// occur exactly once, so that a mutation that no longer fits the source is an error and not a survivor.
//
//   node sim/mutations/apply.ts <room> <script> [arguments of the script …]
// runs the script of the copy once for each mutation of the room and says which ones it noticed. A script that fails without
// a word of a seed or a test that failed has noticed nothing: it is broken.
import { spawn } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

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

/** 'broken': it did not even come to a judgement, and says nothing about the rule. */
export type Outcome = 'killed' | 'SURVIVED' | 'BROKEN'

export interface MutationRun {
  readonly mutation: Mutation
  readonly outcome: Outcome
  /** The end of what it printed. */
  readonly output: string
}

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const OUTPUT_CHARACTERS = 4000
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')

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

/** Copies the source and its tests to a folder of their own and mutates the copy; `use` gets the folder, which is removed afterwards. Null: the copy is left as it is. */
export async function withCopy<T>(
  mutation: Mutation | null,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'evenkeel-mutation-'))
  try {
    for (const name of ['src', 'sim', 'test', 'package.json', 'vitest.config.ts']) {
      await cp(join(root, name), join(folder, name), { recursive: true })
    }
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir')
    if (mutation !== null) {
      const path = join(folder, mutation.file)
      await writeFile(path, mutate(await readFile(path, 'utf8'), mutation))
    }
    return await use(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Runs `script` (a path from the project's root), or the mutation's scenario, in a mutated copy. Null: in a copy as it is, which must succeed. */
export function runMutation(
  mutation: Mutation | null,
  script: string,
  parameters: readonly string[],
): Promise<Ended> {
  return withCopy(mutation, (folder) => {
    if (mutation?.scenario == null) return run([join(folder, script), ...parameters], folder)
    const { file, name } = mutation.scenario
    return run([vitest, 'run', '--project', 'rooms', file, '-t', name], folder)
  })
}

interface Ended {
  readonly exitCode: number | null
  readonly output: string
}

function run(parameters: readonly string[], folder: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, parameters, {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const gather = (text: Buffer) => {
      output = (output + text.toString()).slice(-OUTPUT_CHARACTERS)
    }
    child.stdout.on('data', gather)
    child.stderr.on('data', gather)
    child.on('error', reject)
    child.on('close', (exitCode) => resolve({ exitCode, output }))
  })
}

/** Killed: a seed or a test failed, as sim/run.ts, sim/power-cuts.ts and vitest say it. */
export function outcomeOf({ exitCode, output }: Ended): Outcome {
  if (exitCode === 0) return 'SURVIVED'
  return /[1-9]\d* failed|"firstSeed":\d/.test(output) ? 'killed' : 'BROKEN'
}

/** As many at once as the machine has processors: each is a process of its own. */
export async function runRoom(
  room: string,
  script: string,
  parameters: readonly string[],
): Promise<MutationRun[]> {
  const runs: MutationRun[] = []
  const left = (await loadMutations(room)).entries()
  const work = async () => {
    for (const [at, mutation] of left) {
      const all = [...parameters, ...mutation.parameters]
      const ended = await runMutation(mutation, script, all)
      runs[at] = { mutation, outcome: outcomeOf(ended), output: ended.output }
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  return runs
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

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [room, script, ...parameters] = process.argv.slice(2)
  if (room === undefined || script === undefined) throw new Error('room and script are needed')
  const runs = await runRoom(room, script, parameters)
  for (const { mutation, outcome, output } of runs) {
    console.log(`${outcome.padEnd(8)} ${mutation.name}: ${mutation.rule}`)
    if (outcome === 'BROKEN') console.log(output)
  }
  const killed = runs.filter(({ outcome }) => outcome === 'killed').length
  console.log(`${killed} of ${runs.length} mutations killed`)
  process.exitCode = killed === runs.length ? 0 : 1
}
