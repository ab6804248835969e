// Which of its sessions this member moves, and where: each round it judges by the estimates of all, asks the destination,
// and has the target carry the move out. Level-triggered: every round reads the state as it is.
//
// Invariants:
//   DC1. Sessions are looked at once a round, which takes as long as its moves. What may have changed of one meanwhile is looked
//        at when it is its turn: who may not be moved any more is not proposed.
import type { MemberId, SessionId } from '../base/ids.ts'
import { type Begun, heldBack, withBegun } from '../distribution/budget.ts'
import type { Code } from '../distribution/code.ts'
import { type Proposal, type Reason, urgentRounds } from '../distribution/decide.ts'
import {
  DecisionLog,
  type DecisionRecord,
  predictionOf,
  whyDenied,
  whyMoved,
  whyNot,
} from '../distribution/explain.ts'
import { gainOf } from '../distribution/judge.ts'
import { OBSERVED_AFTER_SECONDS } from '../distribution/moved-lately.ts'
import { Negotiation } from '../distribution/negotiation.ts'
import { LearntPauses, type PausedMove } from '../distribution/pauses.ts'
import type { Policy } from '../distribution/policy.ts'
import { type JudgedMove, type Trust, trustOf } from '../distribution/trust.ts'
import type { Own, View } from '../distribution/view.ts'
import { packAsk, unpackBecame, unpackEnd } from '../distribution/wire.ts'
import type { MoveRecord } from '../group/record.ts'
import type { Json } from '../peer/message.ts'
import { carrierOf } from '../target/live-session.ts'
import type { Account } from './account.ts'
import type { Circumstances } from './own-sessions.ts'
import { ASK_MS, type Shared } from './shared-parts.ts'

export class Decider {
  readonly log = new DecisionLog()
  readonly #shared: Shared
  readonly #account: Account
  #debts: ReadonlyMap<SessionId, number> = new Map()
  #begun: Begun = { atMs: [], thisRound: 0 }
  #urgent = 0
  #caution = 1
  #pauses = new LearntPauses([])
  #isMoving = false

  constructor(shared: Shared, account: Account) {
    this.#shared = shared
    this.#account = account
  }

  /** How far the predictions of the group's last moves could be trusted. */
  get trust(): Trust {
    const { member, policy } = this.#shared
    const wallMs = member.ports.clock.wallMs()
    return trustOf(judgedMoves(member.group.moves.values()), wallMs, policy.settings.policy)
  }

  /** A session of this member is on its way. */
  get isMoving(): boolean {
    return this.#isMoving
  }

  async round(seed: number): Promise<void> {
    this.#begun = { ...this.#begun, thisRound: 0 }
    const { policy, mode } = this.#shared.policy.settings
    // Who is drained has its sessions moved away anyway (drainer.ts).
    if (mode !== 'off' && !this.#shared.member.target.isDraining) await this.#decide(policy, seed)
  }

  async #decide(policy: Policy, seed: number): Promise<void> {
    const { member, monitor, others } = this.#shared
    const nowMs = this.#nowMs()
    this.#urgent = urgentRounds(this.#urgent, monitor.end(), policy)
    this.#caution = this.trust.caution
    this.#pauses = new LearntPauses(pausedMoves(member.group.moves.values()))
    const view = others.view()
    const own = this.own(policy, view)
    const negotiation = new Negotiation(own, view, { nowMs, seed }, policy)
    const { debts, reasons } = negotiation.round
    this.#debts = debts
    for (const reason of reasons) this.log.add(new Stays(reason, member.id, nowMs, policy))
    await this.#negotiate(negotiation, own, policy)
  }

  /**
   * One proposal at a time: each answer changes the loads by which the next is judged. Sessions are those of the round, which
   * are still here; what may have changed of one meanwhile is looked at when it is its turn.
   */
  async #negotiate(negotiation: Negotiation, begun: Own, policy: Policy): Promise<void> {
    const { member } = this.#shared
    let own = begun
    for (;;) {
      const proposal = negotiation.next()
      if (proposal === null) return
      if (!this.#mayStill(proposal, negotiation.view, policy)) continue
      const nowMs = this.#nowMs()
      const now = { ...policy, mode: this.#shared.policy.settings.mode }
      const back = heldBack(now, this.#begun, nowMs, member.ports.clock.wallMs())
      this.#noteProposal(proposal, back, nowMs)
      if (back !== null) continue
      this.#isMoving = true
      const granted = await this.#move(proposal, nowMs, own, negotiation.view)
      this.#isMoving = false
      const fresh = unpackEnd(await member.peers.ask(proposal.to, 'end', null, ASK_MS))
      own = this.#asItIs(own)
      negotiation.answered(proposal, granted, own, 'refused' in fresh ? null : fresh)
    }
  }

  #mayStill({ session, to }: Proposal, view: View, policy: Policy): boolean {
    const now = this.#shared.sessions.view(session.id, this.#circumstances(policy, view))
    return now !== null && now.held === null && now.barred.get(to) === undefined
  }

  /** Later in the round. */
  #asItIs(own: Own): Own {
    const { monitor, member } = this.#shared
    const sessions = own.sessions.flatMap((session) => {
      const here = member.target.registry.get(session.id)
      if (here === undefined || carrierOf(here) === null) return []
      return [{ ...session, debt: this.#debts.get(session.id) ?? 0 }]
    })
    return { ...monitor.end(), urgent: own.urgent, sessions }
  }

  /** `own` and `view`: by which it was decided. */
  async #move(proposal: Proposal, nowMs: number, own: Own, view: View): Promise<boolean> {
    const { member, sessions } = this.#shared
    const { id } = proposal.session
    const { policy } = this.#shared.policy.settings
    const move = member.ports.newId()
    this.#account.begins(move, proposal, own, view)
    const end = await member.target.move(id, {
      id: move,
      to: proposal.to,
      by: 'balance',
      code: 'MOVED',
      reason: whyMoved(proposal, `session ${id}`, policy),
      predicted: predictionOf(proposal),
      proposal: packAsk(proposal, nowMs),
      estimate: sessions.handOver(id),
    })
    if (end.kind === 'denied') {
      const why = whyDenied(end.reason, proposal, member.id, policy)
      this.#note(proposal, 'DENIED', this.#nowMs(), why)
      return false
    }
    this.#account.keep()
    this.#begun = withBegun(this.#begun, this.#nowMs())
    if (end.kind !== 'committed') {
      sessions.moveFailed(id)
      return true
    }
    sessions.left(id)
    this.log.forget(id)
    this.#observeLater(move, proposal, nowMs)
    return true
  }

  /** What a move brought, by the formula by which that was predicted: both ends now, with and without the session. */
  #observeLater(move: string, proposal: Proposal, sinceMs: number): void {
    const { member } = this.#shared
    member.ports.clock.after(
      1_000 * OBSERVED_AFTER_SECONDS,
      () => void this.#observe(move, proposal, sinceMs),
    )
  }

  async #observe(move: string, proposal: Proposal, sinceMs: number): Promise<void> {
    const { member, monitor, sessions } = this.#shared
    const { session, to, verdict } = proposal
    const asked: Json = { session: session.id, agoMs: Math.ceil(this.#nowMs() - sinceMs) }
    const became = unpackBecame(await member.peers.ask(to, 'became', asked, ASK_MS))
    if ('refused' in became || became.load === null) return
    const source = sessions.withAgain(session.id, became.load, monitor.end(), sinceMs)
    const { policy } = this.#shared.policy.settings
    const gain = gainOf(became.load, source, became.end, verdict.by, policy)
    member.target.log.observed(move, gain)
  }

  /** Why no move may begin now, whatever it would bring; null: one may. */
  heldBack(): Code | null {
    const { policy, mode } = this.#shared.policy.settings
    const wallMs = this.#shared.member.ports.clock.wallMs()
    return heldBack({ ...policy, mode }, this.#begun, this.#nowMs(), wallMs)
  }

  /** `back`: why it may not be made now; null: it is tried. */
  #noteProposal(proposal: Proposal, back: Code | null, atMs: number): void {
    const { policy, mode } = this.#shared.policy.settings
    const told = whyMoved(proposal, `session ${proposal.session.id}`, policy)
    if (back === null) this.#note(proposal, 'MOVED', atMs, told)
    else {
      const how = mode === 'advise' ? 'Advised, not done' : 'Put off, as moves are limited now'
      this.#note(proposal, back, atMs, `${how}: ${told}`)
    }
  }

  #note(proposal: Proposal, code: Code, atMs: number, sentence: string): void {
    const { session, to, gain, debt, price } = proposal
    this.log.add({ atMs, session: session.id, code, to, sentence, gain, debt, price })
  }

  /** This member as it is now. */
  own(policy: Policy, view: View): Own {
    const { monitor, sessions } = this.#shared
    const urgent = this.#urgent >= policy.urgentRounds
    const views = sessions.views(this.#circumstances(policy, view))
    return { ...monitor.end(), urgent, sessions: views }
  }

  /** What moves cost initiators, as of the last round. */
  get pauses(): LearntPauses {
    return this.#pauses
  }

  #circumstances(policy: Policy, view: View): Circumstances {
    return { view, policy, debts: this.#debts, caution: this.#caution, pauses: this.#pauses }
  }

  #nowMs(): number {
    return this.#shared.member.ports.clock.nowMs()
  }
}

/** A session that stays; most are never asked about, and so the sentence is made when somebody does. */
class Stays implements DecisionRecord {
  readonly atMs: number
  readonly session: SessionId
  readonly code: Code
  readonly to: MemberId | null
  readonly gain: number
  readonly debt: number
  readonly price: number
  readonly #told: () => string

  constructor(reason: Reason, self: MemberId, atMs: number, policy: Policy) {
    const { session, code, to, gain, debt, price } = reason
    this.atMs = atMs
    this.session = session
    this.code = code
    this.to = to
    this.gain = gain
    this.debt = debt
    this.price = price
    this.#told = () => whyNot(reason, { self, nowMs: atMs, session: `session ${session}` }, policy)
  }

  get sentence(): string {
    return this.#told()
  }
}

function* judgedMoves(moves: Iterable<MoveRecord>): Iterable<JudgedMove> {
  for (const { by, at, predicted, observed } of moves) {
    if (by !== 'balance' || predicted === null || observed === undefined) continue
    yield { atWallMs: Date.parse(at), predicted: predicted.gain, observed }
  }
}

function* pausedMoves(moves: Iterable<MoveRecord>): Iterable<PausedMove> {
  for (const { initiator, pauseMs } of moves) {
    if (pauseMs !== undefined) yield { initiator, pauseMs }
  }
}
