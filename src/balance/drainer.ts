// Empties a member that is drained: its sessions are moved to the others, by load, one by one. It also brings home what is pinned
// to another member, and was taken here because that could not be reached. Level-triggered: each round sees what is here now.
//
// Invariants:
//   DR1. One session after the other: the next move begins when the last has ended, and none once the drain is over.
//   DR2. What was tried in vain is tried again ever later, within bounds, and holds up no other session.
//   DR3. Nothing is moved that safety or a pin holds (bounds.ts), nor to where it may not be or nobody has room; who stays is told,
//        with the reason and what to do. Before a stop pins hold nothing: the session would end, and is brought home afterwards.
import type { DrainState } from '../api/keeping-schema.ts'
import { isoAt, sleep } from '../base/clock.ts'
import type { MemberId, SessionId } from '../base/ids.ts'
import { type Stuck, secondsLeft, stuckInWords } from '../distribution/drain.ts'
import { drainRound, membersToAsk, placeDrained } from '../distribution/place.ts'
import type { End, View } from '../distribution/view.ts'
import { unpackEnd } from '../distribution/wire.ts'
import type { MoveRecord } from '../group/record.ts'
import type { Leaving } from './own-sessions.ts'
import { ASK_MS, type Shared } from './shared-parts.ts'

export const DRAIN_EVERY_MS = 1_000
const AGAIN_FIRST_MS = 5_000
const AGAIN_MOST_MS = 120_000
/** A move by hand is under way to where it was just pinned, perhaps. */
const AWAY_MS = 5_000
const TOLD_MAX = 10

const LOOK_MS = 100
/** What does not pass while one waits for a stop. */
const LASTING: ReadonlySet<string> = new Set(['HOLDS_STATE', 'MULTIPATH', 'NO_DESTINATION'])

interface Attempt extends Stuck {
  readonly againMs: number
  readonly waitMs: number
}

export class Drainer {
  readonly #shared: Shared
  readonly #seed: () => number
  readonly #attempts = new Map<SessionId, Attempt>()
  /** Since when a session that is pinned elsewhere is seen here. */
  readonly #away = new Map<SessionId, number>()
  #began: { readonly atMs: number; moved: number } | null = null
  #isStopped = false

  constructor(shared: Shared, seed: () => number) {
    this.#shared = shared
    this.#seed = seed
  }

  stop(): void {
    this.#isStopped = true
  }

  async round(): Promise<void> {
    this.#forget()
    if (this.#isOn) {
      this.#began ??= { atMs: this.#nowMs(), moved: 0 }
      for (const { id } of drainRound(this.#leaving().filter((one) => this.#isDue(one)))) {
        if (!this.#isOn) return // DR1
        await this.#send(id)
      }
    } else {
      if (this.#began !== null) this.#attempts.clear()
      this.#began = null
      await this.#bringHome()
    }
  }

  /** null: this member is not drained. */
  get state(): DrainState | null {
    return this.#shared.member.target.isDraining ? this.#told(this.#stuck()) : null
  }

  /** What a drain would find now; nothing is moved. */
  plan(): DrainState {
    return this.#told(this.#stuck())
  }

  /** Settles when no session is left, when nothing but time could let the rest leave, or after so long. */
  async drained(withinMs: number): Promise<void> {
    const { clock } = this.#shared.member.ports
    const until = clock.nowMs() + withinMs
    await sleep(clock, Math.min(LOOK_MS, withinMs))
    while (clock.nowMs() < until) {
      const { left, stuck, reasons } = this.plan()
      if (left === stuck && reasons.every(({ code }) => LASTING.has(code))) return
      await sleep(clock, LOOK_MS)
    }
  }

  get #isOn(): boolean {
    return !this.#isStopped && this.#shared.member.target.isDraining
  }

  #told(stuck: readonly Stuck[]): DrainState {
    const { member, policy } = this.#shared
    const { atMs = this.#nowMs(), moved = 0 } = this.#began ?? {}
    const left = member.target.registry.size
    return {
      since: isoAt(member.ports.clock, atMs),
      left,
      moved,
      secondsLeft: secondsLeft(moved, this.#nowMs() - atMs, left, stuck.length),
      stuck: stuck.length,
      reasons: stuck
        .slice(0, TOLD_MAX)
        .map((one) => stuckInWords(one, member.id, policy.settings.policy)),
    }
  }

  /** DR3. */
  #stuck(): readonly Stuck[] {
    return this.#leaving().flatMap(({ id, held }): Stuck[] => {
      if (held === 'ALREADY_MOVING') return []
      if (held !== null) return [{ session: id, answer: held, to: null }]
      const attempt = this.#attempts.get(id)
      return attempt === undefined ? [] : [attempt]
    })
  }

  #leaving(): readonly Leaving[] {
    const { sessions, others, policy } = this.#shared
    return sessions.leaving(others.view(), policy.settings.policy)
  }

  #isDue({ id }: Leaving): boolean {
    return this.#nowMs() >= (this.#attempts.get(id)?.againMs ?? 0)
  }

  async #send(id: SessionId): Promise<void> {
    const { others } = this.#shared
    const view = others.view()
    const session = this.#leaving().find((one) => one.id === id)
    if (session === undefined || session.held !== null) return
    const found = await this.#refuge(session, view)
    if ('answer' in found) this.#failed(id, found.answer, null)
    else if (this.#isOn) await this.#move(id, found.to, 'drain')
  }

  /** The least used of a few members that may have it, as they are now. */
  async #refuge(
    session: Leaving,
    view: View,
  ): Promise<{ readonly to: MemberId } | { readonly answer: string }> {
    const { member, policy } = this.#shared
    const settings = policy.settings.policy
    const asked = membersToAsk(view, session.barred, this.#seed(), settings)
    if (asked.length === 0) {
      const barred = [...view.members.keys()].map((id) => session.barred.get(id))
      return { answer: barred.find((code) => code !== undefined) ?? 'NO_DESTINATION' }
    }
    const fresh = await Promise.all(asked.map((id) => member.peers.ask(id, 'end', null, ASK_MS)))
    const ends = fresh
      .map(unpackEnd)
      .filter((end, at): end is End => !('refused' in end) && end.member === asked[at])
    if (ends.length === 0) return { answer: `${asked.join(', ')} did not answer` }
    const to = placeDrained(session, ends, settings)
    return to === null ? { answer: 'DEST_CAP' } : { to }
  }

  async #move(id: SessionId, to: MemberId, by: MoveRecord['by']): Promise<void> {
    const { member, sessions } = this.#shared
    const reason =
      by === 'drain' ? `${member.id} is drained; ${to} has room for it` : `it is pinned to ${to}`
    const end = await member.target.move(id, {
      id: member.ports.newId(),
      to,
      by,
      code: by === 'drain' ? 'DRAIN' : 'PINNED',
      reason,
      predicted: null,
      proposal: null,
      estimate: sessions.handOver(id),
    })
    if (end.kind === 'committed') {
      sessions.left(id)
      this.#attempts.delete(id)
      if (this.#began !== null) this.#began.moved += 1
    } else this.#failed(id, end.reason, to)
  }

  /** DR2. */
  #failed(session: SessionId, answer: string, to: MemberId | null): void {
    const before = this.#attempts.get(session)?.waitMs
    const waitMs = before === undefined ? AGAIN_FIRST_MS : Math.min(2 * before, AGAIN_MOST_MS)
    this.#attempts.set(session, { session, answer, to, waitMs, againMs: this.#nowMs() + waitMs })
  }

  /** One a round. */
  async #bringHome(): Promise<void> {
    const { member, others, sessions, policy } = this.#shared
    const view = others.view()
    const nowMs = this.#nowMs()
    for (const session of member.target.registry.all()) {
      const { id, record } = session
      const home = record.pinned
      if (home === undefined || home === member.id || !view.members.has(home)) {
        this.#away.delete(id)
        continue
      }
      const since = this.#away.get(id) ?? nowMs
      this.#away.set(id, since)
      if (nowMs - since < AWAY_MS || nowMs < (this.#attempts.get(id)?.againMs ?? 0)) continue
      const leaving = sessions.leavingFor(session, home, view, policy.settings.policy)
      if (leaving.held !== null || leaving.barred.get(home) !== undefined) continue
      await this.#move(id, home, 'operator')
      return
    }
  }

  /** What is kept of sessions that are here no more. */
  #forget(): void {
    const { registry } = this.#shared.member.target
    for (const kept of [this.#attempts, this.#away]) {
      for (const id of kept.keys()) if (registry.get(id) === undefined) kept.delete(id)
    }
  }

  #nowMs(): number {
    return this.#shared.member.ports.clock.nowMs()
  }
}
