// node sim/balance/run.ts [--scenario fig5,zipf30] [--policy sgr,none] [--seeds 5] [--attribution 0.1] [--machine 0] [--priced 1] [--log]
// Prints, for each recorded scenario and policy, the figures: means over the seeds, and the worst seed's gap. One run, of any
// scenario: evenkeel balance simulate.
import { parseArgs } from 'node:util'
import type { Figures, LoggedMove } from '../../src/simulate/figures.ts'
import { isPolicyName } from '../../src/simulate/policies.ts'
import { isScenarioName, SCENARIOS } from '../../src/simulate/recorded.ts'
import { simulate } from '../../src/simulate/simulate.ts'

const { values } = parseArgs({
  options: {
    scenario: { type: 'string' },
    policy: { type: 'string', default: 'sgr' },
    seeds: { type: 'string', default: '3' },
    attribution: { type: 'string', default: '0.1' },
    machine: { type: 'string', default: '0' },
    priced: { type: 'string', default: '1' },
    log: { type: 'boolean', default: false },
  },
})

const names = values.scenario?.split(',') ?? Object.keys(SCENARIOS)
const columns = ['scenario', 'policy', 'gap %', 'worst', 'end %', 'moves', 'wasted %', 'p99']
const widths = [12, 11, 8, 8, 8, 22, 10, 8, 22]
const row = (cells: readonly string[]) => cells.map((c, i) => c.padEnd(widths[i] ?? 10)).join(' ')

console.log(row([...columns, 'level after s', 'forwarded', 'returns', 'per round']))
for (const name of names) for (const policy of values.policy.split(',')) tell(name, policy)

function tell(name: string, policy: string): void {
  if (!isScenarioName(name))
    throw new Error(`no scenario ${name}; there are ${Object.keys(SCENARIOS)}`)
  if (!isPolicyName(policy)) throw new Error(`no policy ${policy}`)
  const figures: Figures[] = []
  const logs: (readonly LoggedMove[])[] = []
  for (let seed = 1; seed <= Number(values.seeds); seed++) {
    const run = simulate(SCENARIOS[name], {
      seed,
      policy,
      attribution: Number(values.attribution),
      machine: Number(values.machine),
      priced: Number(values.priced),
    })
    figures.push(run.figures)
    logs.push(run.log)
    if (!values.log) continue
    for (const m of run.log)
      console.log(`  seed ${seed} ${m.t} s: ${m.session} ${m.from} → ${m.to}`)
  }
  const mean = (of: (f: Figures) => number | null) =>
    figures.reduce((s, f) => s + (of(f) ?? Number.NaN), 0) / figures.length
  const moves = figures.reduce((s, f) => s + f.moves, 0)
  const wasted = figures.reduce((s, f) => s + f.wasted * f.moves, 0) / Math.max(1, moves)
  const percent = (x: number) => (x * 100).toFixed(1)
  console.log(
    row([
      name,
      policy,
      percent(mean((f) => f.gap)),
      percent(Math.max(...figures.map((f) => f.gap ?? Number.NaN))),
      percent(mean((f) => f.gapEnd)),
      figures.map((f) => f.moves).join(' '),
      (wasted * 100).toFixed(0),
      mean((f) => f.p99).toFixed(1),
      figures.map((f) => f.timeToRebalance ?? 'never').join(' '),
      mean((f) => f.forwarded).toFixed(2),
      String(figures.reduce((s, f) => s + f.returns10min, 0)),
      String(Math.max(...logs.map(mostPerRound))),
    ]),
  )
}

/** Most moves of one member in one round. */
function mostPerRound(log: readonly LoggedMove[]): number {
  const counts = new Map<string, number>()
  for (const { t, from, forced } of log) {
    if (!forced) counts.set(`${t} ${from}`, (counts.get(`${t} ${from}`) ?? 0) + 1)
  }
  return Math.max(0, ...counts.values())
}
