// Watches one life of a member while it runs, for rules that a history of blocks alone would show too rarely: from the
// moment in which a move's commit is sent the old member has answered everything and executes nothing (M1, M2 of
// src/target/move.ts), unless it has taken its intent back; one that tells a barrier that it holds a session has nothing
// of it outstanding, and executes nothing before the initiator has answered that barrier (B4, B5 of
// src/target/barrier.ts); and one that stops answers what it accepted (T2 of src/target/portal.ts).
import { type Generation, type MemberId, type SessionId, sessionId } from '../src/base/ids.ts'
import type { Coordinator, Transaction } from '../src/coordination/coordinator.ts'
import { parseSession } from '../src/group/parse.ts'
import type { SessionRecord } from '../src/group/record.ts'
import type { Member } from '../src/member/member.ts'
import { fieldsOf, type Json } from '../src/peer/message.ts'
import type { Mutation, Operation, Origin } from '../src/peer/operation.ts'
import type { StoreWrite } from '../src/store/record.ts'
import { carrierOf, type LiveSession } from '../src/target/live-session.ts'
import type { CopyWatch } from './copies.ts'
import type { ResetWatch } from './resets.ts'
import { clockSpread, type Shape } from './shape.ts'
import type { Timeline } from './timeline.ts'
import type { Totals } from './totals.ts'

/** A member that stops waits 4 s for what it accepted, by its own clock. */
const STOPS_WITHIN_MS = 4_000

export type SeenWrites = Map<string, 'begun' | 'done'>

/** What all members share. */
interface WatchedGroup {
  readonly totals: Totals
  readonly resets: ResetWatch
  readonly copies: CopyWatch
  readonly shape: Shape
  readonly timeline: Timeline
}

export class Monitor {
  readonly #group: WatchedGroup
  readonly #totals: Totals
  readonly #violation: (what: string) => void
  /** Names of writes that primaries of this member have seen, over all its lives. */
  readonly #seen: SeenWrites
  /** `session token.generation` of commits that were sent and not taken back. */
  readonly #committing = new Set<string>()
  /** Sessions that are held, with the barriers that were told so and wait. */
  readonly #held = new WeakMap<LiveSession, Set<number>>()
  /** Writes that this primary has, and whether it has written them. */
  readonly #mutating = new Map<string, boolean>()
  /** Operations of each session that the gateway has. */
  readonly #underWay = new Map<SessionId, number>()
  #member: Member | null = null

  constructor(group: WatchedGroup, seen: SeenWrites, violation: (what: string) => void) {
    this.#group = group
    this.#totals = group.totals
    this.#seen = seen
    this.#violation = violation
  }

  /** The coordinator as the member sees it, watched. */
  coordinator(handle: Coordinator): Coordinator {
    const counted = async <T extends { readonly kind: string }>(call: Promise<T>): Promise<T> => {
      const result = await call
      if (result.kind === 'unknown') this.#totals.unknown += 1
      return result
    }
    return {
      txn: async (transaction) => {
        this.#sending(transaction)
        const result = await counted(handle.txn(transaction))
        if (result.kind === 'done') this.#wrote(transaction)
        return result
      },
      list: (prefix) => counted(handle.list(prefix)),
      watch: (prefix, afterRev) => handle.watch(prefix, afterRev),
      nudge: () => handle.nudge(),
      get lost() {
        return handle.lost
      },
      close: () => handle.close(),
    }
  }

  watch(member: Member): void {
    this.#member = member
    this.#watchSlices(member)
    this.#watchStore(member)
    this.#watchProbes(member)
    const { gateway } = member
    const read = gateway.read.bind(gateway)
    const write = gateway.write.bind(gateway)
    const unmap = gateway.unmap.bind(gateway)
    const compareAndWrite = gateway.compareAndWrite.bind(gateway)
    gateway.read = (origin, ...rest) => this.#executes(member, origin, () => read(origin, ...rest))
    const { resets, timeline } = this.#group
    gateway.write = (origin, volume, offset, data, counters) => {
      resets.begins(data, timeline.nowMs)
      return this.#executes(member, origin, () => write(origin, volume, offset, data, counters))
    }
    gateway.unmap = (origin, ...rest) =>
      this.#executes(member, origin, () => unmap(origin, ...rest))
    gateway.compareAndWrite = (origin, volume, offset, buffers, counters) => {
      resets.begins(buffers.data, timeline.nowMs)
      return this.#executes(member, origin, () =>
        compareAndWrite(origin, volume, offset, buffers, counters),
      )
    }
  }

  /** The session was ended by the stop of its member, after so long. */
  stopped(session: SessionId, afterMs: number): void {
    const underWay = this.#underWay.get(session) ?? 0
    if (underWay === 0 || afterMs >= STOPS_WITHIN_MS / (1 + clockSpread(this.#group.shape)) - 16)
      return
    this.#violation(`session ${session} ends by a stop with ${underWay} commands unanswered`)
  }

  /** Counts what the primary refuses, and what it knows already. */
  #watchSlices({ id, slices }: Member): void {
    const totals = this.#totals
    const { copies } = this.#group
    const mutate = slices.mutate.bind(slices)
    const read = slices.read.bind(slices)
    slices.mutate = (mutation) => {
      const name = nameOf(mutation)
      copies.comes(name, id)
      this.#mutating.set(name, false)
      const outcome = mutate(mutation)
      if (outcome instanceof Promise)
        outcome.then(
          (late) => this.#isOver(name, id, late),
          () => this.#mutating.delete(name), // The member ends, and its store is closed.
        )
      else this.#isOver(name, id, outcome)
      if (outcome === 'refused') totals.refused += 1
      else if (outcome !== 'stale' && !this.#isKnown(mutation) && mutation.data !== null)
        this.#isCarriedOut(mutation.data, outcome, () =>
          copies.isPrimary(id, mutation.slice, slices.epochOf(mutation.slice)),
        )
      return outcome
    }
    slices.read = (origin, ...rest) => {
      const outcome = read(origin, ...rest)
      if (outcome === 'refused') totals.refused += 1
      return outcome
    }
  }

  /** What is answered at once is not carried out. Who is the primary no more, and may not know it yet, must never answer. */
  #isCarriedOut(
    data: Uint8Array,
    outcome: ReturnType<Member['slices']['mutate']>,
    isPrimary: () => boolean,
  ): void {
    const objection = this.#group.resets.objection(data)
    if (objection === null || !(outcome instanceof Promise)) return
    if (isPrimary()) {
      this.#violation(objection)
      return
    }
    outcome.then(
      (late) => {
        if (late !== 'stale') this.#violation(objection)
      },
      () => undefined,
    )
  }

  #isOver(name: string, by: MemberId, outcome: string | object): void {
    const wasWritten = this.#mutating.get(name) ?? true
    this.#mutating.delete(name)
    if (outcome === 'stale') this.#totals.lateStales += 1
    else if (outcome === 'done') this.#group.copies.answered(name, by, wasWritten)
  }

  /** It came before, and is answered from memory or waited for. */
  #isKnown(mutation: Mutation): boolean {
    const name = nameOf(mutation)
    const known = this.#seen.has(name)
    if (known) this.#totals.deduplicated += 1
    else this.#seen.set(name, 'begun')
    return known
  }

  /** A write that took effect is carried out no more, in no life (V3 of src/slice/primary.ts). */
  #watchStore({ id, store }: Member): void {
    const dropSlice = store.dropSlice.bind(store)
    store.dropSlice = async (...which) => {
      const outcome = await dropSlice(...which)
      if (outcome === 'done') this.#totals.slicesDropped += 1
      return outcome
    }
    const write = store.write.bind(store)
    store.write = async (change) => {
      const { number } = change
      const name = nameOf(change)
      if (number > 0) this.#isWritten(name, id, change)
      const outcome = await write(change)
      if (number > 0 && outcome === 'done') this.#seen.set(name, 'done')
      return outcome
    }
  }

  /** What copies are sent is not this primary's, and may be sent anew in another epoch. */
  #isWritten(name: string, by: MemberId, change: StoreWrite): void {
    if (this.#mutating.has(name)) {
      this.#mutating.set(name, true)
      this.#group.copies.carriesOut(name, by, change)
    }
    if (!this.#group.shape.relocates && this.#seen.get(name) === 'done')
      this.#violation(`the write ${name} is carried out twice`)
  }

  #watchProbes({ target, controls }: Member): void {
    const answer = controls.answer.bind(controls)
    controls.answer = (from, kind, body) => {
      const reply = answer(from, kind, body)
      if (kind !== 'probe' || !(reply instanceof Promise)) return reply
      if (body instanceof Uint8Array) return reply
      const asked = askedIn(body).map((id) => {
        const session = target.registry.get(id)
        return { session, tag: [...probesOf(session)].at(-1) }
      })
      return reply.then((verdicts) => {
        if (!Array.isArray(verdicts)) return verdicts
        for (const [at, { session, tag }] of asked.entries()) {
          if (verdicts[at] === 'held' && session !== undefined && tag !== undefined)
            this.#saidToBeHeld(session, tag)
        }
        return verdicts
      })
    }
  }

  #saidToBeHeld(session: LiveSession, tag: number): void {
    this.#totals.barrierHeld += 1
    this.#held.set(session, (this.#held.get(session) ?? new Set()).add(tag))
    const { outstanding } = session.counters
    // The answer speaks for several sessions: this one's initiator may have answered the NOP-In since, and it goes on (B5).
    if (outstanding === 0 || !probesOf(session).has(tag)) return
    this.#violation(
      `session ${session.id} is said to be held with ${outstanding} commands unanswered`,
    )
  }

  #sending(transaction: Transaction): void {
    for (const record of recordsIn(transaction)) {
      if (record.move?.open !== true) continue
      this.#committing.add(`${record.loginToken}.${record.gen - 1}`)
      const session = this.#sessionOf(record)
      const outstanding = session?.counters.outstanding ?? 0
      if (outstanding > 0) this.#violation(`a move commits with ${outstanding} commands unanswered`)
    }
  }

  #wrote(transaction: Transaction): void {
    for (const { move, loginToken, gen } of recordsIn(transaction)) {
      if (move === undefined) this.#committing.delete(`${loginToken}.${gen}`)
    }
  }

  #executes<T>(member: Member, { session: id, gen }: Origin, run: () => T | Promise<T>) {
    const session = member.target.registry.get(id)
    if (session !== undefined) this.#mayExecute(session, gen)
    const outcome = run()
    if (outcome instanceof Promise) {
      this.#underWay.set(id, (this.#underWay.get(id) ?? 0) + 1)
      const settled = () => this.#underWay.set(id, (this.#underWay.get(id) ?? 0) - 1)
      outcome.then(settled, settled)
    }
    return outcome
  }

  #mayExecute(session: LiveSession, gen: Generation): void {
    const { id, loginToken } = session
    for (const tag of this.#held.get(session) ?? []) {
      if (session.gen === gen && probesOf(session).has(tag))
        this.#violation(
          `session ${id} executes a command though a barrier was told that it is held`,
        )
    }
    if (!this.#committing.has(`${loginToken}.${gen}`)) return
    this.#violation(`session ${id} executes a command though its move's commit was sent`)
  }

  #sessionOf({ loginToken }: SessionRecord) {
    for (const session of this.#member?.target.registry.all() ?? []) {
      if (session.loginToken === loginToken) return session
    }
    return undefined
  }
}

/** The tags of barriers that wait for its initiator. */
function probesOf(session: LiveSession | undefined): ReadonlySet<number> {
  const carrier = session === undefined ? null : carrierOf(session)
  return new Set(carrier?.probes.keys())
}

function nameOf({ session, gen, slice, number }: Operation): string {
  return `${session}.${gen}.${slice}.${number}`
}

/** The sessions that a probe names. */
function askedIn(body: Json): SessionId[] {
  const sessions = fieldsOf(body)?.['sessions']
  if (!Array.isArray(sessions)) return []
  return sessions.flatMap((one: Json) => {
    const id = fieldsOf(one)?.['id']
    return typeof id === 'number' ? [sessionId(id)] : []
  })
}

function recordsIn({ put = [] }: Transaction): SessionRecord[] {
  return put.flatMap(({ key, value }) => {
    if (!key.startsWith('session/')) return []
    const record = parseSession(value)
    return typeof record === 'string' ? [] : [record]
  })
}
