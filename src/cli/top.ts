// evenkeel top: what the load monitors measure, by member and by session, renewed each second.
import { Command, Option } from 'commander'
import type { Top } from '../api/schema.ts'
import type { ContextOf } from './context.ts'
import { CommandFailed, EXIT } from './exit-code.ts'
import { parseSeconds } from './listing.ts'
import { live } from './live.ts'
import { meantBy } from './names.ts'
import { silenceOf } from './silence.ts'
import { COLUMNS_EXPLAINED, drawTop, SORT_KEYS, type TopView } from './top-view.ts'

interface TopOptions {
  readonly once: boolean
  readonly interval: number
  readonly sort: string
  readonly reverse?: boolean
  readonly member?: string
  readonly volume?: string
}

export function topCommand(contextOf: ContextOf): Command {
  return new Command()
    .option('--once', 'print it once; so do pipes and programs', false)
    .option('--interval <seconds>', 'how often it is renewed', parseSeconds, 1)
    .addOption(
      new Option('--sort <column>', 'of the sessions, largest first')
        .choices(SORT_KEYS)
        .default('cores'),
    )
    .option('--reverse', 'the other way round')
    .option('--member <id>', 'only this member and its sessions')
    .option('--volume <name>', 'only sessions of this volume')
    .addHelpText('after', `\n${COLUMNS_EXPLAINED}`)
    .action(async (options: TopOptions, command: Command) => {
      const { caller, screen, outside } = contextOf(command)
      const { once, interval, sort, reverse = false, member, volume } = options
      const top = async () => cutDown(await caller.top(), member, volume)
      if (!screen.isForPeople) return screen.show(await top(), () => '')
      const look = async () => {
        const [now, status] = await Promise.all([top(), caller.status()])
        return { top: now, status }
      }
      let view: TopView = { sort, reverse, wide: screen.form === 'wide', help: false }
      if (once || !screen.isTerminal) {
        const seen = await look()
        return screen.print(`${drawTop(screen, seen, view)}\n`)
      }
      screen.isLive = true
      await live(outside, {
        above: () => silenceOf(caller),
        everyMs: 1000 * interval,
        look,
        draw: (seen) => drawTop(screen, seen, view, { keys: outside.keyboard !== null }),
        pressed: (key) => {
          view = afterKey(view, key)
        },
      })
    })
}

function cutDown(top: Top, wanted: string | undefined, volume: string | undefined): Top {
  const ids = top.members.map(({ id }) => id)
  const member = wanted === undefined ? undefined : meantBy('member', wanted, ids)
  if (member === null) {
    throw new CommandFailed(
      EXIT.notFound,
      `there is no member ${wanted}. See 'evenkeel member list'`,
    )
  }
  return {
    ...top,
    members: top.members.filter(({ id }) => member === undefined || id === member),
    sessions: top.sessions.filter(
      (session) =>
        (member === undefined || session.member === member) &&
        (volume === undefined || session.volume === volume),
    ),
  }
}

function afterKey(view: TopView, key: string): TopView {
  const next = (step: number) => {
    const at = SORT_KEYS.indexOf(view.sort) + step + SORT_KEYS.length
    return { ...view, sort: SORT_KEYS[at % SORT_KEYS.length] ?? view.sort }
  }
  switch (key) {
    case 'right':
    case 's':
      return next(1)
    case 'left':
    case 'S':
      return next(-1)
    case 'r':
      return { ...view, reverse: !view.reverse }
    case 'w':
      return { ...view, wide: !view.wide }
    case 'h':
    case '?':
      return { ...view, help: !view.help }
    default:
      return view
  }
}
