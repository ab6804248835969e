// evenkeel layout show | plan
import { Command } from 'commander'
import type { Layout, LayoutPlan, SliceCounts } from '../api/layout-schema.ts'
import { formatSize } from '../base/figures.ts'
import type { ContextOf } from './context.ts'
import { type WatchOption, withWatch } from './listing.ts'
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
    .action(async (_options: object, command: Command) => {
      const { caller, screen } = contextOf(command)
      screen.show(await caller.layoutPlan(), (plan) => describePlan(screen, plan))
    })
  return layout
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

function describeLayout(screen: Screen, { slices, evenness, members }: Layout): string {
  return [
    screen.facts([
      ['slices', String(slices.count)],
      ['copies', copiesSentence(slices)],
      ['level', levelSentence(evenness)],
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
  if (copies === 0 && primaries === 0)
    return `Nothing would move: ${levelSentence(evenness.before)}.`
  const size = bytes === null ? 'how much is not known' : `about ${formatSize(bytes)}`
  return [
    screen.facts([
      ['copies', `${copies} would move, ${size}`],
      ['primaries', `${primaries} slices would have another one`],
      ['now', levelSentence(evenness.before)],
      ['then', levelSentence(evenness.after)],
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
    screen.paragraph(
      'Nothing was moved: this version shows what would move, and moves no slices yet.',
    ),
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
