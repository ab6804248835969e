// One member of a simulated group: its load monitor and what it remembers of its sessions. All arithmetic is that of the
// members that run.
import { type MemberId, memberId, type SessionId } from '../base/ids.ts'
import type { Begun } from '../distribution/budget.ts'
import {
  leftMembers,
  type MoveHistory,
  NO_HISTORY,
  pausedMsLately,
  recallHistory,
  rememberHistory,
  restUntilMs,
  withMove,
} from '../distribution/history.ts'
import { MovedLately } from '../distribution/moved-lately.ts'
import { meanSession } from '../distribution/place.ts'
import type { Policy } from '../distribution/policy.ts'
import { Reservations } from '../distribution/reservations.ts'
import {
  buildView,
  type End,
  type Heard,
  hear,
  type MemberFacts,
  type Own,
  type SessionView,
  type View,
  withReserved,
} from '../distribution/view.ts'
import { type CostEvidence, type Costs, PRIOR_COSTS, scaled } from '../load/cost-model.ts'
import { MemberEstimate } from '../load/estimate.ts'
import type { SessionLoad } from '../load/load-table.ts'
import { clampReport, type MemberState, REPORT_FORMAT, type Report } from '../load/report.ts'
import { decodeReport, encodeReport } from '../load/report-bytes.ts'
import type { SessionSample, SystemSample } from '../load/sample.ts'
import { parseSessionMemory } from '../load/session-load.ts'
import { COST } from './scenario.ts'

/** Requests a second of one unit of demand. */
export const RATE = 20_000

/** The costs of the form of scenarios, a request being one read of one piece; bytes cost nothing but the network. */
const WORLD_COSTS: Costs = {
  ...PRIOR_COSTS,
  read: COST.front / RATE,
  sentPiece: COST.sent / RATE,
  handledPiece: COST.handled / RATE,
  storedPiece: COST.stored / RATE,
  copiedPiece: COST.copied / RATE,
  keptPiece: COST.kept / RATE,
}
const FREE_BYTES = { readByte: 0, writtenByte: 0, sentByte: 0, handledByte: 0, storedByte: 0 }

export const memberName = (s: number) => memberId(`m${String(s).padStart(4, '0')}`)
export const memberNumber = (name: string) => Number(name.slice(1))

export interface MemberSettings {
  readonly policy: Policy
  readonly resources: 1 | 2
  /** What it believes at first that work costs, as a multiple of what it does. */
  readonly priced: number
  /** What a move is taken to cost a session. */
  readonly pauseSeconds: number
  readonly depth: number
}

interface Kept {
  readonly bornMs: number
  readonly debt: number
  readonly history: MoveHistory
}

export class SimulatedMember {
  readonly id: MemberId
  readonly estimate: MemberEstimate
  readonly reservations = new Reservations()
  readonly #lately: MovedLately
  /** What the others report, with the time at which it came. */
  readonly heard: Map<MemberId, Heard>
  readonly #settings: MemberSettings
  readonly #boot: number
  readonly #kept = new Map<SessionId, Kept>()
  #sequence = 0
  /** Its own fit, as the others have heard it last. */
  #told: CostEvidence | null = null
  urgentRounds = 0
  grantedThisRound = 0
  begun: Begun = { atMs: [], thisRound: 0 }

  /** `boot`: how often it has started before; `heard`: may be one that all share, if all hear the same. */
  constructor(s: number, settings: MemberSettings, boot = 0, heard = new Map<MemberId, Heard>()) {
    this.id = memberName(s)
    this.heard = heard
    this.#settings = settings
    this.#boot = boot
    const free = settings.resources === 2 ? FREE_BYTES : {}
    const prior = scaled({ ...WORLD_COSTS, ...free }, settings.priced)
    const network = settings.resources === 2 ? 'forwarding too' : 'not counted'
    this.estimate = new MemberEstimate({ self: this.id, network, prior })
    this.#lately = new MovedLately(this.id, (id) => this.estimate.load(id))
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
    this.#lately.leaves(session, nowMs)
    const memory = this.estimate.leave(session)
    this.#kept.delete(session)
    if (kept === undefined) throw new RangeError(`session ${session} is not at ${this.id}`)
    const left = { left: this.id, atMs: nowMs, pauseMs: this.#settings.pauseSeconds * 1000 }
    const history = rememberHistory(withMove(kept.history, left), nowMs)
    return JSON.stringify({ memory, history, ageMs: nowMs - kept.bornMs })
  }

  takeIn(session: SessionId, packed: string, nowMs: number): void {
    const { memory, history, ageMs } = JSON.parse(packed)
    this.estimate.admit(session, parseSessionMemory(memory))
    this.#lately.came(session, nowMs)
    const recalled = recallHistory(history, nowMs)
    this.#kept.set(session, { bornMs: nowMs - ageMs, debt: 0, history: recalled })
  }

  /** Without what moves have brought and taken since then; `load`: of a session that has gone. */
  asItWas(session: SessionId, load: SessionLoad, sinceMs: number, nowMs: number): End {
    return this.#lately.without(this.end(nowMs), sinceMs, { session, load })
  }

  measure(system: SystemSample, samples: readonly SessionSample[]): void {
    this.estimate.observe(system, samples)
  }

  /** As the others hear it. */
  report(state: MemberState, nowMs: number): Report {
    this.#sequence += 1
    const { estimate } = this
    const report = clampReport({
      format: REPORT_FORMAT,
      member: this.id,
      incarnation: `${this.id} ${this.#boot}`,
      sequence: this.#sequence,
      atMs: nowMs,
      state,
      capacity: estimate.capacity,
      load: estimate.now,
      sigma: estimate.sigma,
      reserved: this.reservations.sum(estimate.capacity.length, nowMs),
      sessions: this.#kept.size,
      loopUtilisation: 0,
      fit: estimate.evidence(),
    })
    const told = overTheWire(report)
    this.#told = told.fit
    return told
  }

  hear(report: Report, nowMs: number): void {
    const before = this.heard.get(report.member)
    this.heard.set(report.member, hear(before, report, nowMs, this.#settings.policy))
  }

  /** The group's costs from all fits that it has heard, its own included. */
  learn(members: number): void {
    if (this.#told === null) return
    const fits: (readonly [MemberId, CostEvidence])[] = [[this.id, this.#told]]
    for (const { report } of this.heard.values()) {
      if (report.member !== this.id) fits.push([report.member, report.fit])
    }
    fits.sort(([a], [b]) => (a < b ? -1 : 1))
    this.estimate.learn(
      fits.map(([, fit]) => fit),
      members,
    )
  }

  view(group: readonly MemberFacts[], nowMs: number): View {
    return buildView(group, this.heard, this.id, nowMs, this.#settings.policy)
  }

  end(nowMs: number): End {
    const { estimate } = this
    const reserved = this.reservations.sum(this.#settings.resources, nowMs)
    return {
      member: this.id,
      capacity: estimate.capacity,
      load: withReserved(estimate.now, reserved),
      sigma: estimate.sigma,
    }
  }

  /** `caution`: by which moves are dearer now (distribution/trust.ts). */
  own(nowMs: number, caution = 1): Own {
    const { policy } = this.#settings
    const sessions: SessionView[] = []
    for (const [id, kept] of this.#kept) {
      const load = this.estimate.load(id)
      if (load !== null) sessions.push(this.#sessionView(id, kept, load, { nowMs, caution }))
    }
    return { ...this.end(nowMs), urgent: this.urgentRounds >= policy.urgentRounds, sessions }
  }

  #sessionView(
    id: SessionId,
    { bornMs, debt, history }: Kept,
    load: SessionLoad,
    { nowMs, caution }: { readonly nowMs: number; readonly caution: number },
  ): SessionView {
    const { policy, depth, pauseSeconds } = this.#settings
    const paused = pausedMsLately(history, nowMs) >= policy.pauseMsPerHour
    const queued = this.estimate.session(id)?.depth ?? depth
    return {
      id,
      load,
      ageSeconds: (nowMs - bornMs) / 1000,
      price: caution * (policy.kappa + queued * pauseSeconds),
      debt,
      restUntilMs: restUntilMs(history, policy),
      left: leftMembers(history),
      held: paused ? 'PAUSE_BUDGET' : null,
      barred: NOBODY,
    }
  }

  /** What one of the sessions here, or a new one, is like. */
  meanLoad(members: number): SessionLoad {
    const loads = [...this.#kept.keys()]
      .map((id) => this.estimate.load(id))
      .filter((load) => load !== null)
    return meanSession(loads, members)
  }

  owe(debts: ReadonlyMap<SessionId, number>): void {
    for (const [id, debt] of debts) {
      const kept = this.#kept.get(id)
      if (kept !== undefined) this.#kept.set(id, { ...kept, debt })
    }
  }
}

const NOBODY: SessionView['barred'] = new Map()

/** Through its wire form, so that the simulation uses what members use. */
function overTheWire(report: Report): Report {
  const parsed = decodeReport(encodeReport(report), report.member)
  if ('refused' in parsed) throw new Error(`report of ${report.member}: ${parsed.refused}`)
  return parsed
}
