// evenkeel log: what the launcher and the members have logged, for people.
import { resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import type { GlobalOptions } from './context.ts'
import { type Outside, screenOf } from './context.ts'
import { dataOption } from './data-folder.ts'
import { CommandFailed, EXIT } from './exit-code.ts'
import {
  Follower,
  inOrder,
  type LogLine,
  type LogSource,
  linesOf,
  sourcesIn,
} from './log-reader.ts'
import type { Screen } from './screen.ts'

interface LogOptions {
  readonly data: string
  readonly follow: boolean
  readonly since?: number
  readonly lines: number
  readonly level: Level
}

const LEVELS = ['info', 'warn', 'error', 'fatal'] as const
type Level = (typeof LEVELS)[number]
const LINES = 200
const LOOK_MS = 250

export function logCommand(outside: Outside): Command {
  return new Command()
    .argument('[member]', 'a member, or launcher; all of them')
    .option('-f, --follow', 'go on with what is added, until Ctrl-C', false)
    .option('--since <time>', 'from 30s, 10m, 2h or 1d ago, or an ISO time', parseSince)
    .option('-n, --lines <count>', 'the last lines', parseLines, LINES)
    .addOption(
      new Option('--level <level>', 'at least of this level').choices(LEVELS).default('info'),
    )
    .addOption(dataOption(outside.environment, "the group's data folder, as of 'up'"))
    .action(async (member: string | undefined, options: LogOptions, command: Command) => {
      const screen = screenOf(outside, command.optsWithGlobals<GlobalOptions>().output)
      const sources = chosen(resolve(options.data), member)
      // Followed from before it is read, so that nothing falls between.
      const followers = options.follow ? sources.map((source) => new Follower(source)) : []
      const printer = new Printer(screen)
      for (const line of past(sources, options)) printer.print(line)
      if (options.follow) await follow(followers, (line) => wanted(line, options), printer)
    })
}

function chosen(dataFolder: string, member: string | undefined): readonly LogSource[] {
  const sources = sourcesIn(dataFolder)
  if (sources.length === 0) {
    throw new CommandFailed(
      EXIT.notFound,
      `there is no log in ${dataFolder}: name the group's data folder with --data`,
    )
  }
  if (member === undefined) return sources
  const found = sources.filter(({ name }) => name === member)
  if (found.length > 0) return found
  const names = sources.map(({ name }) => name).join(', ')
  throw new CommandFailed(
    EXIT.notFound,
    `there is no log of ${member}; there are those of ${names}`,
  )
}

function past(sources: readonly LogSource[], options: LogOptions): readonly LogLine[] {
  const lines = inOrder(sources.flatMap(linesOf).filter((line) => wanted(line, options)))
  return options.since === undefined ? lines.slice(-options.lines) : lines
}

function wanted({ time, level }: LogLine, options: LogOptions): boolean {
  if (rankOf(level) < rankOf(options.level)) return false
  return options.since === undefined || Date.parse(time) >= options.since
}

function rankOf(level: string): number {
  return LEVELS.indexOf(level as Level)
}

async function follow(
  followers: readonly Follower[],
  isWanted: (line: LogLine) => boolean,
  printer: Printer,
): Promise<void> {
  const ended = Promise.withResolvers<void>()
  const end = () => ended.resolve()
  process.once('SIGINT', end).once('SIGTERM', end)
  const look = () => {
    const lines = inOrder(followers.flatMap((follower) => follower.next()))
    for (const line of lines) if (isWanted(line)) printer.print(line)
  }
  const timer = setInterval(look, LOOK_MS)
  await ended.promise
  clearInterval(timer)
  for (const follower of followers) follower.close()
}

/** Time, member, level and event stand in columns, the sentence behind them; a new day has a line of its own. */
class Printer {
  readonly #screen: Screen
  #day = ''

  constructor(screen: Screen) {
    this.#screen = screen
  }

  print(line: LogLine): void {
    this.#screen.show(line, () => this.#people(line))
  }

  #people({ time, member, level, event, msg }: LogLine): string {
    const { dim, red, yellow } = this.#screen.colours
    const at = new Date(time)
    const day = at.toDateString()
    const head = day === this.#day ? '' : `${dim(`— ${day}`)}\n`
    this.#day = day
    const colour = level === 'warn' ? yellow : level === 'info' ? (text: string) => text : red
    const clock = at.toTimeString().slice(0, 8)
    const columns = `${clock} ${member.padEnd(8)} ${level.padEnd(5)} ${event.padEnd(8)}`
    return `${head}${colour(columns)} ${msg}`
  }
}

const UNITS: Readonly<Record<string, number>> = { s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3 }

/** In ms since 1970. */
function parseSince(text: string): number {
  const ago = /^(\d+)([smhd])$/.exec(text)
  const at =
    ago === null ? Date.parse(text) : Date.now() - Number(ago[1]) * (UNITS[ago[2] ?? ''] ?? 0)
  if (Number.isFinite(at)) return at
  throw new InvalidArgumentError('Give 30s, 10m, 2h or 1d, or a time as 2026-11-29T22:00:00Z.')
}

function parseLines(text: string): number {
  const lines = Number(text)
  if (Number.isInteger(lines) && lines > 0) return lines
  throw new InvalidArgumentError('Give a number of lines, 1 or more.')
}
