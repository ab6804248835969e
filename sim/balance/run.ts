// node sim/balance/run.ts [--scenario fig5,zipf30] [--seeds 5] [--attribution 0.1] [--machine 0] [--priced 1] [--mode off] [--log]
// Prints, for each scenario, the figures of our distribution process: means over the seeds, and the worst seed's gap.
import { parseArgs } from 'node:util'
import { DEFAULT_POLICY } from '../../src/distribution/policy.ts'
import type { Figures } from './figures.ts'
import { SCENARIOS, type ScenarioName } from './scenario.ts'
import { simulate } from './simulate.ts'

const { values } = parseArgs({
  options: {
    scenario: { type: 'string' },
    seeds: { type: 'string', default: '3' },
    attribution: { type: 'string', default: '0.1' },
    machine: { type: 'string', default: '0' },
    priced: { type: 'string', default: '1' },
    mode: { type: 'string', default: 'on' },
    log: { type: 'boolean', default: false },
  },
})

const isScenario = (name: string): name is ScenarioName => Object.hasOwn(SCENARIOS, name)
const names = values.scenario?.split(',') ?? Object.keys(SCENARIOS)
const policy = {
  ...DEFAULT_POLICY,
  mode: values.mode === 'off' ? ('off' as const) : ('on' as const),
}
const columns = ['scenario', 'gap %', 'worst', 'end %', 'moves', 'wasted %', 'p99', 'level after s']
const widths = [12, 8, 8, 8, 22, 10, 8, 22]
const row = (cells: readonly string[]) => cells.map((c, i) => c.padEnd(widths[i] ?? 10)).join(' ')

console.log(row([...columns, 'forwarded', 'returns', 'per round']))
for (const name of names) {
  if (!isScenario(name)) throw new Error(`no scenario ${name}; there are ${Object.keys(SCENARIOS)}`)
  const runs: Figures[] = []
  for (let seed = 1; seed <= Number(values.seeds); seed++) {
    const figures = simulate(SCENARIOS[name], {
      seed,
      policy,
      attribution: Number(values.attribution),
      machine: Number(values.machine),
      priced: Number(values.priced),
    })
    runs.push(figures)
    if (!values.log) continue
    for (const m of figures.log)
      console.log(`  seed ${seed} ${m.t} s: ${m.session} ${m.from} → ${m.to}`)
  }
  const mean = (of: (f: Figures) => number) => runs.reduce((s, f) => s + of(f), 0) / runs.length
  const moves = runs.reduce((s, f) => s + f.moves, 0)
  const wasted = runs.reduce((s, f) => s + f.wasted * f.moves, 0) / Math.max(1, moves)
  const percent = (x: number) => (x * 100).toFixed(1)
  console.log(
    row([
      name,
      percent(mean((f) => f.gap)),
      percent(Math.max(...runs.map((f) => f.gap))),
      percent(mean((f) => f.gapEnd)),
      runs.map((f) => f.moves).join(' '),
      (wasted * 100).toFixed(0),
      mean((f) => f.p99).toFixed(1),
      runs.map((f) => f.rebalanced ?? 'never').join(' '),
      mean((f) => f.forwarded)
        .toFixed(2)
        .padEnd(1),
      String(runs.reduce((s, f) => s + f.returns, 0)),
      String(Math.max(...runs.map((f) => f.mostPerRound))),
    ]),
  )
}
