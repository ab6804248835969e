// The distribution of a simulated group: a policy that is eager enough for a simulation's seconds, a probe that says what
// the simulated work would cost, and a watch over what balancers do.
//
// Checked, from the outside:
//   - a session is moved only to a member that granted this very move, and a login placed only where it is expected;
//   - never to a member that the session left within the ban, as far as its history could come with it;
//   - a member that knows that balance is off begins nothing, and what is under way goes on;
//   - a generation of a session is served by one member;
//   - at rest nothing is promised (I8 of src/distribution/reservations.ts).

import type { Balancer } from '../src/balance/balancer.ts'
import type { DistributionSettings } from '../src/balance/policy-record.ts'
import type { Clock } from '../src/base/clock.ts'
import type { Generation, MemberId, SessionId } from '../src/base/ids.ts'
import type { Prng } from '../src/base/prng.ts'
import type { SystemLook, SystemProbe } from '../src/base/system-probe.ts'
import { DEFAULT_POLICY, type Mode, type Policy } from '../src/distribution/policy.ts'
import type { SessionCounters } from '../src/load/counters.ts'
import { decodeReport } from '../src/load/report-bytes.ts'
import type { Member } from '../src/member/member.ts'
import type { MoveEnd, MoveOrder } from '../src/target/move-order.ts'
import type { TargetEvent } from '../src/target/target-event.ts'
import type { SimGroup } from './group.ts'
import { clockSpread } from './shape.ts'

const OFF_WHILE_MOVING = 0.3
const ON_AGAIN_MS = 2_000

/** Every gain pays, so that there is something to see; rests and bans are short beside what else happens. */
export function simDistribution(prng: Prng): DistributionSettings {
  const mode = prng.pick<Mode>(['on', 'on', 'on', 'on', 'on', 'advise'])
  const policy: Policy = {
    ...DEFAULT_POLICY,
    mode,
    kappa: prng.pick([0, 0, 1e-5]),
    horizonSeconds: 60,
    intervalSeconds: prng.pick([1, 2]),
    minAgeSeconds: prng.pick([0, 2]),
    sigmas: prng.pick([0, 0.3]),
    undershoot: prng.pick([0.03, 1]),
    restSeconds: prng.pick([0, 1]),
    restDoublings: 1,
    returnBanSeconds: prng.pick([3, 8, 600]),
    suspectSeconds: 2,
    pauseMsPerHour: 3_600_000,
    pauseStableSeconds: 0,
    pauseRandomSeconds: 0,
    placementStep: prng.pick([0.0002, 0.02]),
  }
  return { mode, placement: prng.chance(0.8), policy }
}

/** CPU seconds, some times what src/load/cost-model.ts assumes before it has seen anything. */
const costs = { alive: 0.02, command: 30e-6, byte: 1.2e-9, handled: 12e-6 } as const
const NOISE = 0.1

export class SimProbe implements SystemProbe {
  readonly #member: Member
  readonly #clock: Clock
  readonly #prng: Prng
  readonly #seen = new WeakMap<SessionCounters, { commands: number; bytes: number }>()
  #handled = 0
  #atMs: number

  constructor(member: Member, prng: Prng) {
    this.#member = member
    this.#clock = member.ports.clock
    this.#prng = prng
    this.#atMs = this.#clock.nowMs()
  }

  look(): SystemLook {
    const nowMs = this.#clock.nowMs()
    const seconds = (nowMs - this.#atMs) / 1_000
    this.#atMs = nowMs
    const noise = 1 + NOISE * (2 * this.#prng.unit() - 1)
    const cpuSeconds = (seconds * costs.alive + this.#work()) * noise
    const busy = seconds > 0 ? Math.min(1, cpuSeconds / seconds) : 0
    return {
      seconds,
      cpuSeconds,
      hostCpu: busy,
      loopUtilisation: busy,
      rssBytes: 100e6,
      ...{ networkBytes: 0, receivedBytes: 0, sentBytes: 0, interfaceBytes: 0 },
    }
  }

  /** Of sessions that are gone the last moments are lost, as a real process would show them in its CPU alone. */
  #work(): number {
    let cpu = costs.handled * (this.#member.handled.pieces - this.#handled)
    this.#handled = this.#member.handled.pieces
    for (const { counters } of this.#member.target.registry.all()) {
      const commands = counters.reads + counters.writes + counters.others
      const bytes = counters.readBytes + counters.writtenBytes
      const before = this.#seen.get(counters) ?? { commands: 0, bytes: 0 }
      this.#seen.set(counters, { commands, bytes })
      cpu += costs.command * (commands - before.commands) + costs.byte * (bytes - before.bytes)
    }
    return cpu
  }
}

interface Granted {
  readonly from: MemberId
  readonly to: MemberId
  /** A grant is forgotten with the life that gave it. */
  readonly by: Member
}

interface Left {
  readonly member: MemberId
  readonly atMs: number
}

export class DistributionWatch {
  readonly #group: SimGroup
  readonly #prng: Prng
  readonly #granted = new Map<string, Granted>()
  readonly #left = new Map<SessionId, readonly Left[]>()
  readonly #servedBy = new Map<string, MemberId>()
  /** `member key` of logins that were expected somewhere. */
  readonly #expected: string[] = []
  /** As last reported to the others. */
  readonly #reserved = new Map<MemberId, number>()

  constructor(group: SimGroup, prng: Prng) {
    this.#group = group
    this.#prng = prng
  }

  watch(member: Member, balancer: Balancer): void {
    this.#watchGrants(member, balancer)
    this.#watchMoves(member, balancer)
    const { peers } = member
    const tell = peers.tell.bind(peers)
    peers.tell = (to, kind, body) => {
      if (kind === 'report') this.#reserved.set(member.id, reservedIn(body, member.id))
      tell(to, kind, body)
    }
  }

  /** What a member's target tells. */
  told(at: MemberId, event: TargetEvent): void {
    if (event.kind === 'login') this.#login(at, event.session, event.gen, event.why)
    if (event.kind !== 'redirect' || event.why !== 'placement') return
    this.#group.totals.placed += 1
    const known = this.#expected.some(
      (one) => one.startsWith(`${event.to} `) && one.includes(`|${event.initiator}|`),
    )
    if (!known) this.#group.violation(`${event.to} does not expect ${event.initiator}`)
  }

  /** What is still promised although nobody comes, as sentences. */
  promised(): string[] {
    return [...this.#reserved]
      .filter(([, reserved]) => reserved > 0)
      .map(([member, reserved]) => `${member} still reserves ${reserved}`)
  }

  #login(at: MemberId, session: SessionId, gen: Generation, why: string): void {
    const name = `${session}.${gen}`
    const before = this.#servedBy.get(name)
    if (before !== undefined) this.#group.violation(`${before} and ${at} serve session ${name}`)
    this.#servedBy.set(name, at)
    if (why !== 'returned') this.#left.delete(session)
  }

  #watchGrants(member: Member, balancer: Balancer): void {
    const { receiver, placer } = balancer
    const grant = receiver.grant.bind(receiver)
    const arrived = receiver.arrived.bind(receiver)
    const expect = placer.expect.bind(placer)
    receiver.grant = (from, asked) => {
      const denied = grant(from, asked)
      if (denied === null) this.#granted.set(asked.move, { from, to: member.id, by: member })
      return denied
    }
    receiver.arrived = (move, session) => {
      const granted = this.#granted.get(move)
      const atMs = this.#group.timeline.nowMs
      const carried = granted?.by === member
      const left = carried ? [...(this.#left.get(session.id) ?? [])] : []
      if (carried) left.push({ member: granted.from, atMs })
      this.#left.set(session.id, left)
      arrived(move, session)
    }
    placer.expect = (key) => {
      this.#expected.push(`${member.id} ${key}`)
      expect(key)
    }
  }

  #watchMoves(member: Member, balancer: Balancer): void {
    const { target } = member
    const move = target.move.bind(target)
    target.move = async (id, order) => {
      const byBalance = order.by === 'balance'
      if (byBalance) this.#begins(member, balancer, id, order)
      const moving = move(id, order)
      if (byBalance && this.#prng.chance(OFF_WHILE_MOVING)) this.#offForAWhile(balancer)
      const end = await moving
      if (byBalance) this.#count(balancer, end)
      const granted = end.kind !== 'committed' || this.#granted.get(order.id)?.to === order.to
      if (!granted) this.#group.violation(`${order.to} granted no move of session ${id}`)
      return end
    }
  }

  #begins(member: Member, balancer: Balancer, id: SessionId, { to }: MoveOrder): void {
    const { timeline, trace, shape } = this.#group
    const { mode, policy } = balancer.policy.settings
    trace.add(member.id, `balance moves session ${id} to ${to}`)
    if (mode !== 'on') this.#group.violation(`${member.id} moves session ${id}, balance is ${mode}`)
    // Ages come by way of several clocks.
    const banMs = policy.returnBanSeconds * 1_000 * (1 - 5 * clockSpread(shape))
    for (const left of this.#left.get(id) ?? []) {
      const agoMs = timeline.nowMs - left.atMs
      if (left.member !== to || agoMs >= banMs) continue
      this.#group.violation(`session ${id} left ${to} ${agoMs} ms ago and is moved there again`)
    }
  }

  #count(balancer: Balancer, end: MoveEnd): void {
    const { totals } = this.#group
    if (end.kind === 'denied') totals.balanceDenied += 1
    if (end.kind !== 'committed') return
    totals.balanceMoved += 1
    if (balancer.policy.settings.mode === 'off') totals.movedWhileOff += 1
  }

  #offForAWhile(balancer: Balancer): void {
    this.#group.trace.add('*', 'balance off')
    void balancer.policy.write({ mode: 'off' })
    this.#group.timeline.after(ON_AGAIN_MS, () => void this.#group.switchBalance('on'))
  }
}

function reservedIn(body: unknown, from: MemberId): number {
  const report = body instanceof Uint8Array ? decodeReport(body, from) : { refused: 'no bytes' }
  if ('refused' in report) throw new Error(`a report of ${from}: ${report.refused}`)
  return report.reserved.reduce((sum, one) => sum + one, 0)
}
