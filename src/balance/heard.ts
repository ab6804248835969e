// What the other members report of their load, with the time at which it came; a silent member is absent, never zero.
//
// Invariants:
//   MO1. Time in which this member stood still itself is nobody else's silence.

import { AwakeTime } from '../base/awake-time.ts'
import type { Clock } from '../base/clock.ts'
import type { MemberId } from '../base/ids.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import type { Policy } from '../distribution/policy.ts'
import {
  buildView,
  type Heard,
  hear,
  type MemberFacts,
  type MemberView,
  seenOf,
  type View,
} from '../distribution/view.ts'
import type { Report } from '../load/report.ts'
import { decodeReport } from '../load/report-bytes.ts'
import type { MemberParts } from './member-parts.ts'

export class HeardReports {
  readonly #member: Pick<MemberParts, 'id' | 'group'>
  readonly #policy: () => Policy
  /** Of `awake`: times in which reports came. */
  readonly #heard = new Map<MemberId, Heard>()
  readonly #awake: AwakeTime
  #sorted: readonly MemberId[] = []

  /** `mostMs`: longer than from one `tick` to the next. */
  constructor(
    member: Pick<MemberParts, 'id' | 'group'>,
    policy: () => Policy,
    clock: Clock,
    mostMs: number,
  ) {
    this.#member = member
    this.#policy = policy
    this.#awake = new AwakeTime(clock, mostMs)
  }

  tick(): void {
    this.#awake.tick()
  }

  hear(report: Report): void {
    const before = this.#heard.get(report.member)
    this.#heard.set(report.member, hear(before, report, this.#awake.nowMs(), this.#policy()))
  }

  view(): View {
    const { id } = this.#member
    return buildView(this.#members(), this.#heard, id, this.#awake.nowMs(), this.#policy())
  }

  /** As `view` has it; null: it may not receive, or is this one. */
  viewOf(id: MemberId): MemberView | null {
    const facts = this.#member.group.members.get(id)
    if (facts === undefined || id === this.#member.id) return null
    const seen = seenOf(facts, this.#heard.get(id), this.#awake.nowMs(), this.#policy())
    return typeof seen === 'string' ? null : seen
  }

  /** By id. They are sorted anew only when others are members. */
  #members(): MemberFacts[] {
    const { members } = this.#member.group
    const known = factsIn(members, this.#sorted)
    if (known.length === members.size) return known
    this.#sorted = [...members.keys()].sort()
    return factsIn(members, this.#sorted)
  }

  isHeard(member: MemberId): boolean {
    const agoMs = this.msAgo(member)
    return agoMs !== null && agoMs < this.#policy().silentSeconds * 1_000
  }

  /** Since the last report of this member; null: none has come. */
  msAgo(member: MemberId): number | null {
    const heard = this.#heard.get(member)
    return heard === undefined ? null : this.#awake.nowMs() - heard.receivedMs
  }

  /** What each of them has found of the costs of work, with its name. */
  fits(): (readonly [MemberId, Report['fit']])[] {
    return [...this.#heard.values()].map(({ report }) => [report.member, report.fit])
  }
}

/** In a large group asked for each round, and so without a list for each of them. */
function factsIn(
  members: ReadonlyMap<MemberId, MemberFacts>,
  ids: readonly MemberId[],
): MemberFacts[] {
  const facts: MemberFacts[] = []
  for (const id of ids) {
    const one = members.get(id)
    if (one !== undefined) facts.push(one)
  }
  return facts
}

/** P10 of peer/controls.ts: it is its sender's, whatever is in it. */
export function readReport(body: Uint8Array, from: MemberId): Report {
  const report = decodeReport(body, from)
  if ('refused' in report) throw new ProtocolError(report.refused, 'a report')
  return report
}
