// What a member knows of the group when it decides: an immutable snapshot made from the reports it heard and the group
// record. A silent member is absent, never zero; one whose reports were interrupted is left out for a minute, so that
// it neither receives nor looks cold; a draining one is left out altogether.
import type { MemberId, SessionId } from '../base/ids.ts'
import type { LoadTable, SessionLoad } from '../load/load-table.ts'
import type { Report } from '../load/report.ts'
import type { Code } from './code.ts'
import type { Policy } from './policy.ts'

/** One end of a move. Lists are by resource, of those that are its own (load/load-table.ts). */
export type End = {
  readonly member: MemberId
  readonly capacity: readonly number[]
  /** What is promised to arrivals is in it. */
  readonly load: LoadTable
  readonly sigma: readonly number[]
}

export interface MemberView extends End {
  readonly ageMs: number
  readonly sessions: number
}

export type Absence = 'silent' | 'suspect' | 'draining' | 'unheard'

export interface View {
  /** Those that may receive, by id. */
  readonly members: ReadonlyMap<MemberId, MemberView>
  readonly absent: ReadonlyMap<MemberId, Absence>
}

/** The last report of one member and how it is heard. */
export interface Heard {
  readonly report: Report
  readonly receivedMs: number
  /** Until then it is not trusted: its reports were interrupted. */
  readonly suspectUntilMs: number
}

/** Takes a report in, or keeps what was known: within an incarnation only a later sequence counts. */
export function hear(
  before: Heard | undefined,
  report: Report,
  nowMs: number,
  policy: Policy,
): Heard {
  if (before === undefined) return { report, receivedMs: nowMs, suspectUntilMs: 0 }
  const same = before.report.incarnation === report.incarnation
  if (same && report.sequence <= before.report.sequence) return before
  const interrupted = nowMs - before.receivedMs > policy.silentSeconds * 1000
  const suspectUntilMs = interrupted ? nowMs + policy.suspectSeconds * 1000 : before.suspectUntilMs
  return { report, receivedMs: nowMs, suspectUntilMs }
}

export interface MemberFacts {
  readonly id: MemberId
  readonly draining: boolean
}

export function buildView(
  group: readonly MemberFacts[],
  heard: ReadonlyMap<MemberId, Heard>,
  self: MemberId,
  nowMs: number,
  policy: Policy,
): View {
  const members = new Map<MemberId, MemberView>()
  const absent = new Map<MemberId, Absence>()
  for (const facts of inOrder(group)) {
    if (facts.id === self) continue
    const seen = seenOf(facts, heard.get(facts.id), nowMs, policy)
    if (typeof seen === 'string') absent.set(facts.id, seen)
    else members.set(facts.id, seen)
  }
  return { members, absent }
}

function inOrder(group: readonly MemberFacts[]): readonly MemberFacts[] {
  const isSorted = group.every(({ id }, i) => i === 0 || (group[i - 1]?.id ?? '') < id)
  return isSorted ? group : group.toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

/** One other member, as `buildView` has it. */
export function seenOf(
  { draining }: MemberFacts,
  last: Heard | undefined,
  nowMs: number,
  policy: Policy,
): MemberView | Absence {
  if (last === undefined) return 'unheard'
  if (nowMs - last.receivedMs > policy.silentSeconds * 1000) return 'silent'
  if (draining || last.report.state === 'draining') return 'draining'
  return nowMs < last.suspectUntilMs ? 'suspect' : memberView(last, nowMs)
}

function memberView({ report, receivedMs }: Heard, nowMs: number): MemberView {
  return {
    member: report.member,
    capacity: report.capacity,
    load: withReserved(report.load, report.reserved),
    sigma: report.sigma,
    ageMs: nowMs - receivedMs,
    sessions: report.sessions,
  }
}

/** Promised load counts in all averages at once. */
export function withReserved(load: LoadTable, reserved: readonly number[]): LoadTable {
  if (reserved.every((x) => x === 0)) return load
  const add = (values: readonly number[]) => values.map((x, r) => x + (reserved[r] ?? 0))
  return {
    slow: add(load.slow),
    long: add(load.long),
    fast: add(load.fast),
    variance: load.variance,
  }
}

/** The view after a member answered with its fresh load: a denial corrects what the source believed. */
export function corrected(view: View, fresh: End): View {
  const before = view.members.get(fresh.member)
  if (before === undefined) return view
  const members = new Map(view.members)
  members.set(fresh.member, { ...before, ...fresh, ageMs: 0 })
  return { members, absent: view.absent }
}

/** Asked for the few members that come into question: in a large group a list of all would cost more than a decision. */
export type Barred = Pick<ReadonlyMap<MemberId, Code>, 'get'>

/** Of a session that the deciding member holds. Times are by that member's clock. */
export interface SessionView {
  readonly id: SessionId
  readonly load: SessionLoad
  /** Since the session's first login: a move does not make it young. */
  readonly ageSeconds: number
  /** κ + queue depth × expected pause, request-seconds. */
  readonly price: number
  /** Regret so far, request-seconds. */
  readonly debt: number
  readonly restUntilMs: number
  readonly left: readonly { readonly member: MemberId; readonly atMs: number }[]
  /** Why it may not be moved at all, and where it may not go; see bounds.ts. */
  readonly held: Code | null
  readonly barred: Barred
}

/** The deciding member itself, fresh. */
export interface Own extends End {
  readonly urgent: boolean
  readonly sessions: readonly SessionView[]
}
