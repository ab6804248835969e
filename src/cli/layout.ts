// evenkeel layout show | plan | apply
import { Command } from 'commander'
import type { Layout, LayoutPlan, LayoutRequest, SliceCounts } from '../api/layout-schema.ts'
import { formatSize } from '../base/figures.ts'
import { COPIES_MAX } from '../base/sizes.ts'
import { capital, countOf } from '../base/words.ts'
import type { ContextOf, Outside } from './context.ts'
import { CommandFailed, EXIT } from './exit-code.ts'
import { parseCopies, type WatchOption, withWatch } from './listing.ts'
import type { Screen } from './screen.ts'
import { watched } from './watch.ts'

export function layoutCommand(contextOf: ContextOf): Command {
  const layout = new Command()
  withWatch(layout.command('show'))
    .description('how much of the slices each member has, and what is missing')
    .action(async ({ watch }: WatchOption, command: Command) => {
      const context = contextOf(command)
      const { caller, screen } = context
      await watched(context, watch, async () => {
        const now = await caller.layout()
        return () => screen.text(now, () => describeLayout(screen, now))
      })
    })
  layout
    .command('plan')
    .description('what would move to make that level, and how much; nothing is moved')
    .option(...COPIES)
    .action(async (request: LayoutRequest, command: Command) => {
      const { caller, screen } = contextOf(command)
      screen.show(await caller.layoutPlan(request), (plan) => describePlan(screen, plan))
    })
  layout
    .command('apply')
    .description(
      'move slices until all members have as much, or keep more copies of each, or fewer',
    )
    .option(...COPIES)
    .option('--dry-run', "what 'layout plan' shows, and change nothing", false)
    .option('-y, --yes', 'do not ask; needed where nobody can be asked', false)
    .action(async ({ copies, dryRun, yes }: ApplyOptions, command: Command) => {
      const { caller, screen, outside } = contextOf(command)
      const request = copies === undefined ? {} : { copies }
      const plan = await caller.layoutPlan(request)
      if (dryRun) return screen.show(plan, (one) => describePlan(screen, one))
      if (!yes && !isNothing(plan)) await ask(outside, plan)
      screen.show(await caller.applyLayout(request), describeOrder)
    })
  return layout
}

const COPIES = [
  '--copies <count>',
  `keep so many of each slice, 1 to ${COPIES_MAX}`,
  parseCopies,
] as const

interface ApplyOptions extends LayoutRequest {
  readonly dryRun: boolean
  readonly yes: boolean
}

/** Throws unless the operator at the terminal says yes. */
async function ask({ keyboard }: Outside, plan: LayoutPlan): Promise<void> {
  if (keyboard === null) {
    throw new CommandFailed(
      EXIT.usage,
      `nobody can be asked whether slices may move: say --yes if they may, or --dry-run`,
    )
  }
  const answer = await keyboard.ask(`${orderOf(plan)}? [y/N] `)
  if (answer === null || !/^y(es)?$/i.test(answer.trim()))
    throw new CommandFailed(EXIT.failed, 'nothing was moved')
}

/** What is asked, and done. */
function orderOf({ copies, primaries, bytes, moves, wanted }: LayoutPlan): string {
  const made = moves.filter(({ to }) => to !== null).length
  const gone = moves.filter(({ from }) => from !== null).length
  const size = bytes === null || made === 0 ? '' : ` (about ${formatSize(bytes)})`
  const parts = [
    ...(made > 0 ? [`make ${copiesOf(made)} of slices${size}`] : []),
    ...(gone > 0 ? [`delete ${gone} where they are now`] : []),
    ...(primaries > 0 ? [`give ${countOf(primaries, 'slice')} another primary`] : []),
  ]
  const what = parts.length === 0 && copies === 0 ? 'keep all where it is' : parts.join(', ')
  return `${capital(what)}, with ${copiesOf(wanted)} of each`
}

function isNothing({ copies, primaries }: LayoutPlan): boolean {
  return copies === 0 && primaries === 0
}

function describeOrder(plan: LayoutPlan): string {
  const done = isNothing(plan) ? 'Nothing more was to be ordered.' : `Ordered: ${orderOf(plan)}.`
  const { underWay } = plan
  return isAtRest(underWay)
    ? done
    : `${done}\n${capital(underWaySentence(underWay))}. Volumes are served meanwhile; 'evenkeel layout show --watch' tells how far it is.`
}

function isAtRest({ copies, leaving, primaries }: Layout['underWay']): boolean {
  return copies + leaving + primaries === 0
}

function underWaySentence(underWay: Layout['underWay']): string {
  const { copies, leaving, primaries } = underWay
  return isAtRest(underWay)
    ? 'nothing: all slices are where they are wanted'
    : `${copiesOf(copies)} ${copies === 1 ? 'is' : 'are'} to be made, ${leaving} to be given up, and ${countOf(primaries, 'slice')} to get another primary`
}

function copiesOf(count: number): string {
  return countOf(count, 'copy', 'copies')
}

/** In a sentence, for `status` as well. */
export function copiesSentence(slices: SliceCounts): string {
  const { copies, degraded, lastCopy, unavailable } = slices
  const of = `${copies} of each slice`
  if (copies <= 1) return of
  const parts = [
    ...(unavailable > 0 ? [`${unavailable} cannot be used, or not written to`] : []),
    ...(lastCopy > 0 ? [`${lastCopy} have one left`] : []),
    ...(degraded > 0 ? [`${degraded} have one less`] : []),
  ]
  return parts.length === 0
    ? `${of}, all in sync`
    : `${of}; of ${slices.count} slices ${parts.join(', ')}`
}

function describeLayout(screen: Screen, { slices, evenness, members, underWay }: Layout): string {
  return [
    screen.facts([
      ['slices', String(slices.count)],
      ['copies', copiesSentence(slices)],
      ['level', levelSentence(evenness)],
      ['moving', underWaySentence(underWay)],
    ]),
    '',
    screen.table(
      ['MEMBER', 'PRIMARY OF>', 'COPIES>', 'MISSING>', 'LEAVING>'],
      members.map(({ member, primaries, copies, missing, leaving }) => [
        member,
        ...[primaries, copies, missing, leaving].map(String),
      ]),
    ),
  ].join('\n')
}

function describePlan(screen: Screen, plan: LayoutPlan): string {
  const { copies, bytes, primaries, evenness, members, moves } = plan
  const rest = isAtRest(plan.underWay)
    ? []
    : ([['under way', underWaySentence(plan.underWay)]] as const)
  if (isNothing(plan)) {
    const level = `Nothing more would move: ${levelSentence(evenness.before)}.`
    return isAtRest(plan.underWay)
      ? level
      : `${level}\nUnder way: ${underWaySentence(plan.underWay)}.`
  }
  const size = bytes === null ? 'how much is not known' : `about ${formatSize(bytes)}`
  return [
    screen.facts([
      ['copies', `${copies} would move, ${size}`],
      ['primaries', `${primaries} slices would have another one`],
      ['now', levelSentence(evenness.before)],
      ['then', levelSentence(evenness.after)],
      ...rest,
    ]),
    '',
    screen.table(
      ['MEMBER', 'GIVES>', 'TAKES>', 'THEN COPIES>', 'PRIMARY OF>'],
      members.map(({ member, gives, takes, copies: has, primaries: is }) => [
        member,
        ...[gives, takes, has, is].map(String),
      ]),
    ),
    '',
    screen.paragraph("Nothing was moved. 'evenkeel layout apply' moves it."),
    ...(screen.form === 'wide' ? ['', moveTable(screen, moves)] : []),
  ].join('\n')
}

function moveTable(screen: Screen, moves: LayoutPlan['moves']): string {
  return screen.table(
    ['SLICE>', 'FROM', 'TO'],
    moves.map(({ slice, from, to }) => [String(slice), from ?? '–', to ?? '–']),
  )
}

function levelSentence({ copies, primaries }: Layout['evenness']): string {
  return `the member with most has ${copies.toFixed(2)} × the mean of copies, ${primaries.toFixed(2)} × of primaries`
}
