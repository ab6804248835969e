// Two looks at a group, and what has changed between them: events without numbers. Pure.
import { formatSize } from '../base/figures.ts'
import type { EventKind } from './event-kinds.ts'
import type { BalanceBrief, MemberBrief, SessionBrief } from './event-schema.ts'
import type { HealthProblem } from './health-schema.ts'
import type { Move, Volume } from './schema.ts'

export interface Seen {
  readonly member: ReadonlyMap<string, MemberBrief>
  readonly session: ReadonlyMap<string, SessionBrief>
  readonly move: ReadonlyMap<string, Move>
  readonly balance: ReadonlyMap<string, BalanceBrief>
  readonly problem: ReadonlyMap<string, HealthProblem>
  readonly volume: ReadonlyMap<string, Volume>
}

export interface Change {
  readonly kind: EventKind
  readonly change: string
  readonly sentence: string
  readonly members: readonly string[]
  readonly volume: string | null
  readonly session: string | null
  /** What it is about. */
  readonly body: object
}

type Told = Omit<Change, 'kind' | 'body'>

/** `before` and `now` are of one thing; undefined: it was not there, or is not. Null: nothing to tell. */
type Tell<T> = (before: T | undefined, now: T | undefined) => Told | null

export function changesBetween(before: Seen, now: Seen): readonly Change[] {
  return [
    ...changed('member', before.member, now.member, tellMember),
    ...changed('session', before.session, now.session, tellSession),
    ...changed('move', before.move, now.move, tellMove),
    ...changed('balance', before.balance, now.balance, tellBalance),
    ...changed('problem', before.problem, now.problem, tellProblem),
    ...changed('volume', before.volume, now.volume, tellVolume),
  ]
}

function changed<T extends object>(
  kind: EventKind,
  before: ReadonlyMap<string, T>,
  now: ReadonlyMap<string, T>,
  tell: Tell<T>,
): readonly Change[] {
  const changes: Change[] = []
  const add = (was: T | undefined, is: T | undefined) => {
    const told = tell(was, is)
    if (told !== null) changes.push({ kind, ...told, body: is ?? was ?? {} })
  }
  for (const [key, is] of now) if (before.get(key) !== is) add(before.get(key), is)
  for (const [key, was] of before) if (!now.has(key)) add(was, undefined)
  return changes
}

const ofNone = { members: [], volume: null, session: null }

function tellMember(before: MemberBrief | undefined, now: MemberBrief | undefined): Told | null {
  const id = now?.id ?? before?.id ?? ''
  const told = (change: string, sentence: string) => ({
    ...{ ...ofNone, members: [id], change, sentence },
  })
  if (now === undefined) return told('left', `${id} is no member any more`)
  if (before === undefined) return told('joined', `${id} is a member now`)
  if (before.start !== now.start) return told('restarted', `${id} has started anew`)
  if (before.state === now.state) {
    if (before.standIn === now.standIn) return null
    return now.standIn === null
      ? told('portal back', `nobody answers at the portal of ${id} in its place any more`)
      : told('stood in', `${now.standIn} answers at the portal of ${id}, which is away`)
  }
  const words = { up: 'is up', draining: 'is being emptied', silent: 'is silent' }
  const meanwhile = now.standIn === null ? '' : `; ${now.standIn} answers at its portal`
  return told(now.state, `${id} ${words[now.state]}${meanwhile}`)
}

function tellSession(before: SessionBrief | undefined, now: SessionBrief | undefined): Told | null {
  const one = now ?? before
  if (one === undefined) return null
  const { id, initiator, source, volume, member, pinned } = one
  const told = (change: string, sentence: string, members = [member]) => ({
    ...{ change, sentence, members, volume, session: id },
  })
  const who = `session ${id} of ${initiator} on ${volume}`
  if (now === undefined) return told('ended', `${who} has ended at ${member}`)
  if (before === undefined) return told('began', `${who} began at ${member}, from ${source}`)
  if (before.member !== member) {
    return told('went', `${who} went from ${before.member} to ${member}`, [before.member, member])
  }
  if (before.pinned === pinned) return null
  return pinned === null
    ? told('unpinned', `${who} is pinned no more`)
    : told('pinned', `${who} is pinned to ${pinned}`)
}

function tellMove(before: Move | undefined, now: Move | undefined): Told | null {
  // Records of moves are forgotten one day: that is no news.
  if (now === undefined || isSame(before, now)) return null
  const { id, session, volume, from, to, outcome, reason } = now
  const what = `move ${id} of session ${session} from ${from} to ${to}`
  const concerned = { members: [from, to], volume, session }
  if (outcome === null) {
    const change = before === undefined ? 'began' : 'changed'
    return { ...concerned, change, sentence: `${what}: ${reason}` }
  }
  const change = before?.outcome === outcome ? 'changed' : 'ended'
  const brought = now.observed === null ? '' : ', what it brought is known'
  return { ...concerned, change, sentence: `${what}: ${outcome}${brought}` }
}

function tellBalance(before: BalanceBrief | undefined, now: BalanceBrief | undefined): Told | null {
  if (before === undefined || now === undefined || isSame(before, now)) return null
  const names = Object.keys(now.policy).filter(
    (name) => !isSame(before.policy[name], now.policy[name]),
  )
  const settings = names
    .filter((name) => name !== 'mode')
    .map((name) => `, ${name} ${JSON.stringify(now.policy[name])}`)
  const sentence = `the balance is ${now.mode}, placement ${now.placement}${settings.join('')}`
  return { ...ofNone, change: 'changed', sentence }
}

function tellProblem(
  before: HealthProblem | undefined,
  now: HealthProblem | undefined,
): Told | null {
  const problem = now ?? before
  // What is said of it changes while it lasts.
  if (problem === undefined || (before !== undefined && now !== undefined)) return null
  const { code, subject, sentence, severity } = problem
  const concerned = { ...ofNone, members: /^m\d+$/.test(subject) ? [subject] : [] }
  return now === undefined
    ? { ...concerned, change: 'gone', sentence: `over: ${code} ${subject}` }
    : { ...concerned, change: 'appeared', sentence: `${severity} ${code}: ${sentence}` }
}

function tellVolume(before: Volume | undefined, now: Volume | undefined): Told | null {
  const one = now ?? before
  if (one === undefined) return null
  const { name, bytes } = one
  const told = (change: string, sentence: string) => ({
    ...{ ...ofNone, volume: name, change, sentence },
  })
  if (now === undefined) return told('deleted', `volume ${name} was deleted`)
  if (before === undefined) return told('created', `volume ${name} was made: ${formatSize(bytes)}`)
  // Sessions come and go without a change of the volume.
  if (isSame({ ...before, sessions: 0 }, { ...now, sessions: 0 })) return null
  const renamed = before.name === name ? '' : `, and was ${before.name}`
  return told('changed', `volume ${name} has ${formatSize(bytes)}${renamed}`)
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
