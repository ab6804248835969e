import { expect, test } from 'vitest'
import { type MemberId, memberId, sessionId } from '../base/ids.ts'
import type { SessionLoad } from '../load/load-table.ts'
import type { Code } from './code.ts'
import { decide } from './decide.ts'
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

test('D2 debt grows once a round, and not while the round is continued', () => {
  const nearly = { ...RIPE, price: 100, debt: 95 }
  const first = decide(own(nearly), view(0.1), NOW, P)
  const gain = first.proposals[0]?.gain ?? 0
  expect(gain).toBeCloseTo(4 - 0.6 / 0.4 - (0.3 / 0.7 - 0.1 / 0.9), 9)
  expect(first.debts.get(sessionId(7))).toBeCloseTo(95 * Math.exp(-5 / 900) + 5 * gain, 9)
  const continued = decide(own(nearly), view(0.1), NOW, P, first.candidates)
  expect(continued.debts.size).toBe(0)
  expect(continued.proposals).toEqual([])
  expect(continued.reasons.map((r) => [r.code, r.debt])).toEqual([['DEBT_BUILDING', 95]])
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
