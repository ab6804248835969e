// Runs the mutations of a room (mutation.ts): the scenarios of those that have one in one go, and a script once for each of
// the others.
//
//   node sim/mutations/apply.ts <room> <script> [arguments of the script …]
// says which of them were noticed. A script that fails without a word of a seed that failed, and a scenario that is not
// found or cannot be loaded, have noticed nothing: they are broken.
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { loadMutations, type Mutation, root } from './mutation.ts'

/** 'broken': it did not even come to a judgement, and says nothing about the rule. */
export type Outcome = 'killed' | 'SURVIVED' | 'BROKEN'

interface Judged {
  readonly outcome: Outcome
  /** The end of what it printed, or what it failed by. */
  readonly output: string
}

export interface MutationRun extends Judged {
  readonly mutation: Mutation
}

interface Ended {
  readonly exitCode: number | null
  readonly output: string
}

const OUTPUT_CHARACTERS = 4000
const NOT_FOUND: Judged = { outcome: 'BROKEN', output: 'its scenario was not run' }
const here = join(root, 'sim', 'mutations')

/** Runs `script` (a path from the project's root) without the rule. Null: with all of them; it must succeed. */
export function runScript(
  name: string | null,
  script: string,
  parameters: readonly string[],
): Promise<Ended> {
  const mutated = name === null ? [] : ['--import', join(here, 'taken-out.ts')]
  const env = name === null ? {} : { EVENKEEL_MUTATION: name }
  return run([...mutated, join(root, script), ...parameters], env)
}

/** Killed: a seed failed, as sim/run.ts and sim/power-cuts.ts say it. */
export function outcomeOf({ exitCode, output }: Ended): Outcome {
  if (exitCode === 0) return 'SURVIVED'
  return /seed \d+ failed|"firstSeed":\d/.test(output) ? 'killed' : 'BROKEN'
}

/** In the order of their names. */
export async function runRoom(
  room: string,
  script: string,
  parameters: readonly string[],
): Promise<readonly MutationRun[]> {
  const mutations = await loadMutations(room)
  const scenarios = mutations.some(({ scenario }) => scenario !== null)
    ? await runScenarios(room)
    : new Map<string, Judged>()
  const runs: MutationRun[] = []
  const left = mutations.entries()
  // As many at once as the machine has processors: each script is a process of its own.
  const work = async () => {
    for (const [at, mutation] of left) {
      const all = [...parameters, ...mutation.parameters]
      const judged =
        mutation.scenario === null
          ? await judgedBy(script, `${room}/${mutation.name}`, all)
          : (scenarios.get(mutation.name) ?? NOT_FOUND)
      runs[at] = { mutation, ...judged }
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  return runs
}

async function judgedBy(
  script: string,
  name: string,
  parameters: readonly string[],
): Promise<Judged> {
  const ended = await runScript(name, script, parameters)
  return { outcome: outcomeOf(ended), output: ended.output }
}

async function runScenarios(room: string): Promise<Map<string, Judged>> {
  const { output } = await run([join(here, 'scenarios.ts'), room], {}, Number.POSITIVE_INFINITY)
  const lines = output.split('\n').filter((line) => line.startsWith('{'))
  return new Map(
    lines.map((line) => {
      const run: Judged & { readonly name: string } = JSON.parse(line)
      return [run.name, run]
    }),
  )
}

function run(
  parameters: readonly string[],
  env: Readonly<Record<string, string>>,
  characters = OUTPUT_CHARACTERS,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, parameters, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const gather = (text: Buffer) => {
      output = (output + text.toString()).slice(-characters)
    }
    child.stdout.on('data', gather)
    child.stderr.on('data', gather)
    child.on('error', reject)
    child.on('close', (exitCode) => resolve({ exitCode, output }))
  })
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
