// The usual distributors at work: those that place logins, or move by the rules of baselines.ts, and one that knows the
// mean demand of all (clairvoyant.ts). What they see are averages of what members measure, as old as reports are.
import { leastLoaded, type Moves, naive, rdd, type Seen, threshold } from './baselines.ts'
import { clairvoyant, levelled } from './clairvoyant.ts'
import { type Distributor, drained, type Measured, type PolicyName } from './policies.ts'
import { ReportedAverages } from './reported-averages.ts'
import type { Running } from './running.ts'

type Usual = Exclude<PolicyName, 'sgr' | 'sgr+p'>

const EVERY: Partial<Record<Usual, number>> = { naive: 5, threshold: 10, rdd: 10, clair: 10 }
const LEVEL = 1.05

export class UsualDistributor implements Distributor {
  readonly everySeconds: number | null
  readonly #policy: Usual
  readonly #run: Running
  readonly #averages: ReportedAverages
  #turn = 0

  constructor(policy: Usual, run: Running) {
    this.#policy = policy
    this.#run = run
    this.everySeconds = EVERY[policy] ?? null
    const kind = policy === 'threshold' ? 'fast' : policy === 'rdd' ? 'slow' : 'whole'
    this.#averages = new ReportedAverages(run, kind)
  }

  place(_: number, home: number, t: number): number {
    const { world, draining } = this.#run
    const open = world.live.filter((s) => !draining.has(s))
    if (this.#policy === 'round-robin') {
      this.#turn += 1
      return open[(this.#turn - 1) % open.length] ?? home
    }
    if (this.#policy !== 'login') return home
    const least = leastLoaded(this.#view(t - 1))
    return least < 0 ? home : least
  }

  came(session: number): void {
    this.#averages.came(session)
  }

  went(session: number, s: number): void {
    this.#averages.moved(session, s, null)
  }

  moved(session: number, from: number, to: number): void {
    this.#averages.moved(session, from, to)
  }

  measured(second: Measured): void {
    this.#averages.measured(second)
  }

  joined(): void {}

  removed(): void {}

  #view(t: number) {
    const { world, draining } = this.#run
    return {
      loads: this.#averages.reported(t),
      capacity: (s: number) => world.capacityOf(s),
      open: world.alive.map((alive, s) => alive && !draining.has(s)),
    }
  }

  round(s: number, t: number): void {
    if (this.#policy === 'clair') {
      if (s === this.#run.world.live[0]) this.#clairvoyantRound(t)
      return
    }
    for (const [session, to] of this.#moves(s, t))
      if (to >= 0) this.#run.move(session, to, t, false)
  }

  #moves(s: number, t: number): Moves {
    const { world, luck } = this.#run
    const { loads, capacity, open } = this.#view(t)
    const seen: Seen = {
      self: s,
      load: this.#averages.fresh(s),
      sessions: Array.from(world.at[s] ?? [], (id) => ({ id, weight: this.#weightOf(id) })),
      loads,
      capacity,
      open: open.map((isOpen, o) => isOpen || o === s),
    }
    if (this.#policy === 'naive') return naive(seen, luck)
    return this.#policy === 'threshold' ? threshold(seen) : rdd(seen, luck)
  }

  #weightOf(session: number): number {
    const { world } = this.#run
    const s = world.gateway[session] ?? 0
    return this.#averages.demandOf(session) * world.weight(session, s, 0)
  }

  /** All but the moving ones have no policy where to: at random, or to who reports least. */
  drainRound(s: number, t: number): void {
    const { world, draining, logins } = this.#run
    const size = (c: number) => this.#averages.sizeOf(c)
    const list = Array.from(world.at[s] ?? []).sort((a, b) => size(b) - size(a) || a - b)
    const open = world.live.filter((x) => x !== s && !draining.has(x))
    const isBlind = this.#policy === 'none' || this.#policy === 'round-robin'
    const view = isBlind ? null : this.#view(t)
    for (const c of list.slice(0, drained(list.length))) {
      const to = view === null ? (open[logins.whole(open.length)] ?? -1) : leastLoaded(view)
      if (to < 0) return
      if (view !== null && this.#policy !== 'login' && this.#policy !== 'naive') {
        view.loads[to] = (view.loads[to] ?? 0) + this.#weightOf(c)
      }
      this.#run.move(c, to, t, true)
    }
  }

  /** Fewest moves, by the mean demand, while the fullest is above what could be reached. */
  #clairvoyantRound(t: number): void {
    const { world, move } = this.#run
    const { demand, gateway } = world
    const mean = demand.mean.map((x, c) => ((gateway[c] ?? -1) < 0 ? 0 : x))
    const base = new Float64Array(world.load.length)
    world.bases(mean, t, base)
    const { most } = clairvoyant(world, mean, base)
    levelled(world, mean, base, LEVEL * most, (session, to) => move(session, to, t, false))
  }
}
