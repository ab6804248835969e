// The login barrier (DESIGN.md): a login that was not matched by its ISID may be the return of any session of the same
// initiator name. Each other record of the pair (volume, initiator name) is proved alive, or held, or closed and fenced
// before the login is answered: nothing that a lost connection brought can be executed behind that answer.
//
//   question ──▶ holding ──NOP-In answered──▶ alive              released when no barrier waits any more
//                   │    ──nothing outstanding──▶ held ──NOP-In answered──▶ released
//                   └────2 s with work outstanding──▶ dead         └──closed, moved, taken, 60 s──▶ discarded
//
// Invariants:
//   B1. A session is left alone only if its initiator answered the NOP-In of this very barrier, or it is a login under
//       way, or it is held (B4).
//   B2. Anything else (closed, busy and silent for 2 s, unknown at its owner, its owner silent) is closed by
//       compare-and-swap, and fenced.
//   B3. Dead sessions, and those in an open move, are fenced again at the generation of their record.
//   B4. The owner keeps what arrives from the moment it is asked, and says 'held' only when nothing that it accepted
//       before is outstanding: every such command has had its outcome, aborted ones too.
//   B5. What is held is executed when the NOP-In of each barrier that holds is answered, and only then: an answer to an
//       earlier barrier may have been sent before a later one's login. Every other end discards it.
//
// Why 'held' suffices. Let the login be answered at t, and a sibling's connection have been lost before the login was
// sent. What its owner took before the question has its outcome before 'held', so before t (B4); what it reads later,
// however late, waits for an answer that a lost connection cannot send (B5). The owner holds before it answers, so it
// may stop, sleep or crash at any point: either it has answered and holds (a crash forgets what was held), or it has
// not, and B2 closes the session. A move that commits discards what is held (M2), one that is given up releases only
// what the move held (C4); a later take or close of the record ends the session. A living initiator answers within a
// round trip.
import { type Clock, sleep, within } from '../base/clock.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import type { StoredSession } from '../coordination/group-view.ts'
import type { MemberId } from '../group/record.ts'
import type { Json, PeerLinks } from '../peer/links.ts'
import { fieldsOf } from '../peer/message.ts'
import type { Gateway } from '../volume/gateway.ts'
import type { Ending } from './ending.ts'
import type { LiveSession, ProbeVerdict } from './live-session.ts'
import type { Registry } from './registry.ts'

/** For work that is outstanding; longer than a living initiator leaves it waiting (its own NOP time-outs are 5 s). */
const PROBE_MS = 2_000
/** The owner's verdict comes at most this much later than its own 2 s. */
const VERDICT_MS = PROBE_MS + 300
const RETRY_MS = 50

export interface BarrierDeps {
  readonly self: MemberId
  readonly clock: Clock
  readonly peers: Pick<PeerLinks, 'ask'>
  readonly gateway: Pick<Gateway, 'fence'>
  readonly registry: Registry
  readonly ending: Ending
  /** Ends a session of this member; whoever waits for it hears that it is dead. */
  readonly end: (session: LiveSession, reason: 'silent') => void
  /** Reads one record as it is now; null: it does not exist. 'unknown': ask again. */
  readonly reread: (key: string) => Promise<StoredSession | null | 'unknown'>
  /** One log line for each session that a barrier closed. */
  readonly closed: (stored: StoredSession) => void
}

export class Barrier {
  readonly #deps: BarrierDeps
  #tags = 0

  constructor(deps: BarrierDeps) {
    this.#deps = deps
  }

  /** Settles when every other session of the pair is known to be alive or fenced; at once when `abandoned()`. */
  async run(others: readonly StoredSession[], abandoned: () => boolean): Promise<void> {
    await Promise.all(others.map((stored) => this.#settle(stored, abandoned)))
  }

  async #settle(found: StoredSession, abandoned: () => boolean): Promise<void> {
    const { clock, ending, gateway } = this.#deps
    let stored = found
    while (!abandoned()) {
      const { record } = stored
      if (record.state === 'dead' || record.move?.open === true) {
        gateway.fence(stored.id, record.gen) // B3
        return
      }
      if ((await this.#verdict(stored)) !== 'dead') return // B1, B4
      let result = await ending.close(stored) // B2
      while (result.kind === 'unknown' && !abandoned()) {
        await sleep(clock, RETRY_MS)
        result = await ending.close(stored)
      }
      if (result.kind === 'closed') {
        this.#deps.closed(stored)
        return
      }
      const next = await this.#current(stored.key, abandoned)
      if (next === null) return
      stored = next
    }
  }

  async #current(key: string, abandoned: () => boolean): Promise<StoredSession | null> {
    for (;;) {
      const now = await this.#deps.reread(key)
      if (now !== 'unknown') return now
      if (abandoned()) return null
      await sleep(this.#deps.clock, RETRY_MS)
    }
  }

  async #verdict(stored: StoredSession): Promise<ProbeVerdict> {
    const { self, peers, clock } = this.#deps
    const { owner, gen, loginToken } = stored.record
    if (owner === self)
      return within(clock, VERDICT_MS, this.verdict(stored.id, gen, loginToken), 'dead')
    const reply = await peers.ask(owner, 'probe', { id: stored.id, gen, loginToken }, VERDICT_MS)
    return reply === 'alive' || reply === 'held' ? reply : 'dead'
  }

  /** The owner's side: is this generation alive here? If that is not known at once, it is held from now on (B4). */
  verdict(id: number, gen: number, loginToken: string): Promise<ProbeVerdict> {
    const { registry, clock } = this.#deps
    const session = registry.get(id)
    if (session === undefined) {
      return Promise.resolve(registry.isUnderWay(loginToken) ? 'alive' : 'dead')
    }
    if (session.gen !== gen || session.guarded) return Promise.resolve('dead')
    if (session.phase === 'login') return Promise.resolve('alive')
    if (session.phase === 'ended') return Promise.resolve('dead')
    this.#tags = (this.#tags + 1) >>> 0 || 1
    const tag = this.#tags
    return new Promise((resolve) => {
      const timer = clock.after(PROBE_MS, () => this.#deps.end(session, 'silent'))
      session.probes.set(tag, (verdict) => {
        timer.cancel()
        resolve(verdict)
      })
      session.carrier.probe(tag)
    })
  }

  /** The probe question of another member. */
  answer(body: Json): Promise<Json> {
    const { id, gen, loginToken } = fieldsOf(body) ?? {}
    if (typeof id === 'number' && typeof gen === 'number' && typeof loginToken === 'string') {
      return this.verdict(id, gen, loginToken)
    }
    throw new ProtocolError('a probe needs id, gen and loginToken', 'peer/DESIGN.md')
  }
}
