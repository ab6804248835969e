// What the page says in sentences. Pure.

import type { Move, Status, Top, VolumeDetail } from '../../src/api/schema.ts'
import { formatMs, formatPercent } from '../../src/base/figures.ts'
import type { Replay } from './replay.ts'

/** Members within so much of utilisation are level. */
const LEVEL_WITHIN = 0.06
const AT_REST_BELOW = 0.04

/** The last part of an initiator's name: what people know it by. */
export function shortName(initiator: string): string {
  const behindColon = initiator.slice(initiator.lastIndexOf(':') + 1)
  return behindColon === initiator ? initiator.slice(initiator.lastIndexOf('.') + 1) : behindColon
}

/** Mean utilisation of those that are known. */
export function meanOf(
  members: readonly { readonly load: { readonly utilisation: number } | null }[],
): number | null {
  const known = members.flatMap(({ load }) => (load === null ? [] : [load.utilisation]))
  return known.length === 0 ? null : known.reduce((sum, one) => sum + one, 0) / known.length
}

/** What matters most just now. */
export function headline(
  { members, sessions }: Top,
  { coordination }: Pick<Status, 'coordination'>,
  replays: ReadonlyMap<string, Replay>,
): string {
  const silent = members.filter(({ state }) => state === 'silent').map(({ id }) => id)
  if (silent.length > 0) {
    return `${namesOf(silent)} ${silent.length === 1 ? 'does' : 'do'} not answer`
  }
  if (coordination === 'down') return 'The coordination file does not answer'
  const [moving] = replays.values()
  if (moving !== undefined) return movingLine(moving, replays.size)
  const loaded = members.flatMap(({ id, load }) =>
    load === null ? [] : [{ id, utilisation: load.utilisation }],
  )
  const mean = meanOf(members)
  if (mean === null) return 'No load is known yet'
  const most = loaded.reduce((a, b) => (b.utilisation > a.utilisation ? b : a))
  if (most.utilisation < AT_REST_BELOW) {
    return sessions.length === 0 ? 'Nobody is connected' : 'The group is at rest'
  }
  if (loaded.length < 2) return 'One member has all sessions'
  if (most.utilisation - mean <= LEVEL_WITHIN) return 'The group is level'
  return `${most.id} carries more than the others`
}

function movingLine({ move, stage }: Replay, count: number): string {
  if (count > 1) return `${count} sessions move`
  const who = shortName(move.initiator)
  if (stage === 'stays') return `${who} stays on ${move.from}`
  if (stage === 'return') return `${who} is back, on ${move.to}`
  return `${who} moves from ${move.from} to ${move.to}`
}

function namesOf(names: readonly string[]): string {
  return names.length < 2
    ? names.join('')
    : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`
}

/** Under the headline: the mean, the span, and whether anything is done about it. */
export function subline({ members, sessions }: Top, { balance, volumes }: Status): string {
  const used = members.flatMap(({ load }) => (load === null ? [] : [load.utilisation]))
  const span =
    used.length < 2
      ? ''
      : `Members at ${formatPercent(Math.min(...used))} to ${formatPercent(Math.max(...used))}. `
  const what = `${countOf(sessions.length, 'session')} on ${countOf(volumes.count, 'volume')}. `
  return what + unbroken(span) + MODE_LINES[balance]
}

/** A number and its unit stay on one line. */
export function unbroken(text: string): string {
  return text.replaceAll(/(?<=\d) (?=(?:%|s|ms|[KMGT]?i?B)\b|%)/g, '\u00a0')
}

const MODE_LINES: Readonly<Record<Status['balance'], string>> = {
  on: 'Sessions move by load.',
  advise: 'Moves are advised, and not made.',
  off: 'Nothing moves by itself: balance is off.',
}

/** How many copies there are of a volume's slices, and what is not as it should be. */
export function copiesSaid({ lanes }: Pick<VolumeDetail, 'lanes'>): string {
  const wanted = Math.max(...lanes.map((lane) => lane.wanted.length))
  const slices = `${wanted} ${wanted === 1 ? 'copy' : 'copies'} of each slice`
  const odd = COPY_LINES.flatMap(([state, said]) => {
    const count = lanes.filter((lane) => lane.state === state).length
    return count === 0 ? [] : [`${count} ${said}`]
  })
  if (odd.length > 0) return `${slices}; of ${lanes.length} slices ${odd.join(', ')}.`
  return wanted === 1 ? `${slices}.` : `${slices}, all in sync.`
}

const COPY_LINES = [
  ['unavailable', 'where writes wait, or all I/O does'],
  ['lastCopy', 'with one copy left'],
  ['degraded', 'with fewer copies'],
] as const

/** Which members are to have copies that are not in sync. */
export function lackingSaid({ lanes }: Pick<VolumeDetail, 'lanes'>): string {
  const lacking = new Map<string, number>()
  for (const { wanted, inSync } of lanes) {
    for (const member of wanted) {
      if (!inSync.includes(member)) lacking.set(member, (lacking.get(member) ?? 0) + 1)
    }
  }
  const said = [...lacking].map(([member, count]) => `${countOf(count, 'slice')} at ${member}`)
  return said.length === 0 ? '' : `Not in sync: ${said.join(', ')}.`
}

export function countOf(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`
}

export function begun(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

export function sentence(text: string): string {
  return /[.!?]$/.test(text) ? begun(text) : `${begun(text)}.`
}

const OUTCOMES: Readonly<Record<string, string>> = {
  returned: 'moved',
  abandoned: 'stayed',
  reclaimed: 'went back',
  expired: 'did not come back in time',
  lost: 'was lost',
}

export function outcomeOf({ outcome }: Move): string {
  return outcome === null ? 'is moving' : (OUTCOMES[outcome] ?? outcome)
}

/** What a move has cost and gained, and what was foretold. */
export function figuresOf(move: Move): readonly (readonly [name: string, value: string])[] {
  const { predicted, observed, drainMs, pauseMs, resent } = move
  const rows: (readonly [string, string])[] = []
  if (predicted !== null) {
    const { from, to, gain, price } = predicted
    rows.push(
      ['foretold', `${move.from} ${change(from)}, ${move.to} ${change(to)}`],
      ['gain foretold', `${round(gain)} fewer requests waiting`],
      ['price foretold', `one request waiting for ${round(price)} s`],
    )
  }
  if (drainMs !== null) rows.push(['drained in', formatMs(drainMs)])
  if (pauseMs !== null) rows.push(['I/O paused for', formatMs(pauseMs)])
  if (resent !== null)
    rows.push(['sent again', resent === 0 ? 'nothing' : countOf(resent, 'command')])
  if (observed !== null) rows.push(['gain measured', `${round(observed)} fewer requests waiting`])
  return rows
}

function change({ before, after }: { readonly before: number; readonly after: number }): string {
  return `${formatPercent(before)} → ${formatPercent(after)}`
}

function round(value: number): string {
  return Math.abs(value) >= 10 ? value.toFixed(0) : value.toPrecision(2)
}
