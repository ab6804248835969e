// Which simulated groups the bench of the distribution runs, in which order, and what it keeps of each run. A run that was made is not
// made again: its line lies in a file.
import { appendFile, readFile } from 'node:fs/promises'
import type { Figures, LoggedMove } from '../src/simulate/figures.ts'
import type { PolicyName } from '../src/simulate/policies.ts'
import { SCENARIOS } from '../src/simulate/recorded.ts'
import type { Params } from '../src/simulate/scenario.ts'
import { simulate } from '../src/simulate/simulate.ts'

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
  const { conns, caps, whales, flash } = params
  return {
    ...params,
    N: 10 * params.N,
    conns: 10 * (conns ?? 0),
    ...(caps && { caps: caps.map(([count, capacity]) => [10 * count, capacity] as const) }),
    ...(whales && { whales: { ...whales, n: 10 * whales.n } }),
    ...(flash && { flash: { ...flash, servers: 10 * flash.servers } }),
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
  readonly cpuUs: number | null
}

/** Most moves that nobody forced of one member in a round, and of one session in all; those of the first session, and of one by drains. */
export interface Counts {
  readonly perRound: number
  readonly perSession: number
  readonly ofFirst: number
  readonly forcedPerSession: number
}

function countsOf(log: readonly LoggedMove[]): Counts {
  const most = (keys: readonly string[]) => {
    const counts = new Map<string, number>()
    for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
    return Math.max(0, ...counts.values())
  }
  const own = log.filter(({ forced }) => !forced)
  const forced = log.filter((move) => move.forced)
  return {
    perRound: most(own.map(({ t, from }) => `${t} ${from}`)),
    perSession: most(log.map(({ session }) => String(session))),
    ofFirst: own.filter(({ session }) => session === 0).length,
    forcedPerSession: most(forced.map(({ session }) => String(session))),
  }
}

export interface Extent {
  readonly members: readonly number[]
  readonly seeds: number
}

export const ALL: Extent = { members: [3, 30, 300], seeds: 5 }

/** Seed by seed and size by size, what matters most first, so that a part of it has something of everything. */
export function* asked({ members, seeds }: Extent): Iterable<Asked> {
  for (const size of members) {
    const names = [...WORLDS].filter(([, { N }]) => N === size).map(([name]) => name)
    for (let seed = 1; seed <= seeds; seed++) {
      const all = (policy: PolicyName, priced = 1, machine = 0) =>
        names.map((scenario) => ({ scenario, policy, seed, priced, machine }))
      for (const policy of POLICIES) yield* all(policy)
      for (const priced of PRICED.slice(1)) yield* all('sgr', priced)
      yield* all('sgr', 1, NOISY)
    }
  }
}

const nameOf = ({ scenario, policy, seed, priced, machine }: Asked) =>
  [scenario, policy, seed, priced, machine].join(' ')

export class Runs {
  readonly made: Made[]
  readonly #file: string
  readonly #names: Set<string>

  private constructor(file: string, made: Made[]) {
    this.#file = file
    this.made = made
    this.#names = new Set(made.map(nameOf))
  }

  static async in(file: string): Promise<Runs> {
    const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n')
    return new Runs(
      file,
      lines.filter((line) => line !== '').map((line): Made => JSON.parse(line)),
    )
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
    const run = simulate(params, { policy, seed, priced, machine, cpuUs })
    const { figures, log, decisionCpuUs } = run
    const made = { ...one, figures, counts: countsOf(log), cpuUs: decisionCpuUs }
    this.made.push(made)
    this.#names.add(nameOf(one))
    await appendFile(this.#file, `${JSON.stringify(made)}\n`)
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
