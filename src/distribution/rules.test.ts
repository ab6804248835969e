// What DESIGN.md says is always true, on static, noise-free instances: views up to six rounds old, members in random
// order.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type MemberId, memberId, sessionId } from '../base/ids.ts'
import { Prng } from '../base/prng.ts'
import {
  addTables,
  asTable,
  type LoadTable,
  type SessionLoad,
  shareAt,
} from '../load/load-table.ts'
import { decide, type Round } from './decide.ts'
import { grant } from './grant.ts'
import { leftMembers, type MoveHistory, NO_HISTORY, restUntilMs, withMove } from './history.ts'
import { utilisation, waiting } from './judge.ts'
import { Negotiation } from './negotiation.ts'
import { DEFAULT_POLICY as P } from './policy.ts'
import type { End, Own, SessionView, View } from './view.ts'

interface Instance {
  readonly seed: number
  readonly members: number
  readonly perMember: number
  readonly mean: number
  readonly skewed: boolean
  readonly local: boolean
  readonly stale: number
  readonly unequal: boolean
}

const instance: fc.Arbitrary<Instance> = fc.record({
  seed: fc.integer({ min: 1, max: 1e9 }),
  members: fc.integer({ min: 2, max: 8 }),
  perMember: fc.integer({ min: 1, max: 14 }),
  mean: fc.double({ min: 0.15, max: 0.75, noNaN: true }),
  skewed: fc.boolean(),
  local: fc.boolean(),
  stale: fc.integer({ min: 0, max: 6 }),
  unequal: fc.boolean(),
})

interface Moved {
  readonly round: number
  readonly session: number
  readonly from: MemberId
  readonly to: MemberId
}

class Group {
  readonly ids: MemberId[]
  readonly capacity: Map<MemberId, number>
  readonly base: Map<MemberId, number>
  readonly at = new Map<number, MemberId>()
  readonly loads = new Map<number, SessionLoad>()
  readonly debts = new Map<number, number>()
  readonly history = new Map<number, MoveHistory>()
  readonly moves: Moved[] = []
  readonly grants: { potential: number; after: number; price: number }[] = []
  readonly #past: Map<MemberId, End>[] = []
  readonly #random: Prng
  readonly #stale: number

  constructor(i: Instance) {
    this.#random = new Prng(i.seed)
    this.#stale = i.stale
    this.ids = Array.from({ length: i.members }, (_, s) => memberId(`m${s}`))
    const random = this.#random
    this.capacity = new Map(
      this.ids.map((id) => [id, i.unequal && random.chance(0.3) ? 2 + 2 * random.unit() : 1]),
    )
    this.base = new Map(this.ids.map((id) => [id, 0]))
    const whole = [...this.capacity.values()].reduce((a, b) => a + b, 0) * i.mean
    const sizes = Array.from(
      { length: Math.max(1, random.integer(1, i.perMember * i.members)) },
      () => (random.unit() + 0.001) ** -0.5,
    )
    const sum = sizes.reduce((a, b) => a + b, 0)
    sizes.forEach((size, c) => {
      const q = Math.min(1 / 3, (size / sum) * (whole / 2.1))
      const own = i.local && random.chance(0.7) ? 0.3 + 0.6 * random.unit() : 0
      const owner = random.pick(this.ids)
      const elsewhere = (1 - own) / i.members
      const demand = { remote: [1.5 * q], local: [0.8 * q] }
      const owners: [MemberId, number][] = own > 0 ? [[owner, own + elsewhere]] : []
      const load = { slow: demand, long: demand, fast: demand, variance: 0, owners, elsewhere }
      this.loads.set(c, load)
      for (const id of this.ids) {
        this.base.set(id, (this.base.get(id) ?? 0) + q * shareAt(load, id) * 0.9)
      }
      const hot = Math.max(1, Math.floor(i.members / 4))
      const skewed = i.skewed && random.chance(0.6)
      this.at.set(c, this.ids[skewed ? c % hot : c % i.members] ?? memberId('m0'))
      this.debts.set(c, 0)
      this.history.set(c, NO_HISTORY)
    })
  }

  end(id: MemberId): End {
    const base = [this.base.get(id) ?? 0]
    let load: LoadTable = { slow: base, long: base, fast: base, variance: [0] }
    for (const [c, at] of this.at) {
      const session = this.loads.get(c)
      if (at !== id || session === undefined) continue
      load = addTables(load, asTable(session, shareAt(session, id), 1), 1)
    }
    return { member: id, capacity: [this.capacity.get(id) ?? 1], load, sigma: [0] }
  }

  own(id: MemberId): Own {
    const sessions: SessionView[] = []
    for (const [c, at] of this.at) {
      const load = this.loads.get(c)
      const history = this.history.get(c)
      if (at !== id || load === undefined || history === undefined) continue
      sessions.push({
        id: sessionId(c),
        load,
        ageSeconds: 1000,
        price: P.kappa + 1.6,
        debt: this.debts.get(c) ?? 0,
        restUntilMs: restUntilMs(history, P),
        left: leftMembers(history),
        held: null,
        barred: new Map(),
      })
    }
    return { ...this.end(id), urgent: false, sessions }
  }

  view(id: MemberId, fresh: boolean): View {
    const back = fresh ? 0 : this.#random.integer(0, this.#stale)
    const seen = this.#past[Math.max(0, this.#past.length - 1 - back)]
    const members = new Map<MemberId, End & { ageMs: number; sessions: number }>()
    for (const other of this.ids) {
      if (other === id) continue
      const end = seen?.get(other) ?? this.end(other)
      members.set(other, { ...end, ageMs: 0, sessions: 0 })
    }
    return { members, absent: new Map() }
  }

  potential(): number {
    return this.ids.reduce((sum, id) => {
      const { capacity, load } = this.end(id)
      const c = capacity[0] ?? 1
      return sum + c * waiting((load.slow[0] ?? 0) / c)
    }, 0)
  }

  maximum(): number {
    return Math.max(...this.ids.map((id) => utilisation(this.end(id), P.burstMargin)))
  }

  round(number: number, check: (r: Round) => void = () => undefined): void {
    this.#past.push(new Map(this.ids.map((id) => [id, this.end(id)])))
    const granted = new Map<MemberId, number>()
    const order = [...this.ids].sort(() => this.#random.unit() - 0.5)
    for (const id of order) this.#decide(id, number, granted, check)
  }

  #decide(id: MemberId, round: number, granted: Map<MemberId, number>, check: (r: Round) => void) {
    const nowMs = round * 5000
    const moment = { nowMs, seed: round * 31 + Number(id.slice(1)) }
    const negotiation = new Negotiation(this.own(id), this.view(id, false), moment, P)
    check(negotiation.round)
    for (const [c, debt] of negotiation.round.debts) this.debts.set(c, debt)
    for (;;) {
      const found = negotiation.next()
      if (found === null) return
      const receiver = {
        end: this.end(found.to),
        view: this.view(found.to, false),
        busy: false,
        draining: false,
        grantedThisRound: granted.get(found.to) ?? 0,
        barred: null,
      }
      const isGranted = grant(receiver, found, nowMs, P).kind === 'granted'
      if (isGranted) {
        granted.set(found.to, (granted.get(found.to) ?? 0) + 1)
        this.#move(found.session.id, found.to, round, found.price)
      }
      negotiation.answered(found, isGranted, this.own(id), this.end(found.to))
    }
  }

  #move(session: number, to: MemberId, round: number, price: number): void {
    const from = this.at.get(session) ?? to
    const potential = this.potential()
    this.at.set(session, to)
    this.grants.push({ potential, after: this.potential(), price })
    this.debts.set(session, 0)
    const history = this.history.get(session) ?? NO_HISTORY
    this.history.set(session, withMove(history, { left: from, atMs: round * 5000, pauseMs: 100 }))
    this.moves.push({ round, session, from, to })
  }
}

const ROUNDS = 60

test('I1 every granted move lowers the requests that wait by its price over the horizon', () => {
  let moves = 0
  fc.assert(
    fc.property(instance, (i) => {
      const group = new Group(i)
      for (let r = 0; r < ROUNDS; r++) group.round(r)
      for (const { potential, after, price } of group.grants) {
        expect(potential - after).toBeGreaterThanOrEqual(price / P.horizonSeconds - 1e-9)
      }
      moves += group.moves.length
    }),
    { numRuns: 40, seed: 1 },
  )
  expect(moves).toBeGreaterThan(100)
})

test('I2 the maximum never rises above what it was, or 0.7', () => {
  fc.assert(
    fc.property(instance, (i) => {
      const group = new Group(i)
      let before = group.maximum()
      for (let r = 0; r < ROUNDS; r++) {
        group.round(r)
        const now = group.maximum()
        expect(now).toBeLessThanOrEqual(Math.max(before, 0.7) + 1e-9)
        before = now
      }
    }),
    { numRuns: 40, seed: 2 },
  )
})

test('I3 a group that has come to rest makes no move when it starts anew', () => {
  fc.assert(
    fc.property(instance, (i) => {
      const group = new Group({ ...i, stale: 0 })
      let quietSince = 0
      for (let r = 0; r < 1500 && r - quietSince < 300; r++) {
        const moves = group.moves.length
        group.round(r)
        if (group.moves.length > moves) quietSince = r
      }
      const moves = group.moves.length
      for (const c of group.debts.keys()) group.debts.set(c, 0)
      for (let r = 1500; r < 1550; r++) group.round(r)
      expect(group.moves.length).toBe(moves)
    }),
    { numRuns: 12, seed: 3 },
  )
})

test('I4 nobody returns within 600 s, and I5 limits of rounds and hours hold', () => {
  fc.assert(
    fc.property(instance, (i) => {
      const group = new Group(i)
      for (let r = 0; r < 2 * ROUNDS; r++) group.round(r)
      const perRound = new Map<string, number>()
      const perReceiver = new Map<string, number>()
      const perSession = new Map<number, number>()
      for (const [n, m] of group.moves.entries()) {
        const earlier = group.moves.slice(0, n)
        expect(
          earlier.some(
            (e) => e.session === m.session && e.from === m.to && (m.round - e.round) * 5 < 600,
          ),
        ).toBe(false)
        count(perRound, `${m.round} ${m.from}`)
        count(perReceiver, `${m.round} ${m.to}`)
        count(perSession, m.session)
      }
      expect(Math.max(0, ...perRound.values())).toBeLessThanOrEqual(4)
      expect(Math.max(0, ...perReceiver.values())).toBeLessThanOrEqual(8)
      expect(Math.max(0, ...perSession.values())).toBeLessThanOrEqual(5)
    }),
    { numRuns: 40, seed: 4 },
  )
})

test('I6 and I7 a loaded group of many sessions comes near its best and stays there', () => {
  const loaded = instance.map((i) => ({
    ...i,
    members: Math.max(3, i.members),
    perMember: 30,
    mean: 0.5 + i.mean / 5,
    local: false,
    unequal: false,
    skewed: true,
  }))
  fc.assert(
    fc.property(loaded, (i) => {
      const group = new Group(i)
      if (group.at.size < 12 * i.members) return
      for (let r = 0; r < 260; r++) group.round(r)
      const end = group.maximum()
      const ideal =
        group.ids.reduce((sum, id) => sum + (group.end(id).load.slow[0] ?? 0), 0) / i.members
      const largest = Math.max(...[...group.loads.values()].map((l) => l.slow.remote[0] ?? 0))
      expect(end).toBeLessThanOrEqual(ideal + Math.max(0.05, largest))
    }),
    { numRuns: 15, seed: 5 },
  )
})

test('I9 the same state, view, time and seed give the same round, and I10 deciding changes nothing', () => {
  fc.assert(
    fc.property(instance, (i) => {
      const group = new Group({ ...i, stale: 0 })
      const own = group.own(memberId('m0'))
      const view = group.view(memberId('m0'), true)
      const image = JSON.stringify([own, [...view.members]])
      const first = decide(own, view, { nowMs: 0, seed: i.seed }, P)
      const second = decide(own, view, { nowMs: 0, seed: i.seed }, P)
      expect(second).toEqual(first)
      expect(JSON.stringify([own, [...view.members]])).toBe(image)
    }),
    { numRuns: 60, seed: 6 },
  )
})

function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
