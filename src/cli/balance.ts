// evenkeel balance on | off | advise | placement | status | why | why-not | plan |
// simulate | record | replay
import { Argument, Command } from 'commander'
import type { Balance, BalanceMode, PlacementMode } from '../api/schema.ts'
import { formatPercent } from '../base/figures.ts'
import { ageOf } from './age.ts'
import { whyCommands } from './balance-why.ts'
import type { ContextOf, Outside } from './context.ts'
import { type WatchOption, withWatch } from './listing.ts'
import { moveTable } from './move.ts'
import type { Screen } from './screen.ts'
import { RECORDED_TOO, type SimulateOptions, withRun } from './simulate-options.ts'
import { watched } from './watch.ts'

const MODES: readonly (readonly [mode: BalanceMode, description: string])[] = [
  ['on', 'move sessions by load'],
  ['off', 'only manual moves; moves in progress finish'],
  ['advise', 'decide and record, but move none'],
]

export function balanceCommand(outside: Outside, contextOf: ContextOf): Command {
  const balance = new Command()
  for (const [mode, description] of MODES) {
    balance
      .command(mode)
      .description(description)
      .action(async (_options: object, command: Command) => {
        const { caller, screen } = contextOf(command)
        screen.show(await caller.setBalance({ mode }), (now) => `Balance is ${now.mode}.`)
      })
  }
  balance
    .command('placement')
    .description('whether new sessions are sent to where the load is lower')
    .addArgument(new Argument('<mode>').choices(['on', 'off']))
    .action(async (placement: PlacementMode, _options: object, command: Command) => {
      const { caller, screen } = contextOf(command)
      const now = await caller.setBalance({ placement })
      screen.show(now, () => `Placement is ${now.placement}.`)
    })
  withWatch(balance.command('status'))
    .description('loads, moves under way and the last decisions')
    .action(async ({ watch }: WatchOption, command: Command) => {
      const context = contextOf(command)
      const { caller, screen } = context
      await watched(context, watch, async () => {
        const now = await caller.balance()
        return () => screen.text(now, () => describeBalance(screen, now))
      })
    })
  whyCommands(balance, contextOf)
  withRun(balance.command('simulate'))
    .description("run a scenario through the members' own code, here; no group is needed")
    .argument('<scenario>', 'a scenario file, or the name of a recorded scenario')
    .action(async (path: string, options: SimulateOptions, command: Command) => {
      const { runSimulation } = await import('./balance-simulate.ts')
      await runSimulation(path, options, outside, command)
    })
  balance
    .command('record')
    .description('fetch what the members have kept of their load, into a file')
    .argument('<file>', 'a file that does not exist')
    .action(async (path: string, _options: object, command: Command) => {
      const { caller, screen } = contextOf(command)
      const { fetchRecording, secondsOf, writeRecording } = await import('./recording-file.ts')
      const recording = await fetchRecording(caller, (member, why) =>
        screen.note(`evenkeel: ${member} is missing in it: ${why}`),
      )
      await writeRecording(path, recording)
      const seconds = secondsOf(recording)
      const members = recording.members.map(({ member }) => member)
      screen.show(
        { file: path, seconds, members },
        () => `${path}: ${Math.round(seconds / 60)} minutes of ${members.join(', ')}.`,
      )
    })
  withRun(balance.command('replay'), RECORDED_TOO)
    .description('try a policy on a recording, here: from where its sessions were at its beginning')
    .argument('<file>', "as 'evenkeel balance record' wrote it")
    .action(async (path: string, options: SimulateOptions, command: Command) => {
      const { runReplay } = await import('./balance-simulate.ts')
      await runReplay(path, options, outside, command)
    })
  return balance
}

function describeBalance(screen: Screen, now: Balance): string {
  const { mode, placement, imbalance, members, underWay, decisions } = now
  const level =
    imbalance === null ? 'not known yet' : `the highest load is ${imbalance.toFixed(2)} × the mean`
  const parts = [
    screen.facts([
      ['balance', mode],
      ['placement', placement],
      ['imbalance', level],
    ]),
    '',
    screen.table(
      ['MEMBER', 'LOAD>', 'SESSIONS>'],
      members.map(({ member, utilisation, sessions }) => [
        member,
        utilisation === null ? 'silent' : formatPercent(utilisation),
        String(sessions),
      ]),
    ),
  ]
  if (underWay.length > 0) parts.push('', moveTable(screen, underWay))
  if (decisions.length > 0)
    parts.push('', 'The last decisions:', describeDecisions(screen, decisions))
  return parts.join('\n')
}

/** Each with its sentence below it, which is wider than any column could be. */
function describeDecisions(screen: Screen, decisions: Balance['decisions']): string {
  return decisions
    .map(({ at, member, session, to, code, sentence }) => {
      const what = session === null ? '' : `  session ${session}${to === null ? '' : ` → ${to}`}`
      const head = `${ageOf(at)} ago  ${member}${what}  ${code}`
      return `${head}\n${screen.paragraph(sentence, '  ')}`
    })
    .join('\n')
}
