// evenkeel status: the group at a glance, and what is wrong with it.
import { Command } from 'commander'
import type { Status } from '../api/schema.ts'
import type { ContextOf } from './context.ts'
import { overPromise } from './promise.ts'
import type { Screen } from './screen.ts'
import { formatSize } from './size.ts'

export function statusCommand(contextOf: ContextOf): Command {
  return new Command('status')
    .description('the group at a glance, and what is wrong with it')
    .action(async (_options: object, command: Command) => {
      const { caller, screen } = contextOf(command)
      screen.show(await caller.status(), (now) => describeStatus(screen, now))
    })
}

function describeStatus(screen: Screen, now: Status): string {
  const { colours } = screen
  const { ok, problems, volumes, moves } = now
  const health = ok ? [colours.green('All is well.')] : problems.map((text) => colours.red(text))
  const more = overPromise(now)
  return [
    ...health,
    ...(more === null ? [] : [colours.yellow(more)]),
    '',
    screen.facts([
      ['group', `${now.group}, as ${now.member} sees it (Evenkeel ${now.version})`],
      ['coordination', now.coordination],
      ['balance', `${now.balance}, placement ${now.placement}`],
      [
        'volumes',
        `${volumes.count} of ${formatSize(volumes.bytes)}, ${formatSize(volumes.allocatedBytes)} allocated`,
      ],
      ['sessions', `${now.sessions}; ${moves.underWay} being moved, ${moves.done} moves on record`],
    ]),
    '',
    screen.table(
      ['MEMBER', 'STATE', 'PORTAL', 'API', 'SESSIONS>', 'SLICES>', 'USED>', 'FREE>', 'PID>'],
      now.members.map((member) => [
        member.id,
        member.draining ? `${member.state}, draining` : member.state,
        member.portal,
        member.api,
        String(member.sessions),
        String(member.slices),
        member.usedBytes === null ? '–' : formatSize(member.usedBytes),
        member.freeBytes === null ? '–' : formatSize(member.freeBytes),
        member.pid === null ? '–' : String(member.pid),
      ]),
    ),
  ].join('\n')
}
