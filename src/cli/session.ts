// evenkeel session list | show | move | moves
import { Command, InvalidArgumentError } from 'commander'
import type { Move, Session, SessionDetail } from '../api/schema.ts'
import type { ContextOf } from './context.ts'
import { CommandFailed, EXIT } from './exit-code.ts'
import type { Screen } from './screen.ts'
import { formatMs, formatPercent, formatRate } from './size.ts'

const MOVES_SHOWN = 50
const MOVES_MAX = 1000

export function sessionCommand(contextOf: ContextOf): Command {
  const session = new Command('session').description(
    'sessions: who is connected, and to which member',
  )
  session
    .command('list')
    .description('list sessions')
    .action(async (_options: object, command: Command) => {
      const { caller, screen } = contextOf(command)
      screen.show(await caller.sessions(), ({ items }) => sessionTable(screen, items))
    })
  session
    .command('show')
    .description('show a session, and why it is where it is')
    .argument('<id>')
    .action(async (id: string, _options: object, command: Command) => {
      const { caller, screen } = contextOf(command)
      screen.show(await caller.session(id), (detail) => describeSession(screen, detail))
    })
  session
    .command('move')
    .description('move a session to a member, while it is in use')
    .argument('<id>')
    .argument('<member>')
    .option('--no-wait', 'do not wait for the outcome')
    .action(async (id: string, to: string, { wait }: { wait: boolean }, command: Command) => {
      const { caller, screen } = contextOf(command)
      const move = await caller.moveSession(id, { to, wait })
      screen.show(move, sentenceAbout)
      if (wait && move.outcome !== 'returned') {
        throw new CommandFailed(
          EXIT.failed,
          `the move was ${move.outcome ?? 'not settled in time'}; 'evenkeel session show ${id}' says where the session is`,
        )
      }
    })
  session
    .command('moves')
    .description('list moves, the newest first')
    .option('--limit <count>', 'at most so many', parseLimit, MOVES_SHOWN)
    .action(async ({ limit }: { limit: number }, command: Command) => {
      const { caller, screen } = contextOf(command)
      screen.show(await caller.moves(limit), ({ items }) => moveTable(screen, items))
    })
  return session
}

function parseLimit(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= MOVES_MAX) return limit
  throw new InvalidArgumentError(`Give a number from 1 to ${MOVES_MAX}.`)
}

function sentenceAbout(move: Move): string {
  const { session, from, to, outcome, drainMs, pauseMs, resent } = move
  switch (outcome) {
    case 'returned':
      return `Session ${session} moved from ${from} to ${to}: ${measuresOf({ drainMs, pauseMs, resent })}.`
    case null:
      return `Session ${session} is on its way from ${from} to ${to}.`
    case 'abandoned':
      return `Session ${session} stayed on ${from}: the move was given up, and it goes on as before; the log of ${from} says why.`
    case 'reclaimed':
      return `Session ${session} is back from its way to ${to}: it could not log in there.`
    case 'expired':
      return `Session ${session} did not come back within 10 s of being asked to go to ${to}.`
    case 'lost':
      return `Session ${session} left ${from} by itself before it could be moved to ${to}.`
  }
}

/** What is not known is left out: an idle initiator sends nothing by which its pause could be measured. */
function measuresOf({ drainMs, pauseMs, resent }: Pick<Move, 'drainMs' | 'pauseMs' | 'resent'>) {
  return [
    `drained in ${formatMs(drainMs)}`,
    pauseMs === null ? 'idle since' : `paused for ${formatMs(pauseMs)}`,
    ...(resent === null ? [] : [`${resent} commands sent again`]),
  ].join(', ')
}

function sessionTable(screen: Screen, items: readonly Session[]): string {
  if (items.length === 0) return 'There are no sessions.'
  return screen.table(
    ['ID', 'INITIATOR', 'VOLUME', 'MEMBER', 'STATE', 'IOPS>', 'BYTES/S>', 'FORWARDED>', 'SINCE'],
    items.map(
      ({ id, initiator, volume, member, state, iops, bytesPerSecond, forwardedShare, since }) => [
        id,
        initiator,
        volume,
        member,
        state,
        iops.toFixed(0),
        formatRate(bytesPerSecond),
        formatPercent(forwardedShare),
        since,
      ],
    ),
  )
}

export function moveTable(screen: Screen, items: readonly Move[]): string {
  if (items.length === 0) return 'No session has been moved.'
  return screen.table(
    ['AT', 'SESSION', 'FROM', 'TO', 'OUTCOME', 'DRAIN>', 'PAUSE>', 'RESENT>', 'REASON'],
    items.map(({ at, session, from, to, outcome, drainMs, pauseMs, resent, reason }) => [
      at,
      session,
      from,
      to,
      outcome ?? 'under way',
      formatMs(drainMs),
      formatMs(pauseMs),
      resent === null ? '–' : String(resent),
      reason,
    ]),
  )
}

function describeSession(screen: Screen, detail: SessionDetail): string {
  const { id, initiator, isid, source, volume, member, state, since, load, decided, moves } = detail
  const parts = [
    screen.facts([
      ['session', `${id}, ${state}`],
      ['initiator', `${initiator}, ISID ${isid}, from ${source}`],
      ['volume', volume],
      ['member', member],
      ['since', since],
      [
        'doing',
        `${detail.iops.toFixed(0)} IOPS, ${formatRate(detail.bytesPerSecond)}, ${formatPercent(detail.forwardedShare)} forwarded, ${detail.queueDepth.toFixed(1)} queued, ${formatMs(detail.latencyMs)} each`,
      ],
      ['load', load === null ? 'not known yet' : `${load.toFixed(3)} cores`],
      ['why', detail.why],
      [
        'decided',
        decided === null ? 'nothing yet' : `${decided.sentence} (${decided.code}, ${decided.at})`,
      ],
    ]),
  ]
  if (moves.length > 0) parts.push('', moveTable(screen, moves))
  return parts.join('\n')
}
