// The past of all members, asked from each when a person looks back (history.ts and past-problems.ts keep it).
import { z } from 'zod'
import { POINTS_MAX } from '../api/history.ts'
import {
  type History as Answer,
  type Moment,
  type PastProblem,
  pastFigures,
  pastProblem,
  pastSessions,
} from '../api/history-schema.ts'
import type { HistorySpan } from '../api/operator.ts'
import type { MemberId } from '../base/ids.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import { Body } from '../peer/controls.ts'
import type { Json } from '../peer/message.ts'
import type { History, Series, Span } from './history.ts'
import type { PastProblems } from './past-problems.ts'
import type { ShownMember } from './shown-member.ts'

/** It reads its disk. */
const ASK_MS = 2_000
const SILENT_ASK_MS = 400
/** Of one member, and of all: the newest. */
const PROBLEMS_MOST = 100
/** What members saw within so much of each other was one problem, and so was what one of them stopped to see for so long. */
const SAME_MS = 60_000

const told = pastFigures.extend({ problems: z.array(pastProblem) })

/** What one member tells of its past. */
export type Told = Series & { readonly problems: readonly PastProblem[] }

/** What is kept of the past here. */
export interface KeptPast {
  readonly history: History
  readonly problems: PastProblems
}

export interface Past extends KeptPast {
  readonly member: ShownMember
  isHeard(id: MemberId): boolean
}

export function readSpan(json: Json): Span {
  const body = new Body(json)
  const span = {
    fromMs: body.whole('fromMs'),
    stepMs: body.whole('stepMs'),
    count: body.whole('count'),
  }
  if (span.stepMs === 0 || span.count > POINTS_MAX) {
    throw new ProtocolError('no span of time', 'peer/DESIGN.md')
  }
  return span
}

export function readMoment(json: Json): number {
  return new Body(json).whole('atMs')
}

export async function pastHere({ history, problems }: Past, span: Span): Promise<Told> {
  const { fromMs, stepMs, count } = span
  const within = problems.within(fromMs, fromMs + stepMs * count)
  return { ...(await history.read(span)), problems: within.slice(-PROBLEMS_MOST) }
}

export async function pastOfAll(past: Past, asked: HistorySpan): Promise<Answer> {
  const { fromMs, stepSeconds, count } = asked
  const span = { fromMs, stepMs: stepSeconds * 1_000, count }
  const all = await askEach(
    past,
    () => pastHere(past, span),
    async (ask) => told.safeParse(await ask('history', span)).data ?? null,
  )
  return {
    ...{ from: new Date(fromMs).toISOString(), stepSeconds, count },
    members: all.map(({ id, answer }) => ({ id, past: answer === null ? null : figures(answer) })),
    problems: asOne(all.map(({ answer }) => answer?.problems ?? [])),
  }
}

export async function momentOfAll(past: Past, atMs: number): Promise<Moment> {
  const all = await askEach(
    past,
    () => past.history.sessionsAt(atMs),
    async (ask) => pastSessions.safeParse(await ask('moment', { atMs })).data ?? null,
  )
  return {
    at: new Date(atMs).toISOString(),
    members: all.map(({ id, answer }) => ({ id, past: answer })),
  }
}

type Ask = (kind: 'history' | 'moment', body: Json) => Promise<Json>

async function askEach<T>(
  { member, isHeard }: Past,
  own: () => Promise<T>,
  another: (ask: Ask) => Promise<T>,
) {
  const ids = [...member.group.members.keys()].sort()
  return Promise.all(
    ids.map(async (id) => {
      if (id === member.id) return { id, answer: await own() }
      const patienceMs = isHeard(id) ? ASK_MS : SILENT_ASK_MS
      const ask: Ask = (kind, body) => member.peers.ask(id, kind, body, patienceMs)
      return { id, answer: await another(ask) }
    }),
  )
}

function figures({ problems: _, ...rest }: z.infer<typeof told> | Told) {
  return rest
}

/** What each member has seen, as one list, the newest first: a problem that several saw was one. */
export function asOne(lists: readonly (readonly PastProblem[])[]): PastProblem[] {
  const one: PastProblem[] = []
  const last = new Map<string, number>()
  for (const problem of lists.flat().sort((a, b) => (a.from < b.from ? -1 : 1))) {
    const key = `${problem.code} ${problem.subject}`
    const place = last.get(key)
    const before = place === undefined ? undefined : one[place]
    if (place !== undefined && before !== undefined && endMs(before) + SAME_MS >= startMs(problem))
      one[place] = { ...before, to: endMs(problem) > endMs(before) ? problem.to : before.to }
    else last.set(key, one.push(problem) - 1)
  }
  return one.reverse().slice(0, PROBLEMS_MOST)
}

function startMs({ from }: PastProblem): number {
  return Date.parse(from)
}

function endMs({ to }: PastProblem): number {
  return to === null ? Number.POSITIVE_INFINITY : Date.parse(to)
}
