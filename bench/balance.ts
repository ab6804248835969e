// How level the group's distribution keeps simulated groups, beside the usual ways, and with costs that members believe wrong at
// first: all recorded scenarios, of 3, 30 and 300 members. Writes bench/BALANCE.md and its plots. A run that was made is not made
// again: figures lie in a file, so it can be done in parts.
//
//   npm run bench:balance -- [--members 3,30,300] [--seeds 5] [--priced 1,0.33,3] [--seconds 300] [--figures FILE]
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Figures } from '../src/simulate/figures.ts'
import type { PolicyName } from '../src/simulate/policies.ts'
import { SCENARIOS } from '../src/simulate/recorded.ts'
import type { Params } from '../src/simulate/scenario.ts'
import { simulate } from '../src/simulate/simulate.ts'
import { dotPlot } from './dot-plot.ts'
import { table } from './figures.ts'

const { values: options } = parseArgs({
  options: {
    members: { type: 'string', default: '3,30,300' },
    seeds: { type: 'string', default: '5' },
    priced: { type: 'string', default: '1,0.33,0.5,2,3' },
    seconds: { type: 'string', default: '300' },
    figures: { type: 'string', default: join(tmpdir(), 'evenkeel-balance.jsonl') },
  },
})

const POLICIES: readonly PolicyName[] = ['sgr', 'none', 'login', 'naive', 'threshold']
const PRICED = [1, 0.33, 0.5, 2, 3]
/** A wrong cost may change so much, in points of gap and in moves. */
const GAP_MORE = 0.01
const MOVES_MORE = 1.2

/** Ten times as many members and sessions, whose reports are half a minute old. */
const WORLDS: Readonly<Record<string, Params>> = {
  ...Object.fromEntries(Object.entries(SCENARIOS).filter(([, { N }]) => N <= 30)),
  zipf300: { ...SCENARIOS.zipf30, N: 300, conns: 9_000, delay: 30 },
}

interface Made {
  readonly scenario: string
  readonly policy: PolicyName
  readonly seed: number
  readonly priced: number
  readonly figures: Figures
  readonly cpuUs: number | null
}

const made: Made[] = (await readFile(options.figures, 'utf8').catch(() => ''))
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line))

const started = process.cpuUsage()
const isOver = () => {
  const { user, system } = process.cpuUsage(started)
  return (user + system) / 1e6 > Number(options.seconds)
}

let left = 0
const sizes = options.members.split(',').map(Number)
const priced = options.priced.split(',').map(Number)
// Seed by seed, and right costs first, so that a part of it has something of everything.
for (let seed = 1; seed <= Number(options.seeds); seed++) {
  for (const times of PRICED.filter((one) => priced.includes(one))) {
    for (const [scenario, params] of Object.entries(WORLDS)) {
      if (!sizes.includes(params.N) || (params.horizon ?? 0) > 10_000) continue
      const asked = times === 1 ? POLICIES : (['sgr'] as const)
      for (const policy of asked) await make(scenario, policy, seed, times)
    }
  }
}

async function make(
  scenario: string,
  policy: PolicyName,
  seed: number,
  priced: number,
): Promise<void> {
  const isMade = made.some(
    (one) =>
      one.scenario === scenario &&
      one.policy === policy &&
      one.seed === seed &&
      one.priced === priced,
  )
  if (isMade) return
  if (isOver()) {
    left += 1
    return
  }
  const params = WORLDS[scenario]
  if (params === undefined) throw new Error(`no scenario ${scenario}`)
  const cpuUs = () => {
    const { user, system } = process.cpuUsage()
    return user + system
  }
  const run = simulate(params, { policy, seed, priced, cpuUs })
  const one: Made = {
    ...{ scenario, policy, seed, priced, figures: run.figures, cpuUs: run.decisionCpuUs },
  }
  made.push(one)
  await appendFile(options.figures, `${JSON.stringify(one)}\n`)
}

function of(scenario: string, policy: PolicyName, priced = 1): Made[] {
  return made.filter(
    (one) => one.scenario === scenario && one.policy === policy && one.priced === priced,
  )
}

const mean = (list: readonly number[]) => list.reduce((a, b) => a + b, 0) / list.length
const gapOf = (runs: readonly Made[]) => mean(runs.map(({ figures }) => figures.gap ?? 0))
const movesOf = (runs: readonly Made[]) => mean(runs.map(({ figures }) => figures.moves))
const percent = (x: number) => (100 * x).toFixed(1)

/** Over the seeds of the right-cost run that both have. */
function comparedTo(wrong: readonly Made[], right: readonly Made[]) {
  const pairs = wrong.flatMap((one) => {
    const other = right.find(({ seed }) => seed === one.seed)
    return other === undefined ? [] : [{ one: one.figures, other: other.figures }]
  })
  return {
    gap: Math.max(...pairs.map(({ one, other }) => (one.gap ?? 0) - (other.gap ?? 0))),
    moves:
      mean(pairs.map(({ one }) => one.moves)) /
      Math.max(1, mean(pairs.map(({ other }) => other.moves))),
  }
}

const shown = Object.keys(WORLDS).filter((name) => of(name, 'sgr').length > 0)

function policyTable(): string {
  const cell = (runs: readonly Made[]) => {
    if (runs.length === 0) return '–'
    const p99 = mean(runs.map(({ figures }) => figures.p99))
    return `${percent(gapOf(runs))} / ${movesOf(runs).toFixed(0)} / ${p99.toFixed(1)}`
  }
  return table([
    [
      'scenario',
      ...POLICIES.map((name) => (name === 'sgr' ? '**sgr**' : name)),
      'level after, s',
      'wasted %',
      'µs',
    ],
    ...shown.map((name) => {
      const own = of(name, 'sgr')
      const moves = own.reduce((sum, { figures }) => sum + figures.moves, 0)
      const wasted = own.reduce((sum, { figures }) => sum + figures.wasted * figures.moves, 0)
      return [
        name,
        ...POLICIES.map((policy) => cell(of(name, policy))),
        own.map(({ figures }) => figures.timeToRebalance ?? 'never').join(' '),
        ((100 * wasted) / Math.max(1, moves)).toFixed(0),
        mean(own.map(({ cpuUs }) => cpuUs ?? 0)).toFixed(0),
      ]
    }),
  ]).join('\n')
}

function pricedTable(): string {
  return table([
    ['scenario', ...PRICED.map((times) => `× ${times}`), 'within 1 point and 20 % of moves'],
    ...shown.map((name) => {
      const right = of(name, 'sgr')
      const wrong = PRICED.slice(1).filter((times) => of(name, 'sgr', times).length > 0)
      const missed = wrong.filter((times) => {
        const { gap, moves } = comparedTo(of(name, 'sgr', times), right)
        return gap > GAP_MORE || moves > MOVES_MORE
      })
      return [
        name,
        ...PRICED.map((times) => {
          const runs = of(name, 'sgr', times)
          return runs.length === 0 ? '–' : `${percent(gapOf(runs))} / ${movesOf(runs).toFixed(0)}`
        }),
        wrong.length === 0 ? '–' : missed.length === 0 ? 'yes' : `not × ${missed.join(', × ')}`,
      ]
    }),
  ]).join('\n')
}

const seedsOf = (names: readonly string[]) => {
  const counts = names.map((name) => of(name, 'sgr').length)
  const [least, most] = [Math.min(...counts), Math.max(...counts)]
  return least === most ? String(least) : `${least} to ${most}`
}

await writeFile(
  new URL('plots/balance-policies.svg', import.meta.url),
  dotPlot({
    title: 'Gap to the clairvoyant, % (what is beyond is at the edge)',
    most: 60,
    rows: shown,
    series: POLICIES.map((policy) => ({
      name: policy,
      values: shown.map((name) =>
        of(name, policy).length === 0 ? null : 100 * gapOf(of(name, policy)),
      ),
    })),
  }),
)
await writeFile(
  new URL('plots/balance-costs.svg', import.meta.url),
  dotPlot({
    title: 'Gap of sgr with costs believed wrong, %',
    most: 20,
    rows: shown,
    series: PRICED.map((times) => ({
      name: `× ${times}`,
      values: shown.map((name) => {
        const runs = of(name, 'sgr', times)
        return runs.length === 0 ? null : 100 * gapOf(runs)
      }),
    })),
  }),
)
const groups = [3, 30, 300].flatMap((n) => {
  const names = shown.filter((name) => WORLDS[name]?.N === n)
  return names.length === 0 ? [] : [`${n} members: ${seedsOf(names)} seeds`]
})
await writeFile(
  new URL('BALANCE.md', import.meta.url),
  `# How level the distribution keeps simulated groups

Written by \`npm run bench:balance\` on ${new Date().toISOString().slice(0, 10)}, and not by hand. Scenarios and figures are defined in
docs/OPERATING.md ("Scenario files"); one run is \`evenkeel balance simulate NAME --policy P --seed N\`. Means over the seeds (${groups.join('; ')}).${left > 0 ? ` ${left} runs of those that were asked for were not made, for time.` : ''}

## Beside the usual ways

Gap to the clairvoyant in % / moves / p99 in service times. Of _sgr_ also: seconds until all were level, seed by seed; wasted moves;
and CPU µs of a decision, on a machine that was busy with other things.

${policyTable()}

![Gap by scenario and policy](plots/balance-policies.svg)

## With costs that members believe wrong at first

Gap in % / moves of _sgr_, where members believe that work costs so many times what it does. The last column: on every seed the gap is
at most a point above that with the right costs, and there are at most a fifth more moves.

${pricedTable()}

![Gap by scenario and costs](plots/balance-costs.svg)
`,
)
console.log(
  `bench/BALANCE.md: ${made.length} runs${left > 0 ? `, ${left} left: run it again` : ''}`,
)
