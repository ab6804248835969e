// Runs the product's distribution processes in a world, second by second, in the order of SCENARIO.md §1.
import { type MemberId, sessionId } from '../../src/base/ids.ts'
import { type Proposal, urgentRounds } from '../../src/distribution/decide.ts'
import { type GrantAnswer, grant } from '../../src/distribution/grant.ts'
import { Negotiation } from '../../src/distribution/negotiation.ts'
import { DEFAULT_POLICY, type Policy } from '../../src/distribution/policy.ts'
import { packAsk, unpackAsk } from '../../src/distribution/wire.ts'
import { asTable, shareAt } from '../../src/load/load-table.ts'
import type { Report } from '../../src/load/report.ts'
import type { SessionSample } from '../../src/load/sample.ts'
import { Chance } from './demand.ts'
import { type Figures, Metrics } from './figures.ts'
import { memberName, memberNumber, overTheWire, RATE, SimulatedMember } from './member.ts'
import { DEPTH, type Scenario } from './scenario.ts'
import { World } from './world.ts'

export interface Settings {
  readonly seed: number
  readonly policy?: Policy
  /** Standard deviation of the logarithm of each session's attribution error; SCENARIO.md has 0.1. */
  readonly attribution?: number
  /** A shared machine: the same work costs a member more or less CPU, by this deviation of the logarithm, changing over 20 s. */
  readonly machine?: number
  /** What members believe at first that work costs, as a multiple of what it does. */
  readonly priced?: number
}

export function simulate(scenario: Scenario, settings: Settings): Figures {
  return new Simulation(scenario, settings).run()
}

class Simulation {
  readonly #scenario: Scenario
  readonly #seed: number
  readonly #policy: Policy
  readonly #world: World
  readonly #metrics: Metrics
  readonly #members: SimulatedMember[]
  readonly #measuring: Chance
  readonly #luck: Chance
  readonly #error: Float64Array
  readonly #reports: Report[][] = []
  readonly #machine: number
  readonly #slowness: Float64Array

  constructor(scenario: Scenario, settings: Settings) {
    this.#scenario = scenario
    this.#seed = settings.seed
    this.#policy = settings.policy ?? DEFAULT_POLICY
    this.#world = new World(scenario, settings.seed)
    this.#metrics = new Metrics(this.#world)
    this.#members = Array.from(
      { length: scenario.members },
      (_, s) => new SimulatedMember(s, this.#policy, settings.priced ?? 1),
    )
    this.#measuring = new Chance(settings.seed, 3)
    this.#luck = new Chance(settings.seed, 4)
    this.#machine = settings.machine ?? 0
    this.#slowness = new Float64Array(scenario.members)
    const spread = settings.attribution ?? 0.1
    this.#error = Float64Array.from({ length: this.#world.demand.count }, () =>
      Math.exp(spread * this.#measuring.normal() - (spread * spread) / 2),
    )
  }

  run(): Figures {
    const { horizon = 1800, loginRamp = 0, delay = 1 } = this.#scenario
    const every = this.#policy.intervalSeconds
    const before = new Int32Array(this.#world.gateway)
    for (let t = 0; t < horizon; t++) {
      before.set(this.#world.gateway)
      this.#world.step(t)
      this.#world.gateway.forEach((s, c) => {
        const at = before[c] ?? -1
        if (s >= 0 && at === -1) this.#member(s).login(sessionId(c), t * 1000)
        if (s < 0 && at >= 0) this.#member(at).logout(sessionId(c))
      })
      this.#metrics.second(t)
      this.#measure()
      this.#publish(t)
      if (t < Math.max(loginRamp, delay) || this.#policy.mode !== 'on') continue
      const turn = this.#members.flatMap((_, s) =>
        this.#world.alive[s] && t % every === s % every ? [s] : [],
      )
      for (const s of this.#luck.shuffle(turn)) this.#round(this.#member(s), t)
    }
    return this.#metrics.result()
  }

  #member(s: number): SimulatedMember {
    const member = this.#members[s]
    if (member === undefined) throw new RangeError(`no member ${s}`)
    return member
  }

  /** What the members can count: demand with the attribution error, cut off where the gateway is saturated; CPU with 1 % noise. */
  #measure(): void {
    const world = this.#world
    const { demand, gateway } = world
    const samples: SessionSample[][] = this.#members.map(() => [])
    const stored = new Float64Array(world.members)
    const handled = new Float64Array(world.members)
    for (let c = 0; c < demand.count; c++) {
      const noise = this.#measuring.normal()
      const g = gateway[c] ?? -1
      if (g < 0) continue
      const q = demand.q[c] ?? 0
      const u = (world.load[g] ?? 0) / (world.capacity[g] ?? 1)
      const seen = (1 + noise / Math.sqrt(RATE * q + 1)) / Math.max(1, u)
      const amount = Math.max(0, RATE * q * (this.#error[c] ?? 1) * seen)
      const byPrimary = (demand.owners[c] ?? []).map(([s, share]) => ({
        member: memberName(s),
        pieces: amount * share,
        bytes: 0,
      }))
      samples[g]?.push({
        session: sessionId(c),
        seconds: 1,
        work: [amount, 0, 0, 0, 0, amount, 0],
        byPrimary,
        outstanding: 0,
        deepest: DEPTH,
        latencySumMs: 0,
        latencyCount: 0,
      })
      this.#count(c, stored, handled)
    }
    this.#members.forEach((member, s) => {
      const speed = this.#scenario.speeds?.[s] ?? 1
      const capacity = (world.capacity[s] ?? 1) / speed
      const busy = Math.min(((world.load[s] ?? 0) / speed) * this.#dearness(s), capacity)
      const cpu = busy * (1 + 0.01 * this.#measuring.normal())
      const primary = { stored: stored[s] ?? 0, handled: handled[s] ?? 0 }
      if (world.alive[s]) member.measure(samples[s] ?? [], cpu, capacity, primary)
    })
  }

  #dearness(s: number): number {
    if (this.#machine === 0) return 1
    const keep = Math.exp(-1 / 20)
    const fresh = Math.sqrt(1 - keep * keep) * this.#measuring.normal()
    const x = keep * (this.#slowness[s] ?? 0) + fresh
    this.#slowness[s] = x
    return Math.exp(this.#machine * x)
  }

  #count(c: number, stored: Float64Array, handled: Float64Array): void {
    const world = this.#world
    const q = world.demand.q[c] ?? 0
    const uniform = (q * (world.demand.rest[c] ?? 0)) / world.live
    const put = (s: number, amount: number) => {
      stored[s] = (stored[s] ?? 0) + amount
      if (world.gateway[c] !== s) handled[s] = (handled[s] ?? 0) + amount
    }
    for (let s = 0; s < world.members; s++) if (world.alive[s]) put(s, uniform)
    for (const [s, share] of world.demand.owners[c] ?? []) put(s, q * share)
  }

  #publish(t: number): void {
    const { delay = 1, loss = 0 } = this.#scenario
    const world = this.#world
    const live = this.#members.filter((_, s) => world.alive[s])
    this.#reports.push(live.map((member) => overTheWire(member.report(t * 1000))))
    const due = this.#reports[t - delay] ?? []
    for (const member of live) {
      for (const report of due) {
        if (report.member === member.id) continue
        if (loss === 0 || this.#luck.unit() >= loss) member.hear(report, t * 1000)
      }
      if (t % 5 === 0) member.learn(world.live)
    }
    if (t >= delay) delete this.#reports[t - delay]
  }

  #group(): MemberId[] {
    return this.#members.flatMap((m, s) => (this.#world.alive[s] ? [m.id] : []))
  }

  #round(member: SimulatedMember, t: number): void {
    const nowMs = t * 1000
    const policy = this.#policy
    const moment = { nowMs, seed: Math.imul(this.#seed, 7919) + t * 31 + memberNumber(member.id) }
    const view = member.view(this.#group(), nowMs)
    member.urgentRounds = urgentRounds(member.urgentRounds, member.end(nowMs), policy)
    member.grantedThisRound = 0
    const negotiation = new Negotiation(member.own(nowMs), view, moment, policy)
    member.owe(negotiation.round.debts)
    for (;;) {
      const proposal = negotiation.next()
      if (proposal === null) return
      const answer = this.#ask(proposal, nowMs)
      if (answer === null) continue
      const granted = answer.kind === 'granted'
      if (granted) this.#move(proposal, t)
      const fresh = this.#member(memberNumber(proposal.to)).end(nowMs)
      negotiation.answered(proposal, granted, member.own(nowMs), fresh)
    }
  }

  /** null: the proposal or its answer was lost; then what was granted stays promised until it runs out. */
  #ask(proposal: Proposal, nowMs: number): GrantAnswer | null {
    const { messageLoss = 0 } = this.#scenario
    if (messageLoss > 0 && this.#luck.unit() < messageLoss) return null
    const receiver = this.#member(memberNumber(proposal.to))
    const asked = unpackAsk(JSON.parse(JSON.stringify(packAsk(proposal, nowMs))), nowMs)
    if ('refused' in asked) throw new Error(`a proposal was refused: ${asked.refused}`)
    const answer = grant(
      {
        end: receiver.end(nowMs),
        view: receiver.view(this.#group(), nowMs),
        busy: false,
        draining: false,
        grantedThisRound: receiver.grantedThisRound,
        barred: null,
      },
      asked,
      nowMs,
      this.#policy,
    )
    if (answer.kind === 'granted') receiver.grantedThisRound += 1
    if (!(messageLoss > 0 && this.#luck.unit() < messageLoss)) return answer
    if (answer.kind === 'granted') {
      const { load } = proposal.session
      const table = asTable(load, shareAt(load, receiver.id), 1)
      receiver.reservations.promise(String(proposal.session.id), table.slow, nowMs, this.#policy)
    }
    return null
  }

  #move(proposal: Proposal, t: number): void {
    const session = proposal.session.id
    const from = memberNumber(proposal.source.member)
    const to = memberNumber(proposal.to)
    const packed = this.#member(from).giveAway(session, t * 1000)
    this.#member(to).takeIn(session, packed, t * 1000)
    this.#world.gateway[session] = to
    this.#metrics.moved({ t, session, from, to })
  }
}
