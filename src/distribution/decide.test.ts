import { expect, test } from 'vitest'
import { type MemberId, memberId, sessionId } from '../base/ids.ts'
import type { SessionLoad } from '../load/load-table.ts'
import type { Code } from './code.ts'
import { decide, proposeAgain, situationOf, urgentRounds } from './decide.ts'
import { grant } from './grant.ts'
import { DEFAULT_POLICY as P } from './policy.ts'
import type { End, Own, SessionView, View } from './view.ts'

const NOW = { nowMs: 1_000_000, seed: 1 }

const end = (member: MemberId, load: number): End => ({
  member,
  capacity: [1],
  load: { slow: [load], long: [load], fast: [load], variance: [0] },
  sigma: [0],
})

const demand = { remote: [0.2], local: [0] }
const load: SessionLoad = {
  ...{ slow: demand, long: demand, fast: demand },
  variance: 0,
  owners: [],
  elsewhere: 0,
}
const RIPE: SessionView = {
  id: sessionId(7),
  load,
  ageSeconds: 30,
  price: 10,
  debt: 10,
  restUntilMs: NOW.nowMs,
  left: [],
  held: null,
  barred: new Map(),
}

const own = (session: SessionView): Own => ({
  ...end(memberId('a'), 0.8),
  urgent: false,
  sessions: [session],
})
const view = (loadOfB: number): View => ({
  members: new Map([[memberId('b'), { ...end(memberId('b'), loadOfB), ageMs: 0, sessions: 1 }]]),
  absent: new Map(),
})

test('D1 a session that fulfils every condition is proposed', () => {
  const { proposals, reasons } = decide(own(RIPE), view(0.1), NOW, P)
  expect(proposals.map((p) => [p.session.id, p.to])).toEqual([[7, 'b']])
  expect(reasons).toEqual([])
})

test.each<[Code, Partial<SessionView>]>([
  ['PINNED', { held: 'PINNED' }],
  ['MULTIPATH', { barred: new Map([[memberId('b'), 'MULTIPATH']]) }],
  ['TOO_YOUNG', { ageSeconds: 29 }],
  ['COOLDOWN', { restUntilMs: NOW.nowMs + 1 }],
  ['NO_PAYBACK', { price: 4000, debt: 4000 }],
  ['DEBT_BUILDING', { price: 100, debt: 50 }],
])('D1 each condition alone keeps it: %s', (code, more) => {
  const { proposals, reasons } = decide(own({ ...RIPE, ...more }), view(0.1), NOW, P)
  expect(proposals).toEqual([])
  expect(reasons.map((r) => [r.session, r.code])).toEqual([[7, code]])
})

test('D2 debt grows once a round, and not where a session is judged again', () => {
  const nearly = { ...RIPE, price: 100, debt: 95 }
  const first = decide(own(nearly), view(0.1), NOW, P)
  const gain = first.proposals[0]?.gain ?? 0
  expect(gain).toBeCloseTo(4 - 0.6 / 0.4 - (0.3 / 0.7 - 0.1 / 0.9), 9)
  expect(first.debts.get(sessionId(7))).toBeCloseTo(95 * Math.exp(-5 / 900) + 5 * gain, 9)
  const situation = situationOf(own(nearly), view(0.1), NOW, P, first.candidates)
  expect(proposeAgain(nearly, situation)).toBeNull()
  expect(proposeAgain({ ...nearly, debt: 100 }, situation)?.debt).toBe(100)
})

test('D3 what a stale report made the source propose is judged anew by the receiver', () => {
  const [proposal] = decide(own(RIPE), view(0.1), NOW, P).proposals
  if (proposal === undefined) throw new Error('nothing was proposed')
  const receiving = (loadOfB: number) =>
    grant(
      {
        end: end(memberId('b'), loadOfB),
        view: { members: new Map(), absent: new Map() },
        ...{ busy: false, draining: false, grantedThisRound: 0, barred: null },
      },
      proposal,
      NOW.nowMs,
      P,
    ).kind
  expect(receiving(0.1)).toBe('granted')
  expect(receiving(0.75)).toBe('denied')
})

test.each([
  ['a gap that is all noise', 0.7, P.kappa + 1],
  ['one twice as large as noise may be', 0.35, P.kappa / 2 + 1],
  ['one far larger', 0.001, P.leastRegret * P.kappa + 1],
])(
  'D5 the clearer the gap, the less of κ regret must reach, and never less of the pause: %s',
  (_, need, owed) => {
    const resting = { ...RIPE, price: P.kappa + 1, restUntilMs: NOW.nowMs + 1 }
    const { reasons } = decide({ ...own(resting), sigma: [need / P.sigmas] }, view(0.1), NOW, P)
    expect(reasons[0]?.owed).toBeCloseTo(owed, 9)
  },
)

test.each([
  ['a rise far beyond noise', 0.5, 0.7, 0.02, true],
  ['one that noise may be', 0.5, 0.7, 0.04, false],
  ['a small one of a member without noise', 0.5, 0.52, 0, false],
  ['one that leaves it half empty', 0.1, 0.45, 0.01, false],
  ['saturation, risen or not', 0.92, 0.92, 0.1, true],
])('D4 urgent is %s', (_, slow, fast, sigma, urgent) => {
  const risen = end(memberId('a'), slow)
  const now = { ...risen, load: { ...risen.load, fast: [fast] }, sigma: [sigma] }
  expect(urgentRounds(1, now, P)).toBe(urgent ? 2 : 0)
})

test('D4 a rise is judged by the fast averages, before the slow ones show it', () => {
  const risen = own(RIPE)
  const low = { ...risen.load, slow: [0.2], long: [0.2] }
  const seen = (urgent: boolean) =>
    decide({ ...risen, load: low, urgent }, view(0.1), NOW, P).proposals.map(({ to }) => to)
  expect(seen(false)).toEqual([])
  expect(seen(true)).toEqual(['b'])
})

test('a network that is nearly idle everywhere hinders nobody from being a destination', () => {
  const withNetwork = (member: MemberId, cpu: number, network: number): End => ({
    ...end(member, cpu),
    capacity: [1, 10],
    load: {
      ...{ slow: [cpu, 10 * network], long: [cpu, 10 * network], fast: [cpu, 10 * network] },
      variance: [0, 0],
    },
    sigma: [0, 0],
  })
  const there = { ...withNetwork(memberId('b'), 0.1, 0.03), ageMs: 0, sessions: 1 }
  const here = { ...withNetwork(memberId('a'), 0.8, 0.01), urgent: false, sessions: [RIPE] }
  const round = decide(here, { ...view(0.1), members: new Map([[there.member, there]]) }, NOW, P)
  expect(round.proposals.map(({ to }) => to)).toEqual(['b'])
})
