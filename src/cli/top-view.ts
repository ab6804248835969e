// What `top` shows: a header, the members, the sessions. Which columns are shown is decided by the room that the terminal
// has now.

import type { MemberLoad, Status, Top } from '../api/schema.ts'
import { formatLoad, formatMs, formatPercent, formatRate, formatSize } from '../base/figures.ts'
import { type Column, inOrder, keyOf, sortKeys } from './columns.ts'
import type { Screen } from './screen.ts'
import { widthOf } from './width.ts'

export interface TopView {
  /** Of SORT_KEYS. */
  readonly sort: string
  readonly reverse: boolean
  /** All columns, even if they do not fit. */
  readonly wide: boolean
  readonly help: boolean
}

type TopMember = Top['members'][number]
type TopSession = Top['sessions'][number]

const loaded =
  (text: (load: MemberLoad) => string) =>
  ({ load }: TopMember): string =>
    load === null ? '–' : text(load)

const MEMBERS: readonly Column<TopMember>[] = [
  { head: 'MEMBER', cell: ({ id }) => id },
  { head: 'LOAD>', cell: loadOf },
  { head: 'CPU>', cell: loaded(({ cpu }) => formatPercent(cpu)) },
  { head: '+HOST>', cell: loaded(({ hostCpu }) => formatPercent(hostCpu)) },
  { head: '+LOOP>', cell: loaded(({ eventLoop }) => formatPercent(eventLoop)) },
  { head: '+DELAY>', cell: loaded(({ eventLoopDelayMs }) => formatMs(eventLoopDelayMs)) },
  { head: 'MEMORY>', cell: loaded(({ memoryBytes }) => formatSize(memoryBytes)) },
  { head: 'DISK>', cell: loaded(({ diskLatencyMs }) => formatMs(diskLatencyMs)) },
  { head: '+QUEUE>', cell: loaded(({ diskQueue }) => diskQueue.toFixed(1)) },
  { head: 'IOPS>', cell: loaded(({ iops }) => iops.toFixed(0)) },
  { head: 'BYTES/S>', cell: loaded(({ bytesPerSecond }) => formatRate(bytesPerSecond)) },
  { head: 'LATENCY>', cell: loaded(({ latencyMs }) => formatMs(latencyMs)) },
  { head: 'FWD>', cell: loaded(({ forwardedShare }) => formatPercent(forwardedShare)) },
  { head: '+OTHERS>', cell: loaded(({ handledIops }) => handledIops.toFixed(0)) },
  { head: 'SESSIONS>', cell: ({ sessions }) => String(sessions) },
]

const SESSIONS: readonly Column<TopSession>[] = [
  { head: 'SESSION', cell: ({ id }) => id },
  { head: 'MEMBER', cell: ({ member }) => member },
  { head: 'VOLUME~', cell: ({ volume }) => volume },
  { head: 'STATE', cell: ({ state }) => state },
  { head: 'CORES>', cell: ({ load }) => load?.toFixed(3) ?? '–', rank: ({ load }) => load },
  { head: 'IOPS>', cell: ({ iops }) => iops.toFixed(0), rank: ({ iops }) => iops },
  {
    head: 'BYTES/S>',
    cell: ({ bytesPerSecond }) => formatRate(bytesPerSecond),
    rank: ({ bytesPerSecond }) => bytesPerSecond,
  },
  {
    head: 'QUEUE>',
    cell: ({ queueDepth }) => queueDepth.toFixed(1),
    rank: ({ queueDepth }) => queueDepth,
  },
  {
    head: 'LATENCY>',
    cell: ({ latencyMs }) => formatMs(latencyMs),
    rank: ({ latencyMs }) => latencyMs,
  },
  {
    head: 'FWD>',
    cell: ({ forwardedShare }) => formatPercent(forwardedShare),
    rank: ({ forwardedShare }) => forwardedShare,
  },
  { head: '+INITIATOR', cell: ({ initiator }) => initiator },
]

export const SORT_KEYS = sortKeys(SESSIONS)

export const COLUMNS_EXPLAINED = `Columns, of members:
  LOAD      CPU that its sessions and pages take, of what it can take; sessions
            are moved by it
  CPU       of its process; 100% is one core
  MEMORY    of its process, resident
  DISK      mean time of a commit of its journal in the last second
  IOPS, BYTES/S, LATENCY
            commands of its sessions, what they carry, mean time to the answer
  FWD       share of its sessions' work that others do, which have the data
  SESSIONS  sessions on it
Columns, of sessions:
  CORES     CPU that the session costs its member
  QUEUE     commands under way on average
Columns that need a wide terminal:
  HOST      CPU in use of the whole machine
  LOOP      share of time in which its event loop is busy; DELAY: how late it is
  QUEUE     of a member: changes that wait for its journal, on average
  OTHERS    work a second that it does for sessions of other members
Keys: q ends, → and ← (or s and S) sort by the next or previous column,
r turns the order round, w shows all columns, h shows this.`

export function drawTop(
  screen: Screen,
  { top, status }: { readonly top: Top; readonly status: Status },
  view: TopView,
  { keys = false }: { readonly keys?: boolean } = {},
): string {
  const { dim } = screen.colours
  const head = [
    `${top.at.slice(11, 19)} UTC`,
    `group ${status.group} (asked ${status.member})`,
    `balance ${status.balance}`,
    healthOf(screen, status),
  ].join('  ')
  const help = keys ? [dim('q quit  ←→ sort  r reverse  w all columns  h help')] : []
  if (view.help) return [head, ...help, '', COLUMNS_EXPLAINED].join('\n')
  return [
    head,
    ...help,
    '',
    fitting(screen, view, MEMBERS, top.members),
    '',
    top.sessions.length === 0 ? 'There are no sessions.' : sessionsOf(screen, top.sessions, view),
  ].join('\n')
}

function healthOf({ colours }: Screen, { health, problems }: Status): string {
  const [first, ...more] = problems
  if (first === undefined) return colours.green('all is well')
  const others = more.length === 0 ? '' : ` and ${more.length} more`
  const colour = health === 'error' ? colours.red : colours.yellow
  return colour(`${first.code} ${first.subject}${others}`)
}

function sessionsOf(screen: Screen, sessions: readonly TopSession[], view: TopView): string {
  const arrow = view.reverse ? '↑' : '↓'
  const columns = SESSIONS.map((column) =>
    keyOf(column.head) === view.sort
      ? { ...column, head: column.head.replace(/^\+?[^>~]+/, `$&${arrow}`) }
      : column,
  )
  return fitting(screen, view, columns, inOrder(SESSIONS, sessions, view))
}

/** With all columns if the terminal has room for them. */
function fitting<T>(
  screen: Screen,
  { wide }: TopView,
  columns: readonly Column<T>[],
  items: readonly T[],
): string {
  const heads = columns.map(({ head }) => head)
  const rows = items.map((item) => columns.map(({ cell }) => cell(item)))
  const whole = screen.table(heads, rows, true)
  const lines = whole.split('\n')
  const fits = screen.isTerminal && lines.every((line) => widthOf(line) <= screen.width)
  return wide || fits ? whole : screen.table(heads, rows, false)
}

function loadOf({ state, load }: TopMember): string {
  if (load !== null) return formatLoad(load)
  return state === 'up' ? 'unknown' : state
}
