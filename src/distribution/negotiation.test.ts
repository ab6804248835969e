import { expect, test } from 'vitest'
import { type MemberId, memberId, sessionId } from '../base/ids.ts'
import type { SessionLoad } from '../load/load-table.ts'
import { asItStands } from './decide.ts'
import { AGAIN_MAX, Negotiation } from './negotiation.ts'
import { DEFAULT_POLICY } from './policy.ts'
import type { End, MemberView, Own, SessionView, View } from './view.ts'

const MOMENT = { nowMs: 1_000_000, seed: 1 }
const P = { ...DEFAULT_POLICY, movesPerRound: 2, tries: 3 }

const end = (member: MemberId, load: number): End => ({
  member,
  capacity: [1],
  load: { slow: [load], long: [load], fast: [load], variance: [0] },
  sigma: [0],
})

const demand = { remote: [0.1], local: [0] }
const load: SessionLoad = {
  ...{ slow: demand, long: demand, fast: demand },
  variance: 0,
  owners: [],
  elsewhere: 0,
}
const ripe = (id: number): SessionView => ({
  id: sessionId(id),
  load,
  ageSeconds: 30,
  price: 10,
  debt: 10,
  restUntilMs: 0,
  left: [],
  held: null,
  barred: new Map(),
})

const own = (full: number, ids: readonly number[]): Own => ({
  ...end(memberId('a'), full),
  urgent: false,
  sessions: ids.map(ripe),
})
const view = (loads: Readonly<Record<string, number>>): View => ({
  members: new Map(
    Object.entries(loads).map(([id, l]): [MemberId, MemberView] => [
      memberId(id),
      { ...end(memberId(id), l), ageMs: 0, sessions: 1 },
    ]),
  ),
  absent: new Map(),
})

test('N1 a round ends with its moves, and with its tries for one of them', () => {
  const ids = [1, 2, 3, 4, 5, 6]
  const generous = new Negotiation(own(0.85, ids), view({ b: 0.05 }), MOMENT, P)
  let moves = 0
  for (let left = ids; ; moves += 1) {
    const proposal = generous.next()
    if (proposal === null) break
    left = left.filter((id) => id !== proposal.session.id)
    const now = own(0.85 - 0.1 * (moves + 1), left)
    generous.answered(proposal, true, now, end(memberId('b'), 0.05 + 0.1 * (moves + 1)))
  }
  expect(moves).toBe(2)
  const deaf = new Negotiation(own(0.85, ids), view({ b: 0.05 }), MOMENT, P)
  let tries = 0
  for (let proposal = deaf.next(); proposal !== null; proposal = deaf.next()) {
    tries += 1
    deaf.answered(proposal, false, own(0.85, ids), end(memberId('b'), 0.05))
  }
  expect(tries).toBe(3)
})

test('N2 a denial corrects what was believed of the receiver, and the next is proposed to another', () => {
  const here = own(0.85, [1, 2])
  const round = new Negotiation(here, view({ b: 0.05, c: 0.3 }), MOMENT, P)
  const first = round.next()
  expect(first?.to).toBe('b')
  if (first === null) return
  // It is full: the report was stale.
  round.answered(first, false, here, end(memberId('b'), 0.84))
  const second = round.next()
  expect(second?.to).toBe('c')
  if (second === null) return
  // With it gone nothing is left that pays.
  round.answered(second, true, own(0.5, [2]), end(memberId('c'), 0.5))
  expect(round.next()).toBeNull()
  expect(round.round.debts.get(sessionId(1))).toBeGreaterThan(10)
})

test('N3 what was denied is not proposed again, though it would still pay', () => {
  const here = own(0.85, [1])
  const round = new Negotiation(here, view({ b: 0.05 }), MOMENT, P)
  const first = round.next()
  expect(first?.to).toBe('b')
  if (first === null) return
  round.answered(first, false, here, null)
  expect(round.next()).toBeNull()
})

test('N4 after an answer as few are judged again as it takes: the next is the one that judging all would have found', () => {
  let judged = 0
  const barred = {
    get: () => {
      judged += 1
      return undefined
    },
  }
  const sizes = Array.from({ length: 100 }, (_, i) => 0.05 * 0.9 ** ((i * 37) % 100))
  const sessions = (ids: readonly number[]) =>
    ids.map((id): SessionView => {
      const asked = { remote: [sizes[id] ?? 0], local: [0] }
      return {
        ...ripe(id),
        ...{ price: 0.01, barred, load: { ...load, slow: asked, long: asked, fast: asked } },
      }
    })
  const here = (full: number, ids: readonly number[]): Own => ({
    ...own(full, []),
    sessions: sessions(ids),
  })
  const policy = { ...P, movesPerRound: 10 }
  let ids = sizes.map((_, i) => i)
  const round = new Negotiation(here(0.9, ids), view({ b: 0.1, c: 0.3 }), MOMENT, policy)
  expect(judged).toBe(2 * sizes.length)
  let full = 0.9
  for (let answers = 0; answers < 9; answers++) {
    judged = 0
    const next = round.next()
    expect(judged).toBeLessThanOrEqual(2 * AGAIN_MAX)
    if (next === null) throw new Error('much is still worth a move')
    const all = asItStands(here(full, ids), round.view, MOMENT, policy, round.round.candidates)
    expect([next.session.id, next.to]).toEqual([all.proposals[0]?.session.id, all.proposals[0]?.to])
    const weight = next.session.load.slow.remote[0] ?? 0
    ids = ids.filter((id) => id !== next.session.id)
    full -= weight
    const there = (round.view.members.get(next.to)?.load.slow[0] ?? 0) + weight
    round.answered(next, true, here(full, ids), end(next.to, there))
  }
})
