// Interleaved rounds: each gives every case to every system in turn, another one first each time, so that what the machine
// does beside hits all alike.

import type { NamedWork } from './cases.ts'
import { sample } from './load.ts'
import { cpuTicks, TICKS_PER_SECOND } from './processes.ts'
import type { System } from './servers.ts'

const WARM_MS = 300

export type FigureName = 'iops' | 'p50Us' | 'p99Us' | 'serverUs' | 'generatorUs'
export type Figures = Readonly<Partial<Record<FigureName, number>>>

export interface Measured {
  readonly round: number
  readonly case: string
  readonly system: string
  readonly figures: Figures
}

/** One question, to be asked of each of its systems. */
export interface Case {
  readonly name: string
  readonly systems: readonly string[]
  measure(system: string): Promise<Figures>
}

export async function inRounds(
  cases: readonly Case[],
  rounds: number,
  told: (one: Measured) => void,
): Promise<Measured[]> {
  const all: Measured[] = []
  for (let round = 1; round <= rounds; round += 1) {
    for (const { name, systems, measure } of cases) {
      for (let i = 0; i < systems.length; i += 1) {
        const system = systems[(i + round) % systems.length] ?? ''
        const one = { round, case: name, system, figures: await measure(system) }
        all.push(one)
        told(one)
      }
    }
  }
  return all
}

/** CPU counts until the system has settled: what a write leaves to be done later is its own. */
export async function measureWork(work: NamedWork, system: System, ms: number): Promise<Figures> {
  const { load, region, pids, settle } = system
  let fromTicks = 0
  const began = () => {
    fromTicks = cpuTicks(pids)
  }
  const { commands, seconds, p50Us, p99Us, generatorUs } = await sample([{ load, work, region }], {
    warmMs: WARM_MS,
    ms,
    began,
  })
  if (work.reads < 100) await settle()
  const serverUs = ((cpuTicks(pids) - fromTicks) * (1e6 / TICKS_PER_SECOND)) / commands
  return { iops: commands / seconds, p50Us, p99Us, serverUs, generatorUs }
}
