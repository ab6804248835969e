// What came of the demo: the table, the facts, and what of them is not as it must be.
import type { Move, Top } from '../../api/schema.ts'
import { formatSize } from '../../base/figures.ts'
import type { Screen } from '../screen.ts'
import { LEVEL_AT_MOST, type Scenario } from './scenario.ts'
import type { Worker } from './worker.ts'

const BAR = 15

interface Attributed {
  sessions: number
  load: number
}

export interface Outcome {
  readonly moves: readonly Move[]
  /** By member. */
  readonly sessions: readonly number[]
  /** Most over mean of the attributed load. */
  readonly levelBefore: number
  readonly level: number
  readonly resent: number
  readonly errors: number
  readonly miscompares: number
  readonly writtenBytes: number
  readonly verifiedBytes: number
  readonly ok: boolean
  /** What is not as it must be, a sentence each. */
  readonly wrong: readonly string[]
}

export function conclude(shown: {
  readonly scenario: Scenario
  readonly workers: readonly Worker[]
  readonly moves: readonly Move[]
  readonly before: Top
  readonly after: Top
}): Outcome {
  const { scenario, workers, moves, before, after } = shown
  const sum = (of: (worker: Worker) => number) => workers.reduce((total, w) => total + of(w), 0)
  const counted = {
    sessions: [...attributed(after).values()].map(({ sessions }) => sessions),
    level: levelOf(after),
    errors: sum(({ errors }) => errors),
    miscompares: sum(({ miscompares }) => miscompares),
    verifiedBytes: sum(({ verifiedBytes }) => verifiedBytes),
  }
  const wrong = wrongOf(scenario, moves, counted)
  return {
    moves,
    ...counted,
    levelBefore: levelOf(before),
    resent: sum(({ initiator }) => initiator.travels.resent),
    writtenBytes: sum(({ writtenBytes }) => writtenBytes),
    ok: wrong.length === 0,
    wrong,
  }
}

function wrongOf(
  { after, mover }: Scenario,
  moves: readonly Move[],
  counted: Pick<Outcome, 'sessions' | 'level' | 'errors' | 'miscompares' | 'verifiedBytes'>,
): string[] {
  const { sessions, level, errors, miscompares, verifiedBytes } = counted
  const [move] = moves
  const client = move === undefined ? '' : nameOf(move.initiator)
  const expected = mover === null ? client : `client${mover + 1}`
  return [
    moves.length === 1 ? null : `${moves.length} sessions were moved instead of one`,
    move?.from === 'm1' && move.to === 'm2' ? null : `the move went ${move?.from} → ${move?.to}`,
    move?.outcome === 'returned' ? null : `the move ended ${move?.outcome}`,
    client === expected ? null : `${client} was moved instead of ${expected}`,
    sessions.join() === after.join() ? null : `sessions are ${sessions.join(', ')}`,
    level <= LEVEL_AT_MOST ? null : `the highest load is ${level.toFixed(2)} × the mean`,
    errors === 0 ? null : `${errors} I/O errors`,
    miscompares === 0 ? null : `${miscompares} blocks read wrong`,
    verifiedBytes > 0 ? null : 'nothing was verified',
  ].filter((sentence) => sentence !== null)
}

function nameOf(initiator: string): string {
  return initiator.slice(initiator.lastIndexOf(':') + 1)
}

function attributed(top: Top): Map<string, Attributed> {
  const members = new Map(top.members.map(({ id }) => [id, { sessions: 0, load: 0 }]))
  for (const { member, load } of top.sessions) {
    const sum = members.get(member) ?? { sessions: 0, load: 0 }
    members.set(member, { sessions: sum.sessions + 1, load: sum.load + (load ?? 0) })
  }
  return members
}

function meanOf(members: ReadonlyMap<string, Attributed>): number {
  return [...members.values()].reduce((total, { load }) => total + load, 0) / members.size
}

function levelOf(top: Top): number {
  const members = attributed(top)
  return Math.max(...[...members.values()].map(({ load }) => load)) / meanOf(members)
}

/** The members, their bars, and who is served where. */
export function picture(top: Top, screen: Screen): string {
  const members = attributed(top)
  const mean = meanOf(members)
  const most = Math.max(...[...members.values()].map(({ load }) => load), 1e-9)
  const rows = [...members].map(([id, { load }]) => [
    id,
    utilisationOf(top, id),
    (load / mean).toFixed(2),
    bar(load, load / mean, most, screen),
    top.sessions
      .filter(({ member }) => member === id)
      .map(({ initiator, iops }) => `${nameOf(initiator)} ${(iops / 1_000).toFixed(1)}k`)
      .sort()
      .join('  '),
  ])
  const heads = ['MEMBER', 'LOAD>', '× MEAN>', 'OF ITS SESSIONS', 'INITIATORS, COMMANDS A SECOND']
  return screen.table(heads, rows)
}

/** Of the whole member, as decisions see it: a member also works for its pages and for itself. */
function utilisationOf(top: Top, member: string): string {
  const load = top.members.find(({ id }) => id === member)?.load
  return load == null ? '–' : `${Math.round(load.utilisation * 100)}%`
}

function bar(load: number, level: number, most: number, { colours }: Screen): string {
  const length = Math.round((BAR * load) / most)
  const colour = level > LEVEL_AT_MOST ? colours.red : colours.green
  return `${colour('█'.repeat(length))}${' '.repeat(BAR - length)}`
}

export function facts(outcome: Outcome, screen: Screen): string {
  const { moves, levelBefore, level, resent, errors, miscompares } = outcome
  const told = moves.map(
    ({ session, initiator, from, to, outcome: end, drainMs, pauseMs }) =>
      `session ${session} of ${nameOf(initiator)} ${from} → ${to}, ${end}: drained in ${ms(drainMs)}, paused for ${ms(pauseMs)}`,
  )
  return screen.facts([
    ['moves', `${moves.length}${told.length > 0 ? `: ${told.join('; ')}` : ''}`],
    ['highest load', `${levelBefore.toFixed(2)} × the mean before, ${level.toFixed(2)} × after`],
    ['commands sent again', String(resent)],
    ['I/O errors', String(errors)],
    ['read wrong', String(miscompares)],
    [
      'verified',
      `${formatSize(outcome.verifiedBytes)} read and compared, ${formatSize(outcome.writtenBytes)} written`,
    ],
  ])
}

export function ms(value: number | null): string {
  return value === null ? 'an unknown time' : `${value.toFixed(value < 10 ? 1 : 0)} ms`
}
