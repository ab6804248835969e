// Whatever is remembered is not believed for ever: a group decides a day later as it did on its first minute, with costs that
// were wrong at first. The day passes in steps of a minute.
import { expect, test } from 'vitest'
import { type SessionId, sessionId } from '../../src/base/ids.ts'
import { Prng } from '../../src/base/prng.ts'
import { grant } from '../../src/distribution/grant.ts'
import { Negotiation } from '../../src/distribution/negotiation.ts'
import { DEFAULT_POLICY } from '../../src/distribution/policy.ts'
import { RATE, SimulatedMember } from '../../src/simulate/member.ts'
import { COST } from '../../src/simulate/scenario.ts'

const DAY = 86_400
const STEP = 60
const WATCHED = 300
const MEMBERS = 3
const NOISE = 0.1
const policy = { ...DEFAULT_POLICY, partitionedOnly: false, silentSeconds: 2 * STEP }

interface Asking {
  readonly id: SessionId
  readonly q: number
  at: number
}

const asking = (first: number, q: number, places: readonly number[]): Asking[] =>
  places.map((at, i) => ({ id: sessionId(first + i), q, at }))

class Group {
  readonly members: SimulatedMember[]
  readonly moves: (readonly [t: number, from: number, to: number])[] = []
  readonly #random = new Prng(1)
  #sessions: Asking[] = []
  #t = 0

  constructor(priced: number) {
    const settings = { policy, resources: 1, priced, pauseSeconds: 0.1, depth: 16 } as const
    this.members = [0, 1, 2].map((s) => new SimulatedMember(s, settings))
  }

  begin(sessions: Asking[]): void {
    for (const { id, at } of this.#sessions) this.members[at]?.logout(id)
    for (const { id, at } of sessions) this.members[at]?.login(id, this.#t * 1000)
    this.#sessions = sessions
  }

  run(until: number, seconds: number): void {
    for (; this.#t < until; this.#t += seconds) {
      this.#measure(seconds)
      for (let s = 0; s < MEMBERS && seconds === 1; s++) this.#round(s)
    }
  }

  #measure(seconds: number): void {
    const asked = this.#sessions.map((one) => {
      const q = one.q * (1 + NOISE * (2 * this.#random.unit() - 1))
      return { ...one, q }
    })
    const each = asked.reduce((sum, { q }) => sum + q, 0) / MEMBERS
    this.members.forEach((member, s) => {
      const own = asked.filter(({ at }) => at === s)
      const demand = own.reduce((sum, { q }) => sum + q, 0)
      const handled = each - demand / MEMBERS
      const sent = demand * (1 - 1 / MEMBERS)
      const load =
        COST.front * demand + COST.sent * sent + COST.stored * each + COST.handled * handled
      const cpuSeconds = seconds * (load + 0.01) * (0.99 + 0.02 * this.#random.unit())
      const samples = own.map(({ id, q }) => {
        const pieces = RATE * q * seconds
        const work = [pieces, 0, 0, 0, 0, pieces, 0]
        const counted = { byPrimary: [], outstanding: 0, deepest: 16 }
        return { session: id, seconds, work, ...counted, latencySumMs: 0, latencyCount: 0 }
      })
      const nothing = { hostCpu: 0, loopUtilisation: 0, rssBytes: 0 }
      const network = { receivedBytes: 0, sentBytes: 0, interfaceBytes: 0 }
      const disk = { diskLatencyMs: null, diskQueue: 0 }
      const primary = {
        ...{ storedPieces: RATE * each * seconds, storedBytes: 0 },
        ...{ handledPieces: RATE * handled * seconds, handledBytes: 0 },
        ...{ copiedPieces: 0, copiedBytes: 0, keptPieces: 0, keptBytes: 0 },
      }
      member.measure(
        { seconds, cpuSeconds, capacityCpu: 1, ...nothing, ...network, ...disk, ...primary },
        samples,
      )
    })
    const nowMs = this.#t * 1000
    const reports = this.members.map((member) => member.report('up', nowMs))
    for (const member of this.members) {
      for (const report of reports) if (report.member !== member.id) member.hear(report, nowMs)
      member.learn(MEMBERS)
    }
  }

  #round(s: number): void {
    const member = this.members[s]
    if (member === undefined || this.#t % policy.intervalSeconds !== s) return
    const nowMs = this.#t * 1000
    const group = this.members.map(({ id }) => ({ id, draining: false }))
    const view = member.view(group, nowMs)
    const negotiation = new Negotiation(
      member.own(nowMs),
      view,
      { nowMs, seed: this.#t + s },
      policy,
    )
    member.owe(negotiation.round.debts)
    for (;;) {
      const proposal = negotiation.next()
      if (proposal === null) return
      const to = this.members.findIndex(({ id }) => id === proposal.to)
      const there = this.members[to]
      if (there === undefined) return
      const end = there.end(nowMs)
      const free = { busy: false, draining: false, grantedThisRound: 0, barred: null }
      const receiver = { end, view: there.view(group, nowMs), ...free }
      const isGranted = grant(receiver, proposal, nowMs, policy).kind === 'granted'
      if (isGranted) this.#move(proposal.session.id, s, to)
      negotiation.answered(proposal, isGranted, member.own(nowMs), there.end(nowMs))
    }
  }

  #move(id: SessionId, from: number, to: number): void {
    const nowMs = this.#t * 1000
    const packed = this.members[from]?.giveAway(id, nowMs) ?? ''
    this.members[to]?.takeIn(id, packed, nowMs)
    for (const one of this.#sessions) if (one.id === id) one.at = to
    this.moves.push([this.#t, from, to])
  }
}

test.each([
  ['level', 0.33, 0.12],
  ['level', 3, 0.12],
  ['all but idle', 0.33, 0.004],
  ['all but idle', 3, 0.004],
])(
  'a group that was %s for a day, with costs wrong by %f, moves the one session at once, and no other',
  (_, priced, q) => {
    const group = new Group(priced)
    group.begin(asking(0, q, [0, 1, 2, 0, 1, 2]))
    group.run(DAY, STEP)
    group.begin(asking(10, 0.14, [0, 0, 0, 2, 2]))
    group.run(DAY + WATCHED, 1)
    expect(group.moves.map(([, from, to]) => [from, to])).toEqual([[0, 1]])
    expect((group.moves[0]?.[0] ?? 0) - DAY).toBeLessThanOrEqual(35)
  },
)
