// The operator's commands on sessions and moves.
//
// Invariants:
//   SD1. A move by hand begins only if the group record can be changed now; else it is refused at once, and says so.
//   SD3. A session is pinned to a member only where a move there was made, or would not be refused.
//   SD2. No session is said not to be there that began before the call, at whichever member.

import { type ErrorCode, type Refusal, refusal } from '../api/errors.ts'
import { type Answered, answered, type CodeOf, type Outcome, REFUSALS } from '../api/refusals.ts'
import {
  type Move,
  type MovePlan,
  type MoveRequest,
  type Pin,
  type PinRequest,
  prediction,
  type Session,
  type SessionDetail,
} from '../api/schema.ts'
import type { Balancer } from '../balance/balancer.ts'
import { sleep, within } from '../base/clock.ts'
import { type MemberId, memberId, sessionId, type VolumeId } from '../base/ids.ts'
import { whyNotByHand } from '../distribution/explain.ts'
import { probeChange } from '../group/change.ts'
import type { MovePrediction, MoveRecord } from '../group/record.ts'
import type { StoredSession } from '../group/sessions.ts'
import { fieldsOf, type Json } from '../peer/message.ts'
import { type Denied, deniedIn, type Order, type PinOrder } from './session-orders.ts'
import {
  isMeasured,
  loadView,
  moveView,
  pinView,
  sessionView,
  toldIn,
  whatWouldCome,
  whyHere,
  whyPinnedElsewhere,
} from './session-views.ts'
import { hearNews, type ShownMember } from './shown-member.ts'
import type { SessionSummary, Summary } from './summary.ts'

/** Grant 1.5 s, narrow 1 s, quiesce 4 s, commit and return: what a slow but healthy move takes at most. */
const MOVE_ASK_MS = 12_000
/** An open move expires after 10 s, seen at the next sweep. */
const OUTCOME_MS = 15_000
/** A pin is one write to the coordination file, tried again while that does not answer. */
const PIN_MS = 5_000
const LOOK_MS = 20
/** For the load of a destination, as it is now. */
const END_ASK_MS = 500
const MOVES_SHOWN = 10

const RECORD_SHUT = {
  code: 'coordinatorDown',
  why: 'the coordination file cannot be written now',
} as const satisfies Denied

/** As it is sent. */
function endsOf({ from, to }: MovePrediction) {
  return { from: { ...from }, to: { ...to } }
}

function silentNow(member: MemberId): Denied {
  return { code: 'memberNotReady', why: `${member} does not answer` }
}

/** The others are the destination's matter: it takes no sessions now, or not this one. */
const denials: Readonly<Record<string, ErrorCode>> = {
  ALREADY_MOVING: 'sessionMoving',
  PINNED: 'sessionPinned',
  HOLDS_STATE: 'sessionFixed',
  SIBLING_SILENT: 'sessionFixed',
  MULTIPATH: 'sessionFixed',
  BAD_PATH: 'sessionFixed',
}

interface Movable {
  readonly stored: StoredSession
  readonly to: MemberId
}

type OrderRefused = 'sessionNotFound' | 'memberNotFound' | 'alreadyThere' | 'memberSilent'

export class SessionDesk {
  readonly #member: ShownMember
  readonly #balancer: Balancer
  readonly #summaries: () => Promise<ReadonlyMap<MemberId, Summary>>

  constructor(
    member: ShownMember,
    balancer: Balancer,
    summaries: () => Promise<ReadonlyMap<MemberId, Summary>>,
  ) {
    this.#member = member
    this.#balancer = balancer
    this.#summaries = summaries
  }

  async list(): Promise<readonly Session[]> {
    const told = toldIn(await this.#summaries())
    return this.#live().map((stored) => this.#session(stored, told(stored)))
  }

  /** With what `top` adds. */
  async loads(summaries: ReadonlyMap<MemberId, Summary>) {
    const told = toldIn(summaries)
    return this.#live().map((stored) => {
      const summary = told(stored)
      return { ...this.#session(stored, summary), ...loadView(summary) }
    })
  }

  async show(id: string): Promise<Outcome<'showSession', SessionDetail>> {
    const stored = await this.#find(id)
    if (stored === undefined) return refusal('sessionNotFound', `there is no session ${id}`)
    const summary = toldIn(await this.#summaries())(stored)
    const moves = this.#records((move) => move.session === stored.id).slice(0, MOVES_SHOWN)
    return answered({
      ...this.#session(stored, summary),
      generation: stored.record.gen,
      ...loadView(summary),
      why: whyHere(stored, moves[0], summary?.placed === true, this.#member.ports.clock.wallMs()),
      decided: summary?.decided ?? null,
      moves: moves.map((move) => this.#move(move)),
    })
  }

  moves(limit: number): readonly Move[] {
    return this.#records(() => true)
      .slice(0, limit)
      .map((move) => this.#move(move))
  }

  async move(id: string, request: MoveRequest): Promise<Outcome<'moveSession', Move>> {
    const moveId = this.#member.ports.newId()
    const told = await this.#order(id, request.to, moveId)
    if (told.kind === 'refused') return told
    if (told.value.reply === 'begun') return this.#outcome(moveId, request.wait)
    const { code, why } = deniedIn(told.value.reply, REFUSALS.moveSession)
    return refusal(code, `session ${id} was not moved to ${request.to}: ${why}`)
  }

  async foretell(id: string, to: string): Promise<Outcome<'foretellMove', MovePlan>> {
    const told = await this.#order(id, to, null)
    if (told.kind === 'refused') return told
    const { from, reply } = told.value
    const { foretold } = fieldsOf(reply) ?? {}
    if (foretold === undefined) {
      const { code, why } = deniedIn(reply, REFUSALS.foretellMove)
      return refusal(code, `session ${id} would not be moved to ${to}: ${why}`)
    }
    const predicted = prediction.safeParse(foretold).data ?? null
    return answered({
      session: id,
      from,
      to,
      predicted,
      sentence: whatWouldCome(from, to, predicted),
    })
  }

  async foretellPin(id: string, member?: string): Promise<Outcome<'foretellPin', Pin>> {
    const found = await this.#movable(id, member)
    if (found.kind === 'refused') return found
    const { stored, to } = found.value
    if (stored.record.owner === to) return answered(pinView(stored, to, 'would', null))
    const plan = await this.foretell(id, to)
    if (plan.kind === 'done') return answered(pinView(stored, to, 'would', plan.value))
    const isFine = plan.code === 'sessionPinned' || plan.code === 'alreadyThere'
    return isFine ? answered(pinView(stored, to, 'would', null)) : { ...plan, code: plan.code }
  }

  /** SD3: it is moved there first. A pin to another member gives way to this one. */
  async pin(id: string, { member }: PinRequest): Promise<Outcome<'pinSession', Pin>> {
    const found = await this.#movable(id, member)
    if (found.kind === 'refused') return found
    const { stored, to } = found.value
    const isThere = stored.record.owner === to
    if (!isThere) {
      const plan = await this.foretell(id, to)
      if (plan.kind === 'refused' && plan.code !== 'sessionPinned' && plan.code !== 'alreadyThere')
        return { ...plan, code: plan.code }
    }
    const refused = await this.#write(stored, to)
    if (refused !== null) return refused
    if (isThere) return answered(pinView(stored, to, 'is', null))
    const moved = await this.move(id, { to, wait: true })
    if (moved.kind === 'done' && moved.value.outcome === 'returned')
      return answered(pinView(stored, to, 'is', null))
    const why = moved.kind === 'refused' ? moved.detail : (moved.value.cause ?? moved.value.outcome)
    return answered({
      ...pinView(stored, to, 'is', null),
      sentence: whyPinnedElsewhere(id, to, why),
    })
  }

  async unpin(id: string): Promise<Outcome<'unpinSession', Pin>> {
    const stored = await this.#find(id)
    if (stored === undefined) return refusal('sessionNotFound', `there is no session ${id}`)
    const refused = await this.#write(stored, null)
    return refused ?? answered(pinView(stored, null, 'is', null))
  }

  /** `member`: where it is, unless it is named. */
  async #movable(
    id: string,
    member?: string,
  ): Promise<Answered<Movable, 'sessionNotFound' | 'memberNotFound'>> {
    const stored = await this.#find(id)
    if (stored === undefined) return refusal('sessionNotFound', `there is no session ${id}`)
    const to = member === undefined ? stored.record.owner : memberId(member)
    if (!this.#member.group.members.has(to))
      return refusal('memberNotFound', `there is no member '${to}'`)
    return answered({ stored, to })
  }

  async #write(
    { id, record }: StoredSession,
    to: MemberId | null,
  ): Promise<Refusal<CodeOf<'unpinSession'>> | null> {
    const { peers } = this.#member
    const order = { session: id, to }
    const reply =
      record.owner === this.#member.id
        ? await this.pinHere(order)
        : await peers.ask(record.owner, 'pin session', order, PIN_MS + 500)
    if (reply === null)
      return refusal('memberSilent', `${record.owner}, which serves the session, does not answer`)
    await hearNews(this.#member)
    if (reply === 'done') return null
    const { code, why } = deniedIn(reply, REFUSALS.unpinSession)
    return refusal(code, `session ${id} was not ${to === null ? 'un' : ''}pinned: ${why}`)
  }

  /** At the member that serves the session. */
  async pinHere({ session, to }: PinOrder): Promise<Json> {
    const { target, ports } = this.#member
    const end = await within(ports.clock, PIN_MS, target.pin(session, to), 'late')
    if (end === 'done') return end
    if (end === 'late') return RECORD_SHUT
    return end === 'busy'
      ? ({ code: 'sessionMoving', why: 'it is being moved, or is logging in' } satisfies Denied)
      : ({ code: 'sessionNotFound', why: 'it has ended' } satisfies Denied)
  }

  /** What the member that serves the session says to it. */
  async #order(
    id: string,
    destination: string,
    move: string | null,
  ): Promise<Answered<{ from: MemberId; reply: Json }, OrderRefused>> {
    const { group } = this.#member
    const stored = await this.#find(id)
    if (stored === undefined) return refusal('sessionNotFound', `there is no session ${id}`)
    const to = memberId(destination)
    if (!group.members.has(to)) return refusal('memberNotFound', `there is no member '${to}'`)
    const { owner } = stored.record
    if (owner === to) return refusal('alreadyThere', `session ${id} is on ${owner} already`)
    const order = { move, session: stored.id, to }
    const reply =
      owner === this.#member.id
        ? await this.moveHere(order)
        : await this.#member.peers.ask(owner, 'move session', order, MOVE_ASK_MS)
    if (reply === null)
      return refusal('memberSilent', `${owner}, which serves the session, does not answer`)
    return answered({ from: owner, reply })
  }

  /** At the member that serves the session. */
  async moveHere({ move, session, to }: Order): Promise<Json> {
    const { target, id, ports } = this.#member
    const denied = (answer: string): Json => {
      const { policy } = this.#balancer.policy.settings
      const why = whyNotByHand(answer, { self: id, to }, policy)
      return { code: denials[answer] ?? 'memberNotReady', why } satisfies Denied
    }
    const live = target.registry.get(session)
    const held = live === undefined ? null : this.#balancer.heldByHand(live, to)
    if (held !== null) return denied(held)
    if (move === null) {
      const end = await this.#member.peers.ask(to, 'end', null, END_ASK_MS)
      if (end === null) return silentNow(to)
      const foretold = this.#balancer.foretell(session, end)
      return { foretold: foretold === null ? null : { ...foretold, ...endsOf(foretold) } }
    }
    const probe = await ports.coordinator.txn(probeChange)
    if (probe.kind === 'unknown') return RECORD_SHUT // SD1
    const end = await target.move(session, {
      id: move,
      to,
      by: 'operator',
      code: 'MOVED',
      reason: 'moved by the operator',
      predicted: null,
      proposal: null,
      estimate: this.#balancer.handOver(session),
    })
    if (end.kind === 'committed') this.#balancer.left(session)
    return end.kind === 'denied' || end.kind === 'not begun' ? denied(end.reason) : 'begun'
  }

  /** The record of the move, once the outcome, the drain and the pause are known or will not be. */
  async #outcome(id: string, wait: boolean): Promise<Outcome<'moveSession', Move>> {
    const { clock } = this.#member.ports
    const until = clock.nowMs() + OUTCOME_MS
    let record: MoveRecord | undefined
    for (;;) {
      record = this.#member.group.moves.get(id)
      const settled = record?.outcome !== undefined
      const measured = record?.outcome !== 'returned' || isMeasured(record)
      if (record !== undefined && (!wait || (settled && measured))) break
      // An initiator that has nothing to do sends no first command: the pause of its move stays unknown.
      if (clock.nowMs() >= until || (settled && clock.nowMs() >= until - OUTCOME_MS + 3_000)) break
      await sleep(clock, LOOK_MS)
    }
    if (record === undefined)
      return refusal('coordinatorDown', 'the record of the move cannot be read now')
    return answered(this.#move(record))
  }

  #live(): StoredSession[] {
    return [...this.#member.group.sessions.values()]
      .filter(({ record }) => record.state === 'live')
      .sort((a, b) => a.id - b.id)
  }

  /** SD2. */
  async #find(id: string): Promise<StoredSession | undefined> {
    const known = this.#living(id)
    if (known !== undefined) return known
    await hearNews(this.#member)
    return this.#living(id)
  }

  #living(id: string): StoredSession | undefined {
    const stored = this.#member.group.sessions.get(sessionId(Number(id)))
    return stored?.record.state === 'live' ? stored : undefined
  }

  #records(wanted: (move: MoveRecord) => boolean): MoveRecord[] {
    return [...this.#member.group.moves.values()]
      .filter(wanted)
      .sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0))
  }

  #session(stored: StoredSession, summary: SessionSummary | undefined): Session {
    return sessionView(stored, summary, this.#nameOf(stored.record.volume))
  }

  #move(record: MoveRecord): Move {
    return moveView(record, this.#nameOf(record.volume))
  }

  #nameOf(volume: VolumeId): string {
    return this.#member.group.volumes.get(volume)?.name ?? String(volume)
  }
}
