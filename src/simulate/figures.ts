// What is told of a run, taken from the true loads: the gap to the clairvoyant, waste, returns, latency, the time until all
// are level. docs/OPERATING.md "Scenario files" defines each figure.
import { waiting } from '../distribution/judge.ts'
import { clairvoyant, leastMoves } from './clairvoyant.ts'
import type { Timing } from './scenario.ts'
import type { World } from './world.ts'

export interface LoggedMove {
  readonly t: number
  readonly session: number
  readonly from: number
  readonly to: number
  readonly forced: boolean
}

export interface Figures {
  /** null: not a whole minute was judged. */
  readonly gap: number | null
  readonly gapEnd: number | null
  readonly moves: number
  readonly forcedMoves: number
  /** Share of the moves. */
  readonly wasted: number
  readonly returns10min: number
  /** In service times. */
  readonly p99: number
  readonly forwarded: number
  /** Seconds; null: never. */
  readonly timeToRebalance: number | null
  /** null: no move is needed, or the first minute was not whole. */
  readonly movesOverLowerBound: number | null
}

const EPOCH = 60
const WINDOW = 5
const WINDOWS = EPOCH / WINDOW
const LEVEL_WINDOWS = 6
const SERVICE_SECONDS = 200e-6
const JUDGED_SECONDS = 300
const RETURN_SECONDS = 600
const BIN = Math.log(1.04)
const BINS = 400

/** Service times stretch with utilisation; a closed loop bounds it. */
const stretch = (u: number) => {
  if (u < 0) return 1
  return u <= 0.98 ? 1 / (1 - u) : Math.min(1000, 50 + 2500 * (u - 0.98))
}

interface Judged extends LoggedMove {
  gain: number
  open: boolean
}

export class Metrics {
  readonly log: LoggedMove[] = []
  readonly #world: World
  readonly #timing: Timing
  readonly #home: Int32Array
  readonly #maxima: number[] = []
  readonly #best: number[] = []
  readonly #gaps: number[] = []
  readonly #window: Float64Array
  /** Demand, and background, by five seconds of the minute. */
  readonly #demand: Float64Array[]
  readonly #background: Float64Array[]
  readonly #histogram = new Float64Array(BINS)
  #asked = 0
  #forwarded = 0
  #judged: Judged[] = []
  #moves = 0
  #forced = 0
  #wasted = 0
  #returns = 0
  #leastMoves: number | null = null

  constructor(world: World, timing: Timing) {
    this.#world = world
    this.#timing = timing
    this.#home = Int32Array.from(world.demand.home)
    this.#window = new Float64Array(world.load.length)
    const windows = (size: number) => Array.from({ length: WINDOWS }, () => new Float64Array(size))
    this.#demand = windows(world.demand.count)
    this.#background = windows(world.members)
  }

  second(t: number): void {
    this.#latency()
    this.#judge(t)
    const since = t - this.#timing.start
    if (since < 0) return
    const world = this.#world
    const k = Math.floor((since % EPOCH) / WINDOW)
    addAll(this.#window, world.load, 1 / WINDOW)
    addAll(this.#demand[k], world.demand.q, 1 / WINDOW)
    for (let s = 0; s < world.members; s++) {
      add(this.#background[k], s, world.demand.background(s, t) / WINDOW)
    }
    if ((since + 1) % WINDOW === 0) {
      this.#maxima.push(this.#mostOf(this.#window))
      this.#window.fill(0)
    }
    if ((since + 1) % EPOCH === 0) this.#epoch()
  }

  /** Highest utilisation of any member and resource. */
  #mostOf(load: Float64Array): number {
    let most = 0
    load.forEach((x, i) => {
      most = Math.max(most, x / (this.#world.demand.capacity[i] ?? 1))
    })
    return most
  }

  #epoch(): void {
    const world = this.#world
    const { resources } = world
    const mean = new Float64Array(world.demand.count)
    const base = new Float64Array(world.load.length)
    for (const q of this.#demand) addAll(mean, q, 1 / WINDOWS)
    world.bases(mean, null, base)
    for (const background of this.#background) {
      background.forEach((x, s) => {
        if (world.alive[s]) add(base, s * resources, x / WINDOWS)
      })
    }
    const { at, most } = clairvoyant(world, mean, base)
    const load = new Float64Array(base.length)
    let best = 0
    this.#demand.forEach((q, k) => {
      world.loads(q, at, null, load)
      this.#background[k]?.forEach((x, s) => {
        add(load, s * resources, x)
      })
      best += this.#mostOf(load) / WINDOWS
    })
    const ours = this.#maxima.slice(-WINDOWS).reduce((a, b) => a + b, 0) / WINDOWS
    if (this.#best.length > 0) this.#gaps.push(best > 0 ? ours / best - 1 : 0)
    else this.#leastMoves = leastMoves(world, mean, base, this.#home, 1.05 * most)
    this.#best.push(best)
    for (const list of [...this.#demand, ...this.#background]) list.fill(0)
  }

  #latency(): void {
    const world = this.#world
    const { demand, gateway, members, resources } = world
    const x = Array.from({ length: members }, (_, s) => {
      let u = 0
      for (let r = 0; r < resources; r++)
        u = Math.max(u, world.loadOf(s, r) / world.capacityOf(s, r))
      return stretch(u)
    })
    const live = Math.max(1, world.liveCount)
    const even = x.reduce((sum, y, s) => sum + (world.alive[s] ? y / live : 0), 0)
    for (let c = 0; c < demand.count; c++) {
      const g = gateway[c] ?? -1
      const q = demand.q[c] ?? 0
      if (g < 0 || q === 0) continue
      const v = world.share(c, g)
      let far = (demand.rest[c] ?? 0) * even
      for (const [s, share] of demand.owners[c] ?? []) far += share * (x[s] ?? 1)
      this.#count(0.5 * (x[g] ?? 1) + 0.5 * far + 0.3 * (1 - v), q)
      this.#asked += q
      this.#forwarded += q * (1 - v)
    }
  }

  #count(latency: number, demand: number): void {
    const bin = Math.floor(Math.log(latency) / BIN)
    add(this.#histogram, Math.max(0, Math.min(BINS - 1, bin)), demand)
  }

  /** What each move of the last 300 s has saved this second, other things as they happened. */
  #judge(t: number): void {
    const world = this.#world
    for (const move of this.#judged) {
      const { session, from, to } = move
      if (world.gateway[session] !== to || t > move.t + JUDGED_SECONDS) move.open = false
      if (!move.open) continue
      const q = world.demand.q[session] ?? 0
      for (let r = 0; r < world.resources; r++) {
        move.gain += this.#saved(from, r, q * world.weight(session, from, r))
        move.gain += this.#saved(to, r, -q * world.weight(session, to, r))
      }
    }
    this.#settle()
  }

  #saved(s: number, r: number, more: number): number {
    const capacity = this.#world.capacityOf(s, r)
    if (!Number.isFinite(capacity)) return 0
    const load = this.#world.loadOf(s, r)
    return capacity * (waiting((load + more) / capacity) - waiting(load / capacity))
  }

  #settle(): void {
    const { qd, pause } = this.#timing
    const settled = this.#judged.filter(({ open }) => !open)
    if (settled.length === 0) return
    this.#wasted += settled.filter(({ gain }) => gain < qd * pause).length
    this.#judged = this.#judged.filter(({ open }) => open)
  }

  /** `left`: the members that this session has left, and when. */
  moved(move: LoggedMove, left: readonly (readonly [number, number])[]): void {
    const { pause } = this.#timing
    const demand = (this.#world.demand.q[move.session] ?? 0) * pause
    if (demand > 0) this.#count(pause / 2 / SERVICE_SECONDS, demand)
    this.log.push(move)
    if (move.forced) {
      this.#forced += 1
      return
    }
    this.#moves += 1
    if (left.some(([s, at]) => s === move.to && move.t - at < RETURN_SECONDS)) this.#returns += 1
    this.#judged.push({ ...move, gain: 0, open: true })
  }

  result(): Figures {
    for (const move of this.#judged) move.open = false
    this.#settle()
    const { start } = this.#timing
    return {
      gap: rounded(meanOf(this.#gaps), 4),
      gapEnd: rounded(meanOf(this.#gaps.slice(-8)), 4),
      moves: this.#moves,
      forcedMoves: this.#forced,
      wasted: this.#moves > 0 ? rounded(this.#wasted / this.#moves, 3) : 0,
      returns10min: this.#returns,
      p99: rounded(this.#p99(), 1),
      forwarded: this.#asked > 0 ? rounded(this.#forwarded / this.#asked, 3) : 0,
      timeToRebalance: this.#rebalanced(start),
      movesOverLowerBound: this.#leastMoves ? rounded(this.#moves / this.#leastMoves, 2) : null,
    }
  }

  /** Of a mixture of exponentials whose means are in the histogram. */
  #p99(): number {
    const all = this.#histogram.reduce((a, b) => a + b, 0)
    if (all === 0) return 0
    let low = 0
    let high = 1e5
    for (let i = 0; i < 60; i++) {
      const x = (low + high) / 2
      let tail = 0
      this.#histogram.forEach((h, b) => {
        if (h > 0) tail += h * Math.exp(-x / Math.exp((b + 0.5) * BIN))
      })
      if (tail > 0.01 * all) low = x
      else high = x
    }
    return low
  }

  #rebalanced(start: number): number | null {
    const after = this.#timing.event - start
    if (this.#best.length === 0) return null
    let run = 0
    for (let i = Math.max(0, Math.ceil(after / WINDOW)); i < this.#maxima.length; i++) {
      const epoch = Math.min(this.#best.length - 1, Math.floor(i / WINDOWS))
      const near = (this.#maxima[i] ?? 0) <= 1.1 * (this.#best[epoch] ?? 0) + 0.02
      run = near ? run + 1 : 0
      if (run === LEVEL_WINDOWS) return (i - LEVEL_WINDOWS + 1) * WINDOW - after
    }
    return null
  }
}

const meanOf = (list: readonly number[]) =>
  list.length === 0 ? null : list.reduce((a, b) => a + b, 0) / list.length

function rounded(x: number, digits: number): number
function rounded(x: number | null, digits: number): number | null
function rounded(x: number | null, digits: number): number | null {
  return x === null ? null : Math.round(x * 10 ** digits) / 10 ** digits
}

function add(array: Float64Array | undefined, index: number, x: number): void {
  if (array) array[index] = (array[index] ?? 0) + x
}

function addAll(array: Float64Array | undefined, more: ArrayLike<number>, factor: number): void {
  for (let i = 0; i < (array?.length ?? 0); i++) add(array, i, (more[i] ?? 0) * factor)
}
