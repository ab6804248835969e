import { defineConfig } from 'vitest/config'

// A limit for what hangs, not for what is slow: the machine may be busy with other work.
const limits = {
  testTimeout: 240_000,
  hookTimeout: 240_000,
  expect: { poll: { timeout: 120_000 } },
  pool: 'forks',
} as const
// The CLI remembers nothing of test groups in the home of who runs the tests.
const env = { XDG_STATE_HOME: '/dev/null' }

// Tests with real processes come last and one file at a time: two cores are what one group and its initiators need.
export default defineConfig({
  test: {
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
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...limits,
          env,
          name: 'processes',
          include: ['test/interop/**/*.test.ts', 'test/e2e/**/*.test.ts'],
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
