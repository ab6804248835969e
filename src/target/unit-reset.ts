// LOGICAL UNIT RESET over the whole group (SAM-5 §6.3.3, RFC 7143 §4.2.3.2): the member that got it has every member that
// serves a session of the volume end that session's commands, and every primary refuse generations that are over.
//
//   list the records ──▶ ask each owner, fence each generation ──▶ all have said so? ──▶ complete
//         ▲                                   │ no, within LIMIT_MS
//         └───────────────────────────────────┘        else ──▶ rejected
//
// Invariants:
//   Z1. "Complete" is said only when no command that any session of the volume had begun before can reach the volume any
//       more: its owner has said so at its recorded generation, and every primary refuses the generations before it.
//   Z2. What cannot be made sure within LIMIT_MS is answered as rejected: a member is silent, or the coordinator is.
//   Z3. An owner that does not serve a session at the generation it is asked about says nothing for it.
import { type Clock, sleep } from '../base/clock.ts'
import {
  type Generation,
  generation,
  type MemberId,
  type SessionId,
  sessionId,
  type VolumeId,
} from '../base/ids.ts'
import { ProtocolError } from '../base/protocol-error.ts'
import type { Coordinator } from '../coordination/coordinator.ts'
import { type StoredSession, storedSession } from '../coordination/group-view.ts'
import { keys } from '../group/record.ts'
import { Body } from '../peer/controls.ts'
import type { PeerLinks } from '../peer/links.ts'
import type { Json } from '../peer/message.ts'
import type { Gateway } from '../volume/gateway.ts'
import { carrierOf, type LiveSession } from './live-session.ts'
import type { Registry } from './registry.ts'

/** Below the 15 s after which Linux takes an abort for lost, and its 30 s for a reset. */
export const LIMIT_MS = 10_000
const ASK_MS = 2_000
const AGAIN_MS = 50
/** Nothing can be left of a generation before it. */
const FIRST_GENERATION = 1

export interface UnitResetDeps {
  readonly self: MemberId
  readonly clock: Clock
  readonly coordinator: Pick<Coordinator, 'list'>
  readonly peers: Pick<PeerLinks, 'ask'>
  readonly gateway: Pick<Gateway, 'fence' | 'fenced'>
  readonly registry: Pick<Registry, 'get'>
}

/** What was said about sessions in one reset, by `id.gen`. */
type Ended = Map<string, Promise<boolean>>

export class UnitResets {
  readonly #deps: UnitResetDeps
  /** By name of the reset: asked again, an owner goes on waiting instead of ending what came since. */
  readonly #answering = new Map<string, Ended>()
  #count = 0

  constructor(deps: UnitResetDeps) {
    this.#deps = deps
  }

  /** For a session of this member, whose own commands are its own matter. True: complete (Z1). */
  async reset(volume: VolumeId, by: LiveSession): Promise<boolean> {
    const { self, clock } = this.#deps
    this.#count += 1
    const name = `${self}:${by.loginToken}:${this.#count}`
    const untilMs = clock.nowMs() + LIMIT_MS
    const ended = new Set<string>()
    while (carrierOf(by) !== null && clock.nowMs() < untilMs) {
      if (await this.#round(name, volume, by, ended)) return true
      await sleep(clock, AGAIN_MS)
    }
    return false // Z2
  }

  async #round(
    name: string,
    volume: VolumeId,
    by: LiveSession,
    ended: Set<string>,
  ): Promise<boolean> {
    const listed = await this.#deps.coordinator.list(keys.sessionsOf(volume))
    if (listed.kind === 'unknown') return false
    const records = listed.items.map(storedSession)
    const fenced = records.map((stored) => this.#fence(stored)).every(Boolean)
    const left = records.filter(
      ({ id, record }) => id !== by.id && isServed(record) && !ended.has(nameOf(id, record.gen)),
    )
    const owners = new Set(left.map(({ record }) => record.owner))
    const asked = [...owners].map(async (owner) => {
      const sessions = left.filter(({ record }) => record.owner === owner)
      for (const one of await this.#endAt(owner, name, sessions)) ended.add(one)
    })
    await Promise.all(asked)
    return fenced && left.every(({ id, record }) => ended.has(nameOf(id, record.gen)))
  }

  /** Whether every primary refuses what came before this generation. */
  #fence({ id, record, rev }: StoredSession): boolean {
    const { gateway } = this.#deps
    if (record.gen === FIRST_GENERATION) return true
    gateway.fence(id, record.gen)
    return gateway.fenced(id, record.gen, rev)
  }

  /** The sessions whose owner has said that they are ended. */
  async #endAt(
    owner: MemberId,
    name: string,
    sessions: readonly StoredSession[],
  ): Promise<readonly string[]> {
    const { self, peers } = this.#deps
    const asked = sessions.map(({ id, record }) => [id, record.gen] as const)
    if (owner === self) return this.#endHere(name, asked)
    const body = { reset: name, sessions: asked.map(([id, gen]) => [id, gen]) }
    const reply = await peers.ask(owner, 'reset', body, ASK_MS)
    return Array.isArray(reply) ? reply.filter((one) => typeof one === 'string') : []
  }

  /** Another member asks for sessions of this one; answered when those that it can speak for are ended. */
  answer({ name, sessions }: ResetQuestion): Promise<Json> {
    return this.#endHere(name, sessions)
  }

  async #endHere(
    name: string,
    sessions: readonly (readonly [SessionId, Generation])[],
  ): Promise<string[]> {
    const answering = this.#answeringTo(name)
    const ended = sessions.map(async ([id, gen]) => {
      const one = nameOf(id, gen)
      const saying = answering.get(one) ?? this.#end(id, gen)
      answering.set(one, saying)
      if (await saying) return one
      answering.delete(one) // it may begin here, or its record change
      return null
    })
    return (await Promise.all(ended)).filter((one) => one !== null)
  }

  /** Z3. A session in its login has begun no command. */
  async #end(id: SessionId, gen: Generation): Promise<boolean> {
    const session = this.#deps.registry.get(id)
    if (session?.gen !== gen) return false
    return (await carrierOf(session)?.resetByAnother()) ?? true
  }

  /** Forgotten when the reset is over for whoever asked. */
  #answeringTo(name: string): Ended {
    const known = this.#answering.get(name)
    if (known !== undefined) return known
    const answering: Ended = new Map()
    this.#answering.set(name, answering)
    this.#deps.clock.after(LIMIT_MS + ASK_MS, () => this.#answering.delete(name))
    return answering
  }
}

/** One in an open move has been answered whole, and nobody serves it. */
function isServed({ state, move }: StoredSession['record']): boolean {
  return state === 'live' && move?.open !== true
}

function nameOf(id: SessionId, gen: Generation): string {
  return `${id}.${gen}`
}

export interface ResetQuestion {
  readonly name: string
  readonly sessions: readonly (readonly [SessionId, Generation])[]
}

export function readReset(json: Json): ResetQuestion {
  const body = new Body(json)
  const sessions = body.list('sessions').map((pair) => {
    const [id, gen] = Array.isArray(pair) ? pair : []
    if (typeof id === 'number' && typeof gen === 'number')
      return [sessionId(id), generation(gen)] as const
    throw new ProtocolError('which sessions are reset?', 'peer/DESIGN.md')
  })
  return { name: body.text('reset'), sessions }
}
