// evenkeel status: the health of the group and the group at a glance. Its exit code is the health, for cron and monitors.
import { Command } from 'commander'
import type { HealthProblem } from '../api/health-schema.ts'
import type { Status } from '../api/schema.ts'
import { formatLoad, formatSize } from '../base/figures.ts'
import { ageOf } from './age.ts'
import type { ContextOf } from './context.ts'
import { EndWith, EXIT } from './exit-code.ts'
import { copiesSentence } from './layout.ts'
import { type WatchOption, withWatch } from './listing.ts'
import { overPromise } from './promise.ts'
import type { Screen } from './screen.ts'
import { watched } from './watch.ts'

const exitCodes = { ok: EXIT.ok, warning: EXIT.warning, error: EXIT.error } as const

export function statusCommand(contextOf: ContextOf): Command {
  return withWatch(new Command())
    .addHelpText(
      'after',
      `
Exit codes: 0 all is well, 10 the worst problem is a warning, 20 it is an error,
5 no member answers. Each problem has a code; docs/OPERATING.md lists them.`,
    )
    .action(async ({ watch }: WatchOption, command: Command) => {
      const context = contextOf(command)
      const { caller, screen } = context
      let health: Status['health'] = 'ok'
      await watched(context, watch, async () => {
        const now = await caller.status()
        health = now.health
        return () => screen.text(now, () => describeStatus(screen, now))
      })
      throw new EndWith(exitCodes[health])
    })
}

function describeStatus(screen: Screen, now: Status): string {
  const { colours } = screen
  const { volumes, moves, members, problems } = now
  const more = overPromise(now)
  return [
    ...(problems.length === 0
      ? [colours.green('All is well.')]
      : problems.map((problem) => describeProblem(screen, problem))),
    ...(more === null ? [] : [colours.yellow(screen.paragraph(more))]),
    '',
    screen.facts([
      ['group', `${now.group}, as ${now.member} sees it (Evenkeel ${now.version})`],
      ['coordination', now.coordination],
      ['balance', `${now.balance}, placement ${now.placement}`],
      [
        'volumes',
        `${volumes.count} of ${formatSize(volumes.bytes)}, ${formatSize(volumes.allocatedBytes)} allocated`,
      ],
      ['room', roomOf(members)],
      ['copies', copiesSentence(now.slices)],
      ['sessions', `${now.sessions}; ${moves.underWay} being moved, ${moves.done} moves on record`],
    ]),
    '',
    screen.table(
      [
        'MEMBER',
        'STATE',
        'PORTAL',
        'API',
        'LOAD>',
        'SESSIONS>',
        '+SLICES>',
        'USED>',
        'FREE>',
        '+PID>',
      ],
      now.members.map((member) => [
        member.id,
        member.draining && member.state === 'up' ? 'draining' : member.state,
        member.portal,
        member.api.replace(/^https?:\/\//, ''),
        member.load === null ? '–' : formatLoad(member.load),
        String(member.sessions),
        String(member.slices),
        member.usedBytes === null ? '–' : formatSize(member.usedBytes),
        member.freeBytes === null ? '–' : formatSize(member.freeBytes),
        member.pid === null ? '–' : String(member.pid),
      ]),
    ),
  ].join('\n')
}

/** Its code and age, what is wrong, whom it concerns, what to do. */
function describeProblem(screen: Screen, problem: HealthProblem): string {
  const { colours } = screen
  const { severity, code, subject, since, sentence, action } = problem
  const colour = severity === 'error' ? colours.red : colours.yellow
  const concerned = describeConcerned(problem)
  return [
    colour(`${severity.toUpperCase()} ${code} ${subject}, for ${ageOf(since)}`),
    screen.paragraph(sentence, '  '),
    ...(concerned === null ? [] : [screen.paragraph(concerned, '  ')]),
    screen.paragraph(`Do: ${action}`, '  '),
  ].join('\n')
}

function describeConcerned({ volumes, sessions }: HealthProblem): string | null {
  const parts = [
    countOf('volume', volumes.count, volumes.names),
    countOf('session', sessions.count, sessions.ids),
  ].filter((part) => part !== null)
  return parts.length === 0 ? null : `Concerned: ${parts.join('; ')}.`
}

function countOf(noun: string, count: number, names: readonly string[]): string | null {
  if (count === 0) return null
  const more = count > names.length ? ', …' : ''
  return `${count} ${noun}${count === 1 ? '' : 's'} (${names.join(', ')}${more})`
}

function roomOf(members: Status['members']): string {
  const known = members.filter(({ usedBytes }) => usedBytes !== null)
  const used = known.reduce((sum, { usedBytes }) => sum + (usedBytes ?? 0), 0)
  const free = known.reduce((sum, { freeBytes }) => sum + (freeBytes ?? 0), 0)
  const silent = members.length - known.length
  const of = silent === 0 ? '' : `, without ${silent} silent member${silent === 1 ? '' : 's'}`
  return `${formatSize(used)} in use, ${formatSize(free)} free${of}`
}
