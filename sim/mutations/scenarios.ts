// Runs the scenarios of a room's mutations, each against the source without its rule, in one run of vitest: a start of its
// own for each would take longer than most scenarios.
//
//   node sim/mutations/scenarios.ts <room> [name …]
// prints a line of JSON for each: { "name", "outcome", "output" }.
import { join } from 'node:path'
import type { TestProjectConfiguration } from 'vitest/config'
import { startVitest } from 'vitest/node'
import { loadMutations, type Mutation, mutate, root, type Scenario } from './mutation.ts'

const [room = '', ...names] = process.argv.slice(2)
const isWanted = ({ name }: Mutation) => names.length === 0 || names.includes(name)
const mutations = (await loadMutations(room)).filter(isWanted)

const projects = mutations.flatMap((mutation): TestProjectConfiguration[] =>
  mutation.scenario === null ? [] : [{ ...project(mutation, mutation.scenario) }],
)
const vitest = await startVitest('test', [], {
  ...{ root, config: false, watch: false, reporters: [{}], projects },
  maxWorkers: 2,
})
const broken = vitest.state.getUnhandledErrors().map(String)
for (const module of vitest.state.getTestModules()) {
  const results = [...module.children.allTests()].map((test) => test.result())
  const has = (state: string) => results.some((result) => result.state === state)
  const outcome = has('failed') ? 'killed' : has('passed') ? 'SURVIVED' : 'BROKEN'
  const output = [...broken, ...module.errors().map(({ message }) => message)].join('\n')
  console.log(JSON.stringify({ name: module.project.name, outcome, output }))
}
await vitest.close()
process.exitCode = 0

function project(mutation: Mutation, { file, name }: Scenario) {
  const mutated = join(root, mutation.file)
  const isMutated = (id: string) => id.split('?')[0] === mutated
  return {
    root,
    plugins: [
      {
        name: 'evenkeel:mutation',
        enforce: 'pre' as const,
        transform: (code: string, id: string) => (isMutated(id) ? mutate(code, mutation) : null),
        // What vitest keeps of a transformed file is of this mutation alone; all other files are the same for all.
        configureVitest: ({ defineCacheKeyGenerator }: CacheKeys) =>
          defineCacheKeyGenerator(({ id }) =>
            isMutated(id) ? JSON.stringify([mutation.find, mutation.replace]) : undefined,
          ),
      },
    ],
    test: {
      name: mutation.name,
      include: [file],
      testNamePattern: new RegExp(name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')),
      ...{ pool: 'forks' as const, testTimeout: 240_000, hookTimeout: 240_000 },
    },
  }
}

/** Of vitest's context for plugins. */
interface CacheKeys {
  readonly defineCacheKeyGenerator: (
    callback: (context: { readonly id: string }) => string | undefined,
  ) => void
}
