import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** On a clean checkout nobody knows how long a file takes: begun last, these would keep one core busy and leave the other. */
const longest = [
  'sim/group.test.ts',
  'sim/rules.test.ts',
  'src/store/rules.test.ts',
  'src/store/power-cuts.test.ts',
  'test/interop/conformance.test.ts',
  'test/interop/tools.test.ts',
  'test/e2e/readme.test.ts',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) =>
      longest.some((path) => moduleId.endsWith(`/${path}`))
    const sorted = await super.sort(files)
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}

// A limit for what hangs, not for what is slow: the machine may be busy with other work.
const limits = {
  testTimeout: 240_000,
  hookTimeout: 240_000,
  expect: { poll: { timeout: 120_000 } },
  pool: 'forks',
} as const
// The CLI remembers nothing of test groups in the home of who runs the tests.
const env = { XDG_STATE_HOME: '/dev/null' }

// What loads a group with all that it can take, counts what it does, or shows how it is under a load: one at a time.
const alone = [
  'copies',
  'counts',
  'crash',
  'demo',
  'greedy',
  'histories',
  'move-storm',
  'stopped-holder',
].map((name) => `test/e2e/${name}.test.ts`)

// Tests with real processes come last. Most wait for their group more than they work: two of their files go on at a time.
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          ...limits,
          env,
          name: 'rooms',
          include: [
            'src/**/*.test.ts',
            'sim/**/*.test.ts',
            'test/**/*.test.ts',
            'dashboard/**/*.test.ts',
          ],
          exclude: ['test/interop/**', 'test/e2e/**'],
          // One more than there are cores: some files wait for processes and for time that passes.
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...limits,
          env,
          name: 'processes',
          include: ['test/interop/**/*.test.ts', 'test/e2e/**/*.test.ts'],
          exclude: alone,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...limits,
          env,
          name: 'alone',
          include: alone,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
