// The command `list` of a noun: filters, order, and `--watch`; the same for all nouns.
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Caller } from '../api/caller.ts'
import { COPIES_MAX } from '../base/sizes.ts'
import { type Column, inOrder, type Order, sortKeys, tableOf } from './columns.ts'
import type { ContextOf } from './context.ts'
import { named } from './names.ts'
import { watched } from './watch.ts'

/** What the API can be asked to leave out. */
export interface Filter {
  readonly volume?: string | undefined
  readonly member?: string | undefined
  readonly session?: string | undefined
}

const FILTERS: Readonly<Record<keyof Filter, readonly [flags: string, about: string]>> = {
  volume: ['--volume <name>', 'only those of this volume'],
  member: ['--member <id>', 'only those of this member'],
  session: ['--session <id>', 'only those of this session'],
}

export interface Listing<T, O extends Filter> {
  readonly columns: readonly Column<T>[]
  readonly filters: readonly (keyof Filter)[]
  /** The sentence instead of an empty table. */
  readonly none: string
  readonly ask: (caller: Caller, options: O) => Promise<{ readonly items: readonly T[] }>
}

export interface WatchOption {
  /** Seconds; true: as often as is usual. */
  readonly watch?: number | true
}

/** Gives `command` the options of a list, and its action. */
export function listing<T, O extends Filter>(
  command: Command,
  contextOf: ContextOf,
  { columns, filters, none, ask }: Listing<T, O>,
): Command {
  for (const filter of filters) command.option(...FILTERS[filter])
  return withWatch(command)
    .addOption(new Option('--sort <column>', 'largest first').choices(sortKeys(columns)))
    .option('--reverse', 'the other way round')
    .action(async (options: O & Order & WatchOption, acting: Command) => {
      const context = contextOf(acting)
      const { caller, screen } = context
      await watched(context, options.watch, async () => {
        const answer = await inFull(caller, options, (full) => ask(caller, full))
        const items = inOrder(columns, answer.items, options)
        const people = () => (items.length === 0 ? none : tableOf(screen, columns, items))
        return () => screen.text({ ...answer, items }, people)
      })
    })
}

/** With the whole names of what the filters name (N1). */
function inFull<O extends Filter, T>(
  caller: Caller,
  options: O,
  use: (options: O) => Promise<T>,
): Promise<T> {
  const byMember = (known: O): Promise<T> =>
    known.member === undefined
      ? use(known)
      : named(caller, 'member', known.member, (member) => use({ ...known, member }))
  return options.volume === undefined
    ? byMember(options)
    : named(caller, 'volume', options.volume, (volume) => byMember({ ...options, volume }))
}

export function withWatch(command: Command): Command {
  return command.option('--watch [seconds]', 'again and again, until Ctrl-C', parseSeconds)
}

const SECONDS_MIN = 0.1
const SECONDS_MAX = 3600

export function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (seconds >= SECONDS_MIN && seconds <= SECONDS_MAX) return seconds
  throw new InvalidArgumentError(`Give seconds, from ${SECONDS_MIN} to ${SECONDS_MAX}.`)
}

export function parseCopies(text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count >= 1 && count <= COPIES_MAX) return count
  throw new InvalidArgumentError(`Give a number of copies from 1 to ${COPIES_MAX}.`)
}
