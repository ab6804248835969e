// What people ask of the distribution besides its state: what it would move next, why a session stays or was moved, and what
// members have kept of their load. Who decided is asked.
import { z } from 'zod'
import {
  type BalancePlan,
  type MoveWhy,
  moveWhy,
  plannedMove,
  type RecordingPage,
  recordingPage,
  type StayReason,
  stayReason,
} from '../api/balance-schema.ts'
import { refusal } from '../api/errors.ts'
import { answered, type Outcome } from '../api/refusals.ts'
import type { Balancer } from '../balance/balancer.ts'
import { type MemberId, memberId, sessionId } from '../base/ids.ts'
import type { ControlKind } from '../peer/controls.ts'
import type { Json } from '../peer/message.ts'
import { hearNews, type ShownMember } from './shown-member.ts'

/** A page of a recording is read and written in a few milliseconds, by a member that may be busy. */
const ASK_MS = 3_000

/** The answer of a member that knows nothing of what it was asked for. */
export const NOT_KEPT = 'not kept'

export class BalanceDesk {
  readonly #member: ShownMember
  readonly #balancer: Balancer

  constructor(member: ShownMember, balancer: Balancer) {
    this.#member = member
    this.#balancer = balancer
  }

  async recording(name: string, after: number): Promise<Outcome<'showRecording', RecordingPage>> {
    const id = memberId(name)
    if (!this.#member.group.members.has(id)) {
      return refusal('memberNotFound', `there is no member '${name}'`)
    }
    const own = () => this.#balancer.recorder.page(after)
    const page = recordingPage.safeParse(await this.#ask(id, 'recording', { after }, own)).data
    if (page?.member !== id) return refusal('memberSilent', `${id} does not answer`)
    return answered(page)
  }

  async plan(): Promise<BalancePlan> {
    const ids = [...this.#member.group.members.keys()].sort()
    const own = () => this.#balancer.account.plan()
    const replies = await Promise.all(ids.map((id) => this.#ask(id, 'plan', null, own)))
    const told = replies.map((reply) => z.array(plannedMove).safeParse(reply).data ?? null)
    return {
      mode: this.#balancer.mode,
      moves: told.flatMap((moves) => moves ?? []).sort((a, b) => (a.at < b.at ? -1 : 1)),
      silent: ids.filter((_, i) => told[i] === null),
    }
  }

  async whyNot(name: string): Promise<Outcome<'whyNot', StayReason>> {
    const session = sessionId(Number(name))
    const live = () => {
      const record = this.#member.group.sessions.get(session)?.record
      return record?.state === 'live' ? record : undefined
    }
    if (live() === undefined) await hearNews(this.#member)
    const owner = live()?.owner
    if (owner === undefined) return refusal('sessionNotFound', `there is no session ${name}`)
    const own = () => this.#balancer.account.whyNot(session) ?? NOT_KEPT
    const reply = await this.#ask(owner, 'why not', { session }, own)
    if (reply === NOT_KEPT) {
      return refusal('sessionNotMeasured', `${owner} has not measured session ${name} yet`)
    }
    const told = stayReason.safeParse(reply).data
    return told === undefined ? refusal('memberSilent', `${owner} does not answer`) : answered(told)
  }

  async whyMoved(move: string): Promise<Outcome<'whyMoved', MoveWhy>> {
    const record = this.#member.group.moves.get(move)
    if (record === undefined) return refusal('moveNotFound', `there is no move ${move} on record`)
    const { by, from } = record
    if (by !== 'balance') {
      const who = by === 'operator' ? 'an operator' : 'the emptying of a member'
      return refusal('decisionNotKept', `it was ${who} that moved it, no load`)
    }
    const own = () => this.#balancer.account.why(move) ?? NOT_KEPT
    const reply = await this.#ask(from, 'why', { move }, own)
    if (reply === NOT_KEPT) {
      const why = `${from} has started anew since, or has moved 200 sessions after it`
      return refusal('decisionNotKept', why)
    }
    const told = moveWhy.safeParse(reply).data
    return told === undefined ? refusal('memberSilent', `${from} does not answer`) : answered(told)
  }

  async #ask(id: MemberId, kind: ControlKind, body: Json, own: () => Json): Promise<Json | null> {
    return id === this.#member.id ? own() : this.#member.peers.ask(id, kind, body, ASK_MS)
  }
}
