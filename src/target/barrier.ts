// The login barrier (DESIGN §5): a login that was not matched by its ISID may be the return of any session of the same
// initiator name. Each other record of the pair (volume, initiator name) is either proved alive, or closed and fenced
// before the login is answered.
//
// Invariants:
//   B1. A session is left alone only if it answered a NOP-In that was sent for this very barrier, or is a login under way.
//   B2. Anything else (closed, silent for 2 s, unknown at its owner, its owner silent) is closed by compare-and-swap.
//   B3. Dead sessions, and those in an open move, are fenced again at the generation of their record.
import { type Clock, within } from '../base/clock.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import type { StoredSession } from '../coordination/group-view.ts'
import type { MemberId } from '../group/record.ts'
import type { Json, PeerLinks } from '../peer/links.ts'
import type { Gateway } from '../volume/gateway.ts'
import type { Ending } from './ending.ts'
import { type LiveSession, type ProbeVerdict, settleProbes } from './live-session.ts'
import type { Registry } from './registry.ts'

/** Longer than any pause of a living initiator that we tolerate (its own NOP time-outs are 5 s). */
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
  /** Ends a session of this member. */
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
      if ((await this.#verdict(stored)) === 'alive') return // B1
      let result = await ending.close(stored) // B2
      while (result.kind === 'unknown' && !abandoned()) {
        await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve))
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
      await new Promise<void>((resolve) => this.#deps.clock.after(RETRY_MS, resolve))
    }
  }

  async #verdict(stored: StoredSession): Promise<ProbeVerdict> {
    const { self, peers, clock } = this.#deps
    const { owner, gen, loginToken } = stored.record
    if (owner === self)
      return within(clock, VERDICT_MS, this.verdict(stored.id, gen, loginToken), 'dead')
    const reply = await peers.ask(owner, 'probe', { id: stored.id, gen, loginToken }, VERDICT_MS)
    return reply === 'alive' ? 'alive' : 'dead'
  }

  /** The owner's side: is this generation alive here? */
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
      const timer = clock.after(PROBE_MS, () => {
        session.probes.delete(tag)
        resolve('dead')
        this.#deps.end(session, 'silent')
        settleProbes(session, 'dead')
      })
      session.probes.set(tag, (verdict) => {
        timer.cancel()
        resolve(verdict)
      })
      session.carrier.probe(tag)
    })
  }

  /** The probe question of another member. */
  answer(body: Json): Promise<Json> {
    if (body !== null && typeof body === 'object' && !Array.isArray(body)) {
      const { id, gen, loginToken } = body as { [name: string]: Json }
      if (typeof id === 'number' && typeof gen === 'number' && typeof loginToken === 'string') {
        return this.verdict(id, gen, loginToken)
      }
    }
    throw new ProtocolError('a probe needs id, gen and loginToken', 'peer/DESIGN.md')
  }
}
