// evenkeel session list | show | move | pin | unpin | moves
import { Command } from 'commander'
import type { SessionDetail } from '../api/schema.ts'
import { formatMs, formatPercent, formatRate } from '../base/figures.ts'
import { ageOf } from './age.ts'
import type { ContextOf } from './context.ts'
import { CommandFailed, EXIT } from './exit-code.ts'
import { listing } from './listing.ts'
import { moveList, moveTable, sentenceAbout } from './move.ts'
import { named } from './names.ts'
import type { Screen } from './screen.ts'
import { SESSION_COLUMNS } from './session-columns.ts'

interface MoveOptions {
  readonly wait: boolean
  readonly dryRun?: boolean
}

export function sessionCommand(contextOf: ContextOf): Command {
  const session = new Command()
  listing(session.command('list').alias('ls').description('list sessions'), contextOf, {
    columns: SESSION_COLUMNS,
    filters: ['volume', 'member'],
    none: 'There are no sessions.',
    ask: (caller, { volume, member }) => caller.sessions({ volume, member }),
  })
  session
    .command('show')
    .description('show a session, and why it is where it is')
    .argument('<id>')
    .action(async (id: string, _options: object, command: Command) => {
      const { caller, screen } = contextOf(command)
      const detail = await named(caller, 'session', id, (whole) => caller.session(whole))
      screen.show(detail, (one) => describeSession(screen, one))
    })
  session
    .command('move')
    .alias('mv')
    .description('move a session to a member, while it is in use')
    .argument('<id>')
    .argument('<member>')
    .option('--no-wait', 'do not wait for the outcome')
    .option('--dry-run', 'say what would come of it, and move nothing')
    .action(async (id: string, to: string, options: MoveOptions, command: Command) => {
      const { caller, screen } = contextOf(command)
      const { wait, dryRun = false } = options
      if (dryRun) {
        const plan = await named(caller, 'session', id, (whole) =>
          named(caller, 'member', to, (member) => caller.foretellMove(whole, member)),
        )
        screen.show(plan, ({ sentence }) => sentence)
        return
      }
      const move = await named(caller, 'session', id, (whole) =>
        named(caller, 'member', to, (member) => caller.moveSession(whole, { to: member, wait })),
      )
      screen.show(move, sentenceAbout)
      if (wait && move.outcome !== 'returned') {
        throw new CommandFailed(
          EXIT.failed,
          `the move was ${move.outcome ?? 'not settled in time'}; 'evenkeel session show ${move.session}' says where the session is`,
        )
      }
    })
  pinCommands(session, contextOf)
  moveList(session.command('moves'), contextOf)
  return session
}

interface PinOptions {
  readonly member?: string
  readonly dryRun?: boolean
}

function pinCommands(session: Command, contextOf: ContextOf): void {
  session
    .command('pin')
    .description('keep a session where it is, whatever the load')
    .argument('<id>')
    .option('--member <member>', 'keep it there, and move it there first')
    .option('--dry-run', 'say what it would mean, and change nothing')
    .action(async (id: string, { member, dryRun = false }: PinOptions, command: Command) => {
      const { caller, screen } = contextOf(command)
      const pin = (whole: string, at?: string) =>
        dryRun
          ? caller.foretellPin(whole, at)
          : caller.pinSession(whole, at === undefined ? {} : { member: at })
      const done = await named(caller, 'session', id, (whole) =>
        member === undefined ? pin(whole) : named(caller, 'member', member, (at) => pin(whole, at)),
      )
      screen.show(done, ({ sentence }) => sentence)
    })
  session
    .command('unpin')
    .description('let a session be moved again')
    .argument('<id>')
    .action(async (id: string, _options: object, command: Command) => {
      const { caller, screen } = contextOf(command)
      const done = await named(caller, 'session', id, (whole) => caller.unpinSession(whole))
      screen.show(done, ({ sentence }) => sentence)
    })
}

function describeSession(screen: Screen, detail: SessionDetail): string {
  const { id, initiator, isid, source, volume, member, state, since, pinned } = detail
  const { load, decided, moves } = detail
  const parts = [
    screen.facts([
      ['session', `${id}, ${state}`],
      ['initiator', `${initiator}, ISID ${isid}, from ${source}`],
      ['volume', volume],
      ['member', pinned === null ? member : `${member}, pinned to ${pinned}`],
      ['since', `${since} (${ageOf(since)})`],
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
