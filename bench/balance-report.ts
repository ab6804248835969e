// What the bench of the distribution found, as BALANCE.md and its plots.
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import type { PolicyName } from '../src/simulate/policies.ts'
import { GATES, judged, MOONSHOTS } from './balance-gates.ts'
import {
  ALL,
  asked,
  type Made,
  NOISY,
  nameOf,
  POLICIES,
  PRICED,
  type Runs,
  WORLDS,
} from './balance-runs.ts'
import { dotPlot } from './dot-plot.ts'
import { table } from './figures.ts'

/** A wrong cost may change so much, in points of gap and in moves. */
const GAP_MORE = 0.01
const MOVES_MORE = 1.2

type ReferenceRow = readonly [name: string, seed: number, gap: number, moves: number, p99: number]

const reference: readonly ReferenceRow[] = JSON.parse(
  readFileSync(new URL('balance-reference.json', import.meta.url), 'utf8'),
).figures

const mean = (list: readonly number[]) => list.reduce((a, b) => a + b, 0) / list.length
const gapOf = (runs: readonly Made[]) => mean(runs.map(({ figures }) => figures.gap ?? 0))
const movesOf = (runs: readonly Made[]) => mean(runs.map(({ figures }) => figures.moves))
const percent = (x: number) => (100 * x).toFixed(1)
const cell = (gap: number, moves: number, p99: number) =>
  `${percent(gap)} / ${moves.toFixed(0)} / ${p99.toFixed(1)}`

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

function policyTable(runs: Runs, shown: readonly string[]): string {
  const of = (made: readonly Made[]) => {
    if (made.length === 0) return '–'
    return cell(gapOf(made), movesOf(made), mean(made.map(({ figures }) => figures.p99)))
  }
  const ofReference = (name: string) => {
    const rows = reference.filter(([scenario]) => scenario === name)
    if (rows.length === 0) return '–'
    const column = (i: 2 | 3 | 4) => mean(rows.map((row) => row[i]))
    return cell(column(2), column(3), column(4))
  }
  const title = (policy: PolicyName) =>
    policy === 'sgr' ? '**sgr**' : policy === 'clair' ? 'clairvoyant' : policy
  return table([
    ['scenario', ...POLICIES.map(title), 'reference', 'level after, s', 'wasted %', 'µs'],
    ...shown.map((name) => {
      const own = runs.of(name, 'sgr')
      const moves = own.reduce((sum, { figures }) => sum + figures.moves, 0)
      const wasted = own.reduce((sum, { figures }) => sum + figures.wasted * figures.moves, 0)
      return [
        name,
        ...POLICIES.map((policy) => of(runs.of(name, policy))),
        ofReference(name),
        own.map(({ figures }) => figures.timeToRebalance ?? 'never').join(' '),
        ((100 * wasted) / Math.max(1, moves)).toFixed(0),
        mean(own.map(({ cpuUs }) => cpuUs ?? 0)).toFixed(0),
      ]
    }),
  ]).join('\n')
}

function pricedTable(runs: Runs, shown: readonly string[]): string {
  const brief = (made: readonly Made[]) =>
    made.length === 0 ? '–' : `${percent(gapOf(made))} / ${movesOf(made).toFixed(0)}`
  return table([
    [
      'scenario',
      ...PRICED.map((times) => `× ${times}`),
      `CPU ± ${100 * NOISY} %`,
      'within 1 point and 20 % of moves',
    ],
    ...shown.map((name) => {
      const right = runs.of(name, 'sgr')
      const wrong = PRICED.slice(1).filter((times) => runs.of(name, 'sgr', times).length > 0)
      const missed = wrong.filter((times) => {
        const { gap, moves } = comparedTo(runs.of(name, 'sgr', times), right)
        return gap > GAP_MORE || moves > MOVES_MORE
      })
      return [
        name,
        ...PRICED.map((times) => brief(runs.of(name, 'sgr', times))),
        brief(runs.of(name, 'sgr', 1, NOISY)),
        wrong.length === 0 ? '–' : missed.length === 0 ? 'yes' : `not × ${missed.join(', × ')}`,
      ]
    }),
  ]).join('\n')
}

const digits = (x: number) => (Number.isFinite(x) ? String(Math.round(100 * x) / 100) : 'never')

function gateTable(runs: Runs, gates: typeof GATES): string {
  const rows = Object.keys(gates).flatMap((name) => {
    const found = judged(name, runs.of(name, 'sgr'), runs.of(name, 'none'), gates)
    return found.map(({ what, limit, values, passes }) => [
      name,
      what,
      String(limit),
      values.map(digits).join(' '),
      passes ? 'yes' : '**no**',
    ])
  })
  return table([['scenario', 'at most', 'limit', 'by seed', 'holds'], ...rows]).join('\n')
}

/** Of all runs of ours. */
function limitsOf({ made }: Runs): string {
  const own = made.filter(({ policy }) => policy === 'sgr')
  const returns = own.reduce((sum, { figures }) => sum + figures.returns10min, 0)
  const most = (of: (one: Made) => number) => Math.max(...own.map(of))
  return `In all ${own.length} runs of _sgr_ together ${returns} sessions returned within 10 min; a member made ${most(({ counts }) => counts.perRound)} moves in a round at most, and one session was moved ${most(({ counts }) => counts.perSession)} times.`
}

/** How many runs there are of those that a column has: by size. */
function extentTable(runs: Runs): string {
  const sizes = [3, 30, 300]
  const row = (label: string, policies: readonly PolicyName[], filter: (one: Made) => boolean) => [
    label,
    ...sizes.map((size) => {
      const names = [...WORLDS].filter(([, { N }]) => N === size).map(([name]) => name)
      const counts = policies.flatMap((policy) =>
        names.map(
          (name) =>
            runs.made.filter((one) => one.scenario === name && one.policy === policy && filter(one))
              .length,
        ),
      )
      const most = Math.max(...counts)
      const least = Math.min(...counts)
      const none = counts.filter((count) => count === 0).length
      const seeds = least === most ? String(most) : `${least} to ${most}`
      return none === 0
        ? seeds
        : most === 0
          ? 'not run'
          : `${seeds}; ${none} of ${counts.length} not run`
    }),
  ]
  const isPlain = (one: Made) => one.priced === 1 && one.machine === 0
  return table([
    ['seeds of each run', ...sizes.map((size) => `${size} members`)],
    row('sgr', ['sgr'], isPlain),
    row('the usual ways, clairvoyant', POLICIES.slice(1), isPlain),
    ...PRICED.slice(1).map((times) =>
      row(`costs × ${times}`, ['sgr'], ({ priced }) => priced === times),
    ),
    row(`CPU ± ${100 * NOISY} %`, ['sgr'], ({ machine }) => machine === NOISY),
  ]).join('\n')
}

/** CPU seconds of a run, as least and as most. */
function timeTable(runs: Runs): string {
  const row = (label: string, isOf: (policy: PolicyName) => boolean) => [
    label,
    ...[3, 30, 300].map((size) => {
      const times = runs.made
        .filter((one) => WORLDS.get(one.scenario)?.N === size && isOf(one.policy))
        .map(({ seconds }) => seconds)
        .sort((a, b) => a - b)
      if (times.length === 0) return '–'
      const at = (share: number) => (times[Math.floor(share * (times.length - 1))] ?? 0).toFixed(1)
      return `${at(0.5)} (${at(0)}–${at(1)})`
    }),
  ]
  return table([
    ['CPU seconds of a run: the middle, the least and the most', '3', '30', '300'],
    row('sgr', (policy) => policy === 'sgr'),
    row('the usual ways', (policy) => policy !== 'sgr' && policy !== 'clair'),
    row('clairvoyant', (policy) => policy === 'clair'),
  ]).join('\n')
}

export async function writeReport(runs: Runs): Promise<void> {
  const planned = new Set([...asked(ALL)].map(nameOf)).size
  const shown = [...WORLDS.keys()].filter((name) => runs.of(name, 'sgr').length > 0)
  const gaps = (made: readonly Made[]) => (made.length === 0 ? null : 100 * gapOf(made))
  await writeFile(
    new URL('plots/balance-policies.svg', import.meta.url),
    dotPlot({
      title: 'Gap to the clairvoyant, % (what is beyond is at the edge)',
      most: 60,
      rows: shown,
      series: POLICIES.filter((policy) => policy !== 'clair').map((policy) => ({
        name: policy,
        values: shown.map((name) => gaps(runs.of(name, policy))),
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
        values: shown.map((name) => gaps(runs.of(name, 'sgr', times))),
      })),
    }),
  )
  await writeFile(
    new URL('BALANCE.md', import.meta.url),
    `# How level the distribution keeps simulated groups

Written by \`npm run bench:balance\` on ${new Date().toISOString().slice(0, 10)}, and not by hand. Scenarios and figures are defined in
docs/OPERATING.md ("Scenario files"); one run is \`evenkeel balance simulate NAME --policy P --seed N\`. Those of 300 members are those
of 30 with ten times as many members and sessions. ${runs.made.length} runs were made, of ${planned} that there are, and nothing else is below; figures are
means over the seeds of them:

${extentTable(runs)}

${timeTable(runs)}

They lie in \`bench/balance-figures.jsonl\`, a line each, with a key that is made of the code that decides: \`${runs.keys.own}\` today, and
\`${runs.keys.usual}\` for the usual ways, which use less of it. Lines of other code are not used${runs.others > 0 ? ` (${runs.others} lie there)` : ''}.

## Beside the usual ways

Gap to the clairvoyant in % / moves / p99 in service times. The reference is the simulator of this form that the scenarios come
from, with its own estimates (figures as recorded, five seeds). Of _sgr_ also: seconds until all were level, seed by seed; wasted
moves; and CPU µs of a decision, on a machine that was busy with other things. fig5aged and fig5hour are fig5 after a day and after an
hour of a level group; slow… and unequal30 have members at half the speed.

${policyTable(runs, shown)}

![Gap by scenario and policy](plots/balance-policies.svg)

## The recorded gates

What the reference passes on each seed, and _sgr_ on each that was run. ${limitsOf(runs)}

${gateTable(runs, GATES)}

What would be better still:

${gateTable(runs, MOONSHOTS)}

fig5 cannot be faster than 30 s: no session is moved before it is that old (\`minAgeSeconds\`). Of what is
missed elsewhere the cause is not known.

## With costs that members believe wrong at first, and on noisy machines

Gap in % / moves of _sgr_, where members believe that work costs so many times what it does; and where the same work costs a member more
or less CPU, changing over 20 s. The last column, of wrong costs: on every seed the gap is at most a point above that with the
right ones, and there are at most a fifth more moves.

${pricedTable(runs, shown)}

![Gap by scenario and costs](plots/balance-costs.svg)
`,
  )
}
