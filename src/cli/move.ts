// evenkeel move list | show; `session moves` is the same list.
import { Command, InvalidArgumentError } from 'commander'
import type { Move } from '../api/schema.ts'
import { formatAmount, formatMs, formatPercent } from '../base/figures.ts'
import { ageOf } from './age.ts'
import { type Column, tableOf } from './columns.ts'
import type { ContextOf } from './context.ts'
import { CommandFailed, EXIT } from './exit-code.ts'
import { type Filter, listing } from './listing.ts'
import { MOVES_MAX, meantBy } from './names.ts'
import type { Screen } from './screen.ts'

type Prediction = NonNullable<Move['predicted']>

const MOVES_SHOWN = 50

const MOVE_COLUMNS: readonly Column<Move>[] = [
  { head: 'AGE>', cell: ({ at }) => ageOf(at), rank: ({ at }) => -Date.parse(at) },
  { head: 'SESSION', cell: ({ session }) => session },
  { head: 'VOLUME~', cell: ({ volume }) => volume },
  { head: 'FROM', cell: ({ from }) => from },
  { head: 'TO', cell: ({ to }) => to },
  { head: 'BY', cell: ({ by }) => by },
  { head: 'OUTCOME', cell: ({ outcome }) => outcome ?? 'moving' },
  { head: 'DRAIN>', cell: ({ drainMs }) => formatMs(drainMs), rank: ({ drainMs }) => drainMs },
  { head: 'PAUSE>', cell: ({ pauseMs }) => formatMs(pauseMs), rank: ({ pauseMs }) => pauseMs },
  { head: 'RESENT>', cell: ({ resent }) => String(resent ?? '–'), rank: ({ resent }) => resent },
  { head: '+ID', cell: ({ id }) => id },
  { head: '+AT', cell: ({ at }) => at },
  { head: '+CODE', cell: ({ code }) => code },
  { head: '+INITIATOR', cell: ({ initiator }) => initiator },
  { head: '+REASON', cell: ({ reason }) => reason },
]

export function moveCommand(contextOf: ContextOf): Command {
  const move = new Command()
  moveList(move.command('list').alias('ls'), contextOf)
  move
    .command('show')
    .description('show a move: why it was made, and what came of it')
    .argument('<id>', "as in 'evenkeel move list -o wide'")
    .action(async (id: string, _options: object, command: Command) => {
      const { caller, screen } = contextOf(command)
      const { items } = await caller.moves(MOVES_MAX)
      const whole = meantBy(
        'move',
        id,
        items.map((one) => one.id),
      )
      const found = items.find((one) => one.id === whole)
      if (found === undefined) {
        throw new CommandFailed(
          EXIT.notFound,
          `there is no move ${id} on record. See 'evenkeel move list -o wide'`,
        )
      }
      screen.show(found, (one) => describeMove(screen, one))
    })
  return move
}

/** Gives `command` what it takes to list moves. */
export function moveList(command: Command, contextOf: ContextOf): Command {
  command
    .description('list moves, the newest first')
    .option('--limit <count>', 'at most so many', parseLimit, MOVES_SHOWN)
  return listing<Move, Filter & { readonly limit: number }>(command, contextOf, {
    columns: MOVE_COLUMNS,
    filters: ['session', 'volume', 'member'],
    none: 'No session has been moved.',
    ask: (caller, { limit, session, volume, member }) =>
      caller.moves(limit, { session, volume, member }),
  })
}

export function moveTable(screen: Screen, items: readonly Move[]): string {
  return items.length === 0 ? 'No session has been moved.' : tableOf(screen, MOVE_COLUMNS, items)
}

function parseLimit(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= MOVES_MAX) return limit
  throw new InvalidArgumentError(`Give a number from 1 to ${MOVES_MAX}.`)
}

export function sentenceAbout(move: Move): string {
  const { session, from, to, outcome, drainMs, pauseMs, resent } = move
  const cause = move.cause === null ? '' : `: ${move.cause}`
  switch (outcome) {
    case 'returned':
      return `Session ${session} moved from ${from} to ${to}: ${measuresOf({ drainMs, pauseMs, resent })}.`
    case null:
      return `Session ${session} is on its way from ${from} to ${to}.`
    case 'abandoned':
      return `Session ${session} stayed on ${from} and goes on as before. The move was given up${cause}.`
    case 'reclaimed':
      return `Session ${session} is back from its way to ${to}: it could not log in there.`
    case 'expired':
      return `Session ${session} did not come back within 10 s of being asked to go to ${to}.`
    case 'lost':
      return `The move of session ${session} from ${from} to ${to} came to nothing${cause}.`
  }
}

/** What is not known is left out: an idle initiator sends nothing by which its pause could be measured. */
function measuresOf({ drainMs, pauseMs, resent }: Pick<Move, 'drainMs' | 'pauseMs' | 'resent'>) {
  return [
    `drained in ${formatMs(drainMs)}`,
    pauseMs === null ? 'no I/O since then' : `paused for ${formatMs(pauseMs)}`,
    ...(resent === null ? [] : [`${resent} commands sent again`]),
  ].join(', ')
}

function describeMove(screen: Screen, move: Move): string {
  const { id, session, volume, initiator, from, to, by, code, reason, predicted, at } = move
  return screen.facts([
    ['move', `${id}, ${move.outcome ?? 'under way'}`],
    ['session', `${session} of ${initiator}, volume ${volume}`],
    ['from', from],
    ['to', to],
    ['at', `${at} (${ageOf(at)} ago)`],
    ['by', `${by} (${code})`],
    ['reason', reason],
    ['predicted', predicted === null ? 'nothing: a move by hand' : predictionOf(move, predicted)],
    ...(predicted === null ? [] : [['brought', broughtBy(move, predicted)] as const]),
    ['came of it', sentenceAbout(move)],
  ])
}

/** In waiting requests: what is saved each second, in request-seconds. */
function broughtBy({ observed }: Move, { gain }: Prediction): string {
  const brought =
    observed === null ? 'not known' : `${formatAmount(observed)} fewer requests waiting`
  return `${brought}, ${formatAmount(gain)} predicted`
}

function predictionOf({ from, to }: Move, { from: left, to: joined }: Prediction): string {
  const load = ({ before, after }: Prediction['from']) =>
    `${formatPercent(before)} → ${formatPercent(after)}`
  return `${from} ${load(left)}, ${to} ${load(joined)}`
}
