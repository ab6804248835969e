// For the tests of logins, barriers and the ends of sessions: members that share one simulated coordinator in virtual
// time, a post between them that delays and falls silent, and the fences of a gateway as they were set.
import { SimClock } from '../../sim/clock.ts'
import { SimCoordination } from '../../sim/coordinator.ts'
import { Timeline } from '../../sim/timeline.ts'
import {
  type Generation,
  type MemberId,
  memberId,
  type SessionId,
  volumeId,
} from '../../src/base/ids.ts'
import { Prng } from '../../src/base/prng.ts'
import { GroupView, type StoredSession, storedSession } from '../../src/coordination/group-view.ts'
import type { GroupChange } from '../../src/group/change.ts'
import { foundGroup, startMember } from '../../src/group/founding.ts'
import { type GroupRecord, keys, RECORD_FORMAT } from '../../src/group/record.ts'
import { type Creating, completeBarrier, createSession } from '../../src/group/sessions.ts'
import { SessionCounters } from '../../src/load/counters.ts'
import type { Json } from '../../src/peer/message.ts'
import type { Carrier, LiveSession, ProbeVerdict } from '../../src/target/live-session.ts'
import type { QuiesceEnd } from '../../src/target/quiesce.ts'

export const initiator = 'iqn.2026-11.example:host'
export const stableIsid = '00023d000001'
export const randomIsid = '800000000001'

const group: GroupRecord = {
  format: RECORD_FORMAT,
  name: 'lab',
  groupId: 'g',
  incarnation: 'i',
  lineage: [],
  slices: 2,
  namingAuthority: 'iqn.2026-11.dev.evenkeel',
}

type Answerer = (kind: string, body: Json) => Json | Promise<Json>

/** What members ask and tell each other, `delayMs` each way; nobody hears a silent member, and it hears nobody. */
export class Post {
  readonly clock: SimClock
  readonly members = new Map<string, Answerer>()
  readonly silent = new Set<string>()
  readonly asked: { readonly to: MemberId; readonly kind: string; readonly body: Json }[] = []
  readonly told: { readonly to: MemberId; readonly kind: string; readonly body: Json }[] = []
  delayMs = 1

  constructor(clock: SimClock) {
    this.clock = clock
  }

  ask(to: MemberId, kind: string, body: Json, timeoutMs: number): Promise<Json | null> {
    this.asked.push({ to, kind, body })
    return new Promise((resolve) => {
      this.clock.after(timeoutMs, () => resolve(null))
      const answered = (reply: Json) => {
        this.clock.after(this.delayMs, () => resolve(reply))
      }
      this.clock.after(this.delayMs, () => {
        const answerer = this.members.get(to)
        if (answerer === undefined || this.silent.has(to)) return
        void Promise.resolve(answerer(kind, body)).then(answered)
      })
    })
  }

  tell(to: MemberId, kind: string, body: Json): void {
    this.told.push({ to, kind, body })
    this.clock.after(this.delayMs, () => {
      if (!this.silent.has(to)) void this.members.get(to)?.(kind, body)
    })
  }
}

/** Generations only rise, as at a primary; `known`: every primary has acknowledged them. */
export class FakeFences {
  readonly set = new Map<SessionId, number>()
  known = true

  fence(id: SessionId, gen: Generation): void {
    this.set.set(id, Math.max(gen, this.set.get(id) ?? 0))
  }

  fenced(id: SessionId, gen: Generation): boolean {
    return this.known && (this.set.get(id) ?? 0) >= gen
  }

  unfence(id: SessionId): void {
    this.set.delete(id)
  }

  fencedSessions(): ReadonlySet<SessionId> {
    return new Set(this.set.keys())
  }
}

export async function records() {
  const timeline = new Timeline()
  const clock = new SimClock(timeline)
  const coordination = new SimCoordination(clock, new Prng(7))
  const writer = coordination.handle('writer')
  const write = async (change: GroupChange) => {
    const result = await timeline.finish(writer.txn(change))
    if (result.kind !== 'done') throw new Error(result.kind)
  }
  for (const change of foundGroup(group, [memberId('m1'), memberId('m2')])) await write(change)
  for (const id of ['m1', 'm2'].map(memberId)) {
    const member = { id, bootId: 'b', portal: `${id}:3260`, peer: `${id}:7`, api: '' }
    await write(startMember(null, member))
  }
  const all = () =>
    coordination
      .inspect(keys.sessions)
      .map(storedSession)
      .sort((a, b) => a.id - b.id)
  const stored = (id: SessionId) => {
    const found = all().find((one) => one.id === id)
    if (found === undefined) throw new Error(`no record of session ${id}`)
    return found
  }
  /** A living record, as its member wrote it; the barrier of its login is complete. */
  const create = async (who: Partial<Creating>): Promise<StoredSession> => {
    const loginToken = who.loginToken ?? `t${coordination.rev}`
    const basics = {
      volume: volumeId(1),
      initiator,
      isid: stableIsid,
      source: 's',
      owner: memberId('m1'),
      at: '',
    }
    await write(createSession({ ...basics, ...who, loginToken }))
    const created = () => {
      const found = all().find(({ record }) => record.loginToken === loginToken)
      if (found === undefined) throw new Error('no record was created')
      return found
    }
    await write(completeBarrier(created()))
    return created()
  }
  const view = (member: MemberId) =>
    timeline.finish(GroupView.open(coordination.handle(member), clock))
  const caughtUp = (of: GroupView) =>
    timeline.until(() => of.rev === coordination.rev, 10_000, 'the view')
  return { timeline, clock, coordination, write, all, stored, create, view, caughtUp }
}

/** A carrier that remembers who waits for its initiator, and carries nothing. */
export class FakeCarrier implements Carrier {
  readonly probes = new Map<number, (verdict: ProbeVerdict) => void>()
  /** The tags of all NOP-Ins. */
  readonly asked: number[] = []
  holdsState = false
  readonly toldBytes = 2 ** 30
  readonly pausedSinceWallMs = 77

  probe(tag: number, settle: (verdict: ProbeVerdict) => void): void {
    this.asked.push(tag)
    this.probes.set(tag, settle)
  }

  /** All that wait hear it. */
  settle(verdict: ProbeVerdict): void {
    const waiting = [...this.probes.values()]
    this.probes.clear()
    for (const settle of waiting) settle(verdict)
  }

  resetByAnother = () => Promise.resolve(true)
  narrow = () => Promise.resolve()
  quiesce = (_limitMs: number): Promise<QuiesceEnd> => Promise.resolve('quiet')
  sendAway = () => ({ held: 0, resent: Promise.resolve(0) })
  grow() {}
  close() {}
  reopen() {}
  hold() {}
  release() {}
}

/** A session that lives at its member. */
export function liveOf({ id, key, rev, record }: StoredSession, carrier = new FakeCarrier()) {
  const session: LiveSession = {
    ...{ id, key, rev, record },
    gen: record.gen,
    loginToken: record.loginToken,
    beganMs: 0,
    counters: new SessionCounters(),
    phase: { kind: 'live', carrier },
  }
  return { session, carrier }
}
