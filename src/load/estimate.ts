// The estimate of one member: its sessions' loads, the base (what no move of a session changes: pages, forwarded
// requests handled, the process itself), and both together, fresh. Attribution is additive: Σ own weights + base +
// residue = measured. Weights and base are what the counted work is expected to cost; the residue (residue.ts) is what
// is left of the measured CPU.
//
// E1. A move changes the fresh totals of both ends at once: `leave` and `admit` hand the session's estimate over, and
//     nobody reacts to load that has gone.
// E2. Neither a move nor a login is noise: σ is corrected for both.
// E3. A step of the base or of the residue is not averaged in over minutes.
// E4. What the machine makes of the same work from minute to minute is neither load nor a reason to move.
// E5. Neither is what an idle loop spends on waking up, or what code costs that is cold: lightly loaded members with
//     the same work are equally loaded.
// E6. What is remembered is remembered as work, or stated anew when the costs change: a change of the costs is no change
//     of load.
// E7. What steps once is no noise: of two blocks that are far apart σ takes in 3 σ, and grows with what stays so.
// E8. A member's network is in its load only where it is its own; then a session counts by the bytes that pass the interface for
//     it, and what is left of those measured is the base.
import type { MemberId, SessionId } from '../base/ids.ts'
import { Base } from './base.ts'
import {
  addOwnWork,
  COST_KINDS,
  type CostEvidence,
  CostFit,
  type Costs,
  emptyWork,
  expectedCpu,
  gatewayBytes,
  groupCosts,
  PRIOR_COSTS,
  scaled,
  workCpu,
  workRates,
} from './cost-model.ts'
import { groupScale, ScaleMeasure } from './cost-scale.ts'
import {
  type AverageKind,
  addSession,
  addTables,
  asTable,
  emptyTable,
  firstOf,
  type LoadTable,
  NETWORK_UNIT_BYTES,
  RESOURCES,
  type SessionLoad,
  shareAt,
  weightAt,
} from './load-table.ts'
import { NetworkCapacity } from './network-capacity.ts'
import { Noise } from './noise.ts'
import { OwnSlope, slownessOf } from './own-slope.ts'
import { Residue } from './residue.ts'
import type { SessionSample, SystemSample } from './sample.ts'
import { WORK, WORK_KINDS } from './sample.ts'
import {
  type NetworkUse,
  SessionEstimate,
  type SessionMemory,
  TAU_SECONDS,
} from './session-load.ts'

/** From this share of busy time on the event loop is saturated, and the CPU it gets is all that it can get. */
const SATURATED_LOOP = 0.97
/** How long a capacity that was seen to be smaller is remembered. */
const CAPACITY_SECONDS = 120

/** A process that has just started loads and compiles: that is neither load nor what work costs. */
const START_UP_SECONDS = 10
/** Until about this age an average is hardly better than a block. */
const YOUNG_SECONDS = 60

export interface EstimateSettings {
  readonly self: MemberId
  /** The same at every member. */
  readonly network: NetworkUse
  /** The same at every member; `PRIOR_COSTS` unless the machines are of another kind. */
  readonly prior?: Costs
}

export class MemberEstimate {
  readonly #self: MemberId
  readonly #network: NetworkUse
  readonly #interface = new NetworkCapacity()
  readonly #prior: Costs
  readonly #fit: CostFit
  #costs: Costs
  /** Members that hold pages. */
  #members = 1
  #ageSeconds = 0
  readonly #sessions = new Map<SessionId, SessionEstimate>()
  readonly #loads = new Map<SessionId, SessionLoad>()
  readonly #base: Base[] = []
  readonly #scaleMeasure = new ScaleMeasure()
  readonly #ownSlope = new OwnSlope()
  #slowness = 1
  #scale = 1
  /** Age at which the costs were last learnt. */
  #learntAt = 0
  readonly #noise: Noise[] = []
  readonly #residue = new Residue()
  #now: LoadTable
  #capacity: number[] = []
  #attainable = Number.POSITIVE_INFINITY

  constructor(settings: EstimateSettings) {
    this.#self = settings.self
    this.#network = settings.network
    this.#prior = settings.prior ?? PRIOR_COSTS
    this.#fit = new CostFit(this.#prior)
    this.#costs = groupCosts([], this.#prior)
    const resources = this.#network === 'not counted' ? 1 : RESOURCES.length
    this.#now = emptyTable(resources)
    for (let r = 0; r < resources; r++) {
      this.#base.push(new Base(r === 0 ? COST_KINDS.length : 1))
      this.#noise.push(new Noise())
    }
  }

  /** The whole member's load now, moves included (E1), of what is its own. */
  get now(): LoadTable {
    return firstOf(this.#now, this.#resources)
  }

  get #resources(): number {
    return Math.max(1, this.#capacity.length)
  }

  /** What no move of a session changes, by resource, on slow averages. */
  get base(): readonly number[] {
    return this.#base.map(
      (base, r) =>
        base.value('slow', this.#priceOf(r)) + (r === 0 ? this.#residue.value / this.#slowness : 0),
    )
  }

  get capacity(): readonly number[] {
    return this.#capacity
  }

  /** Noise in units of utilisation, by resource. */
  get sigma(): readonly number[] {
    return this.#noise.slice(0, this.#resources).map((noise, r) => {
      const own = noise.sigma ?? Math.sqrt(this.#promised(r))
      const sigma =
        r === 0 ? Math.sqrt(own * own + this.#residue.valueVariance / this.#slowness ** 2) : own
      return sigma / (this.#capacity[r] ?? 1)
    })
  }

  /** σ² before there are blocks: of noise of some ten seconds half the deviation is left in a block, and more in what is younger. */
  #promised(r: number): number {
    const variance = (this.#now.variance[r] ?? 0) + (this.#base[r]?.variance ?? 0)
    return 0.25 * variance * (1 + YOUNG_SECONDS / Math.max(1, this.#ageSeconds))
  }

  evidence(): CostEvidence {
    return this.#fit.fitted(this.#scaleMeasure.sums(this.#scale, this.#ownSlope.value))
  }

  /** The fits of all members that are heard, this one's included, in the order of their ids; and how many members hold pages. */
  learn(fits: readonly CostEvidence[], members: number): void {
    this.#members = members
    const seconds = this.#ageSeconds - this.#learntAt
    this.#learntAt = this.#ageSeconds
    const sums = fits.map((fit) => fit.sums)
    this.#scale = groupScale(sums, seconds)
    const [before, beforeHere] = [this.#costs, this.#costsHere]
    this.#costs = groupCosts(fits, this.#prior, this.#scale)
    this.#slowness = slownessOf(this.#ownSlope.value, this.#scale, sums)
    this.#residue.restate(beforeHere, this.#costsHere)
    this.#restate(before)
  }

  /** E6. Base and sessions are kept as work, and need none of it. */
  #restate(before: Costs): void {
    const was = expectedCpu(this.#residue.work, before)
    const times = was > 1e-6 ? expectedCpu(this.#residue.work, this.#costs) / was : 1
    this.#noise[0]?.restate(times)
    this.#base[0]?.restate(times)
  }

  /** What work costs on this machine (S5). */
  get #costsHere(): Costs {
    return scaled(this.#costs, this.#slowness)
  }

  #priceOf(r: number): (amounts: readonly number[]) => number {
    return r === 0 ? (amounts) => expectedCpu(amounts, this.#costs) : ([amount = 0]) => amount
  }

  load(session: SessionId): SessionLoad | null {
    return this.#loads.get(session) ?? null
  }

  session(session: SessionId): SessionEstimate | null {
    return this.#sessions.get(session) ?? null
  }

  /** A session logged in here, with what its last member knew of it. */
  admit(session: SessionId, memory: SessionMemory | null): void {
    this.leave(session)
    const estimate = new SessionEstimate(session, memory)
    this.#sessions.set(session, estimate)
    const load = estimate.load(this.#costs, this.#members, this.#network)
    this.#loads.set(session, load)
    if (memory !== null) this.#change(load, 1)
  }

  /** The session is no longer served here; null if it was not. */
  leave(session: SessionId): SessionMemory | null {
    const estimate = this.#sessions.get(session)
    const load = this.#loads.get(session)
    this.#sessions.delete(session)
    this.#loads.delete(session)
    if (estimate === undefined || load === undefined) return null
    this.#change(load, -1)
    return estimate.handOver()
  }

  #change(load: SessionLoad, sign: 1 | -1): void {
    const table = asTable(load, shareAt(load, this.#self))
    this.#now = addTables(this.#now, table, sign)
    this.#noise.forEach((noise, r) => {
      noise.shift(sign * (table.slow[r] ?? 0))
    })
  }

  /** One round of sampling: all sessions that are served here, and the process. Samples of sessions that were not admitted are taken as admission. */
  observe(system: SystemSample, samples: readonly SessionSample[]): void {
    const { seconds } = system
    if (!(seconds > 0)) return
    this.#ageSeconds += seconds
    this.#measureCapacity(system)
    const asked = emptyWork()
    const sent = { pieces: 0, bytes: 0 }
    const attributed = new Array<number>(COST_KINDS.length).fill(0)
    let attributedBytes = 0
    const now = emptyTable(this.#noise.length)
    for (const sample of samples) {
      const load = this.#observeSession(sample)
      const share = shareAt(load, this.#self)
      addSession(now, load, share)
      for (let i = 0; i < WORK_KINDS; i++) asked[i] = (asked[i] ?? 0) + (sample.work[i] ?? 0)
      addSent(sent, sample, this.#self, this.#members)
      addOwnWork(attributed, sample.work, share)
      if (this.#network !== 'not counted') {
        attributedBytes += bytesAt(sample, share, this.#network === 'forwarding too')
      }
    }
    const rates = workRates(seconds, asked, sent, system)
    const expected = expectedCpu(rates, this.#costs)
    if (this.#ageSeconds > START_UP_SECONDS) {
      const cpu = system.cpuSeconds / seconds
      this.#fit.observe(seconds, system.cpuSeconds, rates)
      const priced = workCpu(rates, this.#prior)
      this.#scaleMeasure.observe(seconds, cpu, priced)
      this.#ownSlope.observe(seconds, cpu, priced)
      const could = Math.min(cpu, system.capacityCpu)
      const busy = could / system.capacityCpu
      const here = expectedCpu(rates, this.#costsHere)
      this.#residue.observe({ cpu: could, expected: here, rates, busy, seconds })
    }
    this.#now = now
    const base = rates.map((rate, i) => rate - (attributed[i] ?? 0) / seconds)
    this.#observeBase(0, expected, base, seconds)
    if (this.#network !== 'not counted') {
      const bytes = (system.receivedBytes + system.sentBytes) / seconds / NETWORK_UNIT_BYTES
      this.#observeBase(1, bytes, [bytes - attributedBytes], seconds)
    }
    this.#now = this.#withBase(now)
  }

  #observeSession(sample: SessionSample): SessionLoad {
    let estimate = this.#sessions.get(sample.session)
    if (estimate === undefined) {
      estimate = new SessionEstimate(sample.session)
      this.#sessions.set(sample.session, estimate)
    }
    const isNew = estimate.ageSeconds === 0
    estimate.observe(sample, this.#costs)
    const load = estimate.load(this.#costs, this.#members, this.#network)
    this.#loads.set(sample.session, load)
    if (isNew) {
      const share = shareAt(load, this.#self)
      this.#noise.forEach((noise, r) => {
        noise.shift(weightAt(load.slow, share, r))
      })
    }
    return load
  }

  #observeBase(r: number, total: number, amounts: readonly number[], seconds: number): void {
    const base = this.#base[r]
    const noise = this.#noise[r]
    if (base === undefined || noise === undefined) return
    const price = this.#priceOf(r)
    base.observe(amounts, price, seconds, this.#ageSeconds)
    noise.observe(total, seconds, this.#ageSeconds, this.#promised(r))
    const away = base.value('fast', price) - base.value('slow', price)
    if (noise.stepped(away, noise.sigma ?? 0, seconds, this.#ageSeconds)) base.step()
  }

  #withBase(sessions: LoadTable): LoadTable {
    const part = (kind: AverageKind) =>
      sessions[kind].map((value, r) => {
        const rest = r === 0 ? this.#residue.value / this.#slowness : 0
        return Math.max(0, value + (this.#base[r]?.value(kind, this.#priceOf(r)) ?? 0) + rest)
      })
    const variance = sessions.variance.map((value, r) =>
      Math.max(0, value + (this.#base[r]?.variance ?? 0)),
    )
    return { slow: part('slow'), long: part('long'), fast: part('fast'), variance }
  }

  /** A loop that is always busy gets all the CPU it can get, which on a shared host is less than it is entitled to. */
  #measureCapacity(system: SystemSample): void {
    const { seconds, capacityCpu } = system
    const cpu = system.cpuSeconds / seconds
    const saturated = system.loopUtilisation >= SATURATED_LOOP && cpu > capacityCpu / 5
    if (saturated && cpu < Math.min(this.#attainable, capacityCpu)) {
      const known = Math.min(this.#attainable, capacityCpu)
      this.#attainable = known + (cpu - known) * -Math.expm1(-seconds / TAU_SECONDS.fast)
    } else if (this.#attainable < capacityCpu) {
      this.#attainable +=
        (capacityCpu - this.#attainable) * -Math.expm1(-seconds / CAPACITY_SECONDS)
      if (this.#attainable > 0.99 * capacityCpu) this.#attainable = Number.POSITIVE_INFINITY
    }
    const attainable = Math.min(capacityCpu, this.#attainable)
    const cpuCapacity = Math.max(1e-3, attainable / this.#slowness)
    this.#interface.observe(seconds, system.receivedBytes, system.sentBytes)
    const network = this.#interface.at(system.interfaceBytes) / NETWORK_UNIT_BYTES
    const hasNetwork = this.#network !== 'not counted' && system.interfaceBytes > 0
    this.#capacity = hasNetwork ? [cpuCapacity, Math.max(1e-3, network)] : [cpuCapacity]
  }
}

function bytesAt({ work, seconds }: SessionSample, share: number, forwards: boolean): number {
  const { remote, local } = gatewayBytes(work, forwards)
  return (remote - local * share) / seconds / NETWORK_UNIT_BYTES
}

function addSent(
  sent: { pieces: number; bytes: number },
  sample: SessionSample,
  self: MemberId,
  members: number,
): void {
  let pieces = sample.work[WORK.piece] ?? 0
  let bytes = sample.work[WORK.pieceByte] ?? 0
  let unlistedPieces = pieces
  let unlistedBytes = bytes
  for (const held of sample.byPrimary) {
    unlistedPieces -= held.pieces
    unlistedBytes -= held.bytes
    if (held.member !== self) continue
    pieces -= held.pieces
    bytes -= held.bytes
  }
  sent.pieces += Math.max(0, pieces - Math.max(0, unlistedPieces) / members)
  sent.bytes += Math.max(0, bytes - Math.max(0, unlistedBytes) / members)
}
