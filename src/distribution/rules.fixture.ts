// Groups whose demand stays as it is, for the properties of rules.test.ts: views up to six rounds old, members in random order,
// and costs that all members believe wrong. What a member works in all is measured, and so is right; what each session is taken
// to be of it is not.
import fc from 'fast-check'
import { type MemberId, memberId, sessionId } from '../base/ids.ts'
import { Prng } from '../base/prng.ts'
import { addSession, emptyTable, type SessionLoad, shareAt, weightAt } from '../load/load-table.ts'
import type { Proposal, Round } from './decide.ts'
import { grant } from './grant.ts'
import { leftMembers, type MoveHistory, NO_HISTORY, restUntilMs, withMove } from './history.ts'
import { utilisation, waiting } from './judge.ts'
import { Negotiation } from './negotiation.ts'
import { DEFAULT_POLICY, type Policy } from './policy.ts'
import type { End, Own, SessionView, View } from './view.ts'

export interface Instance {
  readonly seed: number
  readonly members: number
  readonly perMember: number
  readonly mean: number
  readonly skewed: boolean
  readonly local: boolean
  readonly stale: number
  readonly unequal: boolean
  /** Two of three members have a network of their own, of another speed each. */
  readonly network: boolean
  /** What work is believed to cost, as a multiple of what it does. */
  readonly priced: number
}

export const instance: fc.Arbitrary<Instance> = fc.record({
  seed: fc.integer({ min: 1, max: 1e9 }),
  members: fc.integer({ min: 2, max: 8 }),
  perMember: fc.integer({ min: 1, max: 14 }),
  mean: fc.double({ min: 0.15, max: 0.75, noNaN: true }),
  skewed: fc.boolean(),
  local: fc.boolean(),
  stale: fc.integer({ min: 0, max: 6 }),
  unequal: fc.boolean(),
  network: fc.boolean(),
  priced: fc.constantFrom(1, 1, 0.33, 0.5, 2, 3),
})

interface Moved {
  readonly round: number
  readonly session: number
  readonly from: MemberId
  readonly to: MemberId
}

/** Requests that wait in all, and the highest utilisation, before and after a move. */
interface Granted {
  readonly waiting: { readonly before: number; readonly after: number }
  readonly highest: { readonly before: number; readonly after: number }
  readonly price: number
  /** What the session is, beyond what it is taken to be. */
  readonly beyond: number
}

interface Session {
  readonly load: SessionLoad
  readonly believed: SessionLoad
  at: MemberId
  debt: number
  history: MoveHistory
}

export class Group {
  readonly ids: readonly MemberId[]
  readonly sessions: Session[] = []
  readonly moves: Moved[] = []
  readonly grants: Granted[] = []
  readonly policy: Policy
  readonly #capacity: ReadonlyMap<MemberId, readonly number[]>
  readonly #base: Map<MemberId, readonly number[]>
  readonly #ends = new Map<MemberId, End>()
  readonly #past: ReadonlyMap<MemberId, End>[] = []
  readonly #random: Prng
  readonly #stale: number

  constructor(i: Instance, policy: Policy = DEFAULT_POLICY) {
    this.policy = policy
    this.#random = new Prng(i.seed)
    this.#stale = i.stale
    this.ids = Array.from({ length: i.members }, (_, s) => memberId(`m${s}`))
    const random = this.#random
    this.#capacity = new Map(
      this.ids.map((id) => {
        const cpu = i.unequal && random.chance(0.3) ? 2 + 2 * random.unit() : 1
        const own = i.network && random.chance(0.7)
        return [id, own ? [cpu, 0.3 + 2 * random.unit()] : [cpu]]
      }),
    )
    this.#base = new Map(this.ids.map((id) => [id, [0, 0]]))
    const whole = [...this.#capacity.values()].reduce((sum, [cpu = 0]) => sum + cpu, 0) * i.mean
    const count = Math.max(1, random.integer(1, i.perMember * i.members))
    const sizes = Array.from({ length: count }, () => (random.unit() + 0.001) ** -0.5)
    const sum = sizes.reduce((a, b) => a + b, 0)
    sizes.forEach((size, c) => {
      this.#add(c, Math.min(1 / 3, (size / sum) * (whole / 2.1)), i)
    })
  }

  #add(c: number, q: number, i: Instance): void {
    const random = this.#random
    const own = i.local && random.chance(0.7) ? 0.3 + 0.6 * random.unit() : 0
    const owner = random.pick(this.ids)
    const elsewhere = (1 - own) / i.members
    const owners: [MemberId, number][] = own > 0 ? [[owner, own + elsewhere]] : []
    const bytes = i.network ? q * 2 * random.unit() ** 2 : 0
    const network = i.network ? [2 * bytes] : []
    const loadOf = (asked: number): SessionLoad => {
      const demand = { remote: [1.5 * asked, ...network], local: [0.8 * asked, ...network] }
      return { slow: demand, long: demand, fast: demand, variance: 0, owners, elsewhere }
    }
    const load = loadOf(q)
    for (const id of this.ids) {
      const [cpu = 0, its = 0] = this.#base.get(id) ?? []
      const share = shareAt(load, id)
      this.#base.set(id, [cpu + q * share * 0.9, its + bytes * share])
    }
    const hot = Math.max(1, Math.floor(i.members / 4))
    const skewed = i.skewed && random.chance(0.6)
    const at = this.ids[skewed ? c % hot : c % i.members] ?? memberId('m0')
    this.sessions.push({ load, believed: loadOf(i.priced * q), at, debt: 0, history: NO_HISTORY })
  }

  end(id: MemberId): End {
    const known = this.#ends.get(id)
    if (known !== undefined) return known
    const capacity = this.#capacity.get(id) ?? [1]
    const load = emptyTable(capacity.length)
    for (const kind of ['slow', 'long', 'fast'] as const) {
      capacity.forEach((_, r) => {
        load[kind][r] = this.#base.get(id)?.[r] ?? 0
      })
    }
    for (const session of this.sessions) {
      if (session.at === id) addSession(load, session.load, shareAt(session.load, id))
    }
    const end = { member: id, capacity, load, sigma: capacity.map(() => 0) }
    this.#ends.set(id, end)
    return end
  }

  own(id: MemberId): Own {
    const sessions: SessionView[] = []
    this.sessions.forEach(({ at, believed, debt, history }, c) => {
      if (at !== id) return
      sessions.push({
        id: sessionId(c),
        load: believed,
        ageSeconds: 1000,
        price: this.policy.kappa + 1.6,
        debt,
        restUntilMs: restUntilMs(history, this.policy),
        left: leftMembers(history),
        held: null,
        barred: new Map(),
      })
    })
    return { ...this.end(id), urgent: false, sessions }
  }

  view(id: MemberId): View {
    const back = this.#random.integer(0, this.#stale)
    const seen = this.#past[Math.max(0, this.#past.length - 1 - back)]
    const members = new Map<MemberId, End & { ageMs: number; sessions: number }>()
    for (const other of this.ids) {
      if (other === id) continue
      members.set(other, { ...(seen?.get(other) ?? this.end(other)), ageMs: 0, sessions: 0 })
    }
    return { members, absent: new Map() }
  }

  #waiting(): number {
    return this.ids.reduce((sum, id) => {
      const { capacity, load } = this.end(id)
      const of = (c: number, r: number) => c * waiting((load.slow[r] ?? 0) / c)
      return sum + capacity.map(of).reduce((a, b) => a + b)
    }, 0)
  }

  highest(): number {
    return Math.max(...this.ids.map((id) => utilisation(this.end(id), this.policy.burstMargin)))
  }

  meanLoad(): number {
    const sum = this.ids.reduce((all, id) => all + (this.end(id).load.slow[0] ?? 0), 0)
    return sum / this.ids.length
  }

  round(number: number, check: (r: Round) => void = () => undefined): void {
    this.#past.push(new Map(this.ids.map((id) => [id, this.end(id)])))
    if (this.#past.length > this.#stale + 1) this.#past.shift()
    const granted = new Map<MemberId, number>()
    const order = [...this.ids].sort(() => this.#random.unit() - 0.5)
    for (const id of order) this.#decide(id, number, granted, check)
  }

  #decide(id: MemberId, round: number, granted: Map<MemberId, number>, check: (r: Round) => void) {
    const nowMs = round * this.policy.intervalSeconds * 1000
    const moment = { nowMs, seed: round * 31 + Number(id.slice(1)) }
    const negotiation = new Negotiation(this.own(id), this.view(id), moment, this.policy)
    check(negotiation.round)
    for (const [c, debt] of negotiation.round.debts) {
      const session = this.sessions[c]
      if (session !== undefined) session.debt = debt
    }
    for (;;) {
      const found = negotiation.next()
      if (found === null) return
      const receiver = {
        end: this.end(found.to),
        view: this.view(found.to),
        busy: false,
        draining: false,
        grantedThisRound: granted.get(found.to) ?? 0,
        barred: null,
      }
      const isGranted = grant(receiver, found, nowMs, this.policy).kind === 'granted'
      if (isGranted) {
        granted.set(found.to, (granted.get(found.to) ?? 0) + 1)
        this.#move(found, round, nowMs)
      }
      negotiation.answered(found, isGranted, this.own(id), this.end(found.to))
    }
  }

  #move({ session: { id }, to, price }: Proposal, round: number, nowMs: number): void {
    const session = this.sessions[id]
    if (session === undefined) throw new RangeError(`no session ${id}`)
    const from = session.at
    const before = { waiting: this.#waiting(), highest: this.highest() }
    session.at = to
    this.#ends.delete(from)
    this.#ends.delete(to)
    session.debt = 0
    session.history = withMove(session.history, { left: from, atMs: nowMs, pauseMs: 100 })
    this.moves.push({ round, session: id, from, to })
    const weightOf = (load: SessionLoad) => weightAt(load.slow, shareAt(load, to), 0)
    this.grants.push({
      waiting: { before: before.waiting, after: this.#waiting() },
      highest: { before: before.highest, after: this.highest() },
      price,
      beyond: Math.max(0, weightOf(session.load) - weightOf(session.believed)),
    })
  }
}
