// evenkeel event: what happens in the group, as its members see it, and what has happened lately.
//
// Invariants:
//   EC1. Who follows is told of each event once, also when another member answers from then on, which may have seen it a little
//        later; and of what may be missing.
import { setTimeout as sleep } from 'node:timers/promises'
import { Command, InvalidArgumentError } from 'commander'
import { type Caller, isUnavailable } from '../api/caller.ts'
import { EVENT_KINDS } from '../api/event-kinds.ts'
import type { Event } from '../api/event-schema.ts'
import type { Context, ContextOf } from './context.ts'
import type { Filter } from './listing.ts'
import type { Screen } from './screen.ts'
import { sentenceOf } from './sentence.ts'

interface EventOptions extends Filter {
  readonly follow: boolean
  readonly lines: number
  readonly kind?: string
}

const LINES = 50
/** As many as a member keeps. */
const ALL = '1000'
const LOOK_MS = 500
/** So much later another member may see the same. */
const LATER_MS = 5_000

export function eventCommand(contextOf: ContextOf): Command {
  return new Command()
    .option('-f, --follow', 'go on with what happens, until Ctrl-C', false)
    .option('-n, --lines <count>', 'the last events', parseLines, LINES)
    .option('--kind <kinds>', `only these, by commas: ${EVENT_KINDS.join(', ')}`, parseKinds)
    .option('--volume <name>', 'only those that concern this volume')
    .option('--member <id>', 'only those that concern this member')
    .option('--session <id>', 'only those that concern this session')
    .addHelpText(
      'after',
      `
Each member remembers the last 1,000 events that it has seen since its start; the one
that answers is asked. For what was before, and for more of it, see 'evenkeel log'.`,
    )
    .action(async (options: EventOptions, command: Command) => {
      const context = contextOf(command)
      const { caller, screen } = context
      const asked = options.kind === undefined ? {} : { kind: options.kind }
      const { items, last } = await caller.events({ ...asked, limit: ALL })
      const printer = new Printer(screen)
      const wanted = items.filter((one) => isWanted(one, options))
      for (const one of wanted.slice(-options.lines)) printer.print(one)
      if (options.follow) await follow(context, options, { items, last }, printer)
      else if (wanted.length === 0 && screen.isForPeople)
        screen.note('Nothing has happened lately.')
    })
}

function isWanted({ event }: Event, { volume, member, session }: Filter): boolean {
  return (
    (volume === undefined || event.volume === volume) &&
    (member === undefined || event.members.includes(member)) &&
    (session === undefined || event.session === session)
  )
}

interface Heard {
  readonly items: readonly Event[]
  readonly last: string
}

/** EC1. */
async function follow(
  { caller, screen }: Context,
  options: EventOptions,
  heard: Heard,
  printer: Printer,
): Promise<void> {
  const ended = new AbortController()
  const end = () => ended.abort()
  process.once('SIGINT', end).once('SIGTERM', end)
  let after = heard.last
  let lately = heard.items
  let lastAt = lately.at(-1)?.event.at ?? new Date().toISOString()
  let isSilent = false
  for (;;) {
    const waited = await sleep(LOOK_MS, true, { signal: ended.signal }).catch(() => false)
    if (!waited) return
    try {
      const next = await askNext(caller, options.kind, after, { lately, lastAt })
      if (next.gap) screen.note('evenkeel: events may be missing here')
      for (const one of next.items) if (isWanted(one, options)) printer.print(one)
      after = next.last
      lastAt = next.items.at(-1)?.event.at ?? lastAt
      lately = lastOf([...lately, ...next.items])
      isSilent = false
    } catch (error) {
      if (!isUnavailable(error)) throw error
      if (!isSilent) screen.note(`evenkeel: ${sentenceOf(error)}`)
      isSilent = true
    }
  }
}

/** Of another member, what it has seen since the last event was printed. */
async function askNext(
  caller: Caller,
  kind: string | undefined,
  after: string,
  { lately, lastAt }: { readonly lately: readonly Event[]; readonly lastAt: string },
) {
  const asked = kind === undefined ? {} : { kind }
  const next = await caller.events({ ...asked, limit: ALL, after })
  if (!next.gap) return next
  const { items, last } = await caller.events({ ...asked, limit: ALL })
  const news = items.filter((one) => one.event.at > lastAt && !isAmong(lately, one))
  return { items: news, last, gap: true }
}

/** Those that another member may tell again. */
function lastOf(events: readonly Event[]): readonly Event[] {
  const lastMs = Date.parse(events.at(-1)?.event.at ?? '')
  return events.filter(({ event }) => Date.parse(event.at) > lastMs - LATER_MS)
}

/** As another member has seen it. */
function isAmong(lately: readonly Event[], { event, change }: Event): boolean {
  return lately.some(
    (one) =>
      one.change === change &&
      one.event.sentence === event.sentence &&
      Date.parse(event.at) - Date.parse(one.event.at) < LATER_MS,
  )
}

/** Time, kind and change stand in columns, the sentence behind them. */
class Printer {
  readonly #screen: Screen
  #day = ''

  constructor(screen: Screen) {
    this.#screen = screen
  }

  print(event: Event): void {
    this.#screen.show(event, () => this.#people(event))
  }

  #people({ event: { kind, at, sentence }, change, severity }: Event): string {
    const { dim, red, yellow, green } = this.#screen.colours
    const time = new Date(at)
    const day = time.toDateString()
    const head = day === this.#day ? '' : `${dim(`— ${day}`)}\n`
    this.#day = day
    const plain = (text: string) => text
    const begun = severity === 'error' ? red : yellow
    const colour = kind !== 'problem' ? plain : change === 'gone' ? green : begun
    const clock = time.toTimeString().slice(0, 8)
    return `${head}${colour(`${clock} ${kind.padEnd(8)} ${change.padEnd(9)}`)} ${sentence}`
  }
}

function parseKinds(text: string): string {
  const wrong = text.split(',').find((one) => !EVENT_KINDS.some((kind) => kind === one))
  if (wrong === undefined) return text
  throw new InvalidArgumentError(`'${wrong}' is none of ${EVENT_KINDS.join(', ')}.`)
}

function parseLines(text: string): number {
  const lines = Number(text)
  if (Number.isInteger(lines) && lines > 0) return lines
  throw new InvalidArgumentError('Give a number of lines, 1 or more.')
}
