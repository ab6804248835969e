// One member of the simulated group: its load monitor and what it remembers of its sessions. All arithmetic is the
// product's.

import { type MemberId, memberId, type SessionId } from '../../src/base/ids.ts'
import {
  leftMembers,
  type MoveHistory,
  NO_HISTORY,
  recallHistory,
  rememberHistory,
  restUntilMs,
  withMove,
} from '../../src/distribution/history.ts'
import { DEFAULT_POLICY, type Policy } from '../../src/distribution/policy.ts'
import { Reservations } from '../../src/distribution/reservations.ts'
import {
  buildView,
  type End,
  type Heard,
  hear,
  type Own,
  type SessionView,
  type View,
  withReserved,
} from '../../src/distribution/view.ts'
import { type Costs, PRIOR_COSTS, scaled } from '../../src/load/cost-model.ts'
import { MemberEstimate } from '../../src/load/estimate.ts'
import { clampReport, parseReport, REPORT_FORMAT, type Report } from '../../src/load/report.ts'
import type { SessionSample } from '../../src/load/sample.ts'
import { parseSessionMemory } from '../../src/load/session-load.ts'
import { COST, DEPTH, PAUSE_SECONDS } from './scenario.ts'

/** Requests a second of one unit of demand. */
export const RATE = 20_000

/** The costs of SCENARIO.md, a request being one read of one piece. */
export const WORLD_COSTS: Costs = {
  ...PRIOR_COSTS,
  read: COST.front / RATE,
  sentPiece: COST.sent / RATE,
  handledPiece: COST.handled / RATE,
  storedPiece: COST.stored / RATE,
}

export const memberName = (s: number) => memberId(`m${String(s).padStart(4, '0')}`)
export const memberNumber = (name: string) => Number(name.slice(1))

interface Kept {
  readonly bornMs: number
  readonly debt: number
  readonly history: MoveHistory
}

export class SimulatedMember {
  readonly id: MemberId
  readonly policy: Policy
  readonly estimate: MemberEstimate
  readonly reservations = new Reservations()
  readonly #heard = new Map<MemberId, Heard>()
  readonly #kept = new Map<SessionId, Kept>()
  #sequence = 0
  urgentRounds = 0
  grantedThisRound = 0

  /** `priced`: what it believes at first that work costs, as a multiple of what it does. */
  constructor(s: number, policy: Policy = DEFAULT_POLICY, priced = 1) {
    this.id = memberName(s)
    this.policy = policy
    const prior = scaled(WORLD_COSTS, priced)
    this.estimate = new MemberEstimate({ self: this.id, resources: 1, prior })
  }

  get sessions(): IterableIterator<SessionId> {
    return this.#kept.keys()
  }

  login(session: SessionId, nowMs: number): void {
    this.#kept.set(session, { bornMs: nowMs, debt: 0, history: NO_HISTORY })
    this.estimate.admit(session, null)
  }

  logout(session: SessionId): void {
    this.#kept.delete(session)
    this.estimate.leave(session)
  }

  /** What goes with the session, as it goes over the wire. */
  giveAway(session: SessionId, nowMs: number): string {
    const kept = this.#kept.get(session)
    const memory = this.estimate.leave(session)
    this.#kept.delete(session)
    if (kept === undefined) throw new RangeError(`session ${session} is not at ${this.id}`)
    const left = { left: this.id, atMs: nowMs, pauseMs: PAUSE_SECONDS * 1000 }
    const history = rememberHistory(withMove(kept.history, left), nowMs)
    return JSON.stringify({ memory, history, ageMs: nowMs - kept.bornMs })
  }

  takeIn(session: SessionId, packed: string, nowMs: number): void {
    const { memory, history, ageMs } = JSON.parse(packed)
    this.estimate.admit(session, parseSessionMemory(memory))
    const recalled = recallHistory(history, nowMs)
    this.#kept.set(session, { bornMs: nowMs - ageMs, debt: 0, history: recalled })
  }

  measure(
    samples: readonly SessionSample[],
    cpuSeconds: number,
    capacityCpu: number,
    primary: { readonly stored: number; readonly handled: number },
  ): void {
    const system = {
      seconds: 1,
      cpuSeconds,
      capacityCpu,
      hostCpu: 0,
      loopUtilisation: 0,
      rssBytes: 0,
      networkBytes: 0,
      networkCapacityBytes: 0,
      diskLatencyMs: 0,
      diskQueue: 0,
      storedPieces: primary.stored * RATE,
      storedBytes: 0,
      handledPieces: primary.handled * RATE,
      handledBytes: 0,
    }
    this.estimate.observe(system, samples)
  }

  report(nowMs: number): Report {
    this.#sequence += 1
    const { estimate } = this
    return clampReport({
      format: REPORT_FORMAT,
      member: this.id,
      incarnation: this.id,
      sequence: this.#sequence,
      atMs: nowMs,
      state: 'up',
      capacity: estimate.capacity,
      load: estimate.now,
      sigma: estimate.sigma,
      reserved: this.reservations.sum(1, nowMs),
      sessions: this.#kept.size,
      loopUtilisation: 0,
      fit: estimate.evidence(),
    })
  }

  hear(report: Report, nowMs: number): void {
    this.#heard.set(report.member, hear(this.#heard.get(report.member), report, nowMs, this.policy))
  }

  /** The group's costs from all fits that it has heard, its own included. */
  learn(members: number): void {
    const fits = [...this.#heard.values()].map(({ report }) => report)
    const own = { member: this.id, fit: this.estimate.evidence() }
    const sorted = [...fits.filter((f) => f.member !== this.id), own].sort((a, b) =>
      a.member < b.member ? -1 : 1,
    )
    this.estimate.learn(
      sorted.map(({ fit }) => fit),
      members,
    )
  }

  view(group: readonly MemberId[], nowMs: number): View {
    const facts = group.map((id) => ({ id, draining: false }))
    return buildView(facts, this.#heard, this.id, nowMs, this.policy)
  }

  end(nowMs: number): End {
    const { estimate } = this
    return {
      member: this.id,
      capacity: estimate.capacity,
      load: withReserved(estimate.now, this.reservations.sum(1, nowMs)),
      sigma: estimate.sigma,
    }
  }

  own(nowMs: number): Own {
    const urgent = this.urgentRounds >= this.policy.urgentRounds
    const sessions: SessionView[] = []
    for (const [id, { bornMs, debt, history }] of this.#kept) {
      const load = this.estimate.load(id)
      if (load === null) continue
      const depth = this.estimate.session(id)?.depth ?? DEPTH
      sessions.push({
        id,
        load,
        ageSeconds: (nowMs - bornMs) / 1000,
        price: this.policy.kappa + depth * PAUSE_SECONDS,
        debt,
        restUntilMs: restUntilMs(history, this.policy),
        left: leftMembers(history),
        held: null,
        barred: new Map(),
      })
    }
    return { ...this.end(nowMs), urgent, sessions }
  }

  owe(debts: ReadonlyMap<SessionId, number>): void {
    for (const [id, debt] of debts) {
      const kept = this.#kept.get(id)
      if (kept !== undefined) this.#kept.set(id, { ...kept, debt })
    }
  }
}

/** A report as it arrives: through its JSON form, so that the simulation uses what the wire uses. */
export function overTheWire(report: Report): Report {
  const parsed = parseReport(JSON.parse(JSON.stringify(report)))
  if ('refused' in parsed) throw new Error(`report of ${report.member}: ${parsed.refused}`)
  return parsed
}
