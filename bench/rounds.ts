// Interleaved rounds: each gives every case to every system in turn, another one first each time, so that what the machine
// does beside hits all alike.
import type { NamedWork } from './cases.ts'
import { type Asking, sample } from './load.ts'
import { cpuUs, forgetMostResident, mostResidentMiB, residentMiB, wakeUps } from './processes.ts'
import { rest, type System } from './servers.ts'

const WARM_MS = 200

export type FigureName =
  | 'iops'
  | 'p50Us'
  | 'p99Us'
  /** CPU of the servers for each command, in µs. */
  | 'serverUs'
  /** Of it that of the members that do not have the sessions. */
  | 'elsewhereUs'
  /** The same of the load generator. */
  | 'generatorUs'
  /** Resident memory of all processes of the servers together: at most during the sample, or at its end if nothing is asked. */
  | 'rssMiB'
  /** In use on average while nothing is asked. */
  | 'cores'
  | 'wakeUpsPerSecond'

export type Figures = Readonly<Partial<Record<FigureName, number>>>

export interface Measured {
  readonly round: number
  readonly case: string
  readonly system: string
  readonly figures: Figures
}

/** One question, to be asked of each of its systems; `together` if they do not disturb each other. */
export interface Case {
  readonly name: string
  readonly systems: readonly { readonly name: string; measure(): Promise<Figures> }[]
  readonly together?: boolean
  /** In no more rounds than these. */
  readonly roundsMost?: number
}

export async function inRounds(
  cases: readonly Case[],
  rounds: number,
  told: (one: Measured) => void,
): Promise<Measured[]> {
  const all: Measured[] = []
  for (let round = 1; round <= rounds; round += 1) {
    for (const { name, systems, together, roundsMost = rounds } of cases) {
      if (round > roundsMost) continue
      const turns = systems.map((_, i) => systems[(i + round) % systems.length])
      const measure = async (one: (typeof turns)[number]) => {
        if (one === undefined) return
        const measured = { round, case: name, system: one.name, figures: await one.measure() }
        all.push(measured)
        told(measured)
      }
      if (together) await Promise.all(turns.map(measure))
      else for (const one of turns) await measure(one)
    }
  }
  return all
}

/** CPU counts until the system has settled: what a write leaves to be done later is its own. */
export async function measureWork(
  work: NamedWork,
  { sessions, pids, elsewhere, settle }: System,
  ms: number,
  beside: readonly Asking[] = [],
): Promise<Figures> {
  const asked = sessions.slice(0, work.sessions).map((session) => ({ work, ...session }))
  let fromUs = 0
  let elsewhereFromUs = 0
  const began = () => {
    forgetMostResident(pids)
    fromUs = cpuUs(pids)
    elsewhereFromUs = cpuUs(elsewhere ?? [])
  }
  const taken = await sample(asked, { warmMs: WARM_MS, ms, began }, beside)
  const { commands, seconds, p50Us, p99Us, generatorUs } = taken
  if (work.reads < 100) await settle()
  const serverUs = (cpuUs(pids) - fromUs) / commands
  const rssMiB = mostResidentMiB(pids)
  const figures = { iops: commands / seconds, p50Us, p99Us, serverUs, generatorUs, rssMiB }
  if (elsewhere === undefined) return figures
  return { ...figures, elsewhereUs: (cpuUs(elsewhere) - elsewhereFromUs) / commands }
}

export async function measureIdle(pids: readonly number[], ms: number): Promise<Figures> {
  const fromUs = cpuUs(pids)
  const fromWakeUps = wakeUps(pids)
  const fromMs = performance.now()
  await rest(ms)
  const forMs = performance.now() - fromMs
  return {
    cores: (cpuUs(pids) - fromUs) / 1000 / forMs,
    wakeUpsPerSecond: ((wakeUps(pids) - fromWakeUps) * 1000) / forMs,
    rssMiB: residentMiB(pids),
  }
}
