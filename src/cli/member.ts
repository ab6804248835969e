// evenkeel member list | show | drain
import { Command } from 'commander'
import type { Member, Session } from '../api/schema.ts'
import { formatBitRate, formatPercent, formatSize } from '../base/figures.ts'
import { ageOf } from './age.ts'
import { type Column, tableOf } from './columns.ts'
import type { ContextOf } from './context.ts'
import { listing } from './listing.ts'
import { named } from './names.ts'
import type { Screen } from './screen.ts'
import { SESSION_COLUMNS } from './session-columns.ts'

const COLUMNS: readonly Column<Member>[] = [
  { head: 'MEMBER', cell: ({ id }) => id },
  { head: 'STATE', cell: stateOf },
  { head: 'PORTAL', cell: ({ portal }) => portal },
  { head: '+API', cell: ({ api }) => api },
  { head: 'SESSIONS>', cell: ({ sessions }) => String(sessions), rank: ({ sessions }) => sessions },
  { head: 'SLICES>', cell: ({ slices }) => String(slices), rank: ({ slices }) => slices },
  { head: '+COPIES>', cell: ({ copies }) => String(copies), rank: ({ copies }) => copies },
  { head: 'USED>', cell: ({ usedBytes }) => sizeOf(usedBytes), rank: ({ usedBytes }) => usedBytes },
  { head: 'FREE>', cell: ({ freeBytes }) => sizeOf(freeBytes), rank: ({ freeBytes }) => freeBytes },
  { head: '+PID>', cell: ({ pid }) => String(pid ?? '–'), rank: ({ pid }) => pid },
  { head: '+VERSION', cell: ({ version }) => version ?? '–' },
]

export function memberCommand(contextOf: ContextOf): Command {
  const member = new Command()
  listing(member.command('list').alias('ls').description('list members'), contextOf, {
    columns: COLUMNS,
    filters: [],
    none: 'There are no members.',
    ask: (caller) => caller.members(),
  })
  member
    .command('show')
    .description('show a member, and the sessions on it')
    .argument('<id>')
    .action(async (id: string, _options: object, command: Command) => {
      const { caller, screen } = contextOf(command)
      const detail = await named(caller, 'member', id, (name) => caller.member(name))
      const sessions = screen.isForPeople
        ? (await caller.sessions({ member: detail.id })).items
        : []
      screen.show(detail, (one) => describeMember(screen, one, sessions))
    })
  member
    .command('drain')
    .description('let a member give its sessions to the others, and take no new ones')
    .argument('<id>')
    .option('--undo', 'let it take sessions again')
    .option('--dry-run', 'say what it would mean, and change nothing')
    .action(async (id: string, options: DrainOptions, command: Command) => {
      const { caller, screen } = contextOf(command)
      const { undo = false, dryRun = false } = options
      const done = await named(caller, 'member', id, (name) => {
        if (dryRun) return caller.drain(name)
        return undo ? caller.endDrain(name) : caller.beginDrain(name)
      })
      screen.show(done, ({ sentence, state }) => [sentence, ...reasonsOf(state)].join('\n'))
    })
  return member
}

interface DrainOptions {
  readonly undo?: boolean
  readonly dryRun?: boolean
}

/** Why sessions cannot leave, a line each. */
function reasonsOf(state: Member['drain']): readonly string[] {
  const { reasons = [], stuck = 0 } = state ?? {}
  const more = stuck - reasons.length
  return [
    ...reasons.map(({ session, why, action }) => `  session ${session} stays: ${why}. ${action}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ]
}

function drainOf({ drain }: Member): string {
  if (drain === null) return 'under way; it does not tell how far'
  const { left, moved, secondsLeft, since } = drain
  const time = secondsLeft === null || left === 0 ? '' : `, about ${secondsLeft} s`
  const head = `for ${ageOf(since)}: ${moved} have left, ${left} to go${time}`
  return [head, ...reasonsOf(drain)].join('\n')
}

function describeMember(screen: Screen, member: Member, sessions: readonly Session[]): string {
  const { id, api, slices, copies, pid, version, usedBytes, freeBytes } = member
  return [
    screen.facts([
      ['member', `${id}, ${stateOf(member)}`],
      ...(member.draining ? [['drain', drainOf(member)] as const] : []),
      ['portal', portalOf(member)],
      ['api', api],
      ['process', pid === null ? 'not known' : `${pid}, Evenkeel ${version}`],
      ['slices', `${slices}, which it is the primary of; copies of ${copies}`],
      ['load', loadSentence(member.load)],
      ['used', `${sizeOf(usedBytes)}; ${sizeOf(freeBytes)} free`],
      ['memory', cacheSentence(member.cache)],
      ['unmapped', tombstoneSentence(member.tombstones)],
    ]),
    '',
    sessions.length === 0 ? 'It has no sessions.' : tableOf(screen, SESSION_COLUMNS, sessions),
  ].join('\n')
}

function portalOf({ portal, standIn }: Member): string {
  if (standIn === null) return portal
  return `${portal}, where ${standIn.member} answers for ${ageOf(standIn.since)}, as it is away`
}

function stateOf({ state, draining }: Member): string {
  return draining && state === 'up' ? 'draining' : state
}

function loadSentence(load: Member['load']): string {
  if (load === null) return '–'
  const { utilisation, resource, networkBitsPerSecond } = load
  const network =
    networkBitsPerSecond === null
      ? 'its network is shared, or not known, and decides nothing'
      : `its network takes ${formatBitRate(networkBitsPerSecond)} each way`
  return `${formatPercent(utilisation)} of its ${resource === 'cpu' ? 'CPU' : 'network'}; ${network}`
}

function cacheSentence(cache: Member['cache']): string {
  if (cache === null) return '–'
  const { bytes, mostBytes, hits, misses } = cache
  if (mostBytes === 0)
    return 'blocks that are read often are not kept: --cache, or cacheBytes, is 0'
  const kept = `${formatSize(bytes)} of blocks that are read often, at most ${formatSize(mostBytes)}`
  if (hits + misses === 0) return kept
  const share = formatPercent(hits / (hits + misses))
  return `${kept}; ${share} of what was read since its start came from there`
}

function tombstoneSentence(tombstones: Member['tombstones']): string {
  if (tombstones === null) return '–'
  const { runs, atMost } = tombstones
  return `${runs} runs of 16 pages that hold nothing more are listed, of at most ${atMost}`
}

function sizeOf(bytes: number | null): string {
  return bytes === null ? '–' : formatSize(bytes)
}
