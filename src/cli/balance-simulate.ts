// evenkeel balance simulate | replay: a scenario, or a recording, through the members' own code, in this process; no group is
// touched.
import type { Command } from 'commander'
import type { LoggedMove } from '../simulate/figures.ts'
import {
  ownPolicy,
  type Replay,
  type Run,
  replay,
  type Settings,
  simulate,
} from '../simulate/simulate.ts'
import { type GlobalOptions, type Outside, screenOf } from './context.ts'
import { CommandFailed, EXIT } from './exit-code.ts'
import { readRecording } from './recording-file.ts'
import { readScenario } from './scenario-file.ts'
import type { Screen } from './screen.ts'
import type { SimulateOptions } from './simulate-options.ts'

export async function runSimulation(
  path: string,
  options: SimulateOptions,
  outside: Outside,
  command: Command,
): Promise<void> {
  const screen = screenOf(outside, command.optsWithGlobals<GlobalOptions>().output)
  const { name, params } = await readScenario(path, (line) => screen.note(`evenkeel: ${line}`))
  const run = simulate(params, settingsOf(options))
  tellRun(screen, name, options, run)
}

export async function runReplay(
  path: string,
  options: SimulateOptions,
  outside: Outside,
  command: Command,
): Promise<void> {
  const screen = screenOf(outside, command.optsWithGlobals<GlobalOptions>().output)
  const recording = await readRecording(path)
  tellRun(screen, path, options, replay(recording, settingsOf(options)))
}

function settingsOf({ policy, seed, set = {}, priced }: SimulateOptions): Settings {
  const own = ownPolicy(set)
  if (own.kind === 'wrong') throw new CommandFailed(EXIT.usage, own.reasons.join(' '))
  return { policy, seed, priced, own: own.policy, cpuUs }
}

function tellRun(
  screen: Screen,
  scenario: string,
  options: SimulateOptions,
  run: Run & Partial<Replay>,
): void {
  const { policy, seed, moves } = options
  const { movesOverLowerBound, ...figures } = run.figures
  const { decisionCpuUs } = run
  if (moves) for (const move of run.log) screen.note(inWords(move, run))
  screen.show({ scenario, policy, seed, ...figures, decisionCpuUs, movesOverLowerBound }, (all) =>
    screen.facts(Object.entries(all).map(([key, value]) => [key, String(value ?? '–')])),
  )
}

function inWords({ t, session, from, to, forced }: LoggedMove, run: Partial<Replay>): string {
  const { members = [], sessions = [] } = run
  const ends = `${members[from] ?? from} → ${members[to] ?? to}`
  return `${t} s: session ${sessions[session] ?? session} ${ends}${forced ? ' (its member is emptied)' : ''}`
}

function cpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}
