// The figures of SCENARIO.md §6, taken from the true loads: gap to the clairvoyant, waste, returns, latency, time to
// rebalance.
import type { SessionId } from '../../src/base/ids.ts'
import { waiting } from '../../src/distribution/judge.ts'
import { clairvoyant } from './clairvoyant.ts'
import { weight } from './demand.ts'
import { DEPTH, PAUSE_SECONDS } from './scenario.ts'
import type { World } from './world.ts'

export interface LoggedMove {
  readonly t: number
  readonly session: SessionId
  readonly from: number
  readonly to: number
}

export interface Figures {
  readonly gap: number
  readonly gapEnd: number
  readonly moves: number
  readonly wasted: number
  readonly returns: number
  readonly p99: number
  readonly forwarded: number
  /** Seconds; null: never. */
  readonly rebalanced: number | null
  /** Most moves of one member in one round. */
  readonly mostPerRound: number
  readonly log: readonly LoggedMove[]
}

const EPOCH = 60
const WINDOW = 5
const SERVICE_SECONDS = 200e-6
const BIN = Math.log(1.04)

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
  readonly #world: World
  readonly #start: number
  readonly #maxima: number[] = []
  readonly #best: number[] = []
  readonly #gaps: number[] = []
  readonly #window: Float64Array
  /** Demand by five seconds of the minute. */
  #demand: Float64Array[] = []
  #background: Float64Array[] = []
  readonly #histogram = new Float64Array(400)
  #asked = 0
  #forwarded = 0
  readonly #moves: Judged[] = []
  #returns = 0

  constructor(world: World) {
    this.#world = world
    this.#start = world.scenario.judgedFrom ?? world.scenario.loginRamp ?? 0
    this.#window = new Float64Array(world.members)
  }

  second(t: number): void {
    this.#latency()
    this.#judge(t)
    if (t < this.#start) return
    const world = this.#world
    const since = t - this.#start
    if (since % WINDOW === 0) {
      this.#window.fill(0)
      this.#demand.push(new Float64Array(world.demand.count))
      this.#background.push(new Float64Array(world.members))
    }
    const demand = this.#demand.at(-1)
    const background = this.#background.at(-1)
    for (let s = 0; s < world.members; s++) {
      this.#window[s] = (this.#window[s] ?? 0) + (world.load[s] ?? 0) / WINDOW
      if (background) background[s] = (background[s] ?? 0) + world.demand.background(s, t) / WINDOW
    }
    for (let c = 0; c < world.demand.count; c++) {
      if (demand) demand[c] = (demand[c] ?? 0) + (world.demand.q[c] ?? 0) / WINDOW
    }
    if (since % WINDOW === WINDOW - 1) {
      this.#maxima.push(Math.max(...this.#window.map((x, s) => x / (world.capacity[s] ?? 1))))
    }
    if (since % EPOCH === EPOCH - 1) this.#epoch()
  }

  #epoch(): void {
    const world = this.#world
    const windows = this.#demand.length
    const mean = new Float64Array(world.demand.count)
    const meanBackground = new Float64Array(world.members)
    for (const q of this.#demand) addAll(mean, q, 1 / windows)
    for (const b of this.#background) addAll(meanBackground, b, 1 / windows)
    const base = new Float64Array(world.members)
    world.bases(mean, -1, base)
    addAll(base, meanBackground, 1)
    const { at } = clairvoyant(world, mean, base)
    const load = new Float64Array(world.members)
    let best = 0
    this.#demand.forEach((q, k) => {
      world.loads(q, at, -1, load)
      const extra = this.#background[k]
      let most = 0
      load.forEach((x, s) => {
        most = Math.max(most, (x + (extra?.[s] ?? 0)) / (world.capacity[s] ?? 1))
      })
      best += most / windows
    })
    const ours = this.#maxima.slice(-windows).reduce((a, b) => a + b, 0) / windows
    if (this.#best.length > 0) this.#gaps.push(ours / best - 1)
    this.#best.push(best)
    this.#demand = []
    this.#background = []
  }

  #latency(): void {
    const world = this.#world
    const { demand, gateway } = world
    const x = Array.from(world.load, (l, s) => stretch(l / (world.capacity[s] ?? 1)))
    const live = world.live
    const uniform = x.reduce((sum, y, s) => sum + (world.alive[s] ? y / live : 0), 0)
    for (let c = 0; c < demand.count; c++) {
      const g = gateway[c] ?? -1
      const q = demand.q[c] ?? 0
      if (g < 0 || q === 0) continue
      const v = world.share(c, g)
      let far = (demand.rest[c] ?? 0) * uniform
      for (const [s, share] of demand.owners[c] ?? []) far += share * (x[s] ?? 1)
      this.#count(0.5 * (x[g] ?? 1) + 0.5 * far + 0.3 * (1 - v), q)
      this.#asked += q
      this.#forwarded += q * (1 - v)
    }
  }

  #count(latency: number, demand: number): void {
    add(this.#histogram, Math.max(0, Math.min(399, Math.floor(Math.log(latency) / BIN))), demand)
  }

  /** What each move of the last 300 s has saved this second, other things as they happened. */
  #judge(t: number): void {
    const world = this.#world
    for (const move of this.#moves) {
      if (!move.open) continue
      if (world.gateway[move.session] !== move.to || t > move.t + 300) {
        move.open = false
        continue
      }
      const q = world.demand.q[move.session] ?? 0
      const saved = (s: number, more: number) => {
        const c = world.capacity[s] ?? 1
        const now = world.load[s] ?? 0
        return c * (waiting((now + more) / c) - waiting(now / c))
      }
      move.gain += saved(move.from, q * weight(world.share(move.session, move.from)))
      move.gain += saved(move.to, -q * weight(world.share(move.session, move.to)))
    }
  }

  moved(move: LoggedMove): void {
    const demand = (this.#world.demand.q[move.session] ?? 0) * PAUSE_SECONDS
    if (demand > 0) this.#count(PAUSE_SECONDS / 2 / SERVICE_SECONDS, demand)
    const back = (m: Judged) =>
      m.session === move.session && m.from === move.to && move.t - m.t < 600
    if (this.#moves.some(back)) this.#returns += 1
    this.#moves.push({ ...move, gain: 0, open: true })
  }

  result(): Figures {
    const moves = this.#moves
    const wasted = moves.filter((m) => m.gain < DEPTH * PAUSE_SECONDS).length
    const perRound = new Map<string, number>()
    for (const { t, from } of moves) {
      perRound.set(`${t} ${from}`, (perRound.get(`${t} ${from}`) ?? 0) + 1)
    }
    return {
      gap: meanOf(this.#gaps),
      gapEnd: meanOf(this.#gaps.slice(-8)),
      moves: moves.length,
      wasted: moves.length > 0 ? wasted / moves.length : 0,
      returns: this.#returns,
      p99: this.#p99(),
      forwarded: this.#forwarded / this.#asked,
      rebalanced: this.#rebalanced(),
      mostPerRound: Math.max(0, ...perRound.values()),
      log: moves.map(({ t, session, from, to }) => ({ t, session, from, to })),
    }
  }

  /** Of a mixture of exponentials whose means are in the histogram. */
  #p99(): number {
    const all = this.#histogram.reduce((a, b) => a + b, 0)
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

  #rebalanced(): number | null {
    const { flash, background, join } = this.#world.scenario
    const event = flash?.from ?? background?.[0]?.from ?? join?.at ?? this.#start
    const first = Math.ceil((event - this.#start) / WINDOW)
    let run = 0
    for (let i = first; i < this.#maxima.length; i++) {
      const epoch = Math.min(this.#best.length - 1, Math.floor((i * WINDOW) / EPOCH))
      const near = (this.#maxima[i] ?? 0) <= 1.1 * (this.#best[epoch] ?? 0) + 0.02
      run = near ? run + 1 : 0
      if (run === 6) return (i - 5) * WINDOW - (event - this.#start)
    }
    return null
  }
}

const meanOf = (list: readonly number[]) =>
  list.length === 0 ? 0 : list.reduce((a, b) => a + b, 0) / list.length

function add(array: Float64Array, index: number, x: number): void {
  array[index] = (array[index] ?? 0) + x
}

function addAll(array: Float64Array, more: Float64Array, factor: number): void {
  for (let i = 0; i < array.length; i++) add(array, i, (more[i] ?? 0) * factor)
}
