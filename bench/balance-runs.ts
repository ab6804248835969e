// Which simulated groups the bench of the distribution runs, in which order, and what it keeps of each run: a line in a file.
//
// BF1. A run that was made is not made again, and one of other code or of another scenario is none (balance-key.ts).
import { appendFile, readFile } from 'node:fs/promises'
import type { Figures } from '../src/simulate/figures.ts'
import type { PolicyName } from '../src/simulate/policies.ts'
import { SCENARIOS } from '../src/simulate/recorded.ts'
import type { Params } from '../src/simulate/scenario.ts'
import { simulate } from '../src/simulate/simulate.ts'
import { type Counts, countsOf } from './balance-counts.ts'
import { Keys } from './balance-key.ts'

export const POLICIES: readonly PolicyName[] = [
  'sgr',
  'none',
  'login',
  'naive',
  'threshold',
  'clair',
]
/** What members believe at first that work costs, as a multiple of what it does. */
export const PRICED = [1, 0.33, 0.5, 2, 3]
/** CPU of the same work, by this deviation of its logarithm, changing over 20 s. */
export const NOISY = 0.2

const tenfold = (params: Params): Params => {
  const { conns, caps, whales, flash, net } = params
  return {
    ...params,
    N: 10 * params.N,
    conns: 10 * (conns ?? 0),
    ...(caps && { caps: caps.map(([count, capacity]) => [10 * count, capacity] as const) }),
    ...(whales && { whales: { ...whales, n: 10 * whales.n } }),
    ...(flash && { flash: { ...flash, servers: 10 * flash.servers } }),
    ...(net && {
      net: { ...net, ...(net.links && { links: new Array(10).fill(net.links).flat() }) },
    }),
  }
}

const recorded: [string, Params][] = Object.entries(SCENARIOS)
const thirty = recorded.filter(([, { N }]) => N === 30)

/** Ten times as many members and sessions are made of those of 30; reports of one are half a minute old. */
export const WORLDS: ReadonlyMap<string, Params> = new Map([
  ...recorded.filter(([, { N }]) => N <= 3),
  ...thirty,
  [
    'unequal30',
    { ...SCENARIOS.zipf30, speeds: Array.from({ length: 30 }, (_, s) => (s % 3 ? 1 : 0.5)) },
  ],
  ...thirty.map(([name, params]): [string, Params] => [name.replace('30', '300'), tenfold(params)]),
  ['verystale300', { ...tenfold(SCENARIOS.zipf30), delay: 30 }],
])

export interface Asked {
  readonly scenario: string
  readonly policy: PolicyName
  readonly seed: number
  readonly priced: number
  /** The machine's noise; 0: none. */
  readonly machine: number
}

export interface Made extends Asked {
  readonly figures: Figures
  readonly counts: Counts
  /** CPU of a decision; null: there was none. */
  readonly cpuUs: number | null
  /** CPU of the run. */
  readonly seconds: number
}

export interface Extent {
  readonly members: readonly number[]
  readonly seeds: number
}

export const ALL: Extent = { members: [3, 30, 300], seeds: 5 }

const namesOf = (size: number) =>
  [...WORLDS].filter(([, { N }]) => N === size).map(([name]) => name)

/**
 * What tells most comes first: all recorded scenarios as they are meant, seed by seed, then costs that are believed wrong, then whatever
 * there is beside; of each, small groups before large ones.
 */
export function* asked({ members, seeds }: Extent): Iterable<Asked> {
  const recorded = members.filter((size) => size <= 30)
  const all = (
    sizes: readonly number[],
    seed: number,
    policy: PolicyName,
    priced = 1,
    machine = 0,
  ) =>
    sizes.flatMap(namesOf).map((scenario): Asked => ({ scenario, policy, seed, priced, machine }))
  const numbers = Array.from({ length: seeds }, (_, i) => i + 1)
  for (const seed of numbers) {
    yield* all(recorded, seed, 'sgr')
    // Some gates compare with it.
    yield* all(recorded, seed, 'none')
  }
  for (const priced of PRICED.slice(1)) yield* all(recorded, 1, 'sgr', priced)
  yield* all(recorded, 1, 'sgr', 1, NOISY)
  for (const size of members) {
    for (const seed of numbers) {
      for (const policy of POLICIES) yield* all([size], seed, policy)
      for (const priced of PRICED.slice(1)) yield* all([size], seed, 'sgr', priced)
      yield* all([size], seed, 'sgr', 1, NOISY)
    }
  }
}

export const nameOf = ({ scenario, policy, seed, priced, machine }: Asked) =>
  [scenario, policy, seed, priced, machine].join(' ')

const FIGURES = [
  ...(['gap', 'gapEnd', 'moves', 'forcedMoves', 'wasted', 'returns10min'] as const),
  ...(['p99', 'forwarded', 'timeToRebalance', 'movesOverLowerBound'] as const),
] as const satisfies readonly (keyof Figures)[]
const COUNTS = ['perRound', 'perSession', 'ofFirst', 'forcedPerSession'] as const

/** As it lies in the file. */
type Line = readonly [
  key: string,
  asked: readonly [
    scenario: string,
    policy: PolicyName,
    seed: number,
    priced: number,
    machine: number,
  ],
  figures: readonly (number | null)[],
  counts: readonly number[],
  cpuUs: number | null,
  seconds: number,
]

const tidy = (x: number | null) => (x === null ? null : Number(x.toPrecision(6)))

function lineOf(key: string, made: Made): Line {
  const { scenario, policy, seed, priced, machine, figures, counts, cpuUs, seconds } = made
  return [
    key,
    [scenario, policy, seed, priced, machine],
    FIGURES.map((name) => tidy(figures[name])),
    COUNTS.map((name) => counts[name]),
    cpuUs,
    seconds,
  ]
}

function madeOf([, [scenario, policy, seed, priced, machine], told, counted, ...rest]: Line): Made {
  const [cpuUs, seconds] = rest
  const figures = Object.fromEntries(FIGURES.map((name, i) => [name, told[i] ?? null])) as Record<
    keyof Figures,
    number | null
  > as Figures
  const counts = Object.fromEntries(COUNTS.map((name, i) => [name, counted[i] ?? 0])) as Record<
    keyof Counts,
    number
  >
  return { scenario, policy, seed, priced, machine, figures, counts, cpuUs, seconds }
}

export class Runs {
  readonly made: Made[] = []
  readonly keys = new Keys()
  /** Lines of other code, or of scenarios that were otherwise. */
  others = 0
  readonly #file: string
  readonly #names = new Set<string>()

  private constructor(file: string) {
    this.#file = file
  }

  static async in(file: string): Promise<Runs> {
    const runs = new Runs(file)
    const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n')
    for (const line of lines) if (line !== '') runs.#take(JSON.parse(line))
    return runs
  }

  #take(line: Line): void {
    const made = madeOf(line)
    const params = WORLDS.get(made.scenario)
    const isOfNow = params !== undefined && line[0] === this.keys.of(made.policy, params)
    if (!isOfNow || this.has(made)) this.others += 1
    else this.#add(made)
  }

  #add(made: Made): void {
    this.made.push(made)
    this.#names.add(nameOf(made))
  }

  has(one: Asked): boolean {
    return this.#names.has(nameOf(one))
  }

  async make(one: Asked): Promise<void> {
    const params = WORLDS.get(one.scenario)
    if (params === undefined) throw new RangeError(`no scenario ${one.scenario}`)
    const { policy, seed, priced, machine } = one
    const cpuUs = () => {
      const { user, system } = process.cpuUsage()
      return user + system
    }
    const before = cpuUs()
    const { figures, log, decisionCpuUs } = simulate(params, {
      policy,
      seed,
      priced,
      machine,
      cpuUs,
    })
    const seconds = Number(((cpuUs() - before) / 1e6).toPrecision(3))
    const made = { ...one, figures, counts: countsOf(log), cpuUs: decisionCpuUs, seconds }
    this.#add(made)
    await appendFile(this.#file, `${JSON.stringify(lineOf(this.keys.of(policy, params), made))}\n`)
  }

  of(scenario: string, policy: PolicyName, priced = 1, machine = 0): Made[] {
    return this.made.filter(
      (one) =>
        one.scenario === scenario &&
        one.policy === policy &&
        one.priced === priced &&
        one.machine === machine,
    )
  }
}
