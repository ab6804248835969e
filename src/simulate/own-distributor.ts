// The distribution that members run, at work in a simulated group: its estimates, reports, rounds, negotiations, grants and
// placement. Only the clock, the wire and the target are simulated.
import { type MemberId, type SessionId, sessionId } from '../base/ids.ts'
import { heldBack, withBegun } from '../distribution/budget.ts'
import { type Proposal, urgentRounds } from '../distribution/decide.ts'
import { type GrantAnswer, grant } from '../distribution/grant.ts'
import { Negotiation } from '../distribution/negotiation.ts'
import { drainRound, membersToAsk, placeDrained, placeLogin } from '../distribution/place.ts'
import type { Policy } from '../distribution/policy.ts'
import type { JudgedMove } from '../distribution/trust.ts'
import { type Heard, hear, type MemberFacts, type SessionView } from '../distribution/view.ts'
import { packAsk, unpackAsk } from '../distribution/wire.ts'
import { asTable, NETWORK_UNIT_BYTES, shareAt } from '../load/load-table.ts'
import type { Report } from '../load/report.ts'
import type { SessionSample } from '../load/sample.ts'
import { Chance, STREAM } from './chance.ts'
import { BACK, ON } from './demand.ts'
import { JudgedMoves } from './judged-moves.ts'
import { memberName, memberNumber, RATE, SimulatedMember } from './member.ts'
import type { Distributor, Measured } from './policies.ts'
import type { Running } from './running.ts'
import { COST } from './scenario.ts'

export interface OwnSettings {
  readonly seed: number
  readonly policy: Policy
  /** Logins are placed. */
  readonly places: boolean
  /** What members believe at first that work costs, as a multiple of what it does. */
  readonly priced: number
  /** A shared machine: the same work costs a member more or less CPU, by this deviation of the logarithm, changing over 20 s. */
  readonly machine: number
  /** How fast each machine is. */
  readonly speeds: readonly number[]
  /** CPU of this process so far; null: decisions are not timed. */
  readonly cpuUs: (() => number) | null
}

/** Every fourth round is timed: asking the time costs more than some rounds. */
const TIMED = 4
const DEAR_SECONDS = 20
/** Members learn each second. In a large group all of them together would take most of the run, and so do it less often. */
const LARGE = 100
const LARGE_LEARNS_SECONDS = 5
const NOBODY: SessionView['barred'] = new Map()

export class OwnDistributor implements Distributor {
  readonly everySeconds: number
  readonly #run: Running
  readonly #settings: OwnSettings
  readonly #members: SimulatedMember[]
  readonly #boots: number[]
  /** One for all that were there from the beginning, where nothing is lost: they all hear the same. */
  readonly #common: Map<MemberId, Heard> | null
  readonly #samples: (SessionSample & { work: number[] })[]
  readonly #reports: (readonly Report[] | undefined)[] = []
  readonly #known = new Set<number>()
  readonly #slowness: Float64Array
  readonly #noise: Chance
  readonly #moves: JudgedMoves
  #rounds = 0
  #timed = 0
  #timedUs = 0

  constructor(run: Running, settings: OwnSettings) {
    this.#run = run
    this.#settings = settings
    this.everySeconds = settings.policy.intervalSeconds
    this.#common = run.timing.loss === 0 ? new Map() : null
    this.#boots = new Array<number>(run.world.members).fill(0)
    this.#members = this.#boots.map((_, s) => this.#boot(s, this.#common ?? new Map()))
    this.#moves = new JudgedMoves(settings.policy)
    this.#slowness = new Float64Array(run.world.members)
    this.#noise = new Chance(settings.seed, STREAM.machine)
    this.#samples = Array.from({ length: run.world.demand.count }, (_, c) => ({
      session: sessionId(c),
      seconds: 1,
      work: [0, 0, 0, 0, 0, 0, 0],
      byPrimary: [],
      outstanding: 0,
      deepest: run.timing.qd,
      latencySumMs: 0,
      latencyCount: 0,
    }))
    for (const s of run.world.live) this.#known.add(s)
  }

  get judged(): readonly JudgedMove[] {
    return this.#moves.judged
  }

  /** CPU µs of a decision; null: not timed. */
  get decisionCpuUs(): number | null {
    return this.#timed === 0 ? null : Math.round((this.#timedUs / this.#timed) * 10) / 10
  }

  #boot(s: number, heard: Map<MemberId, Heard>): SimulatedMember {
    const { world, timing } = this.#run
    const { policy, priced } = this.#settings
    const settings = {
      policy,
      resources: world.demand.resources,
      priced,
      pauseSeconds: timing.pause,
      depth: timing.qd,
    }
    return new SimulatedMember(s, settings, this.#boots[s] ?? 0, heard)
  }

  #member(s: number): SimulatedMember {
    const member = this.#members[s]
    if (member === undefined) throw new RangeError(`no member ${s}`)
    return member
  }

  joined(s: number): void {
    this.#boots[s] = (this.#boots[s] ?? 0) + 1
    this.#members[s] = this.#boot(s, new Map())
    this.#known.add(s)
  }

  removed(s: number): void {
    this.#known.delete(s)
  }

  came(session: number, s: number, t: number): void {
    this.#member(s).login(sessionId(session), t * 1000)
  }

  went(session: number, s: number): void {
    this.#member(s).logout(sessionId(session))
  }

  moved(session: number, from: number, to: number, t: number): void {
    const packed = this.#member(from).giveAway(sessionId(session), t * 1000)
    this.#member(to).takeIn(sessionId(session), packed, t * 1000)
  }

  measured({ t, demand, load }: Measured): void {
    const { world } = this.#run
    const samples = this.#sampled(demand)
    const { stored, handled } = this.#counted()
    const copies = new Map(world.copiesOf(stored).map((one) => [one.s, one]))
    for (const s of world.live) {
      const speed = this.#settings.speeds[s] ?? 1
      const capacity = world.capacityOf(s) / speed
      const cpu = ((load[s * world.resources] ?? 0) / speed) * this.#dearness(s)
      this.#member(s).measure(
        {
          seconds: 1,
          cpuSeconds: this.#settings.machine === 0 ? cpu : Math.min(capacity, cpu),
          capacityCpu: capacity,
          hostCpu: 0,
          loopUtilisation: 0,
          rssBytes: 0,
          // A world counts both ways as one.
          receivedBytes: world.resources > 1 ? (load[2 * s + 1] ?? 0) * NETWORK_UNIT_BYTES : 0,
          sentBytes: 0,
          interfaceBytes: this.#interfaceBytes(s),
          diskLatencyMs: null,
          diskQueue: 0,
          storedPieces: (stored[s] ?? 0) * RATE,
          storedBytes: 0,
          handledPieces: (handled[s] ?? 0) * RATE,
          handledBytes: 0,
          copiedPieces: (copies.get(s)?.sent ?? 0) * RATE,
          copiedBytes: 0,
          keptPieces: (copies.get(s)?.kept ?? 0) * RATE,
          keptBytes: 0,
        },
        samples[s] ?? [],
      )
    }
    this.#publish(t)
    this.#moves.second(t, (id) => this.#member(memberNumber(id)))
  }

  #interfaceBytes(s: number): number {
    const { world } = this.#run
    const capacity = world.resources > 1 ? world.capacityOf(s, 1) : 0
    return Number.isFinite(capacity) ? capacity * NETWORK_UNIT_BYTES : 0
  }

  /** Of each session what its member counts: requests, and of these those by named primaries. */
  #sampled(demand: Float64Array): SessionSample[][] {
    const { world } = this.#run
    const samples: SessionSample[][] = Array.from({ length: world.members }, () => [])
    for (let c = 0; c < demand.length; c++) {
      const s = world.gateway[c] ?? -1
      const sample = this.#samples[c]
      if (s < 0 || sample === undefined) continue
      const asked = RATE * (demand[c] ?? 0)
      const { pieces, reads } = shapeOf(world.demand.saved[c] ?? BACK)
      const bytes =
        world.resources > 1
          ? (demand[c] ?? 0) * (world.demand.ratio[c] ?? 0) * NETWORK_UNIT_BYTES
          : 0
      sample.work[0] = asked * reads
      sample.work[5] = asked * pieces
      sample.work[3] = bytes
      sample.work[6] = bytes
      const byPrimary = (world.demand.owners[c] ?? []).map(([owner, share]) => ({
        member: memberName(owner),
        pieces: asked * pieces * share,
        bytes: bytes * share,
      }))
      samples[s]?.push({ ...sample, byPrimary })
    }
    return samples
  }

  /** Requests done as a primary, and of these those for other members. */
  #counted(): { stored: Float64Array; handled: Float64Array } {
    const { world } = this.#run
    const stored = new Float64Array(world.members)
    const handled = new Float64Array(world.members)
    let even = 0
    const put = (list: Float64Array, s: number, amount: number) => {
      list[s] = (list[s] ?? 0) + amount
    }
    if (world.demand.stored === 0) return { stored, handled }
    for (let c = 0; c < world.demand.count; c++) {
      const g = world.gateway[c] ?? -1
      if (g < 0) continue
      const q = world.demand.q[c] ?? 0
      const spread = q * world.spread(c)
      even += spread
      if (world.alive[g]) put(handled, g, -spread)
      for (const [s, share] of world.demand.owners[c] ?? []) {
        put(stored, s, q * share)
        if (s !== g) put(handled, s, q * share)
      }
    }
    for (let s = 0; s < world.members; s++) {
      put(stored, s, even)
      handled[s] = Math.max(0, (handled[s] ?? 0) + even)
    }
    return { stored, handled }
  }

  #dearness(s: number): number {
    const { machine } = this.#settings
    if (machine === 0) return 1
    const keep = Math.exp(-1 / DEAR_SECONDS)
    const x = keep * (this.#slowness[s] ?? 0) + Math.sqrt(1 - keep * keep) * this.#noise.normal()
    this.#slowness[s] = x
    return Math.exp(machine * x)
  }

  #publish(t: number): void {
    const { world, timing, luck, draining } = this.#run
    const live = world.live.map((s) => this.#member(s))
    this.#reports[t] = world.live.map((s) =>
      this.#member(s).report(draining.has(s) ? 'draining' : 'up', t * 1000),
    )
    const due = this.#reports[t - timing.delay] ?? []
    for (const report of due) {
      const before = this.#common?.get(report.member)
      this.#common?.set(report.member, hear(before, report, t * 1000, this.#settings.policy))
    }
    for (const member of live) {
      if (member.heard === this.#common) continue
      for (const report of due) {
        if (report.member === member.id) continue
        if (timing.loss === 0 || luck.unit() >= timing.loss) member.hear(report, t * 1000)
      }
    }
    delete this.#reports[t - timing.delay]
    const everySeconds = world.members > LARGE ? LARGE_LEARNS_SECONDS : 1
    if (t % everySeconds === 0) for (const member of live) member.learn(world.liveCount)
  }

  #group(): MemberFacts[] {
    const { draining } = this.#run
    return Array.from(this.#known, (s) => ({ id: memberName(s), draining: draining.has(s) }))
  }

  #seedAt(t: number, number: number): number {
    return Math.imul(this.#settings.seed, 7919) + t * 31 + number
  }

  round(s: number, t: number): void {
    const { policy } = this.#settings
    if (policy.mode !== 'on') return
    const member = this.#member(s)
    const nowMs = t * 1000
    member.urgentRounds = urgentRounds(member.urgentRounds, member.end(nowMs), policy)
    member.grantedThisRound = 0
    member.begun = { ...member.begun, thisRound: 0 }
    const caution = this.#moves.caution(t)
    const negotiation = this.#begin(member, s, t, caution)
    member.owe(negotiation.round.debts)
    for (;;) {
      const proposal = negotiation.next()
      if (proposal === null) return
      if (heldBack(policy, member.begun, nowMs, nowMs) !== null) continue
      const answer = this.#ask(proposal, nowMs)
      if (answer === null) continue
      const granted = answer === 'granted'
      const to = memberNumber(proposal.to)
      if (granted) {
        member.begun = withBegun(member.begun, nowMs)
        this.#run.move(proposal.session.id, to, t, false)
        this.#moves.moved(proposal, t)
      }
      const fresh = this.#run.world.alive[to] ? this.#member(to).end(nowMs) : null
      negotiation.answered(proposal, granted, member.own(nowMs, caution), fresh)
    }
  }

  #begin(member: SimulatedMember, s: number, t: number, caution: number): Negotiation {
    const { policy, cpuUs } = this.#settings
    const moment = { nowMs: t * 1000, seed: this.#seedAt(t, s) }
    const view = member.view(this.#group(), moment.nowMs)
    const own = member.own(moment.nowMs, caution)
    this.#rounds += 1
    if (cpuUs === null || this.#rounds % TIMED !== 0)
      return new Negotiation(own, view, moment, policy)
    const before = cpuUs()
    const negotiation = new Negotiation(own, view, moment, policy)
    this.#timedUs += cpuUs() - before
    this.#timed += 1
    return negotiation
  }

  /** null: the proposal or its answer was lost; then what was granted stays promised until it runs out. */
  #ask(proposal: Proposal, nowMs: number): 'granted' | 'denied' | null {
    const { timing, luck, world, draining } = this.#run
    const { policy } = this.#settings
    const isLost = () => timing.msgLoss > 0 && luck.unit() < timing.msgLoss
    if (isLost()) return null
    const to = memberNumber(proposal.to)
    if (!world.alive[to]) return 'denied'
    const receiver = this.#member(to)
    const asked = unpackAsk(JSON.parse(JSON.stringify(packAsk(proposal, nowMs))), nowMs)
    if ('refused' in asked) throw new Error(`a proposal was refused: ${asked.refused}`)
    const answer: GrantAnswer = grant(
      {
        end: receiver.end(nowMs),
        view: receiver.view(this.#group(), nowMs),
        busy: false,
        draining: draining.has(to),
        grantedThisRound: receiver.grantedThisRound,
        barred: null,
      },
      asked,
      nowMs,
      policy,
    )
    if (answer.kind === 'granted') receiver.grantedThisRound += 1
    if (!isLost()) return answer.kind
    if (answer.kind === 'granted') {
      this.#promise(to, String(proposal.session.id), proposal.session.load, nowMs)
    }
    return null
  }

  #promise(s: number, token: string, load: Parameters<typeof shareAt>[0], nowMs: number): void {
    const { id, reservations } = this.#member(s)
    const room = asTable(load, shareAt(load, id)).slow
    reservations.promise(token, room, nowMs, this.#settings.policy)
  }

  place(session: number, home: number, t: number): number {
    const { world, draining } = this.#run
    const { places, policy } = this.#settings
    const member = this.#member(home)
    if (!places || member.estimate.capacity.length === 0) return home
    const nowMs = t * 1000
    const asked = membersToAsk(
      member.view(this.#group(), nowMs),
      NOBODY,
      this.#seedAt(t, session),
      policy,
    )
    const fresh = asked
      .map(memberNumber)
      .filter((s) => world.alive[s])
      .map((s) => this.#member(s).end(nowMs))
    const placed = placeLogin(
      { load: member.meanLoad(world.liveCount), barred: NOBODY },
      { ...member.end(nowMs), draining: draining.has(home) },
      fresh,
      policy,
    )
    if (placed === null) return home
    const to = memberNumber(placed.to)
    const token = `login ${session}`
    this.#promise(to, token, this.#member(to).meanLoad(world.liveCount), nowMs)
    this.#member(to).reservations.arrived(token, false, nowMs)
    return to
  }

  drainRound(s: number, t: number): void {
    const member = this.#member(s)
    const nowMs = t * 1000
    for (const session of drainRound(member.own(nowMs).sessions)) {
      const to = this.#refuge(member, session.id, t)
      if (to !== null) this.#run.move(session.id, to, t, true)
    }
  }

  #refuge(member: SimulatedMember, session: SessionId, t: number): number | null {
    const { policy } = this.#settings
    const load = member.estimate.load(session)
    if (load === null) return null
    const nowMs = t * 1000
    const view = member.view(this.#group(), nowMs)
    const asked = membersToAsk(view, NOBODY, this.#seedAt(t, session), policy)
    const ends = asked
      .map(memberNumber)
      .filter((s) => this.#run.world.alive[s])
      .map((s) => this.#member(s).end(nowMs))
    const to = placeDrained({ load, barred: NOBODY }, ends, policy)
    return to === null ? null : memberNumber(to)
  }
}

/** Reads and pieces of one unit of demand that costs as much as every one, and saves so much where its pages are. */
function shapeOf(saved: number): { pieces: number; reads: number } {
  const pieces = saved / BACK
  return { pieces, reads: (ON - COST.sent * pieces) / COST.front }
}
