// What was recorded of the reference simulator of this form of scenarios (fixtures/reference.json says how): the same worlds,
// the same usual distributors, the same figures. One small scenario for each key of the form.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { PolicyName } from '../../src/simulate/policies.ts'
import { SCENARIOS } from '../../src/simulate/recorded.ts'
import type { Params } from '../../src/simulate/scenario.ts'
import { simulate } from '../../src/simulate/simulate.ts'

interface Recorded {
  readonly columns: readonly string[]
  readonly scenarios: readonly {
    readonly name: string
    readonly params: Params
    readonly figures: readonly (readonly [PolicyName, seed: number, ...(number | null)[]])[]
  }[]
  readonly recorded: Readonly<Record<string, Params>>
}

/** What the form takes for what is left out. */
const DEFAULTS: Partial<Params> = {
  ...{ noise: 0.2, noiseTau: 10, horizon: 1800, delay: 1, loss: 0, pause: 0.1, qd: 16 },
  ...{ locality: 'uniform', place: 'rr', loginRamp: 0 },
}

const { columns, scenarios, recorded }: Recorded = JSON.parse(
  readFileSync(new URL('fixtures/reference.json', import.meta.url), 'utf8'),
)

test.each(scenarios)(
  'SI1 $name: the figures that the reference records',
  ({ name, params, figures }) => {
    for (const [policy, seed, ...told] of figures) {
      const ours = simulate(params, { policy, seed }).figures
      const got = columns.slice(2).map((key) => ours[key as keyof typeof ours])
      expect(got, `${name}, ${policy}, seed ${seed}`).toEqual(told)
    }
  },
)

test('a scenario of ours with the name of a recorded one is the recorded one', () => {
  const ours: Readonly<Record<string, Params>> = SCENARIOS
  for (const [name, params] of Object.entries(recorded)) {
    expect({ ...DEFAULTS, ...ours[name] }, name).toEqual({ ...DEFAULTS, ...params })
  }
})
