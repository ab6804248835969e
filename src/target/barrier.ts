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
//   B7. Its 2 s are counted in turns, at the owner and at the asker: a member that stood still closes nobody whose answer it
//       has not read yet.
//   B6. Each owner is asked once for all of its sessions, and answers when the last of them is settled.
//
// Why 'held' suffices. Let the login be answered at t, and a sibling's connection have been lost before the login was
// sent. What its owner took before the question has its outcome before 'held', so before t (B4); what it reads later,
// however late, waits for an answer that a lost connection cannot send (B5). The owner holds before it answers, so it
// may stop, sleep or crash at any point: either it has answered and holds (a crash forgets what was held), or it has
// not, and B2 closes the session. A move that commits discards what is held (M2), one that is given up releases only
// what the move held (C4); a later take or close of the record ends the session. A living initiator answers within a
// round trip.
import { afterTurns, type Clock, sleep, within } from '../base/clock.ts'
import {
  type Generation,
  generation,
  type MemberId,
  type SessionId,
  sessionId,
} from '../base/ids.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import type { StoredSession } from '../coordination/group-view.ts'
import { Body } from '../peer/controls.ts'
import type { PeerLinks } from '../peer/links.ts'
import type { Json } from '../peer/message.ts'
import type { Gateway } from '../volume/gateway.ts'
import type { Ending } from './ending.ts'
import { carrierOf, type LiveSession, type ProbeVerdict } from './live-session.ts'
import type { Registry } from './registry.ts'

/** For work that is outstanding; longer than a living initiator leaves it waiting (its own NOP time-outs are 5 s). */
const PROBE_MS = 2_000
/** The owner's verdict comes at most this much later than its own 2 s. */
const VERDICT_MS = PROBE_MS + 300
const RETRY_MS = 50
/** NOP-Ins of one turn: each connection takes a chunk for what it writes in a turn, and gives it back with the next. */
const AT_ONCE = 32
/** The tags above are those of rounds (quiesce.ts). */
const LAST_TAG = 0x7fff_ffff

export interface BarrierDeps {
  readonly self: MemberId
  readonly clock: Clock
  readonly peers: Pick<PeerLinks, 'ask'>
  readonly gateway: Pick<Gateway, 'fence'>
  readonly registry: Registry
  readonly ending: Ending
  /** Ends a session of this member; whoever waits for it hears that it is dead. */
  readonly end: (session: LiveSession, reason: 'silent') => void
  /** One log line for each session that a barrier closed. */
  readonly closed: (stored: StoredSession) => void
}

export interface ProbeQuestion {
  readonly sessions: readonly Probe[]
  readonly how: keyof Verdicts
}

interface Probe {
  readonly id: SessionId
  readonly gen: Generation
  readonly loginToken: string
}

export type SignOfLife = 'alive' | 'dead' | 'silent'

/** 'hold': for a barrier; 'wait': for a sign of life. */
interface Verdicts {
  readonly hold: ProbeVerdict
  readonly wait: SignOfLife
}

export class Barrier {
  readonly #deps: BarrierDeps
  #tags = 0

  constructor(deps: BarrierDeps) {
    this.#deps = deps
  }

  /** Settles when every other session of the pair is known to be alive or fenced; at once when `abandoned()`. */
  async run(others: readonly StoredSession[], abandoned: () => boolean): Promise<void> {
    if (abandoned()) return
    const byOwner = new Map<MemberId, StoredSession[]>()
    for (const stored of others) {
      const { state, move, gen, owner } = stored.record
      if (state === 'dead' || move?.open === true)
        this.#deps.gateway.fence(stored.id, gen) // B3
      else if (!byOwner.get(owner)?.push(stored)) byOwner.set(owner, [stored])
    }
    await Promise.all([...byOwner].map((asked) => this.#settle(...asked, abandoned)))
  }

  /** B6. */
  async #settle(
    owner: MemberId,
    asked: readonly StoredSession[],
    abandoned: () => boolean,
  ): Promise<void> {
    const verdicts = (await this.#ask(owner, asked, 'hold')) ?? []
    const isLeftAlone = (at: number) => verdicts[at] === 'alive' || verdicts[at] === 'held' // B1, B4
    const dead = asked.filter((_, at) => !isLeftAlone(at))
    const changed = await Promise.all(dead.map((stored) => this.close(stored, abandoned))) // B2
    await this.run(
      changed.filter((stored) => stored !== null),
      abandoned,
    )
  }

  /** B3, whoever they belong to. */
  fenceDead(sessions: readonly StoredSession[]): void {
    for (const { id, record } of sessions) {
      if (record.state === 'dead') this.#deps.gateway.fence(id, record.gen)
    }
  }

  /** B2: by compare-and-swap, and fenced. Not null: somebody changed the record, as is given back. */
  async close(stored: StoredSession, abandoned: () => boolean): Promise<StoredSession | null> {
    const { clock, ending } = this.#deps
    if (abandoned()) return null
    let result = await ending.close(stored)
    while (result.kind === 'unknown' && !abandoned()) {
      await sleep(clock, RETRY_MS)
      result = await ending.close(stored)
    }
    if (result.kind === 'closed') this.#deps.closed(stored)
    return result.kind === 'changed' ? this.#current(stored.key, abandoned) : null
  }

  async #current(key: string, abandoned: () => boolean): Promise<StoredSession | null> {
    for (;;) {
      const now = await this.#deps.ending.reread(key)
      if (now !== 'unknown') return now
      if (abandoned()) return null
      await sleep(this.#deps.clock, RETRY_MS)
    }
  }

  /** For each session: whether its initiator gives a sign of life within 2 s ('silent': not yet). Ends none of them. */
  async signsOfLife(sessions: readonly StoredSession[]): Promise<readonly SignOfLife[]> {
    const signs = new Map<StoredSession, SignOfLife>()
    const owners = new Set(sessions.map(({ record }) => record.owner))
    const ask = async (owner: MemberId) => {
      const asked = sessions.filter(({ record }) => record.owner === owner)
      const verdicts = (await this.#ask(owner, asked, 'wait')) ?? []
      for (const [at, stored] of asked.entries()) signs.set(stored, verdicts[at] ?? 'silent')
    }
    await Promise.all([...owners].map(ask))
    return sessions.map((stored) => signs.get(stored) ?? 'silent')
  }

  /** B6: one question, in the order of `asked`; null: the owner is silent. */
  async #ask<How extends keyof Verdicts>(
    owner: MemberId,
    asked: readonly StoredSession[],
    how: How,
  ): Promise<readonly Verdicts[How][] | null> {
    const { self, peers, clock } = this.#deps
    const sessions = asked.map(({ id, record }) => ({
      id,
      gen: record.gen,
      loginToken: record.loginToken,
    }))
    const reply =
      owner === self
        ? await within(clock, VERDICT_MS, this.answer({ sessions, how }), null)
        : await peers.ask(owner, 'probe', { sessions, how }, VERDICT_MS)
    return verdictsIn(reply, how)
  }

  /** The owner's side: is this generation alive here? If that is not known at once, it is held from now on (B4). */
  verdict({ id, gen, loginToken }: Probe, how: keyof Verdicts): Promise<ProbeVerdict | 'silent'> {
    const { registry, clock } = this.#deps
    const session = registry.get(id)
    if (session === undefined) {
      return Promise.resolve(registry.isUnderWay(loginToken) ? 'alive' : 'dead')
    }
    if (session.gen !== gen) return Promise.resolve('dead')
    if (session.phase.kind === 'login') return Promise.resolve('alive')
    const carrier = carrierOf(session)
    if (carrier === null) return Promise.resolve('dead')
    this.#tags = (this.#tags + 1) & LAST_TAG || 1
    const tag = this.#tags
    return new Promise((resolve) => {
      const timer = afterTurns(clock, PROBE_MS, () => {
        if (how === 'wait') resolve('silent')
        else this.#deps.end(session, 'silent')
      })
      carrier.probe(tag, (verdict) => {
        if (how === 'wait' && verdict === 'held') return
        timer.cancel()
        resolve(verdict)
      })
    })
  }

  /** The probe question of another member. */
  async answer({ sessions, how }: ProbeQuestion): Promise<readonly (ProbeVerdict | 'silent')[]> {
    const verdicts: Promise<ProbeVerdict | 'silent'>[] = []
    for (const [at, probe] of sessions.entries()) {
      if (at > 0 && at % AT_ONCE === 0) await aTurn(this.#deps.clock)
      verdicts.push(this.verdict(probe, how))
    }
    return Promise.all(verdicts)
  }
}

function aTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.soon(resolve))
}

export function readProbes(json: Json): ProbeQuestion {
  const body = new Body(json)
  const how = hows.find((one) => one === body.text('how'))
  if (how === undefined) throw new ProtocolError('a probe of no known kind', 'peer/DESIGN.md')
  const sessions = body.list('sessions').map((one) => {
    const probe = new Body(one)
    return {
      id: sessionId(probe.whole('id')),
      gen: generation(probe.whole('gen')),
      loginToken: probe.text('loginToken'),
    }
  })
  return { sessions, how }
}

const hows = ['hold', 'wait'] as const
const possible: { readonly [How in keyof Verdicts]: readonly Verdicts[How][] } = {
  hold: ['alive', 'held', 'dead'],
  wait: ['alive', 'dead', 'silent'],
}

function verdictsIn<How extends keyof Verdicts>(
  reply: Json | null,
  how: How,
): readonly Verdicts[How][] | null {
  if (!Array.isArray(reply)) return null
  const known: readonly Verdicts[How][] = possible[how]
  const verdicts = reply.flatMap((one) => known.filter((verdict) => verdict === one))
  return verdicts.length === reply.length ? verdicts : null
}
