// Runs a group of a scenario, second by second: events, logins, demand and loads, what members measure, and what they
// decide. Decisions are made from the end of the login storm on, and from the first report.
//
// SI1. The same scenario, policy and seed give the same run, and all policies meet the same sessions.
import {
  DEFAULT_POLICY,
  type ParsedPolicy,
  type Policy,
  parsePolicy,
} from '../distribution/policy.ts'
import type { JudgedMove } from '../distribution/trust.ts'
import { AsRecorded } from './as-recorded.ts'
import { Chance, STREAM } from './chance.ts'
import type { Demand } from './demand.ts'
import { type Figures, type LoggedMove, Metrics } from './figures.ts'
import { OwnDistributor, type OwnSettings } from './own-distributor.ts'
import { AS_RECORDED, type Distributor, type PolicyName } from './policies.ts'
import { RecordedDemand, type Recording } from './recording.ts'
import type { Running } from './running.ts'
import { type Params, type ScenarioEvent, serversOf, type Timing, timingOf } from './scenario.ts'
import { UsualDistributor } from './usual.ts'
import { Workload } from './workload.ts'
import { World } from './world.ts'

export interface Settings {
  readonly seed: number
  /** 'recorded' is for recordings; elsewhere sessions then stay where they are. */
  readonly policy?: PolicyName | typeof AS_RECORDED
  /** Of the group's own distribution. */
  readonly own?: Policy
  /** Standard deviation of the logarithm of each session's attribution error. */
  readonly attribution?: number
  readonly machine?: number
  readonly priced?: number
  readonly cpuUs?: () => number
  /** Is shown the load of each member, each second: for pictures. */
  readonly watch?: (second: number, loads: readonly number[]) => void
}

export interface Run {
  readonly figures: Figures
  readonly decisionCpuUs: number | null
  readonly log: readonly LoggedMove[]
  /** What moves of the group's own distribution were predicted to bring, and what they brought. */
  readonly judged: readonly JudgedMove[]
}

export interface Replay extends Run {
  /** What members and sessions are called in the group, by their numbers. */
  readonly members: readonly string[]
  readonly sessions: readonly number[]
}

const ATTRIBUTION = 0.1
const BAN_SECONDS = 600
const DRAIN_SECONDS = 5
/** What is counted is a sample: its error falls with the root of the requests. */
const REQUESTS = 20_000
const LOAD_NOISE = 0.01

/** Volumes are not simulated, and so nobody must have a lane of one. */
const WORLD_POLICY: Policy = { ...DEFAULT_POLICY, partitionedOnly: false }

/** The group's policy with these settings, in a world. */
export const ownPolicy = (settings: unknown): ParsedPolicy => parsePolicy(settings, WORLD_POLICY)

export function simulate(params: Params, settings: Settings): Run {
  const logins = new Chance(settings.seed, STREAM.logins)
  const demand = new Workload(params, settings.seed, logins)
  return new Simulation(params, demand, settings, logins).run()
}

/** What another policy would have made of a recording, from where sessions were at its beginning. */
export function replay(recording: Recording, settings: Settings): Replay {
  const demand = new RecordedDemand(recording)
  const logins = new Chance(settings.seed, STREAM.logins)
  const run = new Simulation(demand.params, demand, { attribution: 0, ...settings }, logins).run()
  return { ...run, members: demand.names, sessions: demand.ids }
}

function distributorOf(
  policy: NonNullable<Settings['policy']>,
  running: Running,
  own: OwnSettings,
): Distributor {
  if (policy === 'sgr' || policy === 'sgr+p') return new OwnDistributor(running, own)
  if (policy !== AS_RECORDED) return new UsualDistributor(policy, running)
  const { demand } = running.world
  const isRecorded = demand instanceof RecordedDemand
  return isRecorded ? new AsRecorded(running, demand) : new UsualDistributor('none', running)
}

class Simulation {
  readonly #watch: Settings['watch']
  readonly #timing: Timing
  readonly #events: readonly ScenarioEvent[]
  readonly #migration: number
  readonly #world: World
  readonly #metrics: Metrics
  readonly #distributor: Distributor
  readonly #measuring: Chance
  readonly #luck: Chance
  readonly #logins: Chance
  readonly #draining = new Set<number>()
  readonly #error: Float64Array
  readonly #due: Float64Array
  readonly #counted: Float64Array
  readonly #measured: Float64Array
  /** Members that each session has left, and when. */
  readonly #left: (readonly (readonly [number, number])[])[]

  constructor(params: Params, demand: Demand, settings: Settings, logins: Chance) {
    const { seed, policy = 'sgr', attribution = ATTRIBUTION } = settings
    this.#watch = settings.watch
    this.#timing = timingOf(params)
    this.#events = params.events ?? []
    this.#migration = params.pageMig?.rate ?? 0
    this.#world = new World(demand, serversOf(params.startDown))
    this.#metrics = new Metrics(this.#world, this.#timing)
    this.#measuring = new Chance(seed, STREAM.measuring)
    this.#luck = new Chance(seed, STREAM.policy)
    this.#logins = logins
    this.#error = Float64Array.from({ length: demand.count }, () =>
      Math.exp(attribution * this.#measuring.normal() - (attribution * attribution) / 2),
    )
    this.#due = Float64Array.from(demand.loginAt)
    this.#counted = new Float64Array(demand.count)
    this.#measured = new Float64Array(this.#world.load.length)
    this.#left = Array.from({ length: demand.count }, () => [])
    const running = {
      world: this.#world,
      timing: this.#timing,
      draining: this.#draining,
      luck: this.#luck,
      logins,
      move: (c: number, to: number, t: number, forced: boolean) => this.#move(c, to, t, forced),
    }
    this.#distributor = distributorOf(policy, running, {
      seed,
      policy: settings.own ?? WORLD_POLICY,
      places: policy === 'sgr+p',
      priced: settings.priced ?? 1,
      machine: settings.machine ?? 0,
      speeds: params.speeds ?? [],
      cpuUs: settings.cpuUs ?? null,
    })
  }

  run(): Run {
    const { horizon } = this.#timing
    for (let t = 0; t < horizon; t++) {
      this.#comeAndGo(t)
      this.#ask(t)
      this.#metrics.second(t)
      this.#watch?.(t, [...this.#world.load])
      this.#measure(t)
      if (t + 1 < horizon) this.#decide(t)
    }
    const own = this.#distributor instanceof OwnDistributor ? this.#distributor : null
    return {
      figures: this.#metrics.result(),
      decisionCpuUs: own?.decisionCpuUs ?? null,
      log: this.#metrics.log,
      judged: own?.judged ?? [],
    }
  }

  #comeAndGo(t: number): void {
    for (const event of this.#events) {
      if (event.t !== t) continue
      for (const s of serversOf(event.s ?? event.servers)) this.#happen(event.type, s, t)
    }
    const { demand, gateway } = this.#world
    for (let c = 0; c < demand.count; c++) {
      if ((gateway[c] ?? -1) >= 0 && t >= (demand.endsAt[c] ?? 0)) {
        this.#disconnect(c, t)
        const { due, endsAt } = demand.backAt(c, t)
        this.#due[c] = due
        demand.endsAt[c] = endsAt
      }
      if ((gateway[c] ?? -1) < 0 && t >= (this.#due[c] ?? 0)) this.#login(c, t)
    }
  }

  #happen(type: ScenarioEvent['type'], s: number, t: number): void {
    const world = this.#world
    if (type === 'join') {
      this.#draining.delete(s)
      if (world.alive[s]) return
      world.add(s)
      this.#distributor.joined(s)
    } else if (!world.alive[s]) return
    else if (type === 'drain') this.#draining.add(s)
    else {
      for (const c of [...(world.at[s] ?? [])]) {
        this.#disconnect(c, t)
        this.#due[c] = t + 1 + this.#logins.unit() * 4
      }
      this.#draining.delete(s)
      world.remove(s, this.#logins)
    }
  }

  #login(c: number, t: number): void {
    const world = this.#world
    const { demand } = world
    const open = world.live.filter((s) => !this.#draining.has(s))
    // Nobody takes sessions: it tries again.
    if (open.length === 0) return
    const isFirst = this.#due[c] === demand.loginAt[c]
    const home = demand.home[c] ?? 0
    const atHome = isFirst && world.alive[home] && !this.#draining.has(home)
    let s = atHome ? home : (open[this.#logins.whole(open.length)] ?? 0)
    if (!(isFirst && demand.fixedPlace)) s = this.#distributor.place(c, s, t)
    world.place(c, s, t)
    this.#left[c] = []
    this.#due[c] = Number.POSITIVE_INFINITY
    this.#distributor.came(c, s, t)
  }

  #disconnect(c: number, t: number): void {
    this.#distributor.went(c, this.#world.gateway[c] ?? 0)
    this.#world.place(c, -1, t)
  }

  #ask(t: number): void {
    const world = this.#world
    const { demand, gateway } = world
    demand.step(t)
    for (let c = 0; c < demand.count; c++) if ((gateway[c] ?? -1) < 0) demand.q[c] = 0
    if (this.#migration > 0) world.migrate(this.#migration, t)
    world.loads(demand.q, gateway, t, world.load)
  }

  /** What members can count: demand with its error, cut off where they are saturated; their load with a little noise. */
  #measure(t: number): void {
    const world = this.#world
    const { demand, gateway } = world
    for (let c = 0; c < demand.count; c++) {
      const noise = this.#measuring.normal()
      const s = gateway[c] ?? -1
      this.#counted[c] = 0
      if (s < 0) continue
      const q = demand.q[c] ?? 0
      const over = Math.max(1, world.loadOf(s) / world.capacityOf(s))
      const seen = 1 + noise / Math.sqrt(REQUESTS * q + 1)
      this.#counted[c] = Math.max(0, (q * (this.#error[c] ?? 1) * seen) / over)
    }
    world.load.forEach((load, i) => {
      const most = Math.min(load, demand.capacity[i] ?? 1)
      this.#measured[i] = most * (1 + LOAD_NOISE * this.#measuring.normal())
    })
    this.#distributor.measured({ t, demand: this.#counted, load: this.#measured })
  }

  #decide(t: number): void {
    const world = this.#world
    const every = this.#distributor.everySeconds
    const { loginRamp, delay } = this.#timing
    if (every === null || t < Math.max(loginRamp, delay)) {
      if (t % DRAIN_SECONDS === 0) for (const s of [...this.#draining]) this.#drain(s, t)
      return
    }
    const turn = world.live.filter((s) => t % every === s % every)
    for (const s of this.#luck.shuffle(turn)) {
      if (this.#draining.has(s)) this.#drain(s, t)
      else this.#distributor.round(s, t)
    }
  }

  #drain(s: number, t: number): void {
    this.#distributor.drainRound(s, t)
    if ((this.#world.at[s]?.size ?? 0) > 0) return
    this.#draining.delete(s)
    this.#distributor.removed(s)
    this.#world.remove(s, this.#logins)
  }

  #move(c: number, to: number, t: number, forced: boolean): void {
    const world = this.#world
    const from = world.gateway[c] ?? 0
    this.#distributor.moved(c, from, to, t)
    const left = this.#left[c] ?? []
    this.#metrics.moved({ t, session: c, from, to, forced }, left)
    world.place(c, to, t)
    this.#left[c] = [...left.filter(([, at]) => t - at < BAN_SECONDS), [from, t]]
  }
}
