import { defineConfig } from 'vitest/config'

const limits = { testTimeout: 60_000, hookTimeout: 60_000, pool: 'forks' } as const

// Tests with real processes come last and one file at a time: two cores are what one group and its initiators need.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...limits,
          name: 'rooms',
          include: ['src/**/*.test.ts', 'sim/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: ['test/interop/**', 'test/e2e/**'],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...limits,
          name: 'processes',
          include: ['test/interop/**/*.test.ts', 'test/e2e/**/*.test.ts'],
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
