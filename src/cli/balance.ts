// evenkeel balance on | off | advise | status
import { Command } from 'commander'
import type { Balance, BalanceMode } from '../api/schema.ts'
import type { ContextOf } from './context.ts'
import type { Screen } from './screen.ts'
import { moveTable } from './session.ts'
import { formatPercent } from './size.ts'

const MODES: readonly (readonly [mode: BalanceMode, description: string])[] = [
  ['on', 'move sessions by load'],
  ['off', 'move none but by hand; a move under way is let finish'],
  ['advise', 'decide and record, but move none'],
]

export function balanceCommand(contextOf: ContextOf): Command {
  const balance = new Command('balance').description('the distribution of sessions over members')
  for (const [mode, description] of MODES) {
    balance
      .command(mode)
      .description(description)
      .action(async (_options: object, command: Command) => {
        const { caller, screen } = contextOf(command)
        screen.show(await caller.setBalance(mode), (now) => `Balance is ${now.mode}.`)
      })
  }
  balance
    .command('status')
    .description('loads, moves under way and the last decisions')
    .action(async (_options: object, command: Command) => {
      const { caller, screen } = contextOf(command)
      screen.show(await caller.balance(), (now) => describeBalance(screen, now))
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
  if (decisions.length > 0) {
    const rows = decisions.map(({ at, member, session, to, code, sentence }) => [
      at,
      member,
      session ?? '–',
      to ?? '–',
      code,
      sentence,
    ])
    parts.push('', screen.table(['AT', 'BY', 'SESSION', 'TO', 'CODE', 'WHY'], rows))
  }
  return parts.join('\n')
}
